"""The promises, and the finding on each: its verdict, its evidence, and the next command."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

Name = Literal[
    "servers",
    "versions",
    "documents",
    "ports",
    "intake",
    "strategies-access",
    "strategies",
    "login",
    "delivery",
    "privacy",
    "sampling",
    "share",
    "retention",
    "queue",
    "disk",
    "certificates",
    "alerts",
]
"""Names of the promises, in the order of the table."""

Verdict = Literal["kept", "broken", "cannot be told", "not promised"]

NAMES: tuple[Name, ...] = get_args(Name)

SENTENCES: Mapping[Name, str] = {
    "servers": "every server of the plan runs and answers",
    "versions": "the servers are of the planned versions",
    "documents": "each server was started with the planned document",
    "ports": "nothing is open that the plan does not open",
    "intake": "who lacks the token, the authority or TLS is refused at the intake",
    "strategies-access": "who lacks them is refused at the strategy server",
    "strategies": "services are told the planned strategies",
    "login": "the user interface asks for a login",
    "delivery": "a span that is sent can be read",
    "privacy": "secrets and personal values come out masked",
    "sampling": "tail sampling has the planned policies",
    "share": "the planned share of traces is kept",
    "retention": "no trace can be read after its retention",
    "queue": "the queues have room",
    "disk": "the volume of the traces has room",
    "certificates": "the certificates are valid for long enough",
    "alerts": "the planned alerts are loaded",
}
"""The sentence of each promise."""

_SHOWN = 3


class CannotTellError(Exception):
    """A thing that cannot be looked at on this placement, or from here. The text says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The finding on one promise. ``then`` is the next command, empty where there is nothing to do."""

    promise: Name
    sentence: str
    verdict: Verdict
    evidence: str
    then: str = ""

    def as_mapping(self) -> dict[str, Any]:
        """The finding for programs."""
        return asdict(self)


@dataclass(slots=True)
class Account:
    """Record of one promise: facts that keep it, faults that break it, and what could not be seen.

    ``absent`` is why the environment does not promise it, ``then`` the next command if it is broken.
    """

    promise: Name
    facts: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    absent: str | None = None
    then: str = ""

    def finding(self) -> Finding:
        """The verdict: one fault breaks a promise, and one that was not seen whole is not kept."""
        if self.faults:
            return self._told("broken", _few(self.faults), f"{self.then}; the cause: docs/operating.md, verify: {self.promise}")
        if self.absent is not None:
            return self._told("not promised", self.absent, "")
        if self.unseen or not self.facts:
            evidence = _few([*self.unseen, *self.facts]) or "nothing was seen"
            return self._told("cannot be told", evidence, f"see docs/operating.md, verify: {self.promise}")
        return self._told("kept", _few(self.facts), "")

    def _told(self, verdict: Verdict, evidence: str, then: str) -> Finding:
        return Finding(self.promise, SENTENCES[self.promise], verdict, evidence, then)


def _few(sentences: list[str]) -> str:
    """The first of some sentences, and the number of the others."""
    told = list(dict.fromkeys(sentences))
    more = [f"and {len(told) - _SHOWN} more"] if len(told) > _SHOWN else []
    return "; ".join([*told[:_SHOWN], *more])
