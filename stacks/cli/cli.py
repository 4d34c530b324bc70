"""``python -m stacks <verb>``: what can be asked of an environment, run and deployed."""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
import time
from dataclasses import asdict, astuple
from pathlib import Path
from typing import TYPE_CHECKING

from stacks.cli import values
from stacks.cli.copying import add_copying
from stacks.cli.rehearsing import add_rehearsing
from stacks.cli.scaling import add_scaling
from stacks.cli.trying import ANY_ENVIRONMENT, add_trying
from stacks.cli.verbs import add_verbs
from stacks.cli.verifying import add_verifying
from stacks.environment.parse import BadEnvironmentError
from stacks.environment.source import read
from stacks.policies.settings import BadPolicySettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.workload import Plan
    from stacks.environment.model import Environment
    from stacks.policies.judge import Finding
    from stacks.show.story import Story

OK, DIFFERENT, FAILED = 0, 1, 2
"""Exit statuses, as diff has them: 1 tells that something differs, or was not found, 2 that it could not be done."""
UNREAD = 141
"""Exit status where the reader of the output went away (``| head``): that of a program which SIGPIPE ended, in a shell."""

STATE = "folder for traces, queues, ports and logs, one folder in it for each environment (default: .state/local)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    # What stands behind "--" is a command with options of its own, which argparse would take apart.
    own, command = (given[: given.index("--")], given[given.index("--") + 1 :]) if "--" in given else (given, [])
    parsed = parsers()[0].parse_args(own)
    parsed.command = command
    try:
        status: int = parsed.verb(parsed)
        sys.stdout.flush()
    except BrokenPipeError:
        if not _is_unread():
            raise
        return UNREAD
    except (BadEnvironmentError, BadPolicySettingsError, FileExistsError) as error:
        _complain(str(error))
        return FAILED
    return status


def _is_unread() -> bool:
    """Whether nobody reads standard output any more. What is still to be written then goes nowhere."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)
    if not any(events & select.POLLERR for _, events in output.poll(0)):
        return False
    # Python flushes once more at its end, and would complain then.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return True


def _complain(message: str) -> None:
    sys.stderr.write(f"{message}\n")


def _print(text: str) -> None:
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def parsers() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """Return the parser of the whole command line, and those of its verbs by name."""
    whole = argparse.ArgumentParser(prog="python -m stacks", description="The tracing backbone of VirtEngine.")
    verbs = whole.add_subparsers(required=True, metavar="VERB")

    check = verbs.add_parser("check", help="validate an environment and say what it will be")
    check.add_argument("environment", help=ANY_ENVIRONMENT)
    check.add_argument("--json", action="store_true", help="print it for programs")
    check.add_argument(
        "--policies", action="store_true", help="hold it to the policies as well; exits with 1 when a mandatory one is broken"
    )
    check.add_argument("--policy-config", type=Path, metavar="FILE", help="configuration of the policies, in Pulumi's form")
    check.set_defaults(verb=_check)

    metrics = verbs.add_parser("metrics", help="list the series that the gateways of an environment make of traces")
    metrics.add_argument("environment", help=ANY_ENVIRONMENT)
    metrics.add_argument("--json", action="store_true", help="print them for programs")
    metrics.set_defaults(verb=_metrics)

    render = verbs.add_parser("render", help="write the plan and every document of it")
    render.add_argument("environment", help=ANY_ENVIRONMENT)
    render.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder to write")
    render.set_defaults(verb=_render)

    schema = verbs.add_parser("schema", help="print the JSON schema of stack files, or of the outputs, or the reference of settings")
    what = schema.add_mutually_exclusive_group()
    what.add_argument("--outputs", action="store_true", help="the JSON schema of the outputs")
    what.add_argument("--reference", action="store_true", help="the reference of settings, in Markdown")
    what.add_argument(
        "--types",
        choices=("arguments", "backend_arguments", "cluster_arguments"),
        help="a module of the types of a component's settings, in Python",
    )
    schema.set_defaults(verb=_schema)

    diff = verbs.add_parser("diff", help="say what changes from one environment to another; exits with 1 when something does")
    diff.add_argument("old", help=ANY_ENVIRONMENT)
    diff.add_argument("new", help=ANY_ENVIRONMENT)
    form = diff.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print it for programs")
    form.add_argument("--documents", action="store_true", help="print the difference of the servers' documents instead")
    form.add_argument("--format", choices=("text", "markdown"), default="text", help="markdown: for a pull request (default: text)")
    diff.set_defaults(verb=_diff)

    _add_running(verbs)
    add_scaling(verbs)
    add_rehearsing(verbs)
    add_trying(verbs)
    add_copying(verbs)
    add_verifying(verbs)
    add_verbs(verbs)
    return whole, verbs.choices


def _add_running(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verbs about what runs on this machine."""
    usage = (
        "python -m stacks run [-h] [--once] [--shape {one-host,cluster}] [--nodes N] [--disks] [--state DIR] ENVIRONMENT [-- COMMAND ...]"
    )
    run = verbs.add_parser("run", help="run an environment on this machine until Ctrl-C, and a command against it", usage=usage)
    run.add_argument("environment", help=ANY_ENVIRONMENT)
    run.add_argument("--once", action="store_true", help="end when the command has ended and its traces were shown")
    run.add_argument("--state", type=Path, metavar="DIR", help=STATE)
    run.add_argument(
        "--shape",
        choices=("one-host", "cluster"),
        default="one-host",
        help="one-host: one collector, no login (default); cluster: agents, all gateways, login, TLS and token as on Kubernetes",
    )
    run.add_argument(
        "--nodes",
        type=values.nodes,
        metavar="N",
        help="agents in the shape of a cluster (default: the nodes of the environment, 3 at most)",
    )
    run.add_argument(
        "--disks",
        action="store_true",
        help="in the shape of a cluster: each volume in memory and of the size that the environment says, so that it can be full; as root",
    )
    run.set_defaults(verb=_run)

    servers = verbs.add_parser("servers", help="find the servers that toolchain/ can build, or build them")
    servers.set_defaults(verb=_servers)

    trace = verbs.add_parser("trace", help="show a trace that an environment on this machine has stored")
    trace.add_argument("id", help="trace id, 32 hexadecimal digits")
    trace.add_argument("environment", nargs="?", default="dev", help="name of the running environment (default: dev)")
    trace.add_argument("--json", action="store_true", help="print the spans for programs")
    trace.add_argument("--wait", type=values.waiting, default=10.0, metavar="SECONDS", help="how long to wait for it (default: 10)")
    trace.add_argument("--state", type=Path, metavar="DIR", help=STATE)
    trace.set_defaults(verb=_trace)

    story = verbs.add_parser("story", help="show all traces of one order as one tree, from an environment on this machine")
    story.add_argument("value", help="value of the attribute, such as an order's id")
    story.add_argument("environment", nargs="?", default="dev", help="name of the running environment (default: dev)")
    story.add_argument("--attribute", default="virtengine.order.id", metavar="KEY", help="default: virtengine.order.id")
    story.add_argument("--hours", type=values.hours, default=24.0, help="how far back to look (default: 24)")
    story.add_argument("--json", action="store_true", help="print the spans for programs")
    story.add_argument("--state", type=Path, metavar="DIR", help=STATE)
    story.set_defaults(verb=_story)


def _check(arguments: argparse.Namespace) -> int:
    from stacks.environment.figures import figures
    from stacks.plan.plan import plan
    from stacks.plan.sharing import read_alone
    from stacks.plan.targets import addresses_of
    from stacks.show.describe import describe

    named = read_alone(arguments.environment)
    planned = plan(named.environment, addresses_of(named), name=named.name)
    findings = _findings(named.environment, planned, arguments.policy_config) if arguments.policies or arguments.policy_config else None
    broken = any(finding.level == "mandatory" for finding in findings or ())
    lines = describe(named.environment, planned)
    if arguments.json:
        document = {"environment": named.name, "source": named.source, "settings": named.environment.model_dump(mode="json")}
        judged = {} if findings is None else {"policies": [asdict(finding) for finding in findings]}
        told = {"summary": dict(lines), "figures": asdict(figures(named.environment))}
        _print(json.dumps(document | told | judged, indent=2, ensure_ascii=False))
        return DIFFERENT if broken else OK
    width = max(len(word) for word, _ in lines)
    _print("\n".join([f"{named.source}: right", *(f"  {word:<{width}}  {text}" for word, text in lines)]))
    if findings is not None:
        from stacks.show.tables import print_findings

        print_findings([(one.policy, one.level, *astuple(one.violation)) for one in findings])
    return DIFFERENT if broken else OK


def _findings(environment: Environment, planned: Plan, configuration: Path | None) -> list[Finding]:
    from stacks.policies.judge import judge
    from stacks.policies.planned import of_plan
    from stacks.policies.rules import Stack
    from stacks.policies.settings import PolicySettings, read_settings

    settings = PolicySettings() if configuration is None else read_settings(configuration)
    return judge(Stack(of_plan(planned), environment), settings)


def _metrics(arguments: argparse.Namespace) -> int:
    from components.documents.series import series
    from stacks.plan.collectors import trace_metrics

    found = series(trace_metrics(read(arguments.environment).environment, ""))
    if arguments.json:
        _print(json.dumps([asdict(one) for one in found], indent=2))
    else:
        from stacks.show.tables import print_series

        print_series(found)
    return OK


def _render(arguments: argparse.Namespace) -> int:
    from stacks.placement.render import render
    from stacks.plan.plan import plan
    from stacks.plan.targets import addresses_of

    named = read(arguments.environment)
    try:
        written = render(plan(named.environment, addresses_of(named), name=named.name), arguments.output, certificate=named.certificate)
    except FileExistsError:
        raise
    except OSError as error:
        _complain(f"{error.filename or arguments.output}: cannot be written: {error.strerror}; name another folder with -o")
        return FAILED
    for path in written:
        _print(str(path))
    return OK


def _schema(arguments: argparse.Namespace) -> int:
    if arguments.reference:
        from stacks.environment.reference import reference

        _print(reference())
        return OK
    if arguments.types:
        from stacks.environment.typed import source

        sys.stdout.write(source(arguments.types))
        return OK
    if arguments.outputs:
        from stacks.placement.outputs_schema import outputs_schema as schema
    else:
        from stacks.environment.schema import stack_file_schema as schema
    _print(json.dumps(schema(), indent=2, ensure_ascii=False))
    return OK


def _diff(arguments: argparse.Namespace) -> int:
    from stacks.changes.diff import as_json, difference

    found = difference(read(arguments.old), read(arguments.new))
    if arguments.json:
        _print(json.dumps(as_json(found), indent=2, ensure_ascii=False))
    elif arguments.documents:
        sys.stdout.write(found.documents)
    elif arguments.format == "markdown":
        from stacks.show.markdown import difference as markdown

        _print(markdown(found, arguments.old, arguments.new))
    else:
        from stacks.show.tables import print_difference

        print_difference(found, arguments.old, arguments.new)
    return DIFFERENT if found else OK


def _run(arguments: argparse.Namespace) -> int:
    from components.local.errors import InterruptedStartError, LocalError
    from stacks.cli.run import Placing, run

    named = read(arguments.environment)
    try:
        return run(
            named, arguments.command, Placing(arguments.shape, arguments.nodes, arguments.state, arguments.disks), once=arguments.once
        )
    except InterruptedStartError as error:
        _complain(str(error))
        return 130  # what a shell reports of a program that Ctrl-C ended
    except LocalError as error:
        _complain(str(error))
        return FAILED
    except OSError as error:
        # Servers are stopped by now. A full disk and a folder that cannot be made come here from any file of the state.
        place = error.filename or arguments.state or "the folder of the state"
        _complain(f"{place}: {error.strerror or error}; make room there, or name another folder with --state")
        return FAILED


def _servers(_: argparse.Namespace) -> int:
    from components.documents.images import SERVERS, STORES, SURROUNDINGS, TEST_SERVERS
    from components.local.build import RECIPES
    from components.local.errors import LocalError, MissingProgramError
    from components.local.programs import find_program
    from stacks.environment.source import ROOT

    known = {**SERVERS, **SURROUNDINGS, **TEST_SERVERS}
    try:
        for program in RECIPES:
            _print(f"{program:<24} {find_program(known[program], toolchain=ROOT / 'toolchain', say=_complain)}")
        for program, server in STORES.items():
            try:
                _print(f"{program:<24} {find_program(server, toolchain=ROOT / 'toolchain', say=_complain)}")
            except MissingProgramError as error:
                # Only an environment with such a store needs one.
                _complain(str(error))
    except LocalError as error:
        _complain(str(error))
        return FAILED
    return OK


def _running(arguments: argparse.Namespace) -> Path | None:
    """The outputs file of an environment that runs on this machine; none, and a complaint, where it does not."""
    from components.local.instances import command_for
    from stacks.environment.source import name_of
    from stacks.placement.local import outputs_path

    path = outputs_path(name_of(arguments.environment), state=arguments.state)
    if path.is_file():
        return path
    _complain(f"{arguments.environment}: does not run on this machine; start it: {command_for('run', path.parent, arguments.environment)}")
    return None


def _trace(arguments: argparse.Namespace) -> int:
    from stacks.placement.outputs import Outputs
    from stacks.show.tables import print_trace
    from stacks.show.trace import QueryError, as_json, fetch

    if (path := _running(arguments)) is None:
        return FAILED
    outputs = Outputs.read(path)
    try:
        trace = fetch(outputs, arguments.id, wait_seconds=arguments.wait)
    except QueryError as error:
        _complain(str(error))
        return DIFFERENT
    if arguments.json:
        _print(as_json(trace))
    else:
        print_trace(outputs, trace, path.parent / "pages")
    return OK


def _nothing_of(story: Story) -> str:
    """A story without traces, which are perhaps in a part of the stores that could not be asked."""
    if not story.untold:
        return f"no stored trace has {story.subject}; look further back with --hours, or find out whether it was sampled"
    from stacks.show.story import not_told

    then = "then: ask again when every store answers, or look further back with --hours"
    return "\n".join([f"no trace with {story.subject} was found in what could be asked", *not_told(story.untold), then])


def _story(arguments: argparse.Namespace) -> int:
    from stacks.placement.outputs import Outputs
    from stacks.show.story import as_mapping, gather
    from stacks.show.tables import print_story
    from stacks.show.trace import QueryError

    if (path := _running(arguments)) is None:
        return FAILED
    now = time.time()
    try:
        story = gather(Outputs.read(path), arguments.attribute, arguments.value, since=now - arguments.hours * 3600, until=now)
    except QueryError as error:
        _complain(str(error))
        return DIFFERENT
    if not story.traces:
        _complain(_nothing_of(story))
        return DIFFERENT
    if arguments.json:
        _print(json.dumps(as_mapping(story), sort_keys=True, indent=2, default=bytes.hex))
    else:
        print_story(story, path.parent / "pages")
    return OK
