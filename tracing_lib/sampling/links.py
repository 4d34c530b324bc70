"""Sampling of traces that are linked to others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import get_current_span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import Link, SpanKind, TraceState
    from opentelemetry.util.types import Attributes


class FollowsLinks(Sampler):
    """Samples a root span with links if, and only if, one of the linked spans is sampled. ``root`` decides on all other spans.

    Without it the events of a WebSocket, or the jobs of a queue, would be sampled independently of the traces that they link to.
    """

    def __init__(self, root: Sampler) -> None:
        self.root = root
        """Sampler of spans without links, and of spans with a parent."""

    def should_sample(  # noqa: PLR0917  the signature is the SDK's
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Decide by the links of a root span, else by ``root``."""
        linked = [link.context for link in links or () if link.context.is_valid]
        if not linked or get_current_span(parent_context).get_span_context().is_valid:
            return self.root.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        sampled = any(context.trace_flags.sampled for context in linked)
        return SamplingResult(Decision.RECORD_AND_SAMPLE if sampled else Decision.DROP, attributes if sampled else None)

    def get_description(self) -> str:
        """Return the sampler's name with that of its root."""
        return f"FollowsLinks({self.root.get_description()})"
