# SPDX-License-Identifier: 0BSD
"""All servers of a level in one terminal, each in a process of its own.

Run:  python run_all.py             (python run_all.py --help shows the rest)
Try:  http://127.0.0.1:8000/ in a browser; then 3 and Enter, which stops Server 3
"""
import argparse
import contextlib
import html
import json
import os
import queue
import re
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import webbrowser
from http.client import HTTPException

FOLDER = os.path.dirname(os.path.abspath(__file__))
LEVELS = {1: [1, 2], 2: [1, 2], 3: [1, 2], 4: [1, 2, 3]}  # the servers of each level
PATHS = {1: "/", 2: "/api.php", 3: "/log.php"}
PORT = 8000            # of Server 1; the others have the next ones
LOOPBACK = "127.0.0.1"
EVERYWHERE = "0.0.0.0"
MAX_START = 30         # seconds until a server takes connections; some machines are slow
MAX_LINES = 10000      # that wait for a terminal that stands still
MAX_LINE = 1000        # bytes; what is longer goes on in a new line
NAME = "Siti Nurhaliza"  # what --check sends

sys.dont_write_bytecode = True  # leaves the folder as it is
try:
    import common
except ImportError:
    sys.exit("run_all: common.py tidak ada di folder run_all.py. Kalau ini di dalam file ZIP, ekstrak dulu "
             "semuanya, lalu jalankan run_all.py di folder hasil ekstraksi.")


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
                        help="send a name through each level, say how it went, and end")
    options = parser.parse_args()
    files = find_files(options.folder)
    if options.check:
        return check([options.level] if options.level else LEVELS, files)
    return run(options, files)


def run(options, files):
    """Run the servers of a level until Ctrl+C, then end this process with the exit status."""
    if not 0 <= options.port <= 65533:
        fail("--port harus dari 0 sampai 65533, bukan %d." % options.port)
    if os.name == "posix":  # to be in the background of a terminal is no reason to stop
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    level = options.level or 4
    bind = find_address(options.bind or LOOPBACK)
    show("run_all: memulai %s (level %d). Tunggu sebentar ..." % (name_all(LEVELS[level]), level))
    ports = choose_ports(options, LEVELS[level], bind)
    commands = {number: command(number, files, ports, level, bind, options.log) for number in ports}
    status = Terminal(commands, ports, bind).run(options.open)
    os._exit(status)  # sys.exit would wait for a terminal that stands still


# ---- Files, commands and ports ----

def find_files(folder):
    """{number: path} of the server files: from the folder where it has them, else from the kit."""
    files = {number: os.path.join(FOLDER, "server%d.py" % number) for number in PATHS}
    own = {number: os.path.join(folder or FOLDER, "server%d.py" % number) for number in PATHS}
    own = {number: path for number, path in own.items() if os.path.isfile(path)}
    if not own:
        fail("tidak ada server1.py, server2.py atau server3.py di folder %s. Periksa nama foldernya."
             % (folder or FOLDER))
    files.update(own)
    for path in files.values():
        if not os.path.isfile(path):
            fail("tidak ada file %s. Salin lagi file itu ke sana." % path)
    return files


def command(number, files, ports, level, bind=LOOPBACK, log=None):
    """The file of a server and its options, as common.start takes them."""
    words = [os.path.abspath(files[number]), "--port", str(ports[number])]
    if number == 1:
        words += ["--level", str(level), "--bind", bind, "--api-url", url(2, ports)]
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
        fail("--bind %s bukan alamat IPv4 komputer ini. Pakai --bind 0.0.0.0, atau tanpa --bind." % bind)


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
        fail("port %d tidak dapat dipakai. Mungkin run_all atau program lain masih memakainya: hentikan dulu, "
             "atau jalankan: %s" % (port, command_line(same_options(options, free))))
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
    """The servers' names in one phrase: Server 1, 2 dan 3."""
    numbers = [str(number) for number in numbers]
    return "Server %s dan %s" % (", ".join(numbers[:-1]), numbers[-1])


# ---- The terminal ----

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
                self.say("Server %d gagal dimulai%s: %s. Lihat pesan di atas; server lain dihentikan."
                         % (number, self.how_ended(process), self.commands[number][0]))
                return False
        return len(self.processes) == len(self.commands)

    def introduce(self):
        """Say where to look, and what can be typed."""
        last = max(self.commands)
        self.say("semua server siap. Buka %s di browser." % self.page)
        if not self.bind.startswith("127."):
            self.say_who_can_come()
        self.say("Ketik {0} lalu tekan Enter: Server {0} berhenti. "
                 "Ketik {0} lagi, lalu tekan Enter: Server {0} jalan lagi.".format(last))
        self.say("Ketik p{0} lalu tekan Enter: Server {0} diam, tidak menjawab. "
                 "Ketik p{0} lagi, lalu tekan Enter: Server {0} menjawab lagi.".format(last))
        self.say("Server lain begitu juga. Semua pilihan: %s." % self.name_keys())
        self.say("Jangan tutup terminal ini. Ctrl+C menghentikan semua server.")

    def say_who_can_come(self):
        """Say that Server 1 is open to other machines, and where they find it."""
        addresses = own_addresses() if self.bind == EVERYWHERE else [self.bind]
        urls = " atau ".join(url(1, self.ports, address) for address in addresses)
        self.say("Server 1 terbuka untuk komputer lain, tanpa kata sandi: %s"
                 % (urls or "tetapi komputer ini belum tersambung ke jaringan."))

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
                self.say("Server {0} berhenti sendiri{1}. Ketik {0} lalu tekan Enter: Server {0} jalan lagi. "
                         "Perintahnya di terminal lain: {2}"
                         .format(number, self.how_ended(process), command_line(self.commands[number])))
                if not self.processes:
                    self.say("tidak ada lagi server yang berjalan.")
                    return False
        return True

    def press(self, key):
        """Do what a typed word stands for: stop or start a server, let it hang or go on."""
        keys = re.match("(p?)([0-9])$", key.lower())
        number = int(keys.group(2)) if keys else 0
        if number not in self.commands:
            self.say("%s tidak dikenal. Ketik salah satu dari %s, lalu tekan Enter. Ctrl+C menghentikan semua server."
                     % (key[:20], self.name_keys()))
        elif number not in self.processes and keys.group(1):
            self.say("Server {0} tidak berjalan. Ketik {0} lalu tekan Enter: Server {0} jalan lagi.".format(number))
        elif keys.group(1):
            self.pause_or_resume(number)
        elif number in self.processes:
            common.stop(self.forget(number))
            self.say("Server {0} dihentikan. Ketik {0} lalu tekan Enter: Server {0} jalan lagi.".format(number))
        else:
            self.say("memulai Server %d lagi ..." % number)
            self.start(number)

    def start(self, number):
        """Start a server, or say why that cannot be done."""
        try:
            self.processes[number] = common.start(*self.commands[number], output=self.output)
        except OSError as error:  # this machine has no room for one more process
            self.say("Server %d gagal dimulai: %s" % (number, error))

    def forget(self, number):
        """Take a server out of those that run. Returns its process."""
        self.paused.discard(number)
        return self.processes.pop(number)

    def pause_or_resume(self, number):
        """Let a server hang, or go on if it does."""
        if number in self.paused:
            self.paused.remove(number)
            self.say("Server %d menjawab lagi, juga permintaan yang datang selama ia diam." % number)
            common.resume(self.processes[number])
        else:
            self.paused.add(number)
            common.pause(self.processes[number])
            self.say("Server {0} diam: menerima koneksi, tetapi tidak menjawab. "
                     "Ketik p{0} lalu tekan Enter: Server {0} menjawab lagi.".format(number))

    def how_ended(self, process):
        """The exit status of a process, in brackets; or that it has not come up yet."""
        if process.poll() is None:
            return " (tidak menerima koneksi dalam %d detik)" % MAX_START
        return " (exit status %d)" % process.returncode

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
            show("run_all: %d baris tidak ditampilkan, karena terlalu banyak untuk terminal ini."
                 % (left_out - self.left_out_said))
            self.left_out_said = left_out

    def read_keys(self):
        """Queue the words that are typed."""
        while True:
            try:
                typed = sys.stdin.readline(1000)
            except (OSError, ValueError):  # run_all is in the background; these are no letters
                typed = ""
            for word in typed.split():
                self.keys.put(word)
            if not typed:  # nor will there be at once, if the input is closed
                time.sleep(1)


# ---- The check ----

def check(levels, files):
    """Send NAME through the levels, print what each server answers. Returns the exit status."""
    good = [check_level(level, files) for level in levels]
    print("OK" if all(good) else "FAILED", flush=True)
    return 0 if all(good) else 1


def check_level(level, files):
    """Start and try the servers of a level, each after the one that it calls. Returns if all is well."""
    print("Level %d" % level)
    ports = dict(zip(LEVELS[level], common.free_ports(len(LEVELS[level]))))
    processes = []
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log.txt")
        try:
            for number in reversed(LEVELS[level]):
                printed = os.path.join(folder, "server%d.out" % number)
                words = command(number, files, ports, level, log=log)
                with open(printed, "wb") as output:
                    processes.append(common.start(*words, output=output))
                try:
                    if not common.is_up(processes[-1], ports[number]):
                        raise ValueError("does not come up")
                    answer = try_server(number, level, url(number, ports), log)
                except (ValueError, OSError, HTTPException) as error:
                    fault = "  Server %d is at fault: %s %s. It printed:" % (number, files[number], error)
                    print(in_ascii(fault))
                    with open(printed, "rb") as output:
                        print(output.read()[-2000:].decode("ascii", "backslashreplace"), flush=True)
                    return False
                print(in_ascii("  Server %d answered %s" % (number, answer)), flush=True)
            return True
        finally:
            for process in processes:
                common.stop(process)


def try_server(number, level, address, log):
    """What the server answers to NAME. A ValueError says what is wrong with that, or with the log."""
    logged = len(read_lines(log))
    seconds = 3 * (4 - number)  # as long as the server that calls it waits, or longer for Server 1
    if level == 1:
        answer = fetch(address, seconds=seconds)
    elif number == 1:
        fields = re.findall("<input[^>]* name=[\"']?(\\w+)", fetch(address, seconds=seconds))
        if "nama" not in fields:
            raise ValueError("shows no form with a field nama")
        answer = fetch(address, urllib.parse.urlencode({field: NAME for field in fields}), seconds=seconds)
    else:
        answer = fetch(address, json.dumps({"nama": NAME}), "application/json", seconds)
    if number == 1:
        answer = "".join(html.unescape(pre) for pre in re.findall("<pre[^>]*>(.*?)</pre>", answer, re.S))
    try:
        status = json.loads(answer)["status"]
    except (ValueError, TypeError, LookupError):
        status = None
    echoed = level == 1 or number == 3 or NAME in answer
    if status != ("logged" if number == 3 else "success") or not echoed:
        raise ValueError("answers " + (answer or "nothing"))
    new = read_lines(log)[logged:]
    if level == 4 and not (len(new) == 1 and NAME in new[0]):
        raise ValueError("answers %s, but the new lines in the log are %s" % (answer, new))
    return answer


def fetch(address, data=None, content_type="application/x-www-form-urlencoded", seconds=10):
    """The text at a URL, sent to with POST if there is data. An error page is a text, too.

    OSError or HTTPException if there is none, or if the server is silent for so many seconds.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(address, data and data.encode(), {"Content-Type": content_type})
    try:
        with opener.open(request, timeout=seconds) as response:
            return response.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode("utf-8", "replace")


def read_lines(log):
    """The lines of the log, none if there is no such file yet."""
    if not os.path.exists(log):
        return []
    with open(log, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


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
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
