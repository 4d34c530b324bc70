"""The test kit's own fixture, whether or not the package is installed with its entry point."""

from __future__ import annotations

from tracing_lib.testing.pytest_plugin import traces

__all__ = ["traces"]
