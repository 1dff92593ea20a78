# SPDX-License-Identifier: 0BSD
"""Server 3, the log service: the tutorial's server3/log.php.

Run:  python server3.py             (python server3.py --help shows the rest)
Try:  curl http://127.0.0.1:8002/log.php
"""
import argparse
import json
import os
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

MAX_BODY = 8000000  # bytes of a request's body, about PHP's post_max_size
LOG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "log.txt")
PHP_EOL = os.linesep
LOCK = threading.Lock()  # held while a line is written


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
        if valid and self.path.split("?")[0] != "/log.php":
            raise Failure(404, "Alamat tidak ditemukan di Server 3. Gunakan /log.php.")
        return valid

    def send_error(self, code, message=None, explain=None):
        echo(self, json_encode({"status": "error", "message": message or self.responses[code][0]}), code)
        self.connection.shutdown(socket.SHUT_WR)
        while self.connection.recv(65536):
            pass  # what the client still sends: closing before its end would cut the answer off

    def log_message(self, format, *args):
        say(format % args)


class Level4(Handler):
    """LEVEL 4: writes the data of each request to the end of log.txt, as one line."""

    def do_GET(self):
        echo(self, json_encode({"status": "success", "message": "Server 3 aktif"}))

    def do_POST(self):
        data = json_input(self)
        file_put_contents(self.server.log, json_encode(data) + PHP_EOL)
        echo(self, json_encode({"status": "logged"}))


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


def file_put_contents(path, line):
    """Append the line, as PHP does with FILE_APPEND. Failure 500 if it can't be written whole."""
    try:
        with LOCK, open(path, "a+b") as file:
            file.seek(max(0, file.tell() - 1))  # to the last byte
            if file.read(1) not in (b"", b"\n"):  # half a line, left by a server that was killed
                line = PHP_EOL + line
            file.write(line.encode())
    except OSError as error:
        say("%s: %s" % (path, error))
        raise Failure(500, "Server 3 tidak dapat menulis ke log.txt.")


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
    print("Server 3: %.500s\n" % ascii(text)[1:-1], end="", flush=True)


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
    parser.add_argument("--bind", metavar="ADDRESS", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8002)
    parser.add_argument("--log", metavar="FILE", default=LOG)
    options = parser.parse_args()
    try:
        with Server((options.bind, options.port), Level4) as server:
            server.log = options.log
            say("http://%s:%d/log.php writes to %s; Ctrl+C stops it" % (*server.server_address, options.log))
            server.serve_forever()
    except KeyboardInterrupt:
        pass
    except (OSError, OverflowError) as error:
        sys.exit("Server 3: %s:%d: %s. Try another --port or --bind." % (options.bind, options.port, error))
