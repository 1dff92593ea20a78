# SPDX-License-Identifier: 0BSD
"""README.md is true: its links, names, sizes, commands, exercises, and what it shows of terminal and answers.

Run:  python tests/test_readme.py   (puts the right line numbers and sizes into README.md; needs pytest)
"""
import ast
import os
import re
import shlex
import subprocess
import sys

import pytest
from conftest import KIT, fetch, pre, wait_until

README = os.path.join(KIT, "README.md")
SERVERS = ["server1.py", "server2.py", "server3.py"]
LINK = re.compile(r"\[`([\w.]+)`\]\((\w+\.py)#L(\d+)\)")
SIZE = re.compile(r"^\| `(\w+\.py)` \| (\d+) \| (\d+) \|$", re.M)
COMMAND = re.compile(r"(?:^    |`|; )(python (?:\w+\.py|tests)[^`|}\n]*)", re.M)
DIFF = re.compile(r"^```diff\n--- (\w+\.py)\n(.*?)^```$", re.M | re.S)
REFRESH = "README.md says %s. To put that right: python tests/test_readme.py"


def read(name):
    """The text of a file of the project."""
    with open(os.path.join(KIT, name), encoding="utf-8") as file:
        return file.read()


def find_names(file):
    """{name: line number} of what the file defines at its top and in its classes (as Class.name)."""
    names = {}

    def add(prefix, body):
        for node in body:
            targets = [getattr(target, "id", None) for target in getattr(node, "targets", [])]
            for name in filter(None, [getattr(node, "name", None)] + targets):
                names[prefix + name] = node.lineno
            if isinstance(node, ast.ClassDef):
                add(node.name + ".", node.body)

    add("", ast.parse(read(file)).body)
    return names


def size(file):
    """How many lines of the file are not blank, and how many of those are the classes Level1 to Level4."""
    lines = read(file).splitlines()
    body = ast.parse(read(file)).body
    levels = 0
    for node, after in zip(body, body[1:]):
        if isinstance(node, ast.ClassDef) and node.name.startswith("Level"):
            levels += sum(bool(line.strip()) for line in lines[node.lineno - 1:after.lineno - 1])
    return sum(bool(line.strip()) for line in lines), levels


def right_link(match):
    """The link with the line that it should name; as it is if the file has no such name."""
    name, file, line = match.groups()
    return "[`%s`](%s#L%s)" % (name, file, find_names(file).get(name, line))


def right_size(match):
    """The row of the table of sizes as it should be."""
    return "| `%s` | %d | %d |" % ((match.group(1),) + size(match.group(1)))


def wrong(pattern, right):
    """What README.md says and should say, one line for each, where the pattern's matches are not right."""
    return ["%s where it should say %s" % (match.group(0), right(match))
            for match in pattern.finditer(read("README.md")) if match.group(0) != right(match)]


def show_blocks(start):
    """The indented blocks of README.md that start with the pattern, without the indent."""
    blocks = re.findall("(?:^    .+\n)+", read("README.md"), re.M)
    blocks = [re.sub("^    ", "", block, flags=re.M).rstrip("\n") for block in blocks]
    return [block for block in blocks if re.match(start, block)]


def test_a_link_to_a_line_leads_to_what_it_names():
    links = LINK.findall(read("README.md"))
    assert len(links) == read("README.md").count(".py#L") > 0
    assert [link for link in links if link[0] not in find_names(link[1])] == []
    assert not wrong(LINK, right_link), REFRESH % "\n".join(wrong(LINK, right_link))


def test_every_class_is_linked_and_every_class_named_exists():
    text = read("README.md")
    classes = {name for file in SERVERS for name in find_names(file) if name[0].isupper() and not name.isupper()}
    named = set(re.findall(r"`([A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*)`|\b(Level\d)\b", text))
    named = {name for pair in named for name in pair if name} - {"Request", "None"}  # which are Python's
    assert named - classes == set()
    linked = {(name, file) for name, file, _ in LINK.findall(text)}
    levels = {(name, file) for file in SERVERS for name in find_names(file) if re.match(r"Level\d$", name)}
    assert len(levels) == 7 and levels - linked == set()


def test_a_function_in_the_phrase_book_is_one_of_the_file_that_its_row_links_to():
    rows = re.findall(r"^\| .*\| (.*) \| \[`[\w.]+`\]\((\w+\.py)#L\d+\) \|$", read("README.md"), re.M)
    assert rows
    for python, file in rows:
        assert set(re.findall(r"\b([a-z_]+)\(", python)) <= set(find_names(file)), python


def test_the_sizes_are_right():
    assert [row[0] for row in SIZE.findall(read("README.md"))] == SERVERS + ["common.py", "run_all.py"]
    assert not wrong(SIZE, right_size), REFRESH % "\n".join(wrong(SIZE, right_size))


def test_each_file_has_the_licence_that_the_readme_states():
    assert read("README.md").count("SPDX-License-Identifier: 0BSD") == 1
    for file in SERVERS + ["common.py", "run_all.py"]:
        assert read(file).startswith("# SPDX-License-Identifier: 0BSD\n"), file


def test_every_command_names_a_file_and_options_that_there_are():
    commands = COMMAND.findall(read("README.md"))
    assert commands
    helps = {file: subprocess.check_output([sys.executable, os.path.join(KIT, file), "--help"]).decode()
             for file in SERVERS + ["run_all.py"]}
    for command in commands:
        words = shlex.split(command)
        assert os.path.exists(os.path.join(KIT, words[1])), command
        for word in words[2:]:
            assert not word.startswith("-") or word in re.findall(r"--[\w-]+", helps[words[1]]), command
        if "--level" in words:
            assert words[words.index("--level") + 1] in "1234", command
    named = set(re.findall(r"`(--[\w-]+)", read("README.md")))
    assert named - set(re.findall(r"--[\w-]+", "".join(helps.values()))) == set()


def test_the_exercises_fit_the_files_and_the_changed_files_start(tmp_path):
    exercises = DIFF.findall(read("README.md"))
    assert len(exercises) == read("README.md").count("```diff") == 5
    for number, (file, diff) in enumerate(exercises):
        changed = "\n" + read(file)
        for part in diff.split("@@\n"):
            lines = part.splitlines()
            old = "".join("\n" + line[1:] for line in lines if line[0] in " -") + "\n"
            new = "".join("\n" + line[1:] for line in lines if line[0] in " +") + "\n"
            assert changed.count(old) == 1, "exercise %d: %s does not have once: %s" % (number + 1, file, old)
            changed = changed.replace(old, new)
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / file).write_text(changed[1:])
        if "waktu" in diff or "kelas" in diff:
            check = [sys.executable, os.path.join(KIT, "run_all.py"), "--check", "--from", str(folder)]
            assert subprocess.check_output(check).decode().splitlines()[-1] == "OK"
        else:
            compile(changed, file, "exec")


def normal(text, ports=()):
    """Text of a terminal or page without what differs from run to run: ports, folders, the system's own words."""
    for number, port in ports:
        text = text.replace(":%s/" % port, ":%d/" % (7999 + int(number)))
    text = re.sub("writes to .*;", "writes to log.txt;", text)
    return re.sub(r"(log\.php\)): .*", r"\1: reason", text)


@pytest.fixture
def story(tmp_path):
    """What README.md tells, done: (lines of the terminal, lines of pages and log), all of them normal()."""
    printed, log, answers = tmp_path / "printed", tmp_path / "log.txt", []
    with printed.open("wb") as output:
        command = [sys.executable, os.path.join(KIT, "run_all.py"), "--port", "0", "--log", str(log)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)

    def text():
        return printed.read_bytes().decode().replace("\r\n", "\n")

    def wait_for(words, times=1):
        assert wait_until(lambda: text().count(words) >= times or process.poll() is not None), text()
        assert process.poll() is None, text()

    def press_3():
        process.stdin.write(b"3\n")
        process.stdin.flush()

    try:
        wait_for("Ctrl+C ends all")
        ports = re.findall(r"^Server (\d): http://127.0.0.1:(\d+)/", text(), re.M)
        url = "http://127.0.0.1:%s/" % dict(ports)["1"]
        fetch(url)
        answers.append(pre(fetch(url, b"nama=Budi")[1]))
        press_3()
        wait_for("is stopped")
        answers.append(pre(fetch(url, b"nama=Siti")[1]))
        press_3()
        wait_for("writes to", 2)
    finally:
        process.kill()
        process.communicate()
    lines = normal(text(), ports).splitlines()
    answers = normal("\n".join(answers), ports).splitlines()
    return sorted(lines[:3], reverse=True) + lines[3:], answers + log.read_text().splitlines()


def test_the_terminal_shows_what_the_readme_shows(story):
    blocks = show_blocks(r"Server \d: |run_all: ")
    assert len(blocks) == 2
    for block in blocks:
        assert normal(block) in "\n".join(story[0])


def test_the_answers_are_what_the_readme_shows(story):
    blocks = show_blocks("{")
    assert len(blocks) == 4
    for block in blocks:
        assert set(block.splitlines()) <= set(story[1])


if __name__ == "__main__":
    text = SIZE.sub(right_size, LINK.sub(right_link, read("README.md")))
    with open(README, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
