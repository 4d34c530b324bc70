"""The contract between a tracing stack and the services that send spans to it.

One versioned model defines the stack's outputs, the file that services read, the ``OTEL_*`` variables for services
in other languages, and the settings of this library. Stacks import this module to write outputs, services to read them. It needs
pydantic alone, so that neither imports the OpenTelemetry SDK.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from tracing_lib.base.errors import ContractError, explain
from tracing_lib.contract.fields import Certificate, Token, Url, problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SCHEMA_VERSION: Final = 1
"""Version that this library reads and writes. It changes only when a reader of the former version would misread the outputs."""
PLACEHOLDER: Final = "[secret]"
"""Text that ``pulumi stack output`` prints for a secret without ``--show-secrets``."""
Protocol = Literal["grpc", "http/protobuf"]
"""Transports of OTLP, named as in ``OTEL_EXPORTER_OTLP_PROTOCOL``."""
_SECRET_FIELDS: Final = frozenset({"otlp_token"})
_SHOW_SECRETS: Final = "pulumi stack output --json --show-secrets > outputs.json"
_UNQUOTED: Final = re.compile(r"[A-Za-z0-9_%+=:,./\[\]-]*")

Ratio = Annotated[float, Field(ge=0, le=1)]
"""A share from 0 (none) to 1 (all)."""


class Model(BaseModel):
    """Base of the models of this library: immutable, without values in its errors.

    Unknown keys are ignored, so that a reader can use the outputs of a stack that is a minor version ahead.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        allow_inf_nan=False,
        defer_build=True,  # many a service needs one of the models alone
    )


class OperationTarget(Model):
    """The rate that an adaptive sampler steers an operation of a service to, within a floor and a ceiling of its ratio."""

    service: str = Field(min_length=1)
    """``service.name`` of the service. Required."""
    operation: str = Field(min_length=1)
    """Name of the root span. Required."""
    traces_per_second: float = Field(gt=0)
    """Sampled traces per second and instance that are aimed at. Required."""
    floor: Ratio = 0.0001
    """Least ratio, 0 to 1. Default 0.0001: no operation goes dark."""
    ceiling: Ratio = 1.0
    """Greatest ratio, 0 to 1. Default 1: a rare operation is kept whole."""

    @model_validator(mode="after")
    def _floor_below_ceiling(self) -> Self:
        if self.floor > self.ceiling:
            raise ValueError("a floor that is not above the ceiling")
        return self


def _check_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"a regular expression ({error})") from None
    return value


class PrivacyRule(Model):
    """Rule that forbids the storage of attributes whose key, or whose value, matches a pattern."""

    name: str = Field(min_length=1)
    """Name of the rule in reports. Required."""
    matches: Literal["key", "value"]
    """Whether the pattern is looked for in an attribute's key or in its value. Required."""
    pattern: Annotated[str, AfterValidator(_check_pattern)]
    """Regular expression, searched anywhere, in the syntax that Python's ``re`` and Go's RE2 share. Required."""
    meaning: str
    """Object that the rule protects, in one sentence. Required."""


class Store(Model):
    """A store of traces, and where they are read."""

    backend: Literal["jaeger", "tempo", "otlp"]
    """The store behind ``query_url``, of which query APIs differ; ``otlp`` is one that was there before the stack. Required."""
    query_url: Url
    """Base URL of the API that traces are read from. Required."""
    query_protocol: Literal["jaeger", "tempo", "none"] | None = None
    """Query API at ``query_url``; ``"none"`` is one that is not known here. Default none: that of ``backend``."""
    ui_url: Url
    """Address of the user interface, in which a person looks at traces. Required."""
    retention_seconds: int = Field(gt=0)
    """Time for which a trace can be read after it was stored, in seconds. Required."""


class Outputs(Store):
    """Outputs of a tracing stack, for its services: endpoints, ratios, the token, and the address of the user interface.

    Every field is a stack output of the same name.
    """

    schema_version: Literal[1]
    """Version of this contract. Required, so that neither side guesses."""
    environment: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")
    """Name of the environment, such as ``dev``; becomes ``deployment.environment.name`` of every span. Required."""
    namespace: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    """Kubernetes namespace of the backbone (a DNS label, RFC 1123); a label without effect elsewhere. Required."""
    otlp_grpc_endpoint: Url
    """Address of the intake for OTLP over gRPC, as scheme://host:port; https means TLS. Required."""
    otlp_http_endpoint: Url
    """Base URL for OTLP over HTTP; ``/v1/traces`` is appended (OTLP specification, "OTLP/HTTP Request"). Required."""
    strategies_url: Url
    """Address of the sampling strategies (Jaeger remote sampling over HTTP). Required."""
    strategies_user: str | None = Field(default=None, pattern="^[A-Za-z0-9._-]+$")
    """User name for ``strategies_url`` by HTTP basic authentication, with ``otlp_token`` as password. Default none: none is asked for."""
    also: Store | None = None
    """A second store for the time of a move, asked for what the first does not have. Default none."""
    span_metrics_url: Url
    """Address at which the metrics made from spans are scraped (Prometheus text). Required."""
    otlp_certificate: Certificate | None = None
    """CA certificates that the endpoints' own are checked against, PEM. Default none: plain text, or a public CA."""
    otlp_token: Token | None = None
    """Bearer token that the endpoints ask for. Default none: they ask for none."""
    head_ratio: Ratio
    """Share of new traces that services sample, 0 to 1. Required."""
    strategies_poll_seconds: float = Field(gt=0)
    """Interval at which services poll ``strategies_url``, in seconds. Required."""
    targets: tuple[OperationTarget, ...] = ()
    """Rates by service and operation. Default none: ``head_ratio`` alone decides."""
    privacy: tuple[PrivacyRule, ...] = ()
    """Rules for data that may not be stored, applied in the services and again in the collector. Default none."""

    @classmethod
    def parse(cls, data: object, *, place: str = "outputs", without_token: bool = False) -> Self:
        """Return the outputs held in a mapping, as ``pulumi stack output --json`` prints it.

        ``place`` says in messages where the mapping came from; ``without_token`` leaves ``otlp_token`` unread, for a reader who has
        the token from elsewhere. Raises ``ContractError``: not a mapping, another schema version, a secret that was printed as a
        placeholder, or a field that is missing or wrong.
        """
        if not isinstance(data, dict):
            raise _refused(place, f"holds a {type(data).__name__}", "a JSON object with the outputs of a tracing stack", _SHOW_SECRETS)
        _check_version(data, place)
        if without_token:
            data = {key: value for key, value in data.items() if key != "otlp_token"}
        for field in cls.model_fields:
            for path in _placeholders(data.get(field), field):
                raise _refused(f"{place}: {path}", f"is the placeholder {PLACEHOLDER!r}", "the secret itself", f"run {_SHOW_SECRETS}")
        try:
            return cls.model_validate({**data, "schema_version": SCHEMA_VERSION})
        except ValidationError as error:
            raise ContractError(_wrong_fields(error, place)) from None

    @classmethod
    def parse_json(cls, text: str | bytes, *, place: str = "outputs", without_token: bool = False) -> Self:
        """Return the outputs written as JSON text. Raises ``ContractError`` as ``parse`` does, and for text that is not JSON."""
        try:
            data = json.loads(text)
        except UnicodeDecodeError:
            raise ContractError(explain(place, "is not UTF-8 text", "JSON in UTF-8", f"write it again: {_SHOW_SECRETS}")) from None
        except json.JSONDecodeError as error:
            wrong = f"is not JSON (line {error.lineno}, column {error.colno})" if text.strip() else "is empty"
            raise ContractError(explain(place, wrong, "a JSON object", f"write it again: {_SHOW_SECRETS}")) from None
        return cls.parse(data, place=place, without_token=without_token)

    @classmethod
    def read(cls, path: str | Path, *, place: str | None = None, without_token: bool = False) -> Self:
        """Return the outputs in a JSON file. Raises ``ContractError`` as ``parse_json`` does, and for a file that cannot be read."""
        place = place or str(path)
        try:
            text = Path(path).read_bytes()
        except OSError as error:
            wrong = f"cannot be read ({error.strerror or type(error).__name__})"
            then = f"start the stack, or run {_SHOW_SECRETS}"
            raise _refused(place, wrong, "a file with the outputs of a tracing stack", then) from None
        return cls.parse_json(text, place=place, without_token=without_token)

    def trace_url(self, trace_id: str) -> str:
        """Return the address of a trace in the interface of Jaeger or Grafana; of another store the address of its user interface."""
        if self.backend == "otlp" and self.query_protocol != "jaeger":
            return self.ui_url
        if self.backend != "tempo":
            return f"{self.ui_url}/trace/{trace_id}"
        query = {"refId": "A", "datasource": {"type": "tempo", "uid": "tempo"}, "queryType": "traceql", "query": trace_id}
        pane = {"trace": {"datasource": "tempo", "queries": [query], "range": {"from": "now-1h", "to": "now"}}}
        return f"{self.ui_url}/explore?schemaVersion=1&panes={quote(json.dumps(pane))}"

    def to_mapping(self, *, secrets: bool = False) -> dict[str, Any]:
        """Return the outputs as plain values. Without ``secrets`` the secret fields are left out, not masked."""
        mapping = self.model_dump(mode="json", exclude=set(_SECRET_FIELDS))
        if secrets and self.otlp_token is not None:
            mapping["otlp_token"] = self.otlp_token.get_secret_value()
        return mapping

    def to_json(self, *, secrets: bool = False) -> str:
        """Return canonical JSON: sorted keys, two blanks of indent, a final line break. Secrets as in ``to_mapping``."""
        return json.dumps(self.to_mapping(secrets=secrets), sort_keys=True, indent=2, ensure_ascii=False) + "\n"

    def to_otel_environment(
        self, *, protocol: Protocol = "http/protobuf", secrets: bool = False, certificate_path: str | None = None
    ) -> dict[str, str]:
        """Return the ``OTEL_*`` variables that configure any OpenTelemetry SDK for this stack, sorted by name.

        ``certificate_path`` is where the reader finds ``otlp_certificate``; the variable holds a path. The headers with the token
        are there only with ``secrets``. ``OTEL_SERVICE_NAME`` is each service's own. The sampler is a ratio and not Jaeger's remote
        one: SDKs that do not know that name sample everything. Names and encodings: OpenTelemetry specification, "Environment
        Variable Specification" and "OpenTelemetry Protocol Exporter". Raises ``ContractError`` when the stack has a certificate of
        its own and no path was given.
        """
        if self.otlp_certificate is not None and certificate_path is None:
            right = "the path at which services find the certificate in otlp_certificate"
            raise _refused("certificate_path", "is missing", right, "write otlp_certificate to a file and pass its path")
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.otlp_grpc_endpoint if protocol == "grpc" else self.otlp_http_endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_PROPAGATORS": "tracecontext,baggage",
            "OTEL_RESOURCE_ATTRIBUTES": f"deployment.environment.name={self.environment}",
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": repr(self.head_ratio),
        }
        if self.otlp_certificate is not None and certificate_path is not None:
            variables["OTEL_EXPORTER_OTLP_CERTIFICATE"] = certificate_path
        if secrets and self.otlp_token is not None:
            value = quote(f"Bearer {self.otlp_token.get_secret_value()}", safe="").replace("~", "%7E")
            variables["OTEL_EXPORTER_OTLP_HEADERS"] = f"authorization={value}"
        return dict(sorted(variables.items()))

    def to_dotenv(self, *, protocol: Protocol = "http/protobuf", secrets: bool = False, certificate_path: str | None = None) -> str:
        """Return the same variables as ``NAME=value`` lines, for ``docker run --env-file`` and for a shell's ``.`` alike.

        The two differ in how they read quotes, so no value may need any; ``ContractError`` names one that does.
        """
        variables = self.to_otel_environment(protocol=protocol, secrets=secrets, certificate_path=certificate_path)
        for name, value in variables.items():
            if not _UNQUOTED.fullmatch(value):
                right = "letters, digits and _%+=:,./[]- only, because shells and docker disagree about quotes"
                raise ContractError(explain(name, "needs quotes", right, "use a path or address without such characters"))
        return "".join(f"{name}={value}\n" for name, value in variables.items())


def _refused(*parts: str) -> ContractError:
    return ContractError(explain(*parts))


def _check_version(data: Mapping[str, object], place: str) -> None:
    """Refuse outputs of another schema version, with the side that is to be brought up to date."""
    found = data.get("schema_version")
    # Pulumi keeps every number as a float; True is an int to Python.
    number = found if isinstance(found, int | float) and not isinstance(found, bool) else None
    if number == SCHEMA_VERSION:
        return
    where, right = f"{place}: schema_version", f"{SCHEMA_VERSION}, the version that this library reads"
    if found is None:
        raise ContractError(explain(where, "is missing", right, "redeploy the stack, or check that this is the file of a tracing stack"))
    if number is None:
        raise ContractError(explain(where, f"is a {type(found).__name__}, no number", right, "redeploy the stack: pulumi up"))
    newer = number > SCHEMA_VERSION
    then = "pip install --upgrade virtengine-tracing" if newer else "redeploy the stack: pulumi up"
    raise ContractError(explain(where, f"is {number}, {'newer' if newer else 'older'} than this library", right, then))


def _placeholders(value: object, path: str) -> Iterator[str]:
    """Yield the path of every placeholder of a secret in a field's value, however deep."""
    yield from [path] if value == PLACEHOLDER else ()
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ():
        yield from _placeholders(inner, f"{path}.{key}")


def _wrong_fields(error: ValidationError, place: str) -> str:
    return "\n".join(
        explain(f"{place}: {path}", wrong, right, "correct the stack file and redeploy, or write the outputs again: " + _SHOW_SECRETS)
        for path, wrong, right in problems(error, _SECRET_FIELDS)
    )
