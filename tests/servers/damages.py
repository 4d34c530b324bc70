"""The damages of a queue file that tests make."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = 4096


def counted(metrics: str) -> str | None:
    """The count of set aside queue files in the Prometheus text of a collector's own metrics."""
    found = re.search(r'^target_info\{.*virtengine_queue_files_set_aside="([0-9]+)"', metrics, re.MULTILINE)
    return found[1] if found else None


def _overwritten(whole: bytes) -> bytes:
    """Random bytes over every page but the two headers, because which of the pages are in use differs from run to run."""
    return whole[: 2 * PAGE] + random.Random(1).randbytes(len(whole) - 2 * PAGE)  # noqa: S311 - no secret


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "pages overwritten": _overwritten,
    "pages zeroed": lambda whole: whole[: 2 * PAGE] + bytes(len(whole) - 2 * PAGE),
    "header zeroed": lambda whole: bytes(4 * PAGE) + whole[4 * PAGE :],
    "cut to a page": lambda whole: whole[:PAGE],
    "cut within a page": lambda whole: whole[:100],
    "another file": lambda whole: b"no database\n" * (len(whole) // 12),
}
