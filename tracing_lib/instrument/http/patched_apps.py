"""All applications of Starlette and FastAPI in a process, traced."""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette

from tracing_lib.instrument.http.asgi import AsgiTracing

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

_SERVED: Final = "virtengine.tracing"
"""Member of an ASGI scope that has its span: a mounted application, and a superclass, are called with the same one."""

_FASTAPI: Final = "fastapi.telemetry"
"""Member of a scope by which FastAPI (0.165) keeps itself from a second server span."""


def patch(provider: TracerProvider | None) -> None:
    """Trace every application of Starlette and its subclasses, those of before included."""
    kinds: list[type] = [Starlette]
    try:
        from fastapi import FastAPI
    except ImportError:
        pass
    else:
        kinds.append(FastAPI)  # its own __call__ begins a span, so that ours stands outside of it
    for kind in kinds:
        _patch(kind, provider)


def _patch(kind: Any, provider: TracerProvider | None) -> None:  # noqa: ANN401  a class of applications
    plain = kind.__call__
    traced: weakref.WeakKeyDictionary[object, AsgiTracing] = weakref.WeakKeyDictionary()

    @functools.wraps(plain)
    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  as ASGI has them
        if scope.get(_SERVED) or scope["type"] == "lifespan":
            await plain(self, scope, receive, send)
            return
        found = traced.get(self)
        if found is None:
            # Weakly, because the middleware would keep its application, which is its key.
            found = traced[self] = AsgiTracing(functools.partial(_weakly, plain, weakref.ref(self)), tracer_provider=provider)
        await found({**scope, _SERVED: True, _FASTAPI: None}, receive, send)

    kind.__call__ = call


async def _weakly(plain: Any, app: weakref.ref[Any], scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  as above
    await plain(app(), scope, receive, send)
