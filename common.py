# SPDX-License-Identifier: 0BSD
"""What run_all.py and the tests share: start a server process, know that it is up, stop it.

No server imports this file: each of them is whole by itself, so that it can be copied alone
into an empty folder and run there.

Run as a program, which start() does, this file runs a server file and ends when its standard
input is closed. So a server never outlives the program that started it, whatever ends that
one. It needs no signal, and so works on every system.
"""
import contextlib
import os
import runpy
import socket
import subprocess
import sys
import threading
import time


def start(file, *options, output=None):
    """Start a server file with command line options. Returns the subprocess.Popen.

    output is where it prints, its errors too: as subprocess.Popen's stdout.
    """
    command = [sys.executable, "-u", os.path.abspath(__file__), file]
    return subprocess.Popen(command + [str(option) for option in options],
                            stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)


def is_up(process, port, host="127.0.0.1", seconds=10):
    """Wait until the process takes connections: True; False if it ends before or the seconds do.

    The connection is closed without a request, so that no server logs it.
    """
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection((host, port), timeout=1) as connection:
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1)
                return True
        except OSError:
            time.sleep(0.01)
    return False


def stop(process):
    """End a started process, if it has not ended yet, and wait for that, 1 second at the most."""
    process.stdin.close()
    try:
        process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_ports(count, host="127.0.0.1"):
    """So many ports of the host that are free at the moment. OSError if it is not this machine's."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((host, 0))
        return [one.getsockname()[1] for one in sockets]


def end_with_input():
    """End this process when its standard input is closed."""
    while os.read(0, 1024):  # not sys.stdin, which would abort Python's exit while a thread reads it
        pass
    os._exit(0)


if __name__ == "__main__":
    del sys.argv[0]
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    threading.Thread(target=end_with_input, daemon=True).start()
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except KeyboardInterrupt:
        pass
