"""Every ``OTEL_*`` variable of the specification is honoured, or named in a warning, as the table in the documentation says."""

from __future__ import annotations

import logging
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pem import certificate
from tracing_lib import SettingsError, TracingSettings
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


NUMBERS = [name for name, *_ in ROWS if re.search("TIMEOUT|DELAY|SIZE|LIMIT$", name) and "ZIPKIN" not in name]
WORDS = ["OTEL_SDK_DISABLED", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_COMPRESSION"]
WRONG = [
    *((name, value) for name in NUMBERS for value in ("soon", "-1", "1.5", "9" * 30, "9" * 5000, "0x10")),
    *((name, "0") for name in NUMBERS if "LIMIT" not in name),
    *((name, value) for name in [*WORDS, "OTEL_TRACES_SAMPLER"] for value in ("yes", "1", "http/json", "deflate", "🚀")),
    *(("OTEL_PROPAGATORS", value) for value in ("baggage,tracecontext,b3", "tracecontext,,baggage,x", "no such", "xray, none")),
]


def test_a_value_that_cannot_be_used_is_named_and_is_as_none(caplog: pytest.LogCaptureFixture) -> None:
    plain = TracingSettings.from_environment({}, service_name="a")
    assert len(NUMBERS) > 14
    for name, value in WRONG:
        caplog.clear()
        assert TracingSettings.from_environment({name: value}, service_name="a") == plain, (name, value)
        assert name in caplog.text, (name, value)
        assert len(caplog.text) < 400


def test_the_general_variable_holds_where_the_one_for_traces_cannot_be_used() -> None:
    given = {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "x", "OTEL_EXPORTER_OTLP_PROTOCOL": "GRPC", "OTEL_BSP_EXPORT_TIMEOUT": "5"}
    found = TracingSettings.from_environment({**given, "OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, service_name="a")
    assert (found.protocol, found.export_timeout_seconds) == ("grpc", 0.005)


@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_TRACES_SAMPLER", "Always_Off"), ("OTEL_EXPORTER_OTLP_COMPRESSION", "GZIP")]
)
def test_a_word_is_read_in_any_case(name: str, value: str) -> None:
    plain = TracingSettings.from_environment({}, service_name="a")
    assert TracingSettings.from_environment({name: value}, service_name="a") != plain


PROGRAM = """
from tracing_lib import configure
from tracing_lib.instrument.http import AsgiTracing
from tracing_lib.propagation import carry
from opentelemetry import propagate, trace
import os
tracing = configure(console=True)
with trace.get_tracer("t").start_as_current_span("hello"):
    propagate.inject(found := {})
print("traceparent" in found, all(os.environ[name] for name in ("OTEL_PROPAGATORS", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT")))
"""


def test_a_service_starts_whatever_the_variables_of_opentelemetry_hold() -> None:
    wrong = {name: value for name, value in WRONG if value != "0" and len(value) < 100} | {"OTEL_PROPAGATORS": "baggage,tracecontext,b3"}
    wrong |= {"OTEL_SDK_DISABLED": "yes", "OTEL_SPAN_EVENT_COUNT_LIMIT": ""}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=os.environ | wrong, capture_output=True, text=True, check=False)
    assert done.stdout == "True True\n", done.stderr
    assert "OTEL_PROPAGATORS has b3, without effect" in done.stderr
    assert "\nhello " in done.stderr


@pytest.mark.parametrize("name", [name for name, field in TracingSettings.model_fields.items() if field.annotation is float])
def test_no_time_is_longer_than_clocks_and_locks_take(name: str) -> None:
    for value in (1e10, math.inf, math.nan):
        with pytest.raises(SettingsError):
            TracingSettings(service_name="a", **{name: value})  # type: ignore[arg-type]
    if name != "head_ratio":
        TracingSettings(service_name="a", **{name: 2_000_000.0})  # type: ignore[arg-type]


def test_a_queue_smaller_than_the_default_batch_makes_the_batch_smaller() -> None:
    found = TracingSettings.from_environment({"OTEL_BSP_MAX_QUEUE_SIZE": "100"}, service_name="a")
    assert (found.queue_size, found.batch_size) == (100, 100)


def test_the_operators_host_name_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "host.name=box-7")
    assert build_resource(TracingSettings(service_name="a")).attributes["host.name"] == "box-7"
