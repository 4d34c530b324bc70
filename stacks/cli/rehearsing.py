"""The verb of ``python -m stacks`` that lets the gateways of two environments decide on recorded traces."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from stacks.cli import values
from stacks.cli.trying import ANY_ENVIRONMENT
from stacks.environment.source import read

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from stacks.environment.source import Named
    from stacks.rehearse.recording import Trace
    from stacks.rehearse.sides import Rehearsal

SAME, DIFFERENT, FAILED = 0, 1, 2
"""Exit statuses, as those of `diff`."""


def add_rehearsing(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to a parser."""
    rehearse = verbs.add_parser(
        "rehearse",
        help="say what the sampling of one environment keeps of recorded traces, and what another loses; exits with 1 when they differ",
    )
    rehearse.add_argument("old", help=ANY_ENVIRONMENT)
    rehearse.add_argument("new", help=ANY_ENVIRONMENT)
    source = rehearse.add_mutually_exclusive_group(required=True)
    source.add_argument("--traces", type=Path, metavar="FILE", help="OTLP JSON, one document a line, compressed or not")
    source.add_argument("--from", dest="running", metavar="ENVIRONMENT", help="read them from the store of this running environment")
    rehearse.add_argument("--hours", type=values.hours, default=1.0, metavar="N", help="with --from: how far back (default: 1)")
    rehearse.add_argument("--save", type=Path, metavar="FILE", help="with --from: keep them there, as `export` writes them")
    rehearse.add_argument("--state", type=Path, metavar="DIR", help="with --from: folder that it runs in, as given to `run`")
    rehearse.add_argument("--picture", type=Path, metavar="FILE", help="draw there the kept share by service, as SVG")
    form = rehearse.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print it for programs")
    form.add_argument("--format", choices=("text", "markdown"), default="text", help="markdown: for a pull request (default: text)")
    rehearse.set_defaults(verb=_rehearse)


def _rehearse(arguments: argparse.Namespace) -> int:
    from components.local.errors import LocalError
    from stacks.copies.archive import CopyError
    from stacks.deploy.cluster import ClusterError
    from stacks.deploy.docker_api import DaemonError
    from stacks.placement.outputs import ContractError
    from stacks.rehearse.recording import RecordingError
    from stacks.rehearse.sides import rehearse
    from stacks.show.errors import QueryError

    old, new = read(arguments.old), read(arguments.new)
    try:
        found = rehearse(old, new, recorded(arguments), say=_say)
        if arguments.picture is not None:
            _draw(arguments.picture, found, old, new)
    except (ClusterError, ContractError, CopyError, DaemonError, LocalError, QueryError, RecordingError) as error:
        _say(str(error))
        return FAILED
    if arguments.json:
        sys.stdout.write(json.dumps(found.as_mapping(), indent=2, ensure_ascii=False) + "\n")
    else:
        _print(found, old, new, markdown=arguments.format == "markdown")
    return DIFFERENT if found else SAME


def recorded(arguments: argparse.Namespace) -> Sequence[Trace]:
    """The traces that the arguments of the verb name. Raises ``RecordingError`` for none, and the errors of a store and of its copy."""
    from stacks.rehearse.recording import RecordingError, read_file

    traces: Sequence[Trace]
    if arguments.running is None:
        traces, place = read_file(arguments.traces), str(arguments.traces)
    else:
        traces, place = _from_store(arguments)
        _say(f"{place}: what its own sampling has dropped is not among its stored traces, so no other sampling can keep it here")
    if not traces:
        raise RecordingError(f"{place}: holds no trace\nthen: look further back with --hours, or name a recording with --traces")
    return traces


def _from_store(arguments: argparse.Namespace) -> tuple[Sequence[Trace], str]:
    """The traces of a running environment, without those of the probe, and a phrase for the place."""
    from stacks.copies.export import Wanted, export, resumed
    from stacks.deploy.probe import SERVICE
    from stacks.rehearse.recording import RecordingError, read_file
    from stacks.verify.open import open_site

    if arguments.save is not None and arguments.save.exists():
        then = f"read it with --traces {arguments.save} in place of --from, or name another file with --save"
        raise RecordingError(f"{arguments.save}: is there already\nthen: {then}")
    site, now = open_site(read(arguments.running), state=arguments.state, place=None), time.time()
    with site.way(site.outputs.query_url) as (host, port), tempfile.TemporaryDirectory(prefix="virtengine-rehearse-") as folder:
        reached = site.outputs.model_copy(update={"query_url": f"http://{host}:{port}"})
        file = arguments.save or Path(folder) / "traces.jsonl.gz"
        asked = f"--hours {arguments.hours:g}"
        wanted = resumed(file, Wanted(now - arguments.hours * 3600, now, None, site.outputs.environment, site.outputs.query_url, asked))
        try:
            export(reached, wanted, file, lambda progress: _say(f"{progress.traces:,} traces of {site.where}"))
        except OSError as error:
            raise RecordingError(f"{file}: cannot be written: {error.strerror}\nthen: name another file with --save") from None
        return [trace for trace in read_file(file) if trace.root.service != SERVICE], site.where


def _draw(path: Path, found: Rehearsal, old: Named, new: Named) -> None:
    from stacks.rehearse.recording import RecordingError
    from stacks.rehearse.report import picture

    try:
        path.write_text(picture(found, old, new), encoding="utf-8")
    except OSError as error:
        raise RecordingError(f"{path}: cannot be written: {error.strerror}\nthen: name another file with --picture") from None


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
