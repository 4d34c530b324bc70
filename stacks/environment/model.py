"""The environment: one typed value from which everything else follows."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stacks.environment.sections import (
    Access,
    Aggregation,
    Collectors,
    Docker,
    Images,
    Ingest,
    Jaeger,
    Kubernetes,
    Load,
    Local,
    Retention,
    Sampling,
    Section,
    Tempo,
)
from stacks.environment.units import Label

PROJECT = "virtengine-tracing"
KEY = f"{PROJECT}:environment"


class Environment(Section):
    """A tracing backbone in one environment. Every other value in this project follows from it."""

    target: Annotated[Local | Docker | Kubernetes, Field(discriminator="kind")]
    """Where it runs."""
    namespace: Label = Field(default="virtengine-observability", title="namespace")
    """Kubernetes namespace, and prefix of the names on a Docker host. Default: the name in the requirement."""
    backend: Annotated[Jaeger | Tempo, Field(discriminator="kind")]
    """What stores the traces and shows them."""
    collectors: Collectors = Collectors()
    """What carries the spans from the services to the backend."""
    sampling: Sampling
    """Which traces are recorded, and which of those are stored."""
    aggregation: Aggregation = Aggregation()
    """Metrics made of traces."""
    retention: Retention = Retention()
    """How long data is kept."""
    access: Access | None = None
    """Who reaches the user interface. Default: nobody but a port-forward."""
    ingest: Ingest = Ingest()
    """Who may send spans."""
    images: Images = Images()
    """Where container images come from."""
    load: Load
    """What the services are expected to send."""
