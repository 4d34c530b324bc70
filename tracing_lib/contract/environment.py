"""Settings from environment variables: those of a stack's outputs, overridden by the standard variables."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from pydantic import SecretStr

from tracing_lib.base.errors import SettingsError, explain
from tracing_lib.contract.outputs import Outputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracing_lib.contract.outputs import Protocol

OUTPUTS: Final = "VIRTENGINE_TRACING_OUTPUTS"
"""Path of the JSON file with the outputs of the tracing stack."""

OUTPUTS_JSON: Final = "VIRTENGINE_TRACING_OUTPUTS_JSON"
"""The outputs of the tracing stack as JSON text."""

TOKEN: Final = "VIRTENGINE_TRACING_TOKEN"  # noqa: S105  the name of a variable
"""Bearer token of the collector. It overrides a token in the outputs, so that the outputs can be public."""

EXCEPTION_TEXT: Final = "VIRTENGINE_TRACING_EXCEPTION_TEXT"
"""``true`` exports messages and stack traces of exceptions as masked text."""

HASH_KEY: Final = "VIRTENGINE_TRACING_HASH_KEY"
"""Key of the digests that replace the values of hashed attributes."""

OWN_HOSTS: Final = "VIRTENGINE_TRACING_OWN_HOSTS"
"""Hosts to which baggage may be sent, separated by commas."""

_RATIOS: Final[Mapping[str, float | None]] = {
    "always_on": 1.0,
    "always_off": 0.0,
    "traceidratio": None,
    "parentbased_always_on": 1.0,
    "parentbased_always_off": 0.0,
    "parentbased_traceidratio": None,
}
"""Samplers of the specification that a head ratio can express, with the ratio; None: the sampler's argument is the ratio."""

_RESOURCE: Final = {
    "service.name": "service_name",
    "service.version": "service_version",
    "service.namespace": "service_namespace",
    "service.instance.id": "instance_id",
    "deployment.environment.name": "environment",
}
"""Resource attributes that are settings. The SDK reads the others of ``OTEL_RESOURCE_ATTRIBUTES``."""

_BATCH_SIZE: Final = 512
_EXPORTERS: Final = frozenset({"otlp", "console", "none"})
_logger: Final = logging.getLogger("tracing_lib")

UNUSED: Final[Mapping[str, str]] = {
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "the exporter presents no certificate of its own; give a token",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE": "the exporter presents no certificate of its own; give a token",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY": "the exporter presents no certificate of its own; give a token",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": "the exporter presents no certificate of its own; give a token",
    "OTEL_EXPORTER_OTLP_INSECURE": "the scheme of the endpoint decides: http or https",
    "OTEL_EXPORTER_OTLP_TRACES_INSECURE": "the scheme of the endpoint decides: http or https",
    "OTEL_EXPORTER_ZIPKIN_ENDPOINT": "spans leave by OTLP",
    "OTEL_EXPORTER_ZIPKIN_TIMEOUT": "spans leave by OTLP",
    "OTEL_CONFIG_FILE": "the settings are those of the variables and of the stack's outputs",
    "OTEL_EXPERIMENTAL_CONFIG_FILE": "the settings are those of the variables and of the stack's outputs",
    "OTEL_LOG_LEVEL": "the level is that of the logger tracing_lib",
}
"""Variables of the specification that have no effect, with the reason or what to do instead. One that is set is named in a warning."""

_NUMBERS: Final = {
    "OTEL_BSP_EXPORT_TIMEOUT": ("export_timeout_seconds", 1000),
    "OTEL_BSP_MAX_QUEUE_SIZE": ("queue_size", 1),
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": ("batch_size", 1),
    "OTEL_BSP_SCHEDULE_DELAY": ("export_interval_seconds", 1000),
    "OTEL_EXPORTER_OTLP_TIMEOUT": ("export_timeout_seconds", 1000),
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": ("export_timeout_seconds", 1000),
}
"""Variables with one whole number: the setting, and the factor between the unit of the variable and that of the setting.

Durations are milliseconds, as in the specification (the Python SDK reads the timeout as seconds).
"""

_CHOICES: Final = {
    "OTEL_EXPORTER_OTLP_COMPRESSION": "compression",
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "compression",
}
"""Variables with one of a few words, which the settings check."""

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_RESTART = "correct the variable, or unset it, and start the service again"


class _Reading:
    """The values that were read, and the variable of each."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.values: dict[str, object] = {}
        self.places: dict[str, str] = {}

    def variable(self, *names: str) -> tuple[str, str] | None:
        """Return name and value of the first variable that is set. An empty one is unset (OpenTelemetry specification)."""
        return next(((name, value) for name in names if (value := self._environ.get(name, "").strip())), None)

    def put(self, place: str, setting: str, value: object) -> None:
        self.values[setting] = value
        self.places[setting] = place


def values_of(outputs: Outputs, protocol: Protocol) -> dict[str, object]:
    """Return the settings that a stack's outputs contain for a service that exports by ``protocol``."""
    return {
        "environment": outputs.environment,
        "protocol": protocol,
        "endpoint": outputs.otlp_grpc_endpoint if protocol == "grpc" else outputs.otlp_http_endpoint,
        "certificate": outputs.otlp_certificate,
        "token": outputs.otlp_token,
        "head_ratio": outputs.head_ratio,
        "strategies_url": outputs.strategies_url,
        "strategies_poll_seconds": outputs.strategies_poll_seconds,
        "targets": outputs.targets,
        "privacy": outputs.privacy,
        "trace_url": outputs.trace_url("TRACE_ID"),
    }


def read(environ: Mapping[str, str]) -> tuple[dict[str, object], dict[str, str]]:
    """Return the settings that the variables contain, and the variable of each.

    The variables are ``VIRTENGINE_TRACING_OUTPUTS``, ``…_OUTPUTS_JSON``, ``…_TOKEN``, ``…_EXCEPTION_TEXT``,
    ``…_HASH_KEY`` and ``…_OWN_HOSTS`` (by commas), and from the OpenTelemetry specification
    ``OTEL_SDK_DISABLED``, ``OTEL_TRACES_EXPORTER`` (``otlp``, ``console``, ``none``, by commas),
    ``OTEL_SERVICE_NAME``, ``OTEL_RESOURCE_ATTRIBUTES``, ``OTEL_TRACES_SAMPLER`` with ``_ARG``,
    ``OTEL_EXPORTER_OTLP_ENDPOINT``, ``_PROTOCOL``, ``_CERTIFICATE``, ``_HEADERS``, ``_COMPRESSION`` and ``_TIMEOUT`` (for each, the
    form with ``_TRACES`` wins), ``OTEL_BSP_MAX_QUEUE_SIZE``, ``OTEL_BSP_MAX_EXPORT_BATCH_SIZE``, ``OTEL_BSP_SCHEDULE_DELAY`` and
    ``OTEL_BSP_EXPORT_TIMEOUT``. A variable of the specification that has no effect (``UNUSED``) is named in a warning.
    Raises ``ContractError`` for outputs and ``SettingsError`` for a variable that cannot be used.
    """
    reading = _Reading(environ)
    _read_outputs(reading)
    _read_exporter(reading)
    _read_headers(reading)
    _read_sampler(reading)
    _read_resource(reading)
    for name, setting in _CHOICES.items():
        if found := reading.variable(name):
            reading.put(name, setting, found[1])
    _read_privacy(reading)
    for name, (setting, scale) in _NUMBERS.items():
        if found := reading.variable(name):
            number = _number(name, found[1])
            reading.put(name, setting, number if scale == 1 else number / scale)
    _fit_batch(reading)
    _warn_of_unused(reading)
    if (found := reading.variable("OTEL_SDK_DISABLED")) and found[1].lower() == "true":
        reading.put(found[0], "enabled", value=False)
    return reading.values, reading.places


def _fit_batch(reading: _Reading) -> None:
    """Keep the batch within a queue that the operator made smaller than the default batch."""
    queue, batch = reading.values.get("queue_size"), reading.values.get("batch_size", _BATCH_SIZE)
    if isinstance(queue, int) and isinstance(batch, int) and 0 < queue < batch:
        if "batch_size" in reading.values:
            _logger.warning("OTEL_BSP_MAX_EXPORT_BATCH_SIZE is %d, more than OTEL_BSP_MAX_QUEUE_SIZE; %d is taken", batch, queue)
        reading.values["batch_size"] = queue


def _warn_of_unused(reading: _Reading) -> None:
    """Name each variable that is set and has no effect, or not the one that it asks for."""
    for name, why in UNUSED.items():
        if reading.variable(name):
            _logger.warning("%s has no effect: %s", name, why)
    if found := reading.variable("OTEL_PROPAGATORS"):
        asked = {name.strip() for name in found[1].split(",")}
        if asked != {"tracecontext", "baggage"}:
            _logger.warning("%s is %r and has no effect: headers are those of tracecontext and baggage", found[0], found[1][:80])


def _read_outputs(reading: _Reading) -> None:
    """Read the outputs. A separate token replaces the token of the outputs, even a placeholder."""
    token, path, inline = reading.variable(TOKEN), reading.variable(OUTPUTS), reading.variable(OUTPUTS_JSON)
    if path and inline:
        wrong = f"{OUTPUTS_JSON} is set as well"
        raise SettingsError(explain(OUTPUTS, wrong, "one of the two", f"unset {OUTPUTS} or unset {OUTPUTS_JSON}"))
    protocol = _protocol(reading)
    outputs = None
    if path:
        outputs = Outputs.read(path[1], place=f"{OUTPUTS} ({path[1]})", without_token=token is not None)
    elif inline:
        outputs = Outputs.parse_json(inline[1], place=OUTPUTS_JSON, without_token=token is not None)
    if outputs:
        reading.values.update(values_of(outputs, protocol))
    else:
        reading.values["protocol"] = protocol
    if token:
        reading.put(TOKEN, "token", SecretStr(token[1]))


def _protocol(reading: _Reading) -> Protocol:
    name, value = reading.variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL") or ("", "http/protobuf")
    if value == "grpc":
        return "grpc"
    if value == "http/protobuf":
        return "http/protobuf"
    raise SettingsError(explain(name, f"is {value[:40]!r}", "grpc or http/protobuf", _RESTART))


def _read_exporter(reading: _Reading) -> None:
    """Read exporter, endpoint and certificate. The variable for traces alone has the full path (OTLP specification); its base is taken."""
    if found := reading.variable("OTEL_TRACES_EXPORTER"):
        names = {name.strip().lower() for name in found[1].split(",")}
        if names - _EXPORTERS:
            _logger.warning("%s is %r, of which otlp, console and none have an effect", found[0], found[1][:40])
        if "none" in names:
            reading.put(found[0], "enabled", value=False)
        if "console" in names:
            reading.put(found[0], "console", value=True)
            reading.put(found[0], "export", value="otlp" in names)
    if found := reading.variable("OTEL_EXPORTER_OTLP_ENDPOINT"):
        reading.put(found[0], "endpoint", found[1])
    if found := reading.variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        name, value = found
        base = value.removesuffix("/v1/traces")
        if reading.values["protocol"] == "http/protobuf" and base == value:
            right = "a URL that ends in /v1/traces"
            raise SettingsError(explain(name, "has another path", right, "add /v1/traces, or give the base in OTEL_EXPORTER_OTLP_ENDPOINT"))
        reading.put(name, "endpoint", base)
    if found := reading.variable("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"):
        name, path = found
        try:
            reading.put(name, "certificate", Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            wrong = f"names {path}, which cannot be read ({getattr(error, 'strerror', None) or type(error).__name__})"
            raise SettingsError(explain(name, wrong, "the path of a PEM file with CA certificates", _RESTART)) from None


def _read_headers(reading: _Reading) -> None:
    """Read ``name=value,name=value`` with percent-encoded values. The header authorization with a bearer token is read as the token."""
    found = reading.variable("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
    if not found:
        return
    headers = {}
    for position, pair in enumerate(filter(None, (part.strip() for part in found[1].split(","))), start=1):
        name, separator, value = pair.partition("=")
        name, value = name.strip().lower(), unquote(value.strip())
        if not separator or not _HEADER_NAME.fullmatch(name) or not value.isprintable():
            # The pair is not shown, because the name of a malformed pair may be part of a secret.
            raise SettingsError(explain(found[0], f"entry {position} is malformed", "name=value, percent-encoded, by commas", _RESTART))
        if name == "authorization" and value.lower().startswith("bearer "):
            reading.put(found[0], "token", SecretStr(value[len("bearer ") :].strip()))
        else:
            headers[name] = SecretStr(value)
    reading.put(found[0], "headers", headers)


def _read_sampler(reading: _Reading) -> None:
    """Read the head ratio. Every sampler is parent-based here, because a trace must not end in its middle.

    An operator who sets a sampler overrides the strategies and the targets of the outputs.
    """
    found = reading.variable("OTEL_TRACES_SAMPLER")
    if not found:
        return
    name, sampler = found
    if sampler not in _RATIOS:
        # As the specification asks: an unknown value is logged, and is as none.
        _logger.warning("%s is %r and has no effect: one of %s", name, sampler[:40], ", ".join(_RATIOS))
        return
    reading.values.update(strategies_url=None, targets=())
    ratio = _RATIOS[sampler]
    argument = reading.variable("OTEL_TRACES_SAMPLER_ARG")
    if ratio is not None:
        reading.put(name, "head_ratio", ratio)
    elif argument is None:
        reading.put(name, "head_ratio", 1.0)
    else:
        reading.put(argument[0], "head_ratio", _ratio(*argument))


def _read_resource(reading: _Reading) -> None:
    """Read the resource attributes that are settings. ``OTEL_SERVICE_NAME`` overrides ``service.name`` (specification)."""
    if found := reading.variable("OTEL_RESOURCE_ATTRIBUTES"):
        for pair in found[1].split(","):
            key, _, value = pair.partition("=")
            if value.strip() and (setting := _RESOURCE.get(key.strip())):
                reading.put(f"{found[0]} ({key.strip()})", setting, unquote(value.strip()))
    if found := reading.variable("OTEL_SERVICE_NAME"):
        reading.put(found[0], "service_name", found[1])


def _read_privacy(reading: _Reading) -> None:
    """Read the settings of privacy."""
    if found := reading.variable(EXCEPTION_TEXT):
        if found[1].lower() not in {"true", "false"}:
            raise SettingsError(explain(EXCEPTION_TEXT, f"is {found[1][:40]!r}", "true or false", _RESTART))
        reading.put(found[0], "exception_text", found[1].lower() == "true")
    if found := reading.variable(HASH_KEY):
        reading.put(found[0], "hash_key", SecretStr(found[1]))
    if found := reading.variable(OWN_HOSTS):
        reading.put(found[0], "own_hosts", tuple(host.strip().lower() for host in found[1].split(",") if host.strip()))


def _ratio(name: str, value: str) -> float:
    """Return a ratio; another value is logged, and is as none (specification): every trace is sampled."""
    with suppress(ValueError):
        if 0 <= (ratio := float(value)) <= 1:
            return ratio
    _logger.warning("%s is %r and has no effect: a number from 0 to 1", name, value[:40])
    return 1.0


def _number(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise SettingsError(explain(name, f"is {value[:40]!r}", "a whole number", _RESTART)) from None
