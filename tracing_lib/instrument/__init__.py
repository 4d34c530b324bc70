"""Instrumentation: the spans of functions, keepers and jobs. The surfaces of a service have a package each below this one.

``traced`` decorates a function, ``trace_keeper`` a keeper of a chain module and ``trace_ante`` its ante handling. ``produce`` and
``consume`` are the two ends of a job, ``JobContext`` its context in a queue or a file. ``transaction``, ``continued`` and
``link_to_transaction`` join the spans of a transaction, which many processes work on. ``instrument`` makes spans of the packages that are
installed, by one call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracing_lib.base.lazy import offer

if TYPE_CHECKING:
    from tracing_lib.instrument.functions import traced
    from tracing_lib.instrument.installed import instrument
    from tracing_lib.instrument.jobs import JobContext, consume, continued, link_to_transaction, produce, transaction
    from tracing_lib.instrument.keepers import trace_ante, trace_keeper
else:
    __getattr__, __dir__ = offer(
        __name__,
        {
            "functions": ("traced",),
            "installed": ("instrument",),
            "jobs": ("JobContext", "consume", "continued", "link_to_transaction", "produce", "transaction"),
            "keepers": ("trace_ante", "trace_keeper"),
        },
    )

__all__ = [
    "JobContext",
    "consume",
    "continued",
    "instrument",
    "link_to_transaction",
    "produce",
    "trace_ante",
    "trace_keeper",
    "traced",
    "transaction",
]
