"""Call that a server takes, from its metadata to its outcome; shared by the interceptors and by ``trace_servicer``."""

from __future__ import annotations

import contextvars
import functools
import inspect
import math
import time
from typing import TYPE_CHECKING, Any, Final, Self, cast

import grpc
import grpc.aio
from opentelemetry.context import Context, get_current
from wrapt import BaseObjectProxy

from tracing_lib.base.background import SUPPRESSED
from tracing_lib.instrument import generators
from tracing_lib.instrument.grpc.spans import code_of, end_server, method_of
from tracing_lib.instrument.paths import NO_PATHS, compile_paths
from tracing_lib.instrument.source import TracerSource, inside

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from contextvars import Token

    from opentelemetry.trace import Span

    from tracing_lib.instrument.generators import End

_DEADLINE_SECONDS: Final = 0.02
_DEADLINE_SHARE: Final = 0.02
"""Time before its deadline from which a call counts as overdue: a client has its own clock, and gRPC rounds the time it sends up by 1 %."""

_served: Final[contextvars.ContextVar[tuple[object, Span] | None]] = contextvars.ContextVar("virtengine_rpc", default=None)
"""The ``ServicerContext`` of the call that is served here, and its span."""


class CallPlan:
    """Plan of the spans of a server's calls."""

    __slots__ = ("paths", "source")

    def __init__(self, source: TracerSource, attributes: Mapping[str, str] | None, *, place: str) -> None:
        self.source = source
        self.paths = compile_paths(attributes, _parameters, place=place)


def _parameters(request: object, context: object) -> None:
    """Have the parameters that every servicer's method has, whatever it calls them."""


class ServerCall(inside["ServerCall"]):
    """A call that is being served: a block in its span, which ends with the outcome that the caller saw."""

    def __init__(self, source: TracerSource, context: grpc.ServicerContext, span: Span, active: Context, *, own: bool = True) -> None:
        self._context: Any = context
        self._early: grpc.StatusCode | None = None
        self._own, self._source = own, source
        self.span, self.active = span, active
        if own and hasattr(context, "add_callback"):
            self._context.add_callback(self._terminated)

    @classmethod
    def begin(cls, source: TracerSource, method: tuple[str, dict[str, str | int]], context: grpc.ServicerContext) -> Self | None:
        """Start the span of a call; None where nobody would receive it."""
        here = get_current()
        if here.get(SUPPRESSED):
            return None
        served = _served.get()
        # An interceptor and trace_servicer on one call: the span is the outer one's, the attributes are both's.
        if served is not None and served[0] is context:
            return cls(source, context, served[1], here, own=False)
        name, attributes = method
        started = source.start_server_span(name, context.invocation_metadata() or (), attributes)
        return None if started is None else cls(source, context, *started)

    def __enter__(self) -> Self:
        _served.set((self._context, self.span))
        self.token = self._source.attach(self.active)
        return self

    def leave(self, token: Token[Context]) -> None:
        """Leave the context of the call."""
        self._source.leave(token)
        _served.set(None)

    def end(self, error: BaseException | None) -> None:
        """End the span with the outcome that the caller saw."""
        if not self._own:
            return
        early = self._early or self._code_of_early_end(error)
        raised = None if error is None or self._aborted(error) else error
        if early is not None:
            end_server(self.span, early, raised if isinstance(raised, Exception) else None)
        else:
            default = grpc.StatusCode.OK if error is None else grpc.StatusCode.UNKNOWN
            end_server(self.span, code_of(self._context.code()) or default, raised)

    def _aborted(self, error: BaseException) -> bool:
        """Whether the exception is the one that ``abort`` leaves the servicer with; ``grpc.server`` raises a bare ``Exception``."""
        bare = type(error) is Exception and not error.args and code_of(self._context.code()) is not None
        return bare or isinstance(error, grpc.aio.AbortError)

    def _code_of_early_end(self, error: BaseException | None) -> grpc.StatusCode | None:
        if hasattr(self._context, "is_active"):  # not those of grpc.aio
            return self._why_early() if not self._context.is_active() or isinstance(error, GeneratorExit) else None
        gone = error is not None and not isinstance(error, Exception)  # asyncio's cancellation, or a generator nobody asks any more
        return self._why_early() if gone else None

    def _terminated(self) -> None:
        """Note, while it can still be told, which of the two ended a call that nobody answered."""
        self._early = self._why_early()

    def _why_early(self) -> grpc.StatusCode:
        remaining: float | None = self._context.time_remaining()
        if remaining is None or math.isinf(remaining):
            return grpc.StatusCode.CANCELLED
        started: int | None = getattr(self.span, "start_time", None)
        whole = remaining if started is None else remaining + (time.time_ns() - started) / 1e9
        overdue = remaining <= max(_DEADLINE_SECONDS, _DEADLINE_SHARE * whole)
        return grpc.StatusCode.DEADLINE_EXCEEDED if overdue else grpc.StatusCode.CANCELLED


def wrap_behavior(
    behavior: Callable[..., object], plan: CallPlan, method: str, *, request_streaming: bool, response_streaming: bool
) -> Callable[..., object]:
    """Return a servicer's method with each call a span, in the kind of function that it is."""
    start = _Starter(plan, method, request_streaming=request_streaming)
    if inspect.isasyncgenfunction(behavior):
        return generators.async_generator(behavior, start.begin)
    if inspect.iscoroutinefunction(behavior):
        return _coroutine(cast("Callable[..., Awaitable[object]]", behavior), start)
    if response_streaming:
        return generators.generator(cast("Callable[..., Iterator[object]]", behavior), start.begin)
    return _plain(behavior, start)


class _Starter:
    """Starts the spans of one method's calls."""

    def __init__(self, plan: CallPlan, method: str, *, request_streaming: bool) -> None:
        self.source = plan.source
        self.method = method_of(method)
        self.on_call = NO_PATHS.on_call if request_streaming else plan.paths.on_call
        self.on_return = plan.paths.on_return

    def call(self, request: object, context: grpc.ServicerContext) -> ServerCall | None:
        """Start the span of a call; None where nobody would receive it."""
        call = ServerCall.begin(self.source, self.method, context)
        if call is not None:
            self.on_call(call.span, (request,), {})
        return call

    def begin(self, args: tuple[object, ...], _kwargs: dict[str, object]) -> tuple[contextvars.Context, End] | None:
        """Start the span of a call whose answers are a generator's."""
        call = self.call(args[0], cast("grpc.ServicerContext", args[1]))
        if call is None:
            return None
        body = contextvars.copy_context()
        body.run(call.__enter__)
        return body, lambda error, _result: call.end(error)


def _plain(behavior: Callable[..., object], start: _Starter) -> Callable[..., object]:
    @functools.wraps(behavior)
    def serve(request: object, context: grpc.ServicerContext) -> object:
        known = context if hasattr(context, "code") else cast("grpc.ServicerContext", _Noting(context))
        call = start.call(request, known)
        if call is None:
            return behavior(request, context)
        with call:
            response = behavior(request, known)
            start.on_return(call.span, response)
            return response

    return serve


def _coroutine(behavior: Callable[..., Awaitable[object]], start: _Starter) -> Callable[..., Awaitable[object]]:
    @functools.wraps(behavior)
    async def serve(request: object, context: grpc.ServicerContext) -> object:
        call = start.call(request, context)
        if call is None:
            return await behavior(request, context)
        with call:
            response = await behavior(request, context)
            start.on_return(call.span, response)
            return response

    return serve


class _Noting(BaseObjectProxy[grpc.ServicerContext]):
    """The context of a plain servicer on an asyncio server, which takes a status code and does not tell it."""

    _self_code: grpc.StatusCode | None = None

    def code(self) -> grpc.StatusCode | None:
        """Return the code that was set or aborted with."""
        return self._self_code

    def set_code(self, code: grpc.StatusCode) -> None:
        """Pass the code on, and keep it."""
        self._self_code = code
        self.__wrapped__.set_code(code)

    def abort(self, code: grpc.StatusCode, *args: object, **kwargs: object) -> object:
        """Pass the code on, and keep it."""
        self._self_code = code
        return self.__wrapped__.abort(code, *args, **kwargs)  # type: ignore[arg-type]  # as the servicer gave them
