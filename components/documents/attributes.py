"""What must not be stored: the rules that the collectors' redaction and the contract of the library both carry.

The patterns keep to what RE2 (the collector) and Python's ``re`` (the library) read alike. They are the second wall; the first is
the library, which does not let undeclared attributes leave the process.
"""

from __future__ import annotations

from components.workload import PrivacyRule

PRIVACY_RULES: tuple[PrivacyRule, ...] = (
    PrivacyRule(
        "credential-keys",
        "key",
        r"(?i)(^|[._-])(password|passwd|secret|authorization|cookie|api[_-]?key|private[_-]?key|mnemonic|(access|refresh|id|auth)[_-]?token)($|[._-])",
        "attributes that are named after a credential",
    ),
    PrivacyRule(
        "personal-keys",
        "key",
        r"(?i)(^|[._-])(e-?mail|phone|(first|last|full|given|family)[_-]?name|birth[_-]?(date|day)|street|postcode|passport|document[_-]?number)($|[._-])",
        "attributes that are named after personal data",
    ),
    PrivacyRule("email", "value", r"[A-Za-z0-9._%+-]{1,64}(@|%40)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", "e-mail addresses, also in URLs"),
    PrivacyRule("phone", "value", r"(\+|%2B|\b00)[1-9][0-9 ().-]{6,17}[0-9]\b", "telephone numbers in international form (E.164)"),
    PrivacyRule("bearer", "value", r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/-]{8,}=*", "credentials of an Authorization header"),
    PrivacyRule("jwt", "value", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*)?", "JSON web tokens"),
    PrivacyRule(
        "assigned-secret",
        "value",
        r"(?i)\b(password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key)\b[\"']?\s*[=:]\s*[^\s&,;]+",
        "credentials in query strings, configuration and messages",
    ),
    PrivacyRule("private-key", "value", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(-----END [A-Z ]*PRIVATE KEY-----)?", "keys in PEM"),
    PrivacyRule("mnemonic", "value", r"\b([a-z]{3,8}[ \t]+){11,23}[a-z]{3,8}\b", "recovery phrases of a wallet (BIP 39)"),
)
"""All rules, in the order in which they are applied."""


def patterns(matches: str) -> list[str]:
    """The patterns that are held against attribute keys (``"key"``) or values (``"value"``)."""
    return [rule.pattern for rule in PRIVACY_RULES if rule.matches == matches]
