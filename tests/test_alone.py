# SPDX-License-Identifier: 0BSD
"""Each server file, copied alone into an empty folder, under every Python that PYTHONS names."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import pytest
from conftest import KIT, fetch, posix

PYTHONS = os.environ.get("PYTHONS", sys.executable).split(os.pathsep)
ANSWERS = [  # file, what is posted, the answer to it
    ("server1.py", b"nama=Budi", r"Server 2 \(http://127.0.0.1:8001/api.php\)|Budi"),
    ("server2.py", b"{", "bukan JSON"),
    ("server3.py", b'{"nama":"Budi"}', "logged"),
]


def start_alone(python, file, folder, *options):
    shutil.copy(os.path.join(KIT, file), str(folder))
    return subprocess.Popen([python, "-I", "-W", "error", file] + list(options), cwd=str(folder),
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)


@posix
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("file, body, answer", ANSWERS)
def test_a_server_file_runs_alone_and_ends_quietly_at_ctrl_c(python, file, body, answer, tmp_path):
    process = start_alone(python, file, tmp_path, "--port", "0")
    try:
        first = process.stdout.readline()
        url = re.search("http://[^ ]+", first).group(0)
        host, port = re.search("//([^:]+):([0-9]+)", url).groups()
        with socket.create_connection((host, int(port))):  # a client that is silent holds up nothing
            assert re.search(answer, fetch(url, body)[1])
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=5)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    lines = (first + rest).splitlines()
    assert [line for line in lines if not line.startswith("Server " + file[6])] == []
    assert "Ctrl+C" in first
    assert sorted(os.listdir(str(tmp_path))) == sorted([file] + (["log.txt"] if file == "server3.py" else []))


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("file", [row[0] for row in ANSWERS])
def test_a_port_that_cannot_be_had_is_one_sentence(python, file, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        for port in (other.getsockname()[1], 70000, -1):
            process = start_alone(python, file, tmp_path, "--port", str(port))
            said, _ = process.communicate(timeout=10)
            assert process.returncode in (1, 2)
            assert said.count("\n") == 1 and "--port" in said and str(port) in said and "Traceback" not in said


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("url", ["", "x", "ftp://127.0.0.1/", "file:///etc/passwd", "http://", "http://[", "http:///a",
                                 "http://127.0.0.1:x/", "https://127.0.0.1/", "http://127.0.0.1/a b"])
@pytest.mark.parametrize("file, option", [("server1.py", "--api-url"), ("server2.py", "--log-url")])
def test_an_url_that_is_none_is_refused_at_the_start(python, file, option, url, tmp_path):
    process = start_alone(python, file, tmp_path, "--port", "0", option, url)
    said, _ = process.communicate(timeout=10)
    assert process.returncode in (1, 2)
    assert option in said.splitlines()[-1] and "http://127.0.0.1:" in said and "Traceback" not in said
