"""``python -m benchmarks.ledger`` (``make ledger``) holds figures against real servers and writes ``docs/ledger.md``.

The entries of each run are kept in ``benchmarks/ledger/kept`` as soon as they are there, and the page is made of all that are kept. So
a run that was interrupted goes on with ``--missing``.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import sys
from pathlib import Path

from benchmarks.ledger.entries import Kept, read, write
from benchmarks.ledger.page import amount, page
from benchmarks.ledger.runs import RUNS
from stacks.environment.source import ROOT

PAGE = ROOT / "docs" / "ledger.md"


def main() -> int:
    """Make the runs, or those that are named, and write the page. Returns 1 when a figure missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=RUNS, default=list(RUNS), metavar="NAME", help=f"some of {', '.join(RUNS)}")
    parser.add_argument("--missing", action="store_true", help="only those that no entries are kept of")
    parser.add_argument("--share", type=float, default=1.0, metavar="S", help="of the orders and spans of a run (default: 1, all)")
    parser.add_argument("--output", type=Path, default=PAGE, help="page to write (default: docs/ledger.md)")
    given = parser.parse_args()
    bad = False
    for name in [name for name in given.only if not (given.missing and read(name))]:
        run = RUNS[name]
        if reason := run.unable():
            say(f"{name}: not run, the last figures stay: {reason}")
            continue
        say(f"{name}: {run.title}")
        entries = tuple(run.make(_indented, given.share))
        kept = Kept(name, run.how(given.share), dt.datetime.now(dt.UTC).date().isoformat(), os.getloadavg()[1], entries)
        for entry in kept.entries:
            values = f"{amount(entry, entry.foreseen)} foreseen, {amount(entry, entry.measured)} happened"
            say(f"    {entry.command}, {entry.figure}: {values}{'' if entry.right else ': WRONG'}")
        bad = bad or not all(entry.right for entry in kept.entries)
        write(kept)
        _write_page(given.output)
    _write_page(given.output)
    return int(bad)


def _write_page(path: Path) -> None:
    kept = {name: found for name in RUNS if (found := read(name))}
    path.write_text(page(kept, RUNS), encoding="utf-8")


def say(line: str) -> None:
    """Tell a line of progress."""
    sys.stderr.write(f"{line}\n")


def _indented(line: str) -> None:
    say(f"    {line}")


if __name__ == "__main__":
    sys.exit(main())
