"""``python -m benchmarks.reliability`` (``make reliability``) runs the scenarios and writes ``docs/reliability.md``.

Each result is kept in ``benchmarks/results/reliability`` as soon as it is there, and the page is made of all that are kept. So a run that
was interrupted goes on with ``--missing``. A scenario of which none is kept has the row that the page had before. As root volumes have
their size, and a disk is filled as well.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.reliability import results
from benchmarks.reliability.page import page
from benchmarks.reliability.run import run
from benchmarks.reliability.scenarios import SCENARIOS, TRACES_PER_SECOND
from components.local.disks import can_mount
from stacks.environment.source import ROOT, read

PAGE = ROOT / "docs" / "reliability.md"
QUICK_SHARE = 1 / 3


def main() -> int:
    """Run the scenarios, or those that are named, and write the page. Returns 1 when a promise was broken."""
    given = _parser().parse_args()
    wanted = [name for name in given.only if not (given.missing and results.read(name))]
    bad = False
    for name in wanted:
        scenario = SCENARIOS[name]
        if scenario.disks and (reason := can_mount()):
            sys.stderr.write(f"{name}: not run: {reason}\n")
            continue
        times = scenario.times.shorter(QUICK_SHARE) if given.quick else scenario.times
        sys.stderr.write(f"{scenario.title.format(last=times.last)}\n")
        found = run(name, scenario, times, traces_per_second=given.traces_per_second)
        problems = results.broken(found, scenario)
        bad = bad or bool(problems)
        _tell(found, problems)
        results.write(found)
        _write_page(given.output)
    _write_page(given.output)
    return int(bad)


def _write_page(path: Path) -> None:
    """Write the page of all results that are kept."""
    kept = {known: result for known in SCENARIOS if (result := results.read(known))}
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(page(kept, gateways=read("prod").environment.collectors.gateway.replicas, before=before), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a third of each time")
    parser.add_argument(
        "--only", nargs="+", choices=SCENARIOS, default=list(SCENARIOS), metavar="NAME", help=f"some of {', '.join(SCENARIOS)}"
    )
    parser.add_argument("--missing", action="store_true", help="only those that no result is kept of")
    parser.add_argument("--traces-per-second", type=float, default=TRACES_PER_SECOND, metavar="RATE", help="default: 100")
    parser.add_argument("--output", type=Path, default=PAGE, help="page to write (default: docs/reliability.md)")
    return parser


def _tell(found: results.Result, problems: list[str]) -> None:
    rows = dict(found.account.rows()) | {
        "healthy again after": found.healthy_after,
        "load average of the machine": f"{found.load_average:.1f}",
    }
    if found.computed is not None:
        rows |= {"most memory by the arithmetic": f"{found.computed.resident / 2**20:.0f} MiB"}
        rows |= {"spans/s that the memory holds": f"{found.computed.spans_per_second:.0f}"}
        rows |= {"spans/s that passed": f"{found.account.passed_per_second:.0f}"}
    for what, value in rows.items():
        sys.stderr.write(f"    {what}: {value}\n")
    for problem in problems:
        sys.stderr.write(f"    NOT AS IT SHOULD BE: {problem}\n")


if __name__ == "__main__":
    sys.exit(main())
