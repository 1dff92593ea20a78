# SPDX-License-Identifier: 0BSD
"""Partial failure: the next server is away, silent, talks nonsense, or fails. The page never says success."""
import concurrent.futures
import json
import os
import re
import signal
import socket
import sys
import threading
import time

import pytest
from conftest import Kit, posix, pre, wait_until

UNREACHABLE = "Server %d (%s) tidak dapat dihubungi. Pastikan Server %d sudah dijalankan."
SILENT = "Server %d (%s) tidak membalas dalam %d detik. Mungkin data tetap diproses."
INVALID = "Balasan dari Server %d (%s) tidak valid."
OTHER_STATUS = "Server %d (%s): status-nya bukan %s"
SUCCESS = {2: "success", 3: "logged"}
SECONDS = {2: 6, 3: 3}
HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<h1>It works!</h1>"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GOOD = {2: b'{"status":"success","data":1}', 3: b'{"status":"logged","data":1}'}


def reply(status, body, length=None):
    return b"HTTP/1.0 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body) if length is None else length, body)



def bad_answers(good):
    """What another program in the place of a server may send, and what is said of it. good: what would be right."""
    return [
        (b"", INVALID),
        (b"hello\r\n", INVALID),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", INVALID),
        (b"\x15\x03\x01\x00\x02\x02\x46", INVALID),
        (b"\x1b[2J\r\nServer 3 menjawab: 200\r\n\r\n", INVALID),
        (b"HTTP/1.1 200 OK\r\n", INVALID),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n{}", INVALID),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n{}", INVALID),
        (HTML, INVALID),
        (reply(b"200 OK", b"{}"), INVALID),
        (reply(b"200 OK", b""), INVALID),
        (reply(b"200 OK", b"[]"), INVALID),
        (reply(b"200 OK", b'["status","logged","success"]'), INVALID),
        (reply(b"200 OK", b'"logged"'), INVALID),
        (reply(b"200 OK", b"null"), INVALID),
        (reply(b"200 OK", b"200"), INVALID),
        (reply(b"200 OK", b'\xff{"status":"logged"}'), INVALID),
        (reply(b"200 OK", good[:-1] + b',"x":"\xff"}'), INVALID),
        (reply(b"200 OK", b'{"status":["logged"]}'), OTHER_STATUS),
        (reply(b"200 OK", b'{"status":"ok"}'), OTHER_STATUS),
        (reply(b"200 OK", b'{"status":null}'), INVALID),
        (reply(b"200 OK", b'{"status":"error","message":""}'), OTHER_STATUS),
        (reply(b"200 OK", b'{"status":"error","message":["x"]}'), OTHER_STATUS),
        (reply(b"200 OK", b'{"status":"logg'), INVALID),
        (reply(b"200 OK", good, 100), INVALID),
        (reply(b"200 OK", good, 2**70), INVALID),
        (reply(b"200 OK", good + b" " * 1999999), INVALID),
        (reply(b"200 OK", good[:-1] + b',"x":"' + b"x" * 2000000 + b'"}'), INVALID),
        (reply(b"200 OK", b'{"a":' + b"[" * 20000), INVALID),
        (reply(b"200 OK", b"9" * 5000), INVALID),
        (reply(b"204 No Content", b""), INVALID),
        (reply(b"201 Created", good), INVALID),
        (reply(b"302 Found\r\nLocation: http://127.0.0.1:1/", good), INVALID),
        (reply(b"99999 X", good), INVALID),
        (CHUNKED + b"xyz\r\n", INVALID),
        (CHUNKED + b"-1\r\n" + good, INVALID),
        (CHUNKED + b"5\r\nabc", INVALID),
        (CHUNKED + b"f" * 12 + b"\r\n" + good, INVALID),
        (CHUNKED + b"f" * 40 + b"\r\n" + good, INVALID),
        (reply(b"500 Internal Server Error", b"<h1>Error</h1>"), INVALID),
        (reply(b"500 Internal Server Error", b"<h1>\xe9</h1>"), INVALID),
        (reply(b"500 Internal Server Error", b'{"status":"error","message":null}'), OTHER_STATUS),
        (reply(b"500 Internal Server Error", good), INVALID),
    ]


def good_answers(good):
    """The good answer, laid out otherwise."""
    return [
        reply(b"200 OK", b"\r\n\n  " + good),
        reply(b"200 OK", good.replace(b",", b",\r\n    ").replace(b":", b": ") + b"\r\n"),
        b"HTTP/1.0 200 OK\r\n\r\n" + good,
        b"HTTP/1.0 200 OK\nContent-Type: text/html\n\n" + good,
        CHUNKED + b"%x;x=y\r\n%s\r\n0\r\n\r\n" % (len(good), good),
    ]


class Impostor:
    """A program in the place of a server: takes each connection, and sends it these bytes, one piece after the other.

    number: the server's. read: whether it reads the request first.
    """

    def __init__(self, kit, number, *pieces, read=True):
        self.pieces = list(pieces)
        self.read, self.calls = read, 0
        self.gone = threading.Event()
        self.listener = socket.socket()
        if os.name == "posix":
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", kit.ports[number]))
        self.listener.listen(5)
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        while True:
            connection, _ = self.listener.accept()
            if self.gone.is_set():
                return connection.close()
            self.calls += 1
            with connection:
                try:
                    while self.read and not connection.recv(65536).endswith(b"}"):
                        pass
                    self.answer(connection)
                except OSError:
                    pass

    def answer(self, connection):
        for piece in self.pieces:
            connection.sendall(piece)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        if not self.gone.is_set():
            self.gone.set()
            socket.create_connection(self.listener.getsockname()).close()
            self.thread.join()
            self.listener.close()


class Silent(Impostor):
    """One that takes a connection and says nothing until it is gone."""

    def answer(self, connection):
        self.gone.wait()


class Endless(Impostor):
    """One that does not stop to send."""

    def answer(self, connection):
        for _ in range(100000):  # 1 GB at the most
            super().answer(connection)


def message(kit, number, sentence):
    """The sentence as it stands on the page, if the fault is at the server with this number."""
    last = {UNREACHABLE: (number,), SILENT: (SECONDS[number],), OTHER_STATUS: (SUCCESS[number],)}
    text = sentence % ((number, kit.url(number)) + last.get(sentence, ()))
    return passed_on(kit, text) if number == 3 else text


def passed_on(kit, text):
    """What the page says if Server 2 answers this."""
    return "Server 2 (%s): %s" % (kit.url(2), text)


def start_without(kit, number):
    """Start level 4 but for the server with this number."""
    return kit.start(*[other for other in (3, 2, 1) if other != number])


def check_that_it_is_well_again(kit, number):
    """Start what was missing: the next name goes through, nothing else is to be started again."""
    kit.start(number)
    assert kit.send("Siti") == (200, '{"status":"success","data":{"nama":"Siti"}}')
    assert kit.lines()[-1] == b'{"nama":"Siti"}'
    assert "Traceback" not in kit.output()


def send(kit, name="Budi"):
    """(status, text in <pre>, seconds that it took) of a page that has to have the form."""
    begin = time.monotonic()
    status, page = kit.post(1, name)
    assert '<input type="text" name="nama"' in page
    return status, pre(page), time.monotonic() - begin


@pytest.fixture(scope="module", autouse=True)
def silent(tmp_path_factory):
    """{number: (a Kit where this server is Silent, the server, Futures of pages)}. The other tests run meanwhile."""
    names = ["Budi", "x" * 900000]  # so long that the silence begins while it is on its way
    kits = {number: Kit(tmp_path_factory.mktemp("silent")) for number in SECONDS}
    servers = {}
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for number, kit in kits.items():
                start_without(kit, number)
                servers[number] = Silent(kit, number, read=False)
            yield {number: (kits[number], servers[number], [pool.submit(send, kits[number], name) for name in names])
                   for number in kits}
    finally:
        for number, kit in kits.items():
            if number in servers:
                servers[number].close()
            kit.stop()


@pytest.mark.parametrize("number", [3, 2])
def test_a_server_that_is_not_started_cannot_be_reached(kit, number):
    start_without(kit, number)
    status, text, _ = send(kit)
    assert (status, text) == (502, message(kit, number, UNREACHABLE))
    assert "Connection refused" in kit.output(number - 1)
    check_that_it_is_well_again(kit, number)


def test_a_server_that_drips_is_named(kit):
    """Its silences are short, but what comes is nothing."""
    start_without(kit, 3)

    class Dripping(Impostor):
        def answer(self, connection):
            for byte in b"HTTP/1.0 200 OK\r\n\r\n{}":
                connection.sendall(bytes([byte]))
                self.gone.wait(0.1)

    with Dripping(kit, 3):
        status, text, took = send(kit)
    assert (status, text) == (502, message(kit, 3, INVALID)) and took > 2


@posix
@pytest.mark.parametrize("number", [3, 2])
def test_a_server_that_is_killed_at_work_is_no_success(kit, number):
    kit.start()
    os.kill(kit.processes[number].pid, signal.SIGSTOP)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        page = pool.submit(send, kit)
        assert wait_until(lambda: "memanggil: POST" in kit.output(number - 1), seconds=5)
        kit.processes.pop(number).kill()
        status, text, _ = page.result()
    assert status == 502  # the kill may come before the connection
    assert text in (message(kit, number, INVALID), message(kit, number, UNREACHABLE))
    check_that_it_is_well_again(kit, number)


@pytest.mark.parametrize("number", [3, 2])
def test_an_answer_that_is_none_is_no_success(kit, number):
    start_without(kit, number)
    for answer, sentence in bad_answers(GOOD[number]):
        with Impostor(kit, number, answer) as impostor:
            status, text, _ = send(kit)
        assert impostor.calls == 1  # a call that failed is not made again
        assert (answer[:200], status, text) == (answer[:200], 502, message(kit, number, sentence))
    assert kit.lines() == []
    check_that_it_is_well_again(kit, number)
    said = [line for line in kit.output().splitlines() if not re.match("Server [123] [ -~]{1,500}$", line)]
    assert said == []


@pytest.mark.parametrize("number", [3, 2])
def test_a_good_answer_may_be_laid_out_otherwise(kit, number):
    start_without(kit, number)
    for answer in good_answers(GOOD[number]):
        with Impostor(kit, number, answer):
            status, text, _ = send(kit)
        shown = {"status": "success", "data": {"nama": "Budi"}}
        if number == 2:
            shown = json.loads(text)
            assert shown["status"] == "success"
        assert (answer, status, json.loads(text)) == (answer, 200, shown)


@pytest.mark.parametrize("number", [3, 2])
@pytest.mark.parametrize("start", [
    b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n\r\n", b'HTTP/1.0 200 OK\r\n\r\n{"status":"logged","x":"',
    b"HTTP/1.0 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", CHUNKED, CHUNKED + b"f" * 12 + b"\r\n",
    CHUNKED + b"f" * 40 + b"\r\n", CHUNKED + b"-1\r\n"])
def test_an_answer_without_end_costs_little_memory(kit, number, start):
    start_without(kit, number)
    before = peak(kit, number - 1)

    class Flood(Endless):
        def answer(self, connection):
            connection.sendall(self.pieces[0])
            del self.pieces[0]
            super().answer(connection)

    with Flood(kit, number, start, b"x" * 10000):
        status, text, _ = send(kit)
    assert (status, text) == (502, message(kit, number, INVALID))
    assert peak(kit, number - 1) < before + 30000000
    assert "Traceback" not in kit.output()


def peak(kit, number):
    """Memory of a server at its peak in bytes; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    with open("/proc/%d/status" % kit.processes[number].pid) as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) * 1024


@pytest.mark.parametrize("number", [3, 2])
def test_a_server_that_takes_the_call_and_hangs_up_is_not_valid(kit, number):
    start_without(kit, number)
    with Impostor(kit, number, b"", read=False):
        for name in ["Budi", "x" * 300000] * 10:  # at once, or while the name is still on its way
            status, text, _ = send(kit, name)
            assert (status, text) == (502, message(kit, number, INVALID))
    check_that_it_is_well_again(kit, number)


@pytest.mark.parametrize("status_line", [b"500 X", b"200 OK", b"404 X"])
def test_an_error_with_a_message_of_its_own_is_passed_on(kit, status_line):
    start_without(kit, 3)
    for said in ['Disk "C:\\" penuh & <b>rusak</b> \u00e9', "\ud800", "a\r\nb\x1b[2J", "%d %(x)"]:
        body = json.dumps({"status": "error", "message": said}).encode()
        with Impostor(kit, 3, reply(status_line, body)):
            status, text, _ = send(kit)
        said = said.replace("\ud800", "?")
        assert (status, text) == (502, passed_on(kit, "Server 3 (%s): %s" % (kit.url(3), said)))


def test_a_message_without_end_is_cut_and_the_right_server_named(kit):
    start_without(kit, 3)
    body = json.dumps({"status": "error", "message": "\u00e9" * 300000}).encode()
    with Impostor(kit, 3, reply(b"500 X", body)):
        status, text, _ = send(kit)
    assert status == 502 and text.startswith(passed_on(kit, "Server 3 (%s): \u00e9\u00e9" % kit.url(3)))
    assert 200 < len(text) < 1000


@pytest.mark.parametrize("place", ["folder", "/dev/full", "missing/log.txt"])
def test_a_log_that_cannot_be_written_is_no_success(kit, place):
    if place == "/dev/full" and sys.platform != "linux":
        pytest.skip("this system has no /dev/full")
    kit.log = kit.folder if place == "folder" else kit.folder / place
    kit.start()
    status, text, _ = send(kit)
    full = "Server 3 tidak dapat menulis ke %s." % kit.log.name
    assert (status, text) == (502, passed_on(kit, "Server 3 (%s): %s" % (kit.url(3), full)))
    assert kit.post(3, "{}") == (500, '{"status":"error","message":"%s"}' % full)
    assert "tidak dapat menulis ke %s" % kit.log in kit.output(3)
    kit.stop(3)
    kit.log = kit.folder / "log.txt"
    check_that_it_is_well_again(kit, 3)


def test_half_a_line_left_by_a_kill_spoils_no_other(kit):
    for half in (b'{"nama":"Bu', b'{"nama":"Budi"}'):
        kit.log.write_bytes(b'{"nama":"Ani"}' + os.linesep.encode() + half)
        kit.start(3)
        assert kit.post(3, '{"nama":"Siti"}') == (200, '{"status":"logged"}')
        assert kit.post(3, '{"nama":"Eka"}') == (200, '{"status":"logged"}')
        assert kit.lines() == [b'{"nama":"Ani"}', half, b'{"nama":"Siti"}', b'{"nama":"Eka"}']
        kit.stop(3)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_every_level_says_so_when_server_2_is_away(kit, level):
    kit.start(1, level=level)
    status, page = kit.get(1) if level == 1 else kit.post(1, "Budi")
    assert (status, pre(page)) == (502, UNREACHABLE % (2, kit.url(2), 2))
    kit.start(2, level=level)
    status, page = kit.get(1) if level == 1 else kit.post(1, "Budi")
    assert (status, json.loads(pre(page))["status"]) == (200, "success")


def test_a_proxy_in_the_environment_is_not_asked(kit, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    kit.start()
    assert kit.send("Budi")[0] == 200


@pytest.mark.parametrize("number", [3, 2])
def test_a_silent_server_is_named_after_its_seconds(silent, number):
    kit, silent_server, pages = silent[number]
    for page in pages:
        status, text, took = page.result()
        assert (status, text) == (502, message(kit, number, SILENT))
        assert SECONDS[number] <= took < SECONDS[number] + 3
    silent_server.close()
    check_that_it_is_well_again(kit, number)
