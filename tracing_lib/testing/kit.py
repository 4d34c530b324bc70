"""Recorded traces of a test, compared as text, with ids and times that are equal in every run."""

from __future__ import annotations

import difflib
import itertools
import textwrap
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import ProxyTracerProvider

from tracing_lib.base.errors import AlreadyConfiguredError, explain
from tracing_lib.base.span_tree import render
from tracing_lib.privacy.policy import PrivacyPolicy, rebuilt
from tracing_lib.propagation.ids import ContextIdGenerator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span
    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.trace import Link, Tracer
    from opentelemetry.util.types import Attributes, AttributeValue

    from tracing_lib.privacy.withheld import Withheld

__all__ = ["RecordedTraces", "SequentialIds", "as_global", "attributes_of", "links_of", "render"]

START: Final = 1_700_000_000_000_000_000
"""Time of the first tick in nanoseconds since 1970: 2023-11-14T22:13:20Z."""
TICK: Final = 1_000_000
"""Nanoseconds between two ticks. Each start and each end of a span takes one tick."""


class SequentialIds(IdGenerator):
    """Trace ids and span ids that count from 1, and so are equal in every run of a test."""

    def __init__(self) -> None:
        self._traces = itertools.count(1)
        self._spans = itertools.count(1)

    def generate_trace_id(self) -> int:
        """Return the next trace id."""
        return next(self._traces)

    def generate_span_id(self) -> int:
        """Return the next span id."""
        return next(self._spans)


class _Recording(SpanProcessor):
    """Keeps ended spans in their exported form, with ticks for times in the order in which spans started and ended."""

    def __init__(self, policy: PrivacyPolicy | None) -> None:
        self._policy = policy
        # Without a lock: a finalizer that ends a span would wait for the thread that it interrupts.
        self._ticks = itertools.count()
        self._started: dict[tuple[int, int], tuple[int, str]] = {}
        self.ended: list[ReadableSpan] = []

    def _tick(self) -> int:
        return START + next(self._ticks) * TICK

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002  the interface's
        """Note when a span started."""
        context = span.get_span_context()
        self._started[context.trace_id, context.span_id] = (self._tick(), span.name)

    def on_end(self, span: ReadableSpan) -> None:
        """Keep an ended span."""
        assert span.context is not None  # noqa: S101  the SDK gives every span one
        started, _ = self._started.pop((span.context.trace_id, span.context.span_id), (START, ""))
        clean = span if self._policy is None else self._policy.span(span)
        self.ended.append(rebuilt(clean, start_time=started, end_time=self._tick()))

    def open(self) -> list[str]:
        """Return the names of the spans that were started and did not end."""
        return [name for _, name in sorted(self._started.values())]


class RecordedTraces:
    """The spans of one test.

    ``provider`` is the tracer provider of the test. Spans are kept in their exported form, after redaction, so that a test sees the
    spans that an operator will see; ``private=False`` keeps them as they were recorded.
    """

    def __init__(self, *, service_name: str = "test", private: bool = True, sampler: Sampler = ALWAYS_ON) -> None:
        self._policy = PrivacyPolicy() if private else None
        self._recording = _Recording(self._policy)
        self.provider = TracerProvider(
            sampler=sampler,
            resource=Resource({"service.name": service_name}),
            id_generator=ContextIdGenerator(SequentialIds()),
            shutdown_on_exit=False,
        )
        self.provider.add_span_processor(self._recording)

    @property
    def spans(self) -> list[ReadableSpan]:
        """Ended spans in the order in which they started."""
        return sorted(self._recording.ended, key=lambda span: span.start_time or 0)

    @property
    def unended(self) -> list[str]:
        """Names of the spans that were started and did not end."""
        return self._recording.open()

    @property
    def withheld(self) -> list[Withheld]:
        """Attributes that stayed in the process: key, reason, the line that lets them leave, and count. Empty with ``private=False``."""
        return [] if self._policy is None else self._policy.withheld.all()

    def assert_nothing_withheld(self, *, but: Collection[str] = ()) -> None:
        """Raise ``AssertionError`` for attributes that stayed in the process although nobody decided so; ``but``: keys that may."""
        __tracebackhide__ = True
        undecided = [found for found in self.withheld if found.then and found.key not in but]
        if undecided:
            lines = "\n".join(f"{found.key} ({found.count}): {found.why}; {found.then}" for found in undecided)
            raise AssertionError(f"attributes that an operator will not see:\n{lines}")

    def span(self, name: str) -> ReadableSpan:
        """Return the only span with this name. Raises ``AssertionError`` when there is none, or more than one."""
        found = [span for span in self.spans if span.name == name]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} spans are named {name!r}; there are:\n{self.tree()}")
        return found[0]

    def clear(self) -> None:
        """Remove the spans that ended."""
        self._recording.ended.clear()

    def tree(self, *, attributes: Sequence[str] = ()) -> str:
        """Return the spans as text: one line each, children below their parent, as ``render`` writes them."""
        return render(self.spans, attributes=attributes)

    def assert_tree(self, expected: str, *, attributes: Sequence[str] = ()) -> None:
        """Compare ``tree(...)`` with a text, without its common indent and outer blank lines.

        Raises ``AssertionError`` with the difference, and for a span that was started and did not end.
        """
        # pytest hides this frame, so that its report ends at the line of the test.
        __tracebackhide__ = True
        if self.unended:
            raise AssertionError(f"spans that did not end: {', '.join(self.unended)}")
        wanted = textwrap.dedent(expected).strip("\n").rstrip().splitlines()
        found = self.tree(attributes=attributes).splitlines()
        if wanted != found:
            difference = "\n".join(difflib.unified_diff(wanted, found, "expected", "recorded", lineterm=""))
            raise AssertionError(f"the span tree differs:\n{difference}")


class _RoutedTracer(trace.Tracer):
    """A tracer that records into the running test, for code that gets its tracer at import."""

    def __init__(self, current: Callable[[], trace.TracerProvider], *arguments: object) -> None:
        self._current = current
        self._arguments = arguments

    def _tracer(self) -> Tracer:
        return self._current().get_tracer(*self._arguments)  # type: ignore[arg-type]  # as they were given

    def start_span(self, *arguments: object, **keywords: object) -> trace.Span:
        """Start a span in the running test."""
        return self._tracer().start_span(*arguments, **keywords)  # type: ignore[arg-type]  # as they were given

    @contextmanager
    def start_as_current_span(self, *arguments: object, **keywords: object) -> Iterator[trace.Span]:  # type: ignore[override]  # passed on
        """Start a span in the running test and make it current."""
        with self._tracer().start_as_current_span(*arguments, **keywords) as span:  # type: ignore[arg-type]  # as they were given
            yield span


class _RoutingProvider(trace.TracerProvider):
    """A global provider that delegates to the provider of the running test, and records nothing between tests."""

    def __init__(self) -> None:
        self._nothing: trace.TracerProvider = trace.NoOpTracerProvider()
        self._stack: list[trace.TracerProvider] = []

    def current(self) -> trace.TracerProvider:
        return self._stack[-1] if self._stack else self._nothing

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes | None = None,
    ) -> Tracer:
        """Return a tracer that records into the test that runs when it is used."""
        return _RoutedTracer(self.current, instrumenting_module_name, instrumenting_library_version, schema_url, attributes)

    @contextmanager
    def leading_to(self, provider: trace.TracerProvider) -> Iterator[None]:
        self._stack.append(provider)
        try:
            yield
        finally:
            self._stack.pop()


_ROUTING: Final = _RoutingProvider()


@contextmanager
def as_global(traces: RecordedTraces) -> Iterator[RecordedTraces]:
    """Record the spans of OpenTelemetry's global provider into ``traces`` while the block runs.

    OpenTelemetry accepts one global provider for the life of a process; the test kit's stays, and delegates to the running test. A
    process can run one test at a time, so run tests in parallel by processes (pytest-xdist). Raises ``AlreadyConfiguredError`` when
    another provider is global.
    """
    found = trace.get_tracer_provider()
    if isinstance(found, ProxyTracerProvider):
        trace.set_tracer_provider(_ROUTING)
    elif found is not _ROUTING:
        wrong = f"the global tracer provider is a {type(found).__module__}.{type(found).__qualname__}"
        then = "do not call configure in the tests' process, or give it set_global=False"
        raise AlreadyConfiguredError(explain("traces", wrong, "none, or the test kit's", then))
    with _ROUTING.leading_to(traces.provider):
        yield traces


def attributes_of(span: ReadableSpan) -> dict[str, AttributeValue]:
    """Return the attributes of a span as a dictionary, for comparisons."""
    return {key: value for key, value in (span.attributes or {}).items() if value is not None}


def links_of(span: ReadableSpan) -> list[Link]:
    """Return the links of a span as a list, for comparisons."""
    return list(span.links)
