"""The table of policies, and what they say of a stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stacks.policies import rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stacks.policies.rules import Stack, Violation
    from stacks.policies.settings import Bounds, Level, PolicySettings


@dataclass(frozen=True, slots=True)
class Policy:
    """A rule under its name. ``level`` holds where the configuration says nothing."""

    name: str
    level: Level
    demands: str
    check: Callable[[Stack, Bounds], Iterator[Violation]]


POLICIES = (
    Policy("restricted-pods", "mandatory", "Pods run under Kubernetes' profile restricted.", rules.restricted_pods),
    Policy("image-digests", "advisory", "Images are named by their digest.", rules.image_digests),
    Policy("protected-store", "advisory", "The volume of the traces is protected from deletion.", rules.protected_store),
    Policy("ui-login", "mandatory", "Nobody reaches the user interface without a login.", rules.ui_login),
    Policy("intake", "mandatory", "Intake and strategies have TLS and ask for a token.", rules.intake),
    Policy("retention", "mandatory", "Traces are kept neither longer nor shorter than the bounds.", rules.retention),
    Policy("quotas", "mandatory", "The namespace has a quota, and the series of each consumer have a bound.", rules.quotas),
    Policy("disk", "mandatory", "The store has room for the expected load over the whole retention.", rules.disk),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A violation of a policy at its level."""

    policy: str
    level: Level
    violation: Violation


def level_of(policy: Policy, settings: PolicySettings) -> Level:
    """Return the level of a policy: its own of the configuration, else that of all, else its default."""
    return settings.of(policy.name).enforcementLevel or settings.all or policy.level


def judge(stack: Stack, settings: PolicySettings) -> list[Finding]:
    """Return what the policies find, the mandatory first, without those that are disabled."""
    found = [
        Finding(policy.name, level, violation)
        for policy in POLICIES
        if (level := level_of(policy, settings)) != "disabled"
        for violation in policy.check(stack, settings.of(policy.name))
    ]
    return sorted(found, key=lambda finding: finding.level != "mandatory")
