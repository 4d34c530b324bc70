"""Values with units: what is read, what it is written back as, and what the formats say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from stacks.environment.hosts import Hostname, HttpsUrl
from stacks.environment.units import (
    Age,
    Bytes,
    Cores,
    Digest,
    Duration,
    Label,
    Percent,
    approximate_bytes,
    format_bytes,
    format_cores,
    format_duration,
    format_percent,
    printable,
    shown,
)

DURATION, AGE, PERCENT, BYTES, CORES = (TypeAdapter[Any](unit) for unit in (Duration, Age, Percent, Bytes, Cores))


@pytest.mark.parametrize(
    ("unit", "written", "value", "canonical"),
    [
        (DURATION, "250ms", timedelta(milliseconds=250), "250ms"),
        (DURATION, "1.5s", timedelta(milliseconds=1500), "1500ms"),
        (DURATION, "90 s", timedelta(seconds=90), "90s"),
        (DURATION, "120s", timedelta(minutes=2), "2m"),
        (AGE, "720h", timedelta(days=30), "30d"),
        (AGE, "36h", timedelta(hours=36), "36h"),
        (PERCENT, "5%", 0.05, "5 %"),
        (PERCENT, "5 %", 0.05, "5 %"),
        (PERCENT, "0.1 %", 0.001, "0.1 %"),
        (PERCENT, "100 %", 1.0, "100 %"),
        (PERCENT, "0 %", 0.0, "0 %"),
        (BYTES, "1024Mi", 2**30, "1Gi"),
        (BYTES, "10 Gi", 10 * 2**30, "10Gi"),
        (BYTES, "1024G", 1024 * 10**9, "1000000000Ki"),
        (CORES, "2", 2000, "2"),
        (CORES, 2, 2000, "2"),
        (CORES, 0.5, 500, "500m"),
        (CORES, "1.25", 1250, "1250m"),
        (CORES, "2000m", 2000, "2"),
    ],
)
def test_each_way_to_write_a_value_is_read_and_has_one_canonical_form(
    unit: TypeAdapter[Any], written: object, value: object, canonical: str
) -> None:
    assert unit.validate_python(written) == value
    assert unit.dump_python(value, mode="json") == canonical
    assert unit.validate_python(canonical) == value


@settings(max_examples=80, derandomize=True, database=None, deadline=None)
@given(st.integers(1, 36_500 * 86_400_000))
def test_no_duration_is_bent_by_writing_and_reading_it(milliseconds: int) -> None:
    value = timedelta(milliseconds=milliseconds)
    assert DURATION.validate_python(format_duration(value)) == value


@settings(max_examples=80, derandomize=True, database=None, deadline=None)
@given(st.integers(0, 1_000_000))
def test_no_percentage_of_four_decimals_is_bent_by_writing_and_reading_it(ten_thousandths: int) -> None:
    written = f"{ten_thousandths / 10_000:g} %"
    ratio = PERCENT.validate_python(written)
    assert PERCENT.validate_python(format_percent(ratio)) == ratio


@settings(max_examples=80, derandomize=True, database=None, deadline=None)
@given(st.integers(1, 2**40), st.sampled_from(["Ki", "Mi", "k", "M"]))
def test_no_size_is_bent_by_writing_and_reading_it(number: int, unit: str) -> None:
    try:
        value = BYTES.validate_python(f"{number}{unit}")
    except ValidationError as refused:
        assert "more than any disk" in str(refused)  # noqa: PT017 - both ends of a property
        return
    written = format_bytes(value)
    assert not written.endswith(("k", "M"))
    if not written.isdigit():
        assert BYTES.validate_python(written) == value


@settings(max_examples=60, derandomize=True, database=None, deadline=None)
@given(st.integers(1, 10_000_000))
def test_no_amount_of_cpu_is_bent_by_writing_and_reading_it(millicores: int) -> None:
    assert CORES.validate_python(format_cores(millicores)) == millicores


def test_sizes_for_reading_have_three_digits() -> None:
    assert [approximate_bytes(n) for n in (0, 512, 1536, 2**30, 1.4 * 2**40)] == ["0B", "512B", "1.5Ki", "1Gi", "1.4Ti"]


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("30", '"30"'),
        (30, "30"),
        (None, "null"),
        (True, "true"),
        ([1], "a list"),
        ({}, "a mapping"),
        ("a\nb\x1b[0m", '"a\\nb\\x1b[0m"'),
        ("ü →", '"ü →"'),
        ("x" * 61, f'"{"x" * 60}…"'),
        (10**80, "1" + "0" * 59 + "…"),
    ],
)
def test_a_value_is_quoted_as_the_file_has_it_on_one_short_line(value: object, quoted: str) -> None:
    assert shown(value) == quoted


def test_printable_text_is_left_as_it_is() -> None:
    assert printable("a – b 5 % ≥ x") == "a – b 5 % ≥ x"


HOST, LABEL, URL, DIGEST = (TypeAdapter[Any](unit) for unit in (Hostname, Label, HttpsUrl, Digest))


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        (HOST, "traces.virtengine.example"),
        (HOST, "localhost"),
        (LABEL, "a"),
        (LABEL, "a" * 63),
        (LABEL, "9-a"),
        (URL, "https://login.example.org:8443/realms/x"),
        (URL, "https://[::1]/"),
        (URL, "https://10.0.0.5:8443/"),
        (URL, "https://Login.example.org./"),
        (DIGEST, "sha256:" + "0a" * 32),
    ],
)
def test_right_names_are_taken_as_they_are(unit: TypeAdapter[Any], value: str) -> None:
    assert unit.validate_python(value) == value


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        (HOST, ""),
        (HOST, "a..b"),
        (HOST, "a_b"),
        (HOST, "Traces.example.org"),
        (HOST, "a" * 64 + ".org"),
        (HOST, ".".join(["a" * 60] * 5)),
        (HOST, "traces.example.org\n"),
        (LABEL, "-a"),
        (LABEL, "a-"),
        (LABEL, "a.b"),
        (LABEL, "a" * 64),
        (URL, "https://"),
        (URL, "https://user@host/"),
        (URL, "https://host/?a=b"),
        (URL, "https://host/#a"),
        (URL, "https://host:port/"),
        (URL, "https://ho st/"),
        (URL, "https://host/\u00e9"),
        (URL, "ftp://host/"),
        (URL, "https://!!!:9200"),
        (URL, "https://x..y:9200"),
        (URL, "https://-:9200"),
        (URL, "https://a_b:9200"),
        (URL, "https://10.0.0.256"),
        (URL, "https://host:"),
        (URL, "https://:secret@host/"),
        (URL, "https://host/?"),
        (DIGEST, "sha256:" + "0" * 63),
        (DIGEST, "sha256:" + "A" * 64),
        (DIGEST, "sha512:" + "0" * 64),
    ],
)
def test_wrong_names_are_refused_with_what_would_be_right(unit: TypeAdapter[Any], value: str) -> None:
    with pytest.raises(ValidationError, match=r"is not an? .*; write "):
        unit.validate_python(value)


@pytest.mark.parametrize(
    ("unit", "written"),
    [(AGE, "\u0663\u0660d"), (BYTES, "\uff11Ti"), (CORES, "\u0662"), (PERCENT, "\u0665 %"), (DURATION, "\u0661.5s"), (AGE, "\u0663\u0660")],
)
def test_digits_of_other_scripts_are_no_number(unit: TypeAdapter[Any], written: str) -> None:
    with pytest.raises(ValidationError, match=r"is not an? (duration|size|percentage|amount of CPU); write "):
        unit.validate_python(written)


@pytest.mark.parametrize("value", ["https://host/\n", " https://host/", "https://host/\u00a0"])
def test_an_address_with_a_blank_at_its_end_is_refused_with_the_same_one_without(value: str) -> None:
    with pytest.raises(ValidationError, match='begins or ends with a blank, which nothing else would have; write "https://host/"'):
        URL.validate_python(value)


@pytest.mark.parametrize(("value", "wrong"), [("https://ho\tst/", "cannot be seen"), ("https://${HOST}/", "nothing fills in")])
def test_an_address_with_what_no_address_has_is_refused_with_what_it_is(value: str, wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        URL.validate_python(value)
