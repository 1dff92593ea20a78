# SPDX-License-Identifier: 0BSD
"""Server 2, the API: the tutorial's server2/api.php, one function for each listing.

Run:  python server2.py             (level 4; python server2.py --help shows the rest)
Try:  curl http://127.0.0.1:8001/api.php

The levels come first, line for line as in PHP. Below are PHP's functions, as far as the levels need them,
helpers, and the web server, which calls a level for each request and then sends what the level has echoed.
"""
# all of this comes with Python, and most of it is for the web server at the end
import argparse
import json
import os
import re
import socket
import sys
import threading
import traceback
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler
from io import BufferedReader
from socketserver import ThreadingTCPServer
from urllib.error import URLError
from urllib.request import HTTPHandler, OpenerDirector, Request

NAME = "Server 2"
PORT = 8001
PATH = "/api.php"
LOG_URL = "http://127.0.0.1:8002/log.php"  # PHP: localhost, which may also mean ::1, where nobody listens


def level1():
    """LEVEL 1: says that it is up. (At the other levels, too, if a browser only looks.)"""
    header("Content-Type: application/json")
    echo(json_encode({
        "status": "success",
        "message": NAME + " aktif",  # Server 2 aktif
    }))


def level2():
    """LEVEL 2: sends back what came. (PHP calls it $input; in Python, input is a function.)"""
    header("Content-Type: application/json")
    data = json_decode(file_get_contents("php://input"), True)
    echo(json_encode({
        "status": "success",
        "data": data,
    }))


level3 = level2  # LEVEL 3 is new in Server 1 only (without (): the function itself)


def level4():
    """LEVEL 4: logs at Server 3, then sends back what came."""
    header("Content-Type: application/json")
    data = json_decode(file_get_contents("php://input"), True)
    # kirim ke Server 3: POST /log.php {"nama":"Budi"}
    options = {
        "http": {
            "header": "Content-Type: application/json",
            "method": "POST",
            "content": json_encode(data),
        },
    }
    context = stream_context_create(options)
    # server and expected are not PHP's: whom we ask, and what the status has to be. If it is not, we end here
    file_get_contents(LOG_URL, False, context, server="Server 3", expected="logged")
    echo(json_encode({
        "status": "success",
        "data": data,
    }))


LEVELS = {1: level1, 2: level2, 3: level3, 4: level4}  # without (): the functions, not what they do


# ---- Limits ----

MAX_BODY = 1000000    # bytes of a request
MAX_REPLY = 2000000   # bytes of a reply of Server 3
MAX_SILENCE = 3       # seconds that Server 3 may be silent; Server 1 waits 6 for us, so two calls are too many


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


def stream_context_create(options):
    """The part of the options that file_get_contents needs for http."""
    return options["http"]


def file_get_contents(url, use_include_path=False, context=None, server="Server tujuan", expected="logged"):
    """The body of the request that came, if the URL is php://input. Of any other URL: the text of the reply to
    what the context says, or to a GET. (use_include_path is PHP's, and not used.)

    Unlike PHP's it looks at the reply: Failure if there is none, or if it is not JSON with the expected status.
    """
    if url == "php://input":
        return CLIENT.body
    who = f"{server} ({url})"
    if context:
        content = context["content"]
        if len(content) > MAX_BODY:
            raise Failure(413, f"Data terlalu besar untuk dikirim ke {who}.")
        name, value = context["header"].split(": ")
        request = Request(url, data=content.encode(), headers={name: value}, method=context["method"])
        say(f"memanggil: {context['method']} {url} {content}")
    else:  # only a level of your own may need this
        request = Request(url)
        say(f"memanggil: GET {url}")
    try:
        code, body = send(request)
    except socket.timeout as error:  # no reply in time: it hangs, or a firewall keeps us from it
        say(f"gagal memanggil {server}: {error!r}")  # !r: as Python writes it
        raise Failure(502, f"{who} tidak membalas dalam {MAX_SILENCE} detik. Mungkin data tetap diproses.")
    except (BrokenPipeError, ConnectionAbortedError, ConnectionResetError, HTTPException) as error:
        say(f"gagal memanggil {server}: {error!r}")  # the connection broke, or the reply is no HTTP
        raise Failure(502, f"Balasan dari {who} tidak valid.")
    except OSError as error:  # any other: no connection. (Last, because most of those above are OSErrors, too)
        say(f"gagal memanggil {server}: {error!r}")
        raise Failure(502, f"{who} tidak dapat dihubungi. Pastikan {server} sudah dijalankan.")
    return check(code, body, who, expected)


# ---- Helpers: what PHP has no need of, or does unseen. ----

class Failure(Exception):
    """Something went wrong. The client is told: a code of HTTP, such as 404, and a sentence."""

    def __init__(self, code, message):
        self.code = code
        self.message = message


OPENER = OpenerDirector()  # opens URLs by http and does no more: urlopen would also ask a proxy, and raise at a 404
OPENER.add_handler(HTTPHandler())


def send(request):
    """Sends the request. Returns the code (200, 404, ...) and the body of the reply."""
    try:
        with OPENER.open(request, timeout=MAX_SILENCE) as reply:  # with: closes the connection at the end
            body = BufferedReader(reply).read(MAX_REPLY)  # reply.read() knows no limit if a reply in parts names -1
            if reply.length or len(body) == MAX_REPLY:  # length: so many bytes are missing; or there may be more
                body = b""
            return reply.code, body
    except URLError as error:
        raise error.reason  # urllib puts an error of the network into a URLError; this takes it out again


def check(code, body, who, expected):
    """The text of a reply that is JSON with the expected status. Failure if it is anything else."""
    try:
        text = body.decode()
        result = json.loads(text)
    except (ValueError, RecursionError):  # no text, no JSON; JSON with thousands of [ in each other
        raise Failure(502, f"Balasan dari {who} tidak valid.")
    if not isinstance(result, dict):  # JSON, but a list, a number, null
        raise Failure(502, f"Balasan dari {who} tidak valid.")
    status = result.get("status")
    message = result.get("message")
    if code == 200 and status == expected:
        return text
    if isinstance(message, str) and message.strip() != "":
        raise Failure(502, f"{who}: {message[:500]}")
    if status is not None and status != expected:
        raise Failure(502, f"{who}: status-nya bukan {expected}")
    raise Failure(502, f"Balasan dari {who} tidak valid.")


def say(text):
    """Prints a line on the console, of 500 letters at the most."""
    text = text.encode("ascii", "backslashreplace").decode()  # a letter that is not ASCII becomes \xe9 or the like
    try:
        print(NAME + " " + text[:500] + "\n", end="", flush=True)  # print(text) writes twice: lines could mix
    except OSError:  # the console is gone: that is no reason to stop
        pass


# ---- The web server, as php -S is PHP's. Read it once; a new level needs no change here. ----

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
                level1()  # a browser that only looks; PHP would take its empty body for data
            else:
                LEVEL()  # set at the end of this file
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
    # argparse reads options such as --level 2 into arguments, and ends the program if one is wrong.
    # Of a dict such as LEVELS, choices and max take the keys.
    parser = argparse.ArgumentParser(description=NAME)
    parser.add_argument("--level", type=int, choices=LEVELS, default=max(LEVELS))
    parser.add_argument("--bind", metavar="ADDRESS", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--log-url", metavar="URL", default=LOG_URL)
    arguments = parser.parse_args()
    LEVEL = LEVELS[arguments.level]  # from here on, functions see these
    LOG_URL = arguments.log_url
    # \w: a letter or digit, \d: a digit, \S: anything but a blank
    if not re.fullmatch(r"http://[\w.-]+(:\d+)?/\S*", LOG_URL):
        sys.exit(f"{NAME}: --log-url harus seperti http://127.0.0.1:8002/log.php.")
    if LOG_URL == f"http://{arguments.bind}:{arguments.port}{PATH}":  # it would call itself without end
        sys.exit(f"{NAME}: --log-url tidak boleh berisi alamat {NAME} sendiri.")
    try:
        web_server = Server((arguments.bind, arguments.port), Handler)
    except Exception as problem:  # the port is taken, or the address is not this machine's
        way_out = "Mungkin server yang lama masih berjalan: hentikan dulu, atau pakai --port lain."
        if arguments.bind != "127.0.0.1":
            way_out = "Periksa --bind. " + way_out
        sys.exit(f"{NAME}: port {arguments.port} di {arguments.bind} tidak dapat dipakai ({problem}). {way_out}")
    host, PORT = web_server.server_address  # with --port 0 it is one that was free
    calls = ""
    if arguments.level >= 4:
        calls = ", memanggil " + LOG_URL
    say(f"siap di http://{host}:{PORT}{PATH} (level {arguments.level}{calls}). Tekan Ctrl+C untuk berhenti.")
    try:
        web_server.serve_forever()
    except KeyboardInterrupt:  # Ctrl+C
        os._exit(0)  # ends at once; sys.exit() would wait for the threads
