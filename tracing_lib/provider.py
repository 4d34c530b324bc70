"""``configure``, which makes a service traced, and the handle that ends it."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from opentelemetry import propagate, trace
from opentelemetry.metrics import get_meter_provider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from tracing_lib.base.background import after_fork
from tracing_lib.base.errors import AlreadyConfiguredError, explain
from tracing_lib.base.variables import readable
from tracing_lib.export.accounts import NO_SPANS
from tracing_lib.export.exit import ExitHandlers
from tracing_lib.export.metrics import observe
from tracing_lib.export.packing import SpanEncoder
from tracing_lib.export.processor import ExportProcessor, ShutdownReport
from tracing_lib.export.processors import Processors
from tracing_lib.export.resource import build_resource
from tracing_lib.privacy.policy import policy_of
from tracing_lib.propagation.baggage import OwnPropagator
from tracing_lib.propagation.ids import ContextIdGenerator
from tracing_lib.sampling.links import FollowsLinks
from tracing_lib.sampling.sampler import build_sampler

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import TracebackType

    from opentelemetry.metrics import MeterProvider

    from tracing_lib.contract.settings import TracingSettings
    from tracing_lib.export.accounts import Accounts
    from tracing_lib.export.redactor import Redactor
    from tracing_lib.privacy.policy import PrivacyPolicy
    from tracing_lib.privacy.withheld import Withheld
    from tracing_lib.sampling.poller import StrategyPoller

_logger: Final = logging.getLogger("tracing_lib")


class Tracing:
    """The tracing of this process: gives tracers, and ends within a deadline. A context manager that shuts down on leaving.

    Made by ``configure``.
    """

    def __init__(
        self,
        settings: TracingSettings,
        provider: trace.TracerProvider,
        processor: ExportProcessor | None = None,
        poller: StrategyPoller | None = None,
        *,
        policy: PrivacyPolicy | None = None,
        processors: Processors | None = None,
    ) -> None:
        self.settings = settings
        self.provider = provider
        self._processor = processor
        self._poller = poller
        self._policy = policy
        self._processors = processors or Processors()
        self._lock = threading.RLock()
        self._report: ShutdownReport | None = None
        self._exit_handlers = ExitHandlers(self.shutdown, on_sigterm=settings.end_on_sigterm and processors is not None)
        after_fork(self._after_fork)

    def _after_fork(self) -> None:
        self._lock = threading.RLock()

    def tracer(self, name: str, version: str | None = None) -> trace.Tracer:
        """Return the tracer of an instrumented module, named as the module is (``virtengine.market``)."""
        return self.provider.get_tracer(name, version)

    def instrument(self, *, skip: Collection[str] = ()) -> list[str]:
        """Make spans of the packages that are installed and known, as ``tracing_lib.instrument.instrument`` does, with this provider."""
        from tracing_lib.instrument.installed import instrument

        return instrument(tracer_provider=self.provider, skip=skip)

    @property
    def ended(self) -> bool:
        """Whether ``shutdown`` was called."""
        return self._report is not None

    def accounts(self) -> Accounts:
        """Return what became of the sampled spans of this process so far: exported, dropped by reason, queued, live.

        A forked child has accounts of its own.
        """
        return NO_SPANS if self._processor is None else self._processor.accounts()

    def withheld(self) -> list[Withheld]:
        """Return the attributes that stayed in this process, by key: why, how many, and the line that lets them leave."""
        self.accounts()  # which redacts the spans that wait
        return [] if self._policy is None else self._policy.withheld.all()

    def flush(self, timeout_seconds: float = 5.0) -> bool:
        """Wait until every span that has ended is delivered or dropped, for at most so long; return whether that came true."""
        return self._processors.force_flush(int(timeout_seconds * 1000))

    def shutdown(self, deadline_seconds: float | None = None) -> ShutdownReport:
        """Deliver what is queued and close; return what was delivered and what was lost.

        Takes at most ``deadline_seconds`` (default: ``settings.shutdown_seconds``), whatever the collector does. Later calls return
        the first one's report. Runs by itself when the process ends: normally, by SIGTERM, or as the end of a forked child.
        """
        with self._lock:
            if self._report is None:
                self._report = self._end(self.settings.shutdown_seconds if deadline_seconds is None else deadline_seconds)
                self._exit_handlers.forget()
            return self._report

    def _end(self, deadline_seconds: float) -> ShutdownReport:
        if self._poller is not None:
            self._poller.stop()
        others = self._processors.end_others()
        report = ShutdownReport(0, 0, 0.0) if self._processor is None else self._processor.end(deadline_seconds)
        if others is not None:
            others.join(max(0.0, deadline_seconds - report.seconds))
        if not report.complete:
            dropped = ", ".join(f"{reason}: {count}" for reason, count in sorted(report.accounts.dropped.items()))
            values = (self.settings.service_name, report.lost, report.ended, self.settings.endpoint, report.seconds, dropped)
            _logger.warning("%s: %d of %d spans were not delivered to %s (shutdown took %.1f s; %s)", *values)
        if live := report.accounts.live:
            unended = (each for each in gc.get_objects() if issubclass(type(each), ReadableSpan) and each.end_time is None)
            names = ", ".join(sorted({self._policy.name(each.name) for each in unended})[:5]) if self._policy else ""
            said = "%s: %d spans had not ended and are not sent" + (": %s" if names else "%s")
            _logger.warning(said, self.settings.service_name, live, names)
        return report

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.shutdown()


FAST: Final = "VIRTENGINE_TRACING_FAST"
"""Environment variable: ``off`` has the SDK record the spans. Default: ``tracing_lib.fast`` does, wherever it can be used."""
_OFF: Final = f"{FAST} is off"
_NOT_INSTALLED: Final = "tracing_lib.fast is not installed"
_said: Final[set[str]] = set()
"""Reasons for which ``fast`` is not used that are in the log already."""

_configuring: Final = threading.Lock()
_global: list[Tracing] = []  # at most one: OpenTelemetry takes a global provider once in the life of a process


def configure(
    settings: TracingSettings | None = None, *, console: bool = False, set_global: bool = True, meter_provider: MeterProvider | None = None
) -> Tracing:
    """Make this process traced as the settings say, and return the handle.

    With ``set_global`` the provider becomes OpenTelemetry's global one, and W3C trace context and our own part of baggage its
    propagators; a second call with equal settings returns the same handle. Without it, the provider serves only who is given it. Raises
    ``AlreadyConfiguredError`` when other settings, or another library, were first, or when tracing has been shut down; and
    ``SettingsError`` when the gRPC exporter is asked for and not installed.

    Without ``settings`` they are those of the environment, for a service that ``OTEL_SERVICE_NAME`` names, else the program. ``console``
    writes traces as trees to standard error instead of exporting them; the variable is ``OTEL_TRACES_EXPORTER=console``, or
    ``otlp,console`` for both.

    The accounts of spans are offered as ``otel.sdk.*`` metrics to ``meter_provider`` (default: the global one).
    """
    settings = _given(settings, console=console)
    if not set_global:
        return _build(settings, meter_provider)
    with _configuring:
        if _global:
            return _same(_global[0], settings)
        found = trace.get_tracer_provider()
        if not isinstance(found, trace.ProxyTracerProvider):
            wrong = f"the global tracer provider is already a {type(found).__module__}.{type(found).__qualname__}"
            then = "remove the other call of set_tracer_provider, or do not start under opentelemetry-instrument"
            raise AlreadyConfiguredError(explain("configure", wrong, "one that configures a process first and alone", then))
        tracing = _build(settings, meter_provider)
        trace.set_tracer_provider(tracing.provider)
        propagate.set_global_textmap(OwnPropagator(settings.own_hosts))
        _global.append(tracing)
        return tracing


def _given(settings: TracingSettings | None, *, console: bool) -> TracingSettings:
    if settings is None:
        from tracing_lib.contract.settings import TracingSettings

        # The specification's name for a service that nobody named ("Resource SDK").
        settings = TracingSettings.from_environment(service_name=f"unknown_service:{Path(sys.argv[0]).stem or 'python'}")
    return settings.model_copy(update={"console": True, "export": False}) if console else settings


def _same(current: Tracing, settings: TracingSettings) -> Tracing:
    if current.ended:
        wrong, then = "tracing of this process was shut down", "shut down once, when the process ends"
    elif current.settings != settings:
        wrong = f"this process is already traced as {current.settings.service_name!r} with other settings"
        then = "call configure once, or with set_global=False for a second provider"
    else:
        return current
    raise AlreadyConfiguredError(explain("configure", wrong, "one call of configure in the life of a process", then))


def _build(settings: TracingSettings, meter_provider: MeterProvider | None) -> Tracing:
    if not settings.enabled:
        return Tracing(settings, trace.NoOpTracerProvider())
    make_provider, make_encoder = recorder()
    policy, processors = policy_of(settings), Processors()
    processor = ExportProcessor(settings, lambda: make_encoder(policy)) if settings.export else None
    sampler = build_sampler(settings, None if processor is None else processor.load)
    # A WebSocket event or a job is sampled with the spans that it is linked to.
    with readable():
        provider = make_provider(
            sampler=FollowsLinks(sampler),
            resource=build_resource(settings),
            id_generator=ContextIdGenerator(),
            shutdown_on_exit=False,
            active_span_processor=processors,
        )
    if settings.console:
        from tracing_lib.console import ConsoleTraces

        # Beside the export with a policy of its own, because a policy counts what it withholds.
        beside, url = (policy, None) if processor is None else (policy_of(settings), settings.trace_url)
        provider.add_span_processor(ConsoleTraces(beside, trace_url=url))
    poller = None
    if processor is not None:
        processor.provider = provider
        provider.add_span_processor(processor)
        observe(processor, settings, meter_provider or get_meter_provider())
        if settings.strategies_url:
            from tracing_lib.sampling.poller import StrategyPoller

            poller = StrategyPoller(settings, sampler.apply)
    return Tracing(settings, provider, processor, poller, policy=policy, processors=processors)


class Configurator:
    """Configures a process that ``opentelemetry-instrument`` starts, and instruments what the library serves; the command does the rest."""

    def configure(self, **_: object) -> None:
        """Configure the process, as the entry point ``opentelemetry_configurator`` wants it."""
        from tracing_lib.instrument.installed import COMMUNITY

        configure().instrument(skip=COMMUNITY)


def running() -> Tracing | None:
    """Return the tracing that ``configure`` made global in this process, or None."""
    return _global[0] if _global else None


def recorder() -> tuple[Callable[..., TracerProvider], Callable[[Redactor | None], SpanEncoder]]:
    """Return what makes the tracer provider and the span encoders of this process: those of ``fast``, or the SDK's and the library's.

    ``fast`` is not used where ``VIRTENGINE_TRACING_FAST`` is ``off``, where the folder or its module in C is missing, and with releases
    of OpenTelemetry that it was not tested with. Then spans cost more and are the same; the log says so once.
    """
    if why := why_not_fast():
        if why not in _said:
            _said.add(why)
            level = logging.INFO if why in {_OFF, _NOT_INSTALLED} else logging.WARNING  # both are somebody's choice
            _logger.log(level, "spans are recorded by OpenTelemetry's own SDK, at more cost: %s", why)
        return TracerProvider, SpanEncoder
    from tracing_lib.fast.packing import FastSpanEncoder
    from tracing_lib.fast.tracer import FastTracerProvider

    return FastTracerProvider, FastSpanEncoder


def why_not_fast() -> str:
    """Return why ``fast`` is not used in this process, in words for a log; an empty string where it is."""
    if os.environ.get(FAST, "").lower() == "off":
        return _OFF
    try:
        from tracing_lib.fast.sdk import unusable
    except ImportError:
        return _NOT_INSTALLED
    return unusable()
