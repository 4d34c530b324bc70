"""The division of traces among gateways.

At the agent each gateway has a pipeline, an exporter and a queue of its own. So a gateway that is away holds up its own traces alone,
and what is repeated for it is repeated to no other.
"""

from __future__ import annotations

from typing import Any

Part = dict[str, Any]

_HASHES = 2**64
"""Number of values of the 64-bit hash, which the transformation language reads as a signed integer."""


def names(count: int) -> tuple[str, ...]:
    """The names that the parts of each shard have, in the order of the gateways."""
    return tuple(f"gateway-{index}" for index in range(count))


def shard_of(trace_id: bytes, count: int) -> int:
    """The index of the gateway that decides on a trace, as the conditions of ``others`` have it."""
    value = 0xCBF29CE484222325
    for character in trace_id.hex().encode():
        value = (value ^ character) * 0x100000001B3 % _HASHES
    # The conditions compare signed integers: the upper half of the hashes are the negative ones and come first.
    return (value + _HASHES // 2) % _HASHES * count // _HASHES


def others(index: int, count: int) -> str:
    """The condition, in the OpenTelemetry transformation language, that holds for the spans of all shards but one.

    The hash of the trace id decides, so that all spans of a trace are of one shard, also where ids are counted up instead of drawn.
    """
    value, start = "FNV(span.trace_id.string)", -(_HASHES // 2)
    low, high = start + index * _HASHES // count, start + (index + 1) * _HASHES // count
    bounds = [f"{value} < {low}"] if index > 0 else []
    if index < count - 1:
        bounds.append(f"{value} >= {high}")
    return " or ".join(bounds)


def filters(count: int) -> Part:
    """The processors that leave each shard its own spans; none where there is one gateway."""
    if count == 1:
        return {}
    return {
        f"filter/{name}": {"error_mode": "propagate", "trace_conditions": [{"context": "span", "conditions": [others(index, count)]}]}
        for index, name in enumerate(names(count))
    }


HANDOVER = "batch/handover"


def handover() -> Part:
    """The processor behind which a full queue loses what comes for its gateway, and refuses nothing.

    It hands on at once, and answers before the next component has. Without it one full queue would refuse whole requests, which senders
    repeat, so that the other gateways and all counts would have them several times.
    """
    return {HANDOVER: {"timeout": "0s", "send_batch_size": 0}}


def pipelines(count: int, *, receives: str, exporter: str, refuses: bool) -> Part:
    """A pipeline for each shard, from the connector ``receives`` to the ``exporter`` of its name.

    ``refuses`` tells whether a request is refused when one of the queues is full.
    """
    filtered = filters(count)
    return {
        f"traces/{name}": {
            "receivers": [receives],
            "processors": [*([f"filter/{name}"] if filtered else []), *([] if refuses else [HANDOVER])],
            "exporters": [f"{exporter}/{name}"],
        }
        for name in names(count)
    }
