"""Reduction of a database statement to its shape: the literals of SQL are replaced, whoever wrote them into the text."""

from __future__ import annotations

import re
from typing import Final

_SQL: Final = re.compile(
    r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|MERGE|REPLACE|CREATE|ALTER|DROP|TRUNCATE|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|CALL|EXPLAIN|PRAGMA)\b",
    re.IGNORECASE,
)
"""Beginning of a statement. A text that begins otherwise is not SQL, and its literals are not known."""
_TOKEN: Final = re.compile(
    r"""--[^\n]*|\#[^\n]*|/\*.*?(?:\*/|$)                    # comments, which can hold anything
      |(?P<text>(?:\b[bBeEnNxX]|\b[uU]&)?'(?:[^'\\]|''|\\.)*(?:'|$)  # texts, also one without an end
        |"(?:[^"\\]|""|\\.)*(?:"|$)                          # a text in MySQL, elsewhere a name
        |\$(?P<tag>[A-Za-z_]*)\$.*?(?:\$(?P=tag)\$|$)         # PostgreSQL's
        |(?<![\w$%:@])[-+]?(?:0[xX][0-9a-fA-F]+|\d[\d_]*(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+)\b)
      |(?P<rest>[^\w\s.,;:()\[\]{}<>=!*/%+&|^~@$?`-])            # a sign that SQL does not have outside of texts
    """,
    re.VERBOSE | re.DOTALL,
)
_LIST: Final = re.compile(r"\(\s*(?:\?|%s)(?:\s*,\s*(?:\?|%s))+\s*\)")
_ROWS: Final = re.compile(r"(\(\?\))(?:\s*,\s*\(\?\))+")
_LONGEST: Final = 2048


def shape(statement: str) -> str | None:
    """Return a statement with ``?`` for each literal and each text in quotes, without comments, or None for a text that is not SQL.

    Lists of literals become one, so that statements which differ in their number are equal. It is cut to 2,048 characters.
    """
    if not _SQL.match(statement):
        return None
    bare = _TOKEN.sub(lambda found: "?" if found["text"] or found["rest"] else " ", statement)
    return " ".join(_ROWS.sub(r"\1", _LIST.sub("(?)", " ".join(bare.split()))).split())[:_LONGEST]
