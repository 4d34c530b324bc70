"""Spans of requests to Waldur, Kubernetes and SLURM.

``waldur_client`` needs the extra ``waldur``, ``TracedApiClient`` the extra ``kubernetes``; ``SlurmClient`` needs the commands of SLURM.
``carry_context`` writes the trace context into a Kubernetes object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracing_lib.base.lazy import offer

if TYPE_CHECKING:
    from tracing_lib.instrument.remote.kubernetes import TracedApiClient, carry_context
    from tracing_lib.instrument.remote.slurm import SlurmClient
    from tracing_lib.instrument.remote.waldur import waldur_client
else:
    __getattr__, __dir__ = offer(
        __name__,
        {"kubernetes": ("TracedApiClient", "carry_context"), "slurm": ("SlurmClient",), "waldur": ("waldur_client",)},
        extras={"kubernetes": "kubernetes", "waldur": "waldur"},
    )

__all__ = ["SlurmClient", "TracedApiClient", "carry_context", "waldur_client"]
