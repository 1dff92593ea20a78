# SPDX-License-Identifier: 0BSD
"""Each server file, copied alone into an empty folder, under every Python that PYTHONS names."""
import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest
from conftest import KIT, as_in_a_terminal, common, fetch, posix, run_all, wait_until

PYTHONS = os.environ.get("PYTHONS", sys.executable).split(os.pathsep)
each_python = pytest.mark.parametrize("python", PYTHONS)
each_server = pytest.mark.parametrize("number", [1, 2, 3])


def start_alone(python, number, folder, *options):
    if not os.listdir(str(folder)):
        shutil.copy(os.path.join(KIT, f"server{number}.py"), str(folder))
    command = [python, "-I", "-W", "error", f"server{number}.py"] + [str(option) for option in options]
    return subprocess.Popen(command, cwd=str(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            preexec_fn=as_in_a_terminal if os.name == "posix" else None)


@posix
@each_python
@each_server
def test_a_server_file_runs_alone_and_ends_quietly_at_ctrl_c(python, number, tmp_path):
    port = common.free_ports(1)[0]
    folder = tmp_path / "caf\u00e9"
    folder.mkdir()
    process = start_alone(python, number, folder, "--port", port)
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
    assert first.isascii() and (number != 3 or ascii(str(folder / "log.txt"))[1:-1] in first)
    assert [line for line in rest.splitlines() if not line.startswith(f"Server {number} ")] == []
    assert sorted(os.listdir(str(folder))) == (["log.txt"] if number == 3 else []) + [f"server{number}.py"]


@each_python
@each_server
def test_an_address_that_cannot_be_had_is_one_sentence(python, number, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        wrong = [["--port", taken], ["--port", 70000], ["--port", -1], ["--bind", "192.0.2.1"], ["--bind", "::1"],
                 ["--bind", "x" * 70]]
        if number < 3:
            port = common.free_ports(1)[0]
            own = f"http://127.0.0.1:{port}{run_all.PATHS[number]}"
            urls = own, own.replace("127.0.0.1", "localhost"), "", "127.0.0.1:8002/", "https://127.0.0.1/"
            wrong += [["--port", port, "--api-url" if number == 1 else "--log-url", url] for url in urls]
        assert subprocess.call([python, f"server{number}.py", "--level", "5"], cwd=KIT, stderr=subprocess.DEVNULL) == 2
        processes = [start_alone(python, number, tmp_path, *options) for options in wrong]
        for options, process in zip(wrong, processes):
            wait_until(lambda: process.poll() is not None)
            process.kill()
            said, _ = process.communicate()
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
