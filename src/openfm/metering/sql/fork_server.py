"""The process that has DuckDB imported, and forks one that answers for each job that it is handed.

`python -m openfm.metering.sql.fork_server`: its standard input is a Unix socket. Each message there carries two file
descriptors: the job's own socket, and a file for what the job says when it dies. It ends when the other end does.
A fork takes a few milliseconds where an interpreter and its imports take a quarter of a second of processor time.
"""

import os
import signal
import socket
import sys
import threading
from contextlib import suppress

from openfm.metering.sql.worker import answer

_DESCRIPTORS = 2


def main() -> None:
    """Fork until nobody is there to ask."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a child: what it has to say, its socket says
    control = socket.socket(fileno=sys.stdin.fileno())
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, _DESCRIPTORS)
        if not message:
            return
        if os.fork() == 0:
            _work(control, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _work(control: socket.socket, job: int, said: int) -> None:
    """Answer one job, in the child. Never returns."""
    control.close()
    os.dup2(said, sys.stderr.fileno())
    with socket.socket(fileno=job) as connection, connection.makefile("rb") as lines:
        line = lines.readline()
        if line:
            threading.Thread(target=_end_unheard, args=(connection,), daemon=True).start()
            connection.sendall(answer(line) + b"\n")
    os._exit(0)  # not the parent's way out: its buffers and hooks are not the child's


def _end_unheard(connection: socket.socket) -> None:
    """End this process when nobody waits for its answer any more."""
    with suppress(OSError):
        connection.recv(1)  # nothing more is ever said: this returns when the other end is closed
    os._exit(0)


if __name__ == "__main__":
    main()
