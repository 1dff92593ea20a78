# SPDX-License-Identifier: 0BSD
"""Server 2, the API: the tutorial's server2/api.php, one function for each listing.

Run:  python server2.py             (level 4; python server2.py --help shows the rest)
Try:  curl http://127.0.0.1:8001/api.php

The levels come first. Each gets php_input, what PHP reads from php://input: the body of the request. Each
returns what PHP sends: its header, and what it echoes. Below are PHP's functions, as far as the levels need
them, helpers, and the web server: its method call() calls a level, and answer() sends what that returns.
"""
# all of this comes with Python, and most of it is for the web server at the end
import argparse
import errno
import json
import os
import re
import socket
import sys
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


def level1(php_input):
    """LEVEL 1: says that it is up. (What it returns is sent by the method answer, far below.)"""
    header = "Content-Type: application/json"  # PHP: header(...)
    echo = json_encode({
        "status": "success",
        "message": NAME + " aktif",  # Server 2 aktif
    })
    return header, echo


def level2(php_input):
    """LEVEL 2: sends back what came. (PHP calls it $input; in Python, input is a function.)"""
    header = "Content-Type: application/json"  # PHP: header(...)
    data = json_decode(php_input, True)  # php_input: PHP's file_get_contents("php://input")
    echo = json_encode({
        "status": "success",
        "data": data,
    })
    return header, echo


level3 = level2  # LEVEL 3 is new in Server 1 only


def level4(php_input):
    """LEVEL 4: logs at Server 3, then sends back what came."""
    header = "Content-Type: application/json"  # PHP: header(...)
    data = json_decode(php_input, True)  # php_input: PHP's file_get_contents("php://input")
    # ke Server 3: POST /log.php {"nama":"Budi"}
    options = {
        "http": {
            "header": "Content-Type: application/json",
            "method": "POST",
            "content": json_encode(data),
        },
    }
    context = stream_context_create(options)
    file_get_contents(LOG_URL, False, context)  # raises Failure if Server 3 did not log; PHP would go on
    echo = json_encode({
        "status": "success",
        "data": data,
    })
    return header, echo


LEVELS = {1: level1, 2: level2, 3: level3, 4: level4}  # without (): the functions, not what they return


# ---- Limits ----

MAX_BODY = 1000000    # bytes of a request
MAX_REPLY = 2000000   # bytes of a reply of Server 3
MAX_SILENCE = 3       # seconds that Server 3 may be silent; Server 1 waits 6 for this server


# ---- PHP's functions by name. Where PHP warns and goes on with null or false, they raise Failure. ----

def json_decode(body, associative):
    """The data that the JSON in the body stands for. (associative: PHP's true. Python's data is the same without.)"""
    try:
        return json.loads(body.decode())  # decode: bytes, which is what a network carries, into text
    except (ValueError, RecursionError):  # no JSON; JSON with thousands of [ in each other
        raise Failure(400, "Data yang dikirim bukan JSON yang valid.")


def json_encode(data):
    """The data as JSON text without blanks, as PHP's. (PHP also puts a backslash before each /.)"""
    try:
        return json.dumps(data, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):  # NaN and 1e999, which loads takes and JSON does not have
        raise Failure(400, "Data yang dikirim bukan JSON yang valid.")


def stream_context_create(options):
    """The part of the options that file_get_contents needs for http."""
    return options["http"]


def file_get_contents(url, use_include_path=False, context=None, server="Server 3", expected="logged"):
    """Sends a request to the URL, a GET if there is no context. Returns the text of the reply.

    Unlike PHP's it looks at the reply: Failure if there is none, or if it is not JSON with the expected status.
    Another server than Server 3 needs its name and its word for success. (use_include_path is PHP's, not used.)
    """
    who = "%s (%s)" % (server, url)
    if context:
        content = context["content"]
        if len(content) > MAX_BODY:
            raise Failure(413, "Data terlalu besar untuk dikirim ke %s." % who)
        name, value = context["header"].split(": ")
        request = Request(url, data=content.encode(), headers={name: value}, method=context["method"])
        say("memanggil: %s %s %s" % (context["method"], url, content))
    else:
        request = Request(url)
        say("memanggil: GET %s" % url)
    try:
        code, body = send(request)
    except socket.timeout:  # there is a connection, but no reply
        raise Failure(502, "%s tidak membalas dalam %d detik. Mungkin data tetap diproses." % (who, MAX_SILENCE))
    except (BrokenPipeError, ConnectionAbortedError, ConnectionResetError, HTTPException):
        raise Failure(502, INVALID % who)  # the connection broke, or the reply is no HTTP
    except OSError:  # any other error of the network (those above are OSErrors, too): no connection
        raise Failure(502, "%s tidak dapat dihubungi. Pastikan %s sudah dijalankan." % (who, server))
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
            body = BufferedReader(reply).read(MAX_REPLY)  # never more, whatever comes
            if reply.length or len(body) == MAX_REPLY:  # less than was announced; perhaps more than we read
                body = b""
            return reply.code, body
    except URLError as error:
        say("gagal: %r" % error.reason)
        raise error.reason  # urllib puts the network's own error into a URLError; take it out again
    except Exception as error:
        say("gagal: %r" % error)
        raise  # the same error, on to the caller


INVALID = "Balasan dari %s tidak valid."


def check(code, body, who, expected):
    """The text of a reply that is JSON with the expected status. Failure if it is anything else."""
    try:
        text = body.decode()
        result = json.loads(text)
    except (ValueError, RecursionError):  # no text, no JSON
        raise Failure(502, INVALID % who)
    if not isinstance(result, dict):  # a list, a number, null
        raise Failure(502, INVALID % who)
    status = result.get("status")
    message = result.get("message")
    if code == 200 and status == expected:
        return text
    if isinstance(message, str) and message.strip() != "":
        raise Failure(502, "%s: %s" % (who, message[:500]))
    if status is not None and status != expected:
        raise Failure(502, "%s: status-nya bukan %s" % (who, expected))
    raise Failure(502, INVALID % who)


def say(text):
    """Prints a line on the console, of 500 letters at the most."""
    text = text.encode("ascii", "backslashreplace").decode()  # to bytes and back: a letter like é becomes \xe9
    try:
        print(NAME + " " + text[:500] + "\n", end="", flush=True)  # print(text) writes twice: lines could mix
    except OSError:  # the console is gone: that is no reason to stop
        pass


# ---- The web server, as php -S is PHP's. Read it once; a new level needs no change here. ----

class Handler(BaseHTTPRequestHandler):
    """Handles one request. The Server below makes a Handler for each client, which calls handle."""

    timeout = 10  # seconds that a client may be silent
    # what http.server itself sends when a request is no HTTP, or neither GET nor POST (it fills in the code):
    error_content_type = "application/json"
    error_message_format = '{"status":"error","message":"HTTP error %(code)d"}'

    def handle(self):
        try:
            super().handle()  # BaseHTTPRequestHandler's: reads first line and headers, calls do_GET or do_POST
        except OSError:  # the client has gone away
            pass
        except (ValueError, TypeError) as error:  # its headers are such that Python fails to read them
            say("permintaan tidak valid: %r" % error)

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        """Sends what the level returns, or an error."""
        try:
            code, header, echo = self.call()
            name, value = header.split(": ")
            output = echo.encode()  # text into bytes
        except BaseException:  # a mistake in this file, or exit(): show where, and go on
            for line in traceback.format_exc().splitlines():
                say(line)
            code = 500
            name, value = "Content-Type", "application/json"
            echo = '{"status":"error","message":"Program %s gagal. Lihat pesan di terminalnya."}' % NAME
            output = echo.encode()
        # by http.server's methods: the first line, the headers, a blank line; then the body
        self.send_response(code)
        self.send_header(name, value)
        self.send_header("Content-Length", str(len(output)))
        self.end_headers()
        self.wfile.write(output)  # wfile: goes to the client
        say("menjawab: %d %s" % (code, echo))

    def call(self):
        """Calls the level. Returns a code, and the header and echo of the level or of an error."""
        try:
            body = self.read_body()
            if self.path.split("?")[0] != PATH:
                raise Failure(404, "Alamat tidak ditemukan di %s. Gunakan %s." % (NAME, PATH))
            if self.command == "POST" and self.headers["Sec-Fetch-Site"] == "cross-site":
                raise Failure(403, "Permintaan dari situs lain ditolak.")  # a browser says so of a form elsewhere
            if self.command == "GET" and body == b"":
                header, echo = level1(body)  # a browser that looks; PHP would take its empty body for data
            else:
                header, echo = LEVEL(body)  # LEVEL is set at the end of this file
            return 200, header, echo
        except Failure as failure:
            echo = json_encode({"status": "error", "message": failure.message})
            return failure.code, "Content-Type: application/json", echo

    def read_body(self):
        """The body of the request, as long as its header Content-Length says."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:  # that is: in pieces, without a length
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
    # http://, names with dots, perhaps a port, a path: ! to ~ is any ASCII character but a blank
    if not re.fullmatch(r"http://[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)*(:[0-9]{1,5})?/[!-~]*", LOG_URL):
        sys.exit("%s: --log-url harus seperti http://127.0.0.1:8002/log.php." % NAME)
    if not 0 <= arguments.port <= 65535:
        sys.exit("%s: --port harus dari 0 sampai 65535, bukan %d." % (NAME, arguments.port))
    try:
        web_server = Server((arguments.bind, arguments.port), Handler)
    except (OSError, TypeError) as problem:  # TypeError: --bind é..b
        way_out = "Pakai --port atau --bind lain."
        if isinstance(problem, OSError) and problem.errno == errno.EADDRINUSE:  # the port is taken
            way_out = "Mungkin server yang lama masih berjalan: hentikan dulu, atau pakai --port lain."
        sys.exit("%s: %s port %d: %s. %s" % (NAME, arguments.bind, arguments.port, problem, way_out))
    host, PORT = web_server.server_address  # with --port 0 it is one that was free
    calls = ""
    if arguments.level >= 4:
        calls = " dan memanggil " + LOG_URL
    say("siap di http://%s:%d%s level %d%s (Ctrl+C menghentikannya)" % (host, PORT, PATH, arguments.level, calls))
    try:
        web_server.serve_forever()
    except KeyboardInterrupt:  # Ctrl+C
        os._exit(0)  # ends at once, whatever the threads are doing
