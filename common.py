# SPDX-License-Identifier: 0BSD
"""What run_all.py and the tests share: start a server process, know that it is up, pause it, stop it, ask it.

No server imports this file: each of them is whole by itself, so that it can be copied alone
into an empty folder and run there.

Run as a program, which start() does, this file runs a server file, and heeds its standard input,
a pipe from the program that started it: a letter pauses the server or lets it go on, and at the
end of the input the server ends. So a server never outlives the program that started it, whatever
ends that one. It needs no signal, and so works on every system.
"""
import contextlib
import io
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
import types
from http.client import HTTPException, HTTPResponse, IncompleteRead
from urllib.parse import urlsplit

PAUSE, RESUME = b"p", b"r"  # what pause() and resume() write into the pipe


def start(file, *options, output=None, **popen):
    """Start a server file with command line options. Returns the subprocess.Popen.

    output is where it prints, its errors too: as subprocess.Popen's stdout. popen: more of Popen's
    arguments, such as cwd.
    """
    command = [sys.executable, os.path.abspath(__file__), file] + [str(option) for option in options]
    return subprocess.Popen(command, bufsize=0, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
                            **popen)


def is_up(process, port, host="127.0.0.1", seconds=10):
    """Wait until the process takes connections: True; False if it ends before or the seconds do.

    The connection is closed without a request, so that no server logs it.
    """
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((host, port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.01)
    return False


def pause(process):
    """Let a started server hang: it takes connections and is silent. Nothing if it has ended."""
    tell(process, PAUSE)


def resume(process):
    """Let a paused server go on, with what came meanwhile. Nothing if it has ended."""
    tell(process, RESUME)


def tell(process, letter):
    """Write a letter into the pipe that a started server listens to."""
    with contextlib.suppress(OSError):  # it has ended
        process.stdin.write(letter)


def stop(*processes):
    """End started processes, those that have not ended yet. Returns when all have, after 1 second at the most."""
    for process in processes:
        process.stdin.close()
    deadline = time.monotonic() + 1
    for process in processes:
        try:
            process.wait(timeout=max(0, deadline - time.monotonic()))
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


class Unended(socket.timeout):
    """An answer has begun, and did not end in time."""


class TooLong(HTTPException):
    """An answer has more bytes than are wanted."""


class Bounded(io.RawIOBase):
    """What a connection receives, until a deadline (of time.monotonic) and at most so many bytes."""

    def __init__(self, connection, deadline, most):
        self.connection = connection
        self.deadline = deadline
        self.left = most

    def readable(self):
        return True

    def readinto(self, buffer):
        self.connection.settimeout(max(0.001, self.deadline - time.monotonic()))
        count = self.connection.recv_into(buffer)
        self.left -= count
        if self.left < 0:
            raise TooLong()
        return count

    def makefile(self, mode):  # HTTPResponse takes this object for a socket
        return io.BufferedReader(self)


def ask(url, body=None, content_type="application/json", seconds=10, most=2000000):
    """(HTTP status, headers, body) of the answer to a GET, or to a POST of the bytes in body.

    It takes so many seconds at most and so many bytes, whatever the server does. No proxy is asked,
    no redirect followed. OSError if there is no answer (ConnectionRefusedError: no connection;
    socket.timeout: not in time, Unended if it has begun), else HTTPException.
    """
    deadline = time.monotonic() + seconds
    parts = urlsplit(url)
    path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    head = "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n" % ("GET" if body is None else "POST", path, parts.netloc)
    if body is not None:
        head += "Content-Type: %s\r\nContent-Length: %d\r\n" % (content_type, len(body))
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=seconds) as connection:
        connection.sendall((head + "\r\n").encode() + (body or b""))
        received = Bounded(connection, deadline, most)
        try:
            with HTTPResponse(received) as response:
                response.begin()
                answer = response.read(most)
                if response.length:
                    raise IncompleteRead(answer, response.length)
                return response.status, response.headers, answer
        except socket.timeout:
            raise Unended("no end") if received.left < most else socket.timeout("no answer")


# ---- What runs in the server's process, beside the server file. ----

RUNNING = threading.Event()  # is set but while the server is paused
RUNNING.set()


def make_sockets_wait():
    """Make whatever the server takes, reads or sends through a socket wait while it is paused.

    The system takes connections for a server that listens, so those that come meanwhile wait, too.
    """
    for name in ("accept", "recv", "recv_into", "send", "sendall"):
        setattr(socket.socket, name, waiting(getattr(socket.socket, name)))


def waiting(method):
    """The method, with a wait until the server is running: before, and after if it was paused meanwhile."""
    def wait_and_call(*args):
        RUNNING.wait()
        try:
            return method(*args)
        finally:
            RUNNING.wait()
    return wait_and_call


def listen_to(pipe):
    """Pause and go on as the letters in the pipe say, and end this process with the last of them."""
    # not by a Python file, which would abort Python's exit while a thread reads it
    for letter in iter(lambda: os.read(pipe, 1), b""):
        if letter == PAUSE:
            RUNNING.clear()
        else:
            RUNNING.set()
    os._exit(0)


def take_input():
    """Returns the pipe that is the standard input; in its place the server has an empty one."""
    pipe = os.dup(0)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    return pipe


def run_file(file):
    """Run a server file as Python itself does: as __main__, and with an error as Python shows it."""
    program = types.ModuleType("__main__")
    program.__file__ = file
    sys.modules["__main__"] = program
    try:
        with open(file, "rb") as source:
            code = compile(source.read(), file, "exec", dont_inherit=True)
        exec(code, program.__dict__)
    except KeyboardInterrupt:
        pass
    except Exception:
        kind, error, calls = sys.exc_info()
        while calls and calls.tb_frame.f_code.co_filename == __file__:  # the calls in this file
            calls = calls.tb_next
        traceback.print_exception(kind, error, calls)
        sys.exit(1)


if __name__ == "__main__":
    del sys.argv[0]
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    # whole lines, for the servers print into one pipe; \xe9 for a letter that some consoles lack
    sys.stdout = sys.stderr = open(1, "w", buffering=1, encoding="ascii", errors="backslashreplace", closefd=False)
    make_sockets_wait()
    threading.Thread(target=listen_to, args=[take_input()], daemon=True).start()
    run_file(sys.argv[0])
