# SPDX-License-Identifier: 0BSD
"""All servers of a level in one terminal, each in a process of its own.

Run:  python run_all.py             (python run_all.py --help shows the rest)
Try:  http://127.0.0.1:8000/ in a browser; then 3 and Enter, which stops Server 3
"""
import argparse
import contextlib
import csv
import functools
import io
import json
import os
import queue
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tokenize
import urllib.parse
import webbrowser
from concurrent.futures import ThreadPoolExecutor, wait
from html.parser import HTMLParser
from http.client import HTTPException, IncompleteRead
try:
    import resource  # POSIX
except ImportError:
    import ctypes  # Windows
    resource = None

FOLDER = os.path.dirname(os.path.abspath(__file__))
LEVELS = {1: [1, 2], 2: [1, 2], 3: [1, 2], 4: [1, 2, 3]}  # the servers of each level
PATHS = {1: "/", 2: "/api.php", 3: "/log.php"}
PORT = 8000            # of Server 1; the others have the next ones
LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"
MAX_START = 30         # seconds until a server takes connections; some machines are slow
MAX_LINES = 10000      # that wait for a terminal that stands still
MAX_LINE = 1000        # bytes; what is longer goes on in a new line

sys.dont_write_bytecode = True  # leaves the folder as it is
try:
    import common
except ImportError:
    sys.exit("run_all: common.py tidak ada di folder yang berisi run_all.py. Kalau program ini masih di dalam file ZIP, "
             "ekstrak dulu seluruhnya, lalu jalankan run_all.py di folder hasil ekstraksi.")


# ---- Options ----

def main():
    """Read the command line and do what it says. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--level", type=int, choices=LEVELS,
                        help="of the tutorial (default: 4; with --check: all)")
    parser.add_argument("--bind", metavar="ADDRESS",
                        help="where Server 1 listens (default: 127.0.0.1); 0.0.0.0 lets other machines in")
    parser.add_argument("--port", type=int, default=PORT,
                        help="of Server 1, the others take the next ones (default: 8000; 0: free ones)")
    parser.add_argument("--log", metavar="FILE", help="of Server 3 (default: log.txt beside server3.py)")
    parser.add_argument("--from", dest="folder", metavar="FOLDER",
                        help="take the server files that are in it from there")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument("--check", action="store_true",
                        help="send names through each level, say how it went, and end")
    parser.add_argument("--each", metavar="FOLDER", help="with --check: check each folder that is in it")
    parser.add_argument("--csv", metavar="FILE", help="with --each: write a table, too")
    options = parser.parse_args()
    if options.each and (options.folder or not options.check) or options.csv and not options.each:
        fail("--each harus dipakai bersama --check, tanpa --from; --csv dipakai bersama --each.")
    if options.check:
        levels = [options.level] if options.level else list(LEVELS)
        return check_each(levels, options.each, options.csv) if options.each else check(levels, options.folder)
    return run(options, find_files(options.folder))


def run(options, files):
    """Run the servers of a level until Ctrl+C. Returns the exit status."""
    if not 0 <= options.port <= 65533:
        fail("--port harus antara 0 dan 65533, bukan %d." % options.port)
    if os.name == "posix":  # to be in the background of a terminal is no reason to stop
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    level = options.level or max(LEVELS)
    bind = find_address(options.bind or LOOPBACK)
    own = ["server%d.py" % number for number in LEVELS[level] if os.path.dirname(files[number]) != FOLDER]
    whose = "; %s dari %s" % (", ".join(own), options.folder) if own else ""
    show("run_all: Menjalankan %s (level %d)%s. Tunggu sebentar ..." % (name_all(LEVELS[level]), level, in_ascii(whose)))
    ports = choose_ports(options, LEVELS[level], bind)
    commands = {number: command(number, files, ports, level, bind, options.log) for number in ports}
    return Terminal(commands, ports, bind).run(options.open)


# ---- Files, commands and ports ----

def find_files(folder):
    """{number: path} of the server files: from the folder where it has them, else from the kit."""
    try:
        place, numbers = find_servers(folder)
    except (LookupError, OSError) as error:
        fail("%s: %s" % (folder, error))
    files = {number: os.path.join(place if number in numbers else FOLDER, "server%d.py" % number) for number in PATHS}
    for path in files.values():
        if not os.path.isfile(path):
            fail("File %s tidak ada. Salin lagi file itu ke foldernya." % path)
    return files


def find_servers(folder):
    """(folder, numbers of the servers in it): the folder itself, or the only one in it that has some; the kit (None).

    LookupError, with a sentence, if there is none, or more than one.
    """
    if not folder or os.path.isdir(folder) and os.path.samefile(folder, FOLDER):
        return FOLDER, list(PATHS)
    if not os.path.isdir(folder):
        raise LookupError("folder itu tidak ada.")
    names = sorted(os.listdir(folder))
    inner = [path for path in (os.path.join(folder, name) for name in names) if os.path.isdir(path)]
    for places in [os.path.normpath(folder)], inner:
        found = [(place, server_numbers(place)) for place in places if server_numbers(place)]
        if len(found) == 1:
            return found[0]
        if found:
            raise LookupError("ada beberapa folder yang berisi server1.py, server2.py, atau server3.py: %s."
                              % ", ".join(os.path.basename(place) for place, _ in found))
    raise LookupError("tidak ada server1.py, server2.py, atau server3.py; %s."
                      % ("isinya: " + short(", ".join(names)) if names else "folder itu kosong"))


def server_numbers(folder):
    """The numbers of the servers that the folder has."""
    return [number for number in PATHS if os.path.exists(os.path.join(folder, "server%d.py" % number))]


def command(number, files, ports, level, bind=LOOPBACK, log=None):
    """The file of a server and its options, as common.start takes them."""
    words = [os.path.abspath(files[number]), "--port", str(ports[number])]
    if number == 1:
        words += ["--level", str(level), "--api-url", url(2, ports)]
        words += ["--bind", bind] if bind != LOOPBACK else []  # not every hand-in knows the option
    elif number == 2:
        words += ["--level", str(level)]
        words += ["--log-url", url(3, ports)] if 3 in ports else []
    elif log:
        words += ["--log", os.path.abspath(log)]
    return words


def command_line(words):
    """What to type to run Python with these words."""
    python = os.path.basename(sys.executable)
    found = shutil.which(python)
    if not (found and os.path.samefile(found, sys.executable)):  # another Python, or none
        python = sys.executable
    if os.name == "posix":
        return " ".join(quote(word) for word in [python] + words)
    return " ".join([quote_program(python)] + [quote_for_windows(word) for word in words])


def quote(word):
    """A word as bash and zsh take it, in ASCII."""
    if all(" " <= letter <= "~" for letter in word):
        return shlex.quote(word)
    text = os.fsencode(word).decode("latin-1")  # a letter for each byte
    return "$'%s'" % re.sub("[^a-zA-Z0-9/._-]", lambda found: "\\%03o" % ord(found.group()), text)


def quote_for_windows(word):
    """A word as both cmd and PowerShell take it. (No file name has a quote in it there.)"""
    return word if re.match(r"[\w.:\\/-]+$", word) else '"%s"' % word


def quote_program(path):
    r"""The first word: PowerShell takes C:\"Program Files"\python.exe for a program, "C:\..." for a text."""
    return "\\".join(quote_for_windows(part) for part in path.split("\\"))


def url(number, ports, host=LOOPBACK):
    """The URL of a server."""
    return "http://%s:%d%s" % (host, ports[number], PATHS[number])


def find_address(bind):
    """The IPv4 address that --bind means. Exits if it is none of this machine's."""
    try:
        address = socket.gethostbyname(bind)
        common.free_ports(1, address)
        return address
    except (OSError, UnicodeError):
        fail("--bind %s bukan alamat IPv4 komputer ini. Pakai --bind 0.0.0.0 atau jalankan tanpa --bind." % bind)


def choose_ports(options, numbers, bind):
    """{number: port}, all free. If one is taken, exits with a command that would work."""
    if options.port == 0:
        return dict(zip(numbers, common.free_ports(len(numbers), bind)))
    deadline = time.monotonic() + 3  # an IDE's Stop and Run leaves them taken for a moment
    port = taken(options.port, numbers, bind)
    while port and time.monotonic() < deadline:
        time.sleep(0.1)
        port = taken(options.port, numbers, bind)
    if port:
        free = next(other for other in range(PORT + 10, 65000, 10) if not taken(other, numbers, bind))
        fail("Port %d tidak dapat dipakai. Mungkin run_all yang lain atau program lain masih memakainya. Hentikan dulu "
             "program itu, atau jalankan perintah ini: %s" % (port, command_line(same_options(options, free))))
    return {number: options.port + number - 1 for number in numbers}


def same_options(options, port):
    """The words to run this program with the same options at another port, in any folder."""
    words = [os.path.abspath(__file__), "--port", str(port)]
    if options.level:
        words += ["--level", str(options.level)]
    if options.bind:
        words += ["--bind", options.bind]
    if options.log:
        words += ["--log", os.path.abspath(options.log)]
    if options.folder:
        words += ["--from", os.path.abspath(options.folder)]
    if options.open:
        words += ["--open"]
    return words


def taken(first, numbers, bind):
    """The first port that a server could not have; None if there is none."""
    for number in numbers:
        port = first + number - 1
        if not all(can_have(host, port) for host in {LOOPBACK, bind}) or answers("::1", port):
            return port
    return None


def can_have(host, port):
    """Whether a server could listen there."""
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            return True
        except OSError:
            return False


def answers(host, port):
    """Whether a program listens there. At ::1 browsers look for localhost first, and would show its page."""
    try:
        socket.create_connection((host, port), timeout=0.2).close()
        return True
    except OSError:
        return False


def own_addresses():
    """The IPv4 addresses of this machine for other machines, the one that leads to the internet first."""
    found = [address_towards("192.0.2.1")]
    if os.name == "posix":
        found += [interface_address(name) for _, name in socket.if_nameindex()]
    else:
        with contextlib.suppress(OSError):  # a machine that does not know its own name
            found += socket.gethostbyname_ex(socket.gethostname())[2]
    return [address for address in dict.fromkeys(found) if address and not address.startswith("127.")]


def address_towards(host):
    """The address that this machine sends from to the host; None if it knows no way there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))  # sends nothing
            return probe.getsockname()[0]
        except OSError:
            return None


def interface_address(name):
    """The address of a network interface; None if it has none. (Not on Windows.)"""
    import fcntl  # which Windows does not have
    request = 0x8915 if sys.platform == "linux" else 0xC0206921  # SIOCGIFADDR, here and on macOS
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe, request, name.encode().ljust(256, b"\0"))
            return socket.inet_ntoa(answer[20:24])
        except OSError:
            return None


def name_all(numbers):
    """The servers' names in one phrase: Server 1, 2, dan 3."""
    numbers = [str(number) for number in numbers]
    return "Server " + (" dan ".join(numbers) if len(numbers) == 2 else ", ".join(numbers[:-1]) + ", dan " + numbers[-1])


# ---- The terminal ----

START_IT = "Untuk menjalankan Server {0} lagi, ketik {0} lalu tekan Enter."


class Terminal:
    """The servers of a level in one terminal.

    They print into one pipe, and so does say(): lines keep the order in which they were written. A
    thread empties the pipe into a queue, and another prints from there: a terminal that stands still
    holds up that one, and no server. What the queue has no room for is left out, and said.
    """

    def __init__(self, commands, ports, bind):
        """commands: {number: [file, option, ...]}, as command() gives them; bind: where Server 1 listens."""
        self.commands = commands
        self.ports = ports
        self.bind = bind
        self.page = url(1, ports, LOOPBACK if bind == EVERYWHERE else bind)
        self.processes = {}  # {number: Popen} of those that run
        self.paused = set()  # the numbers of those that hang
        self.keys = queue.Queue(100)  # the words that were typed
        self.lines = queue.Queue()
        self.left_out = 0  # lines that had no room; only read_pipe changes it
        self.left_out_said = 0  # how many of them were said; only print_left_out changes it
        self.quiet = False  # prints no more
        self.pipe, self.output = os.pipe()
        self.printer = threading.Thread(target=self.print_lines, daemon=True)

    def run(self, browser):
        """Start the servers and do what is typed, until Ctrl+C. Returns the exit status.

        It is 1 if a server does not come up, or when the last one has ended by itself.
        """
        threading.Thread(target=self.read_pipe, daemon=True).start()
        self.printer.start()
        try:
            if self.start_all():
                self.introduce()
                if browser:  # in a thread, for some browsers keep their caller until they are closed
                    threading.Thread(target=webbrowser.open, args=[self.page], daemon=True).start()
                if sys.stdin:
                    threading.Thread(target=self.read_keys, daemon=True).start()
                while self.serve():
                    pass
            self.end()
            return 1
        except KeyboardInterrupt:
            self.quiet = True  # the last words of servers that Ctrl+C broke off help nobody
            return 0
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl+C changes nothing
            common.stop(*self.processes.values())

    def start_all(self):
        """Start the servers and wait until they are up. Returns whether they are."""
        for number in self.commands:
            self.start(number)
        for number, process in self.processes.items():
            host = self.bind if number == 1 and self.bind != EVERYWHERE else LOOPBACK
            if not common.is_up(process, self.ports[number], host, MAX_START):
                self.say("Server %d gagal dijalankan%s: %s. Lihat pesan di atas; server lain ikut dihentikan."
                         % (number, self.how_ended(process), self.commands[number][0]))
                return False
        return len(self.processes) == len(self.commands)

    def introduce(self):
        """Say where to look, and what can be typed."""
        last = max(self.commands)
        self.say("Semua server siap. Buka %s di browser." % self.page)
        if not self.bind.startswith("127."):
            self.say_who_can_come()
        self.say("Ketik {0} lalu tekan Enter untuk menghentikan Server {0}; ulangi untuk menjalankannya lagi.".format(last))
        self.say("Ketik p{0} lalu tekan Enter untuk membuat Server {0} macet (tidak membalas); "
                 "ulangi supaya Server {0} membalas lagi.".format(last))
        self.say("Untuk server lain, caranya sama. Yang bisa diketik: %s." % self.name_keys())
        self.say("Jangan tutup terminal ini. Ctrl+C menghentikan semua server.")

    def say_who_can_come(self):
        """Say that Server 1 is open to other machines, and where they find it."""
        addresses = own_addresses() if self.bind == EVERYWHERE else [self.bind]
        urls = " atau ".join(url(1, self.ports, address) for address in addresses)
        self.say("Server 1 bisa dibuka dari komputer lain tanpa kata sandi%s"
                 % (": " + urls if urls else " kalau komputer ini sudah tersambung ke jaringan."))

    def name_keys(self):
        """The words that can be typed: 1, 2, 3, p1, p2, p3."""
        return ", ".join([str(number) for number in self.commands] + ["p%d" % number for number in self.commands])

    def serve(self):
        """One round: do what was typed, see who has ended. False if none is left."""
        try:
            self.press(self.keys.get(timeout=0.1))
        except queue.Empty:
            pass
        for number, process in list(self.processes.items()):
            if process.poll() is not None:
                self.forget(number)
                self.say("Server %d berhenti sendiri%s. %s Bisa juga dijalankan di terminal lain: %s" % (
                    number, self.how_ended(process), START_IT.format(number), command_line(self.commands[number])))
                if not self.processes:
                    self.say("Tidak ada lagi server yang berjalan.")
                    return False
        return True

    def press(self, key):
        """Do what a typed word stands for: stop or start a server, let it hang or go on."""
        keys = re.match("(p?)([0-9])$", key.lower())
        number = int(keys.group(2)) if keys else 0
        if number not in self.commands:
            typed = key if len(key) <= 20 else key[:20] + " ..."
            self.say("\"%s\" tidak dikenal. Yang bisa diketik: %s. Untuk perintah lain, tekan Ctrl+C "
                     "dulu (semua server akan berhenti)." % (typed, self.name_keys()))
        elif number not in self.processes and keys.group(1):
            self.say("Server %d sedang tidak berjalan. %s" % (number, START_IT.format(number)))
        elif keys.group(1):
            self.pause_or_resume(number)
        elif number in self.processes:
            common.stop(self.forget(number))
            self.say("Server %d dihentikan. %s" % (number, START_IT.format(number)))
        else:
            self.say("Menjalankan Server %d lagi ..." % number)
            self.start(number)

    def start(self, number):
        """Start a server, or say why that cannot be done."""
        try:
            self.processes[number] = common.start(*self.commands[number], output=self.output)
        except OSError as error:  # this machine has no room for one more process
            self.say("Server %d gagal dijalankan: %s" % (number, error))

    def forget(self, number):
        """Take a server out of those that run. Returns its process."""
        self.paused.discard(number)
        return self.processes.pop(number)

    def pause_or_resume(self, number):
        """Let a server hang, or go on if it does."""
        if number in self.paused:
            self.paused.remove(number)
            self.say("Server {0} membalas lagi.".format(number))
            common.resume(self.processes[number])
        else:
            self.paused.add(number)
            common.pause(self.processes[number])
            self.say("Server {0} macet: menerima koneksi, tetapi tidak membalas. "
                     "Supaya Server {0} membalas lagi, ketik p{0} lalu tekan Enter.".format(number))

    def how_ended(self, process):
        """The exit status of a process, in brackets; or that it has not come up yet."""
        if process.poll() is None:
            return " (tidak menerima koneksi dalam %d detik)" % MAX_START
        return " (kode keluar %d)" % process.returncode

    def end(self):
        """Stop what still runs and print what is left to print, for a second at the most."""
        common.stop(*self.processes.values())
        os.close(self.output)
        self.printer.join(timeout=1)  # a child of a server may hold the pipe, or the terminal stand still

    def say(self, text):
        """Print a line, behind those that the servers have printed by now."""
        os.write(self.output, in_ascii("run_all: %s\n" % text).encode())

    def read_pipe(self):
        """Queue the lines that are printed; None after the last. Those of say() have room of their own."""
        with open(self.pipe, "rb") as pipe:
            for line in iter(lambda: pipe.readline(MAX_LINE), b""):
                waiting = self.lines.qsize()
                full = waiting >= MAX_LINES or self.left_out > self.left_out_said
                if full and not (line.startswith(b"run_all: ") and waiting < MAX_LINES + 100):
                    self.left_out += 1
                else:
                    self.lines.put(in_ascii(line.decode("ascii", "backslashreplace").rstrip("\r\n")))
        self.lines.put(None)

    def print_lines(self):
        """Print the queued lines, up to None."""
        line = self.lines.get()
        while line is not None:
            if not self.quiet:
                show(line)
            if self.lines.empty():
                self.print_left_out()
            line = self.lines.get()
        self.print_left_out()

    def print_left_out(self):
        """Say how many lines were left out, if there are any."""
        while self.left_out > self.left_out_said:
            left_out = self.left_out
            show("run_all: %d baris tidak ditampilkan karena terlalu banyak untuk terminal ini."
                 % (left_out - self.left_out_said))
            self.left_out_said = left_out

    def read_keys(self):
        """Queue the lines that are typed."""
        while True:
            try:
                typed = sys.stdin.readline(1000)
            except (OSError, ValueError):  # run_all is in the background; these are no letters
                typed = ""
            if typed.strip():
                self.keys.put(typed.strip())
            if not typed:  # nor will there be at once, if the input is closed
                time.sleep(1)


# ---- The check: run_all.py --check marks what was handed in, by what it does ----

SECONDS = {1: 10, 2: 8, 3: 5}  # that an answer may take: each server waits for those behind it
START_SECONDS = 6              # until a server takes connections; one that takes 2 is right
FILE_SECONDS, ALL_SECONDS = 18, 30  # that are waited for a file among the kit's; for all of them, which were right alone
MAX_FILE, MAX_FOLDER = 10000000, 50000000  # bytes that are copied of a hand-in
MAX_MEMORY = 500000000         # bytes of a handed-in program, and of a file that it writes (on Linux)
WORDS = {2: "success", 3: "logged"}  # the status that a server answers
ACTIVE = "Server 2 aktif"
MISTAKE = re.compile(rb"Program Server \d+ gagal\. Lihat pesan di terminalnya\.")
TRIALS = set()                 # those that run
USED_PORTS = set()             # those that a trial has had
LOCK = threading.Lock()        # for both sets
SLOTS = threading.Semaphore(6)  # trials at the same time, of three servers each


class Fault(Exception):
    """What is wrong with a server, or with the hand-in (number None): the end of a sentence, and a guess at the cause."""

    def __init__(self, number, text, guess=""):
        super().__init__(text)
        self.number = number
        self.text = text
        self.guess = guess
        self.file = ""
        self.printed = []  # lines

    def said(self):
        """The whole of it."""
        return self.text + (". " + self.guess if self.guess else "")


class Patience:
    """The seconds that are left to wait for a hand-in. (The time that the machine and the kit take does not count.)"""

    def __init__(self, seconds):
        self.left = seconds


class BadLuck(Exception):
    """A server of the kit did not come up: its port was taken meanwhile."""

    def __str__(self):
        return "server asli gagal dijalankan"


def check(levels, folder):
    """Mark the hand-in in the folder, or the kit itself (None), and say how. Returns the exit status."""
    try:
        files, faults = judge(levels, folder, say_line)
    except KeyboardInterrupt:
        faults = [Fault(None, "pemeriksaan dihentikan dengan Ctrl+C.")]
    for fault in faults:
        for line in fault.printed:
            say_line("  Terminal Server %d: %s" % (fault.number, line))
    for fault in faults:
        say_line("Server %d bermasalah (%s): %s" % (fault.number, fault.file, fault.said()) if fault.number else
                 "%s: %s" % (folder or FOLDER, fault.said()))
    show("FAILED" if faults else "OK")
    return 1 if faults else 0


def check_each(levels, folder, table):
    """Mark each sub-folder's hand-in on a line, and in the table (a CSV file). Returns the exit status."""
    try:
        names = [name for name in sorted(os.listdir(folder)) if not name.startswith((".", "__"))]
    except OSError as error:
        fail("Folder %s tidak dapat dibuka: %s" % (folder, error.strerror))
    if table:
        write_table(table, [])  # says now if it can't be written
    others = [name for name in names if not os.path.isdir(os.path.join(folder, name))]
    names = [name for name in names if name not in others]
    others = [name for name in others if os.path.splitext(name)[0] not in names]  # a ZIP that is unpacked
    width = max([len(plain(name)) for name in names] or [0])
    rows, seen = [], {}
    with ThreadPoolExecutor(4) as pool:  # many hand-ins only wait
        marks = [pool.submit(mark, levels, folder, name) for name in names]
        try:
            for marked in marks:
                name, verdict, file, notes, files = result(marked, "%d dari %d ..." % (len(rows), len(names)))
                reason = "; ".join(notes + find_copies(name, files, seen))
                rows.append((name, verdict, file, reason))
                say_line("%-8s%-*s  %s" % (verdict, width, plain(name), file + ": " + reason if reason else file))
        except KeyboardInterrupt:
            for marked in marks:
                marked.cancel()
            give_up()
    if table:
        archives = [name for name in others if name.lower().endswith((".zip", ".rar", ".7z"))]
        write_table(table, rows + [(name, "dilewati", "", "bukan folder: ekstrak dulu") for name in archives])
    if len(rows) < len(names):
        say_line("pemeriksaan dihentikan; %d folder belum diperiksa" % (len(names) - len(rows)))
    if others:
        say_line("dilewati karena bukan folder (ZIP: ekstrak dulu): " + short(", ".join(others)))
    good = [row for row in rows if row[1] == "OK"]
    show("%d dari %d OK" % (len(good), len(rows)))
    return 0 if good and len(good) == len(names) else 1


def mark(levels, folder, name):
    """(whose hand-in, OK or FAILED, which file, [why, and what else is to be said], the paths of its files)."""
    inside = os.path.join(folder, name)
    files, faults = judge(levels, inside, lambda line: None)
    notes = [label(file, files) + "tidak diubah" for file in files if is_kits(file)]
    if not faults:
        return name, "OK", " ".join(os.path.relpath(file, inside) for file in files), notes, files
    wrong = [os.path.relpath(fault.file, inside) if fault.number else "(folder)" for fault in faults]
    more = ["%s: %s" % (file, fault.said()) for file, fault in zip(wrong[1:], faults[1:])]
    if "(folder)" not in wrong:  # each file was tried among the kit's
        bad = [fault.file for fault in faults]
        more += [label(file, files) + "OK" for file in files if file not in bad and not is_kits(file)]
    return name, "FAILED", wrong[0], [faults[0].said()] + more + notes, files


def find_copies(name, files, seen):
    """Which of a folder's files, jawaban.txt too, a folder before it has. seen: {program or text: that folder's name}."""
    texts = [os.path.join(os.path.dirname(file), "jawaban.txt") for file in files[:1]]
    answers = [(file, words) for file, words in zip(texts, map(read_answers, texts)) if words]
    contents = [(file, read_program(file)) for file in files if not is_kits(file)] + answers
    firsts = [(file, seen.setdefault(content, name)) for file, content in contents]
    return [label(file, files + answers) + "sama dengan " + first for file, first in firsts if first != name]


def label(file, files):
    """The name of the file, with a blank, where there are others in the row; else nothing."""
    return os.path.basename(file) + " " if len(files) > 1 else ""


def write_table(path, rows):
    """Write the rows as CSV for a spreadsheet: UTF-8 with a BOM, and no cell is a formula."""
    try:
        with open(path, "w", encoding="utf-8-sig", errors="backslashreplace", newline="") as file:
            table = csv.writer(file)
            table.writerow(["nama", "hasil", "file", "keterangan"])
            for row in rows:
                table.writerow(["'" + cell if cell.startswith(("=", "+", "-", "@")) else cell for cell in row])
    except OSError as error:  # a spreadsheet has it open
        fail("%s: %s" % (path, error.strerror))


def result(future, progress=""):
    """Wait for a Future, and return its result. On a terminal, the progress is shown meanwhile."""
    shown = progress if sys.stderr and sys.stderr.isatty() else ""
    while not wait([future], timeout=0.2).done:  # without a timeout, Windows would not notice Ctrl+C
        if shown:
            sys.stderr.write("\r" + shown)
            sys.stderr.flush()
    if shown:
        sys.stderr.write("\r" + " " * len(shown) + "\r")
        sys.stderr.flush()
    return future.result()


def say_line(text):
    """Print a line, in ASCII, without line breaks and escape characters in it."""
    show(plain(text))


def plain(text):
    """The text in ASCII, with an escape for whatever is no letter there."""
    return in_ascii(text).replace("\t", "\\t").replace("\n", "\\n")


def short(text, most=200):
    """The text, or its beginning and end if it is longer."""
    return text if len(text) <= most else text[:most - 60] + " ... " + text[-55:]


def judge(levels, folder, say):
    """Try a hand-in. Calls say for each line of the report. Returns its files and the Faults.

    Each file is tried among the kit's, level by level until its first fault (not the kit's own, which
    has none); then all of them together.
    """
    try:
        place, numbers = find_servers(folder)
    except (LookupError, OSError) as error:
        return [], [Fault(None, str(error))]
    files = {number: os.path.join(place, "server%d.py" % number) for number in numbers}
    alone = [trials(levels, [number]) for number in numbers if not is_kits(files[number])]
    together = [one for one in trials(levels, numbers) if one not in sum(alone, [])]
    if not sum(alone, together):
        return [], [Fault(None, "tidak ada file yang dipakai di level itu.")]
    faults = []
    with ThreadPoolExecutor(3) as pool:
        try:
            for future in [pool.submit(run_trials, some, place, FILE_SECONDS) for some in alone]:
                faults += report(result(future), say)
            if not faults:
                faults += report(result(pool.submit(run_trials, together, place, ALL_SECONDS)), say)
        except KeyboardInterrupt:
            give_up()
            raise
    for fault in faults:
        fault.file = files.get(fault.number, place)
    for file in files.values():
        if place != FOLDER and is_kits(file):
            say("%s tidak diubah: sama dengan file asli" % file)
    return list(files.values()), faults


def is_kits(file):
    """Whether the file is the kit's own, but for comments, blanks and line ends."""
    return read_program(file) == read_program(os.path.join(FOLDER, os.path.basename(file)))


@functools.lru_cache(maxsize=None)
def read_program(file):
    """The words of a program in one text, without comments, blanks and line ends; all of it if it has no words."""
    try:
        if os.path.getsize(file) > 200000:  # it would take long
            return file
        with open(file, "rb") as source:
            text = source.read()
    except OSError:
        return file
    try:
        words = list(tokenize.tokenize(io.BytesIO(text).readline))
    except (SyntaxError, ValueError, tokenize.TokenError):
        return repr(text)
    left_out = (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING)
    blank = (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)  # however wide: only their place counts
    return repr([word.type if word.type in blank else word.string.replace("\r\n", "\n")
                 for word in words if word.type not in left_out])


def read_answers(file):
    """The words of a text below its first line, which names the exercise; nothing if it can't be read."""
    try:
        with open(file, "rb") as source:
            return b" ".join(b"".join(source.readlines(200000)[1:]).split())
    except OSError:
        return b""


def trials(levels, numbers):
    """[(level, those of the numbers that it has), ...] without the levels that have none."""
    pairs = [(level, [number for number in numbers if number in LEVELS[level]]) for level in levels]
    return [(level, some) for level, some in pairs if some]


def run_trials(some, place, seconds):
    """Run trial after trial, until there is a fault. Returns (lines of the report, Fault or None).

    A fault counts when it is seen twice: a busy machine, or a program that takes the port, is no fault.
    """
    lines = []
    patience = Patience(seconds)
    for level, numbers in some:
        first = None
        for attempt in (1, 2, 3):
            try:
                with SLOTS:
                    lines += Trial(level, numbers, place, patience).run()
                break
            except Fault as fault:
                if first or attempt == 3 or patience.left < 1:
                    return lines, first or fault
                first = fault
            except (BadLuck, OSError) as error:  # OSError: the machine has no process, file or port to give
                if attempt == 3:
                    return lines, first or Fault(None, "tidak dapat diperiksa: %s" % error)
    return lines, None


def report(lines_and_fault, say):
    """Say the lines. Returns a list of the Fault, if there is one."""
    lines, fault = lines_and_fault
    for line in lines:
        say(line)
    return [fault] if fault else []


def give_up():
    """End the trials that run, whatever they say then."""
    with LOCK:
        for trial in TRIALS:
            trial.patience.left = 0
            for process in list(trial.processes.values()):
                process.kill()


def take_ports(numbers):
    """({number: port}, ExitStack): free ports, which no other trial has had, and what holds them against other checks.

    Sockets of UDP hold them: the ports remain free for the servers.
    """
    while True:
        ports = common.free_ports(len(numbers))
        with contextlib.ExitStack() as held:
            try:
                for port in ports:
                    held.enter_context(socket.socket(type=socket.SOCK_DGRAM)).bind((LOOPBACK, port))
            except OSError:  # another check holds it
                continue
            with LOCK:
                if USED_PORTS.isdisjoint(ports):
                    USED_PORTS.update(ports)
                    return dict(zip(numbers, ports)), held.pop_all()


def new_names():
    """Functions that draw a new name: a plain one, one beyond ASCII, one for HTML to escape, a long one with all of it."""
    def letters():
        return "".join(random.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(10))
    return [lambda: "Siti " + letters(),
            lambda: "Zo\u00eb \u0141ukasz \u738b " + letters(),
            lambda: "%s < 3 & \"Budi\" + 'Ani' 100%% /" % letters(),
            lambda: "\u0141 < & '\" " + " ".join(letters() for _ in range(30))]


class Trial:
    """A level, some of its servers handed in and the others the kit's: in a folder and on ports of its own."""

    def __init__(self, level, handed_in, place, patience):
        self.level = level
        self.numbers = LEVELS[level]
        self.handed_in = handed_in
        self.place = place
        self.patience = patience
        self.ports, self.held = take_ports(self.numbers)
        self.processes = {}  # {number: Popen}
        self.consoles = {}   # {number: Console}
        self.start_until = {}  # {number: time}
        self.groups = {}     # {number: what kill_group takes}
        self.answered = set()  # numbers

    def run(self):
        """Try it. Returns the lines of the report, or raises the Fault of a handed-in server."""
        self.folder = tempfile.mkdtemp(prefix="run_all-")
        self.copy = os.path.join(self.folder, "a", "tugas")  # "..", too, is in the temporary folder
        self.log = os.path.join(self.copy if 3 in self.handed_in else self.folder, "log.txt")
        # wherever it is checked: no proxy, any letter can be printed; RUN_ALL is for kill_marked
        self.environment = dict(os.environ, no_proxy="*", PYTHONIOENCODING="utf-8:backslashreplace",
                                RUN_ALL=self.folder)
        with LOCK:
            TRIALS.add(self)
        try:
            copy_folder(self.place, self.copy)
            lines = self.try_all()
            self.stop_all()
            self.look_for_mistakes()
            return lines
        except Fault as seen:
            fault = self.blame(seen)
            self.stop_all()
            self.explain(fault)
            raise fault
        finally:
            self.stop_all()
            remove(self.folder)
            self.held.close()
            with LOCK:
                TRIALS.discard(self)

    def try_all(self):
        """Start the servers and send names; then let the last server fail. Returns the lines of the report."""
        if not os.path.exists(self.log):
            with open(self.log, "w") as file:
                file.write('{"nama":"yang lama"}\n')
        self.log_at_start = end_of(self.log)
        self.start(*reversed(self.numbers))
        lines = ["Level %d dengan %s" % (self.level, ", ".join("server%d.py" % number for number in self.handed_in))]
        begin = time.monotonic()
        for count, draw in enumerate(new_names()):
            if 0 < count < 3 and time.monotonic() - begin > 4:  # a slow machine: the last name has all of it
                continue
            for number in reversed(self.numbers):
                if number in self.handed_in or number == 1:
                    answer = self.exchange(number, draw())
                    if count == 0:
                        lines.append("  Server %d menjawab %s" % (number, short(answer)))
        last = self.numbers[-1]
        self.try_failure(last, [number for number in reversed(self.handed_in) if number < last])
        return lines

    def try_failure(self, last, callers):
        """While the last server fails, no caller may claim a success; when Server 3 is back, names go through."""
        if last == 3:
            self.try_without_log(callers)
        if not callers or last < 3 and self.patience.left < 7:  # slow, but right so far
            return
        self.stop(last)
        self.try_claims(callers, "Server %d sudah dihentikan" % last)
        if last < 3:
            return
        self.start(last, kit=True)
        for number in callers:
            try:
                self.exchange(number, new_names()[0]())
            except Fault as fault:
                fault.text = "setelah Server %d dihentikan lalu dijalankan lagi: %s" % (last, fault.text)
                raise

    def try_without_log(self, callers):
        """While log.txt is a folder, Server 3 may not answer logged, nor a caller a success."""
        try:
            os.rename(self.log, self.log + ".old")
        except OSError:  # on Windows, a hand-in that holds it open
            return
        os.mkdir(self.log)
        if 3 not in self.handed_in:
            self.try_claims(callers, "Server 3 gagal")
        else:
            name = new_names()[0]()
            try:
                answer = self.claim(3, name)
            except Fault:  # no answer: it claims nothing
                answer = None
            with open(self.log + ".old", "rb") as file:  # one that holds it open goes on writing there
                logged = name.encode() in file.read()
            if answer and not logged:
                raise Fault(3, "menjawab %s, padahal log.txt tidak dapat ditulis" % short(answer))
        remove(self.log)
        os.rename(self.log + ".old", self.log)

    def look_for_mistakes(self):
        """A Fault if a server of the kit's shape has met a mistake of its own, which a caller takes for any error."""
        for number in reversed(self.handed_in):
            if number in self.consoles and MISTAKE.search(self.consoles[number].end):
                raise Fault(number, "programnya gagal (exception) ketika server berikutnya gagal")

    def try_claims(self, callers, what):
        """Send a name to each caller. One that answers success is at fault; any error is right."""
        for number in callers:
            try:
                answer = self.claim(number, new_names()[0]())
            except Fault:
                answer = None
            if answer:
                raise Fault(number, "menjawab %s, padahal %s. Jawaban \"success\" hanya boleh dikirim kalau "
                            "semua server berhasil" % (short(answer), what))

    # servers

    def start(self, *numbers, kit=False):
        """Start servers, the kit's if they are not handed in, and wait for the kit's."""
        begin = time.monotonic()
        for number in numbers:
            own = number in self.handed_in and not kit
            file = os.path.join(self.copy if own else FOLDER, "server%d.py" % number)
            if own:
                look_into_source(number, file)
            options = command(number, {number: file}, self.ports, self.level, log=self.log)
            process = common.start(*options, output=subprocess.PIPE, cwd=self.copy if own else self.folder,
                                   env=self.environment, **OWN_GROUP)
            if own:
                limit_memory(process)
            self.groups[number] = group_of(process)
            self.processes[number] = process
            self.consoles[number] = Console(process.stdout)
            self.answered.discard(number)
        kits = [number for number in numbers if kit or number not in self.handed_in]
        if not all(common.is_up(self.processes[number], self.ports[number], seconds=30) for number in kits):
            raise BadLuck()
        now = time.monotonic()  # where the kit starts slowly, a hand-in may, too; without the kit nobody knows
        slower = now - begin if kits else 10
        self.start_until.update(dict.fromkeys(numbers, now + START_SECONDS + slower))

    def stop(self, number):
        """End a server and the processes that it started."""
        process = self.processes.pop(number)
        kill_group(self.groups.pop(number))
        common.stop(process)
        self.consoles[number].join(timeout=1)

    def stop_all(self):
        """End all servers, and whatever they started."""
        for number in list(self.processes):
            self.stop(number)
        kill_marked(self.folder)

    def ask(self, number, address=None, body=None, content_type="application/json"):
        """(status, headers, text) that a server answers. Waits until it has started. Fault if there is no answer."""
        begin = time.monotonic()
        seconds = min(SECONDS[number], self.patience.left)
        try:
            while seconds > 0:
                try:
                    address = address or url(number, self.ports)
                    status, headers, answer = common.ask(address, body, content_type, seconds)
                    self.answered.add(number)
                    return status, headers, answer.decode("utf-8", "replace").strip()
                except ConnectionRefusedError as error:
                    if not self.may_start(number):
                        raise Fault(number, self.no_answer(number, error))
                    time.sleep(0.02)
                except (OSError, HTTPException) as error:
                    raise Fault(number, self.no_answer(number, error))
            raise Fault(number, "terlalu lambat: pemeriksaan melewati batas waktu")
        finally:
            self.patience.left -= time.monotonic() - begin

    def may_start(self, number):
        """Whether a server that takes no connections may still be starting."""
        in_time = time.monotonic() < self.start_until[number]
        return in_time and number not in self.answered and self.processes[number].poll() is None

    def no_answer(self, number, error):
        """Why there is no answer, in a sentence."""
        try:
            status = self.processes[number].wait(timeout=0 if isinstance(error, socket.timeout) else 0.3)
            if number not in self.answered and status == 0:
                return "berhenti (kode keluar 0) tanpa membuka port. Mungkin serve_forever() tidak dipanggil"
            return "berhenti (kode keluar %d)" % status + ("" if number in self.answered else " tanpa menjawab")
        except subprocess.TimeoutExpired:
            pass
        if isinstance(error, ConnectionRefusedError) and number not in self.answered:
            return ("dalam %d detik tidak membuka port %d (dari --port). Mungkin nomor port-nya ditulis langsung di dalam "
                    "kode, atau program tertahan sebelum port dibuka" % (START_SECONDS, self.ports[number]))
        for kind, text in NO_ANSWER:
            if isinstance(error, kind):
                return text
        return "jawabannya bukan HTTP yang valid: %s" % short(str(error))

    # what they answer

    def exchange(self, number, name):
        """Send a name to a server; look at its answer and at the log. Returns the answer, or raises a Fault."""
        before = end_of(self.log)
        if number == 1:
            name, answer = self.submit(name)
        elif self.level == 1:
            answer = self.api_answer(self.ask(2), None, "success")
        else:
            answered = self.ask(number, body=to_json({"nama": name}).encode())
            answer = self.api_answer(answered, name, WORDS[number], number)
        if 3 in self.numbers:
            problem = look_at(self.log, self.log_at_start, before, name)
            if problem:
                raise Fault(number, "menjawab %s, tetapi %s" % (short(answer, 80), problem))
        return answer

    def claim(self, number, name):
        """The answer if it claims that all is well, else None."""
        if number == 1:
            return self.submit(name)[1]
        answer = self.ask(number, body=to_json({"nama": name}).encode())[2]
        return answer if from_json(answer).get("status") == WORDS[number] else None

    def api_answer(self, answered, name, word, number=2):
        """The text of the answer of Server 2 or 3, if it is as it should be."""
        status, _, text = answered
        answer = from_json(text)
        if text.startswith("<"):
            text = Page(text).shown()
        expected = {"status": word}
        right = status == 200 and answer.get("status") == word
        if name is None:
            expected["message"] = ACTIVE
            right = right and ACTIVE in str(answer.get("message"))
        elif number == 2:
            expected["data"] = {"nama": name}
            right = right and isinstance(answer.get("data"), dict) and answer["data"].get("nama") == name
        if not right:
            raise Fault(number, "menjawab %d %s; seharusnya 200 %s" % (
                status, short(text) or "(kosong)", short(to_json(expected))), usual_cause(number, status, text, answer))
        return text

    def submit(self, name):
        """Open the page and send the name in its form. Returns the name as sent, and the answer that is shown."""
        status, page = self.browse(url(1, self.ports))
        if self.level > 1:
            form = page.form()
            if not form:
                names = ", ".join(page.field_names())
                raise Fault(1, "halamannya tidak punya formulir dengan isian nama; %s"
                            % ("isian yang ada: " + short(names) if names else "tidak ada isian sama sekali"))
            name, address, body, content_type = form.filled(name, url(1, self.ports))
            if not address.startswith("http://127.0.0.1:%d/" % self.ports[1]):
                raise Fault(1, "formulirnya dikirim ke %s; seharusnya ke %s. Mungkin URL-nya ditulis langsung di dalam kode"
                            % (short(address), url(1, self.ports)))
            status, page = self.browse(address, body, content_type)
        expected = {"status": "success"}
        expected.update({"message": ACTIVE} if self.level == 1 else {"data": {"nama": name}})
        answers = page.objects()
        for answer in answers:
            data = answer.get("data")
            if self.level == 1:
                right = ACTIVE in str(answer.get("message"))
            else:
                right = isinstance(data, dict) and data.get("nama") == name
            if right and answer.get("status") == "success" and status == 200:
                return name, to_json(answer)
        text = to_json(answers[-1]) if answers else "teks \"%s\"" % page.shown()
        cause = usual_cause(1, status, page.shown(), answers[-1] if answers else {})
        raise Fault(1, "halamannya (status %d) menampilkan %s; seharusnya jawaban Server 2: %s"
                    % (status, short(text), short(to_json(expected))), cause)

    def browse(self, address, body=None, content_type=None):
        """(status, Page) at the address; redirects are followed, as a browser does."""
        for _ in range(5):
            status, headers, text = self.ask(1, address, body, content_type)
            if status not in (301, 302, 303) or "Location" not in headers:
                break
            address, body = urllib.parse.urljoin(address, headers["Location"]), None
        return status, Page(text)

    # whose fault it is

    def blame(self, seen):
        """The Fault of a handed-in server that explains what was seen at a server, perhaps one of the kit's."""
        for number in sorted(self.handed_in, reverse=True):
            if seen.number < number and number in self.processes and seen.number in self.processes:
                try:
                    self.exchange(number, new_names()[0]())
                except Fault as fault:  # it answered before, and now it does not
                    return fault
        if seen.number in self.handed_in:
            return seen
        if any(self.processes[number].poll() is not None for number in self.processes if number not in self.handed_in):
            raise BadLuck()
        behind = [number for number in self.handed_in if number > seen.number]
        return Fault((behind or self.handed_in)[0], "menyebabkan Server %d yang asli gagal: %s" % (seen.number, seen.said()))

    def explain(self, fault):
        """Add to the Fault what its program printed, and name the error in it."""
        console = self.consoles.get(fault.number)
        text = console.text(self.copy, self.place) if console else ""
        fault.printed = [short(line, 160) for line in text.splitlines()
                         if line.strip() and not line.startswith("siap di http")][-12:]
        errors = re.findall(r"^(?!Connection|BrokenPipe)[\w.]*(?:Error|Exception|Exit|Interrupt)\b.*", text, re.M)
        if errors:  # not of a connection that the check itself has broken
            places = re.findall(r'File "([^"]*)", line (\d+)', text)
            own = [line for file, line in places if file.endswith("server%d.py" % fault.number)]
            fault.guess = "Pesan dari Python: " + short(errors[-1]) + (" (baris %s)" % own[-1] if own else "")


NO_ANSWER = [
    (common.Unended, "mulai menjawab, tetapi tidak selesai. Mungkin Content-Length tidak dikirim dan koneksi tidak ditutup"),
    (socket.timeout, "tidak membalas dalam beberapa detik"),
    (common.TooLong, "jawabannya terlalu panjang: mungkin ditulis tanpa henti"),
    (IncompleteRead, "jawabannya terputus: lebih pendek daripada Content-Length-nya"),
    (ConnectionRefusedError, "tidak lagi menerima koneksi"),
    (OSError, "menutup koneksi tanpa menjawab"),
]


def usual_cause(number, status, text, answer):
    """A sentence on what is usually wrong if a server answers so."""
    word = answer.get("status")
    if number == 1 and status == 400:
        return "Mungkin isian itu tidak ada di formulirnya (page2 untuk level 2, page3 untuk level 3 dan 4)"
    if status == 404:
        return "Mungkin path-nya bukan %s" % PATHS[number]
    if status in (405, 501):
        return "Mungkin tidak ada do_POST"
    if "{'" in text:
        return "Mungkin yang dipakai str(...), bukan json_encode(...) atau json.dumps(...)"
    if not text:
        return "Jawabannya kosong"
    if not answer and number > 1:
        return "Itu bukan objek JSON"
    if number == 2 and word == "error":
        return "Server 3 sedang berjalan, jadi mungkin URL-nya tidak diambil dari --log-url, atau yang dikirim bukan JSON"
    if number > 1 and word != WORDS[number]:
        return "Statusnya %s, bukan \"%s\"" % (short(to_json(word)), WORDS[number])
    if number > 1 and status != 200:
        return "Status HTTP-nya %d, bukan 200" % status
    if "data" in answer:
        return "Mungkin isiannya tidak bernama \"nama\", atau ada huruf yang berubah (encoding, escape)"
    return "Mungkin Server 2 tidak dipanggil (URL-nya ada di --api-url)" if number == 1 else "Isi jawabannya tidak lengkap"


def to_json(data):
    """The data as compact JSON."""
    return json.dumps(data, separators=(",", ":"))


def from_json(text):
    """The object that the JSON stands for; an empty one if it is none."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    return data if isinstance(data, dict) else {}


def end_of(log):
    """(size of the log, its last bytes), for look_at."""
    if not os.path.isfile(log):
        return 0, b""
    with open(log, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1000))
        return size, file.read(1000)


def look_at(log, at_start, before, name):
    """What is wrong with what the log has gained since before: None if it is one line of JSON with the name."""
    if not os.path.isfile(log):
        return "log.txt tidak ada. Mungkin ditulis di tempat lain (lihat --log)"
    with open(log, "rb") as file:
        for size, last in at_start, before:
            file.seek(size - len(last))
            if file.read(len(last)) != last:
                return "isi lama log.txt hilang. Mungkin dibuka dengan \"w\", bukan \"a\""
        new = file.read(100000)
    lines = new.decode("utf-8", "replace").split("\n")
    full = [line for line in lines if line.strip()]
    if not full:
        return ("log.txt tidak bertambah. Mungkin Server 3 tidak dipanggil atau tidak menulis, log-nya ditulis ke file "
                "lain, atau penulisannya terlambat")
    found = short(" dan ".join(full))
    if lines[-1]:
        return "baris baru di log.txt tidak diakhiri dengan tanda ganti baris: " + found
    if len(full) > 1:
        return "log.txt bertambah lebih dari satu baris: " + found
    try:
        data = json.loads(full[0])
    except (ValueError, RecursionError):
        return ("baris baru di log.txt bukan JSON: %s. Mungkin yang dipakai str(...), bukan json_encode(...) atau "
                "json.dumps(...)" % found)
    if json.dumps(name)[1:-1] not in json.dumps(data):
        return "baris baru di log.txt tidak memuat nama %s yang dikirim: %s" % (short(json.dumps(name), 80), found)
    return None


def look_into_source(number, file):
    """A Fault if Python could not read the file. (The rest of its syntax shows when it is started.)"""
    try:
        with tokenize.open(file) as source:
            source.read()
    except (SyntaxError, ValueError) as error:  # an unknown encoding; bytes that are none of it
        reason = re.sub(" for .*", "", str(error))  # without our path
        raise Fault(number, "tidak dapat dibaca Python: %s. Simpan file itu sebagai UTF-8" % reason)
    except OSError:
        raise Fault(number, "bukan file yang dapat dibaca")


class Console(threading.Thread):
    """Reads what a program prints, and keeps the end of it."""

    def __init__(self, pipe):
        super().__init__(daemon=True)
        self.pipe = pipe
        self.end = b""
        self.start()

    def run(self):
        count = 0
        with self.pipe:
            for data in iter(lambda: os.read(self.pipe.fileno(), 65536), b""):
                self.end = (self.end + data)[-10000:]
                count += len(data)
                if count > 1000000:  # a flood: let it wait
                    time.sleep(0.05)

    def text(self, copy, place):
        """The end of it: paths as they were handed in, no lines of a traceback that are not the hand-in's.

        A server of the kit begins each of its lines with its name, those of a traceback, too: that is left out.
        """
        text = self.end.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
        text = re.sub(r"^Server \d+ ", "", text, flags=re.M)
        text = re.sub(r' *File "%s", line .*\n(?:    .*\n)*' % re.escape(common.__file__), "", text)
        text = re.sub(r'Traceback .*:\n(?=  File "[^"]*", line \d+\n)', "", text)  # a SyntaxError has none
        return text.replace(os.path.join(copy, ""), os.path.join(place, ""))


class Form:
    """A form of a page: its attributes, and its fields as [name, value, attributes]."""

    def __init__(self, attributes):
        self.attributes = attributes
        self.fields = []

    def filled(self, name, base):
        """(name, URL, body or None, type) that a browser sends when the name is typed into the field nama."""
        fields = []
        for field, value, attributes in self.fields:
            if field == "nama":
                length = attributes.get("maxlength") or ""
                value = name = name[:int(length)] if length.isdecimal() else name
            fields.append((field, value))
        data = urllib.parse.urlencode(fields)
        address = urllib.parse.urljoin(base, self.attributes.get("action") or "")
        if (self.attributes.get("method") or "get").lower() != "post":
            return name, address.split("?")[0] + "?" + data, None, None
        if (self.attributes.get("enctype") or "").lower() == "multipart/form-data":
            parts = ['--x-x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % field for field in fields]
            return name, address, ("".join(parts) + "--x-x--\r\n").encode(), "multipart/form-data; boundary=x-x"
        return name, address, data.encode(), "application/x-www-form-urlencoded"


class Page(HTMLParser):
    """A page as a browser has it: its forms, and the text that it shows."""

    TYPED = {"email": "siti@contoh.id", "date": "2024-05-17", "time": "10:30", "url": "http://contoh.id/"}

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.forms = []
        self.text = []
        self.open = None    # the Form that stands open
        self.within = None  # script, style, title or textarea
        self.select = None  # the field of a <select> that stands open
        self.chosen = False  # its <option> that stands open is the chosen one, and has no value but its text
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        name = attributes.get("name")
        if tag == "form":
            self.open = Form(attributes)
            self.forms.append(self.open)
        elif tag in ("script", "style", "title", "textarea"):
            self.within = tag
        if tag in ("br", "p", "div", "li", "tr", "td", "pre"):
            self.text.append("\n")
        if tag == "option" and self.select:
            self.chosen = self.select[1] is None or "selected" in attributes
            if self.chosen:
                self.select[1] = attributes.get("value") or ""
                self.chosen = "value" not in attributes
        if self.open and name and "disabled" not in attributes:
            if tag == "input":
                self.add_input(name, attributes)
            elif tag in ("select", "textarea") or tag == "button" and attributes.get("type", "submit") == "submit":
                value = {"select": None, "textarea": "20", "button": attributes.get("value") or ""}[tag]
                self.open.fields.append([name, value, attributes])
                self.select = self.open.fields[-1] if tag == "select" else self.select

    def add_input(self, name, attributes):
        """Add an <input> to the form, with what somebody would type."""
        kind = (attributes.get("type") or "text").lower()
        value = attributes.get("value")
        if kind in ("checkbox", "radio") and "checked" not in attributes or kind in ("button", "reset", "image", "file"):
            return
        if kind in ("checkbox", "radio", "hidden", "submit"):
            value = value or ("on" if kind in ("checkbox", "radio") else "")
        self.open.fields.append([name, value or self.TYPED.get(kind, "20"), attributes])

    def handle_endtag(self, tag):
        if tag == "form":
            self.open = None
        if tag == self.within:
            self.within = None
        if tag == "select":
            self.select = None

    def handle_data(self, data):
        if self.select and self.chosen:
            self.select[1] += data.strip()
        if self.within in (None, "textarea"):
            self.text.append(data)

    def form(self):
        """The first Form with a field nama, or None."""
        return next((form for form in self.forms if "nama" in [field[0] for field in form.fields]), None)

    def field_names(self):
        return [field[0] for form in self.forms for field in form.fields]

    def shown(self):
        """The text that it shows, blanks and line breaks as one blank."""
        return " ".join("".join(self.text).split())

    def objects(self):
        """The JSON objects in the text that it shows."""
        text = "".join(self.text).replace("\xa0", " ")[:300000]
        found, start = [], text.find("{")
        while start >= 0 and len(found) < 1000:
            try:
                data, end = json.JSONDecoder().raw_decode(text, start)
                found.append(data)
            except (ValueError, RecursionError):
                end = start + 1
            start = text.find("{", end)
        return found


def copy_folder(source, target):
    """Copy the files of a folder, small ones first, and no more than MAX_FOLDER bytes and 5000 files."""
    left, count = MAX_FOLDER, 5000
    for place, folders, names in os.walk(source):
        folders[:] = [name for name in sorted(folders) if name not in (".git", ".venv", "__pycache__")]
        to = os.path.join(target, os.path.relpath(place, source))
        os.makedirs(to, exist_ok=True)
        files = [os.path.join(place, name) for name in names if os.path.isfile(os.path.join(place, name))]
        for file in sorted(files, key=os.path.getsize):
            size = os.path.getsize(file)
            if size > min(left, MAX_FILE) or count <= 0:
                break
            left, count = left - size, count - 1
            try:
                shutil.copyfile(file, os.path.join(to, os.path.basename(file)))
            except OSError:
                pass  # if it was needed, the program will say so
        if count <= 0:
            return


def remove(folder):
    """Remove the folder, though a program may have made parts of it read-only, or a virus scanner look into it."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.exists(folder):
            return
        for place, folders, names in os.walk(folder):
            for name in folders + names:
                if not os.path.islink(os.path.join(place, name)):
                    os.chmod(os.path.join(place, name), 0o700)
        time.sleep(0.1)


# for common.start: Ctrl+C does not reach a handed-in program, and all that it starts can be ended
OWN_GROUP = {"start_new_session": True} if os.name == "posix" else {
    "creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}


def group_of(process):
    """What stands for a process that was just started and all that it will start: on Windows a job object."""
    if os.name == "posix":
        return process.pid
    kernel = ctypes.windll.kernel32
    kernel.CreateJobObjectW.restype = ctypes.c_void_p
    job = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
    kernel.AssignProcessToJobObject(job, ctypes.c_void_p(int(process._handle)))
    return job


def kill_group(group):
    """End a process and those that it started."""
    if os.name != "posix":
        ctypes.windll.kernel32.TerminateJobObject(group, 1)
        ctypes.windll.kernel32.CloseHandle(group)
        return
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:  # there is none
        pass


def kill_marked(folder):
    """End the processes that left their group, where the system shows the environment of each (Linux)."""
    for pid in filter(str.isdigit, os.listdir("/proc") if sys.platform == "linux" else []):
        try:
            with open("/proc/%s/environ" % pid, "rb") as file:
                if ("RUN_ALL=" + folder).encode() in file.read().split(b"\0"):
                    os.kill(int(pid), signal.SIGKILL)
        except OSError:  # it has ended, or is not ours
            pass


def limit_memory(process):
    """Let a program have no more than MAX_MEMORY, and write no larger file, where the system can do that (Linux)."""
    if not hasattr(resource, "prlimit"):
        return
    for what in (resource.RLIMIT_DATA, resource.RLIMIT_FSIZE):
        try:
            resource.prlimit(process.pid, what, (MAX_MEMORY, MAX_MEMORY))
        except OSError:  # it has ended
            pass


CONTROL = {code: "\\x%02x" % code for code in [*range(32), 127] if chr(code) not in "\t\n"}


def in_ascii(text):
    """The text with an escape for what not every console takes, or would obey: \\xe9 for a letter, \\x1b for Esc."""
    return text.encode("ascii", "backslashreplace").decode().translate(CONTROL)


def show(text):
    """Print a line. A terminal that is gone is no reason to stop."""
    try:
        print(text, flush=True)
    except OSError:
        pass


def fail(text):
    """Say what is wrong, and exit with status 1."""
    sys.exit(in_ascii("run_all: " + text))


if __name__ == "__main__":
    try:
        status = main()
    except KeyboardInterrupt:
        status = 130
    os._exit(status)  # sys.exit would wait for a terminal that stands still, and complain of one that is gone
