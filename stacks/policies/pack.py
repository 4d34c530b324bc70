"""The policies as a policy pack of Pulumi, which judges the resources that the engine is about to make."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi_policy

from stacks.environment.parse import BadEnvironmentError, parse
from stacks.policies.judge import POLICIES
from stacks.policies.resources import of_engine
from stacks.policies.rules import Stack
from stacks.policies.settings import PolicySettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stacks.environment.model import Environment
    from stacks.policies.judge import Policy

PACK = "virtengine-tracing"
_BACKBONE = "virtengine:tracing:TracingBackbone"


def pack() -> None:
    """Serve the policies to the engine that has started this process."""
    pulumi_policy.PolicyPack(name=PACK, enforcement_level=pulumi_policy.EnforcementLevel.MANDATORY, policies=list(map(_policy, POLICIES)))


def _policy(policy: Policy) -> pulumi_policy.StackValidationPolicy:
    def validate(args: pulumi_policy.StackValidationArgs, report: pulumi_policy.ReportViolation) -> None:
        settings = PolicySettings.model_validate({policy.name: args.get_config()})
        for violation in policy.check(_stack(args.resources), settings.of(policy.name)):
            report(f"{violation.resource} {violation.wrong}; {violation.right}", None)

    bounds = PolicySettings().of(policy.name)
    properties = type(bounds).model_json_schema()["properties"]
    defaults = bounds.model_dump(mode="json")
    return pulumi_policy.StackValidationPolicy(
        name=policy.name,
        description=policy.demands,
        enforcement_level=pulumi_policy.EnforcementLevel(policy.level),
        config_schema=pulumi_policy.PolicyConfigSchema(
            properties={
                name: _schema(schema) | {"default": defaults[name]} for name, schema in properties.items() if name != "enforcementLevel"
            }
        ),
        validate=validate,
    )


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what the engine knows of a JSON schema."""
    return {key: value for key, value in schema.items() if key in {"type", "items", "pattern", "description"}}


def _stack(given: Sequence[pulumi_policy.PolicyResource]) -> Stack:
    found = [of_engine(one.resource_type, one.name, one.props, protected=bool(one.opts.protect)) for one in given]
    settings = next((one.props.get("settings") for one in given if one.resource_type == _BACKBONE), None)
    return Stack([resource for resource in found if resource is not None], _environment(settings) if isinstance(settings, str) else None)


def _environment(settings: str) -> Environment | None:
    """Return the environment of a component, which tells all of its settings as an output."""
    try:
        return parse(json.loads(settings), source=_BACKBONE, name=PACK)
    except (BadEnvironmentError, ValueError):
        return None  # of a component of another version
