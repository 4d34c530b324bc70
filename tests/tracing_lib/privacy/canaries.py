"""Canaries: values that must never leave, each of a kind that says which walls stand before it."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracing_lib.privacy.rules import own_rules

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

_FIRST = "Xanthe Quillon Ysolde Thaddeus Zubeida Oswin Perpetua Lysander Isaura Caspian".split()  # noqa: SIM905  read most easily as a text
_LAST = "Featherstone Marchbanks Ravenscroft Wolfenbarger Thistlewood Okonkwo-Baines Vandersloot Underhillson Quackenbush".split()  # noqa: SIM905  as above
_BIP39 = [
    "abandon",
    "ability",
    "absent",
    "absorb",
    "abstract",
    "absurd",
    "abuse",
    "access",
    "accident",
    "acid",
    "acoustic",
    "acquire",
    "across",
    "action",
    "actor",
    "actress",
    "actual",
    "adapt",
    "address",
    "adjust",
    "admit",
    "adult",
    "advance",
    "advice",
    "aerobic",
    "affair",
    "afford",
    "afraid",
    "again",
    "agent",
    "agree",
    "ahead",
    "aim",
    "airport",
    "alarm",
    "album",
    "alert",
    "alien",
]
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


@dataclass(frozen=True)
class Canary:
    """A private value as it may be met."""

    kind: str
    """The privacy rule that finds it in free text; ``name`` or ``opaque`` where none can."""
    text: str
    """What is planted."""
    secrets: tuple[str, ...]
    """What must not be found afterwards, in any of these spellings."""


def _word(rng: random.Random, alphabet: str, length: int) -> str:
    return "".join(rng.choice(alphabet) for _ in range(length))


def _base64(rng: random.Random, length: int) -> str:
    return _word(rng, string.ascii_letters + string.digits, length)


def _name(rng: random.Random) -> Canary:
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    return Canary("name", rng.choice((" ", "%20", "+", ", ")).join((first, last)), (first, last))


def _opaque(rng: random.Random) -> Canary:
    """A password, which looks like nothing."""
    secret = "Pw!" + _base64(rng, 9) + rng.choice("§$&?")
    return Canary("opaque", secret, (secret, secret[3:12]))


def _email(rng: random.Random) -> Canary:
    local = _word(rng, string.ascii_lowercase, 9)
    return Canary("email", f"{local}{rng.choice(('@', '%40'))}{_word(rng, string.ascii_lowercase, 6)}.example", (local,))


def _phone(rng: random.Random) -> Canary:
    digits = rng.choice("2345") + _word(rng, string.digits, 10)
    return Canary("phone", rng.choice(("+", "%2B", "00")) + digits, (digits,))


def _national_phone(rng: random.Random) -> Canary:
    head, middle, tail = (rng.choice("23456789") + _word(rng, string.digits, n) for n in (2, 2, 3))
    written = rng.choice((f"{head}-{middle}-{tail}", f"0{head} {middle}{tail}", f"({head}) {middle} {tail}"))
    return Canary("national-phone", written, (written, f"{middle}-{tail}", f"{middle}{tail}"))


def _bearer(rng: random.Random) -> Canary:
    secret = _base64(rng, 24)
    return Canary("bearer", f"{rng.choice(('Bearer', 'basic'))} {secret}", (secret,))


def _jwt(rng: random.Random) -> Canary:
    parts = ["eyJ" + _base64(rng, 20), _base64(rng, 30), _base64(rng, 30)]
    return Canary("jwt", ".".join(parts), tuple(parts))


def _assigned(rng: random.Random) -> Canary:
    secret = _base64(rng, 14)
    key = rng.choice(("password", "token", "api_key", "access_token", "Secret"))
    return Canary("assigned-secret", rng.choice((f"{key}={secret}", f'"{key}": "{secret}"', f"{key}: {secret}")), (secret,))


def _issued(rng: random.Random) -> Canary:
    aws = "AKIA" + _word(rng, string.ascii_uppercase + "23", 16)
    secret = rng.choice(
        (
            "ghp_" + _base64(rng, 36),
            "glpat-" + _base64(rng, 20),
            "sk-" + _base64(rng, 48),
            "sk-ant-api03-" + _base64(rng, 93),
            "hf_" + _base64(rng, 34),
            aws,
            f"{aws}:{_base64(rng, 40)}",
        )
    )
    return Canary("issued-token", secret, (secret,))


def _url(rng: random.Random) -> Canary:
    user, password = _word(rng, string.ascii_lowercase, 9), _base64(rng, 12)
    return Canary("url-credentials", f"postgres://{user}:{password}@db/orders", (user, password))


def _pem(rng: random.Random) -> Canary:
    body = _base64(rng, 60)
    return Canary("private-key", f"-----BEGIN EC PRIVATE KEY-----\nDEK-Info: AES-128\n{body}\n-----END EC PRIVATE KEY-----", (body,))


def _mnemonic(rng: random.Random) -> Canary:
    phrase = " ".join(rng.choice(_BIP39) for _ in range(rng.choice((12, 24))))
    return Canary("mnemonic", phrase, (phrase, " ".join(phrase.split()[:6])))


def _extended(rng: random.Random) -> Canary:
    secret = rng.choice("xyz") + "prv" + _word(rng, _BASE58, 107)
    return Canary("extended-key", secret, (secret, secret[10:40]))


def _wif(rng: random.Random) -> Canary:
    secret = rng.choice("5KL") + _word(rng, _BASE58, 50)
    return Canary("wallet-import-key", secret, (secret, secret[10:40]))


def _raw(rng: random.Random) -> Canary:
    secret = _word(rng, "0123456789abcdef", 64)
    return Canary("raw-private-key", rng.choice(("", "0x")) + secret, (secret,))


def _address(rng: random.Random) -> Canary:
    secret = "virtengine1" + _word(rng, _BECH32, 38)
    return Canary("wallet-address", secret, (secret,))


MAKERS: dict[str, Callable[[random.Random], Canary]] = {
    "email": _email,
    "phone": _phone,
    "national-phone": _national_phone,
    "bearer": _bearer,
    "jwt": _jwt,
    "assigned-secret": _assigned,
    "issued-token": _issued,
    "url-credentials": _url,
    "private-key": _pem,
    "mnemonic": _mnemonic,
    "extended-key": _extended,
    "wallet-import-key": _wif,
    "raw-private-key": _raw,
    "wallet-address": _address,
}
"""One maker for each value rule of the library."""

KEYS: dict[str, tuple[str, ...]] = {
    "credential-keys": ("virtengine.fuzz.PRIVATE_KEY", "virtengine.fuzz.REFRESH_TOKEN"),
    "personal-keys": ("virtengine.fuzz.FIRST_NAME", "virtengine.fuzz.BIRTH_DATE"),
    "credential-words": ("virtengine.fuzz.dbpassword", "virtengine.fuzz.seed_phrase"),
    "credential-camel-case": ("virtengine.fuzz.clientSecret", "virtengine.fuzz.sessionTokenHash"),
    "personal-camel-case": ("virtengine.fuzz.customerEmail", "virtengine.fuzz.homePhones"),
}
"""Keys that no other than this key rule of the library finds."""

STRUCTURAL: dict[str, Callable[[random.Random], Canary]] = {"name": _name, "opaque": _opaque}
"""Values that no pattern can find: only a wall of declared keys and shapes holds them."""


def every_rule_has_a_canary() -> bool:
    """Whether every value rule has a maker, and every key rule has keys that it alone finds."""
    key_rules = {rule.name: re.compile(rule.pattern) for rule in own_rules() if rule.matches == "key"}
    finders = [(rule, [name for name, pattern in key_rules.items() if pattern.search(key)]) for rule in KEYS for key in KEYS[rule]]
    values = {rule.name for rule in own_rules() if rule.matches == "value"}
    return set(MAKERS) == values and set(KEYS) == set(key_rules) and all(names == [rule] for rule, names in finders)


def any_canary(rng: random.Random) -> Canary:
    makers = MAKERS | STRUCTURAL
    return makers[rng.choice(list(makers))](rng)


def patterned(rng: random.Random) -> Canary:
    """A canary that a value rule finds."""
    return MAKERS[rng.choice(list(MAKERS))](rng)


def found(canary: Canary, text: str) -> list[str]:
    """The spellings of a canary that are in a text, however it was escaped."""
    lowered = text.lower()
    return [secret for secret in canary.secrets if secret.lower() in lowered]
