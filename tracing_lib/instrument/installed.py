"""Instrumentation of the packages that a service has installed, by one call."""

from __future__ import annotations

import importlib
import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection

    from opentelemetry.trace import TracerProvider

_logger: Final = logging.getLogger("tracing_lib")

OWN: Final = {
    "starlette": "tracing_lib.instrument.http.patched_apps",
    "httpx": "tracing_lib.instrument.http.client",
    "grpc": "tracing_lib.instrument.grpc.patched",
}
"""Packages that the library's own surfaces serve, FastAPI with Starlette: the module whose ``patch`` reaches all of a process."""
COMMUNITY: Final = {"sqlalchemy": "SQLAlchemyInstrumentor", "celery": "CeleryInstrumentor", "requests": "RequestsInstrumentor"}
"""Packages that ``opentelemetry-instrumentation-…`` serves: the name of its class."""

_done: Final[set[str]] = set()


def instrument(*, tracer_provider: TracerProvider | None = None, skip: Collection[str] = ()) -> list[str]:
    """Make spans of all packages that are installed and known, and return their names; ``skip``: names of those to leave alone.

    Known are starlette (and so FastAPI), httpx, grpc, and, where their community instrumentation is installed, sqlalchemy, celery and
    requests; the extras of those names install it. Call it before servers, clients and engines are made, because only later ones are
    reached, and before ``from grpc import insecure_channel`` and the like. A package that is instrumented already is left as it is.
    ``tracer_provider``: by default OpenTelemetry's global one, also when it is set later. Raises ``ValueError`` for an unknown name.
    """
    unknown = sorted(set(skip) - OWN.keys() - COMMUNITY.keys())
    if unknown:
        raise ValueError(f"instrument: skip has {', '.join(unknown)}. Wanted: names of {', '.join([*OWN, *COMMUNITY])}")
    found = []
    for name in (*OWN, *COMMUNITY):
        if name not in skip and name not in _done and find_spec(name) is not None and _instrument(name, tracer_provider):
            _done.add(name)
            found.append(name)
    return found


def _instrument(name: str, provider: TracerProvider | None) -> bool:
    if name in OWN:
        importlib.import_module(OWN[name]).patch(provider)
        return True
    try:
        module: Any = importlib.import_module(f"opentelemetry.instrumentation.{name}")
    except ImportError:
        _logger.info("%s is installed and makes no spans; to have them: pip install 'virtengine-tracing[%s]'", name, name)
        return False
    instrumentor = getattr(module, COMMUNITY[name])()
    if instrumentor.is_instrumented_by_opentelemetry:
        return False
    instrumentor.instrument(tracer_provider=provider)
    # It logs why not, such as a release of the package that it does not know.
    return bool(instrumentor.is_instrumented_by_opentelemetry)
