"""A difference of a document is said once, at the promise that it breaks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from stacks.verify.differences import differences, subset
from tests.stacks import samples

if TYPE_CHECKING:
    from collections.abc import Callable

    Document = dict[str, Any]


def text_of(workload: str, name: str, base: str = "prod") -> str:
    return next(document.text for document in samples.planned(base).workload(workload).documents if document.name == name)


def told(base: str, workload: str, name: str, change: Callable[[Any], object]) -> list[tuple[str, str]]:
    planned = text_of(workload, name, base)
    document = yaml.safe_load(planned)
    change(document)
    text = json.dumps(document) if name.endswith(".json") else yaml.safe_dump(document, sort_keys=False)
    found = differences(f"{workload}/{name}", planned, text)
    return [(one.owner, one.text.partition(": ")[2]) for one in found]


def put(*path: str, value: object) -> Callable[[Any], None]:
    def change(document: Any) -> None:  # noqa: ANN401 - a document
        *above, last = path
        for key in above:
            document = document[key]
        document[last] = value

    return change


PROCESSORS = ("service", "pipelines", "traces", "processors")
WALL = ["memory_limiter", "k8s_attributes", "transform/repair", "redaction", "transform/privacy"]


@pytest.mark.parametrize(
    ("base", "workload", "name", "change", "expected"),
    [
        ("prod", "agent", "collector.yaml", dict, []),
        (
            "prod",
            "agent",
            "collector.yaml",
            put(*PROCESSORS, value=WALL[:-1]),
            [("privacy", "service.pipelines.traces.processors.transform/privacy is missing")],
        ),
        (
            "prod",
            "agent",
            "collector.yaml",
            put(*PROCESSORS, value=[*WALL[1:], WALL[0]]),
            [("documents", "service.pipelines.traces.processors (order) is")],
        ),
        ("prod", "agent", "collector.yaml", put("processors", "redaction", "redact_all_types", value=False), [("privacy", "processors")]),
        ("prod", "agent", "collector.yaml", put("extensions", "bearertokenauth", "filename", value="/x"), [("intake", "extensions")]),
        ("prod", "agent", "collector.yaml", put("extensions", "health_check", "endpoint", value="0.0.0.0:1"), [("ports", "extensions")]),
        (
            "prod",
            "gateway",
            "collector.yaml",
            put("processors", "tail_sampling", "decision_wait", value="1s"),
            [("sampling", "processors")],
        ),
        ("prod", "gateway", "collector.yaml", put("exporters", "otlp_grpc", "endpoint", value="x:1"), [("documents", "exporters")]),
        ("prod", "sampling", "strategies.json", put("default_strategy", "param", value=0.1), [("strategies", "default_strategy")]),
        (
            "prod-tempo",
            "tempo",
            "tempo.yaml",
            put("backend_worker", "compaction", "block_retention", value="1h"),
            [("retention", "backend")],
        ),
    ],
)
def test_a_setting_belongs_to_the_promise_that_it_keeps(
    base: str, workload: str, name: str, change: Callable[[Any], object], expected: list[tuple[str, str]]
) -> None:
    found = told(base, workload, name, change)
    assert [owner for owner, _ in found] == [owner for owner, _ in expected]
    assert all(text.startswith(begin) for (_, text), (_, begin) in zip(found, expected, strict=True)), found


def test_a_document_that_cannot_be_read_is_a_difference() -> None:
    found = list(differences("jaeger/jaeger.yaml", text_of("jaeger", "jaeger.yaml"), "{"))
    assert [one.owner for one in found] == ["documents"]
    assert "cannot be read" in found[0].text


def test_every_setting_of_every_document_is_found_when_it_is_missing() -> None:
    for workload in samples.planned("prod").workloads:
        for document in workload.documents:
            assert not list(differences(f"{workload.name}/{document.name}", document.text, document.text))
            empty = "" if document.name.endswith(".cfg") else "{}"
            assert len(list(differences(f"{workload.name}/{document.name}", document.text, empty))) > 3


def test_what_an_api_server_adds_is_no_difference_and_what_it_lacks_is_one() -> None:
    planned = {"spec": {"replicas": 3, "ports": [{"name": "a", "port": 1}], "labels": {}}}
    assert list(subset(planned, {"spec": {"replicas": 3, "ports": [{"name": "a", "port": 1, "protocol": "TCP"}]}, "status": {}})) == []
    found = list(subset(planned, {"spec": {"ports": [{"name": "a", "port": 2}]}}))
    assert found == ["spec.replicas is missing", "spec.ports.0.port is 2, planned 1"]
    assert list(subset({"a": [1]}, {"a": [1, 2]})) == ["a has 2 entries, planned 1"]
