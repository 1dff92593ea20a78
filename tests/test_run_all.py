# SPDX-License-Identifier: 0BSD
"""run_all.py as its users meet it: a process, what it prints, and the servers that it starts."""
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import KIT, as_in_a_terminal, common, fetch, posix, pre, run_all, wait_until

RUN_ALL = [sys.executable, os.path.join(KIT, "run_all.py")]
UP = "Jangan tutup terminal ini. Ctrl+C menghentikan semua server.\n"  # the last line when all are up
SENT = (200, '{"status":"success","data":{"nama":"Budi"}}')
DEAD_PROXY = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "no_proxy": ""}
PRINT = "import os; os.write(1, b'%s\\n')"  # whole: print writes the end of the line separately
PRINT_PID = "import os; os.write(1, b'pid %d = %%d\\n' %% os.getpid())"
END_WHEN_THE_OTHERS_ARE_UP = """import socket, sys, time
port = int(sys.argv[sys.argv.index("--port") + 1])
for other in (port - 1, port + 1):
    while socket.socket().connect_ex(("127.0.0.1", other)):
        time.sleep(0.02)
sys.exit(7)
"""
LEAVE_A_CHILD = """import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(%r, "w").write("%%d " %% child.pid)
"""
FLOOD = """import threading
def flood():
    for number in range(%d):
        print("banjir", "x" * 90, end=%r, flush=True)
    open(%r, "w").close()
threading.Thread(target=flood, daemon=True).start()
"""


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
            options = dict({"stdin": subprocess.PIPE, "stdout": output, "stderr": subprocess.STDOUT}, **options)
            self.process = subprocess.Popen(command, env=env, **options)

    def text(self):
        """All that it has printed: always in ASCII, never a traceback but of a student's SyntaxError."""
        text = self.printed.read_bytes().decode("ascii").replace("\r\n", "\n")
        assert "Traceback" not in text or "SyntaxError" in text
        return text

    def wait_for(self, words, times=1):
        """Wait until it has printed the words, so many times."""
        wait_until(lambda: self.text().count(words) >= times or self.process.poll() is not None)
        assert self.text().count(words) >= times, self.text()

    def lines(self, seconds=60):
        """The lines that it prints, if its output is a pipe. It is killed if it takes too many seconds."""
        timer = threading.Timer(seconds, self.process.kill)
        timer.start()
        try:
            for line in iter(self.process.stdout.readline, b""):
                yield line.decode("ascii")
        finally:
            timer.cancel()

    def up(self):
        """Wait until it says that all are up. Returns itself."""
        self.wait_for(UP)
        found = re.findall(r"^Server (\d) siap di http://[\d.]+:(\d+)/", self.text(), re.M)
        self.ports = {int(number): int(port) for number, port in found}
        return self

    def type(self, text):
        """Type the text and Enter."""
        os.write(self.process.stdin.fileno(), text.encode(errors="surrogateescape") + b"\n")

    def send(self):
        """(status, text in <pre>) of the page that answers to a name."""
        status, page = fetch("http://127.0.0.1:%d/" % self.ports[1], b"nama=Budi")
        return status, pre(page)

    def pid(self, number):
        """The process id that a server has printed."""
        return int(re.search(r"pid %d = (\d+)" % number, self.text()).group(1))

    def kill(self, number):
        """Kill a server that has printed its process id, and wait until that is reported."""
        os.kill(self.pid(number), signal.SIGKILL)
        self.wait_for("Server %d berhenti sendiri (kode keluar -9)" % number)

    def press_ctrl_c(self):
        """Do as Ctrl+C does, and see that it ends within 2 seconds, and the servers with it."""
        self.process.send_signal(signal.SIGINT)
        assert self.status(seconds=2) in (0, 130)
        assert gone(self.ports.values())

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
        client.settimeout(5)
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


def shells():
    """The shells of this machine that take a command as a text, as words for subprocess."""
    if os.name != "posix":
        return [["cmd", "/c"]]
    return [[shell, "-c"] for shell in ("bash", "zsh") if shutil.which(shell)]


def paste(run, shell, command, **options):
    """A Run of the command, pasted into a shell."""
    if os.name == "posix":
        return run(command=shell + ["exec " + command], **options)
    return run(command=" ".join(shell) + " " + command, **options)


# ports and commands

def test_a_taken_port_is_named(run):
    cases = [(host, three_free(), i) for host, i in [("127.0.0.1", 0), ("127.0.0.1", 2), ("::1", 1)] if has(host)]
    listeners = [listen(host, base + i) for host, base, i in cases]
    refused = [run("--port", str(base)) for _, base, _ in cases]  # at once, for each takes 3 seconds
    for one, (_, base, i) in zip(refused, cases):
        assert one.status() == 1
        start, sentence = one.text().splitlines()
        assert start.startswith("run_all: Menjalankan Server 1, 2, dan 3 ")
        assert sentence.startswith("run_all: Port %d tidak dapat dipakai." % (base + i))
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize("shell", shells(), ids=lambda words: words[0])
def test_the_command_for_a_taken_port_works_when_it_is_pasted_anywhere(run, tmp_path, shell):
    names = ["tugas (1) & 50% 'a' $HOME"] + (["tugas \u00e9 'a' $HOME"] if os.name == "posix" else [])
    folders = [tmp_path / name for name in names]
    options = ["--level", "4", "--from", ".", "--log", "my log.txt"]
    options += ["--bind", "127.0.0.2"] if has("127.0.0.2") else []
    base = three_free()
    with listen("127.0.0.1", base):
        refused = [run(command=copy_kit(folder) + options + ["--port", str(base)], cwd=str(folder))
                   for folder in folders]  # at once, for each takes 3 seconds
        assert [one.status() for one in refused] == [1] * len(folders)
    for folder, one in zip(folders, refused):
        command = one.text().splitlines()[1].split("jalankan perintah ini: ")[1]
        (folder / "server3.py").write_text(kits(3, "import os; os.write(1, b'pid 0 = %d\\n' % os.getppid())"))
        again = paste(run, shell, command, cwd=str(tmp_path)).up()
        try:
            host = "127.0.0.2" if has("127.0.0.2") else "127.0.0.1"
            assert pre(fetch("http://%s:%d/" % (host, again.ports[1]), b"nama=Budi")[1]) == SENT[1]
            assert (folder / "my log.txt").read_text().splitlines() == ['{"nama":"Budi"}']
        finally:
            os.kill(again.pid(0), signal.SIGTERM)  # cmd does not take it along at its end


@pytest.mark.skipif(os.name == "posix", reason="is about Windows' shells")
def test_a_python_in_a_folder_with_a_blank_is_quoted_as_cmd_and_powershell_take_it():
    path = "C:\\Users\\Budi Santoso\\python.exe"
    assert run_all.quote_program(path) == 'C:\\Users\\"Budi Santoso"\\python.exe'


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
    assert "Buka http://127.0.0.1:%d/ di browser" % base in one.text()
    assert heading in fetch("http://127.0.0.1:%d/" % base)[1]
    assert "Ketik %d lalu tekan Enter untuk menghentikan Server %d;" % (servers, servers) in one.text()
    assert "komputer lain" not in one.text() and not (has("127.0.0.2") and accepts(base, "127.0.0.2"))


@posix
@pytest.mark.parametrize("shell", shells(), ids=lambda words: words[0])
def test_a_server_that_ends_is_reported_with_the_command_that_starts_it_and_the_others_go_on(run, tmp_path, shell):
    folder = tmp_path / "tugas (1) & 50% 'a' $HOME \u00e9"
    folder.mkdir()
    (folder / "server3.py").write_text(kits(3, PRINT_PID % 3))
    one = run("--port", "0", "--from", ".", cwd=str(folder)).up()
    one.kill(3)
    assert one.send()[0] == 502
    command = re.search("Server 3 berhenti sendiri .* terminal lain: (.*)", one.text()).group(1)
    again = paste(run, shell, command, cwd=str(tmp_path))
    again.wait_for("Server 3 siap")
    assert one.send() == SENT
    assert "pid 3 = %d\n" % again.process.pid in again.text() and "log.txt" in command


# up and running

def test_a_folder_in_which_the_folder_of_the_files_lies_is_looked_into(run, tmp_path):
    folder = tmp_path / "fajar" / "fajar"
    folder.mkdir(parents=True)
    (folder / "server3.py").write_text(kits(3, PRINT_PID % 3))
    text = run("--port", "0", "--from", str(tmp_path / "fajar")).up().text()
    assert "pid 3 = " in text and text.startswith(
        "run_all: Menjalankan Server 1, 2, dan 3 (level 4); server3.py dari %s. " % (tmp_path / "fajar"))


def test_only_when_all_are_up_it_says_where_to_look_and_no_probe_shows(run, tmp_path):
    (tmp_path / "server3.py").write_text(kits(3, "import time; time.sleep(0.7); " + PRINT % "now"))
    one = run("--port", "0", "--from", str(tmp_path)).up()
    start, before = one.text().split("\n", 1)
    before, after = before.split("run_all: ", 1)
    assert start.startswith("run_all: Menjalankan Server 1, 2, dan 3 ")
    assert sorted(line[:13] for line in before.splitlines()) == [
        "Server 1 siap", "Server 2 siap", "Server 3 siap", "now"]
    assert after.startswith("Semua server siap. Buka http://127.0.0.1:%d/ " % one.ports[1])
    assert all(accepts(port) for port in one.ports.values())


@posix
def test_names_go_through_while_run_all_stands_still_and_then_read_1_2_3_and_back(run):
    one = run("--port", "0").up()
    start = len(one.text())
    one.process.send_signal(signal.SIGSTOP)
    for _ in range(20):
        assert one.send() == SENT
    one.type("halo")
    one.process.send_signal(signal.SIGCONT)
    one.wait_for('"halo" tidak dikenal')
    said = re.findall(r"^(.*?) (memanggil|menjawab|tidak dikenal)", one.text()[start:], re.M)
    exchange = [("Server 1", "memanggil"), ("Server 2", "memanggil"),
                ("Server 3", "menjawab"), ("Server 2", "menjawab"), ("Server 1", "menjawab")]
    assert said == exchange * 20 + [('run_all: "halo"', "tidak dikenal")]


def test_1500_names_go_through_while_nobody_reads_and_what_has_no_room_is_counted(run, tmp_path):
    done = tmp_path / "done"
    (tmp_path / "server3.py").write_text(kits(3, FLOOD % (5000, "\n", str(done))))
    base = three_free()
    one = run("--port", str(base), "--from", str(tmp_path), stdout=subprocess.PIPE)
    one.ports = {1: base, 2: base + 1, 3: base + 2}
    assert all(common.is_up(one.process, port) for port in one.ports.values())
    with ThreadPoolExecutor(4) as clients:
        assert set(clients.map(lambda _: one.send(), range(1500))) == {SENT}
    assert len((tmp_path / "log.txt").read_text().splitlines()) == 1500
    assert wait_until(done.exists)
    seen = left_out = 0
    for line in one.lines():
        seen += line.startswith(("banjir", "Server"))
        left_out += int(line.split()[1]) if "baris tidak ditampilkan" in line else 0
        if seen + left_out >= 5000 + 1500 * 5 + 3:  # each name is five lines, each server starts with one
            break
    assert seen + left_out == 5000 + 1500 * 5 + 3 and left_out > 0


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc to see how much memory a process has")
@pytest.mark.parametrize("line_end", ["\n", " "])
def test_a_flood_that_nobody_reads_takes_no_memory_and_ctrl_c_ends_it(run, tmp_path, line_end):
    done = tmp_path / "done"
    (tmp_path / "server3.py").write_text(kits(3, FLOOD % (300000, line_end, str(done))))
    base = three_free()
    one = run("--port", str(base), "--from", str(tmp_path), stdout=subprocess.PIPE)
    one.ports = {1: base, 2: base + 1, 3: base + 2}
    assert wait_until(done.exists, seconds=60)
    with open("/proc/%d/status" % one.process.pid) as status:
        assert int(re.search(r"VmHWM:\s*(\d+) kB", status.read()).group(1)) < 40000
    one.press_ctrl_c()


def test_in_a_flood_a_key_stops_the_server(run, tmp_path):
    (tmp_path / "server3.py").write_text(kits(3, FLOOD % (10 ** 9, "\n", "")))
    base = three_free()
    one = run("--port", str(base), "--from", str(tmp_path)).up()
    one.ports = {1: base, 2: base + 1, 3: base + 2}
    assert one.send() == SENT
    one.type("3")
    assert gone([base + 2])
    one.wait_for("run_all: Server 3 dihentikan.")


def test_a_key_works_and_is_answered_while_nobody_reads(run, tmp_path):
    done = tmp_path / "done"
    (tmp_path / "server3.py").write_text(kits(3, FLOOD % (20000, "\n", str(done))))
    base = three_free()
    one = run("--port", str(base), "--from", str(tmp_path), stdout=subprocess.PIPE)
    one.ports = {1: base, 2: base + 1, 3: base + 2}
    assert all(common.is_up(one.process, port) for port in one.ports.values())
    assert wait_until(done.exists)
    one.type("3")
    assert gone([base + 2])
    for line in one.lines():
        assert "baris tidak ditampilkan" not in line  # that comes last
        if line.startswith("run_all: Server 3 dihentikan."):
            break
    assert line.startswith("run_all: Server 3 dihentikan.")


# keys

@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_key_and_enter_stops_a_server_and_the_same_again_starts_it(run, number):
    one = run("--port", "0").up()
    one.type(str(number))
    one.wait_for("run_all: Server %d dihentikan." % number)
    assert gone([one.ports[number]])
    if number > 1:
        status, text = one.send()
        assert status == 502 and "Server %d (http" % number in text
    one.type(str(number))
    one.wait_for("run_all: Menjalankan Server %d lagi" % number)
    one.wait_for("Server %d siap di" % number, times=2)
    assert one.send() == SENT
    assert "berhenti sendiri" not in one.text()


def test_p_and_a_number_let_a_server_hang_and_go_on_with_what_came_meanwhile(run, tmp_path):
    one = run("--port", "0").up()
    with socket.create_connection(("127.0.0.1", one.ports[3]), timeout=20) as ahead:  # as browsers do
        assert one.send() == SENT
        one.type("p3")
        one.wait_for("run_all: Server 3 macet")
        ahead.sendall(b"POST /log.php HTTP/1.0\r\nContent-Length: 1\r\n\r\n7")
        status, text = one.send()
        assert status == 502 and "Server 3 (http" in text and "tidak membalas dalam 3 detik" in text
        assert (tmp_path / "log.txt").read_text() == '{"nama":"Budi"}\n'
        one.type("P3")
        one.wait_for("run_all: Server 3 membalas lagi")
        assert ahead.recv(12).endswith(b" 200")
        assert wait_until(lambda: sorted((tmp_path / "log.txt").read_text().split()) == [
            "7", '{"nama":"Budi"}', '{"nama":"Budi"}'])
    assert one.send() == SENT


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_server_that_hangs_ends_with_its_key_and_is_started_anew(run, number):
    one = run("--port", "0").up()
    one.type("p%d" % number)
    one.wait_for("run_all: Server %d macet" % number)
    one.type("%d" % number)
    assert gone([one.ports[number]])
    one.wait_for("run_all: Server %d dihentikan." % number)
    one.type("p%d" % number)
    one.wait_for("run_all: Server %d sedang tidak berjalan." % number)
    one.type("%d" % number)
    one.wait_for("Server %d siap di" % number, times=2)
    assert one.send() == SENT
    one.type("p%d" % number)
    one.wait_for("run_all: Server %d macet" % number, times=2)


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
def test_servers_that_hang_end_with_run_all(run, name):
    one = run("--port", "0").up()
    for number in 1, 2, 3:
        one.type("p%d" % number)
    one.wait_for("macet:", times=3)
    one.process.send_signal(getattr(signal, name))
    assert gone(one.ports.values())
    one.status(seconds=2)


def test_a_word_that_is_no_key_gets_one_line_with_the_keys(run):
    one = run("--port", "0", "--level", "1").up()
    start = len(one.text())
    for word in ("halo", "3", "p3", "p", "12", "\x1b[2J", "\u00e9", "x" * 500, "python run_all.py --level 2"):
        one.type(word)
    one.wait_for("tidak dikenal", times=9)
    lines = one.text()[start:].splitlines()
    assert len(lines) == 9 and all("1, 2, p1, p2" in line and len(line) < 200 for line in lines)
    assert lines[5].startswith('run_all: "\\x1b[2J" ')


def test_bytes_that_are_no_letters_are_no_reason_to_stop(run):
    one = run("--port", "0").up()
    one.type("\udcff")
    one.type("halo")
    one.wait_for('"halo" tidak dikenal')


def test_a_start_by_key_that_fails_is_a_line_and_not_the_end(run):
    base = three_free()
    one = run("--port", str(base)).up()
    one.type("3")
    one.wait_for("Server 3 dihentikan")
    with listen("127.0.0.1", base + 2):
        one.type("3")
        one.wait_for("run_all: Server 3 berhenti sendiri (kode keluar 1). Untuk menjalankan Server 3 lagi, ketik 3")
        assert accepts(base) and accepts(base + 1)
    one.type("3")
    one.wait_for("Server 3 siap di", times=2)
    assert one.send() == SENT


# servers that go wrong

def test_control_characters_that_a_server_prints_do_not_reach_the_terminal(run, tmp_path):
    (tmp_path / "server3.py").write_text(kits(3, r"import os; os.write(1, b'a\x1b[31mb\x07\x9b2J\r\\n\td\n')"))
    one = run("--port", "0", "--from", str(tmp_path)).up()
    assert r"a\x1b[31mb\x07\x9b2J\x0d\n" + "\td" in one.text().splitlines()


def test_a_server_that_closes_its_output_goes_on(run, tmp_path):
    (tmp_path / "server3.py").write_text(kits(3, "import os; os.close(1); os.close(2)"))
    one = run("--port", "0", "--from", str(tmp_path))
    one.wait_for(UP)
    one.ports[1] = int(re.search(r"Buka http://127.0.0.1:(\d+)", one.text()).group(1))
    assert one.send() == SENT


@posix
def test_servers_that_heed_nothing_end_within_2_seconds(run, tmp_path):
    for number in (1, 2, 3):
        (tmp_path / ("server%d.py" % number)).write_text(kits(number, PRINT_PID % number))
    one = run("--port", "0", "--from", str(tmp_path)).up()
    for number in (1, 2, 3):
        os.kill(one.pid(number), signal.SIGSTOP)
    one.type("3")
    assert gone([one.ports[3]])
    one.press_ctrl_c()


@posix
def test_when_no_server_is_left_the_exit_status_is_1(run, tmp_path):
    for number in (1, 2, 3):
        (tmp_path / ("server%d.py" % number)).write_text(kits(number, PRINT_PID % number))
    one = run("--port", "0", "--from", str(tmp_path)).up()
    for number in (2, 3, 1):
        assert one.process.poll() is None
        one.kill(number)
    assert one.status() == 1
    assert one.text().endswith("run_all: Tidak ada lagi server yang berjalan.\n")


def test_a_server_that_ends_before_it_is_up_stops_all(run, tmp_path):
    (tmp_path / "server2.py").write_text(END_WHEN_THE_OTHERS_ARE_UP)
    base = three_free()
    one = run("--port", str(base), "--from", str(tmp_path))
    assert one.status() == 1
    assert "run_all: Server 2 gagal dijalankan (kode keluar 7): %s" % (tmp_path / "server2.py") in one.text()
    assert UP not in one.text() and gone(range(base, base + 3))


def test_a_child_that_holds_the_pipe_does_not_hold_up_the_end(run, tmp_path):
    (tmp_path / "server2.py").write_text(LEAVE_A_CHILD % str(tmp_path / "child") + END_WHEN_THE_OTHERS_ARE_UP)
    base = three_free()
    one = run("--port", str(base), "--from", str(tmp_path))
    try:
        one.wait_for("gagal dijalankan (kode keluar 7)")
        assert one.status(seconds=5) == 1
    finally:
        os.kill(int((tmp_path / "child").read_text()), signal.SIGTERM)


@posix
def test_a_child_that_holds_the_pipe_does_not_hold_up_ctrl_c(run, tmp_path):
    (tmp_path / "server3.py").write_text(kits(3, LEAVE_A_CHILD % str(tmp_path / "child")))
    one = run("--port", "0", "--from", str(tmp_path)).up()
    try:
        assert one.send() == SENT
        one.press_ctrl_c()
    finally:
        os.kill(int((tmp_path / "child").read_text()), signal.SIGTERM)


# options

@pytest.mark.skipif(not has("127.0.0.2"), reason="this machine has no 127.0.0.2")
def test_bind_binds_server_1_alone_and_an_address_of_this_machine_alone_is_not_called_open(run):
    base = three_free()
    one = run("--port", str(base), "--bind", "127.0.0.2").up()
    assert "Buka http://127.0.0.2:%d/ di" % base in one.text() and "komputer lain" not in one.text()
    assert [accepts(base + i, "127.0.0.2") for i in range(3)] == [True, False, False]
    assert [accepts(base + i, "127.0.0.1") for i in range(3)] == [False, True, True]
    assert pre(fetch("http://127.0.0.2:%d/" % base, b"nama=Budi")[1]) == SENT[1]


def test_a_name_of_this_machine_is_as_good_as_its_address(run):
    one = run("--port", "0", "--bind", "localhost").up()
    assert "Buka http://127.0.0.1:%d/ di" % one.ports[1] in one.text() and "komputer lain" not in one.text()


@pytest.mark.parametrize("bind, url", [("0.0.0.0", "http://127.0.0.1:"), ("10.77.1.5", "http://10.77.1.5:")])
def test_bind_says_that_there_is_no_password_and_the_urls_without_a_gateway_too(run, tmp_path, bind, url):
    make_network = ("ip link set lo up && ip link add eth7 type veth peer name cable7 && ip link set cable7 up && "
                    "ip address add 10.77.1.5/24 dev eth7 && ip link set eth7 up && exec \"$@\"")
    command = ["unshare", "--net", "sh", "-c", make_network, "-"]
    try:
        subprocess.check_output(command + ["true"], stderr=subprocess.STDOUT)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs Linux, root, unshare and ip to make a network without a gateway")
    one = run(command=command + RUN_ALL + ["--bind", bind, "--log", str(tmp_path / "log.txt")])
    one.wait_for(UP)
    assert "Buka %s8000/ di browser" % url in one.text()
    assert "run_all: Server 1 bisa dibuka dari komputer lain tanpa kata sandi: http://10.77.1.5:8000/\n" in one.text()
    one.process.send_signal(signal.SIGINT)
    assert one.status(seconds=5) in (0, 130)


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
        one.wait_for(UP)
        assert "browser: http://127.0.0.1:%d/\n" % one.up().ports[1] in one.text()
        one.type("halo")
        one.wait_for('"halo" tidak dikenal')
    finally:
        closed.write_text("")


@pytest.mark.parametrize("words, said", [
    (["--from", "tugas \u00e9"], "tugas \\xe9: folder itu tidak ada."),
    (["--from", os.path.join(KIT, "tests")], "tidak ada server1.py, server2.py, atau server3.py; isinya: "),
    (["--bind", "192.0.2.1"], "--bind 192.0.2.1 bukan alamat IPv4 komputer ini"),
    (["--bind", "::1"], "--bind ::1 bukan alamat IPv4"),
    (["--bind", "x" * 70 + ".invalid"], "bukan alamat IPv4"),
    (["--port", "65534"], "--port harus antara 0 dan 65533, bukan 65534"),
    (["--port", "-1"], "--port harus antara 0"),
])
def test_an_option_that_cannot_be_met_is_a_sentence_in_ascii(run, words, said):
    one = run(*words)
    assert one.status() in (1, 2)
    assert one.text().startswith("run_all: ") and one.text().count("\n") == 1 and said in one.text()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_server_file_that_is_missing_is_a_sentence(run, tmp_path, number):
    command = copy_kit(tmp_path / "kit")
    (tmp_path / "kit" / ("server%d.py" % number)).unlink()
    one = run(command=command + ["--port", "0"])
    assert one.status() == 1
    assert one.text().count("\n") == 1 and "server%d.py" % number in one.text()


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
    one.wait_for("Server 1 menjawab")
    one.press_ctrl_c()
    assert "berhenti sendiri" not in one.text()


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_its_servers_end_with_it_on_a_signal(run, name):
    one = run("--port", "0").up()
    one.process.send_signal(getattr(signal, name))
    assert gone(one.ports.values())
    one.status(seconds=2)
    assert one.text().endswith(UP)


def in_the_terminal():
    """In the new process: its input is its terminal."""
    import fcntl
    import termios
    as_in_a_terminal()
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def in_a_terminal_without_hangup():
    """In the new process: nohup, with the terminal as its output."""
    in_the_terminal()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


@pytest.fixture
def keyboard_and_terminal():
    """The two ends of a pseudo-terminal, as files."""
    pty = pytest.importorskip("pty", reason="needs a POSIX terminal")
    keyboard, terminal = pty.openpty()
    with open(keyboard, "r+b", 0) as keyboard, open(terminal, "r+b", 0) as terminal:
        yield keyboard, terminal


def read_until(words, keyboard):
    """What a terminal shows, up to the words and a little more."""
    shown = ""
    while words not in shown:
        assert select.select([keyboard], [], [], 20)[0], shown
        shown += keyboard.read(1000).decode()
    return shown


@posix
@pytest.mark.parametrize("typed", [b"\x03", None])
def test_its_servers_end_with_ctrl_c_in_a_terminal_and_with_the_terminal(run, keyboard_and_terminal, typed):
    keyboard, terminal = keyboard_and_terminal
    one = run("--port", "0", stdin=terminal, preexec_fn=in_the_terminal)
    terminal.close()
    one.up()
    if typed:
        keyboard.write(typed)
        one.status(seconds=2)
    keyboard.close()
    assert gone(one.ports.values())
    one.status(seconds=2)
    assert one.text().endswith(UP)


@posix
def test_with_the_terminal_gone_the_servers_go_on(run, keyboard_and_terminal):
    keyboard, terminal = keyboard_and_terminal
    base = three_free()
    one = run("--port", str(base), stdin=terminal, stdout=terminal, preexec_fn=in_a_terminal_without_hangup)
    one.ports = {1: base, 2: base + 1, 3: base + 2}
    assert all(common.is_up(one.process, port) for port in one.ports.values())
    terminal.close()
    keyboard.close()
    for _ in range(50):
        assert one.send() == SENT
    one.press_ctrl_c()


@posix
def test_with_its_output_closed_the_servers_go_on(run, tmp_path):
    base = three_free()
    with (tmp_path / "errors").open("wb") as errors:
        one = run("--port", str(base), stdout=subprocess.PIPE, stderr=errors)
    one.ports = {1: base, 2: base + 1, 3: base + 2}
    assert all(common.is_up(one.process, port) for port in one.ports.values())
    one.process.stdout.close()  # | head -1
    for _ in range(50):
        assert one.send() == SENT
    one.press_ctrl_c()
    assert (tmp_path / "errors").read_bytes() == b""


@posix
def test_in_the_background_of_a_terminal_the_servers_go_on(run, tmp_path, keyboard_and_terminal):
    keyboard, terminal = keyboard_and_terminal
    command = run_all.command_line(RUN_ALL[1:] + ["--port", "0", "--log", str(tmp_path / "log.txt")])
    pid = tmp_path / "pid"
    one = run(command=["bash", "-c", "set -m; stty tostop; %s & echo $! > %s; wait" % (command, pid)], stdin=terminal,
              stdout=terminal, preexec_fn=in_the_terminal, environment={"LC_ALL": "C"})
    terminal.close()
    keyboard.write(b"3\n")  # is for the shell
    assert wait_until(lambda: pid.exists() and pid.read_text())
    try:
        shown = read_until(UP.strip(), keyboard)
        page = re.search("Buka (http://[0-9.:]+/)", shown).group(1)
        for _ in range(20):
            assert pre(fetch(page, b"nama=Budi")[1]) == SENT[1]
        while shown.count("Server 1 menjawab: 200") < 20:
            shown += read_until("200", keyboard)
    finally:
        os.kill(int(pid.read_text()), signal.SIGINT)
    shown += read_until("Done", keyboard)  # says the shell
    assert "dihentikan." not in shown and "Traceback" not in shown
    one.status(seconds=2)
