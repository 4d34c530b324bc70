"""Arguments of a command line that nothing can be done with are refused at once, with what would be right."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from stacks.cli import values
from stacks.cli.cli import main, parsers

TYPED = [
    (verb, action)
    for verb, parser in parsers()[1].items()
    for action in parser._actions
    if action.type is not None and action.type is not Path and action.choices is None
]
"""Every argument of every verb that is parsed into something else than text and paths."""


@pytest.mark.parametrize(("verb", "action"), TYPED, ids=[f"{verb}-{action.dest}" for verb, action in TYPED])
def test_every_argument_says_what_would_be_right(verb: str, action: argparse.Action) -> None:
    assert callable(action.type)
    for text in ("abc", "nan", "inf", "1e300", "1e400", "-1", "", "9" * 5000, "\x1b[2J"):
        with pytest.raises(argparse.ArgumentTypeError) as refused:
            action.type(text)
        told = str(refused.value)
        assert re.search(r"; (write|correct) .", told), f"{verb} {action.dest} {text!r}: {told}"
        assert len(told) < 250, "a long value is quoted in part"
        assert told.isprintable()


def test_no_verb_has_a_bare_number() -> None:
    assert [(verb, action.dest) for verb, action in TYPED if action.type in {int, float}] == []


@pytest.mark.parametrize(
    ("parse", "text", "told"),
    [
        (values.hours, "0", "above 0, up to 438,000; write for example 24"),
        (values.hours, "1e9", "above 0, up to 438,000; write for example 24"),
        (values.spans_per_second, "1e200", "up to 1,000,000,000,000"),
        (values.moment, "2026-11-27", "write 2026-11-27T00:00:00Z for UTC"),
        (values.moment, "0001-01-01T00:00:00+14:00", "is before 1970"),
        (values.moment, "9999-12-31T23:59:59Z", "after 2199"),
        (values.address, "http://127.0.0.1:27600", "write for example 127.0.0.1:27600"),
        (values.address, "a:b:c", "write for example 127.0.0.1:14317"),
        (values.address, "127.0.0.1:99999", "is not a host with its port"),
        (values.address, "127.0.0.1", "is not a host with its port"),
        (values.address, "[::1", "is not a host with its port"),
        (values.url, "http://127.0.0.1:99999", "write for example http://127.0.0.1:16686"),
        (values.url, "http://[::1", "write for example http://127.0.0.1:16686"),
        (values.share, "1", "between 0 and 1, for example 0.1"),
        (values.nodes, "2.5", "a whole one from 1 to 1,000; write for example 3"),
    ],
)
def test_what_would_be_right_is_said(parse: object, text: str, told: str) -> None:
    assert callable(parse)
    with pytest.raises(argparse.ArgumentTypeError, match=re.escape(told)):
        parse(text)


def test_what_is_right_is_taken() -> None:
    assert values.moment("1970-01-01T00:00:00Z") == 0
    assert values.moment("2026-11-25T08:00:00+01:00") == 1_795_590_000
    assert values.waiting("0") == 0
    assert [values.address(text) for text in ("127.0.0.1:1", "Store.Example.org:4317", "[::1]:14317")]
    assert values.url("http://127.0.0.1:16686/jaeger") == "http://127.0.0.1:16686/jaeger"
    assert values.nodes("3") == 3


def test_the_place_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["trace", "a" * 32, "--wait", "inf"])
    assert 'argument --wait: "inf" is no number of seconds from 0 on, up to 86,400' in capsys.readouterr().err
