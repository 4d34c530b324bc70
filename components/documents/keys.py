"""Names of credentials and of personal data as keys of attributes spell them.

A name is given once, as words. Its patterns find it in every spelling: ``access_token``, ``access-token``, ``access.token``,
``ACCESS_TOKEN``, ``accesstoken``, ``accessToken`` and ``AccessToken``, alone and among other words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

Names: TypeAlias = "Mapping[str, str]"
"""Last words of names, and for each the words of which one stands before it; under "" names of a single word.

Token, key and name are harmless alone (``token_count``, ``partition.key``), so they need a word before them.
"""

CREDENTIALS: Names = {
    "": "password passwd secret authorization cookie pwd jwt pin cvv cvc",
    "token": "access refresh id auth oauth oauth2 bearer session api user csrf xsrf security",
    "key": "api private signing access",
    "pass": "user db admin smtp",
}
PERSONAL: Names = {
    "": "phone street postcode passport ssn iban",
    "mail": "e",
    "name": "first last full given family",
    "date": "birth",
    "day": "birth",
    "of birth": "date",
    "number": "document card",
    "card": "credit",
    "card number": "credit",
    "security": "social",
    "security number": "social",
}

ABBREVIATED = frozenset(["pwd", "jwt", "pin", "cvv", "cvc", "id", "api", "csrf", "xsrf", "ssn", "iban", "e"])
"""Words that may be capitals in camel case: ``userAPIKey``, ``cardCVV``. Then a capital before them is of their word: ``SPIN``."""

APART = r"[\W_]"
"""Whatever stands between two words that are not in camel case."""


def names(of: Names) -> list[list[str]]:
    """Return the names, each as its words, in an order in which those with a common beginning are neighbours.

    The collector's regular expressions look at such a beginning once. In any other order they take three times as long.
    """
    return sorted([word, *last.split()] for last, before in of.items() for word in before.split())


def separate(of: Names) -> str:
    """Return a pattern of the names with other words apart from them, in small and capital letters."""
    found = "|".join(f"{APART}?".join(words) for words in names(of))
    return rf"(?i)(^|{APART})({found})s?[0-9]*($|{APART})"


def camel_case(of: Names) -> str:
    """Return a pattern of the names within other words in camel case.

    The first word of a name is small at the beginning of a key, has a capital elsewhere, or is in capitals after a small letter.
    """
    small, capital, capitals = [], [], []
    for first, *others in names(of):
        further = "".join(f"{APART}?[{word[0].upper()}{word[0]}]{word[1:]}" for word in others)
        small.append(first + further)
        if len(first) > 1:
            capital.append(first.capitalize() + further)
        if first in ABBREVIATED:
            capitals += [first.upper() + further, *([f"{APART}?".join(word.upper() for word in [first, *others])] if others else [])]
    return rf"((^|{APART})({'|'.join(small)})|{'|'.join(capital)}|(^|[^A-Z])({'|'.join(capitals)}))s?($|[^a-z])"
