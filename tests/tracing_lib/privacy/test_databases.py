"""The name of a database leaves, and the path of a database that is a file does not."""

from __future__ import annotations

import pytest

from tracing_lib.privacy.policy import PrivacyPolicy

PLACE = "/home/jane.doe/shop.db"


@pytest.mark.parametrize("key", ["db.name", "db.namespace"])
def test_a_database_keeps_its_name_and_a_file_does_not(key: str) -> None:
    assert PrivacyPolicy().attribute(key, "shop") == "shop"
    assert PrivacyPolicy().attribute(key, PLACE) is None


@pytest.mark.parametrize("verb", ["insert", "INSERT", "select", "open", "Read file"])
def test_a_path_in_the_name_of_a_span_is_reduced_whatever_stands_before_it(verb: str) -> None:
    left = PrivacyPolicy().name(f"{verb} {PLACE}")
    assert left.startswith(verb)
    assert "jane" not in left
    assert "shop" not in left
