# SPDX-License-Identifier: 0BSD
"""common.py: start a server process, know that it is up, stop it."""
import subprocess
import sys

import pytest

from conftest import common

SHOW = "import sys; print(sys.argv, sys.path[0], __name__, flush=True)"


def test_a_started_file_runs_as_if_it_had_been_named_to_python(tmp_path):
    file = tmp_path / "server.py"
    file.write_text(SHOW)
    process = common.start(str(file), "--port", 8000, output=subprocess.PIPE)
    with process.stdout:
        printed = process.stdout.read().decode().strip()
    common.stop(process)
    assert printed == "%s %s __main__" % ([str(file), "--port", "8000"], tmp_path)
    assert process.returncode == 0


def test_a_started_file_ends_when_its_input_is_closed(tmp_path):
    (tmp_path / "server.py").write_text("import time; time.sleep(60)")
    process = common.start(str(tmp_path / "server.py"))
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(timeout=10) == 0


def test_a_server_that_ends_before_it_is_up_is_not_up(tmp_path):
    (tmp_path / "server.py").write_text("raise SystemExit(3)")
    process = common.start(str(tmp_path / "server.py"))
    assert not common.is_up(process, common.free_ports(1)[0])
    common.stop(process)  # does no harm to one that has ended
    assert process.returncode == 3


def test_stop_ends_a_process_that_does_not_heed_its_input():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdin=subprocess.PIPE)
    common.stop(process)
    assert process.returncode is not None


def test_free_ports_are_different_and_an_address_of_another_machine_is_an_error():
    assert len(set(common.free_ports(20))) == 20
    with pytest.raises(OSError):
        common.free_ports(1, "192.0.2.1")
