"""Pulumi programs of others, which have a backbone among their resources."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_docker
import pulumi_kubernetes
import yaml

from stacks.backbone import TracingBackbone, TracingBackboneArgs
from stacks.environment.model import KEY
from stacks.environment.source import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = ROOT / "docs" / "any-program.md"
SECRETS = {"tracing-access.client-secret": "a-client-secret", "tracing-access.cookie-secret": "a-cookie-secret-"}
TOKEN = {"tracing-ingest-token.token": "a-token"}


def settings(stack: str) -> Any:  # noqa: ANN401 - the settings of a file
    """The settings of one of the stack files here."""
    return yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"][KEY]


def _outputs(backbone: TracingBackbone) -> dict[str, Any]:
    found = {name: getattr(backbone, name) for name in TracingBackbone.__annotations__}
    return {name: value for name, value in found.items() if value is not None}


def several() -> None:
    """A backbone on a host of its own, one on that of a provider that the program has, and one on such a cluster, after a namespace."""
    shop = TracingBackbone("shop", {"environment": settings("dev"), "environment_name": "shop-test"})
    daemon = pulumi_docker.Provider("theirs", host="tcp://elsewhere:2376")
    TracingBackbone("stall", {"environment": settings("dev")}, pulumi.ResourceOptions(providers={"docker": daemon}))
    cluster = pulumi_kubernetes.Provider("theirs", context="elsewhere")
    services = pulumi_kubernetes.core.v1.Namespace("services", opts=pulumi.ResourceOptions(provider=cluster))
    # One value is known to the engine alone.
    secrets: dict[str, pulumi.Input[str]] = {**SECRETS, "tracing-ingest-token.token": services.metadata.apply(lambda _: "a-token")}
    arguments: TracingBackboneArgs = {"environment": settings("prod"), "secrets": secrets}
    bank = TracingBackbone("bank", arguments, pulumi.ResourceOptions(providers={"kubernetes": cluster}, depends_on=[services]))
    for name, backbone in (("shop", shop), ("bank", bank)):
        pulumi.export(name, _outputs(backbone))


def changed(stack: str, **changes: object) -> Any:  # noqa: ANN401 - settings, wrong ones among them
    """The settings of a stack file with others in it."""
    return {**settings(stack), **changes}


def _bad() -> Mapping[str, Any]:
    given = {**SECRETS, **TOKEN}
    prod = settings("prod")
    return {
        "no mapping": {"environment": "prod"},
        "unknown key": {"environment": changed("dev", sampling={"tail": {"baseline": "5 %", "slowest": "1s"}})},
        "wrong unit": {"environment": changed("dev", retention={"traces": "30"})},
        "a rule": {"environment": changed("prod", ingest={"certificate": {"name": "letsencrypt"}}), "secrets": given},
        "too small": {"environment": changed("dev", load={"spans_per_second": 100_000})},
        "local": {"environment": changed("dev", target={"kind": "local"})},
        "a missing secret": {"environment": prod, "secrets": SECRETS},
        "a wrong secret": {"environment": prod, "secrets": {**given, "tracing-access.cookie-secret": "short"}},
        "an unknown secret": {"environment": prod, "secrets": {**given, "tracing-access.cookie-sekret": "a-cookie-secret-"}},
        "a certificate": {"environment": prod, "secrets": given, "certificate": "no PEM"},
        "a name": {"environment": settings("dev"), "environment_name": "a/b"},
    }


def refused() -> None:
    """What is said of each kind of wrong arguments."""
    said = {}
    for what, arguments in _bad().items():
        try:
            TracingBackbone("shop", arguments)
        except pulumi.RunError as error:
            said[what] = str(error)
    pulumi.export("said", said)


def documented() -> None:
    """The Python program of the page, as it stands there."""
    (program,) = re.findall(r'^```python title="__main__.py"\n(.*?)^```$', PAGE.read_text(), re.MULTILINE | re.DOTALL)
    exec(compile(program, str(PAGE), "exec"), {})  # noqa: S102 - a page of this repository


def _camel(value: Any, at: str = "") -> Any:  # noqa: ANN401 - any part of an environment
    """Settings as the engine passes them on from TypeScript or Go: names in camel case, every number a float, no null."""
    if isinstance(value, dict):
        chosen = at in {"services", "operations", "targets", "chain", "noise"}
        named = {key if chosen else _in_camel_case(key): _camel(inner, key) for key, inner in value.items()}
        return {key: inner for key, inner in named.items() if inner is not None}
    if isinstance(value, list):
        return [_camel(inner) for inner in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _in_camel_case(key: str) -> str:
    first, *others = key.split("_")
    return first + "".join(map(str.title, others))


def hosted() -> None:
    """A backbone as the host of the package makes it for a program in another language, and the same in Python."""
    # Here, for it loads a google.rpc.Status beside which the one of googleapis cannot be loaded, and tests import this module.
    from pulumi.provider.experimental.component import ComponentProvider

    provider: Any = ComponentProvider([TracingBackbone], "tracingbackbone", "virtengine", "0.1.0")
    secrets: dict[str, pulumi.Input[str]] = {**SECRETS, **TOKEN}
    inputs = {"environment": _camel(settings("prod")), "environmentName": "prod", "secrets": secrets}
    made = provider.construct("bank", "tracingbackbone:index:TracingBackbone", inputs, None)
    pulumi.export("hosted", made.state)
    shop = TracingBackbone("shop", {"environment": settings("prod"), "secrets": secrets, "environment_name": "prod"})
    pulumi.export("imported", _outputs(shop))
