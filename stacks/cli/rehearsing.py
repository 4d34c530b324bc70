"""The verb of ``python -m stacks`` that lets the gateways of two environments decide on recorded traces."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stacks.cli.trying import positive
from stacks.environment.source import read

if TYPE_CHECKING:
    import argparse

    from stacks.environment.source import Named
    from stacks.rehearse.recording import Trace
    from stacks.rehearse.sides import Rehearsal

SAME, DIFFERENT, FAILED = 0, 1, 2
"""Exit statuses, as those of `diff`."""

ENVIRONMENT = "name of an environment (dev), path of a stack file, or dev@REVISION as git has it"


def add_rehearsing(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to a parser."""
    rehearse = verbs.add_parser(
        "rehearse",
        help="say what the sampling of one environment keeps of recorded traces, and what another loses; exits with 1 when they differ",
    )
    rehearse.add_argument("old", help=ENVIRONMENT)
    rehearse.add_argument("new", help=ENVIRONMENT)
    source = rehearse.add_mutually_exclusive_group(required=True)
    source.add_argument("--traces", type=Path, metavar="FILE", help="OTLP JSON, one document a line")
    source.add_argument("--from", dest="running", metavar="ENVIRONMENT", help="read them from the store of this running environment")
    rehearse.add_argument("--hours", type=positive, default=1.0, metavar="N", help="with --from: how far back (default: 1)")
    rehearse.add_argument("--save", type=Path, metavar="FILE", help="with --from: write them there too, as --traces reads them")
    rehearse.add_argument("--state", type=Path, metavar="DIR", help="with --from: folder that it runs in, as given to `run`")
    form = rehearse.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print it for programs")
    form.add_argument("--format", choices=("text", "markdown"), default="text", help="markdown: for a pull request (default: text)")
    rehearse.set_defaults(verb=_rehearse)


def _rehearse(arguments: argparse.Namespace) -> int:
    from components.local.errors import LocalError
    from stacks.deploy.cluster import ClusterError
    from stacks.deploy.docker_api import DaemonError
    from stacks.placement.outputs import ContractError
    from stacks.rehearse.recording import RecordingError
    from stacks.rehearse.sides import rehearse
    from stacks.show.errors import QueryError

    old, new = read(arguments.old), read(arguments.new)
    try:
        found = rehearse(old, new, _traces(arguments), say=_say)
    except (ClusterError, ContractError, DaemonError, LocalError, QueryError, RecordingError) as error:
        _say(str(error))
        return FAILED
    if arguments.json:
        sys.stdout.write(json.dumps(found.as_mapping(), indent=2, ensure_ascii=False) + "\n")
    else:
        _print(found, old, new, markdown=arguments.format == "markdown")
    return DIFFERENT if found else SAME


def _traces(arguments: argparse.Namespace) -> list[Trace]:
    from stacks.rehearse.recording import RecordingError, read_backend, read_file, write_file

    if arguments.running is None:
        traces, place = read_file(arguments.traces), str(arguments.traces)
    else:
        from stacks.verify.open import open_site

        site = open_site(read(arguments.running), state=arguments.state, place=None)
        with site.way(site.outputs.query_url) as (host, port):
            reached = site.outputs.model_copy(update={"query_url": f"http://{host}:{port}"})
            traces, place = read_backend(reached, hours=arguments.hours), site.where
        if arguments.save is not None:
            write_file(arguments.save, traces)
        _say(f"{place}: what its own sampling has dropped is not among its stored traces, so no other sampling can keep it here")
    if not traces:
        raise RecordingError(f"{place}: holds no trace\nthen: look further back with --hours, or name a recording with --traces")
    return traces


def _print(found: Rehearsal, old: Named, new: Named, *, markdown: bool) -> None:
    from stacks.rehearse import report

    if markdown:
        sys.stdout.write(report.markdown(found, old, new))
        return
    from stacks.show.tables import print_rows

    print_rows(report.COLUMNS, report.rows(found), f"A {old.source}, B {new.source}", list(report.notes(found, old, new)))
    if found.lost:
        print_rows(report.LOST_COLUMNS, report.lost_rows(found), "What B loses and A keeps, failed and slow traces first:")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
