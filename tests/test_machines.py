# SPDX-License-Identifier: 0BSD
"""Three machines: each server in a network namespace, with a cable to a switch that can be cut.

The switch has a namespace too, so that this machine's own network is left as it is.
"""
import os
import shutil
import subprocess
import sys
import urllib.parse

import pytest

from conftest import KIT, common, pre, run_all, wait_until

URLS = {1: "http://10.77.0.1:8000/", 2: "http://10.77.0.2:8001/api.php", 3: "http://10.77.0.3:8002/log.php"}
MACHINE = "kit%d-%%d" % os.getpid()
SWITCH = "kit%d-switch" % os.getpid()
BROWSER = """import sys, common
print(common.ask(sys.argv[1], sys.argv[2].encode(), "application/x-www-form-urlencoded")[2].decode())"""


def ip(command):
    """Run the ip command. Returns what it prints."""
    return subprocess.check_output(["ip"] + command.split(), stderr=subprocess.STDOUT).decode()


def python(number):
    """The command that runs Python on a machine."""
    return ["ip", "netns", "exec", MACHINE % number, sys.executable]


def wait_for(text, output):
    """Wait until the text is in what the function output() returns, 10 seconds at the most."""
    assert wait_until(lambda: text in output(), seconds=10), output()


def make_machines():
    """Make the switch and the machines; subprocess.CalledProcessError if that cannot be done."""
    ip("netns add " + SWITCH)
    ip("-n %s link add bridge up type bridge" % SWITCH)
    for number in URLS:
        machine = MACHINE % number
        ip("netns add " + machine)
        ip("-n %s link add cable%d type veth peer name eth0 netns %s" % (SWITCH, number, machine))
        ip("-n %s link set cable%d master bridge" % (SWITCH, number))
        ip("-n %s address add 10.77.0.%d/24 dev eth0" % (machine, number))
        ip("-n %s link set lo up" % machine)
        ip("-n %s link set eth0 up" % machine)
        mend(number)


def mend(number):
    """Mend the cable of a machine, and wait until the switch uses it."""
    ip("-n %s link set cable%d up" % (SWITCH, number))
    wait_for("state forwarding", lambda: ip("-n %s -d link show cable%d" % (SWITCH, number)))
    for machine in [MACHINE % other for other in URLS if other <= number]:  # may still be looking for it
        ip("-n %s neighbour flush all" % machine)


def send(name):
    """The text in <pre> of the page that a program on machine 1 gets for a name."""
    form = urllib.parse.urlencode({"nama": name})
    return pre(subprocess.check_output(python(1) + ["-c", BROWSER, URLS[1], form], cwd=KIT).decode())


@pytest.fixture
def servers(tmp_path):
    """The processes of three servers that are up, each on its machine."""
    if not (sys.platform == "linux" and shutil.which("ip")):
        pytest.skip("needs Linux and its ip command (iproute2)")
    if os.geteuid() != 0:
        pytest.skip("only root can make network namespaces")
    options = {1: ["--api-url", URLS[2]], 2: ["--log-url", URLS[3]], 3: ["--log", str(tmp_path / "log.txt")]}
    processes = []
    try:
        make_machines()
        for number, file in run_all.find_files(None).items():
            printed = tmp_path / ("server%d.out" % number)
            words = ["-u", common.__file__, file, "--bind", "10.77.0.%d" % number]  # as common.start has it
            with printed.open("wb") as output:
                processes.append(subprocess.Popen(python(number) + words + options[number], stderr=output,
                                                  stdout=output, stdin=subprocess.PIPE))
            wait_for("Ctrl+C", printed.read_text)
        yield processes
    except subprocess.CalledProcessError as error:
        pytest.skip("network namespaces cannot be made: " + error.output.decode().strip())
    finally:
        for process in processes:
            common.stop(process)
        for namespace in [SWITCH] + [MACHINE % number for number in URLS]:
            subprocess.call(["ip", "netns", "delete", namespace], stderr=subprocess.DEVNULL)


def see_success(name, log):
    """Send a name and see it in the page and as the last line of the log."""
    assert send(name) == '{"status":"success","data":{"nama":"%s"}}' % name
    assert log.read_text().splitlines()[-1] == '{"nama":"%s"}' % name


def see_failure(number, *words):
    """Send a name and see in the page that this server is named, with one of the words."""
    answer = send("Joko")
    assert "Server %d (%s)" % (number, URLS[number]) in answer and "success" not in answer
    assert any(word in answer for word in words), answer


def test_three_machines_outlive_a_cut_cable(servers, tmp_path):
    log = tmp_path / "log.txt"
    see_success("Budi", log)
    ip("-n %s link set cable3 down" % SWITCH)
    see_failure(3, "tidak membalas dalam 3 detik")
    mend(3)
    see_success("Siti", log)
    for number in (3, 2):
        ip("-n %s link set cable%d down" % (SWITCH, number))
        ip("-n %s neighbour flush all" % (MACHINE % (number - 1)))  # now the way there is no longer known
        see_failure(number, "tidak dapat dihubungi", "tidak membalas")
        mend(number)
        see_success("Siti", log)
    assert "Joko" not in log.read_text()
    assert [server.poll() for server in servers] == [None, None, None]
