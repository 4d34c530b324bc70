"""Becomes the given program, which then dies with the supervisor, however that ends. Linux only; run by path, not imported.

    python launch.py PARENT-PID PROGRAM ARGUMENT…

Doing this between fork and exec instead (``preexec_fn``) would run Python code, and every at-fork hook, in the forked copy of a
process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for SIGKILL at the parent's death, put back what Python changed at its start, and become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit("the supervisor ended while this program was being started")
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    # Python may have added LC_CTYPE to os.environ (PEP 538); the program gets exactly what it was given.
    given = Path("/proc/self/environ").read_bytes().split(b"\0")
    environment = dict(variable.split(b"=", 1) for variable in given if b"=" in variable)
    try:
        os.execve(program, sys.argv[2:], environment)  # noqa: S606 - becoming the program is the purpose
    except OSError as error:
        sys.exit(f"{program} cannot be run: {error.strerror}")


main()
