"""Export of ended spans: the queue, the encoding, the transport, and the accounts of what became of each span.

``Tracing.accounts`` and ``Tracing.shutdown`` return the types offered here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracing_lib.base.lazy import offer

if TYPE_CHECKING:
    from tracing_lib.export.accounts import Accounts
    from tracing_lib.export.processor import ShutdownReport
else:
    __getattr__, __dir__ = offer(__name__, {"accounts": ("Accounts",), "processor": ("ShutdownReport",)})

__all__ = ["Accounts", "ShutdownReport"]
