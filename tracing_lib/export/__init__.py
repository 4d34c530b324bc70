"""Export of ended spans: the queue, the encoding, the transport, and the accounts of what became of each span.

``Tracing.accounts`` and ``Tracing.shutdown`` return the types offered here.
"""

from __future__ import annotations

from tracing_lib.base.lazy import offer

__getattr__, __dir__, __all__ = offer(__name__, __file__)
