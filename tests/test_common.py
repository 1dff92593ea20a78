# SPDX-License-Identifier: 0BSD
"""common.py: start a server file as a process, know that it is up, let it hang, end it."""
import select
import signal
import socket
import subprocess

import pytest

from conftest import common, posix, wait_until

ECHO = b"""import socketserver, sys
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(self.request.recv(100))
socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()"""
HEED_NOTHING = b"""import os, signal, time
signal.signal(15, signal.SIG_IGN)
os.fork()
os.write(1, b'up\\n')
time.sleep(20)"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Starts a server file with this text and these options. All end with the test."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    processes = []
    def start(text, *options):
        (tmp_path / "server.py").write_bytes(text)
        processes.append(common.start(str(tmp_path / "server.py"), *options, output=subprocess.PIPE))
        return processes[-1]
    yield start
    for process in processes:
        common.stop(process)  # the second time, for some: that does no harm
        process.stdout.close()


def ask(port, seconds=20):
    """What the server answers; None if it takes the connection, and nothing comes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"halo")
        return connection.recv(100) if select.select([connection], [], [], seconds)[0] else None


@pytest.mark.parametrize("text, printed, status", [
    (b"print('a', 'b')\nimport os\nos._exit(0)", "a b\n", 0),  # a line is written when it is complete
    (b"import sys\nprint(repr(sys.stdin.read()))", "''\n", 0),
    (b"import sys\nprint(*sys.argv, __name__, __file__)", "{file} --port 8000 __main__ {file}\n", 0),
    (b"import beside\nprint(beside.__name__)", "beside\n", 0),
    (b"\xef\xbb\xbfprint('caf\xc3\xa9')\r\n", "caf\\xe9\n", 0),
    (b"# coding: latin-1\nprint('caf\xe9')", "caf\\xe9\n", 0),
    (b"print('caf\xe9')", "SyntaxError", 1),
])
def test_a_server_file_runs_as_python_would_run_it(start, tmp_path, text, printed, status):
    (tmp_path / "beside.py").touch()
    process = start(text, "--port", 8000)
    assert process.wait(timeout=20) == status
    assert printed.format(file=tmp_path / "server.py") in process.stdout.read().decode("ascii").replace("\r\n", "\n")


@pytest.mark.parametrize("end", ["closed input", pytest.param("Ctrl+C", marks=posix)])
def test_a_server_ends_quietly_with_its_input_or_ctrl_c(start, end):
    process = start(b"import time\nprint('up')\ntime.sleep(60)")
    assert process.stdout.readline().split() == [b"up"]
    process.stdin.close() if end == "closed input" else process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 0 and process.stdout.read() == b""


def test_a_server_hangs_is_silent_and_goes_on_with_what_came_meanwhile_and_one_that_has_ended_is_not_up(start):
    port, *others = common.free_ports(20)
    assert port not in others and len(set(others)) == 19
    process = start(ECHO, port)
    assert common.is_up(process, port) and not common.is_up(process, others[0], seconds=0.1) and ask(port) == b"halo"
    common.hang(process)
    assert wait_until(lambda: ask(port, 0.5) is None)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as meanwhile:
        meanwhile.sendall(b"halo")
        common.hang(process)
        assert meanwhile.recv(100) == b"halo" and ask(port) == b"halo"
    ended = start(b"")
    assert ended.wait(timeout=20) == 0 and not common.is_up(ended, port)  # that is another's
    common.hang(ended)
    common.hang(process)
    common.stop(process)
    assert process.returncode not in (None, 0)


@posix
def test_stop_ends_a_server_that_heeds_no_signal_and_what_it_has_started(start):
    process = start(HEED_NOTHING)
    assert process.stdout.readline() == process.stdout.readline() == b"up\n"
    common.stop(process)
    assert select.select([process.stdout], [], [], 5)[0] and process.stdout.read() == b""  # nobody has it any more
