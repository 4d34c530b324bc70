"""Settings: the same from every source, overridden in the right order, refused by name."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from tests.tracing_lib.samples import MAPPING, TOKEN, mapping
from tracing_lib import ContractError, Outputs, SettingsError, TracingSettings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def outputs_file(tmp_path: Path) -> Path:
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(MAPPING))
    return path


def _from(environ: dict[str, str], **arguments: str) -> TracingSettings:
    return TracingSettings.from_environment({"OTEL_SERVICE_NAME": "portal", **environ}, **arguments)


def without_strategies(settings: TracingSettings) -> TracingSettings:
    """The settings as the standard variables can say them: a sampler instead of strategies and targets, and no user interface."""
    return settings.model_copy(update={"strategies_url": None, "targets": (), "trace_url": None})


def test_the_same_outputs_give_the_same_settings_from_every_source(outputs_file: Path) -> None:
    expected = TracingSettings.from_outputs(Outputs.parse(MAPPING), service_name="portal")
    assert expected.token == SecretStr(TOKEN)
    assert (expected.environment, expected.head_ratio, expected.endpoint) == ("dev", 0.25, MAPPING["otlp_http_endpoint"])
    assert (expected.strategies_url, expected.strategies_poll_seconds) == (MAPPING["strategies_url"], 60.0)
    assert [target.operation for target in expected.targets] == ["POST /orders"]
    assert TracingSettings.from_outputs(MAPPING, service_name="portal") == expected
    assert TracingSettings.from_outputs(outputs_file, service_name="portal") == expected
    assert TracingSettings.from_outputs(str(outputs_file), service_name="portal") == expected
    assert _from({"VIRTENGINE_TRACING_OUTPUTS": str(outputs_file)}) == expected
    assert _from({"VIRTENGINE_TRACING_OUTPUTS_JSON": json.dumps(MAPPING)}) == expected
    # The standard variables have no place for strategies and privacy rules; the library's own rules stand in for those.
    bare = without_strategies(expected).model_copy(update={"privacy": ()})
    assert _from(Outputs.parse(MAPPING).to_otel_environment(secrets=True)) == bare


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_shell_that_sources_the_dotenv_starts_a_service_with_the_same_settings(tmp_path: Path, protocol: str) -> None:
    outputs = Outputs.parse(mapping(otlp_token="a+b/c~d==", privacy=[]))
    dotenv = tmp_path / ".env"
    dotenv.write_text(outputs.to_dotenv(protocol=protocol, secrets=True))  # type: ignore[arg-type]
    program = (
        "from tracing_lib import TracingSettings as T; s = T.from_environment(service_name='portal');"
        "print(s.model_dump_json(exclude={'instance_id'}), s.token.get_secret_value())"
    )
    script = f"set -a; . {shlex.quote(str(dotenv))}; exec {shlex.quote(sys.executable)} -c {shlex.quote(program)}"
    answer = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    expected = without_strategies(TracingSettings.from_outputs(outputs, service_name="portal", protocol=protocol))  # type: ignore[arg-type]
    assert answer.stdout.strip() == f"{expected.model_dump_json(exclude={'instance_id'})} a+b/c~d=="


def test_the_token_variable_stands_in_for_a_masked_or_missing_token() -> None:
    for token in ("[secret]", None, ..., "another"):
        text = json.dumps(mapping(otlp_token=token))
        assert _from({"VIRTENGINE_TRACING_OUTPUTS_JSON": text, "VIRTENGINE_TRACING_TOKEN": "given"}).token == SecretStr("given")


def test_standard_variables_override_the_outputs_and_the_arguments(outputs_file: Path) -> None:
    settings = _from(
        {
            "VIRTENGINE_TRACING_OUTPUTS": str(outputs_file),
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://other:4317",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20mine, x-tenant=a%20b",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_BSP_MAX_QUEUE_SIZE": "1000",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "0.5",
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=ignored,service.version=9,deployment.environment.name=blue%20one,x=y",
        },
        service_name="argument",
        service_version="1",
    )
    assert settings.service_name == "portal"
    assert (settings.service_version, settings.environment) == ("9", "blue one")
    assert (settings.protocol, settings.endpoint) == ("grpc", "http://other:4317")
    assert settings.token == SecretStr("mine")
    assert settings.headers == {"x-tenant": SecretStr("a b")}
    assert (settings.export_timeout_seconds, settings.queue_size, settings.export_interval_seconds) == (2.5, 1000, 0.2)
    assert (settings.head_ratio, settings.strategies_url, settings.targets) == (0.5, None, ())
    assert settings.compression == "gzip"


def test_the_protocol_variable_chooses_among_the_endpoints_of_the_outputs(outputs_file: Path) -> None:
    settings = _from({"VIRTENGINE_TRACING_OUTPUTS": str(outputs_file), "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    assert settings.endpoint == MAPPING["otlp_grpc_endpoint"]


def test_variables_for_traces_alone_win_over_the_general_ones() -> None:
    settings = _from(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://general:4318",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://traces:4318/prefix/v1/traces",
            "OTEL_EXPORTER_OTLP_HEADERS": "a=1",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "b=2",
        }
    )
    assert settings.endpoint == "http://traces:4318/prefix"
    assert settings.headers == {"b": SecretStr("2")}


@pytest.mark.parametrize(
    ("sampler", "argument", "ratio"),
    [
        ("always_on", "", 1.0),
        ("always_off", "0.7", 0.0),
        ("parentbased_always_on", "", 1.0),
        ("parentbased_always_off", "", 0.0),
        ("traceidratio", "0.3", 0.3),
        ("parentbased_traceidratio", "", 1.0),
        ("", "0.7", 0.25),
    ],
)
def test_each_standard_sampler_is_a_head_ratio(outputs_file: Path, sampler: str, argument: str, ratio: float) -> None:
    environ = {"VIRTENGINE_TRACING_OUTPUTS": str(outputs_file), "OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument}
    assert _from(environ).head_ratio == ratio


@pytest.mark.parametrize(("value", "enabled"), [("true", False), ("TRUE", False), ("false", True), ("1", True), ("", True)])
def test_only_the_word_true_disables(value: str, enabled: bool) -> None:  # noqa: FBT001  a parameter of a table
    assert _from({"OTEL_SDK_DISABLED": value}).enabled is enabled


def test_without_an_endpoint_the_standard_port_of_the_protocol_is_used() -> None:
    assert TracingSettings(service_name="portal").endpoint == "http://localhost:4318"
    assert TracingSettings(service_name="portal", protocol="grpc").endpoint == "http://localhost:4317"
    assert _from({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}).endpoint == "http://localhost:4317"


def test_the_instance_id_is_one_per_process_and_differs_between_processes() -> None:
    program = "from tracing_lib import TracingSettings as T; print(T(service_name='a').instance_id)"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    assert TracingSettings(service_name="a").instance_id == TracingSettings(service_name="b").instance_id
    assert other != TracingSettings(service_name="a").instance_id


def test_a_certificate_is_read_from_the_path_in_its_variable(certificate: tuple[Path, Path]) -> None:
    settings = _from({"OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificate[0])})
    assert settings.certificate == certificate[0].read_text()


@pytest.mark.parametrize(
    ("environ", "place", "right"),
    [
        ({"OTEL_SERVICE_NAME": ""}, "OTEL_SERVICE_NAME", "the name of this service"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://host:port"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://u:hunter2@c"}, "OTEL_EXPORTER_OTLP_ENDPOINT", "without a user name"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/x"}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_CERTIFICATE": "/no/such.pem"}, "OTEL_EXPORTER_OTLP_CERTIFICATE", "PEM file"),
        ({"OTEL_EXPORTER_OTLP_CERTIFICATE": "/etc/hostname"}, "OTEL_EXPORTER_OTLP_CERTIFICATE", "PEM text"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "hunter2"}, "OTEL_EXPORTER_OTLP_HEADERS", "name=value"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "a=1,x=%0Ahunter2"}, "OTEL_EXPORTER_OTLP_HEADERS", "name=value"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20hunter2%20x"}, "OTEL_EXPORTER_OTLP_HEADERS", "RFC 6750"),
        ({"VIRTENGINE_TRACING_TOKEN": "hunter2 x"}, "VIRTENGINE_TRACING_TOKEN", "RFC 6750"),
        ({"VIRTENGINE_TRACING_OUTPUTS": "a", "VIRTENGINE_TRACING_OUTPUTS_JSON": "{}"}, "VIRTENGINE_TRACING_OUTPUTS", "one of the two"),
        ({"VIRTENGINE_TRACING_OUTPUTS": "/no/such.json"}, "VIRTENGINE_TRACING_OUTPUTS (/no/such.json)", "a file with the outputs"),
        ({"VIRTENGINE_TRACING_OUTPUTS_JSON": "{"}, "VIRTENGINE_TRACING_OUTPUTS_JSON", "a JSON object"),
    ],
)
def test_a_wrong_variable_is_named_with_what_would_be_right_and_no_secret(environ: dict[str, str], place: str, right: str) -> None:
    with pytest.raises((SettingsError, ContractError)) as caught:
        _from(environ)
    message = str(caught.value)
    assert message.startswith(f"{place}: ")
    assert right in message
    assert "Next: " in message
    assert "hunter2" not in message


def test_wrong_arguments_are_named_all_at_once_without_their_secrets() -> None:
    with pytest.raises(SettingsError) as caught:
        TracingSettings(service_name="", head_ratio=3, token=SecretStr("hunter2 x"), shutdown_seconds=0)
    message = str(caught.value)
    fields = ("service_name", "token", "head_ratio", "shutdown_seconds")
    assert [line.split(":")[0] for line in message.splitlines()] == [f"TracingSettings.{field}" for field in fields]
    assert "hunter2" not in message


def test_no_secret_is_in_the_text_of_settings() -> None:
    settings = TracingSettings(service_name="portal", token=SecretStr("hunter2"), headers={"x-key": SecretStr("hunter2")})
    assert all("hunter2" not in text for text in (repr(settings), str(settings), settings.model_dump_json(), f"{settings!r:>5}"))
