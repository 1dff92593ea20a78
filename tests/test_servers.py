# SPDX-License-Identifier: 0BSD
"""The contract of the three servers: pages, replies, headers, what the console says, and a student's own mistakes."""
import inspect
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import KIT, common, pre, request, run_all, wait_until

import server1
import server2
import server3

HEADINGS = {1: "<h1>Server 1</h1>", 2: "<h1>Form Kirim Data</h1>", 3: "<h2>Input Data</h2>", 4: "<h2>Input Data</h2>"}
FORM = re.compile(r'<form method="post">\s*<input type="text" name="nama" placeholder="Nama"[^>]*>\s*'
                  r"<button[^>]*>Kirim</button>\s*</form>")
NAMES = ["</pre><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "$response", "{x}", "%s %(a)s", '"><&lt;']
MISTAKES = {  # (the server, what stands in its file, what is put in its place, the level, the error)
    "level": (1, "        context = stream", "        context = mistyped", 4, "NameError"),
    "page": (1, '<h1>Server 1</h1>"', '<h1>Server 1</h1>" + mistyped', 1, "NameError"),
    "return of a page": (1, '    return page + "</div>"', "    pass", 4, "TypeError"),
    "return of a level": (1, "    return response\n\n\ndef page2", "\n\ndef page2", 4, "TypeError"),
    "exit in a page": (1, "    if response:  # PHP", "    exit()\n    if response:  # PHP", 2, "SystemExit"),
    "return of level 1": (1, "    return response\n\n\ndef page1", "\n\ndef page1", 1, "AttributeError"),
    "tool": (1, "    return json.dumps", "    return jason.dumps", 4, "NameError"),
    "import": (1, "import json\n", "\n", 4, "NameError"),
    "import for an error": (2, "from urllib.error import URLError\n", "\n", 4, "NameError"),
    "api level": (2, "    context = stream", "    context = mistyped", 4, "NameError"),
    "api without server=": (2, ', server="Server 3"', "", 4, "TypeError"),
    "api exit": (2, "    context = stream", "    exit()\n    context = stream", 4, "SystemExit"),
    "api return": (2, "    return json_encode({  # PHP: echo json_encode([\n", "    print({\n", 1, "AttributeError"),
    "log level": (3, "PHP_EOL, FILE_APPEND)", "PHP_EOL, mistyped)", 4, "NameError"),
    "log file": (3, "    file_put_contents(", "    open('nowhere')\n    file_put_contents(", 4, "FileNotFoundError"),
}


@pytest.mark.parametrize("level", HEADINGS)
def test_a_page_has_its_heading_and_from_level_2_on_the_form_and_markup_in_a_name_is_text(kit, level):
    kit.edit(2, 'NAME = "Server 2"', 'NAME = "<b>2"')
    kit.start(level=level)
    code, page = kit.get(1)
    assert "<b>" not in page and (level > 1 or pre(page) == '{"status":"success","message":"<b>2 aktif"}')
    assert code == 200 and HEADINGS[level] in page and page.startswith('<!DOCTYPE html>\n<html lang="id">')
    assert '<link rel="icon" href="data:,">' in page
    assert bool(FORM.search(page)) == (level > 1) and (pre(page) is not None) == (level == 1)
    for name in NAMES if level > 1 else []:
        page = kit.post(1, name)[1]
        assert page.count("<script") == page.count("<img") == 0 and FORM.search(page)
        assert pre(page) == '{"status":"success","data":{"nama":"%s"}}' % name.replace('"', '\\"')


@pytest.mark.parametrize("number, content_type", [
    (1, "text/html; charset=UTF-8"), (2, "application/json"), (3, "application/json")])
def test_an_answer_says_what_it_is_and_how_long(shared, number, content_type):
    for path in (None, "/x"):
        head, _, body = shared.raw(number, request(number, method="GET", path=path)).partition(b"\r\n\r\n")
        assert b"\r\nContent-Type: %s\r\n" % content_type.encode() in head
        assert head.endswith(b"\r\nContent-Length: %d" % len(body))


def test_an_error_looks_otherwise_than_a_success(shared):
    success, error = [re.findall("<style>(.*?)</style>", shared.post(1, body)[1]) for body in ("Budi", b"")]
    assert error[0] == success[0] and len(error) == len(success) + 1


@pytest.mark.skipif(os.name == "nt", reason="on Windows, programs that append to one file overwrite each other's lines")
def test_a_name_reads_from_top_to_bottom_on_a_shared_console(kit):
    kit.printed = lambda number: kit.folder / "console"
    kit.start()
    started = kit.output(1)
    assert sorted(started.splitlines()) == [
        f"Server 1 siap di {kit.url(1)} (level 4)", f"Server 2 siap di {kit.url(2)} (level 4)",
        f"Server 3 siap di {kit.url(3)} (menulis ke {kit.log})"]
    kit.raw(1, b"", end=True)  # a connection that a browser opens ahead
    kit.raw(2, b"G", end=True)
    kit.send()
    assert wait_until(lambda: "Server 1 menjawab" in kit.output(1))
    assert kit.output(1)[len(started):].splitlines() == [
        f'Server 1 memanggil: POST {kit.url(2)} {{"nama":"Budi"}}',
        f'Server 2 memanggil: POST {kit.url(3)} {{"nama":"Budi"}}',
        'Server 3 menjawab: 200 {"status":"logged"}',
        'Server 2 menjawab: 200 {"status":"success","data":{"nama":"Budi"}}',
        "Server 1 menjawab: 200",
    ]


def test_no_line_is_without_end(shared):
    shared.send("x" * 9000)
    assert 500 < max(map(len, shared.output().splitlines())) < 600


@pytest.mark.parametrize("number, old, new, level, error", MISTAKES.values(), ids=list(MISTAKES))
def test_a_mistake_of_one_s_own_is_said_and_shown_with_file_and_line(kit, number, old, new, level, error):
    kit.edit(number, old, new)
    kit.start(*([3, 2, 1] if number == 1 else [number]), level=level)
    for _ in range(2):
        code, answer = kit.get(1) if level == 1 and number == 1 else kit.post(number, "Budi" if number == 1 else "{}")
        assert code == 500 and f"Program Server {number} gagal. Lihat pesan di terminalnya." in answer
        assert number > 1 or "<style>pre { background: #b00020" in answer
    kit.stop()
    printed = kit.output(number)
    assert printed.count(f"Server {number} gagal:\nTraceback (most recent call last):\n") == 2
    assert re.search(rf"^{error}\b", printed, re.M) and f'server{number}.py", line ' in printed


@pytest.mark.parametrize("number, mistake", [(1, "context ="), (2, "context ="), (3, "file_put_contents(")])
def test_no_answer_depends_on_the_terminal(kit, number, mistake):
    kit.edit(number, "    " + mistake, "    mistyped; " + mistake)
    kit.start()
    kit.stop(number)
    words = run_all.command(number, kit.files[number], kit.ports, 4)
    kit.processes[number] = common.start(*words, output=subprocess.PIPE)
    assert common.is_up(kit.processes[number], kit.ports[number])
    with kit.processes[number].stdout as terminal, ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: [kit.get(number) for _ in range(100)])
        lines = 0
        while lines < 101:
            piece = os.read(terminal.fileno(), 65536)
            assert piece.endswith(b"\n")  # each line is printed in one piece
            lines += piece.count(b"\n")
    # and now the terminal is gone
    assert kit.get(number)[0] == 200
    assert kit.post(number, "Budi" if number == 1 else "{}")[0] == 500


def parts(module):
    """{name: text} of the functions, methods and settings of a server file."""
    found = {name: inspect.getsource(value) for name, value in vars(module).items()
             if inspect.isfunction(value) or name in ("Failure", "Server")}
    for name, value in vars(module.Handler).items():
        if not name.startswith("__"):
            found["Handler." + name] = inspect.getsource(value) if inspect.isfunction(value) else value
    return found


def test_what_stands_in_two_servers_reads_the_same_word_for_word():
    own = {"level1", "level2", "level3", "level4", "Handler.do_GET", "Handler.do_POST"}
    own_of_1 = {"json_encode", "Handler.error_message_format", "Handler.answer", "Handler.check_request"}  # sends pages
    files = {number: parts(module) for number, module in enumerate([server1, server2, server3], 1)}
    for one, other in [(1, 2), (1, 3), (2, 3)]:
        names = set(files[one]) & set(files[other]) - own - (own_of_1 if one == 1 else set())
        assert [name for name in names if files[one][name] != files[other][name]] == [] and len(names) > 5


def test_a_server_imports_nothing_but_the_standard_library_and_no_other_file_of_the_kit():
    for number in (1, 2, 3):
        with open(os.path.join(KIT, f"server{number}.py"), encoding="utf-8") as file:
            modules = re.findall(r"^(?:import|from) (\w+)", file.read(), re.M)
        assert set(modules) <= set(getattr(sys, "stdlib_module_names", modules)) - {"common", "run_all"}
