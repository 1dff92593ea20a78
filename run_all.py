# SPDX-License-Identifier: 0BSD
"""All servers of a level in one terminal, each in a process of its own.

Run:  python run_all.py             (--help shows the options; Ctrl+C stops all)
Try:  http://127.0.0.1:8000/ in a browser; then type 3 and Enter here, which stops Server 3
"""
import argparse
import contextlib
import errno
import os
import queue
import signal
import socket
import sys
import threading
import webbrowser

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, FOLDER)  # some Pythons do not look beside the program
try:
    import common
except ImportError:
    sys.exit(f"run_all: common.py tidak ada di {FOLDER}. Ekstrak dulu seluruh file ZIP.")

SERVERS = {1: [1, 2], 2: [1, 2], 3: [1, 2], 4: [1, 2, 3]}  # of each level
PATHS = {1: "/", 2: "/api.php", 3: "/log.php"}


def main():
    """Runs the servers until Ctrl+C (returns 0), or until the last of them has ended by itself (1)."""
    parser = argparse.ArgumentParser(description="All servers of a level in one terminal.")
    parser.add_argument("--level", type=int, choices=SERVERS, default=max(SERVERS),
                        help="of the tutorial (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000,
                        help="of Server 1; the others have the next ones (default: 8000)")
    parser.add_argument("--bind", metavar="ADDRESS", default="127.0.0.1", choices=["127.0.0.1", "0.0.0.0"],
                        help="where Server 1 listens (default: 127.0.0.1); 0.0.0.0 lets other machines in")
    parser.add_argument("--from", dest="folder", metavar="FOLDER", default=FOLDER,
                        help="take the server files that are in it from there")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    options = parser.parse_args()
    ports = {number: options.port + number - 1 for number in SERVERS[options.level]}
    files = find_files(options.folder, ports)
    claims = [claim(port) for port in ports.values()]  # kept until the end
    if os.name == "posix":
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)  # run_all.py &: goes on, without keys
    commands = {number: command(number, files[number], ports, options.level) for number in ports}
    commands[1] += ["--bind", options.bind]
    terminal = Terminal(ports, commands)
    status = 1
    try:
        terminal.start_all()
        terminal.say(f"Semua server siap. Buka {url(1, ports)} di browser.")
        if options.open:
            webbrowser.open(url(1, ports))
        terminal.serve()
    except KeyboardInterrupt:
        status = 0
    finally:
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl+C changes nothing
        terminal.end()
        signal.signal(signal.SIGINT, handler)  # in IDLE, Spyder and IPython, Python goes on
        for one in claims:
            one.close()
        if terminal.printer.is_alive():  # nobody reads what it prints: Python's own end could wait for it
            os._exit(status)
    return status


def find_files(folder, numbers):
    """{number: server file}, from the folder if it is there, else the kit's. Exits if there is none in the folder."""
    own = {number: os.path.join(folder, f"server{number}.py") for number in numbers}
    files = {number: file for number, file in own.items() if os.path.isfile(file)}
    if not files:
        sys.exit(f"run_all: tidak ada server1.py, server2.py, atau server3.py di folder {folder}.")
    return {number: files.get(number, os.path.join(FOLDER, f"server{number}.py")) for number in numbers}


def command(number, file, ports, level):
    """A server file, and its options, for common.start."""
    words = [file, "--port", ports[number]] + (["--level", level] if number < 3 else [])
    if number == 1:
        words += ["--api-url", url(2, ports)]
    if number == 2 and 3 in ports:
        words += ["--log-url", url(3, ports)]
    return words


def url(number, ports):
    """The URL of a server."""
    return f"http://127.0.0.1:{ports[number]}{PATHS[number]}"


def claim(port):
    """A UDP socket at the port, which keeps a second run_all from it. Exits if a server could not have the port."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        udp.bind(("127.0.0.1", port))
        for family, host in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):  # php -S localhost may be at ::1
            with socket.socket(family) as tcp:
                if os.name == "posix":
                    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tcp.bind((host, port))
    except (OSError, OverflowError) as error:
        if getattr(error, "errno", None) not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):  # a machine without ::1
            sys.exit(f"run_all: port {port} tidak dapat dipakai ({error}). Jika program ini masih berjalan di terminal "
                     "lain, hentikan dulu, atau pakai port lain, misalnya --port 8010.")
    return udp


class Terminal:
    """The servers that run, what they print, and the keys that stop, start and hang them.

    All print into one pipe, so that lines keep the order in which they were written. It is emptied into a queue, and
    printed from there: a terminal that stands still holds up no server.
    """

    def __init__(self, ports, commands):
        self.ports = ports        # {number: port}
        self.commands = commands  # {number: [file, option, ...]}
        self.processes = {}       # {number: Popen} of those that run
        self.hanging = set()      # the numbers of those that hang
        self.keys = queue.Queue()
        self.lines = queue.Queue()
        pipe, self.output = os.pipe()
        self.printer = threading.Thread(target=self.print_lines, daemon=True)
        self.printer.start()
        threading.Thread(target=self.read_lines, args=[pipe], daemon=True).start()

    def start_all(self):
        """Starts the servers and waits until they are up. Exits if one does not come up."""
        for number in self.commands:
            self.start(number)
        for number, process in self.processes.items():
            if not common.is_up(process, self.ports[number]):
                self.say(f"Server {number} gagal dijalankan di port {self.ports[number]}. Lihat pesan di atas.")
                sys.exit(1)
        last = max(self.commands)
        self.say(f"Ketik {last} lalu Enter: Server {last} berhenti; sekali lagi: berjalan lagi.")
        self.say(f"Ketik p{last} lalu Enter: Server {last} macet (tidak membalas); sekali lagi: membalas.")
        self.say("Tekan Ctrl+C: semuanya berhenti.")

    def serve(self):
        """Does what is typed, until the last server has ended by itself."""
        threading.Thread(target=self.read_keys, daemon=True).start()
        while True:
            with contextlib.suppress(queue.Empty):
                self.press(self.keys.get(timeout=0.2))
            for number in [number for number, process in self.processes.items() if process.poll() is not None]:
                self.forget(number)
                self.say(f"Server {number} berhenti sendiri. Ketik {number} lalu Enter untuk menjalankannya lagi.")
                if not self.processes:
                    return

    def press(self, key):
        """Does what a typed line stands for."""
        number = int(key[-1]) if key[-1:].isdecimal() else 0
        if number not in self.commands or key[:-1] not in ("", "p"):
            self.say("Yang bisa diketik: " + ", ".join(f"{number}, p{number}" for number in self.commands))
        elif number not in self.processes:
            self.start(number)
        elif key[:-1] == "":
            common.stop(self.forget(number))
            self.say(f"Server {number} dihentikan. Ketik {number} lalu Enter untuk menjalankannya lagi.")
        else:
            common.hang(self.processes[number])
            self.hanging ^= {number}  # in if it was not, else out
            says = "macet: menerima koneksi, tetapi tidak membalas" if number in self.hanging else "membalas lagi"
            self.say(f"Server {number} {says}.")

    def start(self, number):
        self.processes[number] = common.start(*self.commands[number], output=self.output)

    def forget(self, number):
        """Takes a server out of those that run. Returns its process."""
        self.hanging.discard(number)
        return self.processes.pop(number)

    def end(self):
        """Ends all servers, and prints what is left to print, for a second at the most."""
        for number in list(self.processes):
            common.stop(self.forget(number))
        os.close(self.output)
        self.printer.join(timeout=1)

    def say(self, text):
        """Prints a line, behind those that the servers have printed by now."""
        os.write(self.output, f"run_all: {text}\n".encode("ascii", "backslashreplace"))

    def read_keys(self):
        with contextlib.suppress(OSError, ValueError):  # in the background of a terminal; no letters
            for line in sys.stdin or []:  # None: it is closed
                self.keys.put(line.strip().lower())
                if not self.processes:  # the end: in IPython, further lines are not ours
                    break

    def read_lines(self, pipe):
        with open(pipe, encoding="ascii", errors="backslashreplace") as output:
            for line in iter(lambda: output.readline(1000), ""):
                if self.lines.qsize() < 10000:  # beyond, what a terminal that stands still can't show is lost
                    self.lines.put(line)
        self.lines.put("")

    def print_lines(self):
        for line in iter(self.lines.get, ""):
            with contextlib.suppress(OSError):  # the terminal is gone
                if sys.stdout and sys.stdout is sys.__stdout__:  # not by print: at its end, Python would wait for it
                    os.write(sys.stdout.fileno(), line.encode())
                else:  # IDLE, Spyder
                    print(line, end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
