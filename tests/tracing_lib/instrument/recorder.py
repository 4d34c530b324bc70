"""A provider that keeps its spans in memory, and what the tests ask of them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from opentelemetry import propagate
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from tests.waiting import until
from tracing_lib.base.hosts import OWN_HOSTS
from tracing_lib.contract.settings import TracingSettings
from tracing_lib.export.packing import SpanEncoder
from tracing_lib.export.processor import ExportProcessor
from tracing_lib.propagation.baggage import OwnPropagator
from tracing_lib.propagation.ids import ContextIdGenerator
from tracing_lib.provider import recorder
from tracing_lib.sampling.links import FollowsLinks
from tracing_lib.sampling.sampler import TargetSampler
from tracing_lib.sampling.strategies import ratio_strategy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.trace import Tracer
    from opentelemetry.util.types import AttributeValue


def own_provider(ratio: float = 1.0) -> TracerProvider:
    """Return a provider as ``configure`` makes it, that samples this share of all traces and delivers nothing."""
    sampler = FollowsLinks(TargetSampler(ratio_strategy(ratio)))
    make_provider, _ = recorder()
    return make_provider(sampler=sampler, id_generator=ContextIdGenerator(), shutdown_on_exit=False)


class _Ended(ExportProcessor):
    """Keeps ended spans instead of delivering them. As it is an export processor, the recorder takes its shortest ways."""

    def __init__(self) -> None:
        super().__init__(TracingSettings(service_name="tests"), lambda: SpanEncoder(None))
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


@contextmanager
def own_propagator() -> Iterator[None]:
    """Have the process read and write headers as after ``configure``."""
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(OwnPropagator(OWN_HOSTS))
    try:
        yield
    finally:
        propagate.set_global_textmap(before)


class Recorder:
    """An isolated provider: tests run beside each other without a global one."""

    def __init__(self, sampler: Sampler | None = None, provider: TracerProvider | None = None) -> None:
        self._ended = _Ended()
        self.provider = provider or TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.provider.add_span_processor(self._ended)

    @property
    def tracer(self) -> Tracer:
        return self.provider.get_tracer("test")

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return tuple(self._ended.spans)

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def clear(self) -> None:
        self._ended.spans.clear()

    def wait(self, number: int) -> Sequence[ReadableSpan]:
        """Wait for so many spans; what a server ends after it answered is not there at once."""
        until(lambda: len(self.spans) >= number, lambda: f"{number} spans: {self.names}", progress=lambda: len(self.spans), every=0.005)
        return self.spans

    def one(self, name: str) -> ReadableSpan:
        found = [span for span in self.spans if span.name == name]
        assert len(found) == 1, f"{len(found)} spans {name!r} among {self.names}"
        return found[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.provider.shutdown()


def attributes(span: ReadableSpan) -> Mapping[str, AttributeValue]:
    """Return a span's attributes without what the library's sampler puts on roots."""
    assert span.attributes is not None
    return {key: value for key, value in span.attributes.items() if not key.startswith("sampler.")}


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


def trace_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.trace_id)


def is_child(span: ReadableSpan, parent: ReadableSpan) -> bool:
    return span.parent is not None and span.parent.span_id == id_of(parent) and trace_of(span) == trace_of(parent)
