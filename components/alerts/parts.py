"""Parts of a plan that can fail, as its documents have them: exporters with a queue on disk, tail sampling, and volumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from components.documents import kafka
from components.documents.shards import HANDOVER

if TYPE_CHECKING:
    from components.workload import Plan, Workload

COLLECTOR = "collector.yaml"


def collectors(plan: Plan) -> list[Collector]:
    """The collectors of a plan."""
    return [Collector(plan, workload, _document(workload)) for workload in plan.workloads if workload.role in {"agent", "gateway"}]


def _document(workload: Workload) -> dict[str, Any]:
    text = next(document.text for document in workload.documents if document.name == COLLECTOR)
    read: dict[str, Any] = yaml.safe_load(text)
    return read


@dataclass(frozen=True, slots=True)
class Collector:
    """A collector of a plan with its document."""

    plan: Plan
    workload: Workload
    document: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the workload."""
        return self.workload.name

    @property
    def queues(self) -> tuple[str, ...]:
        """The exporters whose queue on disk is for spans that wait; what a gateway has taken from a topic waits there."""
        return tuple(
            name
            for name, part in self.document["exporters"].items()
            if "storage" in (part.get("sending_queue") or {}) and name != kafka.TAKEN
        )

    @property
    def exporters(self) -> tuple[str, ...]:
        """The exporters by which spans leave: those of the pipelines that end with them, without a collector's calls to itself."""
        leaving = ("otlp_http/", kafka.EXPORTER)
        return self.queues or tuple(name for name in self.document["exporters"] if name.startswith(leaving) and name != kafka.TAKEN)

    @property
    def writes_topic(self) -> bool:
        """Whether spans leave it by a topic of Kafka."""
        return kafka.EXPORTER in self.document["exporters"]

    @property
    def reads_topic(self) -> bool:
        """Whether it takes spans from a topic of Kafka."""
        return kafka.RECEIVER in self.document["receivers"]

    @property
    def is_written_to(self) -> bool:
        """Whether agents write to the topic."""
        return any(other.writes_topic for other in collectors(self.plan))

    @property
    def refuses(self) -> bool:
        """Whether a full queue refuses what comes next, so that its senders repeat it; else that is lost."""
        return self.name == "agent" and HANDOVER not in self.document["processors"]

    @property
    def traces_held(self) -> int | None:
        """Traces that may wait for their decision; None without tail sampling."""
        sampling = self.document["processors"].get("tail_sampling")
        return int(sampling["num_traces"]) if sampling is not None else None

    @property
    def is_entry(self) -> bool:
        """Whether services send to it."""
        return any(edge.source == "consumers" and edge.destination == self.name for edge in self.plan.edges)

    @property
    def has_connector(self) -> frozenset[str]:
        """Connectors of a collector."""
        return frozenset(self.document["connectors"])
