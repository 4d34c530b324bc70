"""The settings of one service's tracing, and where they come from."""

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
from tracing_lib.contract.fields import Certificate, Token, Url, problems
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
    """Everything that ``configure`` needs to know about a service. Raises ``SettingsError`` for a value that cannot be used."""

    service_name: str = Field(min_length=1)
    """``service.name``: the logical name, the same for every instance. Required."""
    service_version: str | None = None
    """``service.version``, as the service's release names it. Default none: left out."""
    service_namespace: str = "virtengine"
    """``service.namespace``: the product that the service belongs to. Default ``virtengine``."""
    instance_id: str = Field(default_factory=lambda: _instance_id(os.getpid()), min_length=1)
    """``service.instance.id``. Default: a random UUID (version 4, as the semantic conventions advise), one per process."""
    environment: str | None = None
    """``deployment.environment.name``. Default none: left out; outputs bring it."""
    protocol: Protocol = "http/protobuf"
    """Transport. Default ``http/protobuf``: cheaper per span here than gRPC, and needs no extra package."""
    endpoint: Url = "http://localhost:4318"
    """Base URL of the collector. Default: port 4318 of this host, for ``grpc`` 4317, as the OTLP specification has them."""
    certificate: Certificate | None = Field(default=None, repr=False)
    """CA certificates that the collector's own is checked against, PEM. Default none: the public CAs, where https is used."""
    token: Token | None = None
    """Bearer token sent with every export. Default none."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """Further headers sent with every export, masked like the token because some carry keys. Default none."""
    head_ratio: Ratio = 1.0
    """Share of new traces that is sampled, 0 to 1; a caller's decision is always followed. Default 1: all."""
    strategies_url: Url | None = None
    """Where sampling strategies are polled (Jaeger remote sampling over HTTP). Default none: ``head_ratio`` holds; outputs bring it."""
    strategies_poll_seconds: float = Field(default=60.0, gt=0)
    """How often strategies are polled, in seconds. Default 60, as every Jaeger client; a changed strategy is here within it."""
    targets: tuple[OperationTarget, ...] = ()
    """Rates by service and operation; those of other services are passed over. Default none; outputs bring them."""
    adapt_seconds: float = Field(default=10.0, gt=0)
    """How long traffic is counted before an operation's ratio is adapted to it, in seconds. Default 10: a target of ten traces a second
    is then met within a tenth by chance alone. A burst ends the count early."""
    compression: Literal["none", "gzip"] = "none"
    """Compression of requests. Default none: to a collector on the same host or in the same cluster, CPU is dearer than bytes."""
    queue_bytes: int = Field(default=16 * 2**20, ge=64 * 2**10)
    """Memory that ended spans may take while they wait for the collector, in bytes. Default 16 MiB: some 50,000 spans of five attributes,
    100 s at 500 a second. A full queue drops and counts, failed spans last."""
    queue_size: int | None = Field(default=None, gt=0)
    """Ended spans that may wait for export, beside the bound in bytes. Default none: the bytes alone decide."""
    batch_size: int = Field(default=512, gt=0)
    """Most spans in one export; a batch of this size goes at once. Default 512 (the SDK's)."""
    export_interval_seconds: float = Field(default=1.0, gt=0)
    """Longest time that a span waits for its batch, in seconds. Default 1, not the SDK's 5: a trace can be read soon after."""
    export_timeout_seconds: float = Field(default=10.0, gt=0)
    """Longest time for one attempt at an export, in seconds. Default 10, as the OTLP specification has it. A collector that is away is
    tried again for as long as the queue has room."""
    shutdown_seconds: float = Field(default=2.0, gt=0)
    """Longest time that ending may take, in seconds, whatever the collector does. Default 2: enough to deliver a full queue to one
    that works, and little of the 10 s (Docker) or 30 s (Kubernetes) that a stopped service has for all its work."""
    end_on_sigterm: bool = True
    """Whether SIGTERM delivers what is queued before it ends the process. Default true. Only where nobody else handles the signal: a
    server that handles it ends normally, and that delivers as well."""
    privacy: tuple[PrivacyRule, ...] = ()
    """Privacy rules of the stack, beside the library's own. Default none; outputs bring them."""
    exception_text: bool = False
    """Whether messages and stack traces of exceptions leave the process, masked by the privacy rules, which cannot recognise a
    person's name. Default false: type and fingerprint leave."""
    hash_key: SecretStr | None = None
    """Key of the digests that stand for values of the privacy class hash, 16 characters at least; services that share it get equal
    digests for equal values. Default none: a random one for each process."""
    own_hosts: tuple[str, ...] = OWN_HOSTS
    """Hosts that baggage may be sent to: names, addresses, or ``*.`` and a domain. Default: this host, and names of Kubernetes services."""
    enabled: bool = True
    """Whether spans are made at all. Default true. Off, context still travels through the service."""

    @field_validator("hash_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < _SHORTEST_KEY:
            raise ValueError(f"a key of {_SHORTEST_KEY} characters or more")
        return key

    @model_validator(mode="wrap")
    @classmethod
    def _explained(cls, data: object, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        """Choose the endpoint by protocol, and turn what is wrong into one ``SettingsError`` that names where each value came from."""
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
        """Return the settings that a tracing stack's outputs ask for; ``outputs`` may be the path of their JSON file.

        The raw mapping of ``pulumi stack output --json --show-secrets`` will do. Raises ``ContractError`` for outputs that cannot be
        used and ``SettingsError`` for the other arguments.
        """
        values = environment.values_of(_outputs(outputs), protocol)
        return cls.model_validate({**values, "service_name": service_name, "service_version": service_version})

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        service_name: str | None = None,
        service_version: str | None = None,
    ) -> Self:
        """Return the settings that the environment variables ask for (default: those of this process).

        ``VIRTENGINE_TRACING_OUTPUTS`` is the path of the outputs file, ``VIRTENGINE_TRACING_OUTPUTS_JSON`` holds the outputs
        themselves, ``VIRTENGINE_TRACING_TOKEN`` the bearer token. The standard ``OTEL_*`` variables override both them and the
        arguments, because they are the operator's word; ``environment.read`` lists them. Raises ``ContractError`` and
        ``SettingsError``; the message names the variable.
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
    if isinstance(outputs, Mapping):
        return Outputs.parse(dict(outputs))
    return Outputs.read(Path(outputs))


def _wrong_settings(error: ValidationError, places: Mapping[str, str]) -> str:
    """Say each wrong setting in one line, under the name that its value was given by."""
    lines = []
    for path, wrong, right in problems(error, _SECRET_FIELDS):
        place = places.get(path.split(".", maxsplit=1)[0], f"TracingSettings.{path}")
        lines.append(explain(place, wrong, right, "correct it and start the service again"))
    return "\n".join(lines)
