"""Tracing of VirtEngine services: ``configure(TracingSettings.from_environment(service_name="portal"))`` sets it up.

The names below are those that nearly every service uses. All others are imported from the package that defines them:

- ``tracing_lib.instrument``: keepers, ante handling, and jobs;
- ``tracing_lib.instrument.grpc``, ``.http``, ``.websocket`` and ``.remote``: the surfaces of a service;
- ``tracing_lib.propagation``: threads, executors, and baggage;
- ``tracing_lib.privacy``: the declaration of attributes, and the redaction as functions;
- ``tracing_lib.sampling``: a sampler for providers that other code configures;
- ``tracing_lib.logs``: formatters and processors for logs in a format of a service's own;
- ``tracing_lib.testing``: the test kit;
- ``tracing_lib.contract``, ``tracing_lib.export`` and ``tracing_lib.doctor``: outputs and settings, accounts of the export, and the
  diagnosis of a service's tracing.

A name is imported at its first use, so that reading the contract does not import the OpenTelemetry SDK (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracing_lib.base.lazy import offer

if TYPE_CHECKING:
    from tracing_lib.base.errors import AlreadyConfiguredError, ContractError, PrivacyError, SettingsError
    from tracing_lib.base.fingerprints import fingerprint, report
    from tracing_lib.contract.outputs import Outputs
    from tracing_lib.contract.settings import TracingSettings
    from tracing_lib.instrument.functions import traced
    from tracing_lib.logs import configure_logging
    from tracing_lib.privacy.attribute import Attribute, Privacy, Shape
    from tracing_lib.privacy.registry import declare, declare_names
    from tracing_lib.propagation.current import current_span
    from tracing_lib.propagation.threads import carry
    from tracing_lib.provider import Tracing, configure
else:
    __getattr__, __dir__ = offer(
        __name__,
        {
            "base.errors": ("AlreadyConfiguredError", "ContractError", "PrivacyError", "SettingsError"),
            "base.fingerprints": ("fingerprint", "report"),
            "contract.outputs": ("Outputs",),
            "contract.settings": ("TracingSettings",),
            "instrument.functions": ("traced",),
            "logs": ("configure_logging",),
            "privacy.attribute": ("Attribute", "Privacy", "Shape"),
            "privacy.registry": ("declare", "declare_names"),
            "propagation.current": ("current_span",),
            "propagation.threads": ("carry",),
            "provider": ("Tracing", "configure"),
        },
    )

__all__ = [
    "AlreadyConfiguredError",
    "Attribute",
    "ContractError",
    "Outputs",
    "Privacy",
    "PrivacyError",
    "SettingsError",
    "Shape",
    "Tracing",
    "TracingSettings",
    "carry",
    "configure",
    "configure_logging",
    "current_span",
    "declare",
    "declare_names",
    "fingerprint",
    "report",
    "traced",
]
