"""The verb of ``python -m stacks`` that holds an environment's promises against what runs."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from stacks.cli.trying import ANY_ENVIRONMENT
from stacks.environment.source import read
from stacks.verify.findings import NAMES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from stacks.verify.findings import Finding

KEPT, BROKEN, FAILED = 0, 1, 2
"""Exit statuses: every promise that can be told is kept, one is broken, nothing could be looked at."""

STATE = "folder that the environment runs in, as given to `run` (default: .state/local)"


def add_verifying(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to a parser."""
    verify = verbs.add_parser("verify", help="hold the promises of an environment against what runs; exits with 1 when one is broken")
    verify.add_argument("environment", help=ANY_ENVIRONMENT)
    verify.add_argument("--json", action="store_true", help="print the findings for programs")
    verify.add_argument("--state", type=Path, metavar="DIR", help=STATE)
    verify.add_argument(
        "--on",
        choices=("machine", "target"),
        help="what to look at: the environment as it runs on this machine, or its target (default: this machine where it runs here)",
    )
    verify.add_argument("--only", nargs="+", choices=NAMES, metavar="PROMISE", default=NAMES, help=f"of {', '.join(NAMES)} (default: all)")
    verify.set_defaults(verb=_verify)


def _verify(arguments: argparse.Namespace) -> int:
    from components.local.errors import LocalError
    from stacks.deploy.cluster import ClusterError
    from stacks.deploy.docker_api import DaemonError
    from stacks.placement.outputs import ContractError
    from stacks.verify.open import open_site
    from stacks.verify.verify import verify

    try:
        site = open_site(read(arguments.environment), state=arguments.state, place=arguments.on)
        found = verify(site, arguments.only)
    except (ClusterError, ContractError, DaemonError, LocalError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    if arguments.json:
        told = {"environment": site.plan.environment, "where": site.where, "promises": [finding.as_mapping() for finding in found]}
        sys.stdout.write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    else:
        _print(site.where, found)
    return BROKEN if any(finding.verdict == "broken" for finding in found) else KEPT


def _print(where: str, found: Sequence[Finding]) -> None:
    from stacks.show.tables import print_rows

    rows = [(one.promise, one.verdict, f"{one.sentence}: {one.evidence}") for one in found]
    next_ = [f"{one.promise}: {one.then}" for one in found if one.then]
    count = Counter(one.verdict for one in found)
    summary = ", ".join(f"{count[verdict]} {verdict}" for verdict in ("kept", "broken", "cannot be told", "not promised") if count[verdict])
    print_rows(("promise", "", "evidence"), rows, where, [summary, *next_])
