"""Traces that follow others by a link are sampled with them."""

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
    """Samples a trace that begins with links when one of the linked spans was sampled, and only then; asks ``root`` about any other.

    Only for spans without a parent; ``root`` decides on the others. Without it a WebSocket's events, or the jobs of a queue, are
    decided one by one, and a trace of ten links leads to one that was kept.
    """

    def __init__(self, root: Sampler) -> None:
        self.root = root
        """What decides on a trace without links."""

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
        """Decide by the links where there are any, else by the root sampler."""
        linked = [link.context for link in links or () if link.context.is_valid]
        if not linked or get_current_span(parent_context).get_span_context().is_valid:
            return self.root.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        sampled = any(context.trace_flags.sampled for context in linked)
        return SamplingResult(Decision.RECORD_AND_SAMPLE if sampled else Decision.DROP, attributes if sampled else None)

    def get_description(self) -> str:
        """Return the sampler's name with that of its root."""
        return f"FollowsLinks({self.root.get_description()})"
