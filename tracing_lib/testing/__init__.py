"""The test kit: a tracer provider for each test, ids and times that are equal in every run, and span trees as text.

As a pytest plugin (installed with this package, or ``pytest_plugins = ["tracing_lib.testing.pytest_plugin"]``) it gives the fixture
``traces``, a ``RecordedTraces``.
"""

from __future__ import annotations

from tracing_lib.base.lazy import offer

__getattr__, __dir__, __all__ = offer(__name__, __file__)
