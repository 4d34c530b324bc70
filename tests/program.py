"""The Pulumi program run against a recording monitor: which resources it registers under which parents, and what it exports."""

from __future__ import annotations

import asyncio
import importlib
import json
import pickle
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pulumi
import yaml
from pulumi.runtime import Mocks, rpc, set_all_config, set_mocks
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.settings import set_root_resource
from pulumi.runtime.stack import run_in_stack

from stacks.environment.model import PROJECT
from stacks.environment.source import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs

STACK = "pulumi:pulumi:Stack"


class _Echo(Mocks):
    """Every resource becomes what it was asked to be, with the outputs that programs here read."""

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], None]:
        raise AssertionError(f"the program calls {args.token}, which depends on the world outside of the plan")

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        computed = {"imageId": f"sha256:{args.name}"} if args.typ == "docker:index/remoteImage:RemoteImage" else {}
        return f"{args.name}-id", {**args.inputs, **computed}


@dataclass(frozen=True)
class Registered:
    """A resource as the engine is asked for it. ``secret`` are the names of its inputs that are secrets, however deep.

    ``former_root`` says that it has an alias without a parent, under its own name.
    """

    type: str
    name: str
    parent: str
    inputs: dict[str, Any]
    secret: frozenset[str]
    protect: bool
    delete_before_replace: bool
    depends_on: frozenset[str]
    provider: str
    former_root: bool


@dataclass
class Deployed:
    """What a program did."""

    resources: dict[str, Registered] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    secret_outputs: set[str] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)

    def tree(self) -> list[str]:
        """A line for each resource, ``parent > type name``, sorted."""
        return sorted(f"{r.parent} > {r.type} {r.name}" for r in self.resources.values())

    def by_type(self, kind: str) -> dict[str, Registered]:
        """The resources of a type by name."""
        return {r.name: r for r in self.resources.values() if r.type == kind}


def _secret(value: object) -> bool:
    """Whether a serialized value is a secret, or holds one."""
    if isinstance(value, dict):
        if value.get(rpc._special_sig_key) == rpc._special_secret_sig:
            return True
        return any(map(_secret, value.values()))
    return isinstance(value, list) and any(map(_secret, value))


def _opened(value: Any) -> Any:  # noqa: ANN401 - any value of an output
    """A deserialized value without the wrappers of its secrets."""
    if isinstance(value, dict):
        return _opened(value["value"]) if rpc._special_sig_key in value else {name: _opened(inner) for name, inner in value.items()}
    return [_opened(inner) for inner in value] if isinstance(value, list) else value


def _plain(struct: Any) -> dict[str, Any]:  # noqa: ANN401 - a protobuf message
    from google.protobuf.json_format import MessageToDict

    return MessageToDict(struct)


class _Recorder(MockMonitor):
    """The mock monitor, which also keeps what Pulumi's own leaves out: parents, options, secrets and outputs."""

    def __init__(self) -> None:
        super().__init__(_Echo())
        self.deployed = Deployed()

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802 - as gRPC calls it
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != STACK:
            self.deployed.resources[answer.urn] = Registered(
                request.type,
                request.name,
                "" if f"::{STACK}::" in request.parent else request.parent.rpartition("::")[2],
                rpc.deserialize_properties(request.object),
                frozenset(name for name, value in _plain(request.object).items() if _secret(value)),
                request.protect,
                request.deleteBeforeReplace,
                frozenset(urn.rpartition("::")[2] for urn in request.dependencies),
                request.provider,
                [(alias.spec.name, alias.spec.noParent) for alias in request.aliases] == [("", True)],
            )
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: ANN401, N802 - as gRPC calls it
        self.deployed.finished.add(request.urn)
        if f"::{STACK}::" in request.urn:
            self.deployed.outputs = _opened(rpc.deserialize_properties(request.outputs))
            self.deployed.secret_outputs = {name for name, value in _plain(request.outputs).items() if _secret(value)}
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def config_of(file: Path) -> dict[str, Any]:
    """The configuration in a stack file, as the engine gives it to a program: structured values as JSON text."""
    config: Mapping[str, Any] = yaml.safe_load(file.read_text())["config"]
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}


class ProgramError(Exception):
    """A program ended with ``pulumi.RunError``; the text is what it told its user."""


def run(stack: str, *, program: str = "stacks.main:main", file: Path | None = None, secrets: Mapping[str, str] | None = None) -> Deployed:
    """Run a program as the stack ``stack`` with the configuration of its file, and ``secrets`` by their key in the project.

    ``program`` is ``module:function``. It runs in a process of its own, since Pulumi's runtime is global and leaves its event loops
    open. Raises ``ProgramError``.
    """
    chosen = {f"{PROJECT}:{key}": value for key, value in (secrets or {}).items()}
    config = {**config_of(file or ROOT / f"Pulumi.{stack}.yaml"), **chosen}
    job = json.dumps({"program": program, "stack": stack, "config": config, "secrets": list(chosen)})
    process = subprocess.run([sys.executable, "-m", "tests.program"], input=job.encode(), capture_output=True, check=False, cwd=ROOT)
    if process.returncode == REFUSED:
        raise ProgramError(process.stderr.decode())
    assert process.returncode == 0, process.stderr.decode()
    deployed: Deployed = pickle.loads(process.stdout)  # noqa: S301 - written by the process above
    return deployed


REFUSED = 3


def _main() -> int:
    job = json.load(sys.stdin)
    # Pickled classes are found again by the name of their module.
    from tests.program import _Echo, _Recorder

    recorder, loop = _Recorder(), asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    set_all_config(job["config"], job["secrets"])
    set_mocks(_Echo(), project=PROJECT, stack=job["stack"], monitor=recorder)
    # The mocks bring a root of their own; the program makes the one that its exports belong to.
    set_root_resource(None)  # type: ignore[arg-type]
    module, function = job["program"].split(":")
    try:
        loop.run_until_complete(run_in_stack(getattr(importlib.import_module(module), function)))
    except pulumi.RunError as error:
        sys.stderr.write(str(error))
        return REFUSED
    sys.stdout.buffer.write(pickle.dumps(recorder.deployed))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
