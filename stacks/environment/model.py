"""The environment: one typed value from which everything else follows."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stacks.environment.cluster import Kubernetes
from stacks.environment.monitoring import Monitoring
from stacks.environment.moves import JaegerBackend, OtlpBackend, TempoBackend, backend_of
from stacks.environment.section import Section
from stacks.environment.sections import (
    Access,
    Aggregation,
    Collectors,
    Docker,
    Images,
    Ingest,
    Load,
    Local,
    Retention,
    Sampling,
)
from stacks.environment.units import Label

PROJECT = "virtengine-tracing"
KEY = f"{PROJECT}:environment"


class Environment(Section):
    """A tracing backbone in one environment. Every other value in this project follows from it."""

    target: Annotated[Local | Docker | Kubernetes, Field(discriminator="kind")]
    """Target on which the backbone runs."""
    namespace: Label = Field(default="virtengine-observability", title="namespace")
    """Kubernetes namespace, and prefix of the names on a Docker host. Default: the name in the requirement."""
    backend: Annotated[JaegerBackend | TempoBackend | OtlpBackend, Field(discriminator="kind")]
    """Server that stores the traces and shows them, deployed here or there already."""
    collectors: Collectors = Collectors()
    """Collectors, which carry the spans from the services to the backend."""
    sampling: Sampling
    """Share of traces that are recorded, and the rules for storing them."""
    aggregation: Aggregation = Aggregation()
    """Metrics made of traces."""
    monitoring: Monitoring = Monitoring()
    """Scraping, alerts and dashboards."""
    retention: Retention = Retention()
    """Retention of stored data."""
    access: Access | None = None
    """Login and host name of the user interface. Default: none, so that only a port-forward reaches it."""
    ingest: Ingest = Ingest()
    """Senders of spans, and how they are checked."""
    images: Images = Images()
    """Source of container images."""
    load: Load
    """Load that the services are expected to send."""

    @property
    def place(self) -> tuple[str, ...]:
        """The target by its address, and the namespace there: where a backbone is, whatever else is said of it."""
        target = self.target
        address = target.context if target.kind == "kubernetes" else target.host if target.kind == "docker" else ""
        return target.kind, address, self.namespace

    @property
    def beside(self) -> Environment | None:
        """The environment as its second store has it: with that store alone, and its retention; None where there is no second store."""
        also = self.backend.also
        if also is None:
            return None
        retention = self.retention if also.retention is None else self.retention.model_copy(update={"traces": also.retention})
        return self.model_copy(update={"backend": backend_of(also.store), "retention": retention})

    @property
    def stores(self) -> tuple[Environment, ...]:
        """The environment as each of its stores has it, in the order in which they are asked for a trace.

        The ``backend`` of each is the store and ``retention`` is that of the store; all else is the same.
        """
        return (self, second) if (second := self.beside) is not None else (self,)
