"""The verb of ``python -m stacks`` that says what a load needs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from stacks.cli import values
from stacks.cli.trying import ANY_ENVIRONMENT, FAILED, OK
from stacks.environment.source import read

if TYPE_CHECKING:
    import argparse


def add_scaling(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to a parser."""
    size = verbs.add_parser("size", help="say what each tier of an environment needs under a load, and how that grows")
    size.add_argument("environment", help=ANY_ENVIRONMENT)
    size.add_argument(
        "--spans-per-second", type=values.spans_per_second, metavar="N", help="before any sampling (default: the environment's load)"
    )
    size.add_argument("--picture", type=Path, metavar="FILE", help="draw there how memory and disk grow from 100 to 10 million, as SVG")
    size.add_argument("--json", action="store_true", help="print it for programs")
    size.set_defaults(verb=_size)


def _size(arguments: argparse.Namespace) -> int:
    from stacks.environment.scaling import tiers
    from stacks.show import scale

    named = read(arguments.environment)
    rate = arguments.spans_per_second or named.environment.load.spans_per_second
    found = list(tiers(named.environment, rate))
    if arguments.picture is not None:
        try:
            arguments.picture.write_text(scale.picture(named), encoding="utf-8")
        except OSError as error:
            sys.stderr.write(f"{arguments.picture}: cannot be written: {error.strerror}; name another file with --picture\n")
            return FAILED
    if arguments.json:
        document = {"environment": named.name, "source": named.source, "spans_per_second": rate, "tiers": [asdict(tier) for tier in found]}
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return OK
    from stacks.show.tables import print_rows

    print_rows(scale.COLUMNS, scale.rows(found), f"{named.source} at {rate:,.0f} spans/s", list(scale.notes(found)))
    print_rows(scale.GROWTH_COLUMNS, scale.growth_rows(named), "Growth, nodes in proportion:")
    return OK
