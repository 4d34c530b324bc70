"""The settings of one service's tracing, read from outputs and from environment variables."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator

from tracing_lib.base.errors import SettingsError, explain
from tracing_lib.base.hosts import OWN_HOSTS
from tracing_lib.contract import environment
from tracing_lib.contract.fields import GREATEST, Certificate, Seconds, Token, Url, problems
from tracing_lib.contract.outputs import Model, OperationTarget, Outputs, PrivacyRule, Protocol, Ratio

if TYPE_CHECKING:
    from pydantic import ModelWrapValidatorHandler

_SECRET_FIELDS: Final = frozenset({"token", "headers", "hash_key"})
_SHORTEST_KEY: Final = 16
_DEFAULT_ENDPOINTS: Final[dict[object, str]] = {"grpc": "http://localhost:4317", "http/protobuf": "http://localhost:4318"}


@lru_cache(maxsize=1)
def _instance_id(_pid: int) -> str:
    return str(uuid.uuid4())


class TracingSettings(Model):
    """Settings of a service's tracing, for ``configure``. Raises ``SettingsError`` for a value that cannot be used."""

    service_name: str = Field(min_length=1)
    """``service.name``: the logical name, the same for every instance. Required."""
    service_version: str | None = None
    """``service.version``, as the service's release names it. Default none: left out."""
    service_namespace: str = "virtengine"
    """``service.namespace``: the product of which the service is part. Default ``virtengine``, because all services of this library are."""
    instance_id: str = Field(default_factory=lambda: _instance_id(os.getpid()), min_length=1)
    """``service.instance.id``. Default: a random UUID (version 4, as the semantic conventions advise), one per process."""
    environment: str | None = None
    """``deployment.environment.name``. Default none: left out. Outputs set it."""
    protocol: Protocol = "http/protobuf"
    """Transport of OTLP. Default ``http/protobuf``, because it costs less per span than gRPC and needs no extra."""
    endpoint: Url = "http://localhost:4318"
    """Base URL of the collector. Default: port 4318 of this host, for ``grpc`` 4317, as the OTLP specification has them."""
    certificate: Certificate | None = Field(default=None, repr=False)
    """CA certificates that verify the collector's, PEM. Default none: the public CAs, for an https endpoint."""
    token: Token | None = None
    """Bearer token of every export. Default none, because the local stack requires none."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """Further headers of every export. They are masked like the token, because a header can contain a key. Default none."""
    head_ratio: Ratio = 1.0
    """Ratio of new traces that are sampled, 0 to 1. A caller's decision is always followed. Default 1: a new service shows all traces."""
    strategies_url: Url | None = None
    """URL of the sampling strategies (Jaeger remote sampling over HTTP). Default none: ``head_ratio`` applies. Outputs set it."""
    strategies_user: str | None = None
    """User name with which strategies are polled by HTTP basic authentication, with the token as password. Default none: no
    authentication. Outputs set it."""
    strategies_poll_seconds: Seconds = 60.0
    """Interval between polls of the strategies, in seconds. Default 60, as in the clients of Jaeger."""
    targets: tuple[OperationTarget, ...] = ()
    """Target rates by service and operation; those of other services are ignored. Default none. Outputs set them."""
    adapt_seconds: Seconds = 10.0
    """Interval over which the traffic of an operation is counted to adapt its ratio, in seconds. A burst ends it early. Default 10, because
    chance then moves a target of ten traces a second by a tenth at most."""
    compression: Literal["none", "gzip"] = "none"
    """Compression of requests. Default none, because CPU costs more than bytes on the way to a collector in the same cluster."""
    queue_bytes: int = Field(default=16 * 2**20, ge=64 * 2**10)
    """Bound of the ended spans that wait for export, in bytes. A full queue drops spans and counts them, failed spans last. Default 16 MiB:
    about 50,000 spans of five attributes, or 100 s at 500 a second."""
    queue_size: int | None = Field(default=None, gt=0, le=GREATEST)
    """Further bound of the ended spans that wait for export, in spans. Default none: the bound in bytes is enough."""
    batch_size: int = Field(default=512, gt=0, le=GREATEST)
    """Most spans of one export; a batch of this size is sent at once. Default 512, as in the SDK."""
    export_interval_seconds: Seconds = 1.0
    """Longest time until a batch is sent, in seconds. Default 1, not the SDK's 5, so that a trace can be read soon after it ended."""
    export_timeout_seconds: Seconds = 10.0
    """Longest time of one attempt to export, in seconds. Attempts are repeated while the queue has room. Default 10, as in the OTLP
    specification."""
    shutdown_seconds: Seconds = 2.0
    """Longest time of the shutdown, in seconds, in every state of the collector. Default 2: enough to export a full queue to a collector
    that works, and little of the 10 s (Docker) or 30 s (Kubernetes) in which a stopped service must end."""
    end_on_sigterm: bool = True
    """Whether SIGTERM exports the queue before it ends the process. It has no effect where other code handles the signal, because such a
    process ends normally, which exports the queue as well. Default true, so that a stopped service loses no span."""
    privacy: tuple[PrivacyRule, ...] = ()
    """Privacy rules of the stack, applied in addition to the library's own. Default none. Outputs set them."""
    exception_text: bool = False
    """Whether messages and stack traces of exceptions are exported, masked by the privacy rules. Default false, because the rules cannot
    recognise a person's name; type and fingerprint are exported."""
    hash_key: SecretStr | None = None
    """Key of the digests that replace the values of hashed attributes, at least 16 characters. Services that share it have equal digests
    for equal values. Default none: a random key for each process, so that digests of different processes cannot be compared."""
    own_hosts: tuple[str, ...] = OWN_HOSTS
    """Hosts to which baggage may be sent: names, addresses, or ``*.`` and a domain. Default: this host, and Kubernetes services."""
    console: bool = False
    """Whether traces are written as trees to standard error. Default false: a service has a collector."""
    export: bool = True
    """Whether spans are exported. Default true; false where ``console`` is asked for alone."""
    trace_url: str | None = None
    """Address of a trace in the user interface, in which ``TRACE_ID`` stands for its id. The console has it beside a trace that is
    exported as well. Default none. Outputs set it."""
    enabled: bool = True
    """Whether spans are recorded. Default true. If false, the service still propagates context."""

    @field_validator("hash_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < _SHORTEST_KEY:
            raise ValueError(f"a key of {_SHORTEST_KEY} characters or more")
        return key

    @model_validator(mode="wrap")
    @classmethod
    def _explained(cls, data: object, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        """Choose the endpoint by the protocol, and raise all faults as one ``SettingsError`` that names the source of each value."""
        if isinstance(data, dict) and data.get("endpoint") is None:
            endpoint = _DEFAULT_ENDPOINTS.get(data.get("protocol", "http/protobuf"), "http://localhost:4318")
            data = {**data, "endpoint": endpoint}
        try:
            settings = handler(data)
        except ValidationError as error:
            raise SettingsError(_wrong_settings(error, info.context or {})) from None
        if settings.queue_size is not None and settings.batch_size > settings.queue_size:
            wrong = f"is {settings.batch_size}, more than queue_size ({settings.queue_size})"
            raise SettingsError(explain("TracingSettings.batch_size", wrong, "at most queue_size", "raise queue_size or lower batch_size"))
        return settings

    @classmethod
    def from_outputs(
        cls,
        outputs: Outputs | Mapping[str, object] | str | os.PathLike[str],
        *,
        service_name: str,
        service_version: str | None = None,
        protocol: Protocol = "http/protobuf",
    ) -> Self:
        """Return the settings of a service from the outputs of a tracing stack.

        ``outputs`` can be the model, the mapping of ``pulumi stack output --json --show-secrets``, or the path of its JSON file. Raises
        ``ContractError`` for outputs that cannot be used, and ``SettingsError`` for the other arguments.
        """
        values = environment.values_of(_outputs(outputs), protocol)
        return cls.model_validate({**values, "service_name": service_name, "service_version": service_version})

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, *, service_name: str | None = None, service_version: str | None = None
    ) -> Self:
        """Return the settings of a service from environment variables; default: those of this process.

        ``VIRTENGINE_TRACING_OUTPUTS`` is the path of the outputs' JSON file, ``VIRTENGINE_TRACING_OUTPUTS_JSON`` is that JSON itself, and
        ``VIRTENGINE_TRACING_TOKEN`` the bearer token. The standard ``OTEL_*`` variables override them and the arguments, because the
        operator sets them; ``environment.read`` lists them. Raises ``ContractError`` and ``SettingsError``; the message names the
        variable.
        """
        values, places = environment.read(os.environ if environ is None else environ)
        values.setdefault("service_name", service_name)
        values.setdefault("service_version", service_version)
        if values["service_name"] is None:
            wrong = "neither the argument service_name nor the variable is given"
            raise SettingsError(explain("OTEL_SERVICE_NAME", wrong, "the name of this service", "export OTEL_SERVICE_NAME=portal"))
        return cls.model_validate(values, context=places)


def _outputs(outputs: Outputs | Mapping[str, object] | str | os.PathLike[str]) -> Outputs:
    if isinstance(outputs, Outputs):
        return outputs
    return Outputs.parse(dict(outputs)) if isinstance(outputs, Mapping) else Outputs.read(Path(outputs))


def _wrong_settings(error: ValidationError, places: Mapping[str, str]) -> str:
    """Return a line for each wrong setting, with the name by which its value was set."""
    lines = []
    for path, wrong, right in problems(error, _SECRET_FIELDS):
        place = places.get(path.split(".", maxsplit=1)[0], f"TracingSettings.{path}")
        lines.append(explain(place, wrong, right, "correct it and start the service again"))
    return "\n".join(lines)
