# SPDX-License-Identifier: 0BSD
"""Many clients, killed servers, silent and rude clients, long logs, full disks: nothing is lost or stuck."""
import json
import os
import selectors
import socket
import struct
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import run_all
from conftest import Kit, wait_until

FULL = "Server 3 tidak dapat menulis ke log.txt."


@pytest.fixture(autouse=True)
def no_traceback(kit):
    """Whatever the load, no server may print a traceback."""
    yield
    assert "Traceback" not in kit.output()


def acknowledged(kit, number, name):
    """Whether the server (Server 1: in its page) answers to the name that all is well."""
    data = json.dumps({"nama": name}, separators=(",", ":"))
    answer = kit.send(name) if number == 1 else kit.post(number, data)
    return answer == (200, '{"status":"logged"}' if number == 3 else '{"status":"success","data":%s}' % data)


def send_all(kit, clients, jobs):
    """Send the jobs, (server, name) each, from so many client threads. Returns the names not acknowledged."""
    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(lambda job: acknowledged(kit, *job), jobs))
    return [name[:20] for (_, name), answer in zip(jobs, answers) if not answer]


def not_once(kit, names):
    """What is in the log too often (1, 2, ...) and too seldom (-1): [(name, excess)]. A torn line raises."""
    logged = Counter(json.loads(line.decode())["nama"] for line in kit.lines())
    logged.subtract(names)
    return [(name[:20], excess) for name, excess in logged.items() if excess]


def request(number, name):
    """The bytes of a request to a server."""
    body = ("nama=%s" if number == 1 else '{"nama":"%s"}') % name
    head = "POST %s HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % (
        run_all.PATHS[number], len(body))
    return (head + body).encode()


def connect(kit, number):
    return socket.create_connection(("127.0.0.1", kit.ports[number]), timeout=15)


def test_3000_names_from_32_clients_are_all_logged_exactly_once(chain):
    names = ["Siti \u00e9 %d" % n for n in range(3000)]
    assert send_all(chain, 32, [(1, name) for name in names]) == []
    assert not_once(chain, names) == []


def test_long_lines_from_16_clients_are_logged_whole(chain):
    jobs = [(2 if n % 20 == 0 else 3, "%d " % n + "x" * 120000) for n in range(210)]
    assert send_all(chain, 16, jobs) == []
    assert not_once(chain, [name for _, name in jobs]) == []


def test_200_names_at_the_same_moment_are_all_acknowledged(chain):
    names = ["Siti %d" % n for n in range(200)]
    together = threading.Barrier(len(names))

    def client(name):
        together.wait(timeout=30)
        return acknowledged(chain, 1, name)

    with ThreadPoolExecutor(len(names)) as pool:
        assert Counter(pool.map(client, names)) == {True: len(names)}
    assert not_once(chain, names) == []


@pytest.mark.parametrize("number, size", [(1, 0), (2, 100000)])
def test_what_was_acknowledged_is_in_the_log_though_server_3_is_killed(chain, number, size):
    done = threading.Event()
    sent, good = [], []

    def client(me):
        turn = 0
        while not done.is_set():
            turn += 1
            head = "%d-%d " % (me, turn)
            sent.append(head)
            if acknowledged(chain, number, head + "x" * size):
                good.append(head)
            else:
                time.sleep(0.02)  # Server 3 is down

    with ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(client, me) for me in range(8)]
        try:
            for _ in range(5):
                before = len(good)
                assert wait_until(lambda: len(good) >= before + 20)
                chain.processes[3].kill()
                chain.stop(3)
                if chain.log.read_bytes().endswith(b"\n"):  # the kill left no half line: make one
                    with chain.log.open("ab") as log:
                        log.write(b'{"nama":"Si')
                chain.start(3)
            before = len(good)
            assert wait_until(lambda: len(good) >= before + 20)
        finally:
            done.set()
        for finished in clients:
            finished.result()
    logged, halves = Counter(), []
    for line in chain.lines():
        try:
            name = json.loads(line.decode())["nama"]
        except ValueError:
            halves.append(line)
        else:
            head = name.rstrip("x")
            assert len(name) == len(head) + size
            logged[head] += 1
    assert [head for head in good if logged[head] != 1] == []
    assert [head for head in logged if logged[head] != 1] == []
    assert set(logged) <= set(sent)
    assert len(halves) <= 5 and all(half.count(b"{") <= 1 for half in halves)


def check_silent_clients(kit):
    """A name goes through while silent clients are connected, and these are hung up on."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(2000, limits[0]), limits[1]))
    except (ValueError, OSError):
        pytest.skip("this machine does not let the test open 2000 sockets")
    silent = selectors.DefaultSelector()
    try:
        kit.start()  # after the limit was raised: servers inherit it
        opened = time.monotonic()
        for n in range(3 * 480):
            number = 1 + n % 3
            connection = connect(kit, number)
            silent.register(connection, selectors.EVENT_READ)
            connection.sendall((b"", b"POST", request(number, "Titi")[:-3])[n // 3 % 3])
        assert acknowledged(kit, 1, "Siti")
        assert silent.select(timeout=0) == []
        while silent.get_map() and time.monotonic() < opened + 25:
            for key, _ in silent.select(timeout=1):
                assert time.monotonic() > opened + 9
                said = key.fileobj.recv(10000)  # nothing; or the head or the rest of an answer
                assert said == b"" or b" 400 " in said or b"tidak lengkap" in said
                if said == b"":
                    silent.unregister(key.fileobj)
                    key.fileobj.close()
        assert len(silent.get_map()) == 0
        assert acknowledged(kit, 1, "Budi")
        assert not_once(kit, ["Siti", "Budi"]) == []
        assert "Traceback" not in kit.output()
    finally:
        for key in list(silent.get_map().values()):
            key.fileobj.close()
        silent.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.fixture(scope="module", autouse=True)
def silence(tmp_path_factory):
    """Future of check_silent_clients. A server waits 10 seconds for them; the other tests run meanwhile."""
    kit = Kit(tmp_path_factory.mktemp("silent"))
    try:
        with ThreadPoolExecutor(1) as pool:
            yield pool.submit(check_silent_clients, kit)
    finally:
        kit.stop()


def leave(kit, number, data, wait):
    """Send the data, if told so wait for the beginning of the answer, and cut the connection (RST)."""
    connection = connect(kit, number)
    linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.sendall(data)
    if wait:
        connection.recv(20)
    connection.close()


def test_clients_that_leave_in_mid_answer_leave_no_traceback(chain):
    for number in (1, 2, 3):
        short = request(number, "Siti")
        for data in [short, short, short[:-3], short[:20], short.replace(b" /", b" /nowhere", 1)] * 10:
            leave(chain, number, data, wait=False)
    for number in (1, 2):
        leave(chain, number, request(number, "<" * 900000), wait=True)  # much of the answer is still to come
    printed = None
    while printed != chain.output():  # until what they left behind has been handled
        printed = chain.output()
        time.sleep(0.3)
    assert acknowledged(chain, 1, "Siti")
    assert [number for number, process in chain.processes.items() if process.poll() is not None] == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc to see what a process has read")
def test_a_long_log_costs_a_request_no_more_memory_and_no_more_reading(kit):
    def measure(lines):
        """Memory at its peak and what 50 requests read from files, both in bytes."""
        kit.log.write_bytes(b'{"nama":"Budi"}\n' * lines)
        kit.start(3)
        proc = Path("/proc/%d" % kit.processes[3].pid)
        read = [int((proc / "io").read_text().split()[1])]
        for n in range(50):
            assert acknowledged(kit, 3, "Siti %d" % n)
        read.append(int((proc / "io").read_text().split()[1]))
        peak = int((proc / "status").read_text().split("VmHWM:")[1].split()[0]) * 1024
        kit.stop(3)
        return peak, read[1] - read[0]

    (peak, read), (peak_of_long, read_of_long) = measure(0), measure(1000000)  # 16 MB
    assert read_of_long < read + 50 * 1000
    assert peak_of_long < peak + 4000000


@pytest.mark.parametrize("obstacle", ["folder", "/dev/full"])
def test_a_log_that_cannot_be_written_is_said_and_a_good_one_works_at_once(kit, obstacle):
    kit.start(3, 2)
    if obstacle == "folder":
        kit.log.mkdir()
    elif sys.platform == "linux":
        import resource
        most = 2 * 10**9  # bytes; a server that reads /dev/full to its end would fill the memory
        resource.prlimit(kit.processes[3].pid, resource.RLIMIT_AS, (most, most))
        kit.log.symlink_to(obstacle)
    else:
        pytest.skip("this system has no /dev/full")
    assert kit.post(3, '{"nama":"Siti"}') == (500, '{"status":"error","message":"%s"}' % FULL)
    status, text = kit.post(2, '{"nama":"Siti"}')
    assert (status, json.loads(text)["message"]) == (502, "Server 3 (%s): %s" % (kit.url(3), FULL))
    kit.log.rmdir() if obstacle == "folder" else kit.log.unlink()
    assert acknowledged(kit, 2, "Budi")
    assert not_once(kit, ["Budi"]) == []


def test_a_disk_that_fills_up_in_mid_line_spoils_no_other_line(kit):
    resource = pytest.importorskip("resource")
    if not hasattr(resource, "prlimit"):
        pytest.skip("this system does not limit the files of a running server")
    kit.start(3)
    old = b'{"nama":"' + b"x" * 100000 + b'"}\n'
    kit.log.write_bytes(old)
    largest = resource.RLIMIT_FSIZE
    limits = resource.prlimit(kit.processes[3].pid, largest)
    resource.prlimit(kit.processes[3].pid, largest, (len(old) + 10, limits[1]))
    assert kit.post(3, '{"nama":"Siti"}') == (500, '{"status":"error","message":"%s"}' % FULL)
    resource.prlimit(kit.processes[3].pid, largest, limits)
    assert acknowledged(kit, 3, "Budi")
    assert kit.log.read_bytes() == old + b'{"nama":"S\n{"nama":"Budi"}\n'


def test_a_name_goes_through_while_silent_clients_are_connected_and_these_are_hung_up_on(silence):
    silence.result()
