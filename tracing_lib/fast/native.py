"""What every span costs: from the module in C where it was built (``_native.c``), else from ``pure``.

``VIRTENGINE_TRACING_PURE`` set to anything but nothing asks for the latter.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from tracing_lib.fast import exchanges, pure, readings

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "NATIVE",
    "ExchangeCore",
    "PackCore",
    "PairsCore",
    "Recording",
    "SourceCore",
    "SpanCore",
    "StageCore",
    "TracerCore",
    "caller",
    "carried",
    "current",
    "derived",
    "enter",
    "exchange",
    "follow",
    "record",
    "root",
    "serve",
    "set_arguments",
    "set_results",
    "token",
    "traceparent",
]


def _chosen() -> ModuleType:
    if os.environ.get("VIRTENGINE_TRACING_PURE"):
        return pure
    try:
        from tracing_lib.fast import _native
    except ImportError:
        return pure
    return _native


if TYPE_CHECKING:
    from tracing_lib.fast.exchanges import ExchangeCore, exchange
    from tracing_lib.fast.pure import (
        PackCore,
        PairsCore,
        Recording,
        SourceCore,
        SpanCore,
        StageCore,
        TracerCore,
        caller,
        carried,
        current,
        derived,
        enter,
        record,
        root,
        serve,
        token,
        traceparent,
    )
    from tracing_lib.fast.readings import follow, set_arguments, set_results
else:
    _from = _chosen()
    SpanCore, SourceCore, PackCore, Recording = _from.SpanCore, _from.SourceCore, _from.PackCore, _from.Recording
    PairsCore, StageCore, TracerCore, carried = _from.PairsCore, _from.StageCore, _from.TracerCore, _from.carried
    record, root, derived, current = _from.record, _from.root, _from.derived, _from.current
    enter, serve = _from.enter, _from.serve
    caller, traceparent, token = _from.caller, _from.traceparent, _from.token
    _reads, _exchanges = (readings, exchanges) if _from is pure else (_from, _from)
    ExchangeCore, exchange = _exchanges.ExchangeCore, _exchanges.exchange
    follow, set_arguments, set_results = _reads.follow, _reads.set_arguments, _reads.set_results

NATIVE: Final = SpanCore is not pure.SpanCore
"""Whether it is the module in C."""
