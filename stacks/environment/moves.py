"""Stores as the backend of an environment, and the second one that is beside the backend for the time of a move."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from stacks.environment.jaeger import Jaeger
from stacks.environment.otlp import Otlp
from stacks.environment.section import Section
from stacks.environment.tempo import Tempo
from stacks.environment.units import Age, refuse, shown

_DAY, _YEARS = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), range(2000, 3000)


def _day(value: object) -> dt.date:
    found = None
    if isinstance(value, str) and _DAY.fullmatch(value):
        with contextlib.suppress(ValueError):
            found = dt.date.fromisoformat(value)
    if found is None:
        raise refuse(f'{shown(value)} is no day; write for example "2026-11-26"')
    if found.year not in _YEARS:
        # With a retention behind it a later one would be in no calendar.
        right = f"write a day of the years {_YEARS[0]} to {_YEARS[-1]}"
        raise refuse(f"{shown(value)} is no day on which stores were deployed; {right}")
    return found


Day = Annotated[
    dt.date,
    BeforeValidator(_day),
    PlainSerializer(dt.date.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "format": "date", "pattern": "^2[0-9]{3}-", "examples": ["2026-11-26"]}),
]
"""A day of the calendar."""


class Also(Section):
    """The second store of a move. Traces go to both, each with a queue of its own; what the backend does not have is read from this one."""

    store: Annotated[Jaeger | Tempo | Otlp, Field(discriminator="kind")]
    """Store beside the backend, with the settings that it has as a backend. Required. People and programs ask the backend first."""
    retention: Age | None = Field(default=None, title="retention")
    """Age at which a trace can no longer be read from the second store. Default: none, that of `retention.traces`."""
    since: Day | None = Field(default=None, title="begin of the move", examples=["2026-11-26"])
    """Day on which both stores were deployed side by side, so that `check` and `diff` name the day on which one can go. Nothing else
    follows from it. Default: none; they then count from the deployment."""


class JaegerBackend(Jaeger):
    """Jaeger v2, on Badger or before another store, and what is beside it."""

    also: Also | None = Field(default=None, title="second store")
    """A second store for the time of a move. Default: none."""


class TempoBackend(Tempo):
    """Tempo 3 with Grafana, and what is beside it."""

    also: Also | None = Field(default=None, title="second store")
    """A second store for the time of a move. Default: none."""


class OtlpBackend(Otlp):
    """A store that is there already, and what is beside it."""

    also: Also | None = Field(default=None, title="second store")
    """A second store for the time of a move. Default: none."""


Store = Jaeger | Tempo | Otlp
"""Stores of traces, without what is beside them."""

Backend = JaegerBackend | TempoBackend | OtlpBackend
"""Stores as the backend."""


def backend_of(store: Store) -> Backend:
    """The store as the only backend of an environment."""
    match store.kind:
        case "jaeger":
            return JaegerBackend.model_construct(store.model_fields_set, **dict(store))
        case "tempo":
            return TempoBackend.model_construct(store.model_fields_set, **dict(store))
        case "otlp":
            return OtlpBackend.model_construct(store.model_fields_set, **dict(store))
