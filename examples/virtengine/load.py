"""The load generator: customers that place orders of known kinds at the portal, as people do whose browsers know nothing of tracing."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx
from websockets.asyncio.client import connect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

SHARES: Final = {"ordinary": 0.80, "slow": 0.05, "unfunded": 0.05, "broken": 0.05, "cancelled": 0.05}
"""Kinds of orders and their shares: large ones that take Waldur long, such without the deposit, too large ones, and cancelled ones."""
WATCHED: Final = 0.1
"""Share of the orders whose customer looks at the state over a WebSocket."""
DEPOSIT_PER_CPU: Final = 10
_CPUS: Final = {"slow": (64, 96), "broken": (129, 160)}
_ORDINARY_CPUS: Final = (1, 16)
_POLL_SECONDS: Final = 0.5
_MOST_AT_ONCE: Final = 100
"""Orders that are followed at a time. Where the machine is slower than the wanted rate, the next order waits, so that no work piles up."""
_SAMPLED: Final = 1


class LoadError(Exception):
    """The services did not do what an order of its kind leads to."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the portal does not know yet, and alone may come to know."""

    name: str
    email: str
    phone: str
    document: str


@dataclass(frozen=True, slots=True)
class Customer(Person):
    """A person with the account that the portal opened for her."""

    account: str

    @property
    def canaries(self) -> tuple[str, ...]:
        """What must be found in no trace, metric or log."""
        return (self.account, self.name, self.name.split()[1], self.email, self.phone, self.document)


@dataclass(frozen=True, slots=True)
class Placed:
    """An order that the portal took: what was asked for, and the trace that the answer named (empty where it was not sampled)."""

    id: str
    kind: str
    cpu_units: int
    trace_id: str
    milliseconds: float


@dataclass(slots=True)
class Outcome:
    """What the load generator did."""

    since: float
    placed: list[Placed] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    """How often each route of the portal was asked, such as ``POST /orders``; WebSockets under ``watch``."""

    @property
    def kinds(self) -> Counter[str]:
        """How many orders of each kind were placed."""
        return Counter(order.kind for order in self.placed)


def persons(number: int, generator: random.Random) -> Iterator[Person]:
    """Yield persons whose every word is found nowhere else."""
    for _ in range(number):
        mark = f"{generator.getrandbits(40):010x}"
        yield Person(
            name=f"Jane Canary{mark}",
            email=f"jane.{mark}@customers.example",
            phone=f"+4179{generator.randint(1_000_000, 9_999_999)}",
            document=f"X{mark.upper()}",
        )


class Load:
    """Places orders, a given number a second at most, each followed to its end. Raises ``LoadError`` and httpx's errors.

    ``portal``, ``daemon`` and ``chain`` are base URLs. ``stall_seconds`` is how long nothing may happen to any of the orders.
    """

    def __init__(self, portal: str, daemon: str, chain: str, *, seed: int, say: Callable[[str], None], stall_seconds: float = 60.0) -> None:
        self._random = random.Random(seed)  # noqa: S311  repeatable, nothing secret
        self._portal, self._daemon, self._chain = portal, daemon, chain
        self._say, self._stall = say, stall_seconds
        self._advanced = time.monotonic()
        self._persons = tuple(persons(5, self._random))
        self.customers: tuple[Customer, ...] = ()
        """Those who have registered."""
        self.outcome = Outcome(since=time.time())

    async def run(self, number: int, *, per_second: float, kinds: tuple[str, ...] = ()) -> Outcome:
        """Register the customers and place the orders, the first of the given kinds; return when all have come to their end."""
        # A connection for each request, because a portal may close one that is kept while the next request is on its way.
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=self._portal, timeout=self._stall, limits=limits) as self._client:
            self.customers = tuple([await self._register(person) for person in self._persons])
            began, followed = time.monotonic(), asyncio.Semaphore(_MOST_AT_ONCE)
            async with asyncio.TaskGroup() as group:
                for position in range(number):
                    kind = kinds[position] if position < len(kinds) else self._random.choices(list(SHARES), list(SHARES.values()))[0]
                    await followed.acquire()
                    following = group.create_task(self._follow(self._order(kind), kind, watch=self._random.random() < WATCHED))
                    following.add_done_callback(lambda _task: followed.release())
                    await asyncio.sleep(max(0.0, began + (position + 1) / per_second - time.monotonic()))
                    if (position + 1) % 200 == 0:
                        self._say(f"{position + 1} of {number} orders placed")
            # The last settlements were admitted; they are to be executed, too.
            await self._until(self._unconfirmed, 0)
        return self.outcome

    async def _register(self, person: Person) -> Customer:
        answer = await self._ask("POST", "/customers", json=asdict(person))
        return Customer(**asdict(person), account=answer.json()["account"])

    def _order(self, kind: str) -> dict[str, object]:
        customer = self._random.choice(self.customers)
        cpu_units = self._random.randint(*_CPUS.get(kind, _ORDINARY_CPUS))
        deposit = cpu_units * DEPOSIT_PER_CPU // (2 if kind == "unfunded" else 1)
        note = f"for {customer.name}, call {customer.phone}"
        return {"account": customer.account, "cpu_units": cpu_units, "deposit": deposit, "note": note}

    async def _follow(self, order: dict[str, object], kind: str, *, watch: bool) -> None:
        """Place an order and stay with it until it has come to its end."""
        began = time.perf_counter()
        someone = self.customers[0]
        headers = {"Authorization": f"Bearer {someone.document}"}
        answer = await self._ask("POST", "/orders", json=order, headers=headers, params={"contact": someone.email})
        took, self._advanced = (time.perf_counter() - began) * 1e3, time.monotonic()
        order_id = answer.json()["id"]
        self.outcome.placed.append(Placed(order_id, kind, int(str(order["cpu_units"])), _trace_of(answer), took))
        if watch:
            await self._watch(order_id, "FAILED" if kind == "unfunded" else "ACTIVE")
        if kind == "unfunded":
            await self._until(lambda: self._state(order_id), "FAILED")
            return
        await self._until(lambda: self._jobs(order_id), ["failed" if kind == "broken" else "done"])
        if kind == "cancelled":
            await self._ask("DELETE", "/orders/{order_id}", order_id)
            await self._until(lambda: self._jobs(order_id), ["done", "done"])

    async def _ask(self, method: str, route: str, order_id: str = "", **options: Any) -> httpx.Response:  # noqa: ANN401  httpx's own
        self.outcome.requests[f"{method} {route}"] += 1
        answer = await self._client.request(method, route.replace("{order_id}", order_id), **options)
        return answer.raise_for_status()

    async def _watch(self, order_id: str, last: str) -> None:
        self.outcome.requests["watch"] += 1
        address = self._portal.replace("http://", "ws://", 1)
        async with connect(f"{address}/orders/{order_id}/events", open_timeout=self._stall, ping_timeout=self._stall) as socket:
            # The portal closes it after the final state, which may be another one.
            async with asyncio.timeout(self._stall) as stalled:
                async for message in socket:
                    if json.loads(message)["state"] == last:
                        return
                    stalled.reschedule(asyncio.get_running_loop().time() + self._stall)

    async def _state(self, order_id: str) -> object:
        """How an order stands; None while no block knows it."""
        try:
            return (await self._ask("GET", "/orders/{order_id}", order_id)).json()["state"]
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise
            return None

    async def _unconfirmed(self) -> object:
        return (await self._client.get(f"{self._chain}/num_unconfirmed_txs")).raise_for_status().json()["n_txs"]

    async def _jobs(self, order_id: str) -> object:
        """How the provider's jobs for an order stand, those that undo a failed one left out."""
        try:
            jobs = (await self._client.get(f"{self._daemon}/jobs/{order_id}")).raise_for_status().json()
        except httpx.TransportError:
            return []  # the provider restarts
        states = [job["state"] for job in jobs]
        return states[:1] if states[:1] == ["failed"] else states

    async def _until(self, ask: Callable[[], Awaitable[object]], wanted: object) -> None:
        """Ask until the answer is the wanted one, as long as any order advances. Raises ``LoadError``."""
        before: object = None
        while (found := await ask()) != wanted:
            if found != before:
                before, self._advanced = found, time.monotonic()
            if time.monotonic() - self._advanced > self._stall:
                raise LoadError(f"waited for {wanted}, found {found}, and nothing happened to any order for {self._stall:g} s")
            await asyncio.sleep(_POLL_SECONDS)
        self._advanced = time.monotonic()


def _trace_of(answer: httpx.Response) -> str:
    """The trace that an answer names, if it was sampled (W3C Trace Context, level 2: version-traceid-spanid-flags)."""
    _, trace_id, _, flags = answer.headers.get("traceresponse", "00---0").split("-")
    return trace_id if int(flags, 16) & _SAMPLED else ""
