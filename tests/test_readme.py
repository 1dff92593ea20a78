# SPDX-License-Identifier: 0BSD
"""README.md and CONTRIBUTING.md: links lead somewhere, commands run, and what is shown is what is seen."""
import functools
import os
import re
import subprocess
import sys

import pytest
from conftest import KIT

PAGES = {"README.md": (16000, 250), ".github/CONTRIBUTING.md": (5000, 100)}  # the largest: bytes, lines


def read(page):
    with open(os.path.join(KIT, page), encoding="utf-8") as file:
        return file.read()


def anchors(text):
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in re.findall("^#+ (.*)", text, re.M)}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_short_and_its_links_lead_somewhere(page):
    text = read(page)
    size, lines = PAGES[page]
    assert len(text.encode()) <= size and text.count("\n") <= lines and max(map(len, text.splitlines())) <= 300
    for link in re.findall(r"\]\(([^)]+)\)", text):
        file, _, anchor = link.partition("#")
        target = os.path.join(os.path.dirname(page), file) if file else page
        assert os.path.exists(os.path.join(KIT, target)), link
        assert not anchor or anchor in anchors(read(target)), link


@functools.lru_cache(None)
def options_of(program):
    shown = subprocess.check_output([sys.executable, os.path.join(KIT, program), "--help"]).decode()
    return set(re.findall(r"--[\w-]+", shown)) - {"--help"}


@pytest.mark.parametrize("page", PAGES)
def test_a_command_names_a_program_and_options_that_it_has(page):
    commands = set(re.findall(r"python ((?:tests/)?\w+\.py)([^`\n]*)", read(page)))
    assert len(commands) > 1
    for program, words in commands:
        assert os.path.exists(os.path.join(KIT, program))
        options = set(re.findall(r"--[\w-]+", words))
        assert not options or options <= options_of(program)
        assert "[" not in words or options == options_of(program)  # the block of options


@pytest.mark.skipif(os.name == "nt", reason="on Windows, programs that append to one file overwrite each other's lines")
def test_what_terminal_page_and_log_show_is_what_is_seen(kit):
    text = read("README.md")
    shown = [line.strip() for line in re.findall("^       (Server .*)", text, re.M)]
    kit.printed = lambda number: kit.folder / "console"
    kit.start()
    kit.send()
    printed = kit.output(1)
    for number, url in [(2, "http://127.0.0.1:8001/api.php"), (3, "http://127.0.0.1:8002/log.php")]:
        printed = printed.replace(kit.url(number), url)
    assert shown[:5] == printed.splitlines()[3:8]
    assert f"`{kit.lines()[-1].decode()}`" in text
    kit.stop(3)
    said = " ".join(re.search("`(Server 2 menjawab 502: [^`]*)`", text).group(1).split())
    assert re.sub(r"\(.*\)", "(\u2026)", kit.send()[1].replace(kit.url(3), "http://127.0.0.1:8002/log.php")) == said
