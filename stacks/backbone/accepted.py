"""Arguments of a backbone that were found right, as a whole, before any resource is registered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from stacks.backbone.wire import from_wire
from stacks.deploy.secret_values import known_keys, problem
from stacks.environment.parse import BadEnvironmentError, Problem
from stacks.environment.source import certificate, named
from stacks.placement.outputs import Outputs
from stacks.plan.plan import plan
from stacks.plan.targets import addresses_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.workload import Plan
    from stacks.backbone.origin import Origin
    from stacks.environment.source import Named

    Secrets = dict[tuple[str, str], pulumi.Output[str]]

_ISSUED = frozenset({"ca.crt", "tls.crt", "tls.key", ".dockerconfigjson"})
"""Entries of certificates and pull secrets, which may come from elsewhere, whoever issues them."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """An environment with its plan, the secrets that it is given, and the PEM of the authority behind the intake's certificate."""

    named: Named
    plan: Plan
    secrets: Secrets
    certificate: str | None


def planned(environment: object, name: str, origin: Origin) -> tuple[Named, Plan]:
    """The environment of these settings and its plan. Raises ``pulumi.RunError`` with every problem and the next step."""
    try:
        here = named(environment, source=origin.source, name=name, then=origin.again)
    except BadEnvironmentError as error:
        raise pulumi.RunError(str(error)) from None
    if here.environment.target.kind == "local":
        raise pulumi.RunError(
            f"{origin.source}: environment.target.kind: local is not deployed by Pulumi but run on this machine\n"
            f"then: python -m stacks run {name}"
        )
    return here, plan(here.environment, addresses_of(here), name=name)


def accepted(arguments: Mapping[str, Any], name: str, origin: Origin) -> Accepted:
    """The arguments of a backbone in the environment ``name``. Raises ``pulumi.RunError`` with what is wrong and the next step."""
    settings = from_wire(arguments["environment"]) if origin.any_language else arguments["environment"]
    here, wanted = planned(settings, name, origin)
    try:
        _check_name(name, origin)
        authority = certificate(arguments.get("certificate"), source=origin.source, key="certificate", then=origin.again)
    except BadEnvironmentError as error:
        raise pulumi.RunError(str(error)) from None
    given = arguments.get("secrets") or {}
    places = _places(wanted, given, origin)
    return Accepted(here, wanted, {place: _secret(given[_key(place)], place, origin) for place in places}, authority)


def _check_name(name: str, origin: Origin) -> None:
    form = next(found.pattern for found in Outputs.model_fields["environment"].metadata if getattr(found, "pattern", None))
    if not re.search(form, name):
        right = 'write 1 to 63 letters, digits, ".", "_" and "-", with a letter or digit at both ends'
        raise BadEnvironmentError(origin.source, [Problem("environment_name", f'"{name}" names no environment; {right}')], origin.again)


def _key(place: tuple[str, str]) -> str:
    return ".".join(place)


def _places(wanted: Plan, given: Mapping[str, Any], origin: Origin) -> list[tuple[str, str]]:
    """Every Secret and entry that is to be filled, of which there is a value. Raises ``pulumi.RunError`` when one is missing or wrong."""
    places = list(_filled(wanted, given))
    if twice := [_key(place) for place in places if place[0] in wanted.filled_elsewhere]:
        named_ = ", ".join(f"{origin.secrets}{key}" for key in twice)
        raise pulumi.RunError(
            f"{origin.source}: {named_}: the environment has a controller of the cluster fill that Secret\n"
            f"then: remove it: {origin.twice(twice[0])}, or take certificate or external_secrets out of the environment"
        )
    if unread := sorted(set(given) - {_key(place) for place in places}):
        known = ", ".join(known_keys(wanted)) or "none"
        raise pulumi.RunError(
            f"{origin.source}: {origin.secrets}{unread[0]}: nothing reads it; what is read: {known}\nthen: {origin.twice(unread[0])}"
        )
    told = {place: _defect(given.get(_key(place)), place[1]) for place in places}
    if wrong := {place: said for place, said in told.items() if said is not None}:
        lines = [f"{origin.source}: {origin.secrets}{_key(place)}: {said}" for place, said in wrong.items()]
        first = next(iter(wrong))
        raise pulumi.RunError("\n".join([*lines, f"then: {origin.missing(first[1], _key(first))}"]))
    return places


def _filled(wanted: Plan, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The places of values: of a Secret that others may fill, those of which one entry at least is given."""
    for secret, entries in wanted.secrets.items():
        some = any(given.get(f"{secret}.{entry}") is not None for entry in entries)
        for entry in entries:
            if some or not (entry in _ISSUED or secret in wanted.filled_elsewhere):
                yield secret, entry


def _defect(value: object, entry: str) -> str | None:
    """The defect of a value that is known already; a missing one is one."""
    if value is None:
        return "is a secret that this stack needs, and missing"
    return problem(entry, value) if isinstance(value, str) else None


def _secret(value: pulumi.Input[str], place: tuple[str, str], origin: Origin) -> pulumi.Output[str]:
    """A value as a secret of the engine. One that is an output is checked as soon as it is known."""

    def checked(known: str) -> str:
        if (said := problem(place[1], known)) is not None:
            raise pulumi.RunError(f"{origin.source}: {origin.secrets}{_key(place)}: {said}\nthen: {origin.missing(place[1], _key(place))}")
        return known

    made = pulumi.Output.secret(value)
    return made if isinstance(value, str) else made.apply(checked)
