"""An environment that cannot be used, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.stacks.samples import Changes, settings, text


@dataclass(frozen=True)
class Bad:
    """What is changed, the key that must be named, and words of what is wrong and of what would be right there."""

    id: str
    key: str
    wrong: str
    right: str
    changes: Changes = field(default_factory=dict)
    content: bytes | None = None

    @property
    def file(self) -> bytes:
        return self.content if self.content is not None else text(settings("prod", self.changes)).encode()


def value(id_: str, key: str, value: object, wrong: str, right: str, *, named: str = "", more: Changes | None = None) -> Bad:
    """One value put in the place of a setting; ``named`` is the key of the message where it is another one."""
    return Bad(id_, f"environment.{named or key}", wrong, right, {key: value} | dict(more or {}))
