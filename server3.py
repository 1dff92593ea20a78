# SPDX-License-Identifier: 0BSD
"""Server 3, the log service: the tutorial's server3/log.php.

Run:  python server3.py             (--help shows the options; Ctrl+C stops it)
Try:  http://127.0.0.1:8002/log.php in a browser

From top to bottom: the level, line by line as in PHP; PHP's functions that it calls; the web server that calls it.
"""
import argparse
import json
import os
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

NAME = "Server 3"
PORT = 8002
PATH = "/log.php"
LOG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "log.txt")  # in the folder of this file
PHP_EOL = os.linesep  # how a line of text ends on this system
FILE_APPEND = "a+b"   # for open(): a writes at the end of the file, + can also read, b means bytes


def level4(php_input):
    """LEVEL 4: writes what came into log.txt, as a line of JSON."""
    # PHP: header('Content-Type: application/json');  answer() sends it
    data = json_decode(php_input, True)  # PHP: json_decode(file_get_contents("php://input"), true)
    file_put_contents(LOG, json_encode(data) + PHP_EOL, FILE_APPEND)
    return json_encode({"status": "logged"})  # PHP: echo


def active(php_input):
    """Not in the tutorial: says that it is up."""
    return json_encode({"status": "success", "message": NAME + " aktif"})


# ---- PHP's functions, and what they need. Where PHP goes on with null or false, these raise a Failure. ----

class Failure(Exception):
    """Why there is no success: a code of HTTP, such as 404, and a sentence for the client."""

    def __init__(self, code, message):
        self.code = code
        self.message = message


def json_decode(body, associative):
    """The data that JSON stands for. (associative is PHP's. Here an object is a dict in any case.)"""
    try:
        return json.loads(body.decode())  # decode: bytes, as they come from the network, into text
    except (ValueError, RecursionError):  # no JSON, or no text; thousands of [ in each other
        raise Failure(400, "Data yang dikirim bukan JSON yang valid.")


def json_encode(data):
    """JSON without blanks, as PHP writes it. (PHP also puts a backslash before each /.)"""
    try:
        return json.dumps(data, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):  # NaN or 1e999, which Python reads though JSON has no such numbers
        raise Failure(400, "Data yang dikirim bukan JSON yang valid.")


LOCK = threading.Lock()  # only one thread can hold it, the others wait: lines do not mix


def file_put_contents(filename, text, flags):
    """Writes the text into the file, all of it, or raises a Failure."""
    try:
        with LOCK:  # with: lets go of it in any case
            with open(filename, flags) as file:  # with: closes it in any case
                if ends_in_half_a_line(file):
                    text = PHP_EOL + text
                file.write(text.encode())  # encode: text into bytes
    except OSError as error:
        say(f"tidak dapat menulis ke {filename}: {error}")
        raise Failure(500, f"{NAME} tidak dapat menulis ke log.")


def ends_in_half_a_line(file):
    """True if a server was killed, or the disk was full, while it wrote the last line."""
    if file.tell() == 0:  # tell: where we are; that is the end, so the file is empty
        return False
    file.seek(-1, os.SEEK_END)  # to the last byte
    return file.read(1) != b"\n"


# ---- The web server, as php -S is PHP's ----

class Handler(BaseHTTPRequestHandler):
    """Answers one client. BaseHTTPRequestHandler reads these settings and the request, then calls do_GET or do_POST."""

    timeout = 10  # seconds that a client may be silent
    error_content_type = "application/json"  # of what it answers itself, to PUT for example
    error_message_format = '{"status":"error","message":"HTTP %(code)d"}'  # it puts the code in

    def do_GET(self):  # without data it only looks, and nothing is logged
        self.answer(active if self.headers.get("Content-Length", "0") == "0" else level4)

    def do_POST(self):
        self.answer(level4)

    def answer(self, level):
        """Sends what the level returns, or why it failed."""
        try:
            code = 200
            body = self.read_body()
            self.check_request()
            output = level(body).encode()
        except Failure as failure:
            code = failure.code
            output = json_encode({"status": "error", "message": failure.message}).encode()
        except BaseException:  # a mistake in this file, or exit(); the terminal shows where
            say("gagal:\n" + traceback.format_exc())
            code = 500
            output = ('{"status":"error","message":"Program ' + NAME + ' gagal. Lihat pesan di terminalnya."}').encode()
        say(f"menjawab: {code} {output.decode()[:500]}")
        self.send_response(code)  # the first line, HTTP/1.0 200 OK; then the headers
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(output)))
        self.end_headers()
        self.wfile.write(output)  # wfile: to the client

    def read_body(self):
        """What the client sends after the headers, as long as its header Content-Length says."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or len(length) > 6:  # 6 digits: 999999
            raise Failure(413, "Content-Length tidak valid, atau data terlalu besar (paling banyak 999999 byte).")
        try:
            body = self.rfile.read(int(length))  # rfile: from the client
        except OSError:  # it was silent for too long, or has gone away
            body = b""
        if len(body) < int(length):
            raise Failure(400, "Data yang dikirim tidak lengkap.")
        return body

    def check_request(self):
        """Raises a Failure if the request is none for this server."""
        if self.path.split("?")[0] != PATH:
            raise Failure(404, f"Alamat tidak ditemukan di {NAME}. Gunakan {PATH}.")
        if self.command == "POST" and self.headers.get("Sec-Fetch-Site") == "cross-site":  # a browser adds this header
            raise Failure(403, "Permintaan dari situs lain ditolak.")

    def log_message(self, *args):
        pass  # BaseHTTPRequestHandler would print a line for each request; answer() prints ours


class Server(ThreadingTCPServer):
    """Waits for clients. Each gets a thread of its own: a slow one does not hold up the others."""

    request_queue_size = 1024  # so many clients may wait, should all students press Kirim together
    allow_reuse_address = (os.name == "posix")  # start again at once; on Windows two servers could share a port

    def handle_error(self, request, client_address):  # after an exception that Handler does not catch
        error = sys.exc_info()[1]  # the exception
        if not isinstance(error, OSError):  # OSError: the client has gone away; else, mostly, its headers are odd
            say(f"tidak dapat menjawab permintaan: {repr(error)}")


def say(text):
    """Prints a text in one piece, in ASCII. (print(text) would write the line end separately.)"""
    text = f"{NAME} {text}\n".encode("ascii", "backslashreplace").decode()  # \xe9 for a letter that terminals may lack
    try:
        print(text, end="", flush=True)  # flush: at once
    except OSError:  # the terminal is gone: that is no reason to stop
        pass


if __name__ == "__main__":  # if this file is run, not imported
    # argparse reads options such as --port 8012 into arguments, and ends the program if one is wrong
    parser = argparse.ArgumentParser(description=NAME)
    parser.add_argument("--bind", metavar="ADDRESS", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--log", metavar="FILE", default=LOG)
    arguments = parser.parse_args()
    LOG = arguments.log
    url = f"http://{arguments.bind}:{arguments.port}{PATH}"
    try:
        web_server = Server((arguments.bind, arguments.port), Handler)
    except (OSError, OverflowError) as error:  # the port is taken, or beyond 65535; the address is another machine's
        sys.exit(f"{NAME}: port {arguments.port} di {arguments.bind} tidak dapat dipakai ({error}). "
                 "Jika server yang lama masih berjalan, hentikan dulu, atau pakai --port lain.")
    say(f"siap di {url} (menulis ke {LOG})")
    try:
        web_server.serve_forever()
    except KeyboardInterrupt:  # Ctrl+C
        os._exit(0)  # at once; sys.exit() would wait for the threads
