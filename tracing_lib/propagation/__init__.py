"""Context between threads, processes and hosts: the current span, trace headers, and baggage.

Threads and executors start without the context of their caller: ``carry``, ``carry_in_executors``, ``ContextThread`` and
``ContextThreadPoolExecutor`` take it along. ``set_baggage`` adds baggage to a context; ``inject`` writes trace headers, and baggage for own
hosts only; ``outbound_to`` names the host of the requests in a block that another library sends.
"""

from __future__ import annotations

from tracing_lib.base.lazy import offer

__getattr__, __dir__, __all__ = offer(__name__, __file__)
