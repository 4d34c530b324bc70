"""The verbs of ``python -m stacks`` that copy stored traces into a file and into another store."""

from __future__ import annotations

import datetime as dt
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from stacks.cli import values
from stacks.cli.trying import FAILED, INTERRUPTED, OK, folder_of
from stacks.environment.source import name_of, read
from stacks.plan.names import of_store

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from stacks.copies.archive import Progress
    from stacks.copies.export import Wanted
    from stacks.placement.outputs import Outputs

Store = TypeVar("Store")

_AHEAD_SECONDS = 24 * 3600
"""How far in the future a time may end: the end of today is meant well, another year is a slip that would be searched minute by minute."""

NOTHING = 1
"""Exit status where there was nothing to copy: neither done nor failed, as `diff` and `trace` have it."""

STATE = "folder that the environment runs in, as given to `run`, or that Pulumi keeps its state in"
_TOLD_SECONDS = 10.0
ENVIRONMENT = "name of a running or deployed environment, or path of its stack file"


def add_copying(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs to a parser."""
    writing = verbs.add_parser(
        "export", help="copy stored traces of a time into a file of OTLP JSON; again goes on where it was broken off"
    )
    writing.add_argument("environment", help=ENVIRONMENT)
    writing.add_argument("file", type=Path, help="file to write, such as traces.jsonl.gz")
    time_of = writing.add_mutually_exclusive_group()
    time_of.add_argument("--hours", type=values.hours, default=24.0, help="how far to look back from now (default: 24)")
    time_of.add_argument("--since", type=values.moment, metavar="TIME", help="from this time on, for example 2026-11-25T08:00:00Z")
    writing.add_argument("--until", type=values.moment, metavar="TIME", help="to before this time (default: now)")
    writing.add_argument("--service", help="only traces in which this service has a span (default: all)")
    writing.add_argument(
        "--query-url", type=values.url, metavar="URL", help="address of the store's query API from here (default: that of the outputs)"
    )
    writing.add_argument("--also", action="store_true", help="out of the second store of a move (default: the one that is asked first)")
    writing.add_argument("--replace", action="store_true", help="put the copy in the place of a file that is there already")
    _finish(writing, _export)

    reading = verbs.add_parser("import", help="put the traces of a file into a store; again goes on where it was broken off")
    reading.add_argument("environment", help=ENVIRONMENT)
    reading.add_argument("file", type=Path, help="file that `export` wrote, or of the collector's file exporter")
    reading.add_argument(
        "--to",
        type=values.address,
        metavar="HOST:PORT",
        help="OTLP/gRPC receiver of the store (default: that of the store on this machine)",
    )
    reading.add_argument("--also", action="store_true", help="into the second store of a move (default: the one that is asked first)")
    _finish(reading, _import)


def _finish(parser: argparse.ArgumentParser, verb: Callable[[argparse.Namespace], str]) -> None:
    parser.add_argument("--state", type=Path, metavar="DIR", help=STATE)
    parser.set_defaults(verb=_explained(verb))


def _explained(verb: Callable[[argparse.Namespace], str]) -> Callable[[argparse.Namespace], int]:
    """A verb whose expected failures are told in their own words. The verb returns its last line."""

    def run(arguments: argparse.Namespace) -> int:
        from components.local.errors import LocalError
        from stacks.copies.archive import CopyError, NoTracesError
        from stacks.deploy.engine import EngineError
        from stacks.placement.outputs import ContractError
        from stacks.show.errors import QueryError

        try:
            last = verb(arguments)
        except NoTracesError as error:
            sys.stderr.write(f"{error}\n")
            return NOTHING
        except (ContractError, CopyError, EngineError, LocalError, QueryError) as error:
            sys.stderr.write(f"{error}\n")
            return FAILED
        except OSError as error:
            sys.stderr.write(f"{error.filename or arguments.file}: {error.strerror or error}; make room there, or name another file\n")
            return FAILED
        except KeyboardInterrupt:
            sys.stderr.write("interrupted; the same command goes on where this one ended\n")
            return INTERRUPTED
        sys.stdout.write(f"{last}\n")
        return OK

    return run


def _export(arguments: argparse.Namespace) -> str:
    from stacks.copies.export import export, resumed

    outputs = _store(arguments)
    asked = _wanted(arguments, outputs)
    wanted = resumed(arguments.file, asked)
    if wanted is not asked:
        sys.stderr.write(f"{arguments.file}: goes on with the copy that was broken off: {_span_of(wanted.since, wanted.until)}\n")
    if arguments.query_url is not None:
        outputs = outputs.model_copy(update={"query_url": arguments.query_url})
    began = time.monotonic()
    done = export(outputs, wanted, arguments.file, Told(wanted.since, wanted.until), replaces=arguments.replace)
    what = f"{done.traces:,} traces, {done.spans:,} spans, {_size(done.bytes)}"
    return f"{arguments.file}: {what}, in {time.monotonic() - began:,.0f} s"


@dataclass(slots=True)
class Told:
    """Progress of an export on stderr, of a time in seconds since 1970.

    Minutes without traces pass by the hundred within a second. So a line comes with each tenth of the time or after ten seconds.
    """

    since: float
    until: float
    tenths: int = 0
    said_at: float = field(default_factory=time.monotonic)

    def __call__(self, progress: Progress) -> None:
        """Tell of the progress, unless the last line is fresh."""
        now, share = time.monotonic(), (progress.at - self.since) / (self.until - self.since)
        if int(10 * share) == self.tenths and now - self.said_at < _TOLD_SECONDS:
            return
        self.tenths, self.said_at = int(10 * share), now
        sys.stderr.write(f"{share:4.0%}  {_clock(progress.at)}  {progress.traces:,} traces, {_size(progress.bytes)}\n")


def _size(count: int) -> str:
    """Bytes for reading: in KiB below one MiB."""
    return f"{count / 2**20:,.1f} MiB" if count >= 2**20 else f"{count / 2**10:,.1f} KiB"


def _wanted(arguments: argparse.Namespace, outputs: Outputs) -> Wanted:
    """The traces that the arguments name. Raises ``CopyError`` for a time that none can be of."""
    from stacks.copies.archive import CopyError
    from stacks.copies.export import Wanted

    now = time.time()
    until = now if arguments.until is None else arguments.until
    since = max(until - arguments.hours * 3600, 0.0) if arguments.since is None else arguments.since
    if since >= until:
        end = f"now, {_clock(until)}" if arguments.until is None else _exact(until)
        wrong = f"the time begins at {_exact(since)} and ends at {end}"
        raise CopyError(f"{arguments.environment}: {wrong}, so no trace can be of it; write a --since that is before --until")
    if until > now + _AHEAD_SECONDS:
        wrong = f"--until {_clock(until)} is in the future, it is {_clock(now)}"
        raise CopyError(f"{arguments.environment}: {wrong}; leave --until out to copy what is stored until now")
    start = f"--hours {arguments.hours:g}" if arguments.since is None else f"--since {_exact(since)}"
    asked = start if arguments.until is None else f"{start} --until {_exact(until)}"
    # A port-forward may lead to any store, so the address by which it was asked is part of what it is.
    store = outputs.query_url if arguments.query_url in {None, outputs.query_url} else f"{outputs.query_url} by {arguments.query_url}"
    return Wanted(since, until, arguments.service, outputs.environment, store, asked)


def _import(arguments: argparse.Namespace) -> str:
    from stacks.copies.importing import import_traces

    began = time.monotonic()

    def say(progress: Progress) -> None:
        sys.stderr.write(f"{progress.traces:,} traces, {progress.spans:,} spans\n")

    store = f"{'second store' if arguments.also else 'store'} of {name_of(arguments.environment)}"
    done = import_traces(arguments.file, arguments.to or _receiver(arguments), say, store=store)
    return f"{arguments.file}: {done.traces:,} traces, {done.spans:,} spans taken, in {time.monotonic() - began:,.0f} s"


def _span_of(since: float, until: float) -> str:
    return f"{_clock(since)} to {_clock(until)}"


def _clock(moment: float) -> str:
    return dt.datetime.fromtimestamp(moment, dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _exact(moment: float) -> str:
    return dt.datetime.fromtimestamp(moment, dt.UTC).isoformat().replace("+00:00", "Z")


def _outputs(arguments: argparse.Namespace) -> Outputs:
    """The outputs of an environment: of the one that runs on this machine, else of the deployed one."""
    from stacks.placement.outputs import Outputs

    local = folder_of(arguments) / "outputs.json"
    if local.is_file():
        return Outputs.read(local)
    from stacks.deploy.up import deployed_outputs, say
    from stacks.deploy.workspace import open_engine

    return deployed_outputs(open_engine(read(arguments.environment), say=say, state=arguments.state), show_secrets=False)


def _store(arguments: argparse.Namespace) -> Outputs:
    """The outputs as the store has them that is to be read. Raises ``CopyError`` where there is no second one."""
    from stacks.show.fetch import stores

    found = stores(_outputs(arguments))
    return _chosen(found, arguments)


def _chosen(stores: Sequence[Store], arguments: argparse.Namespace) -> Store:
    from stacks.copies.archive import CopyError

    if arguments.also and len(stores) == 1:
        raise CopyError(f"{arguments.environment}: has one store; leave --also out, or write backend.also and deploy")
    return stores[1 if arguments.also else 0]


def _receiver(arguments: argparse.Namespace) -> str:
    """The receiver of the store on this machine. Raises ``CopyError`` where none runs, with the way to reach one in a cluster."""
    from components.local.instances import read_listing
    from stacks.copies.archive import CopyError

    taking: dict[str, str] = {}
    if (folder_of(arguments) / "outputs.json").is_file():
        for listed in read_listing(folder_of(arguments)):
            if listed.workload.partition("-")[0] in {"jaeger", "tempo"}:
                taking.setdefault(listed.workload, f"{listed.address}:{listed.ports['otlp-grpc']}")
    if len(taking) == 1 and not arguments.also:
        return next(iter(taking.values()))
    target = _chosen(read(arguments.environment).environment.stores, arguments)
    name, namespace = of_store(target.backend.kind, target), target.namespace
    if name in taking:
        return taking[name]
    forward = f"kubectl --namespace {namespace} port-forward service/{name} 14317:4317"
    raise CopyError(
        f"{arguments.environment}: no store runs on this machine; reach the one of a cluster: {forward}, and give --to 127.0.0.1:14317"
    )
