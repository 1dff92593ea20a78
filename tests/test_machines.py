# SPDX-License-Identifier: 0BSD
"""Three machines: each server in a network namespace, with a cable to a switch that can be cut.

The switch has a namespace too, so that this machine's own network is left as it is.
"""
import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import KIT, common, wait_until

URLS = {1: "http://10.77.0.1:8000/", 2: "http://10.77.0.2:8001/api.php", 3: "http://10.77.0.3:8002/log.php"}
OPTIONS = {1: ["--api-url", URLS[2]], 2: ["--log-url", URLS[3]], 3: ["--log", "log.txt"]}
MACHINE = f"kit{os.getpid()}-%s"
SWITCH = MACHINE % "switch"
BROWSER = """import sys
sys.path.insert(0, sys.argv[1])
from conftest import fetch, pre
print(pre(fetch(sys.argv[2], sys.argv[3].encode())[1]))"""


def ip(command):
    return subprocess.check_output(["ip"] + command.split(), stderr=subprocess.STDOUT).decode()


def on(number, *words):
    return ["ip", "netns", "exec", MACHINE % number, sys.executable] + list(words)


def make_machines():
    ip("netns add " + SWITCH)
    ip(f"-n {SWITCH} link add bridge up type bridge")
    for number in URLS:
        ip("netns add " + MACHINE % number)
        ip(f"-n {SWITCH} link add cable{number} type veth peer name eth0 netns {MACHINE % number}")
        ip(f"-n {SWITCH} link set cable{number} master bridge")
        ip(f"-n {MACHINE % number} address add 10.77.0.{number}/24 dev eth0")
        ip(f"-n {MACHINE % number} link set lo up")
        ip(f"-n {MACHINE % number} link set eth0 up")
        mend(number)


def cut(number):
    """Cut the cable of a machine, and let the one before forget the way there."""
    ip(f"-n {SWITCH} link set cable{number} down")
    ip(f"-n {MACHINE % (number - 1)} neighbour flush all")


def mend(number):
    """Mend the cable of a machine, and wait until the switch uses it."""
    ip(f"-n {SWITCH} link set cable{number} up")
    assert wait_until(lambda: "state forwarding" in ip(f"-n {SWITCH} -d link show cable{number}"))
    for other in range(1, number + 1):  # may still be looking for it
        ip(f"-n {MACHINE % other} neighbour flush all")


def send(name):
    """The text in <pre> of the page that a program on machine 1 gets for a name."""
    words = on(1, "-c", BROWSER, os.path.dirname(os.path.abspath(__file__)), URLS[1], "nama=" + name)
    return subprocess.check_output(words).decode().strip()


@pytest.fixture
def log(tmp_path):
    """The log of three servers that are up, each on its machine."""
    if not (sys.platform == "linux" and shutil.which("ip") and os.geteuid() == 0):
        pytest.skip("needs Linux, its ip command (iproute2), and root, to make network namespaces")
    processes = []
    try:
        make_machines()
        for number in URLS:
            words = [common.__file__, os.path.join(KIT, f"server{number}.py"), "--bind", f"10.77.0.{number}"]
            with open(tmp_path / f"server{number}.out", "wb") as output:
                processes.append(subprocess.Popen(on(number, "-u", *words, *OPTIONS[number]), cwd=str(tmp_path),
                                                  stdin=subprocess.PIPE, stdout=output, stderr=output))
            assert wait_until(lambda: " siap di " in (tmp_path / f"server{number}.out").read_text())
        yield tmp_path / "log.txt"
        assert [process.poll() for process in processes] == [None] * 3
    except subprocess.CalledProcessError as error:
        pytest.skip("network namespaces cannot be made: " + error.output.decode().strip())
    finally:
        for process in processes:
            common.stop(process)
        for namespace in [SWITCH] + [MACHINE % number for number in URLS]:
            subprocess.call(["ip", "netns", "delete", namespace], stderr=subprocess.DEVNULL)


def test_three_machines_outlive_a_cut_cable(log):
    def see_success(name):
        assert send(name) == '{"status":"success","data":{"nama":"%s"}}' % name
        assert log.read_text().splitlines()[-1] == '{"nama":"%s"}' % name

    see_success("Budi")
    for number in (3, 2):
        cut(number)
        answer = send("Joko")
        assert re.search(f"Server {number} tidak (dapat dihubungi|membalas)", answer) and "success" not in answer
        mend(number)
        see_success("Siti")
    assert "Joko" not in log.read_text()
