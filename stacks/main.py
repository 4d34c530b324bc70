"""The Pulumi program: configuration in, placement, outputs. The only file that reads Pulumi's configuration and exports.

Nothing is placed before the whole configuration is known to be right, secrets included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from stacks.deploy.secret_values import making, problem
from stacks.environment.model import PROJECT
from stacks.environment.parse import BadEnvironmentError
from stacks.environment.source import named
from stacks.placement.outputs import OTLP_HEADERS, exported, otlp_headers
from stacks.plan.plan import plan
from stacks.plan.targets import addresses_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.workload import Plan
    from stacks.environment.source import Named
    from stacks.placement.outputs import Outputs

Secrets = dict[tuple[str, str], "pulumi.Output[str]"]
"""Values by the name of a Secret and the entry in it."""


def main() -> None:
    """Place the environment of this stack and export its outputs. Raises ``pulumi.RunError`` with the next step."""
    config, stack = pulumi.Config(PROJECT), pulumi.get_stack()
    try:
        here = named(config.require_object("environment"), source=f"Pulumi.{stack}.yaml", name=stack)
    except (BadEnvironmentError, pulumi.ConfigMissingError) as error:
        raise pulumi.RunError(str(error)) from None
    wanted = plan(here.environment, addresses_of(here), name=stack)
    secrets = _secrets(config, wanted, stack)
    ingest = here.environment.ingest
    certificate = config.get(f"{ingest.tls_secret}.ca.crt") if ingest.tls_secret else None
    contract = _place(here, wanted, secrets, certificate)
    told = exported(contract, wanted, here.environment)
    if (token := secrets.get((str(ingest.token_secret), "token"))) is not None:
        told["otlp_token"] = token
        told["otel"] |= {OTLP_HEADERS: token.apply(lambda value: otlp_headers(contract, value))}
    for name, value in told.items():
        pulumi.export(name, value)


def _secrets(config: pulumi.Config, wanted: Plan, stack: str) -> Secrets:
    """Every secret that the plan names and the stack fills, from the configuration key ``<secret>.<entry>``.

    Certificates and pull secrets may come from elsewhere, whoever issues them: the stack fills those of which it is given an entry.
    """
    places = [
        (secret, key)
        for secret, keys in wanted.secrets.items()
        for key in keys
        if any(config.get_secret(f"{secret}.{other}") is not None for other in keys)
        or not (_issued(key) or secret in wanted.filled_elsewhere)
    ]
    if twice := [f"{PROJECT}:{secret}.{key}" for secret, key in places if secret in wanted.filled_elsewhere]:
        raise pulumi.RunError(
            f"Pulumi.{stack}.yaml: {', '.join(twice)}: the environment has a controller of the cluster fill that Secret\n"
            f"then: remove it: pulumi config rm {twice[0]} --stack {stack}, or take certificate or external_secrets out of the environment"
        )
    told = {f"{secret}.{key}": (key, _defect(config, secret, key)) for secret, key in places}
    if wrong := {name: (key, said) for name, (key, said) in told.items() if said is not None}:
        lines = [f"Pulumi.{stack}.yaml: {PROJECT}:{name}: {said}" for name, (_, said) in wrong.items()]
        name, (key, _) = next(iter(wrong.items()))
        raise pulumi.RunError("\n".join([*lines, f"then: {making(key, name, stack)}"]))
    return {(secret, key): config.require_secret(f"{secret}.{key}") for secret, key in places}


def _defect(config: pulumi.Config, secret: str, key: str) -> str | None:
    value = config.get(f"{secret}.{key}")
    return "is a secret that this stack needs, and missing" if value is None else problem(key, value)


def _issued(key: str) -> bool:
    """Whether an entry is a certificate, or belongs to a Secret of type kubernetes.io/tls or kubernetes.io/dockerconfigjson."""
    return key in {"ca.crt", "tls.crt", "tls.key", ".dockerconfigjson"}


def _place(here: Named, wanted: Plan, secrets: Mapping[tuple[str, str], pulumi.Output[str]], certificate: str | None) -> Outputs:
    target = here.environment.target
    match target.kind:
        case "docker":
            from stacks.placement import docker

            return docker.deploy(wanted, target, secrets)
        case "kubernetes":
            from stacks.placement import kubernetes

            return kubernetes.deploy(wanted, here.environment, target, secrets, certificate)
        case "local":
            raise pulumi.RunError(
                f"Pulumi.{here.name}.yaml: environment.target.kind: local is not deployed by Pulumi but run on this machine\n"
                f"then: python -m stacks run {here.name}"
            )
