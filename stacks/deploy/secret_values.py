"""The secrets that a stack fills: which ones its plan reads, the form of each value, and how to make one."""

from __future__ import annotations

import base64
import binascii
import json
import re
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from components.workload import Plan

COOKIE_BYTES = (16, 24, 32)
"""Lengths of an AES key, which oauth2-proxy makes of the cookie secret."""

_BEARER = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_RANDOM = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'
_PEM_KEY = re.compile(r"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----\s.+-----END ([A-Z]+ )?PRIVATE KEY-----", re.DOTALL)


def known_keys(plan: Plan) -> list[str]:
    """The keys that a plan reads of the stack, each ``<secret>.<entry>``."""
    return [f"{secret}.{entry}" for secret, entry in _entries(plan)]


def entry_of(key: str, plan: Plan) -> str:
    """The entry of a Secret that a key names. Raises KeyError for a key that the plan does not read of the stack."""
    for secret, entry in _entries(plan):
        if key == f"{secret}.{entry}":
            return entry
    raise KeyError(key)


def _entries(plan: Plan) -> Iterator[tuple[str, str]]:
    """Each Secret that the stack may fill, with each of its entries that is read."""
    for secret, entries in plan.secrets.items():
        if secret not in plan.filled_elsewhere:
            yield from ((secret, entry) for entry in entries)


def problem(entry: str, value: str) -> str | None:
    """The defect of a value of an entry and what would be right, without the value; None when it has none."""
    return _FORMS.get(entry, _one_line)(value)


def making(entry: str, key: str, stack: str) -> str:
    """The command that makes a value of an entry and encrypts it, or reads it from where its issuer has put it."""
    store = f"python -m stacks secret {stack} {key}"
    return {
        "token": f"{_RANDOM} | {store}",
        "cookie-secret": f"{_RANDOM} | {store}",
        "tls.crt": f"{store} < tls.crt",
        "tls.key": f"{store} < tls.key",
        "ca.crt": f"{store} < ca.crt",
        ".dockerconfigjson": f"{store} < ~/.docker/config.json",
    }.get(entry, store)


def _one_line(value: str) -> str | None:
    if not value:
        return "is empty; type it, or pipe it in"
    if not (value.isascii() and value.isprintable()):
        return "holds a line break, a control character or a letter outside of ASCII; write one line of printable ASCII"
    if value != value.strip():
        return "begins or ends with a blank; leave the blanks out"
    return None


def _token(value: str) -> str | None:
    if _BEARER.fullmatch(value):
        return None
    return _one_line(value) or "is no bearer token; use letters, digits and -._~+/ only (RFC 6750), without the word Bearer"


def _cookie(value: str) -> str | None:
    if wrong := _one_line(value):
        return wrong
    # oauth2-proxy takes the bytes that the text encodes where these are a key, else the bytes of the text itself.
    if _decoded_length(value) in COOKIE_BYTES or len(value) in COOKIE_BYTES:
        return None
    return f"is {len(value)} bytes, and no base64 of a key either; make it 16, 24 or 32 bytes"


def _decoded_length(value: str) -> int:
    text = value.rstrip("=")
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        return 0
    try:
        return len(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except binascii.Error:
        return 0


def _certificate(value: str) -> str | None:
    try:
        ssl.create_default_context(cadata=value)
    except (ssl.SSLError, ValueError):
        return "is no certificate; pipe in its PEM, -----BEGIN CERTIFICATE----- and on"
    return None


def _private_key(value: str) -> str | None:
    if "ENCRYPTED" in value:
        return "is encrypted, and no server here is given its passphrase; decrypt it: openssl pkey -in tls.key"
    if _PEM_KEY.search(value) is None:
        return "is no private key; pipe in its PEM, -----BEGIN PRIVATE KEY----- and on"
    return None


def _docker_config(value: str) -> str | None:
    try:
        document = json.loads(value)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("auths"), dict):
        return 'is no Docker configuration; pipe in JSON with "auths", as docker login writes it'
    if not all(isinstance(found, dict) and {"auth", "password"} & set(found) for found in document["auths"].values()):
        return 'has an entry of "auths" without "auth"; docker login with a credential helper keeps it elsewhere'
    return None


_FORMS: Mapping[str, Callable[[str], str | None]] = {
    "token": _token,
    "cookie-secret": _cookie,
    "tls.crt": _certificate,
    "ca.crt": _certificate,
    "tls.key": _private_key,
    ".dockerconfigjson": _docker_config,
}
"""The form of an entry that is more than one line of text."""
