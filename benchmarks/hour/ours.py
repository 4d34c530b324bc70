"""The application with this library."""

from tracing_lib import configure

configure().instrument()

from application import app  # noqa: E402

__all__ = ["app"]
