"""Traces found by an attribute and joined by their links, in a real backend."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from stacks.environment.source import ROOT
from stacks.show.search import find_traces
from stacks.show.story import gather, wait_for
from tests.servers.conftest import named
from tests.waiting import STALL_SECONDS, until
from tracing_lib import TracingSettings, configure
from tracing_lib.instrument import JobContext, consume, produce

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.conftest import Deploy
    from tracing_lib import Outputs, Tracing

KEY = "virtengine.order.id"


def order(portal: Tracing, daemon: Tracing, order_id: str) -> None:
    """A request that hands out a job, and the job, which came by a connection that is not its own."""
    with (
        portal.tracer("t").start_as_current_span("place order", attributes={KEY: order_id}),
        produce("provision", provider=portal.provider) as job,
    ):
        pass
    with daemon.tracer("t").start_as_current_span("GET /events") as connection:
        pass
    with consume("provision", job, attributes={KEY: order_id}, provider=daemon.provider) as span:
        span.add_link(connection.get_span_context())


def services(outputs: Outputs) -> tuple[Tracing, Tracing]:
    made = [configure(TracingSettings.from_outputs(outputs, service_name=name), set_global=False) for name in ("portal", "provider-daemon")]
    return made[0], made[1]


def test_an_order_is_found_with_all_its_traces_and_no_other(deployed: Deploy, tmp_path: Path) -> None:
    since = time.time() - 1
    with deployed(named("dev")) as running:
        portal, daemon = services(running.outputs)
        for number in range(3):
            order(portal, daemon, f"order-{number}")
        assert portal.shutdown().complete
        assert daemon.shutdown().complete
        story = wait_for(running.outputs, KEY, "order-1", ["portal", "provider-daemon"], since=since, seconds=STALL_SECONDS, settled=1)
        assert [[span.name for span in trace.spans] for trace in story.traces] == [
            ["place order", "create provision"],
            ["process provision"],
        ]
        assert story.absent == ()

        def everything() -> tuple[str, ...]:
            return find_traces(running.outputs, {}, since=since, until=time.time(), services=["portal", "provider-daemon"]).trace_ids

        until(lambda: len(everything()) >= 9, "all traces", progress=everything)
        assert len(everything()) == 9
        assert find_traces(running.outputs, {KEY: "order-1"}, since=since, until=since + 0.5).trace_ids == (), "nothing began then"
        assert gather(running.outputs, KEY, "order-9", since=since, until=time.time()).traces == ()
        command = [sys.executable, "-m", "stacks", "story", "order-1", "--state", str(tmp_path)]
        shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert shown.returncode == 0, shown.stderr
        assert f"{KEY} order-1: 2 traces, 3 spans, 2 services (portal, provider-daemon), no errors" in shown.stdout
        assert "└─ ~> process provision" in shown.stdout
        none = subprocess.run([*command[:4], "order-9", *command[5:]], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (none.returncode, none.stdout) == (1, "")
        assert "no stored trace has virtengine.order.id order-9" in none.stderr


def test_a_job_of_which_the_request_was_not_kept_shows_that(deployed: Deploy) -> None:
    since = time.time() - 1
    with deployed(named("dev")) as running:
        _, daemon = services(running.outputs)
        not_kept = JobContext(trace_id=7, span_id=7, sampled=True, made_at=since)
        with consume("provision", not_kept, attributes={KEY: "order-1"}, provider=daemon.provider):
            pass
        daemon.shutdown()
        story = wait_for(running.outputs, KEY, "order-1", ["provider-daemon"], since=since, seconds=STALL_SECONDS, settled=0)
        assert len(story.traces) == 1
        assert story.absent == (f"{7:032x}",)
