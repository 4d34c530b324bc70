"""The registry of attributes: the declarations that decide which attributes leave the process, and in which form.

An attribute without a declaration stays in the process. A pattern cannot recognise a person's name, so a string leaves only under a
declared key, and only in the shape declared for that key.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Final

from tracing_lib.base.background import after_fork
from tracing_lib.base.errors import PrivacyError, explain
from tracing_lib.privacy.attribute import Attribute, Shape
from tracing_lib.privacy.declarations import CONVENTIONS, NAMES, OWN, WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator


_OWN: Final = re.compile(r"[a-z][a-z0-9_]*([.-][a-z0-9_]+)*")
_WORD: Final = re.compile(r"[a-z]+")
_MOST_ROUTES: Final = 1024


class Registry:
    """A set of declarations. Every thread may add to it.

    The declarations of ``parent`` are copied; a later one of either is not in the other. ``REGISTRY`` is that of this process.
    """

    def __init__(self, parent: Registry | None = None) -> None:
        self._renew_lock()
        self._attributes: dict[str, Attribute] = {}
        self._names: set[str] = set()
        self._words: set[str] = set()
        self._routes: set[str] = set()
        self.version = 0
        if parent is not None:
            self._copy(parent)
        after_fork(self._renew_lock)

    def _renew_lock(self) -> None:
        # A lock that another thread holds during a fork stays locked in the child. Reentrant, as a finalizer may end a span at any time.
        self._lock = threading.RLock()

    def _copy(self, parent: Registry) -> None:
        # Each copy is one step of the interpreter.
        self._attributes, self._names, self._words = dict(parent._attributes), set(parent._names), set(parent._words)

    def declare(self, *attributes: Attribute) -> None:
        """Declare attributes of a service. They leave the process as their declarations say.

        Raises ``PrivacyError`` for a key that is not of lower-case words joined by dots, a key with another declaration, a choice without
        values, values of another shape, and an empty meaning. Then none of them is declared.
        """
        for attribute in attributes:
            place = f"attribute {attribute.key[:80]!r}"
            if not _OWN.fullmatch(attribute.key):
                right = "lower-case words joined by dots, such as order.id"
                raise PrivacyError(explain(place, "is not a key of an attribute", right, "rename it"))
            if (attribute.shape is Shape.CHOICE) != bool(attribute.values):
                wrong = f"has the shape {attribute.shape.value} and {len(attribute.values)} values"
                raise PrivacyError(explain(place, wrong, "values for a choice, and for nothing else", "give Attribute.values"))
            if not attribute.meaning.strip():
                raise PrivacyError(explain(place, "has no meaning", "what its value says, in one sentence", "write Attribute.meaning"))
        self._add(attributes)

    def declare_convention(self, *attributes: Attribute) -> None:
        """Declare attributes of another convention, for instrumentations whose keys a service cannot choose.

        Raises ``PrivacyError`` for a key with another declaration.
        """
        self._add(attributes)

    def declare_names(self, *names: str) -> None:
        """Declare names of spans and events. They leave the process unchanged, and their words are kept in other names.

        A name from code, a route, and a name made of declared words need no declaration. ``reconcile Kubelet leases`` needs one.
        """
        with self._lock:
            self._names.update(names)
            for name in names:
                self._words.update(_WORD.findall(name.lower()))
            self.version += 1

    def _add(self, attributes: tuple[Attribute, ...]) -> None:
        with self._lock:
            for attribute in attributes:
                if self._attributes.get(attribute.key, attribute) != attribute:
                    wrong = "has a declaration with another meaning, shape or privacy"
                    place = f"attribute {attribute.key!r}"
                    raise PrivacyError(explain(place, wrong, "one declaration for each key", "use the one that is there, or another key"))
            for attribute in attributes:
                self._attributes[attribute.key] = attribute
                if attribute.key.startswith("virtengine."):
                    self._words.update(_WORD.findall(attribute.key))
            self.version += 1

    def get(self, key: str) -> Attribute | None:
        """Return the declaration of a key, or None."""
        return self._attributes.get(key)

    def knows_name(self, name: str) -> bool:
        """Whether a name of a span or event is declared."""
        return name in self._names

    def knows_route(self, route: str) -> bool:
        """Whether a framework gave this route."""
        return route in self._routes

    def learn_route(self, route: str) -> None:
        """Keep a route that a framework gave in names of spans; of more than 1,024 the first ones."""
        with self._lock:
            if len(self._routes) < _MOST_ROUTES and route not in self._routes:
                self._routes.add(route)
                self.version += 1

    def knows_word(self, word: str) -> bool:
        """Whether a lower-case word occurs in a declared name or key. Such a word is kept in names and paths."""
        return word in self._words

    def __iter__(self) -> Iterator[Attribute]:
        """Iterate over the declarations, sorted by key."""
        return iter([self._attributes[key] for key in sorted(self._attributes)])

    def __len__(self) -> int:
        return len(self._attributes)


def _library_registry() -> Registry:
    registry = Registry()
    registry.declare(*OWN)
    registry.declare_convention(*CONVENTIONS)
    registry.declare_names(*WORDS, *NAMES)
    return registry


REGISTRY: Final = _library_registry()
"""The registry of this process: the library's declarations, and those that a service adds by ``declare``."""


def library_registry() -> Registry:
    """Return the registry of this process."""
    return REGISTRY


def declare(*attributes: Attribute) -> None:
    """Declare attributes of a service for this process. Raises ``PrivacyError`` as ``Registry.declare`` does."""
    REGISTRY.declare(*attributes)


def declare_names(*names: str) -> None:
    """Declare names of spans and events for this process, as ``Registry.declare_names`` does."""
    REGISTRY.declare_names(*names)
