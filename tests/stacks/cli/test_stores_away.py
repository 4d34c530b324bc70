"""The verbs that read traces say when one of two stores could not be asked."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stacks.cli.cli import main
from tests.stacks.show.query_server import RECORDED, TRACE_ID, query_server
from tests.tracing_lib.samples import mapping

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from tests.stacks.show.query_server import Answer


@contextmanager
def state(folder: Path, *answers: Answer) -> Iterator[str]:
    """The state of an environment whose first store answers so, and whose second store is away."""
    (folder / "dev").mkdir()
    with query_server(*answers) as (url, _), query_server((503, b"")) as (away, _):
        also = {"backend": "jaeger", "query_url": away, "ui_url": "http://127.0.0.1:1", "retention_seconds": 60}
        outputs = mapping(query_url=url, ui_url="http://127.0.0.1:1", backend="jaeger", also=also)
        (folder / "dev" / "outputs.json").write_text(json.dumps(outputs))
        yield str(folder)


def test_a_trace_that_may_be_cut_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with state(tmp_path, (200, RECORDED)) as folder:
        assert main(["trace", TRACE_ID, "dev", "--state", folder]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[-1].startswith("not told: a store cannot be asked for more spans of it: http://127.0.0.1:")
        (page,) = (tmp_path / "dev" / "pages").iterdir()
        assert "not told: a store cannot be asked for more spans of it" in page.read_text()
        assert main(["trace", TRACE_ID, "dev", "--json", "--state", folder]) == 0
        (sentence,) = json.loads(capsys.readouterr().out)["untold"]
    assert "status 503" in sentence


def test_a_story_that_is_not_found_tells_of_a_store_that_was_not_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with state(tmp_path, (200, b'{"services": [], "data": []}')) as folder:
        assert main(["story", "order-1", "dev", "--state", folder]) == 1
    first, second, last = capsys.readouterr().err.splitlines()
    assert first == "no trace with virtengine.order.id order-1 was found in what could be asked"
    assert second.startswith("not told: a store cannot be searched: http://127.0.0.1:")
    assert last == "then: ask again when every store answers, or look further back with --hours"


def test_a_story_that_no_store_has_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dev").mkdir()
    with query_server((200, b'{"services": []}')) as (url, _):
        (tmp_path / "dev" / "outputs.json").write_text(json.dumps(mapping(query_url=url, backend="jaeger")))
        assert main(["story", "order-1", "dev", "--state", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("no stored trace has virtengine.order.id order-1; look further back with --hours, or find")
