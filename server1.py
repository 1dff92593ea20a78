# SPDX-License-Identifier: 0BSD
"""Server 1, the front: the tutorial's server1/index.php, one class for each listing.

Run:  python server1.py             (level 4; python server1.py --help shows the rest)
Try:  http://127.0.0.1:8000/ in a browser
"""
import argparse
import html
import json
import re
import socket
import sys
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from urllib.parse import parse_qs
from urllib.request import HTTPHandler, OpenerDirector, Request

MAX_BODY = 8000000  # bytes of a request's body, about PHP's post_max_size
TIMEOUT = 6         # seconds that Server 2 may be silent; it waits 3 for Server 3
DROPPED = (BrokenPipeError, ConnectionAbortedError, ConnectionResetError)  # cut in the middle
OPENER = OpenerDirector()  # asks no proxy, and takes an error status for an answer, as urlopen would not
OPENER.add_handler(HTTPHandler())
PAGE_TOP = """<!DOCTYPE html>
<html lang="id">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Server 1</title>
<link rel="icon" href="data:,">
<style>pre { white-space: pre-wrap; overflow-wrap: break-word; }</style>
"""


class Failure(Exception):
    """What went wrong: (status, message). Handler answers with it."""


class Handler(BaseHTTPRequestHandler):
    """http.server's handler; its own errors, and every Failure, are answered in the page."""

    timeout = 10  # seconds that a client may be silent

    def handle(self):
        try:
            super().handle()
        except Failure as failure:
            self.send_error(*failure.args)

    def parse_request(self):
        valid = super().parse_request()
        if valid and self.path.split("?")[0] not in ("/", "/index.php"):
            raise Failure(404, "Alamat tidak ditemukan di Server 1. Gunakan /.")
        return valid

    def send_error(self, code, message=None, explain=None):
        echo(self, fill(self.page, message or self.responses[code][0]), code)
        self.connection.shutdown(socket.SHUT_WR)
        while self.connection.recv(65536):
            pass  # what the client still sends: closing before its end would cut the answer off

    def log_message(self, format, *args):
        say(format % args)


class Level1(Handler):
    """LEVEL 1: asks Server 2 and shows its answer."""

    page = PAGE_TOP + """
<h1>Server 1</h1>
$response
"""

    def do_GET(self):
        response = file_get_contents(Request(self.server.api_url))
        echo(self, fill(self.page, response))


class Level2(Level1):
    """LEVEL 2: the form; sends the name on as JSON and shows what comes back."""

    page = PAGE_TOP + """
<h1>Form Kirim Data</h1>
<form method="post">
<input type="text" name="nama" placeholder="Nama" aria-label="Nama">
<button type="submit">Kirim</button>
</form>
$response
"""

    def do_GET(self):
        echo(self, fill(self.page, None))

    def do_POST(self):
        post = form_input(self, "nama")
        data = json_encode({
            "nama": post["nama"],
        })
        # to Server 2: POST /api.php {"nama":"Budi"}
        request = Request(
            self.server.api_url,
            headers={"Content-Type": "application/json"},
            method="POST",
            data=data.encode(),
        )
        response = file_get_contents(request)
        echo(self, fill(self.page, response))


class Level3(Level2):
    """LEVEL 3: the same, with the design. (Level 4 is new in Server 2 and 3 only.)"""

    page = PAGE_TOP + """
<style>
body { font-family: Arial; background: #f4f7fb; }
.box {
  width: 400px;
  max-width: calc(100% - 40px);
  margin: 50px auto;
  background: white;
  padding: 20px;
  border-radius: 10px;
}
button { background: blue; color: white; }
</style>
<div class="box">
<h2>Input Data</h2>
<form method="post">
<input type="text" name="nama" placeholder="Nama" aria-label="Nama">
<button>Kirim</button>
</form>
$response
</div>
"""


LEVELS = {1: Level1, 2: Level2, 3: Level3, 4: Level3}


def form_input(handler, *names):
    """The fields of the form with these names, as PHP's $_POST. Failure 400 or 413 if one can't be had."""
    try:
        length = int(",".join(handler.headers.get_all("Content-Length", [])))  # none, or two: ValueError
        if not 0 <= length <= MAX_BODY:
            raise Failure(413, "Data yang dikirim terlalu besar (maksimal 8.000.000 byte).")
        body = handler.rfile.read(length)
        if len(body) < length:
            raise ValueError("cut off")
        fields = parse_qs(body.decode(), keep_blank_values=True, errors="strict")
        return {name: fields[name][-1] for name in names}
    except KeyError as error:
        raise Failure(400, "Field %s tidak ada di data yang dikirim." % error.args)
    except ValueError:
        raise Failure(400, "Data yang dikirim bukan JSON yang valid.")


def json_encode(data):
    """The data as JSON, without blanks, as PHP's json_encode writes it."""
    return json.dumps(data, separators=(",", ":"))


def file_get_contents(request):
    """The text that Server 2 answers to the request; Failure 502 unless its status is "success"."""
    server = "Server 2 (%s)" % request.full_url
    problem = "Balasan dari %s tidak valid." % server
    say("calls " + server)
    try:
        with OPENER.open(request, timeout=TIMEOUT) as response:
            text = response.read().decode(errors="replace")
        answer = json.loads(text) if text.startswith("{") else {}
        if response.status >= 300:
            status = "%s membalas dengan error %d." % (server, response.status)
            problem = text if answer.get("message") else status
        elif answer.get("status") == "success":
            return text
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        reason = getattr(error, "reason", error)  # what is inside urllib's URLError
        say("%s: %s" % (server, reason))
        if isinstance(reason, socket.timeout):
            problem = "%s tidak membalas dalam %d detik." % (server, TIMEOUT)
        elif isinstance(reason, OSError) and not isinstance(reason, DROPPED):
            problem = "%s tidak dapat dihubungi. Pastikan server sudah dijalankan." % server
    raise Failure(502, problem)


def fill(page, response):
    """The page with the response in a <pre>, if there is one. What looks like markup stays text."""
    pre = "<pre>%s</pre>" % html.escape(response) if response else ""
    return page.replace("$response", pre)


def echo(handler, text, status=200):
    """Send the text as the answer: PHP's header('Content-Type: ...') and echo."""
    body = text.encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "text/html; charset=UTF-8")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def say(text):
    """Print a line, in ASCII, of 500 characters at the most, in one write."""
    print("Server 1: %.500s\n" % ascii(text)[1:-1], end="", flush=True)


class Server(ThreadingTCPServer):
    """A thread for each client. One that goes away is a line on the console, no traceback."""

    allow_reuse_address = sys.platform != "win32"  # where two servers could then share a port
    daemon_threads = True
    request_queue_size = 1024  # a class that presses Kirim together

    def handle_error(self, request, client_address):
        say("%s: %r" % (client_address[0], sys.exc_info()[1]))
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--level", type=int, choices=LEVELS, default=4)
    parser.add_argument("--bind", metavar="ADDRESS", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--api-url", metavar="URL", default="http://127.0.0.1:8001/api.php")
    options = parser.parse_args()
    if not re.fullmatch(r"http://([\w.-]+|\[[\w:]+\])(:\d+)?(/[!-~]*)?", options.api_url, re.ASCII):
        parser.error("--api-url must be like http://127.0.0.1:8001/api.php")
    try:
        with Server((options.bind, options.port), LEVELS[options.level]) as server:
            server.api_url = options.api_url
            say("http://%s:%d/ calls %s; Ctrl+C stops it" % (*server.server_address, options.api_url))
            server.serve_forever()
    except KeyboardInterrupt:
        pass
    except (OSError, OverflowError) as error:
        sys.exit("Server 1: %s:%d: %s. Try another --port or --bind." % (options.bind, options.port, error))
