# SPDX-License-Identifier: 0BSD
"""README.md and CONTRIBUTING.md are true: links, names, sizes, commands, exercises, and what they show.

Run:  python tests/test_readme.py   (puts the right line numbers and sizes into them; needs pytest)
"""
import argparse
import ast
import inspect
import keyword
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import KIT, Kit, common, fetch, parts, pre, run_all, wait_until
from php import needs_php, start_php

PAGES = ["README.md", os.path.join(".github", "CONTRIBUTING.md")]
SERVERS = ["server1.py", "server2.py", "server3.py"]
PROGRAMS = SERVERS + ["common.py", "run_all.py"]
LINK = re.compile(r"\[`([\w.]+)`\]\((\w+\.py)#L(\d+)\)")
SIZE = re.compile(r"^\| `(\w+\.py)` \| (\d+) \| (\d+) \|$", re.M)
COMMAND = re.compile(r"(?:^ +|`)(python [\w./-]+(?: [^`\n]*)?)(?:`|$)", re.M)
REFRESH = "%s says %s. To put that right: python tests/test_readme.py"
KNOWN = set("dict int len max open print str get read split strip write".split())  # to a first-year student


def read(name):
    """The text of a file of the project."""
    with open(os.path.join(KIT, name), encoding="utf-8") as file:
        return file.read()


def rows(heading):
    """The cells of the first table below the heading, a list for each row."""
    table = re.search(r"\| .*\n\|[-|]+\n((?:\|.*\n)+)", read("README.md").split("\n" + heading + "\n")[1]).group(1)
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]


def blocks(page="README.md"):
    """The indented blocks of a page, without the indent."""
    found = re.findall(r"(?<=\n\n)((?: {4,}.+\n)+)", read(page))
    return [[line.strip() for line in block.splitlines()] for block in found]


# links, sizes, names

def find_names(file):
    """{name: line number} of what the file defines at its top and in its classes (as Class.name)."""
    return {name: node.lineno for name, node in parts(file).items()}


def right_link(match):
    """The link with the line that it should name; as it is if the file has no such name."""
    name, file, line = match.groups()
    return "[`%s`](%s#L%s)" % (name, file, find_names(file).get(name, line))


def right_size(match):
    """The row of the table of sizes: lines that are not blank, and those of the functions level1 to page4."""
    file = match.group(1)
    lines = read(file).splitlines()
    body = ast.parse(read(file)).body
    levels = sum(bool(line.strip()) for node, after in zip(body, body[1:])
                 if re.match(r"(level|page)\d$", getattr(node, "name", ""))
                 for line in lines[node.lineno - 1:after.lineno - 1])
    return "| `%s` | %d | %d |" % (file, sum(bool(line.strip()) for line in lines), levels)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("pattern, right", [(LINK, right_link), (SIZE, right_size)])
def test_line_numbers_and_sizes_are_right(page, pattern, right):
    for match in pattern.finditer(read(page)):
        assert match.group(0) == right(match), REFRESH % (page, match.group(0))


def test_a_link_leads_to_what_it_names():
    text = read("README.md")
    links = LINK.findall(text)
    assert len(links) == text.count(".py#L") > 0
    assert [link for link in links if link[0] not in find_names(link[1])] == []
    headings = [re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-")
                for line in re.findall("^#+ (.*)", text, re.M)]
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) - set(headings) == set()
    for page in PAGES:
        for path in re.findall(r"\]\(([.\w/]+)\)", read(page)):
            assert os.path.exists(os.path.join(KIT, os.path.dirname(page), path)), path


def test_every_listing_is_linked_and_the_phrase_book_names_what_there_is():
    linked = {(name, file) for name, file, _ in LINK.findall(read("README.md"))}
    for file in SERVERS:
        listings = {(name, file) for name in find_names(file) if re.match(r"(level|page)\d$", name)}
        assert listings - linked <= {("level4", "server1.py"), ("page4", "server1.py"), ("level3", "server2.py")}


def test_the_readme_fits_and_has_its_picture_and_its_licence():
    text = read("README.md")
    assert text.count("\n") <= 400
    assert re.search(r"!\[[^]]{100,}\]\(\.github/picture\.png\)", text)
    assert os.path.getsize(os.path.join(KIT, ".github", "picture.png")) < 150000
    assert text.count("SPDX-License-Identifier: 0BSD") == 1
    for file in PROGRAMS:
        assert read(file).startswith("# SPDX-License-Identifier: 0BSD\n"), file
    assert [row[0] for row in SIZE.findall(read(PAGES[1]))] == PROGRAMS


# the glossary

def foreign_names(file):
    """(names of the file that come from Python and its library, these and all other names in it)."""
    nodes = list(ast.walk(ast.parse(read(file))))
    own, foreign = {"arguments"}, set()
    modules = " ".join(getattr(node, "module", "") for node in nodes if isinstance(node, ast.ImportFrom))
    for node in nodes:
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store):
            own.add(getattr(node, "id", None) or node.attr)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.ExceptHandler)):
            own.add(node.name)
        elif isinstance(node, ast.arg):
            own.add(node.arg)
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            foreign.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Name):
            foreign.update({node.id} - own)
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") != "arguments":
            foreign.update({node.attr} - own)
        elif isinstance(node, ast.keyword):
            foreign.update({node.arg} - own)
        elif isinstance(node, ast.ClassDef):  # what a base class of Python's calls or reads
            names = [name for part in node.body for name in [getattr(part, "name", None)] +
                     [target.id for target in getattr(part, "targets", [])] if name]
            foreign.update(names if node.name in ("Handler", "Server") else [n for n in names if n[:2] == "__"])
    foreign -= {"answer", "call", "read_body"}  # Handler's own
    return foreign, own | foreign | set(re.findall(r"\w+", modules)) | set(keyword.kwlist) & set(re.findall(r"\w+", read(file)))


def test_the_glossary_has_every_name_that_php_has_not_and_no_other():
    glossary = [row for row in rows("## Glosarium untuk ujian lisan") if not row[0].startswith("**")]  # a group of names
    named = {name for row in glossary for name in re.findall(r"`(\w+)`", row[0])}
    found = [foreign_names(file) for file in SERVERS]
    assert set.union(*[foreign for foreign, _ in found]) - KNOWN - named == set()
    names = set.union(*[names for _, names in found])
    assert named - names == set()
    assert set(re.findall("`([A-Z_]{4,})`", str(glossary))) - names == set()
    assert all(len(row) == 3 and all(row) for row in glossary)
    for name, only in re.findall(r"`(\w+)`(?: \((\d)\))?", "".join(row[0] for row in glossary)):
        files = [str(number) for number, (_, names) in enumerate(found, 1) if name in names]
        assert only == (files[0] if len(files) == 1 else ""), name


# commands and exercises

CALL = 'file_get_contents(%s, False, context, server="Server %d", expected="logged")'
TRY_LOG = ["    try:", "        " + CALL % ("LOG_URL", 3), "    except Failure:"]
MINE = ("server3.py", "import threading", ["import threading", "import time"])
SOLUTIONS = {  # folder: [(file, how the lines begin that are replaced, the lines in their place; None: as it was)]
    "tugas": [MINE],
    "kumpulan/ani": [MINE],
    "kumpulan/budi": [("server3.py", '    echo(json_encode({"status": "logged"', ['    echo(\'{"status":"ok"}\')'])],
    "kumpulan/citra": [("server3.py", "import threading", [None])],
    "kumpulan/dewi": [MINE],
    "latihan1": [
        ("server3.py", "import threading", [None, "import time"]),
        ("server3.py", "    file_put_contents(LOG", [
            '    line = {"waktu": time.strftime("%H:%M:%S"), "data": data}',
            "    file_put_contents(LOG, json_encode(line) + PHP_EOL, FILE_APPEND)"])],
    "latihan2": [
        ("server1.py", '            "nama": post["nama"],', [None, '            "kelas": post["kelas"],']),
        ("server1.py", '<input type="text" name="nama"', [None, '<input type="text" name="kelas">'])],
    "latihan3": [
        ("server2.py", "    data = json_decode(", [
            None, '    if isinstance(data, dict) and data.get("nama") == "":', '        raise Failure(400, "Nama harus diisi.")'])],
    "palsu": [("server2.py", "    file_get_contents(LOG_URL", TRY_LOG + ["        pass"])],
    "latihan4": [
        ("server2.py", "    file_get_contents(LOG_URL", TRY_LOG + [
            '        return echo(json_encode({"status": "partial", "data": data}))'])],
    "latihan5": [
        ("server2.py", "import sys", [None, "import time"]),
        ("server2.py", "    file_get_contents(LOG_URL", TRY_LOG + [
            "        time.sleep(1)", "        " + CALL % ("LOG_URL", 3)])],
}
SOLUTIONS["budi_santoso"] = SOLUTIONS["latihan1"] + SOLUTIONS["latihan3"]


def change(folder, file, begin, new):
    """Put new lines in the place of those that begin so, in the folder's copy of a file of the kit."""
    path = os.path.join(folder, file)
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        shutil.copy(os.path.join(KIT, file), path)
    with open(path, encoding="utf-8", newline="") as copy:
        lines = copy.read().split("\n")
    assert any(line.startswith(begin) for line in lines), (folder, begin)
    changed = [other or line for line in lines for other in (new if line.startswith(begin) else [line])]
    with open(path, "w", encoding="utf-8", newline="") as copy:
        copy.write("\n".join(changed))


class Runs:
    """A copy of the kit with the folders that README.md speaks of; its commands run there, once each."""

    def __init__(self, folder):
        self.folder = str(folder)
        for file in PROGRAMS:
            shutil.copy(os.path.join(KIT, file), self.folder)
        for name, changes in SOLUTIONS.items():
            for file, begin, new in changes:
                change(os.path.join(self.folder, name), file, begin, new)
        self.pool = ThreadPoolExecutor(1 if os.name == "nt" else 3)  # there processes start slowly, --check has limits
        self.jobs = {}

    def start(self, command):
        """Let it run soon."""
        if command not in self.jobs:
            self.jobs[command] = self.pool.submit(self.run, command)

    def run(self, command):
        """(exit status, what it printed). A server is ended when it is up; its status is None then."""
        words = [sys.executable, "-u"] + shlex.split(command)[1:]
        serves = not {"--check", "--version", "--help"} & set(words)
        if serves:  # on a free port, for the named one may be taken
            words += ["--port", "0"]
        if os.name == "nt":  # where BROWSER counts for nothing
            words = [word for word in words if word != "--open"]
        printed = os.path.join(self.folder, re.sub(r"\W", "_", command) + ".out")
        environment = dict(os.environ, BROWSER="true")
        with open(printed, "wb") as output:
            process = subprocess.Popen(words, cwd=self.folder, env=environment, stdin=subprocess.PIPE,
                                       stdout=output, stderr=subprocess.STDOUT)
        up = "Ctrl+C menghentikan semua" if "run_all.py" in words else "siap di"
        try:
            wait_until(lambda: process.poll() is not None or serves and up in text(printed), seconds=60)
            return process.poll(), text(printed)
        finally:
            process.kill()
            process.communicate()

    def result(self, command):
        self.start(command)
        return self.jobs[command].result()


def text(printed):
    """What a process has printed into the file."""
    with open(printed, "rb") as file:
        return file.read().decode().replace("\r\n", "\n")


def all_commands():
    """The commands of both pages that are Python's, but for those that run the tests."""
    found = {command.strip() for page in PAGES for command in COMMAND.findall(read(page))}
    return sorted(command for command in found if not re.match("python (tests|-m)", command))


@pytest.fixture(scope="module", autouse=True)
def runs(tmp_path_factory):
    """The Runs of this module. All commands begin at once, and the other tests run meanwhile."""
    one = Runs(tmp_path_factory.mktemp("runs"))
    try:
        for command in [FALSE] + sorted(all_commands(), key=lambda command: "--check" not in command):
            one.start(command)
        yield one
    finally:
        for job in one.jobs.values():
            job.cancel()
        one.pool.shutdown()


FALSE = "python run_all.py --check --level 4 --from palsu"


@pytest.mark.parametrize("command", all_commands())
def test_a_command_does_what_it_should(runs, command):
    status, said = runs.result(command)
    if "--each" in command:
        assert status == 1
    elif "--check" in command:
        assert (status, said.splitlines()[-1]) == (0, "OK"), said
    elif "--version" in command or "--help" in command or " -c " in command:
        assert status == 0
    else:
        assert status is None, said


def test_all_zips_of_a_folder_are_unpacked(tmp_path):
    command, = [command for command in all_commands() if " -c " in command]
    for name in "eko", "Fitri A":
        (tmp_path / name).mkdir()
        (tmp_path / name / "server3.py").write_text(name)
        shutil.make_archive(str(tmp_path / "kumpulan" / name), "zip", str(tmp_path / name))
    subprocess.check_call([sys.executable] + shlex.split(command)[1:], cwd=str(tmp_path))
    assert (tmp_path / "kumpulan" / "Fitri A" / "server3.py").read_text() == "Fitri A"
    assert sorted(os.listdir(str(tmp_path / "kumpulan"))) == ["Fitri A", "Fitri A.zip", "eko", "eko.zip"]


def test_a_false_success_is_marked_as_a_fault(runs):
    status, said = runs.result(FALSE)
    assert (status, said.splitlines()[-1]) == (1, "FAILED"), said
    assert "Server 2" in said


def test_no_exercise_prints_its_solution():
    exercises = read("README.md").split("### 7. ")[1].split("### 8. ")[0]
    for folder, changes in SOLUTIONS.items():
        for line in [line.strip() for _, _, new in changes for line in new if line]:
            assert len(line) < 16 or line not in exercises, folder


@pytest.mark.parametrize("folder, name, expected", [
    ("palsu", "Budi", '{"status":"success","data":{"nama":"Budi"}}'),
    ("latihan4", "Budi", "status-nya bukan success"),
    ("latihan3", "", "Nama harus diisi."),
])
def test_an_exercise_ends_as_its_answer_says(runs, kit, folder, name, expected):
    kit.files = run_all.find_files(os.path.join(runs.folder, folder))
    kit.start()
    if folder == "latihan3":
        assert kit.post(2, "[1]") == (200, '{"status":"success","data":[1]}')
        assert kit.post(2, "{}") == (200, '{"status":"success","data":{}}')
        kit.log.unlink()
    kit.stop(3)
    assert expected in kit.send(name)[1] and kit.lines() == []


def test_what_the_log_gets_in_the_first_exercise(runs, kit):
    kit.files = run_all.find_files(os.path.join(runs.folder, "latihan1"))
    kit.start(3)
    assert kit.post(3, "[1]") == (200, '{"status":"logged"}')
    assert re.match(rb'{"waktu":"\d\d:\d\d:\d\d","data":\[1\]}$', kit.lines()[0])


def test_a_second_try_while_server_3_hangs_is_logged_twice(runs, kit):
    kit.files = run_all.find_files(os.path.join(runs.folder, "latihan5"))
    kit.start()
    common.pause(kit.processes[3])
    with ThreadPoolExecutor(1) as pool:
        page = pool.submit(kit.send, "Budi")
        assert wait_until(lambda: "Server 2 gagal" in kit.output(2))
        common.resume(kit.processes[3])
        assert "success" in page.result()[1] and kit.lines() == [b'{"nama":"Budi"}'] * 2


def test_servers_at_two_levels_claim_what_is_not_so(kit):
    kit.start(3).start(2, level=2).start(1, level=4)
    assert "success" in kit.send("Budi")[1] and kit.lines() == []


# what is shown

def normal(shown, ports=()):
    """Text of a terminal or page without what differs from run to run: ports and folders."""
    for number, port in dict(ports).items():
        shown = shown.replace(":%s/" % port, ":%d/" % (7999 + int(number)))
    return re.sub(r"menulis ke \S+log.txt", "menulis ke log.txt", shown)


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """(text of the terminal, lines of pages and log) when what the student is told is done, all of them normal()."""
    folder = tmp_path_factory.mktemp("story")
    printed, log, answers = str(folder / "printed"), folder / "log.txt", []
    with open(printed, "wb") as output:
        command = [sys.executable, os.path.join(KIT, "run_all.py"), "--port", "0", "--log", str(log)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)

    def wait_for(words, times=1):
        assert wait_until(lambda: text(printed).count(words) >= times or process.poll() is not None)
        assert process.poll() is None and text(printed).count(words) >= times, text(printed)

    def press(key, words, times=1):
        process.stdin.write(key.encode() + b"\n")
        process.stdin.flush()
        wait_for(words, times)

    def send(name):
        answers.append(pre(fetch(url, b"nama=" + name)[1]))

    try:
        wait_for("Ctrl+C menghentikan semua")
        ports = dict(re.findall(r"^Server (\d) siap di http://127.0.0.1:(\d+)/", text(printed), re.M))
        url = "http://127.0.0.1:%s/" % ports["1"]
        send(b"Budi")
        press("3", "Server 3 dihentikan")
        send(b"Siti")
        press("3", "Server 3 siap", 2)
        send(b"Siti")
        press("p3", "Server 3 macet:")
        send(b"Joko")
        press("p3", "Server 3 membalas lagi")
        wait_until(lambda: log.read_text().count("\n") == 3)
        logged = log.read_text().splitlines()
    finally:
        process.kill()
        process.communicate()
    assert logged == ['{"nama":"Budi"}', '{"nama":"Siti"}', '{"nama":"Joko"}']
    assert "status" in answers[2] and "Server 3" in answers[1] and "3 detik" in answers[3]
    return normal(text(printed), ports), normal("\n".join(answers), ports).splitlines() + logged


def test_the_terminal_pages_and_log_are_what_is_shown(story):
    terminal, others = story
    shown = [block for block in blocks() if re.match(r"run_all: |Server \d|\{", block[0])]
    assert len(shown) == 8
    for block in shown:
        lines = normal("\n".join(block)).splitlines()
        assert set(lines) <= set(terminal.splitlines() + others)
        assert "siap" in lines[-1] or lines[0] in others or "\n".join(lines) in terminal


def test_each_prints_what_is_shown(runs, tmp_path):
    command = [block[0] for block in blocks() if "--each" in block[0]][0]
    shown = [block for block in blocks() if re.match(r"(OK|FAILED)  ", block[0])][0]
    assert runs.result(command)[1].splitlines()[-len(shown):] == shown


def test_a_message_that_is_quoted_is_one_of_the_programs():
    programs = " ".join(read(file) for file in PROGRAMS) + inspect.getsource(argparse)
    for quoted in re.findall('^\\| "([^"|]+)"', read("README.md"), re.M):
        assert quoted in programs
    for target in re.findall(r"^    \d\. .*(\(target: .*)", read(PAGES[1]), re.M):
        assert target in read("tests/benchmark.py")


# what differs from PHP

def post(kit, number, path, body, *headers):
    """The body that a server answers to a POST with these headers."""
    lines = ["POST %s HTTP/1.0" % path, "Content-Length: %d" % len(body)] + list(headers)
    return kit.raw(number, ("\r\n".join(lines) + "\r\n\r\n" + body).encode()).split(b"\r\n\r\n", 1)[1].decode()


def shown(page):
    """What a page shows below its form."""
    return pre(page) or "the form alone"


def while_down(kit, number):
    kit.processes[number].terminate()
    kit.stop(number)
    return shown(kit.post(1, "Budi")[1])


FORM = "Content-Type: application/x-www-form-urlencoded"
TRIALS = {  # the first cell of the row: what is done
    "POST to the API, no JSON": lambda kit: kit.post(2, "x")[1],
    "GET on the API, without a body": lambda kit: kit.get(2)[1],
    "GET on `/log.txt` of Server 3":
        lambda kit: kit.post(3, '{"nama":"Ani"}')[1] + fetch(kit.url(3).replace("log.php", "log.txt"))[1],
    "a form without `nama`": lambda kit: shown(post(kit, 1, "/", "x=1", FORM)),
    "the name `<b>Budi</b>`": lambda kit: kit.post(1, "<b>Budi</b>")[1],
    'JSON `["a/b",{},1.0]`': lambda kit: kit.post(2, '["a/b",{},1.0]')[1],
    "an unknown path of Server 1, such as `/x`": lambda kit: shown(fetch(kit.url(1) + "x")[1]),
    "POST to the API from another site's page":
        lambda kit: post(kit, 2, "/api.php", "{}", "Sec-Fetch-Site: cross-site"),
    "a name while Server 3 is down": lambda kit: while_down(kit, 3),
    "a name while Server 2 is down": lambda kit: while_down(kit, 2),
}
BY_HAND = {"a name while Server 3 hangs", "five names at once, Server 3 takes 2 s for each"}


def test_every_difference_is_tried_here_or_by_hand():
    assert {row[0] for row in rows("### Where it differs, and why")} == set(TRIALS) | BY_HAND


@pytest.mark.parametrize("language", [pytest.param("php", marks=needs_php), "python"])
def test_a_difference_is_what_the_table_says(kit, language):
    for number in (3, 2, 1):
        if language == "php":
            kit.processes[number] = start_php(number, 4, kit.ports, kit.folder)
        else:
            kit.start(number)
    cells = {row[0]: row[1 if language == "php" else 2] for row in rows("### Where it differs, and why")}
    for row, trial in TRIALS.items():
        before = len(kit.lines())
        came = trial(kit) + "\n" + b"\n".join(kit.lines()[before:]).decode()
        for expected in re.findall("`([^`]+)`", cells[row]) or [cells[row]]:
            assert expected in came, row
        if language == "python" and "`error`" in cells[row] or "nothing" in cells[row]:
            assert len(kit.lines()) == before, row


@pytest.mark.skipif(not shutil.which("nginx") or os.name != "posix", reason="needs nginx")
def test_behind_nginx_a_second_server_2_takes_over(kit):
    config = re.search("```nginx\n(.*?)```", read(PAGES[1]), re.S).group(1)
    port, kit.ports[2], other = kit.ports[2], *common.free_ports(2)
    for old, new in [("8001", port), ("8011", kit.ports[2]), ("8012", other)]:
        config = config.replace(":%s;" % old, ":%d;" % new)
    (kit.folder / "nginx.conf").write_text(config)
    kit.start(3, 2)
    twin = Kit(kit.folder)
    twin.ports = {1: kit.ports[1], 2: other, 3: kit.ports[3]}
    twin.start(2)
    kit.ports[2] = port
    kit.start(1)
    with open(str(kit.folder / "nginx.out"), "wb") as output:
        nginx = subprocess.Popen(["nginx", "-p", str(kit.folder), "-c", "nginx.conf"], stdout=output, stderr=output)
    try:
        assert common.is_up(nginx, port), (kit.folder / "nginx.out").read_text()
        assert kit.send("Budi")[1] == '{"status":"success","data":{"nama":"Budi"}}'
        twin.stop(2)
        for _ in range(3):
            assert kit.send("Siti")[1] == '{"status":"success","data":{"nama":"Siti"}}'
    finally:
        nginx.send_signal(signal.SIGTERM)
        nginx.wait()
        twin.stop()


if __name__ == "__main__":
    for page in PAGES:
        changed = SIZE.sub(right_size, LINK.sub(right_link, read(page)))
        with open(os.path.join(KIT, page), "w", encoding="utf-8", newline="\n") as file:
            file.write(changed)
