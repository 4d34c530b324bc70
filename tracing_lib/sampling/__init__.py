"""Sampling: the decision whether a trace is recorded, by strategies, targets and the load of the export.

``FollowsLinks`` is the part that a provider of another configuration can use: a sampler that follows the decision of a linked trace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracing_lib.base.lazy import offer

if TYPE_CHECKING:
    from tracing_lib.sampling.links import FollowsLinks
else:
    __getattr__, __dir__ = offer(__name__, {"links": ("FollowsLinks",)})

__all__ = ["FollowsLinks"]
