"""The component below which a placement makes its resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Under:
    """The parent of a placement's resources, and the prefix of their names.

    ``moved`` says that a program once made them without a parent, so that their former place is an alias.
    """

    parent: pulumi.ComponentResource
    prefix: str
    moved: bool

    def name(self, short: str) -> str:
        """The name of a resource of the placement."""
        return f"{self.prefix}{short}"

    def options(self, providers: Mapping[str, pulumi.ProviderResource] | None = None) -> pulumi.ResourceOptions:
        """The options of a resource of the placement."""
        aliases = [pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)] if self.moved else None
        return pulumi.ResourceOptions(parent=self.parent, aliases=aliases, providers=providers)
