"""Instrumentation: the spans of functions, keepers and jobs. The surfaces of a service have a package each below this one.

``traced`` decorates a function, ``trace_keeper`` a keeper of a chain module and ``trace_ante`` its ante handling. ``produce`` and
``consume`` are the two ends of a job, ``JobContext`` its context in a queue or a file. ``transaction``, ``continued`` and
``link_to_transaction`` join the spans of a transaction, which many processes work on. ``instrument`` makes spans of the packages that are
installed, by one call.
"""

from __future__ import annotations

from tracing_lib.base.lazy import offer

__getattr__, __dir__, __all__ = offer(__name__, __file__)
