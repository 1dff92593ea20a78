# SPDX-License-Identifier: 0BSD
"""Partial failure: the next server is away, silent, talks nonsense, or fails. The page never says success."""
import concurrent.futures
import json
import os
import signal
import socket
import threading
import time

import pytest
from conftest import posix, pre, wait_until

UNREACHABLE = "Server %d (%s) tidak dapat dihubungi. Pastikan server sudah dijalankan."
SILENT = "Server %d (%s) tidak membalas dalam %d detik."
INVALID = "Balasan dari Server %d (%s) tidak valid."
ERROR = "Server %d (%s) membalas dengan error %d."
HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<h1>It works!</h1>"


def reply(status, body, length=None):
    return b"HTTP/1.0 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body) if length is None else length, body)


ANSWERS = [  # what another program in the place of a server sends, and what is said of it
    (b"", INVALID),
    (b"hello\r\n", INVALID),
    (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", INVALID),
    (b"\x15\x03\x01\x00\x02\x02\x46", INVALID),
    (b"HTTP/1.1 200 OK\r\n", INVALID),
    (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n{}", INVALID),
    (HTML, INVALID),
    (reply(b"200 OK", b"{}"), INVALID),
    (reply(b"200 OK", b""), INVALID),
    (reply(b"200 OK", b"[]"), INVALID),
    (reply(b"200 OK", b'"logged"'), INVALID),
    (reply(b"200 OK", b"null"), INVALID),
    (reply(b"200 OK", b'{"status":"error","message":"success"}'), INVALID),
    (reply(b"200 OK", b'{"status":["logged"]}'), INVALID),
    (reply(b"200 OK", b'{"status":"logg'), INVALID),
    (reply(b"200 OK", b'{"status":"logged"}', 100), INVALID),
    (reply(b"200 OK", b'{"status":"success","data":{}}', 100), INVALID),
    (reply(b"200 OK", b'{"a":' + b"[" * 20000), INVALID),
    (reply(b"204 No Content", b""), INVALID),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", INVALID),
    (reply(b"500 Internal Server Error", b"<h1>Error</h1>"), ERROR),
    (reply(b"500 Internal Server Error", b"<h1>\xe9</h1>"), ERROR),
    (reply(b"500 Internal Server Error", b'{"status":"error","message":null}'), ERROR),
    (reply(b"500 Internal Server Error", b'{"status":"logged"}'), ERROR),
    (reply(b"500 Internal Server Error", b'{"status":"success"}'), ERROR),
    (b"HTTP/1.0 500 X\r\nLocation: http://127.0.0.1:1/\r\n\r\n", ERROR),
]


class Impostor:
    """A program in the place of a server: takes each connection, and sends it these bytes."""

    def __init__(self, port, answer, read=True):
        self.answer, self.read = answer, read
        self.calls = 0
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen()
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.calls += 1
            with connection:
                try:
                    while self.read and not connection.recv(65536).endswith(b"}"):
                        pass
                    connection.sendall(self.answer)
                except OSError:
                    pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()


def message(kit, number, sentence, *more):
    """The sentence as it stands on the page, if the fault is at the server with this number."""
    text = sentence % ((number, kit.url(number)) + more)
    return text if number == 2 else json.dumps({"status": "error", "message": text}, separators=(",", ":"))


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


@pytest.mark.parametrize("number", [3, 2])
def test_a_server_that_is_not_started_cannot_be_reached(kit, number):
    start_without(kit, number)
    status, text, _ = send(kit)
    assert (status, text) == (502, message(kit, number, UNREACHABLE))
    assert "Connection refused" in kit.output(number - 1)
    check_that_it_is_well_again(kit, number)


@posix
@pytest.mark.parametrize("number, seconds", [(3, 3), (2, 6)])
def test_a_silent_server_is_named_after_its_seconds(kit, number, seconds):
    kit.start()
    os.kill(kit.processes[number].pid, signal.SIGSTOP)
    status, text, took = send(kit)
    assert (status, text) == (502, message(kit, number, SILENT, seconds))
    assert seconds <= took < seconds + 3
    os.kill(kit.processes[number].pid, signal.SIGCONT)
    assert kit.send("Siti")[0] == 200
    assert "Traceback" not in kit.output()


@posix
@pytest.mark.parametrize("number", [3, 2])
def test_a_server_that_is_killed_at_work_is_no_success(kit, number):
    kit.start()
    os.kill(kit.processes[number].pid, signal.SIGSTOP)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        page = pool.submit(send, kit)
        assert wait_until(lambda: "calls Server %d" % number in kit.output(number - 1), seconds=5)
        kit.processes.pop(number).kill()
        status, text, _ = page.result()
    assert status == 502  # the kill may come before the connection
    assert text in (message(kit, number, INVALID), message(kit, number, UNREACHABLE))
    check_that_it_is_well_again(kit, number)


@pytest.mark.parametrize("number", [3, 2])
def test_an_answer_that_is_none_is_no_success(kit, number):
    start_without(kit, number)
    for answer, sentence in ANSWERS:
        with Impostor(kit.ports[number], answer) as impostor:
            status, text, _ = send(kit)
        assert impostor.calls == 1  # a call that failed is not made again
        more = (500,) if sentence == ERROR else ()
        assert (answer, status, text) == (answer, 502, message(kit, number, sentence, *more))
    assert kit.lines() == []
    check_that_it_is_well_again(kit, number)


@pytest.mark.parametrize("number", [3, 2])
def test_a_server_that_takes_the_call_and_hangs_up_is_not_valid(kit, number):
    start_without(kit, number)
    with Impostor(kit.ports[number], b"", read=False):
        for name in ["Budi", "x" * 300000] * 10:  # at once, or while the name is still on its way
            status, text, _ = send(kit, name)
            assert (status, text) == (502, message(kit, number, INVALID))
    check_that_it_is_well_again(kit, number)


def test_an_error_with_a_message_of_its_own_is_passed_on(kit):
    kit.start(2, 1)
    said = 'Disk "C:\\" penuh & <b>rusak</b> \u00e9'
    with Impostor(kit.ports[3], reply(b"500 X", json.dumps({"message": said}).encode())):
        status, text, _ = send(kit)
    assert (status, json.loads(text)) == (502, {"status": "error", "message": said})


@pytest.mark.parametrize("place", ["folder", "/dev/full", "missing/log.txt"])
def test_a_log_that_cannot_be_written_is_no_success(kit, place):
    if place == "/dev/full" and not os.path.exists(place):
        pytest.skip("this system has no /dev/full")
    kit.log = kit.folder if place == "folder" else kit.folder / place
    kit.start()
    status, text, _ = send(kit)
    assert (status, json.loads(text)["message"]) == (502, "Server 3 tidak dapat menulis ke log.txt.")
    assert kit.post(3, "{}") == (500, '{"status":"error","message":"Server 3 tidak dapat menulis ke log.txt."}')
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
    assert (status, pre(page)) == (502, UNREACHABLE % (2, kit.url(2)))
    kit.start(2, level=level)
    status, page = kit.get(1) if level == 1 else kit.post(1, "Budi")
    assert (status, json.loads(pre(page))["status"]) == (200, "success")


def test_a_proxy_in_the_environment_is_not_asked(kit, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    kit.start()
    assert kit.send("Budi")[0] == 200
