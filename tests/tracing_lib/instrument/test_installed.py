"""One call instruments what is installed: applications, clients, channels, and tasks of the community's packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tracing_lib.instrument.installed import COMMUNITY, OWN, instrument

ROOT = Path(__file__).parents[3]

_BEFORE = """
import asyncio, grpc, httpx
from concurrent.futures import ThreadPoolExecutor
from tracing_lib.instrument.installed import instrument
from tracing_lib.testing import RecordedTraces
traces = RecordedTraces()
found = instrument(tracer_provider=traces.provider)
assert instrument(tracer_provider=traces.provider) == [], "a second call does nothing"
tracer = traces.provider.get_tracer("t")
"""
_AFTER = """
print(traces.tree())
"""
_GRPC = """
from examples.virtengine.protos import market_pb2, market_pb2_grpc
class Servicer(market_pb2_grpc.MsgServicer):
    def CreateOrder(self, request, context):
        return market_pb2.MsgCreateOrderResponse()
server = grpc.server(ThreadPoolExecutor(1))
market_pb2_grpc.add_MsgServicer_to_server(Servicer(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with tracer.start_as_current_span("sync"), grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    market_pb2_grpc.MsgStub(channel).CreateOrder(market_pb2.MsgCreateOrder())
async def main():
    with tracer.start_as_current_span("asyncio"):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await market_pb2_grpc.MsgStub(channel).CreateOrder(market_pb2.MsgCreateOrder())
asyncio.run(main())
server.stop(None).wait()
"""
_CALL = "  virtengine.market.v1.Msg/CreateOrder (client)\n    virtengine.market.v1.Msg/CreateOrder (server)\n"
_HTTP = """
import fastapi
from fastapi.responses import PlainTextResponse
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from tracing_lib.instrument.http import trace_httpx
from tests.tracing_lib.instrument.served import served
inner = fastapi.FastAPI()
@inner.get("/oauth2/token")
def token():
    return {}
def files(request):
    return PlainTextResponse("")
app = Starlette(routes=[Route("/files", files), Mount("/shop", inner)])
with served(app) as address:
    with httpx.Client() as plain, trace_httpx(httpx.Client(), templates=["/shop/{path}/token"], tracer_provider=traces.provider) as named:
        plain.get(f"http://{address}/files")
        named.get(f"http://{address}/shop/oauth2/token")
"""
_BACKGROUND = """
import fastapi
from tests.tracing_lib.instrument.served import served
app = fastapi.FastAPI()
def send_mail(customer):
    tracer.start_span("look up").end()
    raise LookupError(customer)
@app.post("/orders")
def order(tasks: fastapi.BackgroundTasks):
    tasks.add_task(send_mail, "jane@example.org")
with served(app) as address, httpx.Client() as plain:
    plain.post(f"http://{address}/orders")
"""
_CELERY = """
import celery
app = celery.Celery("t", broker="memory://", backend="cache+memory://")
@app.task(name="orders.send_mail")
def send(order):
    return order
send.apply(args=["jane@example.org"])
assert "jane" not in repr([dict(span.attributes) for span in traces.spans])
assert traces.spans[0].attributes["celery.task_name"] == "orders.send_mail"
"""


def tree(program: str) -> str:
    command = [sys.executable, "-c", _BEFORE + program + _AFTER]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (_GRPC, f"sync\n{_CALL}asyncio\n{_CALL}"),
        (_HTTP, "GET (client)\n  GET /files (server)\nGET /shop/{path}/token (client)\n  GET /shop/oauth2/token (server)\n"),
        (_CELERY, "run/orders.send_mail (consumer)\n"),
    ],
    ids=["grpc", "http", "celery"],
)
def test_what_is_installed_is_traced_by_one_call(program: str, expected: str) -> None:
    assert tree(program) == expected


def test_a_name_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match=r"skip has flask. Wanted: names of .*starlette, httpx, grpc"):
        instrument(skip=["flask"])
    assert instrument(skip=[*OWN, *COMMUNITY]) == []


def test_a_background_task_has_a_span_of_its_own_with_its_error() -> None:
    expected = "POST (client)\n  POST /orders (server)\n    __main__.send_mail ! LookupError\n      look up\n"
    assert tree(_BACKGROUND) == expected
