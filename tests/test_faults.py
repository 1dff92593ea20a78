# SPDX-License-Identifier: 0BSD
"""Partial failure: the next server is away, silent, talks nonsense, or fails. The page never says success."""
import json
import os
import re
import signal
import socketserver
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import Kit, posix, wait_until

REFUSED = r"Server {n} tidak dapat dihubungi di {url} \(.+\)\. Pastikan Server {n} sudah dijalankan\."
SILENT = r"Server {n} tidak membalas dalam {seconds} detik\. Mungkin data tetap diproses\."
WRONG = r"Server {n} tidak membalas dengan benar \(.+\)\. Mungkin data tetap diproses\."
CUT = r"Balasan Server {n} terputus\. Mungkin data tetap diproses\."
NO_OBJECT = r"Server {n} menjawab {code}, bukan objek JSON: "
ERROR = r"Server {n} menjawab {code}: "
OTHER = r"Server {n} tidak menjawab {word}, tetapi "
WORDS = {2: "success", 3: "logged"}
SECONDS = {2: 6, 3: 3}
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def reply(code, body, length=None):
    return b"HTTP/1.0 %d X\r\nContent-Length: %d\r\n\r\n%s" % (code, len(body) if length is None else length, body)


def good(number, more=b'"data":1'):
    return b'{"status":"%s",%s}' % (WORDS[number].encode(), more)


def bad_replies(number):
    """What another program in the place of a server may send, and what is said of it."""
    right = good(number)
    return [
        (b"", WRONG), (b"hello\r\n", WRONG), (b"SSH-2.0-Open\r\n", WRONG), (b"\x15\x03\x01\x00\x02\x02\x46", WRONG),
        (b"\x1b[2J\r\nServer 3 menjawab: 200\r\n\r\n", WRONG),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n{}", WRONG),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n{}", WRONG),
        (b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x; boundary*=a; boundary*1=b\r\n\r\n{}", WRONG),
        (reply(99999, right), WRONG), (CHUNKED + b"xyz\r\n", WRONG), (CHUNKED + b"5\r\nabc", WRONG),
        (reply(200, b'\xff{"status":"logged"}'), WRONG), (reply(200, b"\xff" * 500000), WRONG),
        (reply(200, good(number, b'"x":"\xff"')), WRONG),
        (reply(200, right, 100), CUT), (reply(200, right, 2**70), CUT), (reply(200, b'{"status":"logg', 100), CUT),
        (reply(200, right + b" " * 1999999), CUT), (b"HTTP/1.1 200 OK\r\n\r\n" + right + b" " * 1999999, CUT),
        (b"HTTP/1.1 200 OK\r\n", NO_OBJECT), (b"HTTP/1.1 200 OK\r\n\r\n<h1>It works!</h1>", NO_OBJECT),
        (reply(200, b""), NO_OBJECT), (reply(200, b"[]"), NO_OBJECT), (reply(200, b'"logged"'), NO_OBJECT),
        (reply(200, b'["status","logged","success"]'), NO_OBJECT), (reply(200, b"null"), NO_OBJECT),
        (reply(200, b"200"), NO_OBJECT), (reply(200, b'{"status":"logg'), NO_OBJECT), (reply(204, b""), NO_OBJECT),
        (reply(200, b'{"a":' + b"[" * 20000), NO_OBJECT), (reply(200, b"9" * 5000), NO_OBJECT),
        (reply(404, b"<h1>\xc3\xa9</h1>" * 999), NO_OBJECT),
        (reply(201, right), ERROR), (reply(500, right), ERROR), (reply(500, b'{"message":5}'), ERROR),
        (b"HTTP/1.0 302 X\r\nLocation: http://127.0.0.1:1/\r\n\r\n" + right, ERROR),
        (reply(200, b'{"status":"error","data":1}'), ERROR),
        (reply(200, b"{}"), OTHER), (reply(200, b'{"status":["logged","success"]}'), OTHER),
        (reply(200, b'{"status":"ok","x":"%s"}' % (b"x" * 9999)), OTHER), (reply(200, b'{"status":null}'), OTHER),
        (reply(200, b'{"status":"Error","message":"penuh"}'), OTHER), (reply(200, good(5 - number)), OTHER),
    ]


def good_replies(number):
    """The good reply, laid out otherwise."""
    right = good(number)
    return [
        reply(200, b"\r\n\n  " + right), reply(200, right.replace(b",", b",\r\n    ").replace(b":", b": ") + b"\r\n"),
        b"HTTP/1.0 200 OK\r\n\r\n" + right, b"HTTP/1.0 200 OK\nContent-Type: text/html\n\n" + right,
        CHUNKED + b"%x;x=y\r\n%s\r\n0\r\n\r\n" % (len(right), right),
    ]


class Impostor(socketserver.ThreadingTCPServer):
    """A program in the place of a server: reads the request (or not), waits (None: for ever), sends the pieces."""

    allow_reuse_address = os.name == "posix"

    def __init__(self, kit, number, *pieces, reads=True, pause=0):
        super().__init__(("127.0.0.1", kit.ports[number]), None)
        self.pieces, self.reads, self.pause, self.calls = pieces, reads, pause, 0
        self.gone = threading.Event()
        threading.Thread(target=self.serve_forever, args=[0.01]).start()

    def finish_request(self, connection, address):
        self.calls += 1
        self.received = b""
        while self.reads and not self.received.endswith(b"}"):
            self.received += connection.recv(65536)
        for piece in self.pieces:
            self.gone.wait(self.pause)
            connection.sendall(piece)

    def handle_error(self, connection, address):
        pass  # whoever called has gone away

    def __exit__(self, *error):
        self.gone.set()
        self.shutdown()
        super().__exit__(*error)


def expected(kit, number, sentence, code=200):
    """What the page says if the fault is at the server with this number: a regular expression."""
    text = sentence.format(n=number, url=re.escape(kit.url(number)), seconds=SECONDS[number], code=code,
                           word=WORDS[number])
    return "Server 2 menjawab 502: " + text if number == 3 else text


def start_without(kit, number):
    """Start level 4 but for the server with this number."""
    return kit.start(*[other for other in (3, 2, 1) if other != number])


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    """{number: a Kit in which the server with this number is missing}, for Impostors in its place."""
    kits = {number: start_without(Kit(tmp_path_factory.mktemp("without")), number) for number in (2, 3)}
    yield kits
    for kit in kits.values():
        kit.stop()
        assert kit.lines() == [] and "Traceback" not in kit.output()
        assert [line for line in kit.output().splitlines() if not re.match("Server [123] [ -~]{1,600}$", line)] == []


@pytest.fixture(scope="module", autouse=True)
def silent(tmp_path_factory):
    """{number: (Kit, Future of (code, text, seconds))}: the page, if a server takes a name and is silent."""
    def ask(kit):
        begin = time.monotonic()
        return kit.send() + (time.monotonic() - begin,)

    kits = {number: start_without(Kit(tmp_path_factory.mktemp("silent")), number) for number in (2, 3)}
    with ThreadPoolExecutor(2) as pool, Impostor(kits[2], 2, b"", pause=None), Impostor(kits[3], 3, b"", pause=None):
        yield {number: (kit, pool.submit(ask, kit)) for number, kit in kits.items()}
    for kit in kits.values():
        kit.stop()


each_next = pytest.mark.parametrize("number", [3, 2])


@each_next
def test_a_reply_that_is_none_is_no_success(without, number):
    for answer, sentence in bad_replies(number):
        with Impostor(without[number], number, answer) as impostor:
            code, text = without[number].send()
        assert impostor.calls == 1  # a call that failed is not made again, a redirect not followed
        status = re.match(rb"HTTP/1\.. (\d{3}) ", answer)
        pattern = expected(without[number], number, sentence, status and status.group(1).decode())
        assert code == 502 and re.match(pattern, text), (answer[:200], text)
        assert len(text) < 900 and not text.endswith("None")


@each_next
def test_a_good_reply_may_be_laid_out_otherwise(without, number):
    for answer in good_replies(number):
        with Impostor(without[number], number, answer) as impostor:
            code, text = without[number].send()
        assert b"\r\nContent-Type: application/json\r\n" in impostor.received
        assert code == 200 and json.loads(text) == {"status": "success", "data": {"nama": "Budi"} if number == 3 else 1}


@each_next
def test_an_error_with_a_message_of_its_own_reaches_the_page_as_text(without, number):
    for said in ['Disk "C:\\" & <b>rusak</b> \u00e9', "\ud800", "a\r\nb\x1b[2J", "%d %(x) {x}", "\u00e9" * 300000]:
        body = json.dumps({"status": "error", "message": said}).encode()
        with Impostor(without[number], number, reply(500, body)):
            code, text = without[number].send()
        text_without_cut = expected(without[number], number, ERROR, 500) + said.replace("\ud800", "?")
        assert code == 502 and text == text_without_cut[:len(text)]
        assert min(500, len(text_without_cut)) <= len(text) < 600


@each_next
def test_a_server_that_takes_the_call_and_hangs_up_is_named(without, number):
    with Impostor(without[number], number, reads=False):
        for name in ["Budi", "x" * 300000] * 10:  # at once, or while the name is still on its way
            code, text = without[number].send(name)
            assert code == 502 and re.fullmatch(expected(without[number], number, f"({WRONG}|{REFUSED})"), text)


@each_next
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc to see how much memory a process has")
@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n\r\n", CHUNKED + b"f" * 12 + b"\r\n",
                                   b"HTTP/1.0 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"])
def test_a_reply_without_end_costs_little_memory(without, number, start):
    def peak():
        with open(f"/proc/{without[number].processes[number - 1].pid}/status") as status:
            return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) * 1024

    before = peak()
    with Impostor(without[number], number, start, *[b"x" * 100000] * 1000):
        code, text = without[number].send()
    assert code == 502 and "success" not in text and f"Server {number} " in text
    assert peak() < before + 30000000


@pytest.mark.parametrize("number, level", [(3, 4), (2, 4), (2, 3), (2, 2)])
def test_a_server_that_is_not_started_is_named_and_used_at_once_when_it_is_back(kit, number, level):
    kit.start(*{1, 2, 3} - {number}, level=level)
    code, text = kit.send()
    assert code == 502 and re.fullmatch(expected(kit, number, REFUSED), text)
    kit.start(number, level=level)
    assert kit.send() == (200, '{"status":"success","data":{"nama":"Budi"}}')
    assert len(kit.lines()) == (level == 4) and "Traceback" not in kit.output()


@posix
@each_next
def test_a_server_that_is_killed_at_work_is_no_success(chain, number):
    os.kill(chain.processes[number].pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        page = pool.submit(chain.send)
        assert wait_until(lambda: "memanggil: POST" in chain.output(number - 1))
        chain.stop(number)
        code, text = page.result()
    assert code == 502  # the kill may come before the connection
    assert re.fullmatch(expected(chain, number, f"({WRONG}|{REFUSED})"), text)


@pytest.mark.parametrize("place", ["folder", "/dev/full", "missing/log.txt"])
def test_a_log_that_cannot_be_written_is_no_success(kit, place):
    if place == "/dev/full" and sys.platform != "linux":
        pytest.skip("this system has no /dev/full")
    kit.log = kit.folder if place == "folder" else kit.folder / place
    kit.start()
    message = "Server 3 tidak dapat menulis ke log."
    assert kit.send() == (502, "Server 2 menjawab 502: Server 3 menjawab 500: " + message)
    assert kit.post(3, "{}") == (500, '{"status":"error","message":"%s"}' % message)
    assert f"tidak dapat menulis ke {kit.log}: " in kit.output(3)


def test_half_a_line_left_by_a_kill_spoils_no_other(kit):
    for half in (b'{"nama":"Bu', b'{"nama":"Budi"}'):
        kit.log.write_bytes(b'{"nama":"Ani"}' + os.linesep.encode() + half)
        kit.start(3)
        assert kit.post(3, '{"nama":"Siti"}') == kit.post(3, '{"nama":"Eka"}') == (200, '{"status":"logged"}')
        assert kit.lines() == [b'{"nama":"Ani"}', half, b'{"nama":"Siti"}', b'{"nama":"Eka"}']
        kit.stop(3)


@each_next
def test_a_server_that_hangs_is_named_after_its_time(silent, number):
    kit, answer = silent[number]
    code, text, took = answer.result()
    assert (code, text) == (502, expected(kit, number, SILENT).replace("\\", ""))
    assert SECONDS[number] <= took < SECONDS[number] + 2.5  # with 3 s for Server 3, Server 1's 6 s are not used up
