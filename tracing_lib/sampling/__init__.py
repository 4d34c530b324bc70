"""Sampling: the decision whether a trace is recorded, by strategies, targets and the load of the export.

``FollowsLinks`` is the part that a provider of another configuration can use: a sampler that follows the decision of a linked trace.
"""

from __future__ import annotations

from tracing_lib.base.lazy import offer

__getattr__, __dir__, __all__ = offer(__name__, __file__)
