"""What becomes of the spans when parts of the whole stop: nothing is lost that need not be, and the rest is counted."""

from __future__ import annotations

import asyncio
import signal
import time
from itertools import pairwise
from typing import TYPE_CHECKING

from components.documents.ports import TELEMETRY
from examples.virtengine.system import Options
from tests.examples.virtengine.processes import get
from tests.waiting import load_per_core, until

if TYPE_CHECKING:
    from stacks.show.stored import Span
    from stacks.show.story import Story
    from tests.examples.system.conftest import Town, VirtEngine

ALL = ("portal", "chain", "provider-daemon", "waldur")
AWAY_SECONDS = 20.0
WAIT_SECONDS = 2.0
"""The tail-sampling wait of dev."""
DECISION_SECONDS = 1.5
"""Decisions are taken once a second, and handed on in batches of at most 200 ms, on a machine without other load."""
ACCEPTED = "otelcol_receiver_accepted_spans_total"


def attempts(story: Story) -> list[Span]:
    found = [span for trace in story.traces for span in trace.spans if span.name == "process provision"]
    return sorted(found, key=lambda span: span.start_ns)


def counter(town: VirtEngine, name: str) -> int:
    """A counter of the gateway's own, over all its labels."""
    port = town.running.plan.workload("gateway").port(TELEMETRY.name).number
    lines = get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    return sum(int(float(line.rpartition(" ")[2])) for line in lines if line.startswith(f"{name}{{"))


async def _while_loading(town: VirtEngine, orders: int, kinds: tuple[str, ...], do: object) -> str:
    """Do something in a thread while orders are followed to their end; return the first order's id."""
    following = asyncio.create_task(town.loading().run(orders, per_second=10, kinds=kinds))
    await asyncio.to_thread(do)  # type: ignore[arg-type]  # a function without arguments
    return (await following).placed[0].id


def test_a_daemon_that_is_restarted_in_the_middle_of_a_job_loses_no_span_of_it(virtengine: Town) -> None:
    # On a loaded machine the daemon takes longer to be stopped, and the job must last until then.
    with virtengine(Options(block_seconds=0.25, slow_seconds=6 * load_per_core())) as town:

        def restart() -> None:
            # The second request is the first question after the order that was made by the first.
            until(lambda: get(f"{town.system.url('waldur')}/stats").json()["requests"] >= 2, "a question about an order at Waldur")
            town.system.restart("provider-daemon")

        order_id = asyncio.run(_while_loading(town, 1, ("slow",), restart))
        town.end()
        story = town.story(order_id, *ALL)
        first, second = attempts(story)
        assert (first.attributes["virtengine.job.attempt"], second.attributes["virtengine.job.attempt"]) == (1, 2)
        assert first.attributes["virtengine.cancelled"] is True
        assert second.status != "error"
        assert first.links[0].span_id == second.links[0].span_id, "both lead to who asked for it"
        made = [span for trace in story.traces for span in trace.spans if (span.service, span.kind) == ("waldur", "server")]
        assert [span.name for span in made].count("POST /api/marketplace-orders/") == 1, "provisioned once"


def test_a_gateway_that_is_away_for_twenty_seconds_costs_no_span(virtengine: Town) -> None:
    with virtengine() as town:

        def outage() -> None:
            until(lambda: counter(town, ACCEPTED) > 0, "spans at the gateway")
            town.running.supervisor.stop("gateway")
            time.sleep(AWAY_SECONDS)
            town.running.supervisor.start("gateway")

        order_id = asyncio.run(_while_loading(town, 60, ("ordinary",), outage))
        town.end()
        assert set(town.story(order_id, *ALL).services) == set(ALL)


def test_a_gateway_that_is_killed_loses_what_waited_for_the_decision_and_no_more(virtengine: Town) -> None:
    with virtengine() as town:
        accepted: list[tuple[float, int]] = []

        def kill() -> None:
            until(lambda: counter(town, ACCEPTED) > 0, "spans at the gateway")
            over = time.monotonic() + 6
            while time.monotonic() < over:
                accepted.append((time.monotonic(), counter(town, ACCEPTED)))
            town.running.supervisor.kill("gateway", signal.SIGKILL)
            until(lambda: [event.what for event in town.running.supervisor.events if event.workload == "gateway"][-1] == "started")
            town.running.supervisor.wait_healthy("gateway")

        asyncio.run(_while_loading(town, 80, ("ordinary",), kill))
        town.system.close()
        lost = town.delivered() - sum(len(trace.spans) for trace in town.settled())
        last, all_of_them = accepted[-1]
        undecided = WAIT_SECONDS + DECISION_SECONDS * load_per_core()
        before = max((count for at, count in accepted if at <= last - undecided), default=0)
        # After the last count and before the kill another batch may have come in.
        batch = max(later - earlier for (_, earlier), (_, later) in pairwise(accepted))
        assert 0 <= lost <= all_of_them - before + batch, f"{lost} lost of {all_of_them}, {before} were decided on"
