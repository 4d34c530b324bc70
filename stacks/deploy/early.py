"""A probe that goes in before the engine looks for changes: where there are none, the tail sampler has decided by the time it ends."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stacks.deploy.cluster import ClusterError
from stacks.deploy.probe import ProbeError, Sent, probe, received, send
from stacks.show.errors import QueryError
from stacks.show.fetch import protocol_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stacks.environment.model import Environment
    from stacks.placement.outputs import Outputs
    from stacks.show.query import Trace

_WAIT_SECONDS = 5.0
"""Time for an intake that works to take a span; one that does not is asked again after the deployment."""


@contextmanager
def sent_early(environment: Environment | None, outputs: Callable[[], Outputs]) -> Iterator[Future[Sent | None]]:
    """Send a probe to what is deployed, while the context lasts. Its result is None where nothing is, or where it was not taken."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(_sent, environment, outputs)


def _sent(environment: Environment | None, outputs: Callable[[], Outputs]) -> Sent | None:
    if environment is None:
        return None
    try:
        return send(environment, outputs(), wait_seconds=_WAIT_SECONDS)
    except (ClusterError, ProbeError, OSError):
        return None  # the probe after the deployment says what is wrong


def probed(environment: Environment, outputs: Outputs, early: Sent | None, *, say: Callable[[str], None]) -> Trace | None:
    """The trace of a probe: of the one that went in early, else of a new one. None where no API is known to read it by.

    Raises ``ProbeError``.
    """
    try:
        protocol_of(outputs)
    except QueryError as error:
        sent = early or send(environment, outputs)
        say(f"a probe went in at {outputs.otlp_http_endpoint} as trace {sent.ids[0]} and is not read back")
        say(str(error))
        return None
    if early is not None:
        say(f"a probe went in at {outputs.otlp_http_endpoint} before the preview; waiting for {outputs.query_url}")
        try:
            return received(early, outputs, wait_seconds=_WAIT_SECONDS)
        except ProbeError:
            say("it did not come out in time; sending another")
    return probe(environment, outputs, say=say)
