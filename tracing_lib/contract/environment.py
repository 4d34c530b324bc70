"""Settings from environment variables: those of a stack's outputs, overridden by the standard variables."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, cast
from urllib.parse import unquote

from pydantic import SecretStr

from tracing_lib.base.errors import SettingsError, explain
from tracing_lib.base.variables import PROPAGATORS, unreadable
from tracing_lib.contract.fields import GREATEST
from tracing_lib.contract.outputs import Outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

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
_logger: Final = logging.getLogger("tracing_lib")

_NO_CERTIFICATE = "the exporter presents no certificate of its own; give a token"
_BY_SCHEME = "the scheme of the endpoint decides: http or https"
_OTLP_ONLY, _NO_FILE = "spans leave by OTLP", "the settings are those of the variables and of the stack's outputs"
UNUSED: Final[Mapping[str, str]] = {
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": _NO_CERTIFICATE,
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE": _NO_CERTIFICATE,
    "OTEL_EXPORTER_OTLP_CLIENT_KEY": _NO_CERTIFICATE,
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": _NO_CERTIFICATE,
    "OTEL_EXPORTER_OTLP_INSECURE": _BY_SCHEME,
    "OTEL_EXPORTER_OTLP_TRACES_INSECURE": _BY_SCHEME,
    "OTEL_EXPORTER_ZIPKIN_ENDPOINT": _OTLP_ONLY,
    "OTEL_EXPORTER_ZIPKIN_TIMEOUT": _OTLP_ONLY,
    "OTEL_CONFIG_FILE": _NO_FILE,
    "OTEL_EXPERIMENTAL_CONFIG_FILE": _NO_FILE,
    "OTEL_LOG_LEVEL": "the level is that of the logger tracing_lib",
}
"""Variables of the specification that have no effect, with the reason or what to do instead. One that is set is named in a warning."""
_EXPORTER: Final = "OTEL_TRACES_EXPORTER"
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_RESTART: Final = "correct the variable, or unset it, and start the service again"
_Found: TypeAlias = "Iterator[tuple[str, object, str]]"
"""Settings that were read: name, value, and the variable; for values of the outputs an empty string."""


def values_of(outputs: Outputs, protocol: Protocol) -> dict[str, object]:
    """Return the settings that a stack's outputs contain for a service that exports by ``protocol``."""
    same = ("environment", "head_ratio", "strategies_url", "strategies_user", "strategies_poll_seconds", "targets", "privacy")
    return {
        "protocol": protocol,
        "endpoint": outputs.otlp_grpc_endpoint if protocol == "grpc" else outputs.otlp_http_endpoint,
        "certificate": outputs.otlp_certificate,
        "token": outputs.otlp_token,
        "trace_url": outputs.trace_url("TRACE_ID"),
        **{name: getattr(outputs, name) for name in same},
    }


def read(environ: Mapping[str, str]) -> tuple[dict[str, object], dict[str, str]]:
    """Return the settings that the variables contain, and the variable of each.

    The variables are those of this module, and from the OpenTelemetry specification those of ``docs/library/variables.md``. An empty one
    is unset. One of the specification that has no effect, or a number, a word or a flag that cannot be used, is named in a warning and is
    as if unset. Raises ``ContractError`` for outputs, and ``SettingsError`` for any other variable that cannot be used.
    """
    given = {name: text for name, value in environ.items() if (text := value.strip())}
    values: dict[str, object] = {}
    places: dict[str, str] = {}
    for setting, value, place in (*_stack(given), *_headers(given), *_sampler(given), *_resource(given), *_single(given)):
        values[setting] = value
        if place:
            places[setting] = place
    _fit_batch(values)
    _warn_of_unused(given)
    return values, places


def outputs_of(given: Mapping[str, str], *, without_token: bool = False) -> Outputs | None:
    """Return the outputs that the variables name, or None. Raises ``ContractError``, and ``SettingsError`` where both are set."""
    path, inline = given.get(OUTPUTS), given.get(OUTPUTS_JSON)
    if path and inline:
        wrong = f"{OUTPUTS_JSON} is set as well"
        raise SettingsError(explain(OUTPUTS, wrong, "one of the two", f"unset {OUTPUTS} or unset {OUTPUTS_JSON}"))
    if path:
        return Outputs.read(path, place=f"{OUTPUTS} ({path})", without_token=without_token)
    return Outputs.parse_json(inline, place=OUTPUTS_JSON, without_token=without_token) if inline else None


def _stack(given: Mapping[str, str]) -> _Found:
    """Yield the settings of the outputs. A separate token replaces the token of the outputs, even a placeholder."""
    names = [name for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL") if name in given]
    chosen = (_word(name, given[name], ("grpc", "http/protobuf")) for name in names)
    protocol = cast("Protocol", next(filter(None, chosen), "http/protobuf"))
    outputs = outputs_of(given, without_token=TOKEN in given)
    for setting, value in (values_of(outputs, protocol) if outputs else {"protocol": protocol}).items():
        yield setting, value, ""
    if TOKEN in given:
        yield "token", SecretStr(given[TOKEN]), TOKEN
    if endpoint := given.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        # The variable for traces alone has the full path (OTLP specification); its base is taken.
        base = endpoint.removesuffix("/v1/traces")
        if protocol == "http/protobuf" and base == endpoint:
            then = "add /v1/traces, or give the base in OTEL_EXPORTER_OTLP_ENDPOINT"
            raise SettingsError(explain("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "has another path", "a URL that ends in /v1/traces", then))
        yield "endpoint", base, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    elif endpoint := given.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        yield "endpoint", endpoint, "OTEL_EXPORTER_OTLP_ENDPOINT"


def _headers(given: Mapping[str, str]) -> _Found:
    """Read ``name=value,name=value`` with percent-encoded values. The header authorization with a bearer token is read as the token."""
    variable = "OTEL_EXPORTER_OTLP_TRACES_HEADERS"
    if variable not in given and (variable := "OTEL_EXPORTER_OTLP_HEADERS") not in given:
        return
    headers = {}
    for position, pair in enumerate(filter(None, (part.strip() for part in given[variable].split(","))), start=1):
        name, separator, value = pair.partition("=")
        name, value = name.strip().lower(), unquote(value.strip())
        if not separator or not _HEADER_NAME.fullmatch(name) or not value.isprintable():
            # The pair is not shown, because the name of a malformed pair may be part of a secret.
            raise SettingsError(explain(variable, f"entry {position} is malformed", "name=value, percent-encoded, by commas", _RESTART))
        if name == "authorization" and value.lower().startswith("bearer "):
            yield "token", SecretStr(value[len("bearer ") :].strip()), variable
        else:
            headers[name] = SecretStr(value)
    yield "headers", headers, variable


def _sampler(given: Mapping[str, str]) -> _Found:
    """Read the head ratio. Every sampler is parent-based here, because a trace must not end in its middle.

    An operator who sets a sampler overrides the strategies and the targets of the outputs. As the specification asks, a value that is not
    known is logged, and is as none.
    """
    name, argument = "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"
    if name not in given or (sampler := _word(name, given[name], _RATIOS)) is None:
        return
    yield "strategies_url", None, ""
    yield "targets", (), ""
    ratio = _RATIOS[sampler]
    if ratio is None and argument in given:
        yield "head_ratio", _ratio(argument, given[argument]), argument
    else:
        yield "head_ratio", 1.0 if ratio is None else ratio, name


def _resource(given: Mapping[str, str]) -> _Found:
    """Read the resource attributes that are settings. ``OTEL_SERVICE_NAME``, which is read later, overrides ``service.name``."""
    for pair in given.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        key, _, value = pair.partition("=")
        if value.strip() and (setting := _RESOURCE.get(key.strip())):
            yield setting, unquote(value.strip()), f"OTEL_RESOURCE_ATTRIBUTES ({key.strip()})"


def _single(given: Mapping[str, str]) -> _Found:
    """Read the variables that give one setting each."""
    found: set[str] = set()
    for name, (setting, convert) in reversed(list(_VARIABLES.items())):
        if name in given and setting not in found and (value := convert(name, given[name])) is not None:
            found.add(setting)
            yield setting, value, name
    exporters, off = _exporters(given), "OTEL_SDK_DISABLED"
    if "console" in exporters:
        yield "console", True, _EXPORTER
        yield "export", "otlp" in exporters, _EXPORTER
    if "none" in exporters:
        yield "enabled", False, _EXPORTER
    if off in given and _word(off, given[off], ("true", "false")) == "true":
        yield "enabled", False, off


def _exporters(given: Mapping[str, str]) -> set[str]:
    return {name.strip() for name in given.get(_EXPORTER, "otlp").lower().split(",")}


def _fit_batch(values: dict[str, object]) -> None:
    """Keep the batch within a queue that the operator made smaller than the default batch."""
    queue, batch = values.get("queue_size"), values.get("batch_size", _BATCH_SIZE)
    if isinstance(queue, int) and isinstance(batch, int) and 0 < queue < batch:
        if "batch_size" in values:
            _logger.warning("OTEL_BSP_MAX_EXPORT_BATCH_SIZE is %d, more than OTEL_BSP_MAX_QUEUE_SIZE; %d is taken", batch, queue)
        values["batch_size"] = queue


def _warn_of_unused(given: Mapping[str, str]) -> None:
    """Name each variable that is set and has no effect, or not the one that it asks for."""
    for name, why in UNUSED.items():
        if name in given:
            _logger.warning("%s has no effect: %s", name, why)
    if unknown := _exporters(given) - {"otlp", "console", "none"}:
        _logger.warning("%s has %s, without effect: it knows otlp, console and none", _EXPORTER, ", ".join(sorted(unknown))[:40])
    asked = {name.strip() for name in given.get(PROPAGATORS, "tracecontext,baggage").lower().split(",")} - {""}
    if asked != {"tracecontext", "baggage"}:
        without = ", ".join(sorted(asked - {"tracecontext", "baggage"})) or f"{', '.join(asked)} alone"
        _logger.warning("%s has %s, without effect: headers are those of tracecontext and baggage", PROPAGATORS, without[:80])
    for name in unreadable(given):
        if name != PROPAGATORS:
            _ignored(name, given[name], "a whole number")


def _ignored(name: str, value: str, right: str) -> None:
    """Log a value that cannot be used, which is then as none (OpenTelemetry specification, "Configuration types")."""
    _logger.warning("%s is %r and has no effect: %s", name, value[:40], right)


def _word(name: str, value: str, known: Collection[str]) -> str | None:
    """Return a value that is one of the known words, in lower case. Another is ignored."""
    if value.lower() in known:
        return value.lower()
    _ignored(name, value, f"one of {', '.join(known)}")
    return None


def _ratio(name: str, value: str) -> float:
    """Return a ratio. Another value is ignored: every trace is sampled."""
    with suppress(ValueError):
        if 0 <= (ratio := float(value)) <= 1:
            return ratio
    _ignored(name, value, "a number from 0 to 1")
    return 1.0


def _number(name: str, value: str) -> int | None:
    """Return a whole number. Another value is ignored."""
    with suppress(ValueError):
        if 0 < (number := int(value)) <= GREATEST:
            return number
    _ignored(name, value, f"a whole number from 1 to {GREATEST}")
    return None


def _seconds(name: str, value: str) -> float | None:
    """Return milliseconds, as in the specification (the Python SDK reads the timeout as seconds), in seconds."""
    number = _number(name, value)
    return None if number is None else number / 1000


def _file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        wrong = f"names {path}, which cannot be read ({getattr(error, 'strerror', None) or type(error).__name__})"
        raise SettingsError(explain(name, wrong, "the path of a PEM file with CA certificates", _RESTART)) from None


def _flag(name: str, value: str) -> bool:
    if value.lower() not in {"true", "false"}:
        raise SettingsError(explain(name, f"is {value[:40]!r}", "true or false", _RESTART))
    return value.lower() == "true"


_VARIABLES: Final[Mapping[str, tuple[str, Callable[[str, str], object]]]] = {
    "OTEL_SERVICE_NAME": ("service_name", lambda _name, value: value),
    "OTEL_EXPORTER_OTLP_CERTIFICATE": ("certificate", _file),
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": ("certificate", _file),
    "OTEL_EXPORTER_OTLP_COMPRESSION": ("compression", partial(_word, known=("none", "gzip"))),
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": ("compression", partial(_word, known=("none", "gzip"))),
    "OTEL_BSP_EXPORT_TIMEOUT": ("export_timeout_seconds", _seconds),
    "OTEL_EXPORTER_OTLP_TIMEOUT": ("export_timeout_seconds", _seconds),
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": ("export_timeout_seconds", _seconds),
    "OTEL_BSP_SCHEDULE_DELAY": ("export_interval_seconds", _seconds),
    "OTEL_BSP_MAX_QUEUE_SIZE": ("queue_size", _number),
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": ("batch_size", _number),
    EXCEPTION_TEXT: ("exception_text", _flag),
    HASH_KEY: ("hash_key", lambda _name, value: SecretStr(value)),
    OWN_HOSTS: ("own_hosts", lambda _name, value: tuple(host.strip().lower() for host in value.split(",") if host.strip())),
}
"""Variables with the one setting that each gives, and its conversion; of several for one setting the last that is set wins."""
