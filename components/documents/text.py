"""Canonical text: the same value gives the same bytes, so that a checksum changes only when a setting does."""

from __future__ import annotations

import json
from typing import Any

import yaml


class _Plain(yaml.SafeDumper):
    """A dumper without anchors, which no reader of a configuration file expects."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 - the signature that is overridden
        """Write equal parts twice."""
        return True


def yaml_text(document: object) -> str:
    """A document as YAML, keys in the order given: pipelines read in the order in which spans pass them."""
    text: str = yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=140)
    return text


def json_text(document: object) -> str:
    """A document as JSON with a final newline."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def go_duration(milliseconds: int) -> str:
    """A duration as Go's ``time.ParseDuration`` reads it, which knows no days: ``720h``, ``90s``, ``250ms``."""
    for unit, length in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % length == 0:
            return f"{milliseconds // length}{unit}"
    return f"{milliseconds}ms"


def mebibytes(value: int) -> int:
    """Bytes in whole mebibytes, rounded down."""
    return value // 2**20
