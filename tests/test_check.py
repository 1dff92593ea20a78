# SPDX-License-Identifier: 0BSD
"""run_all.py --check: small hand-ins, right ones and ones with a single fault, and what is said of them.

Those in the tables are all marked by one --check --each, which marks some of them side by side.
"""
import csv
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPException

import pytest

from conftest import KIT, as_in_a_terminal, common, posix, run_all, wait_until

RUN_ALL = [sys.executable, os.path.join(KIT, "run_all.py"), "--check"]

# Three hand-ins that have nothing of the kit's code. The tables below edit them.
HEAD = '''import html, json, os, sys, time, urllib.parse, urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

def option(name, default):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default

LEVEL = option("--level", "4")
URL = option("--api-url", option("--log-url", ""))
LOG = option("--log", "log.txt")

def call(data):
    request = urllib.request.Request(URL, data, {"Content-Type": "application/json"})
    return urllib.request.urlopen(request, timeout=5).read().decode()

class Handler(BaseHTTPRequestHandler):
    def answer(self, text, kind="application/json", status=200):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers["Content-Length"])).decode()

'''
END = '''
HTTPServer(("127.0.0.1", int(option("--port", "1"))), Handler).serve_forever()
'''
SERVERS = {
    1: HEAD + '''    def do_GET(self):
        self.page(self.ask(None) if LEVEL == "1" else "")

    def do_POST(self):
        post = urllib.parse.parse_qs(self.body())
        data = {"nama": post["nama"][0]}
        self.page(self.ask(json.dumps(data).encode()))

    def ask(self, data):
        try:
            return call(data)
        except OSError as error:
            return "Gagal: %s" % error

    def page(self, response):
        form = '<form method="post"><input name="nama"></form>'
        shown = "<pre>" + html.escape(response) + "</pre>"
        self.answer("<h1>Halo</h1>" + form + shown, "text/html; charset=utf-8")
''' + END,
    2: HEAD + '''    def do_GET(self):
        self.answer('{"status": "success", "message": "Server 2 aktif"}')

    def do_POST(self):
        if self.path != "/api.php":
            return self.send_error(404)
        data = json.loads(self.body())
        if LEVEL == "4":
            try:
                logged = json.loads(call(json.dumps(data).encode()))["status"] == "logged"
            except OSError:
                logged = False
            if not logged:
                return self.answer('{"status": "error"}', status=502)
        self.answer(json.dumps({"status": "success", "data": data}))
''' + END,
    3: HEAD + '''    def do_POST(self):
        if self.path != "/log.php":
            return self.send_error(404)
        data = json.loads(self.body())
        with open(LOG, "a") as file:
            file.write(json.dumps(data) + "\\n")
        self.answer('{"status": "logged"}')
''' + END,
}
LENGTH = '        self.send_header("Content-Length", str(len(body)))\n'
WRITE = '            file.write(json.dumps(data) + "\\n")\n'
OPEN = '        with open(LOG, "a") as file:\n'
OUT = '        self.wfile.write(body)\n'
LOGGED = '''        self.answer('{"status": "logged"}')\n'''
BEGIN = "import html,"
CHUNKED = [(LENGTH, '        self.send_header("Transfer-Encoding", "chunked")\n'),
           (OUT, '        self.wfile.write(b"%x\\r\\n%s\\r\\n0\\r\\n\\r\\n" % (len(body), body))\n'),
           ("    def answer", "    protocol_version = 'HTTP/1.1'\n\n    def answer")]

# (what it is, the server, [(what is replaced, by what), ...])
RIGHT = [
    ("plain 1", 1, []),
    ("plain 2", 2, []),
    ("plain 3", 3, []),
    ("a time in the line", 3, [("json.dumps(data)", 'json.dumps({"waktu": time.ctime(), "isi": ["x", data]})')]),
    ("a line in UTF-8", 3, [('open(LOG, "a")', 'open(LOG, "a", encoding="utf-8")'),
                            ("json.dumps(data)", "json.dumps(data, ensure_ascii=False)")]),
    ("prints", 3, [("        data =", "        print('\u738b', self.path)\n        data =")]),
    ("an indented answer", 2, [('"data": data}', '"data": data}, indent=4')]),
    ("knows no --bind", 1, [("LEVEL = o", 'assert "--bind" not in sys.argv\nLEVEL = o')]),
    ("fields, select, textarea", 1, [
        ('<input name="nama">', "<INPUT NAME=nama maxlength=40 /><select name=kelas><option>A<option selected>B</select>"
         "<textarea name=alamat></textarea><input type=checkbox name=setuju><button name=kirim value=ya>"),
        ('post["nama"][0]}', 'post["nama"][0][:40], "kelas": post["kelas"] == ["B"] and post["alamat"] and post["kirim"]}')]),
    ("an answer laid out anew", 1, [
        ('"<pre>" + html.escape(response) + "</pre>"',
         '"<pre>{}</pre><PRE class=a>" + (json.dumps(json.loads(response), indent=2, ensure_ascii=False) '
         'if response.startswith("{") else response) + "</pre><script>{}</script>"')]),
    ("a page that escapes nothing", 1, [("html.escape(response)", "response")]),
    ("an error that is a traceback", 2, [("            except OSError:", "            except ZeroDivisionError:")]),
    ("an error in words", 1, [('"Gagal: %s" % error', '"tidak success"')]),
    ("level 5 beside the four", 2, [('LEVEL == "4"', 'LEVEL in ("4", "5")')]),
    ("chunked 1", 1, CHUNKED),
    ("chunked 3", 3, CHUNKED),
    ("ends with the connection", 2, [(LENGTH, "")]),
    ("starts slowly", 3, [(BEGIN, "import time; time.sleep(2)\n" + BEGIN)]),
    ("prints 100 KB first", 3, [(BEGIN, "print('x' * 100000)\n" + BEGIN)]),
    ("CRLF", 3, [("\n", "\r\n")]),
    ("a BOM", 3, [(BEGIN, "\ufeff" + BEGIN)]),
    ("a form that is redirected", 1, [
        ("        self.page(self.ask(json.dumps(data).encode()))",
         "        Handler.last = self.ask(json.dumps(data).encode())\n        self.send_response(303)\n"
         "        self.send_header('Location', '/')\n        self.end_headers()"),
        ('else ""', 'else getattr(self, "last", "")')]),
    ("holds the log open", 3, [(OPEN + WRITE, '        FILE.write(json.dumps(data) + "\\n")\n        FILE.flush()\n'),
                               ("def call", "FILE = open(LOG, 'a')\n\ndef call")]),
    ("a child that stays", 3, [("LEVEL =", "import subprocess\nsubprocess.Popen([sys.executable, '-c', 'import time; "
                                           "time.sleep(60)'])\nLEVEL =")]),
]
# the same, and what the reason must say
WRONG = [
    ("ok for logged", 3, [('"logged"', '"ok"')], 'Statusnya "ok", bukan "logged"'),
    ("status 201", 3, [("status=200", "status=201")], "201"),
    ("logged though it can't write", 3, [
        (OPEN + WRITE, "        try:\n    " + OPEN + "    " + WRITE + "        except OSError:\n            pass\n")],
     "padahal log.txt tidak dapat ditulis"),
    ("a constant name", 3, [("json.dumps(data)", 'json.dumps({"nama": "Budi"})')], "tidak memuat nama"),
    ("an overwritten log", 3, [('open(LOG, "a")', 'open(LOG, "w")')], 'Mungkin dibuka dengan "w"'),
    ("a log emptied at the start", 3, [("def call", "open(LOG, 'w').close()\n\ndef call")], "isi lama log.txt hilang"),
    ("a line twice", 3, [(WRITE, WRITE + WRITE)], "lebih dari satu baris"),
    ("no newline", 3, [(' + "\\n")', ")")], "tidak diakhiri dengan tanda ganti baris"),
    ("no JSON", 3, [("json.dumps(data)", "str(data)")], "bukan JSON"),
    ("letters lost", 3, [("json.dumps(data)", "json.dumps(data['nama'].encode('ascii', 'replace').decode())")], "\\u0141"),
    ("a name cut", 3, [("json.dumps(data)", "json.dumps(data['nama'][:100])")], "tidak memuat nama"),
    ("a name cut, slowly", 3, [("json.dumps(data)", "json.dumps(data['nama'][:100])"), (LOGGED, "        time.sleep(2.1)\n" + LOGGED)],
     "tidak memuat nama"),
    ("no log", 3, [(WRITE, "            pass\n")], "tidak bertambah"),
    ("a log elsewhere", 3, [('option("--log", "log.txt")', '"../log.txt"')], "tidak bertambah"),
    ("answers before it writes", 3, [(LOGGED, ""), ("        with", LOGGED + "        self.connection.shutdown(1)\n"
                                     "        time.sleep(0.5)\n        with")], "tidak bertambah"),
    ("another path", 3, [("/log.php", "/log")], "path-nya bukan /log.php"),
    ("no do_POST", 3, [("do_POST", "do_PUT")], "do_POST"),
    ("its own port", 3, [('int(option("--port", "1"))', "0")], "tidak membuka port"),
    ("never closed", 3, [(LENGTH, ""), (OUT, OUT + "        time.sleep(60)\n")], "Content-Length tidak dikirim"),
    ("endless", 3, [(LENGTH, ""), (OUT, "        while True: self.wfile.write(b' ' * 65536)\n")], "terlalu panjang"),
    ("dripping", 3, [("        self.send_response(status)", "        while True: self.wfile.write(b'H'); time.sleep(0.3)")],
     "tidak selesai"),
    ("silent", 3, [(LOGGED, "        time.sleep(60)\n")], "tidak membalas"),
    ("input()", 3, [("LEVEL =", "input('Port? ')\nLEVEL =")], "EOFError"),
    ("a loop", 3, [("LEVEL =", "while True: pass\nLEVEL =")], "tidak membuka port"),
    ("a flood", 3, [("LEVEL =", "while True: print('x' * 1000)\nLEVEL =")], "tidak membuka port"),
    ("exits", 3, [(LOGGED, "        os._exit(3)\n")], "kode keluar 3"),
    ("empty", 3, [(SERVERS[3], "")], "kode keluar 0"),
    ("a SyntaxError", 3, [("def do_POST(self):", "def do_POST(self:")], "SyntaxError: "),
    ("Python 2", 3, [("LEVEL =", "print 'x'\nLEVEL =")], "SyntaxError: "),
    ("tabs and blanks", 3, [("        data =", "\tdata =")], "TabError"),
    ("deletes its folder", 3, [(LOGGED, "        import shutil; shutil.rmtree('.', ignore_errors=True)\n" + LOGGED)], "log.txt"),
    ("claims success", 2, [("if not logged:", "if False:")], "padahal Server 3 gagal"),
    ("claims success when nobody is there", 2, [
        ("except OSError:\n                logged = False",
         "except OSError as error:\n                logged = not isinstance(error, urllib.error.HTTPError)")],
     "padahal Server 3 sudah dihentikan"),
    ("does not call", 2, [('LEVEL == "4"', "False")], "tidak bertambah"),
    ("its own URL", 2, [("request = urllib.request.Request(URL", 'request = urllib.request.Request("http://127.0.0.1:9/"')],
     "--log-url"),
    ("calls twice", 2, [("            try:", "            call(json.dumps(data).encode())\n            try:")], "lebih dari satu baris"),
    ("data in a string", 2, [('"data": data}', '"data": json.dumps(data)}')], 'menjawab 200 {"status": "success", "data": "{'),
    ("another field", 2, [('"data": data}', '"data": {"name": data["nama"]}}')], "seharusnya"),
    ("a wrong message", 2, [("Server 2 aktif", "Server 3 aktif")], 'menjawab 200 {"status": "success", "message": "Server 3'),
    ("level 3 alone is wrong", 2, [('LEVEL == "4"', 'LEVEL == "3"')], "ValueError"),
    ("gives up for ever", 2, [("                logged = False", "                logged = False\n                Handler.do_POST = None")],
     "lalu dijalankan lagi"),
    ("a NameError", 2, [("        data = json", "        data = jason")], "NameError: name 'jason' is not defined"),
    ("no field nama", 1, [('name="nama"', 'name="name"')], "isian yang ada: name"),
    ("does not ask", 1, [("            return call(data)", "            return json.dumps({'status': 'success', 'data': data and json.loads("
                          "data.decode()), 'message': 'Server 2 aktif'})")], "padahal Server 2 sudah dihentikan"),
    ("claims what is not so", 1, [('return "Gagal: %s" % error', "return json.dumps({'status': 'success', 'data': data and json."
                                   "loads(data.decode())})")], "padahal Server 2 sudah dihentikan"),
    ("shows nothing", 1, [("html.escape(response)", '"Terkirim"')], "Terkirim"),
    ("shows it to nobody", 1, [('"<pre>" + html.escape(response) + "</pre>"',
                                '"<script>x = " + response + "</script><!-- " + response + " -->"')], "seharusnya jawaban"),
    ("escapes twice", 1, [("html.escape(response)", "html.escape(html.escape(response))")], "&quot;"),
    ("a form with GET", 1, [(' method="post"', "")], "seharusnya jawaban Server 2"),
    ("a form to port 8000", 1, [("<form", '<form action="http://127.0.0.1:8000/"')], "http://127.0.0.1:8000/"),
    ("sends another field", 1, [('{"nama": post', '{"name": post')], "tidak bernama"),
    ("a page in Latin-1", 1, [('["nama"][0]}', '["nama"][0].encode().decode("latin-1")}')], "ada huruf yang berubah"),
]
FOLDERS = {  # name: ({path: text, None for the kit's}, verdict, file, reason)
    "00 kosong": ({}, "FAILED", "(folder)", "folder itu kosong"),
    "01 lain": ({"tugas.py": SERVERS[3]}, "FAILED", "(folder)", "isinya: tugas.py"),
    "02 lebih dalam": ({"tugas/server3.py": SERVERS[3]}, "OK", os.path.join("tugas", "server3.py"), ""),
    "03 dua": ({"a/server3.py": SERVERS[3], "b/server3.py": SERVERS[3]}, "FAILED", "(folder)", "server3.py: a, b"),
    "04 tidak diubah": ({"server3.py": None}, "OK", "server3.py", "tidak diubah"),
    "04 tidak semua diubah": ({"server2.py": None, "server3.py": ""}, "FAILED", "server3.py", "; server2.py tidak diubah"),
    "05 modul": ({"server3.py": SERVERS[3].replace("json.dumps(data)", "tulis(data)").replace(BEGIN, "from isi import tulis\n" + BEGIN),
                  "isi.py": "import json\ntulis = json.dumps\nopen('data.txt')\n", "data.txt": ""}, "OK", "server3.py", ""),
    "06 semua": ({"server%d.py" % n: SERVERS[n] for n in SERVERS}, "OK", "server1.py server2.py server3.py", ""),
    "07 server 3 salah": ({"server2.py": SERVERS[2], "server3.py": SERVERS[3].replace('"logged"}', '"error", "message": "penuh"}')},
                          "FAILED", "server3.py", "penuh"),
    "08 Latin-1": ({"server3.py": b"# caf\xe9\n" + SERVERS[3].encode()}, "FAILED", "server3.py", "UTF-8"),
    "09 Latin-1 yang disebut": ({"server3.py": b"# coding: latin-1\n# caf\xe9\n" + SERVERS[3].encode()}, "OK", "server3.py", ""),
    "10 UTF-16": ({"server3.py": SERVERS[3].encode("utf-16")}, "FAILED", "server3.py", "UTF-8"),
    "11 folder": ({"server3.py/isi.txt": "x"}, "FAILED", "server3.py", "bukan file"),
    "12 log lama": ({"server3.py": SERVERS[3], "log.txt": '{"nama":"dulu"}\n{"nama":"seteng'}, "OK", "server3.py", ""),
    "=Zo\u00eb": ({"server3.py": SERVERS[3]}, "OK", "server3.py", ""),
}


def edited(number, edits):
    """The text of a hand-in with the edits made."""
    text = SERVERS[number]
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return text


def write(folder, files):
    """Write the files, {path: text or bytes}, into the folder. Returns the folder."""
    os.makedirs(str(folder), exist_ok=True)
    for path, text in files.items():
        path = os.path.join(str(folder), path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
    return str(folder)


def everything(folder):
    """{path: bytes} of all that is in the folder."""
    paths = [os.path.join(place, name) for place, _, names in os.walk(str(folder)) for name in names]
    return {path: open_and_read(path) for path in paths}


def kits(file):
    """What is in a file of the kit."""
    return open_and_read(os.path.join(KIT, file))


def open_and_read(path):
    with open(path, "rb") as file:
        return file.read()


MISTYPED = kits("server3.py").replace(b"json_encode(data) +", b"json_encode(kosong) +")
FOLDERS["13 galat kalau Server 3 gagal"] = {"server2.py": kits("server2.py").replace(
    b'    file_get_contents(LOG_URL, False, context, server="Server 3", expected="logged")\n',
    b'    try:\n        file_get_contents(LOG_URL, False, context, server="Server 3", expected="logged")\n'
    b'    except Failure:\n        time.sleep(1)\n        raise\n')}, "FAILED", "server2.py", "NameError: name 'time' is not defined"
FOLDERS["13 isian yang tidak ada"] = {
    "server1.py": kits("server1.py").replace(b'"nama": post', b'"kelas": post["kelas"], "nama": post')}, "FAILED", "server1.py", (
    "Mungkin isian itu tidak ada di formulirnya")
FOLDERS["13 salah ketik"] = {"server2.py": SERVERS[2], "server3.py": MISTYPED}, "FAILED", "server3.py", (
    '{"status":"logged"}. Pesan dari Python: NameError: name \'kosong\' is not defined (baris %d); server2.py OK'
    % (MISTYPED.split(b"(kosong)")[0].count(b"\n") + 1))


class Run:
    """run_all.py --check in a process of its own, with a folder of its own for temporary files."""

    def __init__(self, folder, *words):
        self.temporary = os.path.join(str(folder), "sementara")
        os.makedirs(self.temporary, exist_ok=True)
        dead = {name: "http://127.0.0.1:9" for name in ("http_proxy", "HTTP_PROXY")}
        env = dict(os.environ, no_proxy="", TMPDIR=self.temporary, TEMP=self.temporary, TMP=self.temporary, **dead)
        options = {"preexec_fn": as_in_a_terminal} if os.name == "posix" else {}
        self.process = subprocess.Popen(RUN_ALL + list(words), env=env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)

    def end(self):
        """(exit status, the lines that it printed), when it has ended; nothing of it is left."""
        printed, _ = self.process.communicate(timeout=900)
        assert os.listdir(self.temporary) == []
        return self.process.returncode, printed.decode("ascii").splitlines()

    def give_up(self):
        """End it, if nobody has waited for its end."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def run(folder, *words):
    return Run(folder, *words).end()


def gone(path):
    """Whether the process whose id is in the file has ended."""
    with open(str(path)) as file:
        pid = int(file.read())
    try:
        os.kill(pid, 0)
        return False
    except OSError:
        return True


CHILD = """import os, sys, time
with open(os.path.join(sys.argv[1], sys.argv[2]), "w") as file:
    file.write(str(os.getpid()))
time.sleep(60)
"""
FLOOD = """import os, subprocess, sys, time
for name in "ab":  # the second leaves the group of processes, which is found out on Linux alone
    subprocess.Popen([sys.executable, "-c", %r, %r, name], start_new_session=name == "b" and sys.platform == "linux")
while len(os.listdir(%r)) < 2:
    time.sleep(0.01)
while True:
    print("x" * 10000)
"""


@pytest.fixture(scope="module", autouse=True)
def flood(tmp_path_factory):
    """(a Run of a hand-in that starts children and then prints without end, the folder with their ids).

    It takes seconds; the other tests run meanwhile.
    """
    base = tmp_path_factory.mktemp("flood")
    pids = str(base / "pids")
    os.mkdir(pids)
    folder = write(base / "tugas", {"server3.py": FLOOD % (CHILD, pids, pids)})
    one = Run(base, "--from", folder)
    yield one, pids
    one.give_up()


@pytest.fixture(scope="module", autouse=True)
def marking(tmp_path_factory):
    """(a Run of --check --each of all that is in the tables, its folder). The other tests run meanwhile."""
    base = tmp_path_factory.mktemp("each")
    folder = base / "tugas"
    for name, number, edits in RIGHT:
        write(folder / name, {"server%d.py" % number: edited(number, edits)})
    for name, number, edits, _ in WRONG:
        write(folder / name, {"server%d.py" % number: edited(number, edits)})
    for name, (files, _, _, _) in FOLDERS.items():
        write(folder / name, {path: kits(path) if text is None else text for path, text in files.items()})
    write(folder / ".git", {"server3.py": ""})
    before = everything(folder)
    given = os.path.join(str(base), ".", "tugas", "")
    one = Run(base, "--each", given, "--csv", str(base / "nilai.csv"))
    yield one, folder
    one.give_up()
    assert everything(folder) == before


@pytest.fixture(scope="module")
def each(marking):
    """(exit status, lines, {name: row of the table}, names) of all that is in the tables."""
    one, folder = marking
    status, lines = one.end()
    table = str(folder.parent / "nilai.csv")
    assert open_and_read(table).startswith(b"\xef\xbb\xbfnama,")
    with open(table, encoding="utf-8-sig", newline="") as file:
        rows = [row[:3] + [re.split(r"(?:; )?(?:server\d.py )?sama dengan ", row[3])[0]] for row in csv.reader(file)]
    assert rows[0] == ["nama", "hasil", "file", "keterangan"]
    return status, lines, {row[0].lstrip("'"): row for row in rows[1:]}, sorted(set(os.listdir(str(folder))) - {".git"})


@pytest.mark.parametrize("words, levels", [([], [1, 2, 3, 4]), (["--level", "2"], [2])])
def test_the_kit_itself_is_ok_and_each_answer_is_said(tmp_path, words, levels):
    status, lines = run(tmp_path, *words)
    text = re.sub("Siti [a-z]{10}", "Siti", "\n".join(lines)) + "\n"
    active = '{"status":"success","message":"Server 2 aktif"}'
    sent = '{"status":"success","data":{"nama":"Siti"}}'
    expected = ""
    for level in levels:
        names = "server1.py, server2.py" + (", server3.py" if level == 4 else "")
        expected += "Level %d dengan %s\n" % (level, names)
        expected += '  Server 3 menjawab {"status":"logged"}\n' if level == 4 else ""
        expected += "".join("  Server %d menjawab %s\n" % (n, active if level == 1 else sent) for n in (2, 1))
    assert (status, text) == (0, expected + "OK\n")
    names = re.findall("Siti [a-z]{10}", "\n".join(lines))
    assert len(set(names)) == len(names)


def test_a_fault_is_a_line_with_the_file_and_what_python_says_is_shown_without_frames_of_ours(tmp_path):
    folder = write(tmp_path / "tugas", {"server3.py": edited(3, [("def do_POST(self):", "def do_POST(self:")])})
    status, lines = run(tmp_path, "--from", folder)
    file = os.path.join(folder, "server3.py")
    line = 1 + open_and_read(file).split(b"def do_POST")[0].count(b"\n")
    assert status == 1 and lines[-1] == "FAILED"
    assert lines[0] == '  Terminal Server 3:   File "%s", line %d' % (file, line)
    assert lines[-2].startswith("Server 3 bermasalah (%s): " % file)
    assert "SyntaxError: " in lines[-2] and lines[-2].endswith("(baris %d)" % line)
    assert not any("runpy" in line or "common.py" in line or "Traceback" in line for line in lines)


def test_what_a_program_prints_is_shown_but_not_where_its_copy_was_started(tmp_path):
    folder = write(tmp_path / "tugas", {"server3.py": kits("server3.py").replace(b'"logged"', b'"ok"')})
    status, lines = run(tmp_path, "--from", folder)
    printed = [line for line in lines if "Terminal " in line]
    assert status == 1 and '  Terminal Server 3: menjawab: 200 {"status":"ok"}' in printed
    assert not any("siap di " in line for line in printed)


def test_each_file_is_blamed_for_its_own_fault(tmp_path):
    folder = write(tmp_path / "tugas", {
        "server1.py": edited(1, [('name="nama"', 'name="x"')]), "server2.py": SERVERS[2],
        "server3.py": edited(3, [('"logged"', '"\\x1b[31mok"')])})
    status, lines = run(tmp_path, "--from", folder)
    faults = [line for line in lines if "bermasalah" in line]
    assert status == 1 and lines[-1] == "FAILED"
    assert [line.split(os.path.join(folder, ""))[1][:10] for line in faults] == ["server1.py", "server3.py"]


def test_servers_that_are_well_alone_are_tried_together(tmp_path):
    header = ("Content-Type", "application/json"), ("Content-Type", "application/json; v=2")
    picky = edited(3, [("        data =", "        if self.headers['Content-Type'] != 'application/json': os._exit(3)\n        data =")])
    other = edited(2, [('{"%s": "%s"}' % header[0], '{"%s": "%s"}' % header[1])])
    for server2, server3, good in [(SERVERS[2], picky, True), (other, SERVERS[3], True), (other, picky, False)]:
        folder = write(tmp_path / "tugas", {"server2.py": server2, "server3.py": server3})
        status, lines = run(tmp_path, "--level", "4", "--from", folder)
        assert (status == 0) == good
        assert "Level 4 dengan server2.py, server3.py" in lines or not good
    assert "Server 3 bermasalah" in lines[-2] and "kode keluar 3" in lines[-2]


@pytest.mark.parametrize("ends, said", [
    ([None], None),
    ([run_all.Fault(3, "salah"), None], None),  # seen once, as on a busy machine
    ([run_all.Fault(3, "salah"), run_all.Fault(3, "lain")], "salah"),
    ([run_all.BadLuck(), OSError("tidak ada memori"), None], None),
    ([run_all.BadLuck(), run_all.BadLuck(), run_all.Fault(3, "salah")], "salah"),
    ([run_all.Fault(3, "salah"), run_all.BadLuck(), run_all.BadLuck()], "salah"),
    ([OSError("tidak ada memori")] * 3, "tidak dapat diperiksa: tidak ada memori"),
])
def test_a_trial_that_fails_is_tried_again_and_a_fault_that_is_seen_twice_counts(monkeypatch, ends, said):
    ends = iter(ends)

    class Trial:
        def __init__(self, *_):
            pass

        def run(self):
            end = next(ends)
            if end:
                raise end
            return ["jawaban"]

    monkeypatch.setattr(run_all, "Trial", Trial)
    lines, fault = run_all.run_trials([(4, [3])], "tugas", 18)
    assert (lines, fault and fault.text) == ([] if said else ["jawaban"], said)
    assert list(ends) == []


@pytest.mark.parametrize("files, words, said", [
    (None, [], "folder itu tidak ada"),
    ({"server3.py": SERVERS[3]}, ["--level", "2"], "tidak ada file yang dipakai"),
])
def test_with_nothing_to_check_a_sentence_and_then_failed(tmp_path, files, words, said):
    folder = str(tmp_path / "tugas") if files is None else write(tmp_path / "tugas", files)
    status, lines = run(tmp_path, "--from", folder, *words)
    assert status == 1 and lines[1:] == ["FAILED"] and folder in lines[0] and said in lines[0]


@pytest.mark.parametrize("words", [["--each", ".", "--from", "."], ["--csv", "x"]])
def test_options_that_do_not_go_together_are_refused(tmp_path, words):
    status, lines = run(tmp_path, *words)
    assert status == 1 and len(lines) == 1 and "--each" in lines[0]


def test_a_port_that_another_check_holds_is_not_taken(monkeypatch):
    (numbers, held), free, drawn = run_all.take_ports([2, 3]), common.free_ports(3), []
    monkeypatch.setattr(run_all, "USED_PORTS", set())  # as in another process
    monkeypatch.setattr(run_all.common, "free_ports", lambda count: drawn.append(count) or (
        [[free[0], numbers[3]], free[1:]][len(drawn) - 1]))
    again, also_held = run_all.take_ports([1, 2])
    held.close()
    also_held.close()
    assert again == {1: free[1], 2: free[2]} and len(drawn) == 2


def test_copies_and_what_is_no_folder_are_said(tmp_path):
    kits_3 = kits("server3.py")
    write(tmp_path / "kelas", {
        "ani/server3.py": SERVERS[3], "budi/server3.py": SERVERS[3].replace("\n", "   # budi\r\n\r\n"),
        "ani/jawaban.txt": "1\nSatu baris", "budi/jawaban.txt": "3\n satu baris.",
        "citra/jawaban.txt": "5 (dengan ani)\nSatu  baris\n", "dewi/jawaban.txt": "1", "eka/jawaban.txt": "1",
        "citra/server3.py": b"# citra\r\n" + kits_3.replace(b"\n", b"\r\n"), "dewi/server3.py": kits_3,
        "eka/server3.py": edited(3, [('"logged"', '"ok"')]), "fajar/server3.py": edited(3, [('"logged"', '"ok"')]),
        "gita/server3.py": "def level4(:", "hadi/server3.py": "def level4(:", "hadi.zip": "", "iwan.zip": "", ".DS_Store": ""})
    table = str(tmp_path / "nilai.csv")
    status, lines = run(tmp_path, "--each", str(tmp_path / "kelas"), "--csv", table)
    assert open_and_read(table).endswith(b"\r\niwan.zip,dilewati,,bukan folder: ekstrak dulu\r\n")
    assert lines[:4] == ["OK      ani    server3.py", "OK      budi   server3.py: server3.py sama dengan ani",
                         "OK      citra  server3.py: tidak diubah; jawaban.txt sama dengan ani", "OK      dewi   server3.py: tidak diubah"]
    assert [line.partition("; sama dengan ")[2] for line in lines[4:8]] == ["", "eka", "", "gita"]
    assert lines[8:] == ["dilewati karena bukan folder (ZIP: ekstrak dulu): iwan.zip", "4 dari 8 OK"] and status == 1


def test_each_of_a_folder_that_is_not_there_is_a_sentence(tmp_path):
    status, lines = run(tmp_path, "--each", str(tmp_path / "kelas"))
    assert status == 1 and len(lines) == 1 and "kelas" in lines[0]


@posix
def test_nothing_that_a_hand_in_starts_is_left_and_memory_is_bounded(flood):
    one, pids = flood
    with one.process.stdout:
        printed = one.process.stdout.read().decode()
    _, status, usage = os.wait4(one.process.pid, 0)
    one.process.returncode = os.WEXITSTATUS(status)
    assert one.process.returncode == 1 and printed.splitlines()[-1] == "FAILED"
    assert len(os.listdir(pids)) == 2 and wait_until(lambda: all(gone(os.path.join(pids, name)) for name in "ab"), seconds=5)
    assert usage.ru_maxrss < 100000 * (1024 if sys.platform == "darwin" else 1)


@posix
def test_ctrl_c_says_how_many_there_were_and_leaves_nothing(tmp_path):
    for name in "abc":
        write(tmp_path / "kelas" / name, {"server3.py": edited(3, [("LEVEL =", "if %r != 'a': time.sleep(60)\nLEVEL =" % name)])})
    one = Run(tmp_path, "--each", str(tmp_path / "kelas"))
    first = one.process.stdout.readline().decode()
    assert first.startswith("OK      a")
    begin = time.monotonic()
    one.process.send_signal(signal.SIGINT)
    status, lines = one.end()
    assert status == 1 and lines == ["pemeriksaan dihentikan; 2 folder belum diperiksa", "1 dari 1 OK"]
    assert time.monotonic() < begin + 4


@posix
def test_ctrl_c_ends_a_check_at_once_with_failed(tmp_path):
    folder = write(tmp_path / "tugas", {"server3.py": edited(3, [("LEVEL =", "open('../../%s', 'w'); time.sleep(60)\nLEVEL =" % "ada")])})
    one = Run(tmp_path, "--from", folder)
    assert wait_until(lambda: any("ada" in names for _, _, names in os.walk(one.temporary)))
    one.process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    status, lines = one.end()
    assert status == 1 and lines[-1] == "FAILED" and "Ctrl+C" in lines[0]
    assert time.monotonic() < begin + 3


@posix
def test_progress_is_shown_on_a_terminal_and_nowhere_else(tmp_path):
    import pty
    write(tmp_path / "kelas" / "a", {"server3.py": edited(3, [(BEGIN, "import time; time.sleep(1)\n" + BEGIN)])})
    keyboard, terminal = pty.openpty()
    with open(keyboard, "rb", 0) as keyboard, open(terminal, "wb", 0) as terminal:
        process = subprocess.Popen(RUN_ALL + ["--each", str(tmp_path / "kelas")], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=terminal)
        printed, _ = process.communicate(timeout=60)
        assert select.select([keyboard], [], [], 0)[0] and b"\r0 dari 1" in keyboard.read(1000)
    assert printed.decode().splitlines() == ["OK      a  server3.py", "1 dari 1 OK"]


def test_a_terminal_that_is_gone_is_no_traceback_and_no_failure():
    process = subprocess.Popen(RUN_ALL + ["--level", "1"], env=dict(os.environ, PYTHONUNBUFFERED=""),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    with process.stderr:
        assert (process.stderr.read(), process.wait(timeout=60)) == (b"", 0)


# common.ask

def answering(*pieces, pause=0, closes=False):
    """The URL of a server that answers one request with the pieces, and then closes or waits for the client to."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)

    def serve():
        connection, _ = listener.accept()
        with listener, connection:
            try:
                connection.recv(65536)
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause)
                if not closes:
                    connection.recv(1)
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    return "http://127.0.0.1:%d/" % listener.getsockname()[1]


@pytest.mark.parametrize("pieces, pause, error", [
    ([b"HTTP/1.1 200 OK\r\n"] + [b"X: y\r\n"] * 50, 0.1, common.Unended),
    ([b"HTTP/1.1 200 OK\r\n\r\n"] + [b"x"] * 50, 0.1, common.Unended),
    ([], 0, socket.timeout),
    ([b"HTTP/1.1 200 OK\r\n\r\n"] + [b"x" * 100000] * 50, 0, HTTPException),
    ([b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"] + [b"x" * 100000] * 50, 0, HTTPException),
    ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFF\r\n"] + [b"x" * 100000] * 50, 0, HTTPException),
    ([b"nonsense\r\n\r\n"], 0, HTTPException),
])
def test_an_answer_that_has_no_end_or_no_sense_is_an_error_in_time(pieces, pause, error):
    begin = time.monotonic()
    with pytest.raises(error):
        common.ask(answering(*pieces, pause=pause), seconds=1)
    assert time.monotonic() < begin + 3


@pytest.mark.parametrize("pieces", [
    [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"],
    [b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"],
])
def test_an_answer_that_says_its_end_needs_no_closed_connection(pieces):
    assert common.ask(answering(*pieces))[2] == b"ok"


def test_a_closed_connection_is_the_end_of_an_answer_unless_it_has_said_more():
    assert common.ask(answering(b"HTTP/1.1 200 OK\r\n\r\nok", closes=True))[2] == b"ok"
    with pytest.raises(HTTPException):
        common.ask(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", closes=True))


# the tables, when all that is in them has been marked

@pytest.mark.parametrize("name, number", [case[:2] for case in RIGHT], ids=[case[0] for case in RIGHT])
def test_what_is_right_is_ok(each, name, number):
    assert each[2][name] == [name, "OK", "server%d.py" % number, ""]


@pytest.mark.parametrize("name, number, edits, said", WRONG, ids=[case[0] for case in WRONG])
def test_what_is_wrong_is_failed_with_its_reason(each, name, number, edits, said):
    row = each[2][name]
    assert row[:3] == [name, "FAILED", "server%d.py" % number]
    assert said in row[3]


@pytest.mark.parametrize("name", FOLDERS)
def test_the_files_of_a_folder_are_found_and_read(each, name):
    _, verdict, file, reason = FOLDERS[name]
    row = each[2][name]
    assert row[1:3] == [verdict, file]
    assert reason in row[3] and (reason or not row[3])


def test_each_prints_an_aligned_line_for_each_folder_in_order_and_how_many_are_ok(each):
    status, lines, rows, names = each
    shown = [name.encode("ascii", "backslashreplace").decode() for name in names]
    width = max(map(len, shown))
    for name, text, line in zip(names, shown, lines):
        _, verdict, file, reason = rows[name]
        assert line.startswith("%-8s%-*s  %s" % (verdict, width, text, file + (": " if reason else "")))
    good = sum(row[1] == "OK" for row in rows.values())
    assert lines[len(names):] == ["%d dari %d OK" % (good, len(names))] and status == 1


def test_no_cell_of_the_table_is_a_formula(each):
    assert each[2]["=Zo\u00eb"][0] == "'=Zo\u00eb"
