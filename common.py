# SPDX-License-Identifier: 0BSD
"""What run_all.py and the tests share: run a server file in a process of its own, let it hang, end it.

No server imports this file: each of them is whole, so that it can be copied alone into an empty folder and run there.

Run as a program, which start() does, this file runs a server file and listens to its standard input, a pipe: a byte
lets the server hang or go on, and at the end of the pipe the server ends. So no server outlives the program that
started it, whatever ends that one, on any system.
"""
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import tokenize


def start(file, *options, output=None, folder=None):
    """The subprocess.Popen of a server file with its options. output: where it prints; folder: where it runs."""
    command = [sys.executable, os.path.abspath(__file__), os.path.abspath(file)] + [str(option) for option in options]
    environment = dict(os.environ, PYTHONUNBUFFERED="1", PYTHONIOENCODING="ascii:backslashreplace")
    return subprocess.Popen(command, bufsize=0, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
                            cwd=folder, env=environment, start_new_session=True)


def is_up(process, port, seconds=30):
    """Waits until a server takes connections: True; False if its process ends before, or the seconds do."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False


def hang(process):
    """Lets a server hang: it takes connections, and is silent. The second time: lets it go on."""
    with contextlib.suppress(OSError):  # it has just ended
        process.stdin.write(b"h")


def stop(process):
    """Ends a server; on Linux and macOS whatever it has started, too."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (AttributeError, OSError):  # Windows has no killpg; all have ended
        process.kill()
    process.wait()
    process.stdin.close()


def free_ports(count, held=None):
    """So many ports of 127.0.0.1 that are free. held: a list for UDP sockets, which keep other calls from them."""
    sockets, ports = [], []
    while len(ports) < count:
        port = random.randrange(10000, 32768)  # the system gives these to no client
        sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with socket.socket() as tcp, contextlib.suppress(OSError):  # it is taken
            sockets[-1].bind(("127.0.0.1", port))
            tcp.bind(("127.0.0.1", port))
            ports.append(port)
    if held is not None:
        held += sockets
    else:
        for one in sockets:
            one.close()
    return ports


# ---- In the process of the server ----

RUNNING = threading.Event()  # is set, except while the server hangs


def listen_to(pipe):
    while os.read(pipe, 1):
        if RUNNING.is_set():
            RUNNING.clear()
        else:
            RUNNING.set()
    os._exit(0)


def wait_and_accept(self, accept=socket.socket.accept):
    """socket.accept, which waits while the server hangs. (The system takes the connections, and lets them wait.)"""
    RUNNING.wait()
    return accept(self)


if __name__ == "__main__":
    RUNNING.set()
    socket.socket.accept = wait_and_accept
    threading.Thread(target=listen_to, args=[os.dup(0)], daemon=True).start()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # what the server itself has as its input: nothing
    sys.argv = sys.argv[1:]
    sys.path.insert(0, os.path.dirname(sys.argv[0]))
    try:
        with tokenize.open(sys.argv[0]) as file:  # as Python reads a program: its encoding may stand in it
            program = compile(file.read(), sys.argv[0], "exec")
        exec(program, {"__name__": "__main__", "__file__": sys.argv[0]})
    except KeyboardInterrupt:  # Ctrl+C
        pass
