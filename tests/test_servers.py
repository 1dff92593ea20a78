# SPDX-License-Identifier: 0BSD
"""The contract of the three servers: pages, replies, headers, and what the console says."""
import ast
import os
import re
import subprocess
import sys

import pytest
from conftest import KIT, common, fetch, parts, pre, run_all, wait_until

HEADINGS = [(1, "<h1>Server 1</h1>"), (2, "<h1>Form Kirim Data</h1>"), (3, "<h2>Input Data</h2>"), (4, "<h2>Input Data</h2>")]
FORM = re.compile(r'<form method="post">\s*<input type="text" name="nama" placeholder="Nama"[^>]*>\s*'
                  r"<button[^>]*>Kirim</button>\s*</form>")


@pytest.mark.parametrize("level, heading", HEADINGS)
def test_a_page_has_its_heading_and_from_level_2_on_the_form(kit, level, heading):
    kit.start(2, 1, level=level)
    status, page = kit.get(1)
    assert status == 200
    assert heading in page and page.startswith('<!DOCTYPE html>\n<html lang="id">')
    assert '<link rel="icon" href="data:,">' in page
    assert bool(FORM.search(page)) == (level > 1)
    assert (pre(page) is not None) == (level == 1)
    if level > 1:
        status, page = fetch(kit.url(1), b"nama=")
        assert status in (200, 502) and FORM.search(page) and pre(page)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_markup_in_a_name_is_text(kit, level):
    kit.start(level=level)
    for name in ("</pre><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "$response", "{response}", "%s %(a)s",
                 "{{7*7}}", '"><', "&amp;lt;"):
        if level > 1:
            page = kit.post(1, name)[1]
            assert page.count("<script") == page.count("<img") == 0
            assert pre(page).startswith('{"status":"success","data":{"nama":"')
            assert name.replace('"', '\\"') in pre(page)


@pytest.mark.parametrize("number, path, content_type", [
    (1, "/", "text/html; charset=UTF-8"), (2, "/api.php", "application/json"), (3, "/log.php", "application/json")])
def test_an_answer_says_what_it_is_and_how_long(chain, number, path, content_type):
    for path in (path, path + "x"):
        head, _, body = chain.raw(number, b"GET %s HTTP/1.1\r\n\r\n" % path.encode()).partition(b"\r\n\r\n")
        assert b"\r\nContent-Type: %s\r\n" % content_type.encode() in head
        assert head.endswith(b"\r\nContent-Length: %d" % len(body))


# the console

def send_and_wait(kit, name):
    """Send a name, and wait until Server 1 has said on the console that it answered."""
    said = kit.output(1).count("Server 1 menjawab")
    assert kit.send(name)[0] == 200
    assert wait_until(lambda: kit.output(1).count("Server 1 menjawab") > said)


@pytest.mark.skipif(os.name == "nt", reason="on Windows, programs that append to one file overwrite each other's lines")
def test_a_name_reads_from_top_to_bottom_on_a_shared_console(kit):
    kit.printed = lambda number: kit.folder / "console"
    kit.start()
    started = len(kit.output(1))
    send_and_wait(kit, "Budi")
    assert kit.output(1)[started:].splitlines() == [
        'Server 1 memanggil: POST %s {"nama":"Budi"}' % kit.url(2),
        'Server 2 memanggil: POST %s {"nama":"Budi"}' % kit.url(3),
        'Server 3 menjawab: 200 {"status":"logged"}',
        'Server 2 menjawab: 200 {"status":"success","data":{"nama":"Budi"}}',
        "Server 1 menjawab: 200",
    ]


def test_at_level_1_the_call_is_shown(kit):
    kit.start(2, 1, level=1)
    kit.get(1)
    assert wait_until(lambda: "Server 1 menjawab" in kit.output(1))
    assert kit.output(1).splitlines()[1:] == ["Server 1 memanggil: GET %s" % kit.url(2), "Server 1 menjawab: 200"]


def test_a_browser_that_only_looks_is_not_on_the_console(chain):
    before = chain.output()
    for number in (1, 2, 3):
        chain.raw(number, b"", end=True)  # a connection opened ahead
        chain.raw(number, b"G", end=True)
    assert chain.get(1)[0] == 200
    send_and_wait(chain, "Budi")  # whatever the others would print has been printed, too
    assert len(chain.output().splitlines()) == len(before.splitlines()) + 5


def test_a_server_says_where_it_is_whom_it_calls_and_how_to_stop_it(kit):
    for level, calls in [(1, ""), (2, ""), (3, ""), (4, ", memanggil " + kit.url(3))]:
        kit.start(2, 1, level=level)
        said = [kit.output(number).splitlines()[-1] for number in (1, 2)]
        assert said == ["Server 1 siap di %s (level %d, memanggil %s). Tekan Ctrl+C untuk berhenti."
                        % (kit.url(1), level, kit.url(2)),
                        "Server 2 siap di %s (level %d%s). Tekan Ctrl+C untuk berhenti." % (kit.url(2), level, calls)]
        kit.stop()
    kit.start(3)
    assert kit.output(3) == "Server 3 siap di %s (menulis ke %s). Tekan Ctrl+C untuk berhenti.\n" % (kit.url(3), kit.log)


def test_a_line_is_ascii_one_line_and_not_too_long(chain):
    names = ["Jos\u00e9 \u674e \U0001f600", "a\r\nServer 3 menjawab: 200", "\x1b[2J\x07\x9b", "x" * 9000, "\u00e9" * 9000,
             "C:\\temp"]
    chain.post(2, b"\xff\r\n\x1b")
    chain.raw(3, b"GET /\x1b[2J\r HTTP/1.1\r\nX: \x1b\r\n\r\n")
    chain.raw(3, b"\x1b[2J\r\n\r\n", end=True)
    for name in names:
        send_and_wait(chain, name)
    lines = chain.output().splitlines()
    assert [line for line in lines if not re.match(r"Server [123] (siap|memanggil|menjawab)[ -~]{1,500}$", line)] == []
    assert max(map(len, lines)) < 520
    assert r'{"nama":"C:\\temp"}' in chain.output(1)  # as JSON has it: two backslashes, not four


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_console_that_is_gone_costs_no_answer(kit, number):
    kit.start(*[other for other in (3, 2, 1) if other != number])
    words = run_all.command(number, run_all.find_files(None), kit.ports, 4, log=str(kit.log))
    process = common.start(*words, output=subprocess.PIPE)
    try:
        assert common.is_up(process, kit.ports[number])
        process.stdout.close()
        for name in ("Ani", "Budi", "Siti"):
            assert kit.send(name) == (200, '{"status":"success","data":{"nama":"%s"}}' % name)
    finally:
        common.stop(process)
    assert len(kit.lines()) == 3


# a bug of the student's own

def functions(file):
    """(name, line and column of its first statement) of each function and method of a file."""
    for name, node in parts(file).items():
        if isinstance(node, ast.FunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            yield name, first.lineno, first.col_offset


BUGS = [(number, name, line, indent) for number in (1, 2, 3)
        for name, line, indent in functions("server%d.py" % number) if name != "say"]
BATTERY = {  # requests that between them reach every function: method, path, Content-Type and body
    1: [("GET", "/", "", ""), ("POST", "/", "application/x-www-form-urlencoded", "nama=Budi"),
        ("POST", "/", "application/x-www-form-urlencoded", "kelas=A")],
    2: [("GET", "/api.php", "", ""), ("POST", "/api.php", "application/json", '{"umur":20}'), ("POST", "/api.php", "", "{")],
    3: [("GET", "/log.php", "", ""), ("POST", "/log.php", "application/json", '{"umur":20}'), ("POST", "/log.php", "", "{")],
}


def edit(kit, number, change):
    """Let the Kit use a copy of a server file that the function change has made of its lines."""
    file = kit.folder / ("server%d.py" % number)
    with open(os.path.join(KIT, file.name), encoding="utf-8") as text:
        lines = text.read().splitlines()
    change(lines)
    file.write_text("\n".join(lines), encoding="utf-8")
    kit.files[number] = str(file)


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("mistake", ["exit()", "raise KeyboardInterrupt", "open('nowhere')", "echo(5)", "header('x'); return",
                                     "raise RuntimeError('a\\nServer 3 menjawab: 200')"])
def test_whatever_a_level_raises_or_returns_is_answered(kit, number, mistake):
    place = [line for name, line, _ in functions("server%d.py" % number) if name == {1: "page3"}.get(number, "level4")]
    edit(kit, number, lambda lines: lines.insert(place[0] - 1, "    " + mistake))
    kit.start()
    for _ in range(2):
        status, text = kit.post(number, "Budi" if number == 1 else "{}")
        assert status == 500 and "Program Server %d gagal. Lihat pesan di terminalnya." % number in text
    kit.stop()
    printed = kit.output(number).splitlines()
    assert "Server %d Traceback (most recent call last):" % number in printed
    assert [line for line in printed if not line.startswith("Server %d " % number)] == []


@pytest.mark.parametrize("number", [2, 3])
def test_a_level_that_names_no_header_sends_text_as_in_php(kit, number):
    edit(kit, number, lambda lines: lines.remove('    header("Content-Type: application/json")'))  # the first
    kit.start(level=1)
    answer = kit.raw(number, b"POST %s HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}" % run_all.PATHS[number].encode())
    assert b" 200 " in answer and b"\r\nContent-Type: text/html; charset=UTF-8\r\n" in answer


@pytest.mark.parametrize("level", [2, 3, 4])
def test_a_level_of_server_1_that_forgets_its_return_is_no_success(kit, level):
    edit(kit, 1, lambda lines: lines.remove(next(line for line in lines if line.startswith("    return response  #"))))
    kit.start(level=level)
    status, page = kit.post(1, "Budi")
    assert status == 500 and "Program Server 1 gagal." in page
    assert kit.get(1)[0] == 200


@pytest.mark.parametrize("number, name, line, indent", BUGS, ids=["%d-%s" % bug[:2] for bug in BUGS])
def test_a_bug_of_the_student_s_own_is_said_with_file_and_line(kit, number, name, line, indent):
    edit(kit, number, lambda lines: lines.insert(line - 1, " " * indent + "mistyped"))
    levels = {"level1": 1, "page1": 1, "level2": 2, "page2": 2, "page3": 3}
    kit.start(*range(3, number - 1, -1), level=levels.get(name, 4))
    answers = [kit.raw(number, ("%s %s HTTP/1.0\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (
        method, path, content_type, len(body), body)).encode()) for method, path, content_type, body in BATTERY[number]]
    kit.stop()
    printed = kit.output(number)
    assert "NameError" in printed and 'server%d.py", line %d, in %s' % (number, line, name.split(".")[-1]) in printed
    said = [b" 500 " in answer and b"Program Server %d gagal. Lihat pesan di terminalnya." % number in answer
            for answer in answers]
    web_server = name in ("Handler.handle", "Handler.do_GET", "Handler.do_POST", "Handler.answer", "Handler.log_message")
    assert any(said) or web_server and b"" in answers


def test_what_two_servers_have_by_one_name_is_the_same_but_for_what_makes_them_different():
    different = {"NAME", "PORT", "PATH", "level1", "level2", "level4", "MAX_SILENCE", "file_get_contents",
                 "Handler", "Handler.call"}
    different_in_1 = {"json_encode", "Handler.error_message_format", "Handler.answer"}  # it answers a page, not JSON
    files = {number: parts("server%d.py" % number) for number in (1, 2, 3)}
    for one, other in [(1, 2), (1, 3), (2, 3)]:
        names = set(files[one]) & set(files[other]) - different - (different_in_1 if one == 1 else set())
        unlike = [name for name in names if ast.dump(files[one][name]) != ast.dump(files[other][name])]
        assert len(names) > 10 and unlike == []


def test_no_server_imports_another_file_of_the_project():
    for file in ("server1.py", "server2.py", "server3.py"):
        with open(os.path.join(KIT, file)) as text:
            imports = re.findall(r"^\s*(?:import|from) (\w+)", text.read(), re.MULTILINE)
        assert not {"common", "run_all", "server1", "server2", "server3"} & set(imports)


def test_log_txt_lies_beside_server_3_whatever_the_folder(kit, tmp_path):
    place = tmp_path / "a place"
    place.mkdir()
    file = place / "server3.py"
    with open(os.path.join(KIT, "server3.py")) as text:
        file.write_text(text.read())
    process = subprocess.Popen([sys.executable, str(file), "--port", "0"], cwd=str(tmp_path), stdout=subprocess.PIPE)
    try:
        url = re.search(b"http://[^ ]+", process.stdout.readline()).group(0).decode()
        assert fetch(url, b'{"nama":"Budi"}') == (200, '{"status":"logged"}')
    finally:
        process.kill()
        process.communicate()
    assert (place / "log.txt").read_bytes() == b'{"nama":"Budi"}' + os.linesep.encode()
    assert not (tmp_path / "log.txt").exists()
