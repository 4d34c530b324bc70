"""The accounts as metrics, named as the semantic conventions name them ("OpenTelemetry SDK metrics", ``otel.sdk.*``)."""

from __future__ import annotations

import itertools
import weakref
from typing import TYPE_CHECKING, Final

from opentelemetry.metrics import Observation

from tracing_lib.export.accounts import ALREADY_SHUTDOWN, ENCODING, QUEUE_FULL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions, MeterProvider

    from tracing_lib.contract.settings import TracingSettings
    from tracing_lib.export.accounts import Accounts
    from tracing_lib.export.processor import ExportProcessor

_BY_THE_PROCESSOR: Final = frozenset({QUEUE_FULL, ALREADY_SHUTDOWN, ENCODING})
"""Reasons for which a span never reached the exporter."""
_SAMPLED: Final = {"otel.span.sampling_result": "RECORD_AND_SAMPLE"}
_numbers: Final = itertools.count()

_Found = list[tuple[int, dict[str, str]]]


def observe(exporting: ExportProcessor, settings: TracingSettings, provider: MeterProvider) -> None:
    """Offer the accounts to a meter provider, read when it collects; without an SDK for metrics that costs nothing.

    Started and live spans are those of sampled traces: the library makes no span in others. ``otel.sdk.processor.span.queue.capacity``
    is offered only where the queue is bounded in spans; its bound in bytes and its fill are ``virtengine.tracing.queue.*``.
    """
    instance, weak = str(next(_numbers)), weakref.ref(exporting)
    processor = {"otel.component.type": "virtengine_span_processor", "otel.component.name": f"virtengine_span_processor/{instance}"}
    kind = "otlp_grpc_span_exporter" if settings.protocol == "grpc" else "otlp_http_span_exporter"
    exporter = {"otel.component.type": kind, "otel.component.name": f"{kind}/{instance}"}

    def callback(read: Callable[[Accounts], _Found]) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observed(_options: CallbackOptions) -> Iterable[Observation]:
            found = weak()
            return [Observation(value, attributes) for value, attributes in read(found.accounts())] if found else []

        return observed

    def dropped(accounts: Accounts, attributes: dict[str, str], *, early: bool) -> _Found:
        reasons = accounts.dropped.items()
        return [(count, {**attributes, "error.type": reason}) for reason, count in reasons if (reason in _BY_THE_PROCESSOR) is early]

    def processed(accounts: Accounts) -> _Found:
        late = sum(count for count, _ in dropped(accounts, exporter, early=False))
        return [(accounts.exported + late, processor), *dropped(accounts, processor, early=True)]

    def exported(accounts: Accounts) -> _Found:
        return [(accounts.exported, exporter), *dropped(accounts, exporter, early=False)]

    meter = provider.get_meter("tracing_lib")
    counter, level = meter.create_observable_counter, meter.create_observable_up_down_counter
    for create, name, unit, read in (
        (counter, "otel.sdk.span.started", "{span}", lambda found: [(found.started, _SAMPLED)]),
        (counter, "otel.sdk.processor.span.processed", "{span}", processed),
        (counter, "otel.sdk.exporter.span.exported", "{span}", exported),
        (level, "otel.sdk.span.live", "{span}", lambda found: [(found.live, _SAMPLED)]),
        (level, "otel.sdk.processor.span.queue.size", "{span}", lambda found: [(found.queued - found.inflight, processor)]),
        (level, "otel.sdk.exporter.span.inflight", "{span}", lambda found: [(found.inflight, exporter)]),
        (level, "virtengine.tracing.queue.size", "By", lambda found: [(found.queued_bytes, processor)]),
        (level, "virtengine.tracing.queue.capacity", "By", lambda _found: [(settings.queue_bytes, processor)]),
    ):
        create(name, [callback(read)], unit)
    if (capacity := settings.queue_size) is not None:
        level("otel.sdk.processor.span.queue.capacity", [callback(lambda _found: [(capacity, processor)])], "{span}")
