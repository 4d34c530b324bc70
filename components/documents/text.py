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


class Quoted(str):
    """Text that is written in quotes: its value is put in by the server, and may hold what YAML would read."""

    __slots__ = ()


def _represent_quoted(dumper: yaml.SafeDumper, text: Quoted) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="'")


_Plain.add_representer(Quoted, _represent_quoted)


def yaml_text(document: object) -> str:
    """A document as YAML, keys in the order given: pipelines read in the order in which spans pass them."""
    text: str = yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=140)
    return text


def prometheus_reader(host: str, port: int) -> dict[str, Any]:
    """Where a server's own metrics are scraped.

    Unless both settings on suffixes are written, the collector 0.159, Jaeger 2.13 and Jaeger 2.20 name the same metric differently.
    """
    return {"pull": {"exporter": {"prometheus": {"host": host, "port": port, "without_type_suffix": False, "without_units": False}}}}


def json_text(document: object) -> str:
    """A document as JSON with a final newline."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def go_duration(milliseconds: int, *, as_printed: bool = False) -> str:
    """A duration as Go's ``time.ParseDuration`` reads it, which knows no days: ``720h``, ``90s``, ``250ms``.

    ``as_printed`` spells it as Go prints it: 300 s are ``5m0s``. A server that answers with its own spelling is asked in that spelling, as
    another one would look like a change.
    """
    if as_printed and milliseconds >= 1000:  # noqa: PLR2004 - a second
        minutes, rest = divmod(milliseconds, 60_000)
        hours, minutes = divmod(minutes, 60)
        return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes or hours else "") + f"{rest / 1000:g}s"
    for unit, length in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % length == 0:
            return f"{milliseconds // length}{unit}"
    return f"{milliseconds}ms"


def mebibytes(value: int) -> int:
    """Bytes in whole mebibytes, rounded down."""
    return value // 2**20
