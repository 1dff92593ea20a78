# SPDX-License-Identifier: 0BSD
"""Server 2, the API: the tutorial's server2/api.php, a function for each level.

Run:  python server2.py             (level 4; --help shows the options; Ctrl+C stops it)
Try:  http://127.0.0.1:8001/api.php in a browser

From top to bottom: the levels, line by line as in PHP; PHP's functions that they call; the web server that calls them.
"""
import argparse
import json
import os
import socket
import sys
import traceback
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from urllib.error import URLError
from urllib.request import HTTPHandler, OpenerDirector, Request

NAME = "Server 2"
PORT = 8001
PATH = "/api.php"
LOG_URL = "http://127.0.0.1:8002/log.php"  # PHP: localhost, which can also mean another address, ::1


def level1(php_input):
    """LEVEL 1: says that it is up. (Every level gets php://input, what the client sent; this one does not need it.)"""
    # PHP: header('Content-Type: application/json');  answer() sends it
    return json_encode({  # PHP: echo json_encode([
        "status": "success",
        "message": NAME + " aktif",  # Server 2 aktif
    })


def level2(php_input):
    """LEVEL 2: sends back what came. (PHP calls it $input. In Python, input is a function.)"""
    # PHP: header('Content-Type: application/json');  answer() sends it
    data = json_decode(php_input, True)  # PHP: json_decode(file_get_contents("php://input"), true)
    return json_encode({  # PHP: echo json_encode([
        "status": "success",
        "data": data,
    })


level3 = level2  # LEVEL 3 is new in Server 1 only


def level4(php_input):
    """LEVEL 4: has Server 3 log what came, then sends it back."""
    # PHP: header('Content-Type: application/json');  answer() sends it
    data = json_decode(php_input, True)  # PHP: json_decode(file_get_contents("php://input"), true)
    # kirim ke Server 3: POST /log.php {"nama":"Budi"}
    options = {
        "http": {
            "header": "Content-Type: application/json",
            "method": "POST",
            "content": json_encode(data),
        },
    }
    context = stream_context_create(options)
    # PHP says success, whatever comes back. Here a Failure ends the level, unless that is {"status":"logged"}
    file_get_contents(LOG_URL, False, context, server="Server 3", expected="logged")
    return json_encode({  # PHP: echo json_encode([
        "status": "success",
        "data": data,
    })


LEVELS = {1: level1, 2: level2, 3: level3, 4: level4}  # without (): the functions, not what they return

MAX_SILENCE = 3      # seconds that Server 3 may be silent; Server 1 waits 6 for us: if you call two, raise that
MAX_REPLY = 2000000  # bytes; Server 3 has to answer less


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


def stream_context_create(options):
    """What file_get_contents needs of the options."""
    return options["http"]


def file_get_contents(url, use_include_path=False, context=None, *, server, expected):
    """What the server at the URL answers, if that is JSON with the expected status; else a Failure, which names it."""
    # use_include_path is PHP's, and not used. What stands behind the * is not PHP's, and has to be given by name
    if context is None:
        context = {"method": "GET", "header": "", "content": ""}
    content = context["content"].encode()  # encode: text into bytes
    if len(content) > 999999:
        raise Failure(413, f"Data terlalu besar untuk dikirim ke {server}.")
    request = Request(url, content or None, method=context["method"])  # None: without a body
    for line in context["header"].splitlines():
        name, value = line.split(": ")
        request.add_header(name, value)
    say(f"memanggil: {context['method']} {url} {context['content'][:500]}")
    try:
        with OPENER.open(request, timeout=MAX_SILENCE) as reply:  # with: closes the connection at the end
            body = reply.read(MAX_REPLY)
            text = body.decode()  # decode: bytes into text
    except URLError as error:  # no connection, or it broke while we were sending
        raise Failure(502, f"{server} tidak dapat dihubungi di {url} ({error.reason}). "
                           f"Pastikan {server} sudah dijalankan.")
    except socket.timeout:  # it is silent: nobody knows what became of the data
        raise Failure(502, f"{server} tidak membalas dalam {MAX_SILENCE} detik. Mungkin data tetap diproses.")
    except Exception as error:  # any other: it hung up, or what came is no HTTP, or no text
        raise Failure(502, f"{server} tidak membalas dengan benar ({repr(error)[:200]}). Mungkin data tetap diproses.")
    if reply.length or len(body) == MAX_REPLY:  # length: how many bytes are missing; MAX_REPLY: there may be more
        raise Failure(502, f"Balasan {server} terputus. Mungkin data tetap diproses.")
    check_reply(reply.code, text, server, expected)
    return text


def check_reply(code, text, server, expected):
    """Raises a Failure unless the reply is a JSON object with the expected status, and the code 200."""
    try:
        result = json.loads(text)
    except (ValueError, RecursionError):
        result = None
    if not isinstance(result, dict):
        raise Failure(502, f"{server} menjawab {code}, bukan objek JSON: {text[:500]}")
    if code != 200 or result.get("status") == "error":
        message = str(result.get("message", text))
        raise Failure(502, f"{server} menjawab {code}: {message[:500]}")
    if result.get("status") != expected:
        raise Failure(502, f"{server} tidak menjawab {expected}, tetapi {text[:500]}")


# opens http: and does no more; urlopen would also ask a proxy, and follow a redirect without the data
OPENER = OpenerDirector()
OPENER.add_handler(HTTPHandler())


# ---- The web server, as php -S is PHP's ----

class Handler(BaseHTTPRequestHandler):
    """Answers one client. BaseHTTPRequestHandler reads these settings and the request, then calls do_GET or do_POST."""

    timeout = 10  # seconds that a client may be silent
    error_content_type = "application/json"  # of what it answers itself, to PUT for example
    error_message_format = '{"status":"error","message":"HTTP %(code)d"}'  # it puts the code in

    def do_GET(self):  # without data it only looks, and nothing is logged
        self.answer(level1 if self.headers.get("Content-Length", "0") == "0" else LEVEL)

    def do_POST(self):
        self.answer(LEVEL)  # set at the end of this file

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
    # argparse reads options such as --level 2 into arguments, and ends the program if one is wrong
    parser = argparse.ArgumentParser(description=NAME)
    parser.add_argument("--level", type=int, choices=LEVELS, default=max(LEVELS))  # of a dict the keys count
    parser.add_argument("--bind", metavar="ADDRESS", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--log-url", metavar="URL", default=LOG_URL)
    arguments = parser.parse_args()
    LEVEL = LEVELS[arguments.level]
    LOG_URL = arguments.log_url
    url = f"http://{arguments.bind}:{arguments.port}{PATH}"
    if LOG_URL.replace("localhost", "127.0.0.1") == url or not LOG_URL.startswith("http://"):  # itself; no URL
        sys.exit(f"{NAME}: --log-url harus alamat server lain, misalnya http://127.0.0.1:8002/log.php.")
    try:
        web_server = Server((arguments.bind, arguments.port), Handler)
    except (OSError, OverflowError) as error:  # the port is taken, or beyond 65535; the address is another machine's
        sys.exit(f"{NAME}: port {arguments.port} di {arguments.bind} tidak dapat dipakai ({error}). "
                 "Jika server yang lama masih berjalan, hentikan dulu, atau pakai --port lain.")
    say(f"siap di {url} (level {arguments.level})")
    try:
        web_server.serve_forever()
    except KeyboardInterrupt:  # Ctrl+C
        os._exit(0)  # at once; sys.exit() would wait for the threads
