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
from conftest import KIT, common, fetch, posix

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
@pytest.mark.parametrize("file", [row[0] for row in ANSWERS])
def test_an_address_that_is_not_this_machine_s_is_one_sentence(python, file, tmp_path):
    for address in ("192.0.2.1", "::1", "a..b", "x" * 70):
        process = start_alone(python, file, tmp_path, "--port", "0", "--bind", address)
        said, _ = process.communicate(timeout=30)
        assert process.returncode in (1, 2)
        assert said.count("\n") == 1 and "--bind" in said and address in said and "Traceback" not in said


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("url", ["", "x", "ftp://127.0.0.1/", "file:///etc/passwd", "http://", "http://[", "http:///a",
                                 "http://127.0.0.1:x/", "https://127.0.0.1/", "http://127.0.0.1/a b"])
@pytest.mark.parametrize("file, option", [("server1.py", "--api-url"), ("server2.py", "--log-url")])
def test_an_url_that_is_none_is_refused_at_the_start(python, file, option, url, tmp_path):
    process = start_alone(python, file, tmp_path, "--port", "0", option, url)
    said, _ = process.communicate(timeout=10)
    assert process.returncode in (1, 2)
    assert option in said.splitlines()[-1] and "http://127.0.0.1:" in said and "Traceback" not in said


@pytest.mark.parametrize("file, option, path", [("server1.py", "--api-url", "/"), ("server2.py", "--log-url", "/api.php")])
def test_a_server_that_would_call_itself_does_not_start(file, option, path, tmp_path):
    port = common.free_ports(1)[0]
    url = "http://127.0.0.1:%d%s" % (port, path)
    process = start_alone(sys.executable, file, tmp_path, "--port", str(port), option, url)
    said, _ = process.communicate(timeout=10)
    assert process.returncode == 1
    assert said.count("\n") == 1 and option in said


@pytest.mark.parametrize("number, path, fault", [(2, "/kirim.php", "Server 3 (http://127.0.0.1:9/x) tidak dapat dihubungi"),
                                                 (3, "/simpan.php", "Server 4 tidak dapat menulis ke log4.txt")])
def test_a_copy_for_a_fourth_server_is_changed_in_its_constants_alone(number, path, fault, tmp_path):
    port = common.free_ports(1)[0]
    with open(os.path.join(KIT, "server%d.py" % number), encoding="utf-8") as file:
        text = file.read()
    for name, value in [("NAME", "Server 4"), ("PORT", port), ("PATH", path), ("LOG_URL", "http://127.0.0.1:9/x")]:
        text = re.sub("^%s = .*" % name, "%s = %r" % (name, value), text, flags=re.M)
    (tmp_path / "server4.py").write_text(text.replace('"log.txt")', '"log4.txt")'), encoding="utf-8")
    (tmp_path / "log4.txt").mkdir()  # so that it can't be written
    url = "http://127.0.0.1:%d%s" % (port, path)
    process = common.start(str(tmp_path / "server4.py"), output=subprocess.PIPE)
    try:
        first = process.stdout.readline().decode()
        assert fetch(url) == (200, '{"status":"success","message":"Server 4 aktif"}')
        assert fault in fetch(url, b"{}")[1]
        said = '{"status":"error","message":"Alamat tidak ditemukan di Server 4. Gunakan %s."}' % path
        assert fetch(url + "x") == (404, said)
    finally:
        common.stop(process)
        printed = first + process.stdout.read().decode()
        process.stdout.close()
    assert printed.startswith("Server 4 siap di " + url)
    assert [line for line in printed.splitlines() if not line.startswith("Server 4 ")] == []
