"""Text of the user's means itself in every document: what a server has read is what the user wrote."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeGuard

import pytest
import yaml

from components.documents import access, jaeger
from components.documents.text import expanded_text
from stacks.environment import source
from stacks.environment.parse import BadEnvironmentError
from stacks.placement.local import deploy
from tests.servers.conftest import named
from tests.servers.spans import Sender, stored
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AWKWARD = (
    *("$", "$$", "$x", "${HOME}", "$${HOME}", "${env:HOME}", "/items/${id}", "/p$$x", "}${a", "${", "$(HOME)", "%(a)s", "{{ a }}"),
    *("1e3", "0500", "0o17", "0x1F", "1_000", ".5", "1:30", "2024-01-01", "2024-01-01 10:00", "yes", "no", "~", "null", "true", "<<", "="),
    *("- a", "a: b", "a #b", "#a", "'", '"', "\\", "\\n", "a\nb", "a\tb", "!a", "&a", "*a", "%a", "@a", "`a`", "[a", "{a", "a,b", "ü😀"),
    *("x" * 300, "word " * 60 + "end", "\x7f", "\x01", "\u0085a", "\u2028a", "\ufeffa"),
)
LETTERS = "${}()%'\"\\ \n\t:#-[]{},&*!|>@`~=<0123456789abcdefxyzEO._\x01\x7f\u00fc\u2028\U0001f600"


def texts(count: int = 500) -> list[str]:
    """As many texts, none twice: the awkward ones, and others of the letters that mean something in one of the languages."""
    chance = random.Random(7)  # noqa: S311 - to be repeated
    return list(dict.fromkeys([*AWKWARD, *("".join(chance.choices(LETTERS, k=chance.randint(1, 12))) for _ in range(count))]))


def read_back(program: Path, path: Path, text: str, *arguments: str) -> Any:  # noqa: ANN401 - YAML
    """The configuration that a server says it has read."""
    path.write_text(text)
    secrets = {"OAUTH2_PROXY_CLIENT_SECRET": "x", "OAUTH2_PROXY_COOKIE_SECRET": "0123456789abcdef"}
    command = [str(program), *arguments, f"--config={path}"]
    done = subprocess.run(command, env=os.environ | secrets, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout) if "--format=json" in arguments else yaml.load(done.stdout, Loader=yaml.BaseLoader)  # noqa: S506 - texts alone


def strings(tree: object) -> Iterator[str]:
    """Every text in a tree."""
    if isinstance(tree, str):
        yield tree
    for inner in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from strings(inner)


def test_the_collector_reads_every_text_as_it_was_written(programs: dict[str, Path], tmp_path: Path) -> None:
    document = {
        "receivers": {"nop": {}},
        "processors": {"redaction": {"ignored_keys": texts(), "ignored_key_patterns": []}},
        "exporters": {"nop": {}},
        "service": {"pipelines": {"traces": {"receivers": ["nop"], "processors": ["redaction"], "exporters": ["nop"]}}},
    }
    assert (
        read_back(programs["otelcol-contrib"], tmp_path / "collector.yaml", expanded_text(document), "print-config", "--format=json")[
            "processors"
        ]["redaction"]["ignored_keys"]
        == texts()
    )


WORDS = (
    "yes",
    "no",
    "on",
    "off",
    "y",
    "True",
    "FALSE",
    "~",
    "Null",
    "1e3",
    ".5",
    "5.",
    "+5",
    "-0",
    "1:30",
    "190:20:30",
    "0.10",
    "1e",
    "e1",
    "+.5e-1",
)


def words(count: int = 1000) -> list[str]:
    """As many unquoted words, among which are numbers, truth values and what looks like them, in one YAML or another."""
    chance = random.Random(11)  # noqa: S311 - to be repeated
    made = ("".join(chance.choices("0123456789..eE+-_xobTtruyniNlfas~:", k=chance.randint(1, 6))) for _ in range(count))
    # What is text to no reader: the beginning of a list, and the key of a mapping.
    return list(dict.fromkeys([*WORDS, *(word for word in made if word != "-" and not word.endswith(":"))]))


def read_by_us(word: str) -> object:
    """What the environment's reader takes an unquoted word for. Raises ``BadEnvironmentError`` where it is refused."""
    return source.loaded(f"a: {word}\n", "Pulumi.words.yaml", "words")["a"]


def test_an_unquoted_word_is_what_pulumis_reader_takes_it_for_or_is_refused(programs: dict[str, Path], tmp_path: Path) -> None:
    taken: dict[str, object] = {}
    for word in words():
        with suppress(BadEnvironmentError):
            value = read_by_us(word)
            # JSON, in which the other reader tells, has no form for infinity.
            if not (isinstance(value, float) and not math.isfinite(value)):
                taken[word] = value
    assert 300 < len(taken) < len(words())
    # The collector reads with the library that Pulumi's engine reads with (go.yaml.in/yaml/v3), and keeps these values as they are.
    entries = "".join(f"      w{number}: {word}\n" for number, word in enumerate(taken))
    text = f"""\
receivers: {{nop: {{}}}}
exporters: {{nop: {{}}}}
service:
  telemetry:
    resource:
{entries}
  pipelines: {{traces: {{receivers: [nop], exporters: [nop]}}}}
"""
    told = read_back(
        programs["otelcol-contrib"], tmp_path / "words.yaml", text, "print-config", "--format=json", "--mode=unredacted", "--validate=false"
    )["service"]["telemetry"]["resource"]
    for number, (word, value) in enumerate(taken.items()):
        other = told.get(f"w{number}")
        same = float(other) == float(value) if _is_number(value) and _is_number(other) else other == value and type(other) is type(value)
        assert same, f"{word}: {value!r} here, {other!r} there"


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def test_the_login_proxy_reads_every_text_as_it_was_written(programs: dict[str, Path], tmp_path: Path) -> None:
    # What it prints is YAML of Go's, which Python reads but for tabs and for blanks before a line.
    groups = tuple(text for text in texts() if text.isprintable())
    login = access.Login("https://login.example.org", 'a$b"\\ü😀', ("openid", "a$b"), "gr'${x}", groups, ("10.0.0.0/8",))
    text = access.proxy(login, host="h", listen="127.0.0.1:1", telemetry="127.0.0.1:2", upstream="http://127.0.0.1:3")
    (provider,) = read_back(programs["oauth2-proxy"], tmp_path / "oauth2-proxy.cfg", text, "--convert-config-to-alpha")["providers"]
    assert provider["allowedGroups"] == list(groups)
    assert (provider["clientID"], provider["scope"]) == (login.client_id, "openid a$b")
    assert provider["oidcConfig"]["groupsClaim"] == login.groups_claim


@pytest.mark.parametrize("folder", ["/a ${HOME} $$ b", "/1e3: #'\"\\{{x}}", "/ü😀%(a)s"])
def test_jaeger_keeps_its_traces_in_the_folder_that_was_written(programs: dict[str, Path], tmp_path: Path, folder: str) -> None:
    operation = jaeger.Operation("127.0.0.1:1", "127.0.0.1", 2)
    text = jaeger.store(
        operation,
        intake="127.0.0.1:3",
        query="127.0.0.1:4",
        query_grpc="127.0.0.1:5",
        folder=folder,
        retention_seconds=60,
        sync_writes=True,
    )
    read = read_back(programs["jaeger"], tmp_path / "jaeger.yaml", text, "print-config", "--format=json")
    assert {f"{folder}/keys", f"{folder}/values"} <= set(strings(read))


def test_noise_is_what_was_written_as_text_and_as_a_number_and_nothing_near_it(programs: dict[str, Path], tmp_path: Path) -> None:
    assert programs
    noise = {
        "routes ${x}": {"attribute": "http.route", "values": ["/items/${id}", "/p$$x", "/1e3", "1e3"]},
        "codes": {"attribute": 'code "${x}\\', "values": ["404", "true", "1.5"]},
    }
    code = 'code "${x}\\'
    dropped: list[dict[str, str | float]] = [
        {"http.route": "/items/${id}"},
        {"http.route": "/p$$x"},
        {"http.route": "1e3"},
        {code: 404},
        {code: "404"},
        {code: 1.5},
        {code: True},
    ]
    kept: list[dict[str, str | float]] = [
        {"http.route": "/items/"},
        {"http.route": "/p$x"},
        {"http.route": "1000.0"},
        {code: 405},
        {code: 1},
        {code: False},
        {"http.route": 404},
    ]
    with deploy(named("dev", sampling={"tail": {"noise": noise}}), say=print, state=tmp_path) as running:
        sender = Sender(running.outputs, seed=21)
        sent = [(attributes, sender.trace(2, attributes=attributes)) for attributes in (*dropped, *kept)]
        assert sender.send(trace for _, trace in sent)
        for attributes, trace in sent[len(dropped) :]:
            until(lambda trace=trace: stored(running.outputs, trace[0].trace_id.hex()), str(attributes), every=0.2)  # type: ignore[misc]
        for attributes, trace in sent[: len(dropped)]:
            assert stored(running.outputs, trace[0].trace_id.hex()) is None, attributes
