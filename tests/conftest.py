# SPDX-License-Identifier: 0BSD
"""What the tests share: the three servers on free ports, requests to them, and the tutorial's PHP in their place."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from html import unescape
from urllib.request import HTTPHandler, OpenerDirector, Request

import pytest

KIT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, KIT)
import common  # noqa: E402
import run_all  # noqa: E402

FORM = "application/x-www-form-urlencoded"
OPENER = OpenerDirector()  # asks no proxy, follows no redirect, takes an error for an answer
OPENER.add_handler(HTTPHandler())
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals, a shell or a terminal")

TUTORIAL = os.environ.get("PHP_TUTORIAL")
PROGRAMS = {1: "index.php", 2: "api.php", 3: "log.php"}
needs_php = pytest.mark.skipif(
    not (TUTORIAL and shutil.which("php")),
    reason="needs the php command, and the tutorial's programs in the folder that PHP_TUTORIAL names")


class Kit:
    """Servers of this project (or PHP's) on free ports, and one log."""

    def __init__(self, folder):
        self.folder = folder
        self.log = folder / "log.txt"
        self.ports = dict(zip([1, 2, 3], common.free_ports(3)))
        self.files = {number: os.path.join(KIT, f"server{number}.py") for number in self.ports}
        self.processes = {}

    def start(self, *numbers, level=4):
        """Start the servers with these numbers (3, 2 and 1 if there are none) and wait until they say so."""
        numbers = numbers or (3, 2, 1)
        before = {number: self.output(number).count(" siap di ") for number in numbers}
        for number in numbers:
            words = run_all.command(number, self.files[number], self.ports, level)
            words += ["--log", self.log] if number == 3 else []
            with open(self.printed(number), "ab") as output:
                self.processes[number] = common.start(*words, output=output)
        for number in numbers:
            assert common.is_up(self.processes[number], self.ports[number]), self.output(number)
            assert wait_until(lambda: self.output(number).count(" siap di ") > before[number]), self.output(number)
        return self

    def start_php(self, number, level=4):
        """Start a copy of the tutorial's program, with our ports, in the folder; there Server 3 writes its log.txt."""
        with open(os.path.join(TUTORIAL, f"level{level}", f"server{number}", PROGRAMS[number])) as file:
            program = file.read()
        for other, port in self.ports.items():
            program = program.replace(f"http://localhost:{7999 + other}", f"http://127.0.0.1:{port}")
        (self.folder / PROGRAMS[number]).write_text(program)
        with open(self.printed(number), "ab") as output:
            self.processes[number] = subprocess.Popen(
                ["php", "-S", f"127.0.0.1:{self.ports[number]}", "-t", str(self.folder)], stdin=subprocess.PIPE,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        assert common.is_up(self.processes[number], self.ports[number]), self.output(number)

    def stop(self, *numbers):
        """End the servers with these numbers, or all, that run."""
        for number in set(numbers or self.processes) & set(self.processes):
            common.stop(self.processes.pop(number))

    def edit(self, number, old, new):
        """Run a copy of the server in which a text that stands in it is replaced."""
        with open(self.files[number], encoding="utf-8") as file:
            text = file.read()
        assert old in text
        self.files[number] = str(self.folder / f"server{number}.py")
        with open(self.files[number], "w", encoding="utf-8") as file:
            file.write(text.replace(old, new, 1))

    def printed(self, number):
        return self.folder / f"server{number}.out"

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
        """(code, text) that a server answers to a body; a text for Server 1 is the name in the form."""
        if number == 1 and isinstance(body, str):
            body = urllib.parse.urlencode({"nama": body})
        return fetch(self.url(number), body.encode() if isinstance(body, str) else body)

    def get(self, number):
        return fetch(self.url(number))

    def send(self, name="Budi"):
        """(code, text in <pre>) of the page that answers to a name."""
        code, page = self.post(1, name)
        assert '<input type="text" name="nama"' in page
        return code, pre(page)

    def raw(self, number, data, end=False):
        """All that a server answers to these bytes. end: nothing follows them, and the server is told so."""
        answer = b""
        with socket.create_connection(("127.0.0.1", self.ports[number]), timeout=20) as connection:
            try:
                connection.sendall(data)
                if end:
                    connection.shutdown(socket.SHUT_WR)
                for more in iter(lambda: connection.recv(65536), b""):
                    answer += more
            except ConnectionError:
                pass
        return answer


def request(number, body=b"", *headers, method="POST", path=None):
    """The bytes of a request to the server with this number. headers: in place of the right ones."""
    headers = headers or (f"Content-Type: {FORM}", f"Content-Length: {len(body)}")
    head = "\r\n".join((f"{method} {path or run_all.PATHS[number]} HTTP/1.1",) + headers)
    return head.encode("latin-1") + b"\r\n\r\n" + body


def fetch(url, body=None, timeout=20):
    """(code, text) of an answer, be it an error or not; a body is sent as a form's."""
    with OPENER.open(Request(url, body, {"Content-Type": FORM} if body is not None else {}), timeout=timeout) as reply:
        return reply.code, reply.read().decode()


def pre(page):
    """The text that a browser shows in the <pre> of a page; None if there is none."""
    found = re.search("<pre>(.*?)</pre>", page, re.DOTALL)
    return unescape(found.group(1)) if found else None


def wait_until(condition, seconds=20):
    """Wait until condition() is true. Returns whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def as_in_a_terminal():
    """In the new process: signals count that a pytest in the background ignores, and would hand on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


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


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A chain for all tests of a file that leave it as it is."""
    kit = Kit(tmp_path_factory.mktemp("shared"))
    yield kit.start()
    kit.stop()
