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

from conftest import KIT, common, fetch, posix, pre, wait_until

RUN_ALL = [sys.executable, os.path.join(KIT, "run_all.py")]
UP = "Ctrl+C ends all\n"  # ends the last line that it prints when all are up
SENT = (200, '{"status":"success","data":{"nama":"Budi"}}')
DEAD_PROXY = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "no_proxy": ""}
PRINT = "import os; os.write(1, b'%s\\n')"  # whole: print writes the end of the line separately
PRINT_PID = "import os; os.write(1, b'pid %d = %%d\\n' %% os.getpid())"
HTTP = """import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        %s
    do_GET = do_POST
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""
END_WHEN_THE_OTHERS_ARE_UP = """import socket, sys, time
port = int(sys.argv[sys.argv.index("--port") + 1])
for other in (port - 1, port + 1):
    while socket.socket().connect_ex(("127.0.0.1", other)):
        time.sleep(0.02)
sys.exit(7)
"""


def as_in_a_terminal():
    """In the new process: signals count that a pytest in the background ignores, and would hand on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Run:
    """A command in a process of its own, and the file that it prints to."""

    def __init__(self, printed, command, environment=None, **options):
        env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        env["PATH"] = os.path.dirname(sys.executable) + os.pathsep + env["PATH"]
        env.update(environment or {})
        if os.name == "posix":
            options.setdefault("preexec_fn", as_in_a_terminal)
        self.printed = printed
        self.ports = {}
        with open(str(printed), "wb") as output:
            options = dict({"stdin": subprocess.PIPE, "stdout": output}, **options)
            self.process = subprocess.Popen(command, stderr=subprocess.STDOUT, env=env, **options)

    def text(self):
        """All that it has printed: always in ASCII, never a traceback but of a student's SyntaxError."""
        text = self.printed.read_bytes().decode("ascii").replace("\r\n", "\n")
        assert "Traceback" not in text or "SyntaxError" in text
        return text

    def wait_for(self, words, times=1):
        """Wait until it has printed the words, so many times."""
        wait_until(lambda: self.text().count(words) >= times or self.process.poll() is not None)
        assert self.text().count(words) >= times, self.text()

    def up(self):
        """Wait until it says that all are up. Returns itself."""
        self.wait_for(UP)
        found = re.findall(r"^Server (\d): http://[\d.]+:(\d+)/", self.text(), re.M)
        self.ports = {int(number): int(port) for number, port in found}
        return self

    def send(self):
        """(status, text in <pre>) of the page that answers to a name."""
        status, page = fetch("http://127.0.0.1:%d/" % self.ports[1], b"nama=Budi")
        return status, pre(page)

    def kill(self, number):
        """Kill a server that has printed its process id, and wait until that is reported."""
        os.kill(int(re.search(r"pid %d = (\d+)" % number, self.text()).group(1)), signal.SIGKILL)
        self.wait_for("Server %d ended with exit status -9" % number)

    def status(self, seconds=30):
        """Wait for its end. Returns the exit status."""
        return self.process.wait(timeout=seconds)

    def end(self):
        """End it and close its pipes."""
        self.process.kill()
        self.process.wait()
        for pipe in filter(None, [self.process.stdin, self.process.stdout]):
            pipe.close()


@pytest.fixture
def run(tmp_path):
    """Starts run_all.py with its log in tmp_path, or another command. All end with the test."""
    runs = []

    def start(*words, command=None, **options):
        command = command or RUN_ALL + list(words) + ["--log", str(tmp_path / "log.txt")]
        runs.append(Run(tmp_path / ("run%d.out" % len(runs)), command, **options))
        return runs[-1]

    yield start
    for one in runs:
        one.end()
    assert gone(port for one in runs for port in one.ports.values())


def accepts(port, host="127.0.0.1"):
    """Whether something takes connections there."""
    with socket.socket() as client:
        return client.connect_ex((host, port)) == 0


def gone(ports):
    """Whether within 2 seconds nothing takes connections at the ports any more."""
    ports = list(ports)
    return wait_until(lambda: not any(accepts(port) for port in ports), seconds=2)


def three_free():
    """A port that is free, as the next two are."""
    while True:
        port = random.randrange(10000, 30000)
        if not any(accepts(port + i) for i in range(3)):
            return port


def listen(host, port):
    """A program that has the port."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.bind((host, port))
    listener.listen(128)
    return listener


def has(host):
    """Whether this machine has the address."""
    try:
        listen(host, 0).close()
        return True
    except OSError:
        return False


def kits(number, code):
    """The text of a server file that runs the code and then is the kit's."""
    path = os.path.join(KIT, "server%d.py" % number)
    return "import runpy, sys\n%s\nrunpy.run_path(%r, run_name='__main__')\n" % (code, path)


def copy_kit(folder):
    """A copy of the kit in a new folder. Returns the command that runs its run_all.py."""
    folder.mkdir()
    for name in ("server1.py", "server2.py", "server3.py", "common.py", "run_all.py"):
        shutil.copy(os.path.join(KIT, name), str(folder))
    return [sys.executable, str(folder / "run_all.py")]


# ports

@posix
def test_a_taken_port_is_named_with_a_command_that_works(run):
    cases = [("127.0.0.1", 0), ("127.0.0.1", 2), ("::1", 1)]
    taken = [(host, three_free(), i) for host, i in cases if has(host)]
    listeners = [listen(host, base + i) for host, base, i in taken]
    refused = [run("--level", "4", "--port", str(base)) for _, base, _ in taken]
    for one, (_, base, i) in zip(refused, taken):
        assert one.status() == 1
        assert one.text().count("\n") == 1 and "port %d " % (base + i) in one.text()
    command = re.search("run: (.*)", refused[0].text()).group(1)
    assert "--level 4" in command and "log.txt" in command
    assert run(command="exec " + command, shell=True).up().send() == SENT
    for listener in listeners:
        listener.close()


@pytest.mark.skipif(not has("::1"), reason="this machine has no ::1")
def test_a_port_that_becomes_free_in_a_moment_is_waited_for(run):
    base = three_free()
    with listen("::1", base) as listener:
        listener.settimeout(20)
        one = run("--port", str(base))
        for _ in range(3):  # it tries again and again
            listener.accept()[0].close()
    assert one.up().ports == {1: base, 2: base + 1, 3: base + 2}


@pytest.mark.parametrize("level, heading, servers", [
    (1, "<h1>Server 1</h1>", 2),
    (2, "<h1>Form Kirim Data</h1>", 2),
    (3, "<h2>Input Data</h2>", 2),
    (4, "<h2>Input Data</h2>", 3),
])
def test_the_servers_of_a_level_take_n_and_the_next_ones_on_loopback(run, level, heading, servers):
    base = three_free()
    with listen("127.0.0.1", base + servers):  # no room for one more
        one = run("--level", str(level), "--port", str(base)).up()
    assert one.ports == {i + 1: base + i for i in range(servers)}
    assert "Open http://127.0.0.1:%d/ " % base in one.text()
    assert heading in fetch("http://127.0.0.1:%d/" % base)[1]
    assert "%d and Enter stops Server %d" % (servers, servers) in one.text()
    assert "other machines" not in one.text() and not accepts(base, "127.0.0.2")


# up and running

def test_only_when_all_are_up_it_says_where_to_look_and_no_probe_shows(run, tmp_path):
    (tmp_path / "server3.py").write_text(kits(3, "import time; time.sleep(0.7); " + PRINT % "now"))
    one = run("--port", "0", "--from", str(tmp_path)).up()
    before, after = one.text().split("run_all: ", 1)
    assert sorted(line[:15] for line in before.splitlines()) == [
        "Server 1: http:", "Server 2: http:", "Server 3: http:", "now"]
    assert "http://127.0.0.1:%d/ " % one.ports[1] in after
    assert all(accepts(port) for port in one.ports.values())


@posix
def test_names_go_through_while_run_all_stands_still_and_then_read_1_2_3_and_back(run):
    one = run("--port", "0").up()
    start = len(one.text())
    one.process.send_signal(signal.SIGSTOP)
    for _ in range(20):
        assert one.send() == SENT
    one.process.send_signal(signal.SIGCONT)
    one.wait_for('Server 1: "POST', times=20)
    assert re.findall("^.*?:", one.text()[start:], re.M) == ["Server %d:" % n for n in (1, 2, 3, 2, 1)] * 20


@posix
def test_2000_names_go_through_while_nobody_reads_and_then_ctrl_c_ends_it(run, tmp_path):
    base = three_free()
    one = run("--port", str(base), stdout=subprocess.PIPE)
    one.ports = {1: base, 2: base + 1, 3: base + 2}
    assert all(common.is_up(one.process, port) for port in one.ports.values())
    with ThreadPoolExecutor(4) as clients:
        assert set(clients.map(lambda _: one.send(), range(2000))) == {SENT}
    assert len((tmp_path / "log.txt").read_text().splitlines()) == 2000
    one.process.send_signal(signal.SIGINT)
    one.status(seconds=2)
    assert gone(one.ports.values())
    assert b"Traceback" not in one.process.stdout.read()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_key_and_enter_stops_a_server_and_the_same_again_starts_it(run, number):
    one = run("--port", "0").up()
    os.write(one.process.stdin.fileno(), b"%d\n" % number)
    one.wait_for("Server %d is stopped" % number)
    assert gone([one.ports[number]])
    if number > 1:
        status, text = one.send()
        assert status == 502 and "Server %d (http" % number in text
    os.write(one.process.stdin.fileno(), b"%d\n" % number)
    one.wait_for("Server %d: http" % number, times=2)
    assert one.send() == SENT
    assert "ended with" not in one.text()


@posix
def test_a_server_that_ends_is_reported_with_the_command_that_starts_it_and_the_others_go_on(run, tmp_path):
    (tmp_path / "server3.py").write_text(kits(3, PRINT_PID % 3))
    one = run("--port", "0", "--from", str(tmp_path)).up()
    one.kill(3)
    assert one.send()[0] == 502
    command = re.search("Server 3 ended .* or (.*)", one.text()).group(1)
    again = run(command="exec " + command, shell=True)
    assert common.is_up(again.process, one.ports[3]) and one.send() == SENT
    assert "pid 3 = %d\n" % again.process.pid in again.text() and "log.txt" in command


@posix
def test_when_no_server_is_left_the_exit_status_is_1(run, tmp_path):
    for number in (1, 2, 3):
        (tmp_path / ("server%d.py" % number)).write_text(kits(number, PRINT_PID % number))
    one = run("--port", "0", "--from", str(tmp_path)).up()
    for number in (2, 3, 1):
        assert one.process.poll() is None
        one.kill(number)
    assert one.status() == 1


def test_a_server_that_ends_before_it_is_up_stops_all(run, tmp_path):
    (tmp_path / "server2.py").write_text(END_WHEN_THE_OTHERS_ARE_UP)
    base = three_free()
    one = run("--port", str(base), "--from", str(tmp_path))
    assert one.status() == 1
    assert "Server 2 did not come up" in one.text() and UP not in one.text()
    assert gone(range(base, base + 3))


# options

@pytest.mark.skipif(not has("127.0.0.2"), reason="this machine has no 127.0.0.2")
def test_bind_opens_server_1_alone_and_says_its_url(run):
    base = three_free()
    one = run("--port", str(base), "--bind", "127.0.0.2").up()
    assert "on other machines http://127.0.0.2:%d/\n" % base in one.text()
    assert [accepts(base + i, "127.0.0.2") for i in range(3)] == [True, False, False]
    assert [accepts(base + i, "127.0.0.1") for i in range(3)] == [False, True, True]
    assert pre(fetch("http://127.0.0.2:%d/" % base, b"nama=Budi")[1]) == SENT[1]


@pytest.mark.parametrize("given, started_in", [("tugas", "."), ("tugas/", "."), (".", "tugas")])
def test_from_takes_the_files_that_are_in_the_folder(run, tmp_path, given, started_in):
    (tmp_path / "tugas").mkdir()
    (tmp_path / "tugas" / "server3.py").write_text(kits(3, PRINT % "mine"))
    one = run("--port", "0", "--from", given, cwd=str(tmp_path / started_in)).up()
    assert "mine" in one.text().splitlines() and one.send() == SENT
    assert (tmp_path / "log.txt").read_text() == '{"nama":"Budi"}\n'


@posix
def test_open_opens_the_browser_and_does_not_wait_for_its_end(run, tmp_path):
    closed = tmp_path / "closed"
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "browser: $1"\nuntil [ -e "$CLOSED" ]; do sleep 0.1; done\n')
    browser.chmod(0o755)
    one = run("--port", "0", "--open", environment={"BROWSER": str(browser), "CLOSED": str(closed)})
    try:
        one.wait_for("browser: http://127.0.0.1:")
        assert wait_until(lambda: UP in one.text(), seconds=5)
        assert "browser: http://127.0.0.1:%d/\n" % one.up().ports[1] in one.text()
    finally:
        closed.write_text("")


@pytest.mark.parametrize("words, said", [
    (["--from", "tugas \u00e9"], "no server1.py, server2.py or server3.py"),
    (["--bind", "192.0.2.1"], "no address 192.0.2.1"),
    (["--port", "65534"], "--port"),
    (["--level", "5"], "--level"),
])
def test_an_option_that_cannot_be_met_is_a_sentence_in_ascii(run, words, said):
    one = run(*words)
    assert one.status() in (1, 2)
    assert said in one.text()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_server_file_that_is_missing_is_a_sentence(run, tmp_path, number):
    command = copy_kit(tmp_path / "kit")
    (tmp_path / "kit" / ("server%d.py" % number)).unlink()
    one = run(command=command + ["--port", "0"])
    assert one.status() == 1
    assert one.text().count("\n") == 1 and "server%d.py" % number in one.text()


# --check

@pytest.fixture(scope="module", autouse=True)
def hung(tmp_path_factory):
    """A --check of a server that hangs. It takes seconds; the other tests run meanwhile."""
    folder = tmp_path_factory.mktemp("hung")
    (folder / "server3.py").write_text(HTTP % "time.sleep(60)")
    one = Run(folder / "run.out", RUN_ALL + ["--check", "--level", "4", "--from", str(folder)])
    yield one
    one.end()


def test_check_says_what_each_server_answers_and_leaves_all_as_it_was(run, tmp_path):
    kit, mine, temporary = [tmp_path / name for name in ("tugas kuliah \u00e9", "mine", "temporary")]
    command = copy_kit(kit)
    mine.mkdir()
    temporary.mkdir()
    (kit / "log.txt").write_text("as it was")
    before = sorted(kit.rglob("*"))
    for number in (1, 2, 3):
        note_port = "open(%r, 'a').write(sys.argv[sys.argv.index('--port') + 1] + ' ')" % str(mine / "ports")
        (mine / ("server%d.py" % number)).write_text(kits(number, note_port))
    environment = dict(DEAD_PROXY, TMPDIR=str(temporary), TEMP=str(temporary), TMP=str(temporary))
    one = run(command=command + ["--check", "--from", str(mine)], environment=environment)
    assert one.status() == 0
    active = '{"status":"success","message":"Server 2 aktif"}'
    sent = '{"status":"success","data":{"nama":"Siti Nurhaliza"}}'
    said = ["Level 1", "  Server 2 answered " + active, "  Server 1 answered " + active]
    for level, server3 in [(2, []), (3, []), (4, ['  Server 3 answered {"status":"logged"}'])]:
        said += ["Level %d" % level] + server3
        said += ["  Server 2 answered " + sent, "  Server 1 answered " + sent]
    assert one.text().splitlines() == said + ["OK"]
    assert sorted(kit.rglob("*")) == before and (kit / "log.txt").read_text() == "as it was"
    assert list(temporary.iterdir()) == []
    ports = (mine / "ports").read_text().split()
    assert len(ports) == 9 and gone(int(port) for port in ports)


@pytest.mark.parametrize("number, text, bad, said", [
    (2, "def do_POST(:", [1, 2, 3, 4], "SyntaxError"),
    (1, HTTP % "self.wfile.write(b'nonsense')", [1, 2, 3, 4], "nonsense"),
    (3, kits(3, "sys.argv[sys.argv.index('--log') + 1] = %r" % os.devnull), [4], "log are []"),
    (2, kits(2, "sys.argv[sys.argv.index('--level') + 1] = '2'"), [4], "log are []"),
    (3, kits(3, "pass"), [], None),
], ids=["SyntaxError", "nonsense", "logs nothing", "has nothing logged", "good"])
def test_check_marks_an_assignment_level_by_level(run, tmp_path, number, text, bad, said):
    file = tmp_path / ("server%d.py" % number)
    file.write_text(text)
    one = run("--check", "--from", str(tmp_path))
    assert one.status() == (1 if bad else 0)
    assert one.text().splitlines()[-1] == ("FAILED" if bad else "OK")
    levels = dict(zip([1, 2, 3, 4], re.split(r"^Level \d\n", one.text(), flags=re.M)[1:]))
    assert len(levels) == 4
    assert [level for level in levels if "at fault" in levels[level]] == bad
    for level in bad:
        assert "Server %d is at fault: %s" % (number, file) in levels[level] and said in levels[level]


def test_check_of_a_level_with_a_server_that_hangs_names_it(hung):
    assert hung.status() == 1
    assert hung.text().startswith("Level 4\n") and hung.text().endswith("FAILED\n")
    assert "Server 3 is at fault: %s" % (hung.printed.parent / "server3.py") in hung.text()


# where it is started, and how it ends

def test_it_runs_in_any_folder_from_any_other_behind_a_dead_proxy(run, tmp_path):
    kit, other = tmp_path / "tugas kuliah \u00e9", tmp_path / "other"
    other.mkdir()
    one = run(command=copy_kit(kit) + ["--port", "0"], cwd=str(other), environment=DEAD_PROXY).up()
    assert one.send() == SENT
    assert (kit / "log.txt").read_text() == '{"nama":"Budi"}\n'
    assert list(other.iterdir()) == []


def test_without_common_py_it_says_so_in_one_sentence(run, tmp_path):
    shutil.copy(os.path.join(KIT, "run_all.py"), str(tmp_path))
    one = run(command=[sys.executable, str(tmp_path / "run_all.py")])
    assert one.status() == 1
    assert one.text().count("\n") == 1 and "common.py" in one.text() and "ZIP" in one.text()


def without_input():
    """In the new process: <&-."""
    as_in_a_terminal()
    os.close(0)


@posix
@pytest.mark.parametrize("stdin, prepare", [(subprocess.DEVNULL, as_in_a_terminal), (None, without_input)])
def test_with_its_input_closed_it_simply_runs(run, stdin, prepare):
    one = run("--port", "0", stdin=stdin, preexec_fn=prepare).up()
    assert one.send() == SENT
    one.wait_for('Server 1: "POST')
    one.process.send_signal(signal.SIGINT)
    one.status(seconds=2)
    assert gone(one.ports.values()) and "ended" not in one.text()


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_its_servers_end_with_it_on_a_signal(run, name):
    one = run("--port", "0").up()
    one.process.send_signal(getattr(signal, name))
    assert gone(one.ports.values())
    one.status(seconds=2)
    assert one.text().endswith(UP)


@posix
@pytest.mark.parametrize("typed", [b"\x03", None])
def test_its_servers_end_with_ctrl_c_in_a_terminal_and_with_the_terminal(run, typed):
    import fcntl
    import pty
    import termios

    def in_the_terminal():
        as_in_a_terminal()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    keyboard, terminal = pty.openpty()
    with open(keyboard, "wb", 0) as keyboard, open(terminal, "rb", 0) as terminal:
        one = run("--port", "0", stdin=terminal, start_new_session=True, preexec_fn=in_the_terminal)
        terminal.close()
        one.up()
        if typed:
            keyboard.write(typed)
            one.status(seconds=2)
    assert gone(one.ports.values())
    one.status(seconds=2)
    assert one.text().endswith(UP)
