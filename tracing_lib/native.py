"""What every span costs: from the module in C where it was built (``_native.c``), else from ``pure``.

``VIRTENGINE_TRACING_PURE`` set to anything but nothing asks for the latter.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from tracing_lib import pure

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "NATIVE",
    "PackCore",
    "Recording",
    "SourceCore",
    "SpanCore",
    "caller",
    "derived",
    "enter",
    "record",
    "root",
    "serve",
    "token",
    "traceparent",
]


def _chosen() -> ModuleType:
    if os.environ.get("VIRTENGINE_TRACING_PURE"):
        return pure
    try:
        from tracing_lib import _native
    except ImportError:
        return pure
    return _native


if TYPE_CHECKING:
    from tracing_lib.pure import PackCore, Recording, SourceCore, SpanCore, caller, derived, enter, record, root, serve, token, traceparent
else:
    _from = _chosen()
    SpanCore, SourceCore, PackCore, Recording = _from.SpanCore, _from.SourceCore, _from.PackCore, _from.Recording
    record, root, derived = _from.record, _from.root, _from.derived
    enter, serve = _from.enter, _from.serve
    caller, traceparent, token = _from.caller, _from.traceparent, _from.token

NATIVE: Final = SpanCore is not pure.SpanCore
"""Whether it is the module in C."""
