# SPDX-License-Identifier: 0BSD
"""How fast the three servers are, beside the plainest ones with the same libraries. A program, not a test.

Run:  python tests/benchmark.py     (about a minute; part 1 needs wrk)
"""
import contextlib
import html
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common  # noqa: E402
import run_all  # noqa: E402

FORM = "nama=Budi"
FORM_TYPE = "application/x-www-form-urlencoded"
SUCCESS = '{"status":"success","data":{"nama":"Budi"}}'
SCRIPT = """wrk.method = "POST"
wrk.body = "%s"
wrk.headers["Content-Type"] = "%s"
""" % (FORM, FORM_TYPE)


class Plain(BaseHTTPRequestHandler):
    """The plainest chain: no limits, no checks, no sentence for what goes wrong."""

    def body(self):
        return self.rfile.read(int(self.headers["Content-Length"])).decode()

    def call(self, data):
        request = urllib.request.Request(self.server.next, json.dumps(data).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as response:
            return response.read().decode()

    def answer(self, text, content_type="application/json"):
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


class Plain1(Plain):
    def do_POST(self):
        answer = self.call({"nama": parse_qs(self.body())["nama"][0]})
        self.answer("<!DOCTYPE html><title>Server 1</title><pre>%s</pre>" % html.escape(answer), "text/html")


class Plain2(Plain):
    def do_POST(self):
        data = json.loads(self.body())
        self.call(data)
        self.answer(json.dumps({"status": "success", "data": data}, separators=(",", ":")))


class Plain3(Plain):
    def do_POST(self):
        with open(self.server.next, "a") as log:
            log.write(json.dumps(json.loads(self.body()), separators=(",", ":")) + "\n")
        self.answer(json.dumps({"status": "logged"}, separators=(",", ":")))


def serve_plain(number, port, following):
    """Be the plain Server 1, 2 or 3. following: the URL of the next, or the log file."""
    ThreadingHTTPServer.request_queue_size = 1024  # with the usual 5, clients wait a second for their turn
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), [Plain1, Plain2, Plain3][int(number) - 1])
    server.next = following
    server.serve_forever()


@contextlib.contextmanager
def chain(commands, ports, folder):
    """Start {number: [file, option, ...]}, printing to files in the folder. Gives Server 1's URL."""
    processes = []
    try:
        for number, words in commands.items():
            with open(os.path.join(folder, "%d.out" % ports[number]), "wb") as output:
                processes.append(common.start(*words, output=output))
            if not common.is_up(processes[-1], ports[number]):
                sys.exit("benchmark: Server %d did not come up: %s" % (number, words))
        yield run_all.url(1, ports)
    finally:
        for process in processes:
            common.stop(process)


def kit(folder):
    """The three servers of this project."""
    ports = dict(zip([1, 2, 3], common.free_ports(3)))
    files, log = run_all.find_files(None), os.path.join(folder, "kit.txt")
    commands = {number: run_all.command(number, files, ports, 4, log=log) for number in ports}
    return chain(commands, ports, folder)


def plain(folder):
    """The three plain servers."""
    ports = dict(zip([1, 2, 3], common.free_ports(3)))
    following = {1: run_all.url(2, ports), 2: run_all.url(3, ports), 3: os.path.join(folder, "plain.txt")}
    file = os.path.abspath(__file__)
    commands = {number: [file, number, ports[number], following[number]] for number in ports}
    return chain(commands, ports, folder)


def in_turns(count, *functions):
    """So many results of each function; they are called one after the other, again and again."""
    rounds = [[function() for function in functions] for _ in range(count)]
    return zip(*rounds)


def wrk(script, connections, url):
    """(requests in a second, number of errors) that wrk counts in 3 seconds."""
    command = ["wrk", "-t1", "-c%d" % connections, "-d3s", "-s", script, url]
    printed = subprocess.check_output(command).decode()
    errors = re.findall(r"Non-2xx or 3xx responses: (\d+)", printed)
    for line in re.findall("Socket errors: .*", printed):
        errors += re.findall(r"\d+", line)
    return float(re.search(r"Requests/sec: +([\d.]+)", printed).group(1)), sum(map(int, errors))


def requests_per_second(folder):
    """Part 1: the three servers against the plain chain."""
    print("1. Requests in a second (target: as many as the plain chain)")
    script = os.path.join(folder, "post.lua")
    with open(script, "w") as file:
        file.write(SCRIPT)
    with kit(folder) as ours, plain(folder) as theirs:
        for connections in (1, 32):
            results = in_turns(5, lambda: wrk(script, connections, ours),
                               lambda: wrk(script, connections, theirs))
            (rates, errors), (plain_rates, plain_errors) = [zip(*result) for result in results]
            rate, plain_rate = statistics.median(rates), statistics.median(plain_rates)
            print("   -c%-2d  %.0f, plain %.0f, ratio %.2f; errors %d, plain %d"
                  % (connections, rate, plain_rate, rate / plain_rate, sum(errors), sum(plain_errors)),
                  flush=True)


def first_page():
    """Seconds from python run_all.py --port 0 to the page of Server 1."""
    begin = time.monotonic()
    command = [sys.executable, os.path.join(run_all.FOLDER, "run_all.py"), "--port", "0"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    found = (re.search(rb"Buka (\S+) di", line) for line in process.stdout)
    url = next(match.group(1).decode() for match in found if match)
    common.ask(url)
    seconds = time.monotonic() - begin
    process.terminate()
    process.communicate()
    while is_open(url):
        time.sleep(0.01)
    return seconds


def is_open(url):
    """Whether a server still takes connections at the URL."""
    try:
        socket.create_connection(("127.0.0.1", int(re.search(r":(\d+)/", url).group(1))), timeout=1).close()
        return True
    except OSError:
        return False


def three_interpreters():
    """Seconds for three interpreters at once that only import what a server needs."""
    begin = time.monotonic()
    command = [sys.executable, "-c", "import http.server, urllib.request"]
    for process in [subprocess.Popen(command) for _ in range(3)]:
        process.wait()
    return time.monotonic() - begin


def start_up():
    """Part 2: how long a student waits for the first page."""
    print("2. Seconds to the first page (target: within twice of three bare interpreters)")
    ours, bare = map(statistics.median, in_turns(10, first_page, three_interpreters))
    print("   run_all %.3f, three interpreters %.3f, ratio %.2f" % (ours, bare, ours / bare), flush=True)


def names_at_once(folder, count=200):
    """Part 3: a class that presses Kirim together."""
    print("3. %d names at the same moment (target: all answered, none near a second)" % count)
    seconds = []
    together = threading.Barrier(count)

    def send(url):
        together.wait()
        begin = time.monotonic()
        try:
            if SUCCESS in html.unescape(common.ask(url, FORM.encode(), FORM_TYPE)[2].decode()):
                seconds.append(time.monotonic() - begin)
        except (OSError, HTTPException):
            pass  # not answered

    with kit(folder) as url:
        threads = [threading.Thread(target=send, args=[url]) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print("   %d answered, the slowest after %.3f s" % (len(seconds), max(seconds, default=0)))


def main():
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]  # the plain chain would ask it
    with tempfile.TemporaryDirectory() as folder:
        if shutil.which("wrk"):
            requests_per_second(folder)
        start_up()
        names_at_once(folder)
    if not shutil.which("wrk"):
        sys.exit("benchmark: part 1 is left out, because wrk is not installed (apt install wrk).")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        serve_plain(*sys.argv[1:])
    else:
        main()
