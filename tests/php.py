# SPDX-License-Identifier: 0BSD
"""The tutorial's PHP programs as servers, for the tests that compare with them."""
import os
import shutil
import subprocess

import pytest

import common

TUTORIAL = os.environ.get("PHP_TUTORIAL")
PROGRAMS = {1: "index.php", 2: "api.php", 3: "log.php"}

needs_php = pytest.mark.skipif(
    not (TUTORIAL and shutil.which("php")),
    reason="needs the php command, and the tutorial's programs in the folder that PHP_TUTORIAL names")


def start_php(number, level, ports, folder):
    """Start the PHP program of a server and wait until it is up. Returns the subprocess.Popen.

    A copy of it, with the ports in place of the tutorial's, runs in the folder. There Server 3
    writes its log.txt, and each prints into php1.out and so on. To end it: stop_php.
    """
    with open(os.path.join(TUTORIAL, "level%d" % level, "server%d" % number, PROGRAMS[number])) as file:
        program = file.read()
    for other, port in ports.items():
        program = program.replace("http://localhost:%d" % (7999 + other), "http://127.0.0.1:%d" % port)
    (folder / PROGRAMS[number]).write_text(program)
    with open(folder / ("php%d.out" % number), "wb") as output:
        process = subprocess.Popen(["php", "-S", "127.0.0.1:%d" % ports[number], "-t", str(folder)],
                                   stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)
    if not common.is_up(process, ports[number]):
        stop_php(process)
        raise AssertionError((folder / ("php%d.out" % number)).read_text())
    return process


def stop_php(process):
    """End it at once. (common.stop alone, which a Kit uses, takes a second with PHP.)"""
    process.terminate()
    common.stop(process)
