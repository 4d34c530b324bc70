"""The Pulumi program: configuration in, the backbone, outputs. The only file that reads Pulumi's configuration and exports."""

from __future__ import annotations

import pulumi

from stacks.backbone.accepted import planned
from stacks.backbone.component import TracingBackbone, TracingBackboneArgs
from stacks.backbone.origin import stack_file
from stacks.environment.model import PROJECT


def main() -> None:
    """Place the environment of this stack and export its outputs. Raises ``pulumi.RunError`` with the next step."""
    config, stack = pulumi.Config(PROJECT), pulumi.get_stack()
    origin = stack_file(stack)
    try:
        environment = config.require_object("environment")
    except pulumi.ConfigMissingError as error:
        raise pulumi.RunError(str(error)) from None
    here, wanted = planned(environment, stack, origin)
    keys = [f"{secret}.{entry}" for secret, entries in wanted.secrets.items() for entry in entries]
    secrets: dict[str, pulumi.Input[str]] = {key: value for key in keys if (value := config.get(key)) is not None}
    authority = config.get(f"{here.environment.ingest.tls_secret}.ca.crt")
    arguments: TracingBackboneArgs = {"environment": environment, "secrets": secrets}
    if here.environment.ingest.tls_secret is not None and authority is not None:
        arguments["certificate"] = authority
    backbone = TracingBackbone("backbone", arguments, origin=origin)
    for name, value in backbone.told.items():
        pulumi.export(name, value)
