# SPDX-License-Identifier: 0BSD
"""Checks server files that somebody has changed: python tests/check.py FOLDER [FOLDER ...]

The files of a folder run among the kit's own servers, at each level that has them. Names are sent through; then the
server behind is stopped or cannot write, and nothing may claim a success. It uses ports that are free, and works on a
copy of the folder. Without a folder it checks the kit. It expands * itself, as the shell of Windows does not.
"""
import argparse
import contextlib
import glob
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from http.client import HTTPException
from urllib.error import HTTPError

KIT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, KIT)
import common  # noqa: E402
import run_all  # noqa: E402

WORDS = {1: "success", 2: "success", 3: "logged"}  # the status that each server answers
FOLDER_SECONDS = 27  # for all trials of a folder
ANSWER_SECONDS = 8   # for an answer; Server 1 may wait 6 for Server 2
TRIALS = []          # all that have begun
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # asks no proxy


class Fault(Exception):
    """What is wrong with a server file."""


def main():
    parser = argparse.ArgumentParser(description="Checks server files that somebody has changed.")
    parser.add_argument("folder", nargs="*", default=[KIT], help="with server1.py, server2.py or server3.py in it")
    folders = [folder for word in parser.parse_args().folder for folder in sorted(glob.glob(word)) or [word]]
    right = 0
    with ThreadPoolExecutor(3) as pool:
        try:
            for folder, (files, faults) in zip(folders, pool.map(check, folders)):
                right += not faults
                line = f"{'FAILED' if faults else 'OK':7} {folder:{max(map(len, folders))}}  "
                line += "\n    ".join(faults) or files
                print(line.encode("ascii", "backslashreplace").decode(), flush=True)
        except KeyboardInterrupt:  # the pool waits for the trials that run: end them
            for trial in TRIALS:
                trial.deadline = 0
                trial.kill()
            return 1
    if len(folders) > 1:
        print(f"{right} dari {len(folders)} OK")
    return right < len(folders)


def check(folder):
    """The names of the server files in a folder, and what is wrong: a sentence for each file that is at fault."""
    try:
        folder = find_servers(folder)
        numbers = [number for number in run_all.PATHS if os.path.isfile(os.path.join(folder, f"server{number}.py"))]
        if not numbers:
            return "", ["server1.py, server2.py, atau server3.py tidak ada di folder itu."]
        deadline = time.monotonic() + FOLDER_SECONDS
        faults = try_levels(folder, numbers, deadline)
        if faults and len(numbers) > 1:  # which of them is it?
            alone = [fault for number in numbers for fault in try_levels(folder, [number], deadline)]
            faults = alone if alone and time.monotonic() < deadline else faults
        return ", ".join(f"server{number}.py" for number in numbers), faults
    except Exception as error:  # the other folders are checked all the same
        return "", [f"tidak dapat diperiksa: {error!r}"]


def find_servers(folder):
    """The folder, or the only one in it that has server files: a ZIP often unpacks into one more."""
    inner = {os.path.dirname(file) for file in glob.glob(os.path.join(glob.escape(folder), "*", "server[123].py"))}
    return folder if glob.glob(os.path.join(glob.escape(folder), "server[123].py")) or len(inner) != 1 else inner.pop()


def try_levels(folder, numbers, deadline):
    """Try the files with these numbers together, among the kit's. Returns what is wrong: one sentence, or none."""
    for level, servers in run_all.SERVERS.items():
        own = [number for number in numbers if number in servers]
        fault = Trial(folder, level, own, deadline).run() if own else None
        if fault:
            return [", ".join(f"server{number}.py" for number in own) + f" (level {level}): {fault}"]
    return []


class Trial:
    """The servers of one level, some of them from the folder, the others the kit's."""

    def __init__(self, folder, level, own, deadline):
        self.folder = folder
        self.level = level
        self.own = own
        self.deadline = deadline
        self.processes = {}
        self.held = []
        self.ports = dict(zip(run_all.PATHS, common.free_ports(len(run_all.PATHS), self.held)))
        self.lines = ['{"nama":"yang lama"}']  # what has to be in the log
        self.readers = []
        self.printed = b""
        self.late = ""
        TRIALS.append(self)

    def run(self):
        """What is wrong with the folder's servers, and the end of what they printed; None if nothing is."""
        place = tempfile.mkdtemp()
        self.copy = os.path.join(place, "copy", "of")
        self.log = os.path.join(place, "log.txt")
        try:
            shutil.copytree(self.folder, self.copy, copy_function=shutil.copyfile, ignore_dangling_symlinks=True,
                            ignore=shutil.ignore_patterns(".*", "__pycache__"))
            with open(self.log, "w") as log:
                log.write(self.lines[0] + "\n")
            self.try_all()
        except (OSError, Fault) as error:
            self.stop()
            for reader in self.readers:  # until all that was printed is here
                reader.join(timeout=1)
            lines = self.printed.decode(errors="replace").replace(self.copy, self.folder).splitlines()[-8:]
            return "\n        ".join([self.late or str(error)] + lines)
        finally:
            self.stop()
            for udp in self.held:
                udp.close()
            shutil.rmtree(place, ignore_errors=True)

    def try_all(self):
        """Raises a Fault if one of the folder's servers does what it should not."""
        servers = run_all.SERVERS[self.level]
        last = servers[-1]
        self.start(*servers)
        for name in new_names():
            for number in sorted({1, *self.own}, reverse=True):  # 1: through all of them
                self.exchange(number, name)
        self.stop(last)
        self.expect_no_success(f"Server {last} sudah dihentikan", [number for number in self.own if number < last])
        if last == 3:
            log, self.log = self.log, self.copy  # a folder
            with contextlib.suppress(Fault):  # that it does not start then is as good
                self.start(3)
            self.expect_no_success("log tidak dapat ditulis", self.own)
            self.stop(3)
            self.log = log
            self.start(3)
            for number in self.own:
                self.exchange(number, new_names()[0])

    def start(self, *numbers):
        for number in numbers:
            file = os.path.join(self.copy if number in self.own else KIT, f"server{number}.py")
            words = run_all.command(number, file, self.ports, self.level) + (["--log", self.log] if number == 3 else [])
            self.processes[number] = common.start(*words, output=subprocess.PIPE, folder=self.copy)
            pipe = self.processes[number].stdout
            self.readers.append(threading.Thread(target=self.read, args=[pipe, number in self.own], daemon=True))
            self.readers[-1].start()
        for number in numbers:
            if not common.is_up(self.processes[number], self.ports[number], min(10, self.deadline - time.monotonic())):
                raise Fault(f"tidak dapat dijalankan, atau tidak membuka port {self.ports[number]} (dari --port)")

    def read(self, pipe, own):
        """Empty the pipe, and keep the end of what the folder's servers print."""
        with pipe:
            for piece in iter(lambda: pipe.read(65536), b""):
                if own:
                    self.printed = (self.printed + piece)[-2000:]

    def stop(self, *numbers):
        for number in numbers or list(self.processes):
            common.stop(self.processes.pop(number))

    def kill(self):  # whoever waits for an answer then gets an error
        self.late = f"tidak selesai menjawab dalam {ANSWER_SECONDS} detik"
        for process in list(self.processes.values()):
            process.kill()

    def exchange(self, number, name):
        """Send a name to a server, and look at its answer and at the log."""
        answer = self.send(number, name)
        if answer.get("status") != WORDS[number]:
            raise Fault(f"menjawab {answer or 'tanpa JSON'}, bukan status {WORDS[number]}")
        data = answer.get("data")
        if self.level == 1 and answer.get("message") != "Server 2 aktif":
            raise Fault(f"menjawab {answer}, bukan message Server 2 aktif")
        if self.level > 1 and number < 3 and not (isinstance(data, dict) and data.get("nama") == name):
            raise Fault(f"menjawab {answer}, padahal dikirim nama {name!r}")
        if 3 in run_all.SERVERS[self.level]:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                lines = log.read().splitlines()
            if lines[:-1] != self.lines:
                raise Fault(f"log.txt tidak bertambah tepat satu baris, tetapi menjadi {lines[-3:]}")
            if json.dumps(name)[1:-1] not in json.dumps(from_json(lines[-1])):
                raise Fault(f"baris baru di log.txt bukan JSON yang memuat nama {name!r}: {lines[-1]}")
            self.lines = lines

    def expect_no_success(self, what, numbers):
        for number in numbers:
            try:
                answer = self.send(number, "Budi")
            except Fault as fault:
                answer = {}
                if "gagal. Lihat pesan" in str(fault):  # a mistake in the program, which shows only now
                    raise
            if answer.get("status") == WORDS[number]:
                raise Fault(f"menjawab {answer}, padahal {what}")

    def send(self, number, name):
        """The JSON that a server answers to a name; Server 1 in its page."""
        url = run_all.url(number, self.ports)
        if number > 1:
            body = json.dumps({"nama": name}).encode() if self.level > 1 else None
            answer = from_json(self.ask(url, body))
            return answer if isinstance(answer, dict) else {}
        page = Page(self.ask(url))
        if self.level > 1:
            target = urllib.parse.urljoin(url, page.action)
            if "nama" not in page.fields or page.method != "post" or not target.startswith(url):
                raise Fault(f"tidak ada formulir dengan method post ke {url} dan isian nama, hanya: "
                            f"method {page.method} ke {target}, isian {list(page.fields)}")
            form = urllib.parse.urlencode(dict(page.fields, nama=name)).encode()
            page = Page(self.ask(target, form, "application/x-www-form-urlencoded"))
        return objects(page.shown)[-1]

    def ask(self, url, body=None, content_type="application/json"):
        """The text of an answer. A Fault if its status is an error."""
        timer = threading.Timer(min(ANSWER_SECONDS, self.deadline - time.monotonic()), self.kill)
        timer.start()
        try:
            with OPENER.open(urllib.request.Request(url, body, {"Content-Type": content_type})) as reply:
                return reply.read(200000).decode(errors="replace")
        except HTTPError as error:
            shown = " ".join(Page(error.read(200000).decode(errors="replace")).shown.split())
            raise Fault(f"menjawab dengan status HTTP {error.code}: {shown[-500:]}")
        except (OSError, HTTPException) as error:
            raise Fault(f"tidak menjawab dengan benar: {error!r:.200}")
        finally:
            timer.cancel()


class Page(HTMLParser):
    """What a browser shows of a page, and what it would send of the form in it."""

    def __init__(self, text):
        super().__init__()
        self.shown, self.method, self.action, self.fields, self.hidden = "", "", "", {}, False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.hidden = tag in ("style", "script", "title")
        if tag == "form" and "nama" not in self.fields:  # the first form that has it counts
            self.fields = {}
            self.method = (attributes.get("method") or "get").lower()
            self.action = attributes.get("action") or ""
        if tag in ("input", "select", "textarea", "button") and attributes.get("name"):
            self.fields[attributes["name"]] = attributes.get("value") or "20"

    def handle_endtag(self, tag):
        self.hidden = False

    def handle_data(self, data):
        self.shown += "" if self.hidden else data


def objects(text):
    """The JSON objects in a text that have a status, and an empty one before them."""
    found = [{}]
    for brace in re.finditer("{", text):
        with contextlib.suppress(ValueError, RecursionError):
            value, _ = json.JSONDecoder().raw_decode(text, brace.start())
            found += [value] if "status" in value else []
    return found


def from_json(text):
    """What the JSON stands for; an empty object if it is none."""
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(text)
    return {}


def new_names():
    """A plain name, one with letters beyond ASCII and what HTML escapes, a long one."""
    letters = "".join(random.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(10))
    return ["Siti " + letters, f"Zo\u00eb < 3 & \"{letters}\" 'Ani' \u738b", "Budi " * 20 + letters]


if __name__ == "__main__":
    sys.exit(main())
