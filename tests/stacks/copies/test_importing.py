"""Lines that are larger than a request, lines that are no trace, and imports of something else that were broken off."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from stacks.cli.cli import main
from stacks.copies.archive import CopyError, NoTracesError, Progress
from stacks.copies.importing import import_traces
from tests.tracing_lib.receivers import grpc_receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.tracing_lib.receivers import Received

LARGE = 5_000
"""Spans of a trace that no request has room for."""


@pytest.fixture
def receiver() -> Iterator[Received]:
    with grpc_receiver() as received:
        yield received


def group(service: str, numbers: range, text: str = "") -> dict[str, Any]:
    attributes = [{"key": "text", "value": {"stringValue": text}}]
    spans = [{"traceId": "a" * 32, "spanId": f"{number + 1:016x}", "name": str(number), "attributes": attributes} for number in numbers]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resource": resource, "schemaUrl": "r", "scopeSpans": [{"scope": {"name": f"s-{service}"}, "schemaUrl": "s", "spans": spans}]}


def write(path: Path, *traces: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps({"resourceSpans": groups}) + "\n" for groups in traces))
    return path


def address(receiver: Received) -> str:
    return urlsplit(receiver.url).netloc


def sent(receiver: Received) -> list[tuple[str, str, str, str, str]]:
    """Every span that came, with all that it came with."""
    return [
        (one.resource.attributes[0].value.string_value, one.schema_url, scope.scope.name, scope.schema_url, span.name)
        for request in receiver.requests
        for one in request.resource_spans
        for scope in one.scope_spans
        for span in scope.spans
    ]


@pytest.mark.parametrize(("spans", "text"), [(LARGE, ""), (60, "x" * 300_000)])
def test_a_trace_that_is_larger_than_a_request_is_sent_in_several(spans: int, text: str, receiver: Received, tmp_path: Path) -> None:
    huge = [group("portal", range(spans // 2), text), group("chain", range(spans // 2, spans), text)]
    small = [group("last", range(spans, spans + 1))]
    file, told = write(tmp_path / "huge.jsonl", small, huge, small), list[Progress]()
    done = import_traces(file, address(receiver), told.append)
    assert (done.traces, done.spans) == (3, spans + 2)
    expected = [
        *(("portal", "r", "s-portal", "s", str(number)) for number in range(spans // 2)),
        *(("chain", "r", "s-chain", "s", str(number)) for number in range(spans // 2, spans)),
    ]
    last = ("last", "r", "s-last", "s", str(spans))
    assert sent(receiver) == [last, *expected, last]
    assert max(request.ByteSize() for request in receiver.requests) < 3 * 2**20
    assert [progress.at for progress in told] == sorted(progress.at for progress in told)
    assert told[1].at == 1, "a line counts when all of it is sent"


def test_a_span_that_no_receiver_takes_is_told_at_once_with_its_line(receiver: Received, tmp_path: Path) -> None:
    file = write(tmp_path / "huge.jsonl", [group("portal", range(1))], [group("portal", range(1), "x" * 5 * 2**20)])
    with pytest.raises(CopyError, match=r"huge\.jsonl: line 2: is too large for .*take the line out of the file"):
        import_traces(file, address(receiver), lambda _: None)


@pytest.mark.parametrize("line", ["[" * 200_000, '{"resourceSpans":' * 20_000, '{"resourceSpans": [{"scopeSpans": 5}]}'])
def test_a_line_that_is_no_trace_is_told(line: str, receiver: Received, tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text(line)
    with pytest.raises(CopyError, match=r"deep\.json: line 1: is .*; export the file again"):
        import_traces(tmp_path / "deep.json", address(receiver), lambda _: None)


@pytest.mark.parametrize("text", ["", "\n\n", '{"resourceSpans": []}\n'])
def test_a_file_without_a_trace_is_told_and_ends_with_1(
    text: str, receiver: Received, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "empty.json"
    file.write_text(text)
    assert main(["import", "dev", str(file), "--to", address(receiver)]) == 1
    assert capsys.readouterr().err.endswith("empty.json: holds no trace, so none was sent; export a longer time, or without --service\n")
    assert sorted(tmp_path.iterdir()) == [file]


def break_off(_: Progress) -> None:
    raise NoTracesError("stands for a kill")


def test_an_import_is_finished_by_the_same_wish_alone(receiver: Received, tmp_path: Path) -> None:
    file = write(tmp_path / "m.jsonl", *[[group("portal", range(1_500))]] * 2)
    with pytest.raises(NoTracesError):
        import_traces(file, address(receiver), break_off, store="store of dev")
    with pytest.raises(CopyError, match=r"store of dev, now asked for: second store of dev\); give the same arguments as then"):
        import_traces(file, address(receiver), break_off, store="second store of dev")
    with pytest.raises(CopyError, match=r"to 127\.0\.0\.1:.*, now asked for: 127\.0\.0\.1:1"):
        import_traces(file, "127.0.0.1:1", break_off, store="store of dev")
    write(file, *[[group("forged", range(1_500))]] * 2)
    with pytest.raises(CopyError, match=r"file of .* bytes with checksum"):
        import_traces(file, address(receiver), break_off, store="store of dev")
    write(file, *[[group("portal", range(1_500))]] * 2)
    assert import_traces(file, address(receiver), lambda _: None, store="store of dev").traces == 2
    assert len(receiver.requests) == 2


@pytest.mark.parametrize("note", ['{"wanted": 5}', "[" * 200_000, '{"wanted": {"bytes": 1}, "at": 0, "bytes": 0, "traces": 0, "spans": 0}'])
def test_a_note_of_something_else_beside_an_import_is_told(note: str, receiver: Received, tmp_path: Path) -> None:
    file = write(tmp_path / "m.jsonl", [group("portal", range(1))])
    (tmp_path / "m.jsonl.imported").write_text(note)
    with pytest.raises(CopyError, match=r"m\.jsonl\.imported: is no progress of a copy; look what it is, and begin anew: rm -f "):
        import_traces(file, address(receiver), lambda _: None)


@pytest.mark.parametrize("to", ["http://127.0.0.1:27600", "foo", "a:b:c", "127.0.0.1:99999", "127.0.0.1"])
def test_an_address_that_is_none_is_refused_at_once(to: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["import", "dev", "none.gz", "--to", to])
    assert "is not a host with its port; write for example 127.0.0.1:" in capsys.readouterr().err
