"""``python -m benchmarks.sizing`` measures the constants of sizes on the real servers, on folders of its own.

Stores are filled one after the other; each measurement is kept in ``benchmarks/sizing/kept``, and the last part of ``docs/sizing.md`` is
made of all that are kept. What is measured of collectors is printed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import sys

from benchmarks.sizing.collectors import held, passed
from benchmarks.sizing.page import PAGE, keep, kept, written
from benchmarks.sizing.stores import KINDS, LOADS, fill


def main() -> None:
    """Measure, keep and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizing", description=__doc__)
    parser.add_argument("--stores", nargs="*", choices=KINDS, default=KINDS, metavar="STORE", help=f"default: {', '.join(KINDS)}")
    parser.add_argument("--load", choices=LOADS, default="orders", help="spans that a store is filled with (default: orders)")
    parser.add_argument("--seed", type=int, default=1, help="of the spans (default: 1)")
    parser.add_argument("--spans", type=int, default=1_000_000, help="that a store is filled with (default: a million)")
    parser.add_argument("--rate", type=float, help="spans a second that a store is filled with (default: as fast as it takes them)")
    parser.add_argument("--held", type=int, default=200_000, help="that a gateway holds, 0 for none (default: 200,000)")
    parser.add_argument("--orders", type=int, default=2_000, help="that pass collectors, 0 for none (default: 2,000)")
    given = parser.parse_args()
    for kind in given.stores:
        _say(f"{kind}: {given.spans:,} spans")
        found = fill(kind, given.load, given.spans, _say, seed=given.seed, rate=given.rate)
        keep(found, given.rate, dt.datetime.now(dt.UTC).date().isoformat(), os.getloadavg()[1])
        _write_page()
    _write_page()
    results = {"held by a gateway": held(given.held)} if given.held else {}
    results |= passed(given.orders, _say) if given.orders else {}
    for what, values in results.items():
        _say(what)
        for name, value in values.items():
            _say(f"    {name:<16} {value:>16,.2f}")


def _write_page() -> None:
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), kept()), encoding="utf-8")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
