"""``python -m tracing_lib``: what an operator or a service author asks of a tracing stack from a terminal."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tracing_lib.base.errors import ContractError, QueryError, explain
from tracing_lib.contract.environment import OUTPUTS
from tracing_lib.contract.outputs import Outputs
from tracing_lib.reading.query import fetch_trace
from tracing_lib.reading.tree import render_tree

if TYPE_CHECKING:
    from collections.abc import Sequence


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tracing_lib", description="Ask a VirtEngine tracing stack.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    trace = verbs.add_parser("trace", help="read a trace back and show it as a tree")
    trace.add_argument("id", help="trace id, 32 hexadecimal digits")
    trace.add_argument("--outputs", type=Path, metavar="FILE", help=f"JSON file with the stack's outputs (default: ${OUTPUTS})")
    trace.add_argument("--json", action="store_true", help="print the spans as JSON instead of a tree")
    trace.add_argument("--wait", type=float, default=10.0, metavar="SECONDS", help="how long to wait for the trace (default: 10)")
    trace.set_defaults(run=_trace)
    doctor = verbs.add_parser("doctor", help="find out what is wrong between a service and its tracing stack")
    doctor.add_argument("--outputs", type=Path, metavar="FILE", help=f"JSON file with the stack's outputs (default: ${OUTPUTS})")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")
    doctor.add_argument("--wait", type=float, default=30.0, metavar="SECONDS", help="how long to wait for the test span (default: 30)")
    doctor.set_defaults(run=_doctor)
    return parser


def _doctor(arguments: argparse.Namespace) -> int:
    from tracing_lib.doctor import run

    environ = {**os.environ, OUTPUTS: str(arguments.outputs)} if arguments.outputs else dict(os.environ)
    return run(environ, as_json=arguments.json, wait_seconds=arguments.wait, say=print)


def _trace(arguments: argparse.Namespace) -> int:
    path = arguments.outputs or os.environ.get(OUTPUTS)
    if not path:
        raise ContractError(explain("--outputs", "is missing", "the JSON file with the stack's outputs", f"give it, or set {OUTPUTS}"))
    # The token is for sending; a trace is read without it, so a file that has it masked will do.
    outputs = Outputs.read(path, without_token=True)
    trace = fetch_trace(outputs, arguments.id, wait_seconds=arguments.wait)
    if arguments.json:
        print(json.dumps(asdict(trace), sort_keys=True, indent=2, default=bytes.hex))  # noqa: T201  what the verb is for
    else:
        print(render_tree(trace))  # noqa: T201  what the verb is for
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns 0, 1 when the answer is no or cannot be had, 2 for what was asked wrongly."""
    parsed = _parser().parse_args(arguments)
    try:
        status: int = parsed.run(parsed)
    except QueryError as error:
        print(error, file=sys.stderr)  # noqa: T201  a message to the person at the terminal
        return 1
    except ContractError as error:
        print(error, file=sys.stderr)  # noqa: T201  as above
        return 2
    return status


if __name__ == "__main__":
    sys.exit(main())
