"""The protocol by which the export asks what of a span may leave the process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, SpanContext
    from opentelemetry.util.types import AnyValue


class Withholding(Protocol):
    """Counts attributes that stay in the process (``privacy.withheld``)."""

    def add(self, key: str, value: object) -> None:
        """Count one."""

    def counts(self) -> dict[str, int]:
        """Return how many of each key stayed."""

    def news(self) -> list[str]:
        """Return a sentence for each key that was not told before."""


class Redactor(Protocol):
    """Returns the part of a recorded span that may leave the process (``privacy.PrivacyPolicy``)."""

    @property
    def version(self) -> int:
        """A number that changes whenever a part may be redacted otherwise than before."""

    def name(self, value: object) -> str:
        """Return a span's name, redacted."""

    def learn_routes(self, name: object, attributes: Mapping[str, object]) -> None:
        """Note the route in a span's name that its attributes say is one."""

    def attribute(self, key: str, value: object) -> AnyValue:
        """Return an attribute's value, redacted, or ``None`` when the attribute stays in the process."""

    @property
    def withheld(self) -> Withholding:
        """The attributes that stayed in the process."""

    def hashes(self, key: str) -> bool:
        """Whether a digest leaves of an attribute, and never its value."""

    def context(self, context: SpanContext) -> SpanContext:
        """Return a span's context, redacted."""

    def link(self, link: Link) -> Link:
        """Return a link, redacted."""

    def span(self, span: ReadableSpan) -> ReadableSpan:
        """Return a span, redacted."""

    def resource(self, resource: Resource) -> Resource:
        """Return a resource, redacted: the same object each time."""

    def scope(self, scope: InstrumentationScope | None) -> InstrumentationScope | None:
        """Return an instrumentation scope, redacted: the same object each time."""
