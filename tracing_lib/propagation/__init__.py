"""Context between threads, processes and hosts: the current span, trace headers, and baggage.

Threads and executors start without the context of their caller: ``carry``, ``carry_in_executors``, ``ContextThread`` and
``ContextThreadPoolExecutor`` take it along. ``set_baggage`` adds baggage to a context; ``inject`` writes trace headers, and baggage for own
hosts only; ``outbound_to`` names the host of the requests in a block that another library sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracing_lib.base.lazy import offer

if TYPE_CHECKING:
    from tracing_lib.propagation.baggage import inject, outbound_to, set_baggage
    from tracing_lib.propagation.current import current_span
    from tracing_lib.propagation.threads import ContextThread, ContextThreadPoolExecutor, carry, carry_in_executors
else:
    __getattr__, __dir__ = offer(
        __name__,
        {
            "baggage": ("inject", "outbound_to", "set_baggage"),
            "current": ("current_span",),
            "threads": ("ContextThread", "ContextThreadPoolExecutor", "carry", "carry_in_executors"),
        },
    )

__all__ = [
    "ContextThread",
    "ContextThreadPoolExecutor",
    "carry",
    "carry_in_executors",
    "current_span",
    "inject",
    "outbound_to",
    "set_baggage",
]
