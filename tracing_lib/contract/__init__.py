"""The contract between a tracing stack and a service: the stack's outputs, and the settings that come from them.

``outputs`` has the model of the outputs, ``settings`` that of a service's tracing, ``environment`` the environment variables, and
``fields`` the checks that both models share.
"""

from __future__ import annotations

from tracing_lib.base.lazy import offer

__getattr__, __dir__, __all__ = offer(__name__, __file__)
