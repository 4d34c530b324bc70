"""Origin of a component's arguments: how messages name a setting or a secret there, and what they advise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stacks.deploy.secret_values import making
from stacks.environment.model import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Origin:
    """Origin of the arguments of a backbone, and the names of the resources below it.

    ``source`` is what messages call it, ``secrets`` stands before the key of a secret, ``again`` is the next command after a correction.
    ``missing`` gives the next step for the entry and the key of a secret that is wrong or missing, ``twice`` for the key of one that
    another fills as well. ``prefix`` stands before the names of resources; ``moved`` says that they once had no parent. ``any_language``
    says that the settings may have come from a program in another language than Python.
    """

    source: str
    secrets: str
    again: str
    missing: Callable[[str, str], str]
    twice: Callable[[str], str]
    prefix: str
    moved: bool = False
    any_language: bool = False


def stack_file(stack: str) -> Origin:
    """The stack file of this project's own program."""
    return Origin(
        source=f"Pulumi.{stack}.yaml",
        secrets=f"{PROJECT}:",
        again=f"python -m stacks check {stack}",
        missing=lambda entry, key: making(entry, key, stack),
        twice=lambda key: f"pulumi config rm {PROJECT}:{key} --stack {stack}",
        # The names that the resources had before the component was above them.
        prefix="",
        moved=True,
    )


def arguments(name: str) -> Origin:
    """The arguments of the component ``name`` in any program."""
    again = "pulumi preview"
    return Origin(
        source=f"TracingBackbone {name}",
        secrets="secrets.",
        again=again,
        missing=lambda entry, key: (
            f'give secrets the entry "{key}", a secret of your configuration say; how its {entry} is made: docs/deploying.md'
        ),
        twice=lambda key: f'leave "{key}" out of secrets',
        prefix=f"{name}-",
        any_language=True,
    )
