"""Rules for attributes that must not be stored, for the collectors' redaction and for the contract of the library.

The patterns keep to what RE2 (the collector) and Python's ``re`` (the library) read alike. They are the second wall; the first is
the library, which does not let undeclared attributes leave the process. ``python -m components.documents.attributes`` prints them as
the file that the library carries (``make reference``; a test compares).
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict

from components.documents.keys import APART, CREDENTIALS, PERSONAL, camel_case, separate
from components.workload import PrivacyRule

PRIVACY_RULES: tuple[PrivacyRule, ...] = (
    PrivacyRule("credential-keys", "key", separate(CREDENTIALS), "attributes that are named after a credential"),
    PrivacyRule("personal-keys", "key", separate(PERSONAL), "attributes that are named after personal data"),
    PrivacyRule(
        "credential-words",
        "key",
        rf"(?i)pass{APART}?(word|wd|phrase)|mnemonic|credential|seed{APART}?phrase|priv{APART}?key|auth{APART}?header",
        "attributes whose names hold a word that names nothing but a credential",
    ),
    PrivacyRule("credential-camel-case", "key", camel_case(CREDENTIALS), "attributes that are named after a credential in camel case"),
    PrivacyRule("personal-camel-case", "key", camel_case(PERSONAL), "attributes that are named after personal data in camel case"),
    PrivacyRule("private-key", "value", r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", "keys in PEM"),
    PrivacyRule("bearer", "value", r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/-]{8,}=*", "credentials of an Authorization header"),
    PrivacyRule("jwt", "value", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*)?", "JSON web tokens"),
    PrivacyRule(
        "assigned-secret",
        "value",
        r"(?i)(pass(word|wd|phrase)[a-z0-9_]{0,32}|(pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|mnemonic)\b)[\"']?\s*[=:]\s*"
        r"(\"[^\"]*\"|'[^']*'|[^\s&,;]+)",
        "credentials in query strings, configuration and messages",
    ),
    PrivacyRule(
        "issued-token",
        "value",
        r"\b(gh[opusr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{20,}|(xox[abeprs]|xapp)-[A-Za-z0-9-]{10,}"
        r"|(AKIA|ASIA)[0-9A-Z]{16}([^A-Za-z0-9/+]{1,8}[A-Za-z0-9/+]{40})?|[prs]k_(live|test)_[A-Za-z0-9]{10,}|AIza[A-Za-z0-9_-]{35}"
        r"|sk-((ant|admin|or|proj|svcacct)-[A-Za-z0-9_-]{20,}|[A-Za-z0-9]{20,})|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|hvs\.[A-Za-z0-9_-]{20,})",
        "access tokens that their issuer marks by a prefix (GitHub, GitLab, Slack, AWS, Stripe, Google, OpenAI, Anthropic, npm, Vault)",
    ),
    PrivacyRule("url-credentials", "value", r"://[^/\s:@?#]*:[^/\s@]+@", "user name and password in a URL (RFC 3986, section 3.2.1)"),
    PrivacyRule("email", "value", r"[A-Za-z0-9._%+-]{1,64}(@|%40)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", "e-mail addresses, also in URLs"),
    PrivacyRule("phone", "value", r"(\+|%2B|\b00)[1-9][0-9 ().-]{6,17}[0-9]\b", "telephone numbers in international form (E.164)"),
    PrivacyRule(
        "national-phone",
        "value",
        # Each run of digits is one part of the pattern: parts that could share a run would take exponential time in Python.
        r"\(0?[1-9][0-9]{1,4}\) ?([0-9]{5,}|[0-9]{3,4}[ -][0-9]{2,})([ -][0-9]{2,})*\b|\b0[1-9][0-9]{1,3}[ /][0-9]{3,}([ -][0-9]{2,})*\b"
        r"|\b[2-9][0-9]{2}[ .-][2-9][0-9]{2}[ .-][0-9]{4}\b",
        "telephone numbers as they are written at home, in groups",
    ),
    PrivacyRule("mnemonic", "value", r"\b([a-z]{3,8}[ \t]+){11,23}[a-z]{3,8}\b", "recovery phrases of a wallet (BIP 39)"),
    PrivacyRule(
        "extended-key", "value", r"\b[xyztuv]prv[1-9A-HJ-NP-Za-km-z]{80,112}\b", "extended private keys of a wallet (BIP 32, SLIP 132)"
    ),
    PrivacyRule("wallet-import-key", "value", r"\b[5KLc9][1-9A-HJ-NP-Za-km-z]{50,51}\b", "private keys in wallet import format"),
    PrivacyRule(
        "raw-private-key",
        "value",
        r"\b(0x[0-9a-fA-F]{64}|[0-9a-f]{64})\b",
        "raw private keys in hexadecimal; transaction hashes, which CometBFT writes in capitals, stay",
    ),
    PrivacyRule(
        "wallet-address",
        "value",
        r"\b(virtengine|akash|cosmos)(valoper|valcons)?(pub)?1[02-9ac-hj-np-z]{38,78}\b",
        "addresses of chain accounts in Bech32 (BIP 173), which lead to their owners",
    ),
)
"""The rules, in the order in which they are applied."""


def as_json() -> str:
    """The rules as the library carries them for a service that is not told its stack's: ``tracing_lib/privacy/rules.json``."""
    return json.dumps([asdict(rule) for rule in PRIVACY_RULES], indent=2) + "\n"


def patterns(matches: str) -> list[str]:
    """The patterns that the collector holds against attribute keys (``"key"``) or values (``"value"``)."""
    return [rule.pattern.replace(_BOUNDED, "+") for rule in PRIVACY_RULES if rule.matches == matches]


_BOUNDED = "{1,64}"
"""Bound of a repetition without which Python's ``re`` would take quadratic time. RE2 never does, but keeps a state for each of the counts,
so that the bound makes a long run of letters cost ten times as much there. Without it more is masked, never less."""


def any_of(matches: str) -> str:
    """Return a pattern of RE2 that matches where any of ``patterns`` does. Python's ``re`` reads it as well."""
    parts = (re.match(r"(?:\(\?([is])\))?(.*)", pattern, re.DOTALL) for pattern in patterns(matches))
    return "|".join(f"(?{part[1] or ''}:{part[2]})" for part in parts if part is not None)


if __name__ == "__main__":
    sys.stdout.write(as_json())
