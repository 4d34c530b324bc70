"""Every ``OTEL_*`` variable of the specification is honoured, or named in a warning, as the table in the documentation says."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from tests.pem import certificate
from tracing_lib import TracingSettings
from tracing_lib.contract import environment
from tracing_lib.export.resource import build_resource

PAGE = (Path(__file__).parents[3] / "docs" / "library" / "variables.md").read_text()
ROWS = re.findall(r"^\| `(OTEL_[A-Z_]+)=([^`]*)` \| (\w+) \| (.*) \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("name", "value", "what", "_effect"), ROWS)
def test_a_variable_does_what_its_row_in_the_table_says(
    name: str, value: str, what: str, _effect: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    given = value
    if value == "FILE":
        path = tmp_path / "ca.pem"
        path.write_text(certificate(tmp_path, "localhost")[0])
        given = str(path)
    environ = {name: given}
    if name == "OTEL_TRACES_SAMPLER_ARG":
        environ["OTEL_TRACES_SAMPLER"] = "traceidratio"
    plain = TracingSettings.from_environment({}, service_name="a")
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        found = TracingSettings.from_environment(environ, service_name="a")
    warned = any(name in record.getMessage() for record in caplog.records)
    assert warned is (what == "warned")
    changed = found != plain
    assert changed is (what == "honoured"), "a variable that the SDK reads is honoured by it, and no setting"


def test_every_variable_that_is_read_or_named_has_a_row() -> None:
    code = Path(environment.__file__).read_text()
    assert {name for name, *_ in ROWS} >= set(re.findall(r"\"(OTEL_[A-Z_]+)\"", code))


def test_an_unknown_sampler_and_a_ratio_out_of_range_are_named_and_are_as_none(caplog: pytest.LogCaptureFixture) -> None:
    plain = TracingSettings.from_environment({}, service_name="a")
    for environ in (
        {"OTEL_TRACES_SAMPLER": "xray"},
        {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1.5"},
        {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "half"},
    ):
        caplog.clear()
        assert TracingSettings.from_environment(environ, service_name="a") == plain
        assert list(environ)[-1] in caplog.text


def test_a_queue_smaller_than_the_default_batch_makes_the_batch_smaller() -> None:
    found = TracingSettings.from_environment({"OTEL_BSP_MAX_QUEUE_SIZE": "100"}, service_name="a")
    assert (found.queue_size, found.batch_size) == (100, 100)


def test_the_operators_host_name_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "host.name=box-7")
    assert build_resource(TracingSettings(service_name="a")).attributes["host.name"] == "box-7"
