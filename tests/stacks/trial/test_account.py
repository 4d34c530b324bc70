"""Shares of a topic move with its partitions, and what each gateway took is held against what it read."""

from __future__ import annotations

import pytest

from stacks.trial.account import _holder, _reader
from stacks.trial.counters import Move

READS = [Move(at, where, {}) for at, where in ((1.0, "gone"), (2.0, "gone"), (9.0, "heir"), (10.0, "heir"), (12.0, "gone"))]
"""A partition that one gateway reads until it is killed at 3, its heir from 9 on, and the first one again in the end."""


@pytest.mark.parametrize(
    ("moment", "holder", "reader"),
    [
        (0.5, "gone", "gone"),
        (1.5, "gone", "gone"),
        (5.0, "gone", "heir"),
        (9.5, "heir", "heir"),
        (11.0, "heir", "gone"),
        (13.0, "gone", "gone"),
    ],
)
def test_spans_are_of_who_reads_next_and_lateness_of_who_had_read_last(moment: float, holder: str, reader: str) -> None:
    assert (_holder(READS, moment), _reader(READS, moment)) == (holder, reader)


def test_a_partition_that_nobody_has_read_is_of_nobody() -> None:
    assert (_holder([], 1.0), _reader([], 1.0)) == (None, None)
