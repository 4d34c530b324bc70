"""Resource and scope of ended spans, which a request states once for all spans that share them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from tracing_lib.export.redactor import Redactor

_MOST_REMEMBERED: Final = 1024
"""Groups that are remembered; a process that makes ever new ones starts over."""


@dataclass(frozen=True, slots=True, eq=False)
class ScopeGroup:
    """A redacted resource and scope, told from others by identity: resources are compared by all that they hold."""

    resource: Resource
    scope: InstrumentationScope | None


class ScopeGroups:
    """The groups of spans, redacted once and remembered. For one thread at a time."""

    def __init__(self, redactor: Redactor | None) -> None:
        self._redactor = redactor
        self._version = 0 if redactor is None else redactor.version
        self._known: dict[tuple[int, int], tuple[Resource, InstrumentationScope | None, ScopeGroup]] = {}

    def of(self, span: ReadableSpan) -> ScopeGroup:
        """Return the group of a span. Raises whatever the redactor raises."""
        resource, scope, redactor = span.resource, span.instrumentation_scope, self._redactor
        key = id(resource), id(scope)
        if len(self._known) >= _MOST_REMEMBERED or (redactor is not None and redactor.version != self._version):
            self._known.clear()
            self._version = 0 if redactor is None else redactor.version
        known = self._known.get(key)
        if known is None:
            group = ScopeGroup(resource, scope) if redactor is None else ScopeGroup(redactor.resource(resource), redactor.scope(scope))
            # With resource and scope themselves, so that no other object gets the id of either.
            known = self._known[key] = resource, scope, group
        return known[2]
