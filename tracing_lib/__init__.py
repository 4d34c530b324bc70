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

from tracing_lib.base.lazy import offer

__getattr__, __dir__, __all__ = offer(__name__, __file__)
