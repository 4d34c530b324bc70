"""Services in two languages on real servers, configured by the outputs in the shape in which Pulumi prints them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stacks.placement.outputs import exported
from stacks.show.query import fetch_trace
from tests.servers.conftest import named
from tests.two_languages import build_quotes, trace_of_both
from tests.waiting import STALL_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.conftest import Deploy


def test_outputs_alone_configure_services_in_two_languages_in_one_trace(deployed: Deploy, tmp_path: Path) -> None:
    program = build_quotes(tmp_path)
    here = named("dev")
    with deployed(here) as running:
        printed = json.loads(json.dumps(exported(running.outputs, running.plan, here.environment)))
        trace_id = trace_of_both(printed, tmp_path, program)
        trace = fetch_trace(running.outputs, trace_id, wait_seconds=STALL_SECONDS, until=("portal", "quotes"))
    spans = {(span.service, span.name): span for span in trace.spans}
    assert set(spans) == {("portal", "GET /order"), ("quotes", "GET /quote"), ("quotes", "quotes.compute")}
    assert spans["quotes", "GET /quote"].parent_id == spans["portal", "GET /order"].span_id
    assert spans["quotes", "quotes.compute"].parent_id == spans["quotes", "GET /quote"].span_id
