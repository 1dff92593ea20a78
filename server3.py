# SPDX-License-Identifier: 0BSD
"""Server 3, the log service: the tutorial's server3/log.php.

Run:  python server3.py             (python server3.py --help shows the rest)
Try:  curl http://127.0.0.1:8002/log.php

The level comes first, line for line as in PHP. Below are PHP's functions, as far as the level needs them,
helpers, and the web server, which calls the level for each request and then sends what it has echoed.
"""
# all of this comes with Python, and most of it is for the web server at the end
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
FOLDER = os.path.dirname(os.path.abspath(__file__))  # where this file is
LOG = os.path.join(FOLDER, "log.txt")
PHP_EOL = os.linesep  # how a line ends: \r\n on Windows, else \n
FILE_APPEND = "a+b"   # how open() opens a file to write at its end; + to read as well, b for bytes


def level4():
    """LEVEL 4: appends what came to log.txt, as a line of JSON."""
    header("Content-Type: application/json")
    data = json_decode(file_get_contents("php://input"), True)
    file_put_contents(LOG, json_encode(data) + PHP_EOL, FILE_APPEND)
    echo(json_encode({"status": "logged"}))


def active():
    """Not in the tutorial: says that it is up, if a browser only looks."""
    header("Content-Type: application/json")
    echo(json_encode({"status": "success", "message": NAME + " aktif"}))


# ---- Limits ----

MAX_BODY = 1000000  # bytes of a request


# ---- PHP's functions by name. Where PHP would go on with null or false, they raise Failure. ----

# The client whose request is being answered: what it sent, and what is echoed for it. The web server answers several
# clients at the same time, side by side: each in a thread. local() gives each thread a CLIENT of its own
CLIENT = threading.local()


def header(text):
    """Notes the header of the answer. (There is one; PHP can have several.)"""
    CLIENT.header = text


def echo(text):
    """Adds the text to the answer."""
    CLIENT.echo += text


def json_decode(body, associative):
    """The data that the JSON in the body stands for. (associative is PHP's, and not used. {} stays {}.)"""
    try:
        return json.loads(body.decode())  # decode: bytes, which is what a network carries, into text
    except (ValueError, RecursionError):  # no JSON; JSON with thousands of [ in each other
        raise Failure(400, "Data yang dikirim bukan JSON yang valid.")


def json_encode(data):
    """The data as JSON text without blanks, as PHP's. (PHP also puts a backslash before each /.)"""
    try:
        return json.dumps(data, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):  # NaN or 1e999, which json.loads takes though JSON does not have them
        raise Failure(400, "Data yang dikirim bukan JSON yang valid.")


def file_get_contents(url):
    """The body of the request that came: PHP's php://input, the only URL that this server needs."""
    assert url == "php://input"  # any other is a mistake in this file
    return CLIENT.body


def file_put_contents(path, text, flags):
    """Writes the text into the file: with FILE_APPEND, at its end."""
    try:
        with LOCK:  # waits until no other thread is in here
            with open(path, flags) as file:
                if ends_in_half_a_line(file):
                    text = PHP_EOL + text
                file.write(text.encode())  # encode: text into bytes
    except OSError as problem:
        say(f"tidak dapat menulis ke {path}: {problem.strerror}")
        raise Failure(500, f"{NAME} tidak dapat menulis ke {os.path.basename(path)}.")


# ---- Helpers: what PHP has no need of, or does unseen. ----

class Failure(Exception):
    """Something went wrong. The client is told: a code of HTTP, such as 404, and a sentence."""

    def __init__(self, code, message):
        self.code = code
        self.message = message


LOCK = threading.Lock()  # only one thread at a time can hold it: the one that writes


def ends_in_half_a_line(file):
    """True if a server was killed while it wrote the last line. The file is open at its end."""
    if file.tell() == 0:  # the end is at byte 0: the file is empty
        return False
    file.seek(-1, os.SEEK_END)  # to one byte before the end
    return file.read(1) != b"\n"


def say(text):
    """Prints a line on the console, of 500 letters at the most."""
    text = text.encode("ascii", "backslashreplace").decode()  # a letter that is not ASCII becomes \xe9 or the like
    try:
        print(NAME + " " + text[:500] + "\n", end="", flush=True)  # print(text) writes twice: lines could mix
    except OSError:  # the console is gone: that is no reason to stop
        pass


# ---- The web server, as php -S is PHP's. Read it once; what is logged needs no change here. ----

class Handler(BaseHTTPRequestHandler):
    """Handles one request. (self.path and whatever else is not defined here is BaseHTTPRequestHandler's.)

    The Server below makes a Handler for each client, and it goes:

    handle -> do_GET or do_POST -> answer -> call -> read_body, then the level
    """

    timeout = 10  # seconds that a client may be silent
    # what http.server itself sends when a request is no HTTP, or neither GET nor POST (it fills in the code):
    error_content_type = "application/json"
    error_message_format = '{"status":"error","message":"Kesalahan HTTP %(code)d"}'

    def handle(self):
        try:
            super().handle()  # BaseHTTPRequestHandler's: reads first line and headers, calls do_GET or do_POST
        except OSError:  # the client has gone away
            pass
        except (ValueError, TypeError) as error:  # its headers are such that Python fails to read them
            say(f"permintaan tidak valid: {error!r}")

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        """Sends what the level has echoed, or an error."""
        CLIENT.header = "Content-Type: text/html; charset=UTF-8"  # PHP's, unless the level calls header()
        CLIENT.echo = ""
        try:
            code = self.call()
            name, value = CLIENT.header.split(": ")
            output = CLIENT.echo.encode()  # text into bytes
        except BaseException:  # a mistake in this file, or exit(): show where, and go on
            for line in traceback.format_exc().splitlines():
                say(line)
            code = 500
            name, value = "Content-Type", "application/json"
            CLIENT.echo = '{"status":"error","message":"Program ' + NAME + ' gagal. Lihat pesan di terminalnya."}'
            output = CLIENT.echo.encode()
        say(f"menjawab: {code} {CLIENT.echo}")
        # by http.server's methods: the first line, the headers, a blank line; then the body
        self.send_response(code)
        self.send_header(name, value)
        self.send_header("Content-Length", str(len(output)))
        self.end_headers()
        self.wfile.write(output)  # wfile: goes to the client

    def call(self):
        """Calls the level. Returns the code of the answer: 200, or that of a Failure."""
        try:
            CLIENT.body = self.read_body()
            if self.path.split("?")[0] != PATH:
                raise Failure(404, f"Alamat tidak ditemukan di {NAME}. Gunakan {PATH}.")
            if self.command == "POST" and self.headers["Sec-Fetch-Site"] == "cross-site":
                # a browser adds this header; here the form stands on a page of another site
                raise Failure(403, "Permintaan dari situs lain ditolak.")
            if self.command == "GET" and CLIENT.body == b"":
                active()  # a browser that only looks; PHP would take its empty body for data
            else:
                level4()
            return 200
        except Failure as failure:
            CLIENT.header = "Content-Type: application/json"
            CLIENT.echo = json_encode({"status": "error", "message": failure.message})
            return failure.code

    def read_body(self):
        """The body of the request, as long as its header Content-Length says."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers:
            length = "unknown"  # the body comes in pieces
        if not length.isdecimal():
            raise Failure(400, "Content-Length tidak valid.")
        if len(length) > 7 or int(length) > MAX_BODY:  # with more than 7 digits it is too large anyway
            raise Failure(413, "Data yang dikirim terlalu besar (maksimal 1.000.000 byte).")
        try:
            body = self.rfile.read(int(length))  # rfile: what the client sends
        except OSError:  # the client was silent for too long, or has gone away
            body = b""
        if len(body) < int(length):
            raise Failure(400, "Data yang dikirim tidak lengkap.")
        return body

    def log_message(self, format, *args):
        pass  # http.server would print a line for each request here; answer() prints its own


class Server(ThreadingTCPServer):
    """Waits for clients, and has a thread for each, so that a slow one does not hold up the others."""

    # settings that ThreadingTCPServer reads:
    allow_reuse_address = (os.name == "posix")  # start again at once; on Windows two servers could share a port
    request_queue_size = 1024  # clients that may wait: a class that presses Kirim together


if __name__ == "__main__":  # if this file is run, not imported
    # argparse reads options such as --port 8012 into arguments, and ends the program if one is wrong
    parser = argparse.ArgumentParser(description=NAME)
    parser.add_argument("--bind", metavar="ADDRESS", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--log", metavar="FILE", default=LOG)
    arguments = parser.parse_args()
    LOG = arguments.log  # from here on, functions see this
    try:
        web_server = Server((arguments.bind, arguments.port), Handler)
    except Exception as problem:  # the port is taken, or the address is not this machine's
        way_out = "Mungkin server yang lama masih berjalan: hentikan dulu, atau pakai --port lain."
        if arguments.bind != "127.0.0.1":
            way_out = "Periksa --bind. " + way_out
        sys.exit(f"{NAME}: port {arguments.port} di {arguments.bind} tidak dapat dipakai ({problem}). {way_out}")
    host, PORT = web_server.server_address  # with --port 0 it is one that was free
    say(f"siap di http://{host}:{PORT}{PATH} (menulis ke {LOG}). Tekan Ctrl+C untuk berhenti.")
    try:
        web_server.serve_forever()
    except KeyboardInterrupt:  # Ctrl+C
        os._exit(0)  # ends at once; sys.exit() would wait for the threads
