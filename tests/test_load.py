# SPDX-License-Identifier: 0BSD
"""Many clients, killed servers, silent and rude clients, long logs, full disks: nothing is lost or stuck."""
import json
import os
import re
import selectors
import socket
import struct
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import Kit, request, wait_until


def form(number, name):
    return (f"nama={name}" if number == 1 else '{"nama":"%s"}' % name).encode()


def acknowledged(kit, number, name):
    """Whether the server (Server 1: in its page) answers to the name that all is well."""
    data = json.dumps({"nama": name}, separators=(",", ":"))
    answer = kit.send(name) if number == 1 else kit.post(number, data)
    return answer == (200, '{"status":"logged"}' if number == 3 else '{"status":"success","data":%s}' % data)


def not_once(kit, names):
    """What is in the log too often (1, 2, ...) and too seldom (-1): [(name, excess)]. A torn line raises."""
    logged = Counter(json.loads(line.decode())["nama"] for line in kit.lines())
    logged.subtract(names)
    return [(name[:20], excess) for name, excess in logged.items() if excess]


@pytest.fixture(autouse=True)
def no_traceback(kit):
    yield
    assert not re.search("Traceback|tidak dapat menjawab", kit.output())


@pytest.mark.parametrize("clients, jobs", [
    (32, [(1, f"Siti \u00e9 {n}") for n in range(3000)]),
    (16, [(2 if n % 20 == 0 else 3, f"{n} " + "x" * 120000) for n in range(210)]),
], ids=["3000 names", "210 long lines"])
def test_names_from_many_clients_are_logged_whole_and_once(chain, clients, jobs):
    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(lambda job: acknowledged(chain, *job), jobs))
    assert [name[:20] for (_, name), answer in zip(jobs, answers) if not answer] == []
    assert not_once(chain, [name for _, name in jobs]) == []


def test_200_names_at_the_same_moment_are_all_acknowledged(chain):
    names = [f"Siti {n}" for n in range(200)]
    together = threading.Barrier(len(names))

    with ThreadPoolExecutor(len(names)) as pool:
        answers = pool.map(lambda name: together.wait(timeout=30) >= 0 and acknowledged(chain, 1, name), names)
        assert list(answers) == [True] * len(names)
    assert not_once(chain, names) == []


@pytest.mark.skipif(os.name == "nt", reason="without SO_REUSEADDR a port can stay taken for a while after a kill")
@pytest.mark.parametrize("number, size", [(1, 0), (2, 100000)])
def test_what_was_acknowledged_is_in_the_log_though_server_3_is_killed(chain, number, size):
    done = threading.Event()
    sent, good = [], []

    def client(me):
        turn = 0
        while not done.is_set():
            turn += 1
            head = f"{me}-{turn} "
            sent.append(head)
            if acknowledged(chain, number, head + "x" * size):
                good.append(head)
            else:
                time.sleep(0.02)  # Server 3 is down

    def more_come():
        before = len(good)
        return wait_until(lambda: len(good) >= before + 20)

    with ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(client, me) for me in range(8)]
        try:
            for _ in range(5):
                assert more_come()
                chain.stop(3)
                if chain.log.read_bytes().endswith(b"\n"):  # the kill left no half line: make one
                    with chain.log.open("ab") as log:
                        log.write(b'{"nama":"Si')
                chain.start(3)
            assert more_come()
        finally:
            done.set()
    assert [finished.exception() for finished in clients] == [None] * 8
    logged, halves = Counter(), []
    for line in chain.lines():
        try:
            name = json.loads(line.decode())["nama"]
            assert name.count("x") == size
            logged[name.rstrip("x")] += 1
        except ValueError:
            halves.append(line)
    assert [head for head in good if logged[head] != 1] == []
    assert set(logged.values()) == {1} and set(logged) <= set(sent)
    assert len(halves) <= 5 and all(half.count(b"{") <= 1 for half in halves)


def test_clients_that_leave_in_mid_answer_leave_no_traceback(chain):
    def leave(number, data, wait):
        connection = socket.create_connection(("127.0.0.1", chain.ports[number]), timeout=15)
        linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)  # close: RST
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.sendall(data)
        if wait:
            connection.recv(20)
        connection.close()

    for number in (1, 2, 3):
        whole = request(number, form(number, "Siti"))
        for data in [whole, whole, whole[:-3], whole[:20], whole.replace(b" /", b" /nowhere", 1)] * 10:
            leave(number, data, wait=False)
    for number in (1, 2):
        leave(number, request(number, form(number, "x" * 900000)), wait=True)  # much of the answer is still to come
    for number in (1, 2, 3):  # and what they left behind has been handled
        assert wait_until(lambda: chain.output(number).count("menjawab") > 9) and acknowledged(chain, number, "Siti")


def test_a_disk_that_fills_up_in_mid_line_spoils_no_other_line(kit):
    resource = pytest.importorskip("resource")
    if not hasattr(resource, "prlimit"):
        pytest.skip("this system does not limit the files of a running server")
    kit.start(3)
    old = b'{"nama":"' + b"x" * 100000 + b'"}\n'
    kit.log.write_bytes(old)
    pid, largest = kit.processes[3].pid, resource.RLIMIT_FSIZE
    limits = resource.prlimit(pid, largest)
    resource.prlimit(pid, largest, (len(old) + 10, limits[1]))
    assert kit.post(3, '{"nama":"Siti"}')[0] == 500
    resource.prlimit(pid, largest, limits)
    assert acknowledged(kit, 3, "Budi")
    assert kit.log.read_bytes() == old + b'{"nama":"S\n{"nama":"Budi"}\n'


@pytest.fixture(scope="module", autouse=True)
def silence(tmp_path_factory):
    """Future of names_go_through_beside_silent_clients. A server waits 10 seconds; the other tests run meanwhile."""
    kit = Kit(tmp_path_factory.mktemp("silent"))
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(names_go_through_beside_silent_clients, kit)
    kit.stop()


BEGINNINGS = [lambda _: b"", lambda _: b"GET", lambda _: b"GET / HTTP/1.1\r\nHost: x\r\n",
              lambda number: request(number, form(number, "Titi"))[:-3]]


def names_go_through_beside_silent_clients(kit):
    """Names go through while 1,440 silent clients are connected, and these are hung up on."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    silent = selectors.DefaultSelector()
    answers = {}  # {connection: [what it sent: the index in BEGINNINGS, what was answered]}
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(2000, limits[0]), limits[1]))
        kit.start()  # after the limit was raised: servers inherit it
        opened = time.monotonic()
        for n in range(3 * 480):
            number = 1 + n % 3
            connection = socket.create_connection(("127.0.0.1", kit.ports[number]), timeout=15)
            silent.register(connection, selectors.EVENT_READ)
            answers[connection] = [n // 3 % 4, b""]
            connection.sendall(BEGINNINGS[n // 3 % 4](number))
        assert acknowledged(kit, 1, "Siti") and silent.select(timeout=0) == []
        while silent.get_map() and time.monotonic() < opened + 25:
            for key, _ in silent.select(timeout=1):
                assert time.monotonic() > opened + 9
                more = key.fileobj.recv(10000)
                answers[key.fileobj][1] += more
                if more == b"":
                    silent.unregister(key.fileobj)
                    key.fileobj.close()
        assert len(silent.get_map()) == 0
        told = {(kind, b"tidak lengkap" in answer, answer == b"") for kind, answer in answers.values()}
        assert told == {(0, False, True), (1, False, True), (2, False, True), (3, True, False)}
        assert acknowledged(kit, 1, "Budi") and not_once(kit, ["Siti", "Budi"]) == []
        assert "Traceback" not in kit.output()
    finally:
        for key in list(silent.get_map().values()):
            key.fileobj.close()
        silent.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_names_go_through_while_silent_clients_are_connected_and_these_are_hung_up_on(silence):
    silence.result()
