"""Moves from one store to another: what has traces that the other lacks, for how long, and what is lost by going on too soon."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING

from stacks.changes.stores import same_data
from stacks.environment.units import format_duration

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    from stacks.environment.model import Environment
    from stacks.environment.moves import Store

    Key = tuple[str, ...]

PLACES: tuple[Key, ...] = (("backend",), ("backend", "also", "store"))
"""The keys at which an environment has its stores, in their order."""

_DAY = timedelta(days=1)
_SECOND, _RETENTION = "backend.also.store.", "retention.traces"


def title(store: Store) -> str:
    """A store in a sentence."""
    named = f" ({store.name})" if store.name is not None else ""
    match store.kind:
        case "jaeger":
            return f"{store.storage.kind}{named}"
        case "tempo":
            return f"Tempo on {store.storage.kind}{named}"
        case "otlp":
            return f"{store.endpoint}{named}"


def when_empty(environment: Environment, since: dt.date | None) -> str:
    """The time from which on a store has nothing that the one beside it lacks; ``since`` is when both began to have all traces."""
    kept = environment.retention.traces
    if since is None:
        return f"{format_duration(kept)} after both were deployed"
    # Both may have been deployed at the end of that day.
    return f"from {since + kept + _DAY} on"


@dataclass(frozen=True, slots=True)
class Move:
    """The stores of an environment and of the one that takes its place: a store is compared with itself, wherever it stands."""

    old: Environment
    new: Environment

    @property
    def is_one(self) -> bool:
        """Whether there are two stores before or after, on the same target."""
        return len(self.old.stores) + len(self.new.stores) > 2 and self.old.place == self.new.place  # noqa: PLR2004 - one each

    def relocated(self, before: Mapping[Key, object]) -> dict[Key, object]:
        """The leaves of the old environment with the settings of each store at the key that the store has in the new one.

        Those of a store that is gone are at a key that no other needs.
        """
        taken = {number: self._now(store) for number, store in enumerate(self.old.stores)}
        free = [number for number in range(len(PLACES)) if number not in taken.values()]
        there = {number: PLACES[now] for number, now in taken.items() if now is not None}
        for gone in (number for number, now in taken.items() if now is None and free):
            there[gone] = PLACES[free.pop(free.index(gone) if gone in free else 0)]
        found: dict[Key, object] = {}
        for path, value in before.items():
            number = _number(path)
            if number is None:
                found[path] = value
            elif number in there:
                found[(*there[number], *path[len(PLACES[number]) :])] = value
        return found

    def meant(self, key: str) -> Iterator[tuple[str, Environment, Environment]]:
        """Stores that a changed setting concerns: its key as of the only store, and both environments as each of these stores has them.

        Nobody is concerned by the settings of a store that comes or goes; of that ``sentence`` tells.
        """
        also = self.new.backend.also
        if not self.is_one or not key.startswith(("backend.", _RETENTION)):
            yield key, self.old, self.new
            return
        of_second = key.startswith(_SECOND) or key == "backend.also.retention"
        numbers = [1] if of_second else [0, 1] if key == _RETENTION and also is not None and also.retention is None else [0]
        for number in numbers:
            if number < len(self.new.stores) and (before := self._before(self.new.stores[number])) is not None:
                after = self.new.stores[number]
                if "retention" not in key:
                    yield key.replace(_SECOND, "backend.", 1), before, after
                elif before.retention != after.retention:
                    yield _RETENTION, before, after

    def titles(self) -> tuple[list[str], list[str]]:
        """The stores before and after, in the order in which they are asked."""
        before, after = ([title(each.backend) for each in side.stores] for side in (self.old, self.new))
        return before, after

    def sentence(self) -> str:
        """Fate of stored traces as stores come and go."""
        kept = [each for each in self.new.stores if self._before(each) is not None]
        gone = [each for each in self.old.stores if self._now(each) is None]
        come = [each for each in self.new.stores if self._before(each) is None]
        if not kept:
            return "traces stored so far are in none of these stores and are not moved: write the one that has them below also first"
        told = [self._coming(each, kept[0]) for each in come] + [self._going(each, kept[0]) for each in gone]
        turned = self._now(self.old.stores[0]) != 0
        return "; ".join(told) or f"{f'{title(self.new.backend)} is asked first, and ' if turned else ''}both have what they had"

    def _coming(self, store: Environment, kept: Environment) -> str:
        also = self.new.backend.also
        when = when_empty(kept, also.since if also is not None else None)
        return (
            f"traces go to {title(store.backend)} too from now on, and {title(self.new.backend)} is asked first; {title(kept.backend)} has "
            f"older ones, and can be taken away without a loss {when}"
        )

    def _going(self, store: Environment, kept: Environment) -> str:
        also, name = self.old.backend.also, title(store.backend)
        since = also.since if also is not None else None
        when, lost = when_empty(store, since), "of before both were deployed" if since is None else f"of before {since}"
        backend = store.backend
        if backend.kind == "otlp" or (backend.kind == "jaeger" and not backend.embedded):
            rest = "what it has stays there"
        elif backend.protect:
            rest = "its volume is protected and refuses to be deleted: deploy protect: false before"
        else:
            rest = "its volume is deleted"
        return (
            f"{title(kept.backend)} alone is asked and written to; nothing is lost {when}, and on any day before that the traces {lost} "
            f"that {name} has are no longer found; {rest}; what waits for it in the gateways' queues is not delivered"
        )

    def _before(self, store: Environment) -> Environment | None:
        """The old environment as this store of the new one had it."""
        number = next(number for number, each in enumerate(self.new.stores) if each.backend == store.backend)
        return next((self.old.stores[was] for was, now in self._pairs().items() if now == number), None)

    def _now(self, store: Environment) -> int | None:
        """The place of a store of the old environment among those of the new one."""
        number = next(number for number, each in enumerate(self.old.stores) if each.backend == store.backend)
        return self._pairs().get(number)

    def _pairs(self) -> dict[int, int]:
        """The number of each old store that stays, with its number among the new ones: of its name and kind, or else with its traces."""
        found: dict[int, int] = {}
        for same in (_has_name, same_data):
            for was, now in product(range(len(self.old.stores)), range(len(self.new.stores))):
                if was not in found and now not in found.values() and same(self.old.stores[was], self.new.stores[now]):
                    found[was] = now
        return found


def _has_name(old: Environment, new: Environment) -> bool:
    return _identity(old) == _identity(new)


def _identity(environment: Environment) -> tuple[str | None, str, str]:
    store = environment.backend
    return store.name, store.kind, store.endpoint if store.kind == "otlp" else store.storage.kind


def _number(path: Key) -> int | None:
    """The store that a leaf belongs to."""
    if path[:3] == PLACES[1]:
        return 1
    return 0 if path[:1] == PLACES[0] and path[1:2] != ("also",) else None
