"""Spans of requests to Waldur, Kubernetes and SLURM.

``waldur_client`` needs the extra ``waldur``, ``TracedApiClient`` the extra ``kubernetes``; ``SlurmClient`` needs the commands of SLURM.
``carry_context`` writes the trace context into a Kubernetes object.
"""

from __future__ import annotations

from tracing_lib.base.lazy import offer

__getattr__, __dir__, __all__ = offer(__name__, __file__, extras={"kubernetes": "kubernetes", "waldur": "waldur"})
