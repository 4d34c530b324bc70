"""What the plan says of the gateway's metrics, and what is scraped."""

from __future__ import annotations

import re
import urllib.request
from typing import TYPE_CHECKING

from components.documents.series import series
from stacks.plan.collectors import trace_metrics
from tests.servers.conftest import named
from tests.servers.spans import CLIENT, Sender
from tests.waiting import STALL_SECONDS, until

if TYPE_CHECKING:
    from tests.servers.conftest import Deploy
    from tracing_lib import Outputs

Sample = tuple[dict[str, str], float]
"""Labels and value of a series."""

LINE = re.compile(r"^(\w+)\{(.*)\} (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
TARGET = "target_info"
DIMENSIONS = ("virtengine.job.kind", "größe", "1st", "a/b c", "UPPER", "_x", "x" * 200, "le.x", "job:", "span..kind")
"""Attributes of which labels are made: one as usual, and others that `check` takes."""


def scraped_values(text: str) -> dict[str, list[Sample]]:
    """Every series of a scrape, by the name of its metric."""
    found: dict[str, list[Sample]] = {}
    for line in text.splitlines():
        if (match := LINE.match(line)) and match[1] != TARGET:
            found.setdefault(match[1], []).append((dict(LABEL.findall(match[2])), float(match[3])))
    return found


def scraped(outputs: Outputs) -> dict[str, list[dict[str, str]]]:
    """The labels of every series, by the name of its metric."""
    with urllib.request.urlopen(outputs.span_metrics_url, timeout=STALL_SECONDS) as answer:  # noqa: S310 - loopback
        text = answer.read().decode()
    return {name: [labels for labels, _ in samples] for name, samples in scraped_values(text).items()}


def call(outputs: Outputs) -> None:
    """A call that fails, with the attributes that are dimensions."""
    portal, chain = (Sender(outputs, seed=seed, service=name, instance="1") for seed, name in enumerate(("portal", "chain")))
    (calls,), (serves,) = (sender.trace(1, attributes=dict.fromkeys(DIMENSIONS, "x"), failed=True) for sender in (portal, chain))
    calls.kind, serves.trace_id, serves.parent_span_id = CLIENT, calls.trace_id, calls.span_id
    assert portal.send([[calls]])
    assert chain.send([[serves]])


def test_the_series_that_are_scraped_are_those_that_the_plan_names(deployed: Deploy) -> None:
    dimensions = {"dimensions": list(DIMENSIONS)}
    changes = {"flush_interval": "1s", "span_metrics": {**dimensions, "buckets": ["10ms", "1s"]}, "service_graph": dimensions}
    environment = named("dev", aggregation=changes)
    wanted = series(trace_metrics(environment.environment, ""))
    names = {one.name for one in wanted if one.kind == "counter"}
    names |= {f"{one.name}_{part}" for one in wanted if one.kind == "histogram" for part in ("sum", "count", "bucket")}
    with deployed(environment) as running:
        call(running.outputs)
        until(lambda: set(scraped(running.outputs)) >= names, f"the series {sorted(names)}", every=0.5)
        found = scraped(running.outputs)
    assert set(found) == names
    for one in wanted:
        suffix = "_bucket" if one.kind == "histogram" else ""
        labels = {label for labels in found[one.name + suffix] for label in labels}
        assert labels == {*one.labels, *(["le"] if suffix else [])}, one.name
        bounds = {labels["le"] for labels in found[one.name + suffix] if "le" in labels} - {"+Inf"}
        assert sorted(map(float, bounds)) == list(one.bounds), one.name
