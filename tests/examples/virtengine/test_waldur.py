"""The Waldur-shaped server as a process, asked by the daemon's adapter, and so by the real ``waldur-api-client``."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

import pytest
from waldur_api_client.errors import UnexpectedStatus

from examples.virtengine.daemon.adapters import ProvisioningError
from examples.virtengine.daemon.adapters.waldur import WaldurAdapter
from tests.examples.virtengine.processes import Service, get, outputs, post
from tests.examples.virtengine.spans import Spans
from tests.tracing_lib.receivers import attributes, http_receiver
from tests.waiting import STALL_SECONDS, until
from tracing_lib import TracingSettings, configure
from tracing_lib.instrument.remote import waldur_client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from opentelemetry.trace import TracerProvider

    from tests.tracing_lib.receivers import Received

TOKEN = "a-t0ken-of-the-test"
SLOW_SECONDS = 0.4
_T = TypeVar("_T")


@pytest.fixture(scope="module")
def received() -> Iterator[Received]:
    with http_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def waldur(tmp_path_factory: pytest.TempPathFactory, received: Received) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("waldur")
    (folder / "token").write_text(f"{TOKEN}\n")
    arguments = ["--state", folder / "state", "--slow-seconds", SLOW_SECONDS, "--token-file", folder / "token"]
    with Service("examples.virtengine.waldur", folder, outputs(folder, received.url), *arguments) as service:
        yield service


def _with(
    waldur: Service, do: Callable[[WaldurAdapter], Awaitable[_T]], *, token: str = TOKEN, provider: TracerProvider | None = None
) -> _T:
    async def done() -> _T:
        async with waldur_client(waldur.url, token, timeout_seconds=STALL_SECONDS, tracer_provider=provider) as client:
            return await do(WaldurAdapter(client, f"{waldur.url}/offering/", f"{waldur.url}/project/"))

    return asyncio.run(done())


async def _until_ready(adapter: WaldurAdapter, handle: str) -> None:
    while not await adapter.ready(handle):  # noqa: ASYNC110  another process is waited for
        await asyncio.sleep(0.01)


def test_an_order_is_done_soon_a_large_one_later_and_one_too_large_never(waldur: Service) -> None:
    async def seconds(adapter: WaldurAdapter, cpu_units: int) -> float:
        since = time.monotonic()
        await _until_ready(adapter, await adapter.create(f"order-{cpu_units}", cpu_units))
        return time.monotonic() - since

    # On a loaded machine a soon one may come late as well, though not again and again.
    until(lambda: _with(waldur, lambda adapter: seconds(adapter, 63)) < SLOW_SECONDS, "an order that is done soon")
    assert _with(waldur, lambda adapter: seconds(adapter, 64)) >= SLOW_SECONDS
    with pytest.raises(ProvisioningError, match="erred"):
        _with(waldur, lambda adapter: seconds(adapter, 129))


def test_an_order_is_found_by_the_name_of_its_resource_and_by_no_other(waldur: Service) -> None:
    async def found(adapter: WaldurAdapter) -> tuple[str, str | None, str | None]:
        return await adapter.create("order-11", 1), await adapter.find("order-11"), await adapter.find("order-1")

    handle, again, other = _with(waldur, found)
    assert (again, other) == (handle, None)


def test_a_resource_is_given_back_once_and_a_second_time_is_harmless(waldur: Service) -> None:
    async def released(adapter: WaldurAdapter) -> str:
        handle = await adapter.create("order-12", 1)
        await _until_ready(adapter, handle)
        await adapter.release(handle)
        await adapter.release(handle)
        return handle

    order = get(f"{waldur.url}/api/marketplace-orders/{_with(waldur, released)}/", headers=_headers()).json()
    resource = f"{waldur.url}/api/marketplace-resources/{order['marketplace_resource_uuid']}/"
    assert get(resource, headers=_headers()).json()["state"] == "Terminated"
    assert post(f"{resource}terminate/", headers=_headers()).status_code == 409


def _headers() -> dict[str, str]:
    return {"Authorization": f"Token {TOKEN}"}


def test_nobody_is_let_in_without_the_token(waldur: Service) -> None:
    with pytest.raises(UnexpectedStatus):
        _with(waldur, lambda adapter: adapter.create("order-13", 1), token="another")
    assert get(f"{waldur.url}/api/marketplace-orders/").status_code == 401
    assert _with(waldur, lambda adapter: adapter.find("order-13")) is None


def test_what_is_not_there_is_404_and_what_is_incomplete_400(waldur: Service) -> None:
    api = f"{waldur.url}/api"
    missing = "00000000-0000-4000-8000-000000000000"
    headers = _headers()
    assert get(f"{api}/marketplace-orders/{missing}/", headers=headers).status_code == 404
    assert get(f"{api}/marketplace-resources/{missing}/", headers=headers).status_code == 404
    assert post(f"{api}/marketplace-resources/{missing}/terminate/", headers=headers).status_code == 404
    assert post(f"{api}/marketplace-orders/", json={"attributes": {"name": "order-14"}}, headers=headers).status_code == 400


def test_api_requests_are_counted_and_traced_and_health_and_stats_are_not(waldur: Service, received: Received) -> None:
    def counted() -> int:
        number: int = get(f"{waldur.url}/stats").json()["requests"]
        return number

    before, spans = counted(), Spans(received)
    settings = TracingSettings(service_name="test", endpoint=received.url)
    with configure(settings, set_global=False) as tracing:
        with tracing.tracer("t").start_as_current_span("provision"):
            _with(waldur, lambda adapter: adapter.create("order-0000000000aa", 3), provider=tracing.provider)
        assert get(f"{waldur.url}/healthz").status_code == 200
        assert counted() == before + 1
    created = spans.one("waldur", "POST /api/marketplace-orders/", order_id="order-0000000000aa")
    spans.assert_tree(
        spans.one("test", "provision"),
        """
        test: provision
          test: POST /api/marketplace-orders/
            waldur: POST /api/marketplace-orders/
        """,
    )
    assert attributes(created.attributes)["virtengine.order.cpu_units"] == 3
    spans.wait(
        lambda: sum(of["service.name"] == "waldur" for of, _ in received.spans) == counted(), "span for each request that is counted"
    )


def test_orders_outlive_the_process_and_sigterm_ends_it_in_order(waldur: Service) -> None:
    handle = _with(waldur, lambda adapter: adapter.create("order-15", 1))
    assert waldur.terminate() == 0
    ended = waldur.lines()[-1]["message"]
    assert isinstance(ended, str)
    counts = [word.strip(",") for word in ended.split() if word.strip(",").isdigit()]
    assert len(set(counts)) == 1, ended
    waldur.start()
    assert _with(waldur, lambda adapter: adapter.find("order-15")) == handle
