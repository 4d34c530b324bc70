"""The contract: what is written can be read, and what cannot be used is refused by name."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from pydantic import ValidationError

from tests.tracing_lib.samples import MAPPING, TOKEN, mapping
from tracing_lib.base.errors import ContractError
from tracing_lib.contract.outputs import Outputs

if TYPE_CHECKING:
    from pathlib import Path


def test_importing_the_contract_does_not_import_opentelemetry() -> None:
    program = (
        "import sys, tracing_lib, tracing_lib.contract.outputs; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_outputs_written_with_secrets_read_back_equal() -> None:
    outputs = Outputs.parse(MAPPING)
    assert Outputs.parse_json(outputs.to_json(secrets=True)) == outputs


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    backwards = dict(reversed(MAPPING.items()))
    text = Outputs.parse(MAPPING).to_json()
    assert Outputs.parse(backwards).to_json() == text
    assert text.endswith("}\n")
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_the_token_is_in_no_text_unless_asked_for() -> None:
    outputs = Outputs.parse(MAPPING)
    texts = [repr(outputs), str(outputs), outputs.to_json(), str(outputs.to_mapping()), outputs.to_dotenv(), outputs.model_dump_json()]
    assert all(TOKEN not in text for text in texts)
    assert "otlp_token" not in outputs.to_mapping()
    assert TOKEN in outputs.to_json(secrets=True)


def test_numbers_as_pulumi_keeps_them_and_keys_of_newer_minor_versions_are_accepted() -> None:
    outputs = Outputs.parse(mapping(schema_version=1.0, retention_seconds=60.0, a_later_field={"x": 1}, another_secret="[secret]"))
    assert (outputs.schema_version, outputs.retention_seconds) == (1, 60)


def test_outputs_cannot_be_changed_after_they_were_read() -> None:
    outputs = Outputs.parse(MAPPING)
    with pytest.raises(ValidationError, match="frozen"):
        outputs.environment = "prod"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"otlp_token": "[secret]"}, "otlp_token"),
        ({"otlp_certificate": "[secret]"}, "otlp_certificate"),
        ({"targets": "[secret]"}, "targets"),
        ({"privacy": [{**MAPPING["privacy"][0], "pattern": "[secret]"}]}, "privacy.0.pattern"),  # type: ignore[index]
    ],
)
def test_a_masked_secret_is_refused_by_name_with_the_command_that_shows_it(changes: dict[str, object], path: str) -> None:
    with pytest.raises(ContractError) as caught:
        Outputs.parse(mapping(**changes))
    assert f"{path}: is the placeholder" in str(caught.value)
    assert "pulumi stack output --json --show-secrets" in str(caught.value)


@pytest.mark.parametrize(
    ("version", "wrong", "then"),
    [
        (2, "newer than this library", "pip install --upgrade"),
        (1.5, "newer than this library", "pip install --upgrade"),
        (0, "older than this library", "redeploy the stack"),
        (..., "is missing", "redeploy the stack"),
        ("1", "is a str", "redeploy the stack"),
        (True, "is a bool", "redeploy the stack"),
    ],
)
def test_another_schema_version_is_refused_saying_which_side_to_bring_up_to_date(version: object, wrong: str, then: str) -> None:
    with pytest.raises(ContractError) as caught:
        Outputs.parse(mapping(schema_version=version))
    message = str(caught.value)
    assert message.startswith("outputs: schema_version: ")
    assert wrong in message
    assert then in message


@pytest.mark.parametrize(
    ("changes", "field", "right"),
    [
        ({"environment": ...}, "environment", "a value"),
        ({"environment": "two words"}, "environment", "match pattern"),
        ({"namespace": "Upper"}, "namespace", "match pattern"),
        ({"backend": "zipkin"}, "backend", "'jaeger', 'tempo' or 'otlp'"),
        ({"query_url": "localhost:16686"}, "query_url", "http://host:port"),
        ({"query_url": "http://"}, "query_url", "http://host:port"),
        ({"query_url": "http://host:99999"}, "query_url", "from 1 to 65535"),
        ({"query_url": "http://a\nb"}, "query_url", "line breaks"),
        ({"query_url": 5}, "query_url", "a valid string"),
        ({"otlp_http_endpoint": "http://u:hunter2@host"}, "otlp_http_endpoint", "without a user name"),
        ({"otlp_http_endpoint": "http://host?key=v"}, "otlp_http_endpoint", "without ?query"),
        ({"otlp_certificate": "no certificate"}, "otlp_certificate", "PEM"),
        ({"otlp_certificate": "-----BEGIN PRIVATE KEY-----"}, "otlp_certificate", "private key"),
        ({"otlp_token": "two hunter2"}, "otlp_token", "RFC 6750"),
        ({"otlp_token": ""}, "otlp_token", "RFC 6750"),
        ({"otlp_token": {"hunter2": 1}}, "otlp_token", "a valid string"),
        ({"retention_seconds": 0}, "retention_seconds", "greater than 0"),
        ({"retention_seconds": 1.5}, "retention_seconds", "a valid integer"),
        ({"retention_seconds": "30d"}, "retention_seconds", "a valid integer"),
        ({"head_ratio": 1.01}, "head_ratio", "less than or equal to 1"),
        ({"head_ratio": -0.1}, "head_ratio", "greater than or equal to 0"),
        ({"head_ratio": float("nan")}, "head_ratio", "a finite number"),
        ({"strategies_poll_seconds": 0}, "strategies_poll_seconds", "greater than 0"),
        ({"targets": {"service": "portal"}}, "targets", "a valid tuple"),
        ({"targets": [{"service": "portal", "operation": "x"}]}, "targets.0.traces_per_second", "a value"),
        ({"targets": [{"service": "p", "operation": "x", "traces_per_second": 1, "floor": 0.9, "ceiling": 0.1}]}, "targets.0", "floor"),
        ({"privacy": [{"name": "n", "matches": "both", "pattern": "x", "meaning": "m"}]}, "privacy.0.matches", "'key' or 'value'"),
        ({"privacy": [{"name": "n", "matches": "key", "pattern": "(", "meaning": "m"}]}, "privacy.0.pattern", "regular expression"),
    ],
)
def test_a_wrong_field_is_named_with_what_would_be_right_and_no_secret(changes: dict[str, object], field: str, right: str) -> None:
    with pytest.raises(ContractError) as caught:
        Outputs.parse(mapping(**changes), place="outputs.json")
    message = str(caught.value)
    assert message.startswith(f"outputs.json: {field}: ")
    assert right in message
    assert "Next: " in message
    assert "hunter2" not in message
    assert "pydantic" not in message
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"", "is empty"),
        (b"{", "is not JSON (line 1"),
        (b"[]", "holds a list"),
        (b"null", "holds a NoneType"),
        (b"\xff\xfe{", "is not"),
    ],
)
def test_a_file_that_holds_no_outputs_is_refused_with_its_path(tmp_path: Path, content: bytes, wrong: str) -> None:
    path = tmp_path / "outputs.json"
    path.write_bytes(content)
    with pytest.raises(ContractError) as caught:
        Outputs.read(path)
    assert str(caught.value).startswith(f"{path}: {wrong}")


def test_a_file_that_is_not_there_is_refused_with_the_command_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"missing\.json: cannot be read.*pulumi stack output"):
        Outputs.read(tmp_path / "missing.json")


def test_standard_variables_carry_the_token_only_when_asked_and_percent_encoded() -> None:
    outputs = Outputs.parse(mapping(otlp_token="a+b/c~d=="))
    assert "OTEL_EXPORTER_OTLP_HEADERS" not in outputs.to_otel_environment()
    header = outputs.to_otel_environment(secrets=True)["OTEL_EXPORTER_OTLP_HEADERS"]
    assert not set(header) & set(" ,~/+")
    assert unquote(header) == "authorization=Bearer a+b/c~d=="


def test_standard_variables_name_the_endpoint_of_the_protocol() -> None:
    outputs = Outputs.parse(MAPPING)
    assert outputs.to_otel_environment(protocol="grpc")["OTEL_EXPORTER_OTLP_ENDPOINT"] == outputs.otlp_grpc_endpoint
    assert outputs.to_otel_environment()["OTEL_EXPORTER_OTLP_ENDPOINT"] == outputs.otlp_http_endpoint


def test_a_stack_with_its_own_certificate_wants_the_path_where_services_find_it(certificate: tuple[Path, Path]) -> None:
    outputs = Outputs.parse(mapping(otlp_certificate=certificate[0].read_text()))
    with pytest.raises(ContractError, match="certificate_path"):
        outputs.to_otel_environment()
    assert outputs.to_otel_environment(certificate_path="/etc/ca.pem")["OTEL_EXPORTER_OTLP_CERTIFICATE"] == "/etc/ca.pem"
    with pytest.raises(ContractError, match="OTEL_EXPORTER_OTLP_CERTIFICATE: needs quotes"):
        outputs.to_dotenv(certificate_path="/with blank/ca.pem")
