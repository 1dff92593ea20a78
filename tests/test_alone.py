# SPDX-License-Identifier: 0BSD
"""Each server file, copied alone into an empty folder, under every Python that PYTHONS names."""
import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest
from conftest import KIT, common, fetch, posix, run_all

PYTHONS = os.environ.get("PYTHONS", sys.executable).split(os.pathsep)
OPTIONS = {1: "--api-url", 2: "--log-url"}
each_python = pytest.mark.parametrize("python", PYTHONS)
each_server = pytest.mark.parametrize("number", [1, 2, 3])


def start_alone(python, number, folder, *options):
    if not os.listdir(str(folder)):
        shutil.copy(os.path.join(KIT, f"server{number}.py"), str(folder))
    command = [python, "-I", "-W", "error", f"server{number}.py"] + [str(option) for option in options]
    return subprocess.Popen(command, cwd=str(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@posix
@each_python
@each_server
def test_a_server_file_runs_alone_and_ends_quietly_at_ctrl_c(python, number, tmp_path):
    port = common.free_ports(1)[0]
    process = start_alone(python, number, tmp_path, "--port", port)
    url = f"http://127.0.0.1:{port}{run_all.PATHS[number]}"
    try:
        first = process.stdout.readline()
        with socket.create_connection(("127.0.0.1", port)):  # a client that is silent holds up nothing
            assert fetch(url)[0] == 200
            code, text = fetch(url, b'nama=Budi' if number == 1 else b'{"nama":"Budi"}')
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=5)
    finally:
        process.kill()
        process.wait()
    assert (code, text) == (200, '{"status":"logged"}') or code == 502 and f"Server {number + 1} tidak dapat" in text
    assert process.returncode == 0 and first.startswith(f"Server {number} siap di {url} (")
    assert [line for line in rest.splitlines() if not line.startswith(f"Server {number} ")] == []
    assert sorted(os.listdir(str(tmp_path))) == (["log.txt"] if number == 3 else []) + [f"server{number}.py"]


@each_python
@each_server
def test_an_address_that_cannot_be_had_is_one_sentence(python, number, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        wrong = [["--port", taken], ["--port", 70000], ["--port", -1], ["--bind", "192.0.2.1"], ["--bind", "::1"],
                 ["--bind", "x" * 70]]
        if number in OPTIONS:
            port = common.free_ports(1)[0]
            own = f"http://127.0.0.1:{port}{run_all.PATHS[number]}"
            urls = own, own.replace("127.0.0.1", "localhost"), "", "127.0.0.1:8002/", "ftp://127.0.0.1/"
            wrong += [["--port", port, OPTIONS[number], url] for url in urls]
        processes = [start_alone(python, number, tmp_path, *options) for options in wrong]
        for options, process in zip(wrong, processes):
            said, _ = process.communicate(timeout=30)
            assert process.returncode == 1 and said.count("\n") == 1 and said.startswith(f"Server {number}: ")
            assert str(options[1]) in said or options[-2] in said


def test_a_copy_for_a_fourth_server_is_changed_in_its_constants_alone_and_logs_beside_itself(kit, tmp_path_factory):
    for old, new in [("Server 3", "Server 4"), ("/log.php", "/simpan.php"), ("log.txt", "4.txt")]:
        kit.edit(3, f'"{old}"', f'"{new}"')
    kit.edit(3, "PORT = 8002", f"PORT = {kit.ports[3]}")
    url = f"http://127.0.0.1:{kit.ports[3]}/simpan.php"
    other = tmp_path_factory.mktemp("other")
    kit.processes[4] = common.start(kit.files[3], output=subprocess.DEVNULL, folder=other)
    assert common.is_up(kit.processes[4], kit.ports[3])
    assert fetch(url) == (200, '{"status":"success","message":"Server 4 aktif"}')
    assert fetch(url, b"[4]") == (200, '{"status":"logged"}')
    assert (kit.folder / "4.txt").read_bytes() == b"[4]" + os.linesep.encode() and os.listdir(str(other)) == []
    assert "Alamat tidak ditemukan di Server 4. Gunakan /simpan.php." in fetch(url + "x")[1]
