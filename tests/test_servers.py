# SPDX-License-Identifier: 0BSD
"""The contract of the three servers: pages, replies, headers, and what the console says."""
import os
import re
import subprocess
import sys

import pytest
from conftest import KIT, fetch, pre

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


@pytest.mark.parametrize("number, content_type", [
    (1, "text/html; charset=UTF-8"), (2, "application/json"), (3, "application/json")])
def test_an_answer_says_what_it_is_and_how_long(chain, number, content_type):
    for path in ("", "x"):
        answer = chain.raw(number, b"GET %s%s HTTP/1.1\r\n\r\n" % ({1: b"/", 2: b"/api.php", 3: b"/log.php"}[number],
                                                                    path.encode()))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"\r\nContent-Type: %s\r\n" % content_type.encode() in head
        assert head.endswith(b"\r\nContent-Length: %d" % len(body))


def test_a_name_reads_from_top_to_bottom_on_a_shared_console(kit):
    kit.printed = lambda number: kit.folder / "console"
    kit.start()
    kit.send("Budi")
    lines = [line for line in (kit.folder / "console").read_text().splitlines() if "Ctrl+C" not in line]
    assert [re.sub(r"\(http\S+\)|HTTP/1..", "...", line) for line in lines] == [
        "Server 1: calls Server 2 ...",
        "Server 2: calls Server 3 ...",
        'Server 3: "POST /log.php ..." 200 -',
        'Server 2: "POST /api.php ..." 200 -',
        'Server 1: "POST / ..." 200 -',
    ]


def test_a_server_says_whom_it_calls(chain):
    assert "%s calls %s; Ctrl+C" % (chain.url(1), chain.url(2)) in chain.output(1)
    assert "%s calls %s; Ctrl+C" % (chain.url(2), chain.url(3)) in chain.output(2)
    assert "%s writes to %s; Ctrl+C" % (chain.url(3), chain.log) in chain.output(3)


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
