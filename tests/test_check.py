# SPDX-License-Identifier: 0BSD
"""tests/check.py: small hand-ins, right ones and ones with a single fault, and what is said of them."""
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from conftest import KIT, as_in_a_terminal, posix, wait_until

# Three hand-ins that have nothing of the kit's code. The tables below edit them.
HEAD = '''import html, json, os, sys, time, urllib.parse, urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

OPTIONS = dict(zip(sys.argv[1::2], sys.argv[2::2]))
LEVEL = OPTIONS.get("--level")
URL = OPTIONS.get("--api-url", OPTIONS.get("--log-url"))

def call(data):
    request = urllib.request.Request(URL, data, {"Content-Type": "application/json"})
    return urllib.request.urlopen(request, timeout=5).read().decode()

class Handler(BaseHTTPRequestHandler):
    def body(self):
        return self.rfile.read(int(self.headers["Content-Length"])).decode()

    def answer(self, text, kind="application/json", status=200):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

'''
END = '\nHTTPServer(("127.0.0.1", int(OPTIONS["--port"])), Handler).serve_forever()\n'
SERVERS = {
    1: HEAD + '''    def do_GET(self, data=None):
        text = ""
        if data or LEVEL == "1":
            try:
                text = call(data)
            except OSError as error:
                text = "Gagal: %s" % error
        self.answer('<form method="post"><input name="nama"></form><pre>' + html.escape(text) + "</pre>", "text/html")

    def do_POST(self):
        post = urllib.parse.parse_qs(self.body())
        self.do_GET(json.dumps({"nama": post["nama"][0]}).encode())
''' + END,
    2: HEAD + '''    def do_GET(self):
        self.answer('{"status": "success", "message": "Server 2 aktif"}')

    def do_POST(self):
        data = json.loads(self.body())
        try:
            logged = LEVEL != "4" or json.loads(call(json.dumps(data).encode()))["status"] == "logged"
        except OSError as error:
            logged = False
        answer = {"status": "success", "data": data} if logged else {"status": "error"}
        self.answer(json.dumps(answer), status=200 if logged else 502)
''' + END,
    3: HEAD + '''    def do_POST(self):
        data = json.loads(self.body())
        with open(OPTIONS["--log"], "a") as file:
            file.write(json.dumps(data) + "\\n")
        self.answer('{"status": "logged"}')
''' + END,
}
KITS = {number: pathlib.Path(KIT, f"server{number}.py").read_text(encoding="utf-8") for number in SERVERS}


def hand_in(number, *edits, of=SERVERS):
    """{file: text} of one of the servers, with the edits made: what is replaced, by what, what is replaced, ..."""
    text = of[number]
    for old, new in zip(edits[::2], edits[1::2]):
        assert old in text
        text = text.replace(old, new)
    return {f"server{number}.py": text}


LENGTH = '        self.send_header("Content-Length", str(len(body)))\n'
OUT = "        self.wfile.write(body)\n"
OPEN = '        with open(OPTIONS["--log"], "a") as file:\n'
WRITE = '            file.write(json.dumps(data) + "\\n")\n'
LOGGED = """        self.answer('{"status": "logged"}')\n"""
SHOWN = "html.escape(text)"
CHUNKED = (LENGTH, '        self.send_header("Transfer-Encoding", "chunked")\n',
           OUT, '        self.wfile.write(b"%x\\r\\n%s\\r\\n0\\r\\n\\r\\n" % (len(body), body))\n',
           "    def body", "    protocol_version = 'HTTP/1.1'\n\n    def body")
MORE = '"nama": post', '"kelas": post["kelas"], "nama": post'
OK = ""
# (name, {path: text or bytes}, OK or a part of what is said); a right one stands above the wrong ones that are like it
HAND_INS = [
    ("=Zo\u00eb, plain 3", hand_in(3), OK),
    ("ok for logged", hand_in(3, '"logged"', '"ok"'), "(level 4): menjawab {'status': 'ok'}, bukan status logged"),
    ("deletes all", hand_in(3, LOGGED, "        __import__('shutil').rmtree('.', True); os._exit(3)\n"), "RemoteDis"),
    ("a time, and CRLF", hand_in(3, "dumps(data)", "dumps({'waktu': time.ctime(), 'isi': [data]})", "\n", "\r\n"), OK),
    ("a constant name", hand_in(3, "dumps(data)", "dumps({'nama': 'Budi'})"), "bukan JSON yang memuat nama 'Siti"),
    ("a name cut", hand_in(3, "dumps(data)", "dumps(data['nama'][:100])"), "bukan JSON yang memuat nama 'Budi Budi"),
    ("no JSON", hand_in(3, "(json.dumps(data)", "(str(data)"), "bukan JSON yang memuat nama 'Siti"),
    ("a line in UTF-8", hand_in(3, '"a"', '"a", encoding="utf-8"', "dumps(data", "dumps(data, ensure_ascii=False"), OK),
    ("letters lost", hand_in(3, "dumps(data)", "dumps(ascii(data['nama']))"), "bukan JSON yang memuat nama 'Zo\\xeb"),
    ("holds the log open", hand_in(3, OPEN + WRITE, WRITE[4:] + "        file.flush()\n", "URL =",
                                   'file = open(OPTIONS["--log"], "a")\nURL ='), OK),
    ("a log emptied first", hand_in(3, "URL =", 'open(OPTIONS["--log"], "w").close()\nURL ='), "tepat satu baris"),
    ("a line twice", hand_in(3, WRITE, WRITE + WRITE), "tepat satu baris"),
    ("no newline", hand_in(3, ' + "\\n")', ")"), "tepat satu baris"),
    ("answers before it writes", hand_in(3, LOGGED, "", OPEN, LOGGED + "        self.connection.shutdown(1)\n"
                                         "        time.sleep(0.5)\n" + OPEN), """menjadi ['{"nama":"yang lama"}']"""),
    ("logged, come what may", hand_in(3, OPEN + WRITE, "        try:\n    " + OPEN + "    " + WRITE + "        except "
                                      "OSError: pass\n"), "menjawab {'status': 'logged'}, padahal log tidak dapat"),
    ("status 201", hand_in(3, "status=200", "status=201"), "Server 3 menjawab 201"),
    ("endless", hand_in(3, LENGTH, "", OUT, "        while True: self.wfile.write(bytes(65536))\n"), "tanpa JSON"),
    ("slow, prints", hand_in(3, "URL =", "print('x' * 100000 + '\u738b'); time.sleep(2)\nURL ="), OK),
    ("prints, fails", hand_in(3, "URL =", "print('\u738b')\nURL =", '"logged"', '"ok"'), "\n        \\u738b"),
    ("a SyntaxError", hand_in(3, "POST(self):", "POST(self:"), os.path.join("a SyntaxError", "server3.py") + '", line'),
    ("chunked, and a BOM", hand_in(3, *CHUNKED, "import html", "\ufeffimport html"), OK),
    ("Latin-1 that is named", {"server3.py": b"# coding: latin-1\n# caf\xe9\n" + SERVERS[3].encode()}, OK),
    ("Latin-1", {"server3.py": b"# caf\xe9\n" + SERVERS[3].encode()}, "SyntaxError: "),
    ("a wrong message", hand_in(2, "2 aktif", "3 aktif"), "(level 1): menjawab {'status': 'success', 'message': 'Serv"),
    ("does not call", hand_in(2, 'LEVEL != "4"', "True"), "tepat satu baris"),
    ("level 3 is wrong", hand_in(2, 'LEVEL != "4"', 'LEVEL == "2"'), "(level 3): menjawab dengan status HTTP 502"),
    ("a traceback", hand_in(2, "dumps(answer", "dumps(answer, indent=4", LENGTH, "", "except OS", "except Value"), OK),
    ("data in a string", hand_in(2, '"data": data}', '"data": str(data)}'), "padahal dikirim nama 'Siti"),
    ("another field", hand_in(2, '"data": data}', '"data": {"name": data["nama"]}}'), "'data': {'name': 'Siti"),
    ("no server is well", hand_in(2, "= False", "= not hasattr(error, 'code')"), "padahal Server 3 sudah dihentikan"),
    ("status 500 is well", hand_in(2, "= False", "= hasattr(error, 'code')"), "padahal log tidak dapat ditulis"),
    ("gives up for ever", hand_in(2, "logged = False", "logged = Handler.do_POST = None"), "'NoneType' object"),
    ("an error in words", hand_in(1, '"Gagal: %s" % error', '"tidak success"', SHOWN, "text"), OK),
    ("does not ask", hand_in(1, "= call(data)", '= json.dumps({"status": "success", "message": "Server 2 aktif"})'),
     "(level 1): menjawab {'status': 'success', 'message': 'Server 2 aktif'}, padahal Server 2 sudah dihentikan"),
    ("status 502 is well", hand_in(1, '"Gagal: %s" % error', """'{"status": "success"}' * hasattr(error, "code")"""),
     "(level 4): menjawab {'status': 'success'}, padahal Server 3 sudah dihentikan"),
    ("laid out anew", hand_in(1, SHOWN, '"{}</pre><PRE class=a>" + (json.dumps(json.loads(text), indent=2, ensure_'
                              'ascii=False) if text[:1] == "{" else text) + "</pre><script>{}</script>"'), OK),
    ("shows it to nobody", hand_in(1, SHOWN, '"<script>" + text + "</script>"'), "tanpa JSON"),
    ("escapes twice", hand_in(1, SHOWN, "html.escape(html.escape(text))"), "tanpa JSON"),
    ("more fields", hand_in(1, '<input name="nama">', "<INPUT NAME=nama><select name=a></select><textarea name=b>"
     "</textarea><button name=c>", '"nama": post', '"x": post["a"] + post["b"] + post["c"], "nama": post'), OK),
    ("no field nama", hand_in(1, 'name="nama"', 'name="name"'), "isian ['name']"),
    ("to a path", hand_in(1, "<form", '<form action="/a"', "post =", "assert self.path == '/a'; post =", *CHUNKED), OK),
    ("to port 8000", hand_in(1, "<form", '<form action="http://127.0.0.1:8000/"'), "post ke http://127.0.0.1:8000"),
    ("a redirection", hand_in(
        1, "self.do_GET(json", "self.send_response(303); self.send_header('Location', '/'); self.end_headers(); "
        "Handler.last = (json", 'text = ""', 'text, data, Handler.last = "", getattr(self, "last", None), None'), OK),
    ("a form with GET", hand_in(1, ' method="post"', ""), "method get ke http"),
    ("a copy with a field", hand_in(1, *MORE, 'method="post">', 'method="post"><input name="kelas">', of=KITS), OK),
    ("a copy without it", hand_in(1, *MORE, of=KITS), "Isian kelas tidak ada"),
    ("a copy with a NameError in except", hand_in(
        2, "    file_get_contents(LOG", "    try:\n        file_get_contents(LOG", '"logged")\n',
        '"logged")\n    except Failure:\n        time.sleep(1)\n', of=KITS), "NameError: name 'time' is not"),
    ("all three", {**hand_in(1), **hand_in(2), **hand_in(3)}, OK),
    ("one of two", {**hand_in(2), **hand_in(3, "json_encode(data) +", "json_encode(x) +", of=KITS)}, "name 'x' is not"),
    ("two of three", {**hand_in(1, '"nama"', '"x"'), **hand_in(2), **hand_in(3, '"logged"', '"ok"')}, "server1.py"),
    ("empty", {}, "tidak ada di folder itu"),
    ("other files", {"tugas.py": SERVERS[3], "server3.py/isi.txt": "a folder"}, "tidak ada di folder itu"),
    ("one deeper", {"tugas/server3.py": SERVERS[3]}, OK),
    ("two folders", {"a/server3.py": SERVERS[3], "b/server3.py": SERVERS[3]}, "tidak ada di folder itu"),
    ("more files", {"isi.py": "open('a.txt')", "a.txt": "", "log.txt": '{"nama":"seteng', **hand_in(
        3, "import html", "import isi, html")}, OK),
]
SLOW = [  # in the order of their names
    ("dripping", hand_in(3, LENGTH, "        while True: self.wfile.write(b'H'); time.sleep(0.3)\n"), "dalam 8 detik"),
    ("flood", hand_in(3, "URL =", "while True: print('x')\nURL ="), "tidak membuka port"),
    ("hangs if Server 3 fails", hand_in(2, "logged = False", "time.sleep(60)"), "tidak selesai menjawab dalam 8 detik"),
    ("input()", hand_in(3, "URL =", "input('Port? ')\nURL ="), "EOFError: "),
    ("long lines", hand_in(3, "URL =", "for _ in '12' * 9: print('x' * 10 ** 7)\ntime.sleep(60)\nURL ="), "port"),
    ("loop", hand_in(3, "URL =", "while True: pass\nURL ="), "tidak membuka port"),
    ("silent", hand_in(3, LOGGED, "        time.sleep(60)\n"), "tidak selesai menjawab dalam 8 detik"),
]


class Run:
    """check.py in a process of its own, in a folder with hand-ins; its temporary files go into another folder."""

    def __init__(self, place, hand_ins, *words, **environment):
        self.folder, self.temporary = place / "tugas", place / "sementara"
        for name, files, _ in hand_ins:
            (self.folder / name).mkdir(parents=True)
            for path, content in files.items():
                path = self.folder / name / path
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.before = everything(self.folder)
        self.temporary.mkdir()
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(KIT, "tests", "check.py"), *words], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=str(self.folder),
            env={**os.environ, **dict.fromkeys(["TMPDIR", "TEMP", "TMP"], str(self.temporary)), "no_proxy": "*",
                 **environment}, preexec_fn=as_in_a_terminal if os.name == "posix" else None)
        self.lines, self.times, self.memory = [], [time.monotonic()], 0
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()

    def watch(self):
        with self.process.stdout:
            for line in self.process.stdout:
                self.lines.append(line.decode(errors="replace").rstrip("\r\n"))
                self.times.append(time.monotonic())
        if os.name == "posix":
            import resource
            _, status, usage = os.wait4(self.process.pid, 0)
            self.process.returncode = os.WEXITSTATUS(status)
            ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # a child begins with as much
            self.memory = (usage.ru_maxrss - ours) // (1024 if sys.platform == "darwin" else 1)  # KB
        self.status = self.process.wait()

    def end(self):
        """Wait for its end. blocks: what it says of each hand-in, and the last line."""
        self.watcher.join(timeout=600)
        self.blocks = re.split(r"\n(?! )", "\n".join(self.lines))
        return self


def everything(folder):
    """{path: (time of the last change, content)} of all that is in the folder."""
    return {path: (path.stat().st_mtime, path.is_file() and path.read_bytes()) for path in folder.rglob("*")}


@pytest.fixture(scope="module", autouse=True)
def runs(tmp_path_factory):
    """The runs of HAND_INS and of SLOW."""
    runs = [Run(tmp_path_factory.mktemp("hand_ins"), HAND_INS, *(name for name, _, _ in HAND_INS))]
    if os.name == "nt":  # processes start slowly: one after the other
        runs[0].end()
    runs.append(Run(tmp_path_factory.mktemp("slow"), SLOW, "*"))
    yield runs
    for run in runs:
        run.process.kill()


@pytest.fixture(scope="module")
def said(runs):
    """{name of a hand-in: what is said of it}"""
    return {row[0]: text for run, rows in zip(runs, (HAND_INS, SLOW)) for row, text in zip(rows, run.end().blocks)}


def test_the_kit_itself_is_ok_and_no_proxy_is_asked(tmp_path):
    run = Run(tmp_path, [("tugas", {}, OK)], http_proxy="http://127.0.0.1:9", no_proxy="").end()
    assert (run.status, run.lines) == (0, [f"OK      {KIT}  server1.py, server2.py, server3.py"])


@posix
def test_what_a_file_has_started_is_ended_with_it(tmp_path):
    edits = "URL =", """import subprocess
print('child', subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid)\nURL ="""
    run = Run(tmp_path, [("a", hand_in(3, *edits), OK), ("b", hand_in(3, "logged", "x", *edits), "")], "a", "b").end()
    pid = re.search(r"\n        child (\d+)\n", run.blocks[1]).group(1)
    assert run.lines[0] == "OK      a  server3.py"
    assert wait_until(lambda: subprocess.call(["kill", "-0", pid], stderr=subprocess.DEVNULL), seconds=5)


@posix
def test_ctrl_c_ends_it_quietly(tmp_path):
    run = Run(tmp_path, [("a", hand_in(3, "URL =", "open('ada', 'w'); time.sleep(60)\nURL ="), "")], "a")
    assert wait_until(lambda: list(run.temporary.rglob("ada")))
    run.process.send_signal(signal.SIGINT)
    assert (run.end().status, run.lines, os.listdir(str(run.temporary))) == (1, [], [])


@pytest.mark.parametrize("name, files", [row[:2] for row in HAND_INS if row[2] == OK])
def test_what_is_right_is_ok(said, name, files):
    servers = sorted(os.path.basename(path) for path in files if "server" in path)
    assert re.split("  +", said[name]) == ["OK", ascii(name)[1:-1], ", ".join(servers)]


@pytest.mark.parametrize("name, reason", [row[::2] for row in HAND_INS + SLOW if row[2] != OK])
def test_what_is_wrong_is_failed_with_its_reason(said, name, reason):
    assert said[name].startswith(f"FAILED  {name}  ") and reason in said[name]


@pytest.mark.skipif(os.name == "nt", reason="where processes start slowly, no time is left to try each file alone")
def test_each_file_is_blamed_for_its_own_fault(said):
    blamed = [re.findall(r"(server\d\.py) \(level \d\): ", said[name]) for name in ("one of two", "two of three")]
    assert blamed == [["server3.py"], ["server1.py", "server3.py"]]


def test_there_is_a_line_for_each_in_the_order_given_and_then_how_many_are_ok(runs):
    run, right = runs[0].end(), sum(reason == OK for _, _, reason in HAND_INS)
    assert [re.split("  +", text)[1] for text in run.blocks[:-1]] == [ascii(name)[1:-1] for name, _, _ in HAND_INS]
    assert (run.status, run.blocks[-1]) == (1, f"{right} dari {len(HAND_INS)} OK") and "".join(run.lines).isascii()


def test_what_takes_long_or_prints_much_is_ended_in_time_and_cut(runs):
    run = runs[1].end()
    assert max(after - before for before, after in zip(run.times, run.times[1:])) < 30
    assert run.memory < 100000 and all(len(text) < 2500 and text.count("\n") <= 8 for text in run.blocks)


def test_nothing_is_changed_or_left(runs):
    for run in runs:
        assert everything(run.end().folder) == run.before
        assert os.listdir(str(run.temporary)) == []
