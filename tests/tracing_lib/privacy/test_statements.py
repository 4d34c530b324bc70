"""A database statement leaves as its shape, without a literal, however it was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing_lib.privacy.policy import PrivacyPolicy
from tracing_lib.privacy.statements import shape


@pytest.mark.parametrize(
    ("statement", "left"),
    [
        ("SELECT id FROM orders WHERE id = %s", "SELECT id FROM orders WHERE id = %s"),
        ("SELECT id FROM orders WHERE id = :id AND n = $1", "SELECT id FROM orders WHERE id = :id AND n = $1"),
        ("select * from users where name = 'Jane Doe'", "select * from users where name = ?"),
        ("SELECT 1 FROM a WHERE x IN (1, 2, 3)", "SELECT ? FROM a WHERE x IN (?)"),
        ("SELECT * FROM a WHERE x IN (?, ?, ?)", "SELECT * FROM a WHERE x IN (?)"),
        ("INSERT INTO t (a, b) VALUES ('x', 1), ('y', 2)", "INSERT INTO t (a, b) VALUES (?)"),
        (
            "UPDATE t SET a = 'O''Brien', b = E'it\\'s', c = N'x', d = 0xDEADBEEF, e = -1.5e3",
            "UPDATE t SET a = ?, b = ?, c = ?, d = ?, e = ?",
        ),
        ('SELECT * FROM u WHERE name = "jane"', "SELECT * FROM u WHERE name = ?"),
        ("SELECT $tag$Jane's$tag$, $$x$$", "SELECT ?, ?"),
        ("SELECT a -- for Jane\n, b /* Jane */ FROM t # Jane", "SELECT a , b FROM t"),
        ("SELECT * FROM t WHERE a = 'never ended", "SELECT * FROM t WHERE a = ?"),
        ("SELECT `order`.`id` FROM table2 t1 LIMIT 10", "SELECT `order`.`id` FROM table2 t1 LIMIT ?"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "WITH x AS (SELECT ?) SELECT * FROM x"),
        ("GET user:jane", None),
        ('{"find": "users", "filter": {"name": "Jane"}}', None),
    ],
)
def test_of_a_statement_its_shape_leaves(statement: str, left: str | None) -> None:
    assert shape(statement) == left
    assert PrivacyPolicy().attribute("db.query.text", statement) == left
    assert PrivacyPolicy().attribute("db.statement", statement) == left


@given(st.text(), st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_no_quoted_text_and_no_number_leaves(text: str, number: float) -> None:
    quoted = text.replace("\\", "\\\\").replace("'", "''")
    statement = f"SELECT a FROM t WHERE b = '{quoted}' AND c = {number} AND d = 'end'"  # noqa: S608  never sent to a database
    assert shape(statement) == "SELECT a FROM t WHERE b = ? AND c = ? AND d = ?"


def test_of_a_statement_of_any_length_only_the_beginning_is_looked_at() -> None:
    statement = "INSERT INTO t VALUES " + "('Jane', 7), " * 400_000
    left = PrivacyPolicy().attribute("db.query.text", statement)
    assert left == shape(statement[:8192])
    assert "Jane" not in str(left)
