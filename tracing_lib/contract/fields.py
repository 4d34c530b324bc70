"""Checks of single values that outputs and settings share. Each raises ``ValueError`` with the form of a correct value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, WithJsonSchema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

_TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_PREAMBLE: Final = re.compile(r"^(Value error, |\w+ should (be |have )?)")
"""Prefix of pydantic's messages, before the part that names the correct form."""
_LONGEST_SHOWN: Final = 60
GREATEST: Final = 2**31 - 1
"""Greatest number of spans or milliseconds, as OpenTelemetry's SDKs hold them. Clocks and locks refuse times that are far longer."""


def _check_url(value: str) -> str:
    # urlsplit drops line breaks silently, so that the checked URL would not be the one that is used.
    if any(character <= " " for character in value):
        raise ValueError("a URL without blanks or line breaks, such as http://collector:4318")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError("a URL whose port is a number from 1 to 65535, such as http://collector:4318") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL without a user name or password; a bearer token has a setting of its own")
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError("a URL of the form http://host:port or https://host:port")
    if parts.query or parts.fragment:
        raise ValueError("a base URL without ?query or #fragment")
    return value


def _check_certificate(value: str) -> str:
    if "PRIVATE KEY" in value:
        raise ValueError("the certificate of the CA alone; a private key was in it and belongs to the server")
    import ssl  # imported for a certificate only: ssl takes a tenth of the import time of this package

    try:
        ssl.create_default_context(cadata=value)
    except (ValueError, ssl.SSLError):
        raise ValueError("one or more CA certificates as PEM text, -----BEGIN CERTIFICATE----- and so on") from None
    return value


def _check_token(value: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(value.get_secret_value()):
        raise ValueError("a bearer token: letters, digits and -._~+/ only (RFC 6750, section 2.1), without the word Bearer")
    return value


Seconds = Annotated[float, Field(gt=0, le=GREATEST / 1000)]
"""A time in seconds, of at most 24 days."""
Url = Annotated[str, AfterValidator(_check_url), WithJsonSchema({"type": "string", "format": "uri", "pattern": "^https?://"})]
"""An http or https URL with a host and without credentials, query or fragment."""
Certificate = Annotated[str, AfterValidator(_check_certificate)]
"""PEM text of the CA certificates that verify a server's certificate."""
Token = Annotated[SecretStr, AfterValidator(_check_token)]
"""A bearer token as in RFC 6750; masked wherever it is printed."""


def _shown(value: object) -> str:
    """Return the value for a message, or only its type if it is long or could be a credential."""
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, str) and len(value) <= _LONGEST_SHOWN and "@" not in value and "bearer" not in value.lower():
        return repr(value)
    return f"a {type(value).__name__} that is not shown here"


def _one(details: ErrorDetails, secret_fields: frozenset[str]) -> tuple[str, str, str]:
    path = ".".join(str(part) for part in details["loc"]) or "the whole"
    field = str(details["loc"][0]) if details["loc"] else ""
    if details["type"] == "missing":
        return path, "is missing", "a value"
    wrong = "has a value that is not shown here" if field in secret_fields else f"is {_shown(details['input'])}"
    return path, wrong, _PREAMBLE.sub("", details["msg"])


def problems(error: ValidationError, secret_fields: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    """Yield path, fault and correct form of each failed check, without the values of secret fields."""
    for details in error.errors(include_url=False, include_context=False):
        yield _one(details, secret_fields)
