"""What ended spans have in common that are sent together: their resource and their scope, made private once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from tracing_lib.export.packing import Wall
    from tracing_lib.fast.native import Recording

_MOST_REMEMBERED: Final = 1024
"""Groups and tracers; a process that makes ever new ones starts over."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A resource and a scope, told from others by identity: resources are compared by all that they hold."""

    resource: Resource
    scope: InstrumentationScope | None


class Groups:
    """The groups of spans, made private once and remembered. For one thread at a time."""

    def __init__(self, wall: Wall | None) -> None:
        self._wall = wall
        self._of_tracers: dict[Recording | None, Group] = {}
        self._of_scopes: dict[tuple[int, int], tuple[Resource, InstrumentationScope | None, Group]] = {}

    def of(self, span: ReadableSpan) -> Group:
        """Return the group of a span. Raises what the wall raises."""
        # What the spans of one tracer have in common is one object at hand; their resource and their scope are two functions away each.
        recording: Recording | None = getattr(span, "_recording", None)
        known = self._of_tracers.get(recording)
        if known is None:
            if len(self._of_tracers) + len(self._of_scopes) >= _MOST_REMEMBERED:
                self._of_tracers.clear()
                self._of_scopes.clear()
            known = self._of_scope(span.resource, span.instrumentation_scope)
            if recording is not None:
                self._of_tracers[recording] = known
        return known

    def _of_scope(self, resource: Resource, scope: InstrumentationScope | None) -> Group:
        key = id(resource), id(scope)
        known = self._of_scopes.get(key)
        if known is None:
            wall = self._wall
            group = Group(resource, scope) if wall is None else Group(wall.resource(resource), wall.scope(scope))
            # With both themselves, so that their ids stay their own.
            known = self._of_scopes[key] = resource, scope, group
        return known[2]
