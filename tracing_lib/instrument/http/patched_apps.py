"""All applications of Starlette and FastAPI in a process, traced, and their background tasks."""

from __future__ import annotations

import functools
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from starlette.applications import Starlette
from starlette.background import BackgroundTask

from tracing_lib.instrument.functions import SpanPlan, full_name, wrap
from tracing_lib.instrument.http.asgi import SERVED, AsgiTracing
from tracing_lib.instrument.http_spans import SCOPE
from tracing_lib.instrument.source import TracerSource

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider


def patch(provider: TracerProvider | None) -> None:
    """Trace every application of Starlette and its subclasses, those of before included."""
    _patch(Starlette, provider)
    _patch_background(TracerSource(SCOPE, provider))
    if find_spec("fastapi") is not None:
        from fastapi import FastAPI

        _patch(FastAPI, provider)  # its own __call__ begins a span, so that ours stands outside of it


def _patch(kind: Any, provider: TracerProvider | None) -> None:  # noqa: ANN401  a class of applications
    plain = kind.__call__

    @functools.wraps(plain)
    async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  as ASGI has them
        # A mounted application and a superclass are called with the same scope.
        if SERVED in scope or scope["type"] == "lifespan":
            await plain(self, scope, receive, send)
            return
        traced = vars(self).get(SERVED)
        if traced is None:
            traced = vars(self)[SERVED] = AsgiTracing(functools.partial(plain, self), tracer_provider=provider)
        await traced({**scope, SERVED: None}, receive, send)

    kind.__call__ = call


def _patch_background(source: TracerSource) -> None:
    plain: Any = BackgroundTask.__call__

    @functools.wraps(plain)
    async def call(self: BackgroundTask) -> None:
        # The span of its request has ended: without one of its own the task has no time and no error.
        await cast("Any", wrap(plain, SpanPlan(full_name(self.func), source)))(self)

    BackgroundTask.__call__ = call  # type: ignore[method-assign]
