"""The contract between a tracing stack and a service: the stack's outputs, and the settings that come from them.

``outputs`` has the model of the outputs, ``settings`` that of a service's tracing, ``environment`` the environment variables, and
``fields`` the checks that both models share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracing_lib.base.lazy import offer

if TYPE_CHECKING:
    from tracing_lib.contract.outputs import OperationTarget, Outputs, PrivacyRule
    from tracing_lib.contract.settings import TracingSettings
else:
    __getattr__, __dir__ = offer(__name__, {"outputs": ("OperationTarget", "Outputs", "PrivacyRule"), "settings": ("TracingSettings",)})

__all__ = ["OperationTarget", "Outputs", "PrivacyRule", "TracingSettings"]
