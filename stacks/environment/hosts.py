"""Hosts and addresses of servers, their one spelling, and headers of requests to them."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, WithJsonSchema

from stacks.environment.units import LABEL_FORM, NO_PLACEHOLDER, identifier, refuse, shown, trimmed

_HTTPS, _HTTP = re.compile(r"https://[!-~]+"), re.compile(r"https?://[!-~]+")
_DISCOVERY = "/.well-known/openid-configuration"
_HOST_PORT = re.compile(r"([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?):([0-9]{1,5})")
_HEADER = re.compile(r"[a-z0-9!#%&'*+.^_`|~-]{1,64}")
_HEADER_VALUE = re.compile(r"[!-~]([\t -~]*[!-~])?")
_USUAL_PORTS = {"http": 80, "https": 443}


def _is_name(host: str) -> bool:
    return len(host) <= 253 and all(LABEL_FORM.fullmatch(part) for part in host.split("."))  # noqa: PLR2004 - RFC 1123


def _is_host(host: str) -> bool:
    """Whether a server can be called so: by an address, or by a name that no reader takes for an address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _is_name(host) and not host.rsplit(".", 1)[-1].isdigit()
    return True


def _hostname(value: str) -> str:
    if not _is_name(value):
        raise refuse(f'{shown(value)} is not a host name; write lower-case labels joined by dots, for example "traces.example.org"')
    return value


def _site(value: str) -> str:
    """A host name that an Ingress takes: a browser and the API server read one whose last label is a number as an address."""
    if _hostname(value).rsplit(".", 1)[-1].isdigit():
        raise refuse(f'{shown(value)} is an address, and an Ingress has a host by name; write for example "traces.example.org"')
    return value


def _https(value: str) -> str:
    identifier(value)
    if value.endswith(_DISCOVERY):
        raise refuse(
            f"{shown(value)} is the address of the issuer's description; write the issuer, {shown(value.removesuffix(_DISCOVERY))}"
        )
    return _address(value, _HTTPS, "https", "https://login.example.org/realms/virtengine")


def _http(value: str) -> str:
    return _address(identifier(value), _HTTP, "http", "http://prometheus.monitoring.svc:9090")


def _base(value: str) -> str:
    """An address without a slash at its end, because servers join some with a path that begins with one."""
    return _http(value).rstrip("/")


def _address(value: str, form: re.Pattern[str], scheme: str, right: str) -> str:
    if not (form.fullmatch(value) and _is_base(value)):
        raise refuse(f'{shown(value)} is not an {scheme} address; write for example "{right}"')
    host = str(urlsplit(value).hostname)
    # A dot at the end says that a name is whole.
    if not _is_host(host.removesuffix(".")):
        raise refuse(f'{shown(value)} is not an {scheme} address, since "{host}" is no host; write for example "{right}"')
    return value


def _is_base(value: str) -> bool:
    """Whether an address has a host, and neither query nor fragment nor user, and no port of no digits."""
    try:
        parts = urlsplit(value)
        whole = not set("?#") & set(value) and "@" not in parts.netloc and not parts.netloc.endswith(":")
        return bool(parts.hostname) and parts.port != 0 and whole
    except ValueError:
        return False


def _host_port(value: str) -> str:
    found = _HOST_PORT.fullmatch(identifier(value))
    if not found or not 0 < int(found[2]) < 2**16:
        raise refuse(f'{shown(value)} is not a host with its port; write for example "cassandra.example.org:9042"')
    if not _is_host(_hostname(found[1])):
        raise refuse(f'{shown(value)} is not a host with its port, since "{found[1]}" is no address; write for example "10.0.0.5:9042"')
    return value


def host_port(text: str) -> str:
    """A host and its port that do not stand in a file. Raises ``ValueError``."""
    return _host_port(text)


def http_url(text: str) -> str:
    """An http address that does not stand in a file. Raises ``ValueError``."""
    return _http(text)


def one_spelling(server: str) -> str:
    """The host, the port and the path of a server, of a URL or of a host with its port, as all spellings of them have in common."""
    parts = urlsplit(server if "://" in server else f"tcp://{server}")
    host = (parts.hostname or "").removesuffix(".")
    with contextlib.suppress(ValueError):
        host = str(ipaddress.ip_address(host))
    return f"{host}:{parts.port or _USUAL_PORTS.get(parts.scheme, 0)}{parts.path.rstrip('/')}"


def _header(value: str) -> str:
    if not _HEADER.fullmatch(value):
        raise refuse(f'{shown(value)} is not the name of a header; write lower-case letters, digits and "-", for example "x-scope-orgid"')
    return value


def _header_value(value: str) -> str:
    if not _HEADER_VALUE.fullmatch(trimmed(value)):
        raise refuse(f"{shown(value)} is not the value of a header; write letters and signs of ASCII on one line")
    return value


def _known(value: str) -> str:
    return _header_value(identifier(value))


Hostname = Annotated[str, AfterValidator(_hostname), WithJsonSchema({"type": "string", "format": "hostname"})]
"""A DNS name (RFC 1123)."""

SiteName = Annotated[
    str, AfterValidator(_site), WithJsonSchema({"type": "string", "format": "hostname", "pattern": r"^(.*\.)?[^.]*[^0-9.][^.]*$"})
]
"""A DNS name (RFC 1123) that is no address."""

HttpsUrl = Annotated[
    str,
    AfterValidator(_https),
    WithJsonSchema({"type": "string", "format": "uri", "pattern": rf"{NO_PLACEHOLDER}(?!.*/\.well-known/openid-configuration$)https://"}),
]
"""An absolute https address without query or fragment."""

_HTTP_SCHEMA = {"type": "string", "format": "uri", "pattern": rf"{NO_PLACEHOLDER}https?://"}

HttpUrl = Annotated[str, AfterValidator(_http), WithJsonSchema(_HTTP_SCHEMA)]
"""An absolute http or https address without query or fragment."""

BaseUrl = Annotated[str, AfterValidator(_base), WithJsonSchema(_HTTP_SCHEMA)]
"""An ``HttpUrl`` to which paths are joined; slashes at its end mean nothing."""

HostPort = Annotated[str, AfterValidator(_host_port), WithJsonSchema({"type": "string", "pattern": f"^{_HOST_PORT.pattern}$"})]
"""A host and a port of it."""

HeaderName = Annotated[str, AfterValidator(_header), WithJsonSchema({"type": "string", "pattern": f"^{_HEADER.pattern}$"})]
"""The name of a header of HTTP and gRPC (RFC 9110, section 5.1), in lower case as HTTP/2 has it."""

HeaderValue = Annotated[str, AfterValidator(_header_value), WithJsonSchema({"type": "string", "pattern": f"^{_HEADER_VALUE.pattern}$"})]
"""The value of a header of HTTP (RFC 9110, section 5.5), of what every server reads alike."""

HeaderIdentifier = Annotated[
    str, AfterValidator(_known), WithJsonSchema({"type": "string", "pattern": rf"{NO_PLACEHOLDER}{_HEADER_VALUE.pattern}$"})
]
"""An ``Identifier`` that is sent as the value of a header."""
