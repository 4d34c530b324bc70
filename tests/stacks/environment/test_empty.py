"""A section that is written and empty is refused, because its writer meant either its defaults or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from stacks.environment.model import KEY
from stacks.environment.parse import BadEnvironmentError
from stacks.environment.source import read
from tests.stacks import samples

if TYPE_CHECKING:
    from pathlib import Path

DEFAULTS = "is empty; write {} for its defaults, null for none, or leave it out"
SETTINGS = "is empty; write its settings below it, null for none, or leave it out"
MARK = "written-here"


def _written(folder: Path, key: str, value: str) -> str:
    """The path of a stack file like prod's with a text behind a key."""
    settings = samples.settings("prod", {key: MARK})
    file = folder / "Pulumi.sample.yaml"
    file.write_text(yaml.safe_dump({"config": {KEY: settings}}).replace(MARK, value))
    return str(file)


@pytest.mark.parametrize(
    ("key", "right"),
    [
        ("monitoring.dashboards", DEFAULTS),
        ("collectors.agent.queue", DEFAULTS),
        ("monitoring.remote_write", SETTINGS),
        ("access", SETTINGS),
    ],
)
@pytest.mark.parametrize("value", ["", "  # all of it is commented out"])
def test_an_empty_section_is_refused_with_what_could_be_meant(key: str, right: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(BadEnvironmentError) as refused:
        read(_written(tmp_path, key, value))
    assert [(problem.key, problem.message) for problem in refused.value.problems] == [(f"environment.{key}", right)]


@pytest.mark.parametrize(("value", "there"), [("{}", True), ("null", False), ("~", False)])
def test_what_is_written_out_is_taken(value: str, there: object, tmp_path: Path) -> None:
    found = read(_written(tmp_path, "monitoring.dashboards", value))
    assert (found.environment.monitoring.dashboards is not None) is there


def test_an_empty_setting_that_is_no_section_is_left_to_its_type(tmp_path: Path) -> None:
    assert read(_written(tmp_path, "sampling.tail.slow", "")).environment.sampling.tail.slow is None
