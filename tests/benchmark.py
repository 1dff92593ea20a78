# SPDX-License-Identifier: 0BSD
"""How fast the three servers are, beside the plainest ones with the same libraries. A program, not a test.

Run:  python tests/benchmark.py     (about a minute; needs wrk)
"""
import contextlib
import html
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import common  # noqa: E402
import run_all  # noqa: E402

SCRIPT = 'wrk.method = "POST" wrk.body = "nama=Budi" wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"'


class Plain(BaseHTTPRequestHandler):
    """The plainest chain: no limits, no checks, no sentence for what goes wrong."""

    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"])).decode()
        number, following = sys.argv[1::2]
        kind, text = "application/json", json.dumps({"status": "logged"}, separators=(",", ":"))
        if number == "1":
            answer = self.call(following, {"nama": parse_qs(data)["nama"][0]})
            kind, text = "text/html", "<!DOCTYPE html><title>Server 1</title><pre>%s</pre>" % html.escape(answer)
        elif number == "2":
            self.call(following, json.loads(data))
            text = json.dumps({"status": "success", "data": json.loads(data)}, separators=(",", ":"))
        else:
            with open(following, "a") as log:
                log.write(json.dumps(json.loads(data), separators=(",", ":")) + "\n")
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def call(self, url, data):
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(data).encode())) as response:
            return response.read().decode()


@contextlib.contextmanager
def chain(folder, plain):
    """Starts the three servers, of this project or the plain ones. Gives Server 1's URL."""
    ports = dict(zip([1, 2, 3], common.free_ports(3)))
    following = {1: run_all.url(2, ports), 2: run_all.url(3, ports), 3: os.path.join(folder, f"{plain}.txt")}
    processes = []
    for number in (3, 2, 1):
        words = run_all.command(number, os.path.join(run_all.FOLDER, f"server{number}.py"), ports, 4)
        words += ["--log", following[3]] if number == 3 else []
        if plain:
            words = [os.path.abspath(__file__), number, ports[number], following[number]]
        with open(os.path.join(folder, "output"), "ab") as output:
            processes.append(common.start(*words, output=output))
        if not common.is_up(processes[-1], ports[number]):
            sys.exit(f"benchmark: {words} did not come up")
    yield run_all.url(1, ports)
    for process in processes:
        common.stop(process)


def main():
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]  # the plain chain would ask it
    with tempfile.TemporaryDirectory() as folder:
        script = os.path.join(folder, "post.lua")
        with open(script, "w") as file:
            file.write(SCRIPT)
        with chain(folder, plain=False) as ours, chain(folder, plain=True) as theirs:
            for clients in (1, 32):
                rates = {ours: [], theirs: []}
                for url in [ours, theirs] * 5:  # in turns
                    words = ["wrk", "-t1", f"-c{clients}", "-d3s", "-s", script, url]
                    printed = subprocess.check_output(words).decode()
                    if "Non-2xx" in printed or "Socket errors" in printed:
                        sys.exit(f"benchmark: names were lost:\n{printed}")
                    rates[url].append(float(re.search(r"Requests/sec: +([\d.]+)", printed).group(1)))
                rate, plain = statistics.median(rates[ours]), statistics.median(rates[theirs])
                print(f"{clients:2} clients: {rate:.0f} names a second, plain {plain:.0f}, ratio {rate / plain:.2f}")


if __name__ == "__main__":
    if len(sys.argv) == 4:  # a plain Server 1, 2 or 3, its port, and the URL of the next one, or the log file
        ThreadingHTTPServer.request_queue_size = 1024  # with the usual 5, clients wait a second for their turn
        ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Plain).serve_forever()
    else:
        main()
