# SPDX-License-Identifier: 0BSD
"""run_all.py as its users meet it: a process, what it prints, and the servers that it starts."""
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import KIT, Kit, as_in_a_terminal, common, posix, wait_until

SENT = (200, '{"status":"success","data":{"nama":"Budi"}}')
LINE = b'{"nama":"Budi"}'  # in the log
PREPARE = {"preexec_fn": as_in_a_terminal} if os.name == "posix" else {}
NO_PROXY = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "no_proxy": ""}  # none is there

# Put before a command: it runs in a terminal; in the background of a terminal; with its input closed.
TERMINAL = [sys.executable, "-c", "import os, pty, sys; sys.exit(os.WEXITSTATUS(pty.spawn(sys.argv[1:])))"]
BACKGROUND = TERMINAL + ["sh", "-c", 'set -m; "$@" & trap "kill $!" HUP; echo pid 0 $! .; wait', "-"]
NO_INPUT = ["sh", "-c", 'exec "$@" <&-', "-"]
# Put before the text of a server file.
PID = r"import os; print(f'pid {__file__[-4]} {os.getpid()} .\n', end='')"
FLOOD = "import os; [os.write(1, (b'x' * 99 + b'%s') * 600) for _ in range(%d)]"
HOLD = "import socket; HELD = socket.create_connection(('127.0.0.1', %d))"
# Runs a program as IPython's %run does.
LIVE_ON = """import contextlib, os, runpy, signal, sys, threading, time
del sys.argv[0]
with contextlib.suppress(SystemExit):
    runpy.run_path(sys.argv[0], run_name="__main__")
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
with contextlib.suppress(ChildProcessError):  # no child is left
    sys.exit(os.waitpid(-1, os.WNOHANG))
print("selesai", flush=True)
while threading.active_count() > 1:
    time.sleep(0.02)"""


class Run(Kit):
    """run_all.py in a process of its own, and what it prints."""

    def __init__(self, folder, command, port, printed, environment=(), **options):
        super().__init__(folder)
        self.ports = {1: port, 2: port + 1, 3: port + 2}
        self.printed_to = printed
        with open(printed, "wb") as output:
            options = {"stdin": subprocess.PIPE, "stdout": output, "stderr": output, **options}
            self.process = subprocess.Popen(command, bufsize=0, cwd=str(folder.parent), **options, **PREPARE,
                                            env=dict(os.environ, PYTHONUNBUFFERED="", **dict(environment)))

    def text(self):
        """All that it has printed: never a traceback, but of a SyntaxError."""
        text = self.printed_to.read_bytes().decode("ascii", "replace").replace("\r\n", "\n")
        assert "Traceback" not in text or "SyntaxError" in text, text
        return text

    def wait_for(self, words, times=1):
        """Wait until it has printed the words, so many times. Returns itself."""
        wait_until(lambda: self.text().count(words) >= times or self.process.poll() is not None)
        assert self.text().count(words) >= times, self.text()
        return self

    def up(self):
        return self.wait_for(f"Semua server siap. Buka {self.url(1)} di browser.\n")

    def type(self, *lines, shows="", times=1):
        """Type lines, and wait until it has printed what it then shows."""
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        self.wait_for(shows, times)

    def pids(self):
        """{number: process id}, as far as it has been printed."""
        return {int(number): int(pid) for number, pid in re.findall(r"pid (\d) (\d+) \.", self.text())}

    def gone(self):
        """Whether within 2 seconds nothing takes connections at its ports any more."""
        return wait_until(lambda: not any(map(accepts, self.ports.values())), seconds=2)

    def status(self):
        """Wait for its end, and that of the servers. Returns the exit status."""
        status = self.process.wait(timeout=20)
        assert self.gone(), self.text()
        return status


def accepts(port, host="127.0.0.1"):
    """Whether something takes connections there."""
    with socket.socket() as client:
        return client.connect_ex((host, port)) == 0


# Ports that are free, as the next ones are.
PORTS = (port for port in random.sample(range(10000, 30000), 999) if not any(map(accepts, range(port, port + 5))))


def listen(host, port):
    """A program that has the port. Skips the test on a machine without the address."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        pytest.skip(f"{host}: {error}")


@pytest.fixture
def run(tmp_path):
    """Starts a copy of run_all.py from another folder, with these options. All end with the test."""
    runs = []
    folder = tmp_path / "tugas kuliah \u00e9"
    shutil.copytree(KIT, folder, ignore=shutil.ignore_patterns(".*", "tests", "*.txt"), copy_function=shutil.copyfile)

    def start(*words, code="", numbers=(), port=None, before=(), python=(), **options):
        for number in numbers:
            file = folder / f"server{number}.py"
            file.write_bytes(code.encode() + b"\n" + file.read_bytes())
        port = port or next(PORTS)
        command = [*before, sys.executable, *python, str(folder / "run_all.py"), "--port", str(port), *words]
        runs.append(Run(folder, command, port, tmp_path / f"run{len(runs)}.out", **options))
        return runs[-1]

    start.folder = folder
    yield start
    for one in runs:
        one.process.kill()
    for one in runs:
        with one.process:
            one.status()


@pytest.mark.parametrize("level, heading", [
    (1, "Server 1"), (2, "Form Kirim Data"), (3, "Input Data"), (4, "Input Data")])
def test_the_servers_of_a_level_take_the_port_and_the_next_ones_and_it_says_when_all_are_up(run, level, heading):
    last = 3 if level == 4 else 2
    with listen("127.0.0.1", 0) as listener:
        one = run("--level", str(level), code=HOLD % listener.getsockname()[1] + ".recv(1)", numbers=[last])
        with listener.accept()[0] as held:
            one.wait_for(" siap di ", times=last - 1)
            assert "run_all" not in one.text()
            held.send(b".")
            one.up().wait_for(" siap di ", times=last)
    assert one.text().count("\n") == 4 + last and re.findall(r"^run_all: (\S+ \w+)", one.text(), re.M) == [
        f"Ketik {last}", f"Ketik p{last}", "Tekan Ctrl", "Semua server"]
    assert [accepts(one.ports[1] + i) for i in range(4)] == [i < last for i in range(4)]
    assert f">{heading}</h" in one.get(1)[1]
    keys = "1, p1, 2, p2, 3, p3" if level == 4 else "1, p1, 2, p2"
    one.type("halo", last + 1, f"p{last + 1}", "p", "12", "", "1p", shows=f"Yang bisa diketik: {keys}\n", times=7)


@pytest.mark.parametrize("offset", [0, 0, 0, 1, 2])
def test_of_two_that_start_at_the_same_moment_exactly_one_is_ready(run, offset):
    port = next(PORTS)
    two = run(port=port), run(port=port + offset)
    assert wait_until(lambda: any(one.process.poll() is not None for one in two))
    refused, ready = sorted(two, key=lambda one: one.process.poll() is None)
    assert re.fullmatch(r"run_all: port \d+ tidak dapat dipakai .*\n", refused.text())
    assert refused.process.returncode == 1 and ready.up().send() == SENT


@pytest.mark.parametrize("host, offset, words, said", [
    ("127.0.0.1", 2, [], r"port \d+ tidak dapat dipakai"),
    ("::1", 1, [], r"port \d+ tidak dapat dipakai"),  # as php -S localhost
    ("127.0.0.1", 4, ["--port", "70000"], "port 70000 tidak dapat dipakai"),
    ("127.0.0.1", 4, ["--from", "none"], "tidak ada server1.py, server2.py, atau server3.py di folder none"),
    ("127.0.0.1", 4, ["--from", "."], "tidak ada server1.py, server2.py, atau server3.py di folder"),
    ("127.0.0.1", 4, [], "common.py tidak ada"),
])
def test_what_cannot_be_is_one_sentence(run, host, offset, words, said):
    if "common" in said:
        (run.folder / "common.py").unlink()
    port = next(PORTS)
    with listen(host, port + offset):
        one = run(*words, port=port)
        assert one.process.wait(timeout=20) == 1
    assert re.fullmatch(f"run_all: {said}.*\n", one.text())


@pytest.mark.parametrize("number, code, said", [
    (1, "import sys; sys.exit('selesai')", "selesai\n"), (3, "def a(:", 'server3.py", line 1\n    def a(:\n'),
])
def test_if_a_server_does_not_come_up_all_are_stopped(run, number, code, said):
    one = run(code=code, numbers=[number])
    assert one.status() == 1 and said in one.text() and "siap. Buka" not in one.text()
    assert one.text().count("common.py") <= 1
    assert f"Server {number} gagal dijalankan di port {one.ports[number]}." in one.text().splitlines()[-1]


def test_from_takes_the_files_that_are_in_the_folder(run, tmp_path):
    (tmp_path / "ani").mkdir()
    (tmp_path / "ani" / "server3.py").write_bytes(b"print('Ani')\n" + (run.folder / "server3.py").read_bytes())
    one = run("--from", "ani").up()
    assert one.send() == SENT and "Ani\n" in one.text()
    assert (tmp_path / "ani" / "log.txt").read_text() == LINE.decode() + "\n" and one.lines() == []


def test_bind_opens_server_1_alone(run):
    listen("127.0.0.2", 0).close()  # stands for the address that others see
    for words, opened in ([], [0, 0, 0]), (["--bind", "0.0.0.0"], [1, 0, 0]):
        assert [accepts(port, "127.0.0.2") for port in run(*words).up().ports.values()] == opened


@pytest.mark.parametrize("python", ["-I", "-OO"])
def test_it_runs_however_python_is_started_and_behind_a_dead_proxy(run, python):
    one = run(python=[python], environment={"PYTHONSAFEPATH": "1", **NO_PROXY}).up()
    assert one.send() == SENT and one.lines() == [LINE]


@posix
def test_a_lesson_in_a_terminal(run):
    one = run("--open", before=TERMINAL, environment={"BROWSER": "echo %s"}).up()
    assert one.wait_for(f"\n{one.url(1)}\n").send() == SENT
    text = one.wait_for("Server 1 menjawab").text()
    assert re.findall("^Server (.) (?:memanggil|menjawab)", text, re.M) == ["1", "2", "3", "2", "1"]
    one.type("p3", shows="run_all: Server 3 macet")
    before = time.monotonic()
    assert "Server 3 tidak membalas" in one.send()[1] and 2.5 < time.monotonic() - before < 6 and one.lines() == [LINE]
    one.type("P3", shows="run_all: Server 3 membalas lagi.")
    assert wait_until(lambda: one.lines() == [LINE, LINE])  # goes on with what came meanwhile
    one.type("3", shows="run_all: Server 3 dihentikan.")
    assert "Server 3 tidak dapat dihubungi" in one.send()[1]
    one.type("3", shows="Server 3 siap di", times=2)
    assert one.send() == SENT and "berhenti sendiri" not in one.text()
    one.type("p3", "3", "3", "p3", shows="run_all: Server 3 macet", times=3)
    one.type("\x03")  # Ctrl+C
    assert one.status() == 0 and one.text()
    run(port=one.ports[1]).up()  # at once


def test_a_server_that_ends_by_itself_is_reported_and_when_none_is_left_the_exit_status_is_1(run):
    one = run(code=PID, numbers=[1, 2, 3]).up()
    os.kill(one.pids()[3], signal.SIGTERM)
    one.wait_for("run_all: Server 3 berhenti sendiri. Ketik 3 lalu Enter untuk menjalankannya lagi.\n")
    assert one.send()[0] == 502
    one.type("3", shows="Server 3 siap di", times=2)
    assert one.send() == SENT
    for pid in one.pids().values():
        os.kill(pid, signal.SIGTERM)
    assert one.status() == 1 and one.text().count("berhenti sendiri") == 4


def test_1500_names_go_through_and_keys_work_while_nobody_reads(run):
    one = run(stdout=subprocess.PIPE)
    assert all(common.is_up(one.process, port) for port in one.ports.values())
    assert set(ThreadPoolExecutor(4).map(lambda _: one.send(), range(1500))) == {SENT}
    assert one.lines() == [LINE] * 1500
    one.type("3")
    assert wait_until(lambda: not accepts(one.ports[3])) and one.text() == ""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc to see how much memory a process has")
@pytest.mark.parametrize("line_end, pieces, megabytes", [(r"\n", 700, 50), (" ", 5000, 180)])
def test_a_flood_that_nobody_reads_takes_bounded_memory_and_ctrl_c_twice(run, line_end, pieces, megabytes):
    one = run(code=FLOOD % (line_end, pieces), numbers=[3], stdout=subprocess.PIPE)
    assert all(common.is_up(one.process, port) for port in one.ports.values())
    with open(f"/proc/{one.process.pid}/status") as status:
        assert int(re.search(r"VmHWM:\s*(\d+) kB", status.read()).group(1)) < megabytes * 1000
    one.process.send_signal(signal.SIGINT)
    assert one.gone()
    one.process.send_signal(signal.SIGINT)  # while it waits for somebody to read
    assert one.status() == 0 and one.text() == ""


@posix
@pytest.mark.parametrize("options", [
    {"stdin": subprocess.DEVNULL}, {"before": NO_INPUT}, {"before": BACKGROUND}, {"stdout": subprocess.PIPE},
], ids=["input is /dev/null", "input is closed", "in the background", "output is closed"])
def test_without_input_or_output_it_runs_on(run, options):
    one = run(**options)
    assert all(common.is_up(one.process, port) for port in one.ports.values())
    if one.process.stdout:
        one.process.stdout.close()
    assert [one.send() for _ in range(20)] == [SENT] * 20
    os.kill(one.pids().get(0, one.process.pid), signal.SIGINT)
    assert one.status() == 0 and "sendiri" not in one.text()


@posix
@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL", "closed terminal"])
def test_nothing_is_left_also_while_a_server_hangs(run, how):
    with listen("127.0.0.1", 0) as listener:
        one = run(code=HOLD % listener.getsockname()[1], numbers=[1, 2, 3], before=[] if "SIG" in how else TERMINAL)
        held = [listener.accept()[0] for _ in range(3)]
    one.up().type("p3", shows="run_all: Server 3 macet")
    one.process.send_signal(getattr(signal, how, signal.SIGKILL))  # SIGKILL: of the terminal
    assert one.gone() and "macet" in one.text()
    for connection in held:
        with connection:
            connection.settimeout(2)
            assert connection.recv(1) == b""  # the process has ended, too


@posix
def test_a_python_that_lives_on_afterwards_is_as_it_was(run, tmp_path):
    (tmp_path / "live_on.py").write_text(LIVE_ON)
    one = run(python=[str(tmp_path / "live_on.py")]).up()
    one.process.send_signal(signal.SIGINT)
    one.wait_for("selesai").type("1")  # is for the thread that waits for it
    assert one.status() == 0
