# SPDX-License-Identifier: 0BSD
"""Server 2, the API: the tutorial's server2/api.php, one class for each listing.

Run:  python server2.py             (level 4; python server2.py --help shows the rest)
Try:  curl http://127.0.0.1:8001/api.php
"""
import argparse
import json
import re
import socket
import sys
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from urllib.request import HTTPHandler, OpenerDirector, Request

MAX_BODY = 8000000  # bytes of a request's body, about PHP's post_max_size
TIMEOUT = 3         # seconds that Server 3 may be silent
DROPPED = (BrokenPipeError, ConnectionAbortedError, ConnectionResetError)  # cut in the middle
OPENER = OpenerDirector()  # asks no proxy, and takes an error status for an answer, as urlopen would not
OPENER.add_handler(HTTPHandler())


class Failure(Exception):
    """What went wrong: (status, message). Handler answers with it."""


class Handler(BaseHTTPRequestHandler):
    """http.server's handler; its own errors, and every Failure, are answered in JSON."""

    timeout = 10  # seconds that a client may be silent

    def handle(self):
        try:
            super().handle()
        except Failure as failure:
            self.send_error(*failure.args)

    def parse_request(self):
        valid = super().parse_request()
        if valid and self.path.split("?")[0] != "/api.php":
            raise Failure(404, "Alamat tidak ditemukan di Server 2. Gunakan /api.php.")
        return valid

    def send_error(self, code, message=None, explain=None):
        echo(self, json_encode({"status": "error", "message": message or self.responses[code][0]}), code)
        self.connection.shutdown(socket.SHUT_WR)
        while self.connection.recv(65536):
            pass  # what the client still sends: closing before its end would cut the answer off

    def log_message(self, format, *args):
        say(format % args)


class Level1(Handler):
    """LEVEL 1: says that it is up."""

    def do_GET(self):
        echo(self, json_encode({
            "status": "success",
            "message": "Server 2 aktif",
        }))


class Level2(Level1):
    """LEVEL 2: sends back what came. (Level 3 is new in Server 1 only.)"""

    def do_POST(self):
        data = json_input(self)
        echo(self, json_encode({
            "status": "success",
            "data": data,
        }))


class Level4(Level2):
    """LEVEL 4: logs at Server 3, then sends back what came."""

    def do_POST(self):
        data = json_input(self)
        # to Server 3: POST /log.php {"nama":"Budi"}
        request = Request(
            self.server.log_url,
            headers={"Content-Type": "application/json"},
            method="POST",
            data=json_encode(data).encode(),
        )
        file_get_contents(request)
        echo(self, json_encode({
            "status": "success",
            "data": data,
        }))


LEVELS = {1: Level1, 2: Level2, 3: Level2, 4: Level4}


def json_input(handler):
    """The data that came: PHP's json_decode(file_get_contents("php://input"), true). Or Failure 400, 413."""
    try:
        length = int(",".join(handler.headers.get_all("Content-Length", [])))  # none, or two: ValueError
        if not 0 <= length <= MAX_BODY:
            raise Failure(413, "Data yang dikirim terlalu besar (maksimal 8.000.000 byte).")
        body = handler.rfile.read(length)
        if len(body) < length:
            raise ValueError("cut off")
        data = json.loads(body.decode(), parse_int=lambda n: int(n) if len(n) < 309 else float(n))
        json.dumps([data], allow_nan=False, ensure_ascii=False).encode()  # no NaN, inf, half characters
        return data
    except (ValueError, RecursionError):
        raise Failure(400, "Data yang dikirim bukan JSON yang valid.")


def json_encode(data):
    """The data as JSON, without blanks, as PHP's json_encode writes it."""
    return json.dumps(data, separators=(",", ":"))


def file_get_contents(request):
    """The text that Server 3 answers to the request; Failure 502 unless its status is "logged"."""
    server = "Server 3 (%s)" % request.full_url
    problem = "Balasan dari %s tidak valid." % server
    say("calls " + server)
    try:
        with OPENER.open(request, timeout=TIMEOUT) as response:
            text = response.read().decode(errors="replace")
        answer = json.loads(text) if text.startswith("{") else {}
        if response.status >= 300:
            problem = answer.get("message") or "%s membalas dengan error %d." % (server, response.status)
        elif answer.get("status") == "logged":
            return text
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        reason = getattr(error, "reason", error)  # what is inside urllib's URLError
        say("%s: %s" % (server, reason))
        if isinstance(reason, socket.timeout):
            problem = "%s tidak membalas dalam %d detik." % (server, TIMEOUT)
        elif isinstance(reason, OSError) and not isinstance(reason, DROPPED):
            problem = "%s tidak dapat dihubungi. Pastikan server sudah dijalankan." % server
    raise Failure(502, problem)


def echo(handler, text, status=200):
    """Send the text as the answer: PHP's header('Content-Type: ...') and echo."""
    body = text.encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def say(text):
    """Print a line, in ASCII, of 500 characters at the most, in one write."""
    print("Server 2: %.500s\n" % ascii(text)[1:-1], end="", flush=True)


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
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--log-url", metavar="URL", default="http://127.0.0.1:8002/log.php")
    options = parser.parse_args()
    if not re.fullmatch(r"http://([\w.-]+|\[[\w:]+\])(:\d+)?(/[!-~]*)?", options.log_url, re.ASCII):
        parser.error("--log-url must be like http://127.0.0.1:8002/log.php")
    try:
        with Server((options.bind, options.port), LEVELS[options.level]) as server:
            server.log_url = options.log_url
            calls = " calls " + options.log_url if options.level == 4 else ""
            say("http://%s:%d/api.php%s; Ctrl+C stops it" % (*server.server_address, calls))
            server.serve_forever()
    except KeyboardInterrupt:
        pass
    except (OSError, OverflowError) as error:
        sys.exit("Server 2: %s:%d: %s. Try another --port or --bind." % (options.bind, options.port, error))
