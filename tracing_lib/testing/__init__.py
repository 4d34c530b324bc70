"""The test kit: a tracer provider for each test, ids and times that are equal in every run, and span trees as text.

As a pytest plugin (installed with this package, or ``pytest_plugins = ["tracing_lib.testing.pytest_plugin"]``) it gives the fixture
``traces``, a ``RecordedTraces``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracing_lib.base.lazy import offer

if TYPE_CHECKING:
    from tracing_lib.testing.kit import RecordedTraces, SequentialIds, as_global, attributes_of, links_of, render
else:
    __getattr__, __dir__ = offer(__name__, {"kit": ("RecordedTraces", "SequentialIds", "as_global", "attributes_of", "links_of", "render")})

__all__ = ["RecordedTraces", "SequentialIds", "as_global", "attributes_of", "links_of", "render"]
