"""The workspace of the engine: its program, its environment, its state and passphrase, and the copy of the stack file.

The stack file is never written: Pulumi adds a salt to the one that it is given, so it is given a copy below ``.state/``.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from components.local.files import make_private, write_atomically
from stacks.deploy.engine import Engine, EngineError
from stacks.deploy.hints import Place
from stacks.environment.model import PROJECT
from stacks.environment.source import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stacks.environment.source import Named

STATE = ROOT / ".state" / "pulumi"
"""Default of everything that Pulumi keeps for this project: state, passphrase, copies of the stack files."""

PASSPHRASE = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")
_SALT = ("encryptionsalt", "encryptedkey", "secretsprovider")
_NO_PROXY = ("no_proxy", "NO_PROXY")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def open_engine(named: Named, *, say: Callable[[str], None], state: Path | None = None) -> Engine:
    """The engine on the stack of an environment, which is made when it is missing.

    ``state`` is where everything is kept that has no other place (default ``.state/pulumi``). Raises ``EngineError``: the program is
    missing and cannot be installed, the passphrase is another, the file is none.
    """
    folder = make_private(state or STATE)
    command = _command(say)
    variables = _variables(folder)
    engine = Engine(command, variables, _place(named), _copy(named, make_private(folder / "stacks" / named.name)))
    engine.make()
    return engine


def may_be_deployed(name: str, *, state: Path | None = None) -> bool:
    """Whether a stack of that name may be there: Pulumi was asked for it from here, or keeps its state where only Pulumi can look."""
    return backend_configured(os.environ) or ((state or STATE) / "stacks" / name).exists()


def _place(named: Named) -> Place:
    target = named.environment.target
    return Place(named.name, named.environment.namespace, target.context if target.kind == "kubernetes" else None)


def _command(say: Callable[[str], None]) -> str:
    """The CLI on PATH, else one that the SDK's own installer has brought or brings, of the SDK's own version."""
    # The automation package is slow to import, and only this verb needs it.
    from pulumi.automation import PulumiCommand

    try:
        return PulumiCommand().command
    except Exception as error:  # noqa: BLE001 - whatever is on PATH cannot be used
        say(f"no Pulumi that can be used is on PATH ({str(error).splitlines()[0]}); looking for the one of the SDK, or installing it")
    try:
        return PulumiCommand.install().command
    except Exception as error:  # noqa: BLE001 - the installer may fail in any way
        raise EngineError(
            f"pulumi: is neither on PATH nor could it be installed ({str(error).splitlines()[0]})\n"
            "then: install it from https://www.pulumi.com/docs/install, or let this machine reach get.pulumi.com, and try again"
        ) from None


def _variables(folder: Path) -> dict[str, str]:
    """The environment of the engine: a backend of files and a passphrase of its own, unless the user has configured one."""
    variables = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_DEBUG_COMMANDS": "true"}
    # What a preview tells as JSON is read whole.
    variables["PULUMI_ENABLE_STREAMING_JSON_PREVIEW"] = "false"
    variables |= past_proxies(os.environ)
    if not backend_configured(os.environ):
        # Beside each file the backend would keep one of metadata, not written at once: one left empty by a kill hides all of the state.
        variables["PULUMI_BACKEND_URL"] = f"{make_private(folder / 'backend').as_uri()}?metadata=skip"
        if not any(name in os.environ for name in PASSPHRASE):
            variables["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(_passphrase(folder / "passphrase"))
    return variables


def past_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that keep loopback off every proxy: gRPC between the engine and its program would otherwise go through one.

    The hosts that the user excepts stay excepted, in both spellings, because programs read one or the other.
    """
    excepted = [host.strip() for name in _NO_PROXY for host in environ.get(name, "").split(",") if host.strip()]
    return dict.fromkeys(_NO_PROXY, ",".join(dict.fromkeys([*excepted, *_LOOPBACK])))


def backend_configured(environ: Mapping[str, str]) -> bool:
    """Whether the user has said where state is kept: by variable, or by ``pulumi login``."""
    if environ.get("PULUMI_BACKEND_URL") or environ.get("PULUMI_ACCESS_TOKEN"):
        return True
    credentials = Path(environ.get("PULUMI_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".pulumi") / "credentials.json"
    try:
        return bool(json.loads(credentials.read_text())["current"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _passphrase(file: Path) -> Path:
    if not file.exists():
        write_atomically(file, secrets.token_urlsafe(32))
    return file


def _copy(named: Named, folder: Path) -> Path:
    """A copy of the stack file that the engine may write to; a salt that it once wrote there is kept."""
    original, copy = ROOT / named.source, folder / f"Pulumi.{named.name}.yaml"
    if not original.is_file():
        raise EngineError(
            f"{named.source}: is no file, and only a file can be deployed\nthen: git checkout the revision, and name it {named.name}"
        )
    document = yaml.safe_load(original.read_text())
    if copy.is_file():
        kept = yaml.safe_load(copy.read_text())
        document = {key: kept[key] for key in _SALT if key in kept} | document
    write_atomically(copy, yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    write_atomically(folder / "Pulumi.yaml", yaml.safe_dump({"name": PROJECT, "runtime": "python"}))
    return copy
