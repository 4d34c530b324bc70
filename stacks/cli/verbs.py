"""The verbs of ``python -m stacks`` that deploy with Pulumi, or tell of what is deployed."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from stacks.environment.source import ROOT, read

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from stacks.placement.outputs import Outputs

OK, FAILED = 0, 2

STATE = "folder for what Pulumi keeps: state, passphrase, copies of stack files (default: .state/pulumi)"
ENVIRONMENT = "name of an environment (dev), or path of a stack file"


def add_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verbs to a parser."""
    for name, verb, text in (
        ("preview", _preview, "say what a deployment would change, and what that means"),
        ("up", _up, "deploy an environment, and wait until a probe span has come through (YES=1 answers the question)"),
        ("destroy", _destroy, "delete what is deployed (YES=1 answers the question)"),
        ("recover", _recover, "make a stack usable again whose `up` was killed, or interrupted and says so"),
    ):
        parser = verbs.add_parser(name, help=text)
        parser.add_argument("environment", help=ENVIRONMENT)
        parser.add_argument("--state", type=Path, metavar="DIR", help=STATE)
        parser.set_defaults(verb=_explained(verb, name))

    outputs = verbs.add_parser("outputs", help="print what services need to know of a deployed environment")
    outputs.add_argument("environment", help=ENVIRONMENT)
    outputs.add_argument(
        "--format", choices=("env", "json", "k8s"), default="env", help="OTEL_* variables, JSON, or objects (default: env)"
    )
    outputs.add_argument("--show-secrets", action="store_true", help="also print the token of the intake")
    outputs.add_argument(
        "--certificate", metavar="PATH", help="where services find the certificate of the intake, if it has one of its own"
    )
    outputs.add_argument("--local", action="store_true", help="of the environment as it runs on this machine, in place of the deployed one")
    outputs.add_argument("--state", type=Path, metavar="DIR", help=f"{STATE}; of one that runs on this machine the folder given to `run`")
    outputs.set_defaults(verb=_explained(_outputs, "outputs"))

    secret = verbs.add_parser("secret", help="encrypt a secret into the stack file; the value is asked for, or read from a pipe")
    secret.add_argument("environment", help=ENVIRONMENT)
    secret.add_argument("key", help="name of the Secret and entry in it, for example tracing-ingest-token.token")
    secret.add_argument("--state", type=Path, metavar="DIR", help=STATE)
    secret.set_defaults(verb=_explained(_secret, "secret"))


def _explained(verb: Callable[[argparse.Namespace], None], name: str) -> Callable[[argparse.Namespace], int]:
    """A verb whose expected failures are told in their own words. ``name`` is what its user calls it."""

    def run(arguments: argparse.Namespace) -> int:
        from stacks.deploy.cluster import ClusterError
        from stacks.deploy.docker_api import DaemonError
        from stacks.deploy.engine import EngineError
        from stacks.deploy.probe import ProbeError
        from stacks.deploy.up import RefusedError, say
        from stacks.placement.outputs import ContractError

        try:
            verb(arguments)
        except (ClusterError, ContractError, DaemonError, EngineError, ProbeError, RefusedError) as error:
            if told := str(error):
                say(told)
            return FAILED
        except KeyboardInterrupt:
            again = " ".join(filter(None, [name, arguments.environment, getattr(arguments, "key", None)]))
            say(f"`{name}` was interrupted\nthen: python -m stacks {again}")
            return 130  # what a shell reports of a program that Ctrl-C ended
        return OK

    return run


def _preview(arguments: argparse.Namespace) -> None:
    from stacks.deploy.up import open_deployment, preview
    from stacks.plan.sharing import read_alone

    preview(open_deployment(read_alone(arguments.environment), state=arguments.state))


def _up(arguments: argparse.Namespace) -> None:
    from stacks.deploy.up import open_deployment, say, up
    from stacks.plan.sharing import read_alone

    contract = up(open_deployment(read_alone(arguments.environment), state=arguments.state))
    sys.stdout.write(_text(contract, "env", certificate=None, show_secrets=False))
    say(f"user interface {contract.ui_url}")


def _destroy(arguments: argparse.Namespace) -> None:
    from stacks.deploy.up import destroy, open_deployment

    destroy(open_deployment(read(arguments.environment), state=arguments.state, leaving=True))


def _recover(arguments: argparse.Namespace) -> None:
    from stacks.deploy.recovery import recover

    recover(read(arguments.environment), state=arguments.state)


def _outputs(arguments: argparse.Namespace) -> None:
    from stacks.deploy.up import RefusedError, deployed_outputs, say
    from stacks.deploy.workspace import may_be_deployed, open_engine
    from stacks.placement.local import outputs_path

    named = read(arguments.environment)
    local = arguments.local or named.environment.target.kind == "local"
    if local:
        contract = _running(arguments.environment, named.name, arguments.state)
    elif outputs_path(named.name).is_file() and not may_be_deployed(named.name, state=arguments.state):
        # The engine would be installed from the network first, to say that nothing is deployed.
        here = f"python -m stacks outputs {arguments.environment} --local, or: make outputs ENV={arguments.environment} ARGS=--local"
        raise RefusedError(f"{named.name}: is not deployed, and runs on this machine\nthen: {here}")
    else:
        contract = deployed_outputs(open_engine(named, say=say, state=arguments.state), show_secrets=arguments.show_secrets)
    sys.stdout.write(_text(contract, arguments.format, certificate=arguments.certificate, show_secrets=arguments.show_secrets))
    say(_where_to_look(contract, arguments) if local else f"user interface {contract.ui_url}")


def _where_to_look(contract: Outputs, arguments: argparse.Namespace) -> str:
    """Say where people look at the traces of an environment that runs on this machine."""
    from components.local.instances import command_for
    from stacks.cli.trying import folder_of
    from stacks.show.trace import where_to_look

    return where_to_look(contract, command_for("trace TRACE_ID", folder_of(arguments), arguments.environment))


def _running(environment: str, name: str, state: Path | None) -> Outputs:
    from components.local.instances import command_for
    from stacks.deploy.up import RefusedError
    from stacks.placement.local import outputs_path
    from stacks.placement.outputs import Outputs

    path = outputs_path(name, state=state)
    if not path.is_file():
        raise RefusedError(f"{environment}: does not run on this machine\nthen: {command_for('run', path.parent, environment)}")
    return Outputs.read(path, place=f"outputs of {name} on this machine")


def _text(contract: Outputs, form: str, *, certificate: str | None, show_secrets: bool) -> str:
    from stacks.placement.outputs import CERTIFICATE_PATH, CONSUMER_OBJECT, consumer_config, consumer_secret

    if form == "json":
        return contract.to_json(secrets=show_secrets)
    if form == "env":
        return contract.to_dotenv(secrets=show_secrets, certificate_path=certificate or CERTIFICATE_PATH)
    head = {"metadata": {"name": CONSUMER_OBJECT}}
    objects = [{"apiVersion": "v1", "kind": "ConfigMap", **head, "data": consumer_config(contract)}]
    if show_secrets and contract.otlp_token is not None:
        told = consumer_secret(contract, contract.otlp_token.get_secret_value())
        objects.append({"apiVersion": "v1", "kind": "Secret", **head, "type": "Opaque", "stringData": told})
    return yaml.safe_dump_all(objects, sort_keys=False, allow_unicode=True)


def _secret(arguments: argparse.Namespace) -> None:
    from stacks.deploy.secret_values import entry_of, known_keys, making, problem
    from stacks.deploy.up import RefusedError, say
    from stacks.deploy.workspace import open_engine
    from stacks.plan.plan import plan
    from stacks.plan.targets import addresses_of

    named, key = read(arguments.environment), arguments.key
    wanted = plan(named.environment, addresses_of(named), name=named.name)
    try:
        entry = entry_of(key, wanted)
    except KeyError:
        keys = known_keys(wanted)
        told = f"{named.name} reads {', '.join(keys)}" if keys else f"{named.name} reads no secret"
        raise RefusedError(f"{key}: is no secret of {named.source}; {told}\nthen: python -m stacks check {arguments.environment}") from None
    command = making(entry, key, arguments.environment)
    if sys.stdin.isatty():
        say(f"to make one instead: {command}")
        value = getpass.getpass(f"{key}: ")
    else:
        value = sys.stdin.read().rstrip("\n")
    if (wrong := problem(entry, value)) is not None:
        raise RefusedError(f"{key}: {wrong}\nthen: {command}")
    open_engine(named, say=say, state=arguments.state).keep_secret(key, value, ROOT / named.source)
    say(f"{key} is encrypted in {named.source}; commit that file")
