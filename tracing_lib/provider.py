"""One call that makes a service traced, and the handle that ends it."""

from __future__ import annotations

import atexit
import logging
import threading
from typing import TYPE_CHECKING, Final, Self

from opentelemetry import propagate, trace
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tracing_lib.baggage import OwnBaggagePropagator
from tracing_lib.delivery import ShutdownReport, build_processor
from tracing_lib.errors import AlreadyConfiguredError, explain
from tracing_lib.exporters import build_exporter
from tracing_lib.identifiers import ContextIdGenerator
from tracing_lib.privacy import private
from tracing_lib.resources import build_resource
from tracing_lib.samplers import build_sampler

if TYPE_CHECKING:
    from types import TracebackType

    from tracing_lib.delivery import DeadlineBatchProcessor
    from tracing_lib.settings import TracingSettings

_logger: Final = logging.getLogger("tracing_lib")


class Tracing:
    """The tracing of this process: gives tracers, and ends within a deadline. A context manager that shuts down on leaving.

    Made by ``configure``.
    """

    def __init__(self, settings: TracingSettings, provider: trace.TracerProvider, processor: DeadlineBatchProcessor | None) -> None:
        self.settings = settings
        self.provider = provider
        self._processor = processor
        self._lock = threading.Lock()
        self._report: ShutdownReport | None = None
        atexit.register(self.shutdown)

    def tracer(self, name: str, version: str | None = None) -> trace.Tracer:
        """Return the tracer of an instrumented module, named as the module is (``virtengine.market``)."""
        return self.provider.get_tracer(name, version)

    @property
    def ended(self) -> bool:
        """Whether ``shutdown`` was called."""
        return self._report is not None

    def shutdown(self, deadline_seconds: float | None = None) -> ShutdownReport:
        """Deliver what is queued and close; return what was delivered and what was lost.

        Takes at most ``deadline_seconds`` (default: ``settings.shutdown_seconds``), whatever the collector does. Later calls return
        the first one's report. Runs by itself at the normal exit of the interpreter, not at SIGTERM: handle that signal by leaving
        the program's main function.
        """
        with self._lock:
            if self._report is None:
                self._report = self._end(deadline_seconds)
                atexit.unregister(self.shutdown)
            return self._report

    def _end(self, deadline_seconds: float | None) -> ShutdownReport:
        nothing = ShutdownReport(ended=0, delivered=0, seconds=0.0)
        if self._processor is None or not isinstance(self.provider, TracerProvider):
            return nothing
        if deadline_seconds is not None:
            self._processor.deadline_seconds = deadline_seconds
        self.provider.shutdown()
        report = self._processor.report or nothing
        if not report.complete:
            _logger.warning(
                "%s: %d of %d spans were not delivered to %s (shutdown took %.1f s)",
                self.settings.service_name,
                report.lost,
                report.ended,
                self.settings.endpoint,
                report.seconds,
            )
        return report

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.shutdown()


_configuring: Final = threading.Lock()
_global: list[Tracing] = []  # at most one: OpenTelemetry takes a global provider once in the life of a process


def configure(settings: TracingSettings, *, set_global: bool = True) -> Tracing:
    """Make this process traced as the settings say, and return the handle.

    With ``set_global`` the provider becomes OpenTelemetry's global one, and W3C trace context and our own part of baggage its
    propagators; a second
    call with equal settings returns the same handle. Without it, the provider serves only who is given it. Raises
    ``AlreadyConfiguredError`` when other settings, or another library, were first, or when tracing has been shut down; and
    ``SettingsError`` when the gRPC exporter is asked for and not installed.
    """
    if not set_global:
        return _build(settings)
    with _configuring:
        if _global:
            return _same(_global[0], settings)
        found = trace.get_tracer_provider()
        if not isinstance(found, trace.ProxyTracerProvider):
            wrong = f"the global tracer provider is already a {type(found).__module__}.{type(found).__qualname__}"
            then = "remove the other call of set_tracer_provider, or do not start under opentelemetry-instrument"
            raise AlreadyConfiguredError(explain("configure", wrong, "one that configures a process first and alone", then))
        tracing = _build(settings)
        trace.set_tracer_provider(tracing.provider)
        propagate.set_global_textmap(CompositePropagator([TraceContextTextMapPropagator(), OwnBaggagePropagator(settings.own_hosts)]))
        _global.append(tracing)
        return tracing


def _same(current: Tracing, settings: TracingSettings) -> Tracing:
    if current.ended:
        wrong, then = "tracing of this process was shut down", "shut down once, when the process ends"
    elif current.settings != settings:
        wrong = f"this process is already traced as {current.settings.service_name!r} with other settings"
        then = "call configure once, or with set_global=False for a second provider"
    else:
        return current
    raise AlreadyConfiguredError(explain("configure", wrong, "one call of configure in the life of a process", then))


def _build(settings: TracingSettings) -> Tracing:
    if not settings.enabled:
        return Tracing(settings, trace.NoOpTracerProvider(), None)
    processor = build_processor(private(build_exporter(settings), settings), settings)
    provider = TracerProvider(
        sampler=build_sampler(settings),
        resource=build_resource(settings),
        id_generator=ContextIdGenerator(),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(processor)
    return Tracing(settings, provider, processor)
