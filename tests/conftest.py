# SPDX-License-Identifier: 0BSD
"""What the tests share: servers on free ports, and raw requests to them."""
import ast
import os
import re
import signal
import socket
import sys
import time
import urllib.parse
from html import unescape

import pytest

KIT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, KIT)
import common  # noqa: E402
import run_all  # noqa: E402

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals, a shell or a terminal")


class Kit:
    """Servers of this project on free ports, and one log. They end with the test."""

    def __init__(self, folder):
        self.folder = folder
        self.log = folder / "log.txt"
        self.ports = dict(zip([1, 2, 3], common.free_ports(3)))
        self.files = run_all.find_files(None)
        self.processes = {}

    def start(self, *numbers, level=4):
        """Start the servers with these numbers (3, 2 and 1 if there are none) and wait until they are up."""
        numbers = numbers or (3, 2, 1)
        started = {number: self.output(number).count(" siap di ") for number in numbers}
        for number in numbers:
            words = run_all.command(number, self.files, self.ports, level, log=str(self.log))
            with open(self.printed(number), "ab") as output:
                self.processes[number] = common.start(*words, output=output)
        for number in numbers:
            assert common.is_up(self.processes[number], self.ports[number]), self.output(number)
            assert wait_until(lambda: self.output(number).count(" siap di ") > started[number]), self.output(number)
        return self

    def stop(self, *numbers):
        """End the servers with these numbers, or all of them."""
        for number in numbers or list(self.processes):
            common.stop(self.processes.pop(number))

    def printed(self, number):
        return self.folder / ("server%d.out" % number)

    def output(self, number=None):
        """What a server has printed, or all of them."""
        numbers = [number] if number else [1, 2, 3]
        return "".join(self.printed(n).read_text() for n in numbers if self.printed(n).exists())

    def url(self, number):
        return run_all.url(number, self.ports)

    def lines(self):
        """The lines of the log, as bytes, without their ends."""
        return self.log.read_bytes().split(os.linesep.encode())[:-1] if self.log.exists() else []

    def post(self, number, body):
        """(status, text) that a server answers to a body; a text for Server 1 is the name in the form."""
        if number == 1 and isinstance(body, str):
            body = urllib.parse.urlencode({"nama": body})
        return fetch(self.url(number), body.encode() if isinstance(body, str) else body)

    def get(self, number):
        return fetch(self.url(number))

    def send(self, name):
        """(status, text in <pre>) of the page that answers to a name."""
        status, page = self.post(1, name)
        return status, pre(page)

    def raw(self, number, data, end=False, timeout=15):
        """All that a server answers to these bytes. end: nothing follows them, and the server is told so."""
        with socket.create_connection(("127.0.0.1", self.ports[number]), timeout=timeout) as connection:
            try:
                connection.sendall(data)
                if end:
                    connection.shutdown(socket.SHUT_WR)
            except ConnectionError:
                pass
            answer = b""
            try:
                while True:
                    more = connection.recv(65536)
                    if not more:
                        return answer
                    answer += more
            except ConnectionError:
                return answer


def as_in_a_terminal():
    """In the new process: signals count that a pytest in the background ignores, and would hand on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def wait_until(condition, seconds=20):
    """Wait until condition() is true. Returns whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def fetch(url, body=None, timeout=15):
    """(status, text) of an answer, be it an error or not; a body is sent as a form's."""
    status, _, answer = common.ask(url, body, "application/x-www-form-urlencoded", timeout, most=10 ** 7)
    return status, answer.decode()


def parts(file):
    """{name: syntax tree} of what a file of the project defines at its top and in its classes (as Class.name)."""
    with open(os.path.join(KIT, file), encoding="utf-8") as text:
        top = ast.parse(text.read()).body
    found = {}
    for prefix, body in [("", top)] + [(node.name + ".", node.body) for node in top if isinstance(node, ast.ClassDef)]:
        for node in body:
            names = [getattr(node, "name", None)] + [getattr(target, "id", None) for target in getattr(node, "targets", [])]
            for name in filter(None, names):
                found.setdefault(prefix + name, node)
    return found


def pre(page):
    """The text that a browser shows in the <pre> of a page; None if there is none."""
    found = re.search("<pre>(.*?)</pre>", page, re.DOTALL)
    return unescape(found.group(1)) if found else None


@pytest.fixture
def kit(tmp_path):
    """A Kit with nothing started."""
    kit = Kit(tmp_path)
    yield kit
    kit.stop()


@pytest.fixture
def chain(kit):
    """A Kit with all three servers of level 4 up."""
    return kit.start()
