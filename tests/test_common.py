# SPDX-License-Identifier: 0BSD
"""common.py: start a server process, know that it is up, pause it, stop it."""
import signal
import socket
import subprocess
import sys
import time

import pytest

from conftest import common, posix, wait_until

SHOW = "import sys; print(sys.argv, sys.path[0], __name__, __file__)"
START = "import asyncio, http.server, socket, socketserver, sys\nADDRESS = ('127.0.0.1', int(sys.argv[1]))\n"
HANDLER = """class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")
"""
SERVERS = {
    "HTTPServer": HANDLER + "http.server.HTTPServer(ADDRESS, Handler).serve_forever()",
    "ThreadingTCPServer": HANDLER + "socketserver.ThreadingTCPServer(ADDRESS, Handler).serve_forever()",
    "accept": """listener = socket.socket()
listener.bind(ADDRESS)
listener.listen(5)
while True:
    connection, _ = listener.accept()
    connection.recv(1000)
    connection.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nok")
    connection.close()
""",
    "asyncio": """async def handle(reader, writer):
    await reader.readline()
    writer.write(b"HTTP/1.0 200 OK\\r\\n\\r\\nok")
    writer.close()
loop = asyncio.SelectorEventLoop()
asyncio.set_event_loop(loop)
loop.run_until_complete(asyncio.start_server(handle, *ADDRESS))
loop.run_forever()
""",
}


@pytest.fixture
def start(tmp_path):
    """Starts a server file with this text and these options. Its output is in tmp_path. All end with the test."""
    processes = []

    def start(text, *options):
        (tmp_path / "server.py").write_bytes(text if isinstance(text, bytes) else text.encode())
        with (tmp_path / "out").open("wb") as output:
            processes.append(common.start(str(tmp_path / "server.py"), *options, output=output))
        return processes[-1]

    yield start
    common.stop(*processes)


@pytest.fixture
def printed(tmp_path):
    """Returns what the last started server printed until its end."""
    def printed(process):
        process.wait(timeout=20)
        return (tmp_path / "out").read_bytes().decode("ascii").replace("\r\n", "\n")
    return printed


def request(port):
    """A connection that has sent a request."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
    return connection


def read(connection):
    """All that is answered; None if nothing comes within half a second."""
    connection.settimeout(0.5)
    answer = b""
    try:
        while not answer.endswith(b"ok"):
            answer += connection.recv(1000)
        return answer
    except socket.timeout:
        return None


def test_a_started_file_runs_as_if_it_had_been_named_to_python(start, printed, tmp_path):
    process = start(SHOW, "--port", 8000)
    file = str(tmp_path / "server.py")
    assert printed(process) == "%s %s __main__ %s\n" % ([file, "--port", "8000"], tmp_path, file)
    assert process.returncode == 0


@pytest.mark.parametrize("text", [
    b"print('caf\xc3\xa9')", b"\xef\xbb\xbfprint('caf\xc3\xa9')\r\n", b"# coding: latin-1\nprint('caf\xe9')",
], ids=["UTF-8", "BOM and CRLF", "latin-1"])
def test_a_file_is_read_as_python_reads_it_and_its_output_is_ascii(start, printed, text):
    assert printed(start(text)) == "caf\\xe9\n"


@pytest.mark.parametrize("text, last", [
    ("def level4(:\n", "SyntaxError"),
    ("def level4():\n    return 1 / 0\nlevel4()\n", "ZeroDivisionError"),
])
def test_an_error_is_shown_as_python_shows_it(start, printed, tmp_path, text, last):
    process = start(text)
    assert last in printed(process).splitlines()[-1] and process.returncode == 1
    plain = subprocess.Popen([sys.executable, str(tmp_path / "server.py")], stderr=subprocess.PIPE)
    with plain.stderr:
        assert printed(process) == plain.stderr.read().decode().replace("\r\n", "\n")
    plain.wait()


def test_a_file_that_is_missing_is_an_error_without_our_calls(start, printed, tmp_path):
    process = common.start(str(tmp_path / "none.py"), output=subprocess.PIPE)
    with process.stdout:
        assert process.stdout.read().startswith(b"FileNotFoundError: ")
    common.stop(process)
    assert process.returncode == 1


def test_a_line_is_written_when_it_is_complete(start, printed):
    assert printed(start("import os\nprint('a', 'b')\nprint('c', end='')\nos._exit(0)")) == "a b\n"


def test_input_has_an_end_at_once(start, printed):
    assert printed(start("import sys\nprint(repr(sys.stdin.read()))")) == "''\n"


def test_a_server_can_start_a_program_without_its_input(start, printed):
    text = "import subprocess, sys\nprint(subprocess.check_output([sys.executable, '-c', 'print(input.__name__)']))"
    assert "input" in printed(start(text))


def test_a_started_file_ends_when_its_input_is_closed(start):
    process = start("import time; time.sleep(60)")
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(timeout=10) == 0


@posix
def test_a_started_file_ends_quietly_with_ctrl_c(start, printed, tmp_path):
    process = start("import time\nprint('up')\ntime.sleep(60)")
    assert wait_until(lambda: (tmp_path / "out").read_bytes())
    process.send_signal(signal.SIGINT)
    assert printed(process) == "up\n" and process.returncode == 0


def test_a_server_that_ends_before_it_is_up_is_not_up(start):
    process = start("raise SystemExit(3)")
    assert not common.is_up(process, common.free_ports(1)[0])
    common.stop(process)  # does no harm to one that has ended
    assert process.returncode == 3


def test_a_server_that_listens_and_answers_nothing_is_up(start):
    port = common.free_ports(1)[0]
    process = start(START + "listener = socket.socket()\nlistener.bind(ADDRESS)\nlistener.listen(5)\n"
                            "import time; time.sleep(60)", port)
    assert common.is_up(process, port)


@pytest.mark.parametrize("server", SERVERS)
def test_a_paused_server_takes_connections_is_silent_and_goes_on_with_what_came_meanwhile(start, server):
    port = common.free_ports(1)[0]
    process = start(START + SERVERS[server], port)
    assert common.is_up(process, port)
    with request(port) as before:
        assert read(before).endswith(b"ok")
    common.pause(process)
    assert wait_until(lambda: is_silent(port))
    with request(port) as first, request(port) as second:
        assert read(first) is None and read(second) is None
        common.resume(process)
        for connection in (first, second):
            assert wait_until(lambda: (read(connection) or b"").endswith(b"ok"))
    with request(port) as after:
        assert read(after).endswith(b"ok")


def test_a_paused_server_does_not_answer_what_it_was_about_to_answer(start, tmp_path):
    port = common.free_ports(1)[0]
    slow = "print('got'); import time; time.sleep(0.5); self.send_response(200)"
    process = start(START + SERVERS["HTTPServer"].replace("self.send_response(200)", slow), port)
    assert common.is_up(process, port)
    with request(port) as connection:
        assert wait_until(lambda: (tmp_path / "out").read_bytes().startswith(b"got"))
        common.pause(process)
        connection.settimeout(2)
        with pytest.raises(socket.timeout):
            connection.recv(1)
        common.resume(process)
        assert wait_until(lambda: (read(connection) or b"").endswith(b"ok"))


def is_silent(port):
    """Whether the server takes a connection and does not answer."""
    with request(port) as connection:
        return read(connection) is None


def test_a_paused_server_ends_when_it_is_stopped_and_one_that_has_ended_cannot_be_paused(start):
    port = common.free_ports(1)[0]
    process = start(START + SERVERS["HTTPServer"], port)
    assert common.is_up(process, port)
    common.pause(process)
    assert wait_until(lambda: is_silent(port))
    common.stop(process)
    assert process.returncode == 0
    ended = start("raise SystemExit(3)")
    ended.wait(timeout=20)
    common.pause(ended)
    common.resume(ended)
    assert ended.returncode == 3


def test_stop_ends_processes_that_do_not_heed_their_input_in_a_second():
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(3)]
    before = time.monotonic()
    common.stop(*processes)
    assert time.monotonic() - before < 2
    assert None not in [process.returncode for process in processes]


def test_free_ports_are_different_and_an_address_of_another_machine_is_an_error():
    assert len(set(common.free_ports(20))) == 20
    with pytest.raises(OSError):
        common.free_ports(1, "192.0.2.1")
