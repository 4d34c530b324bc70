"""The declaration of an attribute: its key, what it means, the shape of its values, and whether they leave the process."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Privacy(Enum):
    """Treatment of an attribute's value when its span leaves the process."""

    KEEP = "keep"
    """The value leaves unchanged, in the shape declared for it."""
    HASH = "hash"
    """A keyed digest leaves. Equal values have equal digests, and the value cannot be found from the digest without the key."""
    DROP = "drop"
    """The value never leaves. The declaration tells a reader that this was decided."""


class Shape(Enum):
    """Form of an attribute's values. A value of another form does not leave the process."""

    FLAG = "flag"
    """``True`` or ``False``."""
    NUMBER = "number"
    """An integer or a float, or its decimal digits."""
    ID = "id"
    """An identifier made by a program: at most 128 letters, digits and ``._:/-``, at least one of them a digit, no blanks."""
    CODE = "code"
    """A name from source code or from a protocol, such as ``virtengine.market.v1.Msg/CreateOrder`` or ``TimeoutError``: no blanks."""
    CHOICE = "choice"
    """Word among the declared values."""
    VERSION = "version"
    """A version number."""
    HOST = "host"
    """A host name or an IP address of a server."""
    ROUTE = "route"
    """The template of a path, such as ``/orders/{id}``. A segment that looks like a value becomes ``{}``."""
    PATH = "path"
    """A path as it was requested. Every segment that is not made of declared words becomes ``{}``."""
    URL = "url"
    """A URL. Scheme, host and port are kept, the path is treated as ``PATH``, and user, query and fragment are removed."""
    STATEMENT = "statement"
    """A database statement in SQL. Every literal and every text in quotes becomes ``?``."""
    TEXT = "text"
    """Free text. Only the privacy rules check it, and they cannot recognise a person's name, so prefer any other shape."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """The declaration of one attribute."""

    key: str
    """Key of the attribute. Own keys that other services know too begin with ``virtengine.`` (semantic conventions, "Naming")."""
    meaning: str
    """Meaning of the value in one sentence, with its unit."""
    shape: Shape = Shape.ID
    """Form of the values. Default ``ID``, because most attributes of a service are identifiers."""
    privacy: Privacy = Privacy.KEEP
    """Treatment of the values when they leave the process. Default ``KEEP``, because a declared shape already bounds them."""
    values: frozenset[str] = frozenset()
    """All values of a ``CHOICE``. Default empty: the attribute has another shape."""
    baggage: bool = False
    """Whether the attribute may also be sent as baggage, to own hosts only. Default false, because baggage costs bytes in every request."""
