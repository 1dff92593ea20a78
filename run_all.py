# SPDX-License-Identifier: 0BSD
"""All servers of a level in one terminal, each in a process of its own.

Run:  python run_all.py             (python run_all.py --help shows the rest)
Try:  http://127.0.0.1:8000/ in a browser; then 3 and Enter, which stops Server 3
"""
import argparse
import html
import json
import os
import queue
import re
import shutil
import socket
import subprocess
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
NAME = "Siti Nurhaliza"  # what --check sends

sys.dont_write_bytecode = True  # leaves the folder as it is
try:
    import common
except ImportError:
    sys.exit("run_all: common.py is not beside run_all.py. If this is inside a ZIP file, "
             "extract all of it first, and start run_all.py in the new folder.")


def main():
    """Read the command line and do what it says. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--level", type=int, choices=LEVELS,
                        help="of the tutorial (default: 4; with --check: all)")
    parser.add_argument("--bind", metavar="ADDRESS", default="127.0.0.1",
                        help="where Server 1 listens; 0.0.0.0 lets other machines in")
    parser.add_argument("--port", type=int, default=8000,
                        help="of Server 1, the others take the next ones (default: 8000; 0: free ones)")
    parser.add_argument("--log", metavar="FILE", help="of Server 3 (default: log.txt beside server3.py)")
    parser.add_argument("--from", dest="folder", metavar="FOLDER",
                        help="take the server files that are in it from there")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument("--check", action="store_true",
                        help="send a name through each level, say how it went, and end")
    options = parser.parse_args()
    if not 0 <= options.port <= 65533:
        parser.error("--port must be from 0 to 65533")
    try:
        common.free_ports(1, options.bind)
    except OSError as error:
        parser.error("--bind: this machine has no address %s (%s)" % (options.bind, error))
    files = find_files(options.folder)
    if options.check:
        return check([options.level] if options.level else LEVELS, files)
    level = options.level or 4
    ports = choose_ports(options.port, LEVELS[level], options.bind)
    commands = {number: command(number, files, ports, level, options.bind, options.log) for number in ports}
    return Terminal(commands).run(ports, options.bind, options.open)


def find_files(folder):
    """{number: path} of the server files: from the folder where it has them, else from the kit."""
    files = {number: os.path.join(FOLDER, "server%d.py" % number) for number in PATHS}
    own = {number: os.path.join(folder or FOLDER, "server%d.py" % number) for number in PATHS}
    own = {number: path for number, path in own.items() if os.path.isfile(path)}
    if not own:
        fail("there is no server1.py, server2.py or server3.py in %s." % (folder or FOLDER))
    files.update(own)
    for path in files.values():
        if not os.path.isfile(path):
            fail("there is no %s." % path)
    return files


def command(number, files, ports, level, bind="127.0.0.1", log=None):
    """The file of a server and its options, as common.start takes them."""
    words = [files[number], "--port", str(ports[number])]
    if number == 1:
        words += ["--level", str(level), "--bind", bind, "--api-url", url(2, ports)]
    elif number == 2:
        words += ["--level", str(level)]
        words += ["--log-url", url(3, ports)] if 3 in ports else []
    elif log:
        words += ["--log", log]
    return words


def url(number, ports, host="127.0.0.1"):
    """The URL of a server."""
    return "http://%s:%d%s" % (host, ports[number], PATHS[number])


def choose_ports(first, numbers, bind):
    """{number: port}, all free. If one is taken, exits with a command that would work."""
    if first == 0:
        return dict(zip(numbers, common.free_ports(len(numbers))))
    deadline = time.monotonic() + 3  # an IDE's Stop and Run leaves them taken for a moment
    port = taken(first, numbers, bind)
    while port and time.monotonic() < deadline:
        time.sleep(0.1)
        port = taken(first, numbers, bind)
    if not port:
        return {number: first + number - 1 for number in numbers}
    free = next(other for other in range(8000, 65000, 10) if not taken(other, numbers, bind))
    rest = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    rest.add_argument("--port")
    words = [sys.argv[0]] + rest.parse_known_args()[1] + ["--port", str(free)]
    fail("port %d cannot be had, another program may have it. Stop that one, or run: %s"
         % (port, command_line(words)))


def command_line(words):
    """What to type to run Python with these words."""
    python = os.path.basename(sys.executable)
    return subprocess.list2cmdline([python if shutil.which(python) else sys.executable] + words)


def taken(first, numbers, bind):
    """The first port that a server could not have; None if there is none.

    A program at [::1] counts: browsers look for localhost there first, and would show its page.
    """
    for number in numbers:
        port = first + number - 1
        with socket.socket() as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((bind if number == 1 else "127.0.0.1", port))
            except OSError:
                return port
        try:
            socket.create_connection(("::1", port), timeout=0.2).close()
            return port
        except OSError:
            pass
    return None


class Terminal:
    """The servers of a level in one terminal.

    They print into one pipe, and so does say(): lines keep the order in which they were written.
    A thread empties the pipe into a queue. So a terminal that stands still holds up the printing,
    and no server.
    """

    def __init__(self, commands):
        """commands: {number: [file, option, ...]}, as command() gives them."""
        self.commands = commands
        self.processes = {}  # {number: Popen} of those that run
        self.lines = queue.Queue()
        self.keys = queue.Queue()
        self.pipe, self.output = os.pipe()

    def run(self, ports, bind, browser):
        """Start the servers, then print what they print, until Ctrl+C. Returns the exit status.

        It is 1 if a server does not come up, or when the last one has ended by itself.
        """
        threading.Thread(target=self.read_pipe, daemon=True).start()
        try:
            everywhere = bind in ("", "0.0.0.0")
            hosts = dict.fromkeys(ports, "127.0.0.1")
            hosts[1] = "127.0.0.1" if everywhere else bind
            for number in ports:
                self.start(number)
            for number in ports:
                if not common.is_up(self.processes[number], ports[number], hosts[number]):
                    self.say("Server %d did not come up: %s" % (number, self.commands[number][0]))
                    return self.end(1)
            self.say("all servers are up. Open %s in a browser" % url(1, ports, hosts[1]))
            if bind != "127.0.0.1":
                self.say("on other machines %s" % url(1, ports, lan_address() if everywhere else bind))
            last = max(ports)
            self.say("%d and Enter stops Server %d, %d and Enter starts it again, the others likewise;"
                     " Ctrl+C ends all" % (last, last, last))
            if browser:  # in a thread, for some browsers keep their caller until they are closed
                threading.Thread(target=webbrowser.open, args=[url(1, ports, hosts[1])], daemon=True).start()
            if sys.stdin:
                threading.Thread(target=self.read_keys, daemon=True).start()
            while self.serve():
                pass
            return self.end(1)
        except KeyboardInterrupt:
            return 0
        except BrokenPipeError:  # nobody reads any more
            return 1
        finally:
            for process in self.processes.values():
                common.stop(process)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a full pipe did not take is given up

    def start(self, number):
        """Start a server."""
        self.processes[number] = common.start(*self.commands[number], output=self.output)

    def serve(self):
        """One round: print a line, do what was typed, see who has ended. False if none is left."""
        try:
            print(self.lines.get(timeout=0.1), flush=True)
        except queue.Empty:
            pass
        if not self.keys.empty():
            self.press(self.keys.get())
        for number, process in list(self.processes.items()):
            if process.poll() is not None:
                del self.processes[number]
                self.say("Server %d ended with exit status %d. To start it again: %d and Enter, or %s"
                         % (number, process.returncode, number, command_line(self.commands[number])))
                if not self.processes:
                    return False
        return True

    def press(self, key):
        """Stop or start the server whose number was typed."""
        number = int(key) if key.isdigit() else 0
        if number not in self.commands:
            self.say("%s? Type the number of a server and Enter" % key)
        elif number in self.processes:
            common.stop(self.processes.pop(number))
            self.say("Server %d is stopped; %d and Enter starts it again" % (number, number))
        else:
            self.start(number)

    def end(self, status):
        """Stop what still runs and print all that is left to print. Returns the status."""
        for process in self.processes.values():
            common.stop(process)
        os.close(self.output)
        for line in iter(self.lines.get, None):
            print(line, flush=True)
        return status

    def say(self, text):
        """Print a line, behind those that the servers have printed by now."""
        os.write(self.output, in_ascii("run_all: %s\n" % text).encode())

    def read_pipe(self):
        """Queue the lines that are printed; None after the last."""
        with open(self.pipe, "rb") as pipe:
            for line in pipe:
                self.lines.put(line.decode("ascii", "backslashreplace").rstrip())
        self.lines.put(None)

    def read_keys(self):
        """Queue the words that are typed, until the input is closed."""
        for typed in iter(lambda: os.read(0, 1024), b""):  # why not sys.stdin: see common.py
            for word in typed.decode("ascii", "replace").split():
                self.keys.put(word)


def lan_address():
    """The address at which other machines find this one, or its name if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing, but chooses the address to send from
            return probe.getsockname()[0]
        except OSError:
            return socket.gethostname()


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


def in_ascii(text):
    """The text with an escape for each letter that not every console takes."""
    return text.encode("ascii", "backslashreplace").decode()


def fail(text):
    """Say what is wrong, and exit with status 1."""
    sys.exit(in_ascii("run_all: " + text))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(1)
