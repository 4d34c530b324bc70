"""Unmounts folders when told by SIGTERM, or when the supervisor has ended. Linux only; run by path, not imported.

    python unmount.py FOLDER…

Its standard input is a pipe whose other end the supervisor holds, so the end of the supervisor is the end of the input.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys


class _ToldError(Exception):
    """SIGTERM has come."""


def _tell(_number: int, _frame: object) -> None:
    raise _ToldError


signal.signal(signal.SIGTERM, _tell)
signal.signal(signal.SIGINT, signal.SIG_IGN)
with contextlib.suppress(_ToldError):
    sys.stdin.read()
for folder in sys.argv[1:]:
    # Lazily, because a server that was killed a moment ago may still have files open.
    subprocess.run(["umount", "--lazy", folder], check=False, capture_output=True)
