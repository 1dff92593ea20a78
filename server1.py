# SPDX-License-Identifier: 0BSD
"""Server 1, the front: the tutorial's server1/index.php, a function and a page for each listing.

Run:  python server1.py             (level 4; python server1.py --help shows the rest)
Try:  http://127.0.0.1:8000/ in a browser

The levels come first, line for line as in PHP. level1 is the part of its listing that makes $response, page1
the part that shows it; and so on. Below are PHP's functions, as far as the levels need them, helpers, and the
web server, which calls a level and its page for each request and then sends what the page has echoed.
"""
# all of this comes with Python, and most of it is for the web server at the end
import argparse
import html
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
from urllib.parse import parse_qsl
from urllib.request import HTTPHandler, OpenerDirector, Request

NAME = "Server 1"
PORT = 8000
PATH = "/"
API_URL = "http://127.0.0.1:8001/api.php"  # PHP: localhost, which may also mean ::1, where nobody listens


def level1(request_method, post):
    """LEVEL 1: asks Server 2. (All levels get $_SERVER['REQUEST_METHOD'] and $_POST; this one needs neither.)"""
    # server and expected are not PHP's: whom we ask, and what the status has to be. If it is not, we end here
    response = file_get_contents(API_URL, server="Server 2", expected="success")
    return response


def page1(response):
    """LEVEL 1's page: what Server 2 answered."""
    echo("<h1>Server 1</h1>")
    echo("<pre>" + html.escape(response) + "</pre>")  # escape: a < in it is shown as <, and begins no tag


def level2(request_method, post):
    """LEVEL 2: sends the name in the form on to Server 2, as JSON. (The form is in page2 and page3.)"""
    response = None
    if request_method == "POST":  # PHP: $_SERVER['REQUEST_METHOD'] === 'POST'
        data = json_encode({
            "nama": post["nama"],  # PHP: $_POST['nama']
        })
        options = {
            "http": {
                "header": "Content-Type: application/json",
                "method": "POST",
                "content": data,
            },
        }
        context = stream_context_create(options)
        response = file_get_contents(API_URL, False, context, server="Server 2", expected="success")
    return response  # here PHP has ?> and the page begins


def page2(response):
    """LEVEL 2's page: the form, and what Server 2 answered. (aria-label is not in the tutorial.)"""
    echo("""
<h1>Form Kirim Data</h1>
<form method="post">
<input type="text" name="nama" placeholder="Nama" aria-label="Nama">
<button type="submit">Kirim</button>
</form>
""")
    if response:
        echo("<pre>" + html.escape(response) + "</pre>")


level3 = level2  # LEVEL 3 is new in its page only: the PHP above it stays (without (): the function itself)


def page3(response):
    """LEVEL 3's page: the same with a design. (max-width is not in the tutorial.)"""
    echo("""
<style>
body {
  font-family: Arial;
  background: #f4f7fb;
}
.box {
  width: 400px;
  max-width: calc(100% - 40px);
  margin: 50px auto;
  background: white;
  padding: 20px;
  border-radius: 10px;
}
button {
  background: blue;
  color: white;
}
</style>
<div class="box">
<h2>Input Data</h2>
<form method="post">
<input type="text" name="nama" placeholder="Nama" aria-label="Nama">
<button>Kirim</button>
</form>
""")
    if response:
        echo("<pre>" + html.escape(response) + "</pre>")
    echo("</div>")


level4 = level3  # LEVEL 4 is new in Server 2 and 3 only
page4 = page3

LEVELS = {1: level1, 2: level2, 3: level3, 4: level4}  # without (): the functions, not what they do
PAGES = {1: page1, 2: page2, 3: page3, 4: page4}


# ---- Limits ----

MAX_BODY = 1000000    # bytes of a request
MAX_REPLY = 2000000   # bytes of a reply of Server 2
MAX_SILENCE = 6       # seconds that Server 2 may be silent; it may wait 3 for Server 3 itself


# ---- PHP's functions by name. Where PHP would go on with null or false, they raise Failure. ----

# The client whose request is being answered: what is echoed for it. The web server answers several clients
# at the same time, side by side: each in a thread. local() gives each thread a CLIENT of its own
CLIENT = threading.local()


def echo(text):
    """Adds the text to the answer."""
    CLIENT.echo += text


def json_encode(data):
    """The data as JSON text without blanks, as PHP's. (PHP also puts a backslash before each /.)"""
    return json.dumps(data, separators=(",", ":"))


def stream_context_create(options):
    """The part of the options that file_get_contents needs for http."""
    return options["http"]


def file_get_contents(url, use_include_path=False, context=None, server="Server tujuan", expected="success"):
    """Sends what the context says to the URL, or a GET. Returns the text of the reply. (use_include_path is
    PHP's, and not used.)

    Unlike PHP's it looks at the reply: Failure if there is none, or if it is not JSON with the expected status.
    """
    who = f"{server} ({url})"
    if context:
        content = context["content"]
        if len(content) > MAX_BODY:
            raise Failure(413, f"Data terlalu besar untuk dikirim ke {who}.")
        name, value = context["header"].split(": ")
        request = Request(url, data=content.encode(), headers={name: value}, method=context["method"])
        say(f"memanggil: {context['method']} {url} {content}")
    else:
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


class Form(dict):
    """The fields of a form by name: PHP's $_POST."""

    def __missing__(self, field):  # called for post["x"] if there is no x, where a plain dict raises KeyError
        raise Failure(400, f"Isian {field} tidak ada di data yang dikirim.")


def parse_form(content_type, body):
    """The Form that the body of a request stands for: nama=Budi&kelas=A."""
    if content_type != "application/x-www-form-urlencoded":  # a form with files is of another type
        raise Failure(400, "Formulir yang dikirim tidak valid.")
    form = Form()
    try:
        text = body.decode()  # decode: bytes, which is what a network carries, into text
        # parse_qsl makes [("nama", "Budi"), ("kelas", "A")] of it; the options: an empty field counts,
        # and letters that are no UTF-8 are an error
        for field, value in parse_qsl(text, keep_blank_values=True, errors="strict"):
            form[field] = value
    except ValueError:
        raise Failure(400, "Formulir yang dikirim tidak valid.")
    return form


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

# stands above every page; not in the tutorial
PAGE_TOP = """<!DOCTYPE html>
<html lang="id">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Server 1</title>
<link rel="icon" href="data:,">
<style>pre { white-space: pre-wrap; overflow-wrap: break-word; }</style>
"""


class Handler(BaseHTTPRequestHandler):
    """Handles one request. (self.path and whatever else is not defined here is BaseHTTPRequestHandler's.)

    The Server below makes a Handler for each client, and it goes:

    handle -> do_GET or do_POST -> answer -> call -> read_body, then the level; and then its page
    """

    timeout = 10  # seconds that a client may be silent
    # what http.server itself sends when a request is no HTTP, or neither GET nor POST (it fills in the code):
    error_message_format = '<!DOCTYPE html><html lang="id"><title>Server 1</title><pre>Kesalahan HTTP %(code)d</pre>'

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
        """Sends the page."""
        CLIENT.echo = PAGE_TOP
        try:
            code, response = self.call()
            PAGE(response)  # set at the end of this file
            output = CLIENT.echo.encode(errors="replace")  # text into bytes; ? for half an emoji
        except BaseException:  # a mistake in this file, or exit(): show where, and go on
            for line in traceback.format_exc().splitlines():
                say(line)
            code = 500
            response = f"Program {NAME} gagal. Lihat pesan di terminalnya."
            output = (PAGE_TOP + "<pre>" + response + "</pre>").encode()
        if response:  # no line for an empty form
            say(f"menjawab: {code}")
        # by http.server's methods: the first line, the headers, a blank line; then the body
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=UTF-8")
        self.send_header("Content-Length", str(len(output)))
        self.end_headers()
        self.wfile.write(output)  # wfile: goes to the client

    def call(self):
        """Calls the level. Returns a code, and the response of the level or the sentence of a Failure."""
        try:
            body = self.read_body()
            if self.path.split("?")[0] not in (PATH, "/index.php"):
                raise Failure(404, f"Alamat tidak ditemukan di {NAME}. Gunakan http://127.0.0.1:{PORT}{PATH}.")
            if self.command == "POST" and self.headers["Sec-Fetch-Site"] == "cross-site":
                # a browser adds this header; here the form stands on a page of another site
                raise Failure(403, "Permintaan dari situs lain ditolak.")
            post = Form()
            if self.command == "POST":
                post = parse_form(self.headers.get_content_type(), body)
            response = LEVEL(self.command, post)  # PHP: $_SERVER["REQUEST_METHOD"], $_POST. LEVEL is set at the end
            if self.command == "POST" and response is None:
                raise TypeError("the level returned no response")
            return 200, response
        except Failure as failure:
            return failure.code, failure.message

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
    parser.add_argument("--api-url", metavar="URL", default=API_URL)
    arguments = parser.parse_args()
    LEVEL = LEVELS[arguments.level]  # from here on, functions see these
    PAGE = PAGES[arguments.level]
    API_URL = arguments.api_url
    # \w: a letter or digit, \d: a digit, \S: anything but a blank
    if not re.fullmatch(r"http://[\w.-]+(:\d+)?/\S*", API_URL):
        sys.exit(f"{NAME}: --api-url harus seperti http://127.0.0.1:8001/api.php.")
    if API_URL == f"http://{arguments.bind}:{arguments.port}{PATH}":  # it would call itself without end
        sys.exit(f"{NAME}: --api-url tidak boleh berisi alamat {NAME} sendiri.")
    try:
        web_server = Server((arguments.bind, arguments.port), Handler)
    except Exception as problem:  # the port is taken, or the address is not this machine's
        way_out = "Mungkin server yang lama masih berjalan: hentikan dulu, atau pakai --port lain."
        if arguments.bind != "127.0.0.1":
            way_out = "Periksa --bind. " + way_out
        sys.exit(f"{NAME}: port {arguments.port} di {arguments.bind} tidak dapat dipakai ({problem}). {way_out}")
    host, PORT = web_server.server_address  # with --port 0 it is one that was free
    say(f"siap di http://{host}:{PORT}{PATH} (level {arguments.level}, memanggil {API_URL}). Tekan Ctrl+C untuk berhenti.")
    try:
        web_server.serve_forever()
    except KeyboardInterrupt:  # Ctrl+C
        os._exit(0)  # ends at once; sys.exit() would wait for the threads
