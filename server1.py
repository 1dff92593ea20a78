# SPDX-License-Identifier: 0BSD
"""Server 1, the front: the tutorial's server1/index.php, a function and a page for each level.

Run:  python server1.py             (level 4; --help shows the options; Ctrl+C stops it)
Try:  http://127.0.0.1:8000/ in a browser

From top to bottom: the levels, line by line as in PHP; PHP's functions that they call; the web server that calls them.
"""
import argparse
import json
import os
import socket
import sys
import traceback
from html import escape
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from urllib.error import URLError
from urllib.parse import parse_qsl
from urllib.request import HTTPHandler, OpenerDirector, Request

NAME = "Server 1"
PORT = 8000
PATH = "/"
API_URL = "http://127.0.0.1:8001/api.php"  # PHP: localhost, which can also mean another address, ::1


def level1(request_method, post):
    """LEVEL 1: asks Server 2. (Every level gets $_SERVER['REQUEST_METHOD'] and $_POST; this one needs neither.)"""
    # server and expected are not PHP's: whom an error names, and the status that has to come
    response = file_get_contents(API_URL, server="Server 2", expected="success")
    return response


def page1(response):
    """LEVEL 1's page: what Server 2 answered."""
    page = "<h1>Server 1</h1>"  # PHP: echo
    page += "<pre>" + escape(response) + "</pre>"  # PHP: echo; escape: < is shown, and begins no tag
    return page


def level2(request_method, post):
    """LEVEL 2: sends the name in the form to Server 2, as JSON."""
    response = None
    if request_method == "POST":  # PHP: $_SERVER['REQUEST_METHOD'] === 'POST'
        data = json_encode({
            "nama": post["nama"],  # PHP: $_POST['nama']; its <input> is in page2 and page3
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
    return response


def page2(response):
    """LEVEL 2's page: the form, and what Server 2 answered. (aria-label is not the tutorial's.)"""
    # PHP: ?> and then HTML
    page = """
<h1>Form Kirim Data</h1>
<form method="post">
<input type="text" name="nama" placeholder="Nama" aria-label="Nama">
<button type="submit">Kirim</button>
</form>
"""
    if response:  # PHP: <?php if ($response): ?>
        page += "<pre>" + escape(response) + "</pre>"  # PHP: <pre><?= $response ?></pre>
    return page


level3 = level2  # LEVEL 3 is new in its page only (without (): the function itself)


def page3(response):
    """LEVEL 3's page: the same with a design. (max-width is not the tutorial's.)"""
    # PHP: ?> and then HTML
    page = """
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
"""
    if response:  # PHP: <?php if ($response): ?>
        page += "<pre>" + escape(response) + "</pre>"  # PHP: <pre><?= $response ?></pre>
    return page + "</div>"


level4 = level3  # LEVEL 4 is new in Server 2 and 3 only
page4 = page3

LEVELS = {1: (level1, page1), 2: (level2, page2), 3: (level3, page3), 4: (level4, page4)}
# not in the tutorial: what stands above each page, and above one with an error, which is to be seen at a glance
PAGE_TOP = """<!DOCTYPE html>
<html lang="id">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Server 1</title>
<link rel="icon" href="data:,">
<style>pre { white-space: pre-wrap; overflow-wrap: break-word; }</style>
"""
ERROR_TOP = PAGE_TOP + "<style>pre { background: #b00020; color: white; padding: 8px; }</style>"

MAX_SILENCE = 6      # seconds that Server 2 may be silent; it waits 3 for Server 3 itself
MAX_REPLY = 2000000  # bytes; Server 2 has to answer less


# ---- PHP's functions, and what they need. Where PHP goes on with null or false, these raise a Failure. ----

class Failure(Exception):
    """Why there is no success: a code of HTTP, such as 404, and a sentence for the client."""

    def __init__(self, code, message):
        self.code = code
        self.message = message


class Form(dict):
    """PHP's $_POST: the fields of a form by name."""

    def __missing__(self, field):  # dict calls this for post["nama"] if there is no nama
        raise Failure(400, f"Isian {field} tidak ada di data yang dikirim.")


def parse_form(body):
    """The Form that nama=Budi&kelas=A stands for."""
    try:  # parse_qsl: [("nama", "Budi"), ("kelas", "A")]; with empty fields, too; strict: an error if it is no text
        return Form(parse_qsl(body.decode(), keep_blank_values=True, errors="strict"))
    except ValueError:
        raise Failure(400, "Formulir yang dikirim tidak valid.")


def json_encode(data):
    """JSON without blanks, as PHP writes it. (PHP also puts a backslash before each /.)"""
    return json.dumps(data, separators=(",", ":"))


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
    error_message_format = "<!DOCTYPE html><title>Server 1</title><pre>HTTP %(code)d</pre>"  # its answer to PUT, say

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        """Sends the page."""
        try:
            code, page = self.call()
        except BaseException:  # a mistake in this file, or exit(); the terminal shows where
            say("gagal:\n" + traceback.format_exc())
            code = 500
            page = ERROR_TOP + f"<pre>Program {NAME} gagal. Lihat pesan di terminalnya.</pre>"
        say(f"menjawab: {code}")
        output = page.encode(errors="replace")  # encode: text into bytes; replace: half a letter becomes a ?
        self.send_response(code)  # the first line, HTTP/1.0 200 OK; then the headers
        self.send_header("Content-Type", "text/html; charset=UTF-8")
        self.send_header("Content-Length", str(len(output)))
        self.end_headers()
        self.wfile.write(output)  # wfile: to the client

    def call(self):
        """A code of HTTP, and the page with what the level returns, or why it failed."""
        try:
            body = self.read_body()
            self.check_request()
            response = LEVEL(self.command, parse_form(body))  # LEVEL, PAGE: set at the end of this file
            if self.command == "POST" and response is None:
                raise TypeError("the level returned nothing")
            return 200, PAGE_TOP + PAGE(response)
        except Failure as failure:
            say(f"gagal: {json_encode(failure.message)[:500]}")
            return failure.code, ERROR_TOP + PAGE(failure.message)

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
        if self.path.split("?")[0] not in (PATH, "/index.php"):
            raise Failure(404, f"Alamat tidak ditemukan di {NAME}. Gunakan {PATH}.")
        if self.command == "POST" and self.headers.get_content_type() != "application/x-www-form-urlencoded":
            raise Failure(400, "Formulir yang dikirim tidak valid.")
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
    parser.add_argument("--api-url", metavar="URL", default=API_URL)
    arguments = parser.parse_args()
    LEVEL, PAGE = LEVELS[arguments.level]
    API_URL = arguments.api_url
    url = f"http://{arguments.bind}:{arguments.port}{PATH}"
    if API_URL.replace("localhost", "127.0.0.1") == url or not API_URL.startswith("http://"):  # itself; no URL
        sys.exit(f"{NAME}: --api-url harus alamat server lain, misalnya http://127.0.0.1:8001/api.php.")
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
