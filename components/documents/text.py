"""The languages of documents: each writes a value so that its server reads that value and no other.

Text is canonical: the same value gives the same bytes, so that a checksum changes only when a setting does. What a language cannot carry
raises ``ValueError``; an environment is refused for it earlier, in the words of its file.
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

try:
    # Several times as fast. It folds long quoted text at other places, so that a machine without it renders other bytes of equal value.
    from yaml import CSafeDumper as _SafeDumper
except ImportError:  # PyYAML was built without libyaml
    from yaml import SafeDumper as _SafeDumper  # type: ignore[assignment]


class _Plain(_SafeDumper):
    """A dumper without anchors, which no reader of a configuration file expects."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 - the signature that is overridden
        """Write equal parts twice."""
        return True


class Quoted(str):
    """Text that is written in quotes: its value is put in by the server, and may hold what YAML would read."""

    __slots__ = ()


def _represent_quoted(dumper: _Plain, text: Quoted) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="'")


def _represent_text(dumper: _Plain, text: str) -> yaml.ScalarNode:
    # PyYAML writes these as they are; other readers take them for the end of a line, or for nothing.
    style = '"' if any(letter in text for letter in "\x85\u2028\u2029\ufeff") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Plain.add_representer(Quoted, _represent_quoted)
_Plain.add_representer(str, _represent_text)
# Servers in Go read as numbers and times what YAML 1.1, by which PyYAML decides, reads as text: 1e3, 0o17, 2026-1-2 10:00.
_GO_NUMBER = r"([0-9_]+\.?[0-9_]*|\.[0-9_]+)([eE][-+]?[0-9_]+)?|0[xXoObB][0-9a-fA-F_]+"
_Plain.add_implicit_resolver("!go", re.compile(rf"(?:[-+]?(?:{_GO_NUMBER})|[0-9]{{4}}-.*)$", re.DOTALL), list("-+.0123456789"))


def yaml_text(document: object) -> str:
    """A document as YAML, keys in the order given: pipelines read in the order in which spans pass them."""
    text: str = yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=140)
    return text


def expanded_text(document: object) -> str:
    """A document as YAML for a server that expands ``${NAME}`` in every text and takes ``$$`` for ``$``.

    Such are the collector, Jaeger v2, Grafana's provisioning, and Tempo with ``-config.expand-env``. What is ``Quoted`` is left to them.
    """
    return yaml_text(_escaped(document))


def _escaped(value: object) -> object:
    """A document with every dollar sign written twice, except in what a server is to expand."""
    match value:
        case Quoted():
            return value
        case str():
            return value.replace("$", "$$")
        case dict():
            return {key: _escaped(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_escaped(inner) for inner in value]
    return value


def ottl(value: str) -> str:
    """A string literal of the OpenTelemetry transformation language, which takes the escapes of Go."""
    return '"' + "".join(_GO.get(letter) or (letter if letter.isprintable() else _go_escape(letter)) for letter in value) + '"'


_GO = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _go_escape(letter: str) -> str:
    return f"\\U{ord(letter):08x}"


def toml(value: str | bool | list[str]) -> str:  # noqa: FBT001 - a value of the document
    """A value of TOML 1.0: text, a truth value, or a list of texts."""
    if isinstance(value, list):
        return f"[{', '.join(toml(item) for item in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    # JSON's escapes are TOML's, but for the halves of a character beyond 16 bits, and for DEL, which TOML takes in escaped form alone.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def grafana_ini(value: str) -> str:
    """A value of ``grafana.ini``. Raises ``ValueError`` for what Grafana would replace or cut, for which it knows no escape."""
    if re.search(r"\$\{|\$__|%\(|[\r\n`\"#;\\]|^\s|\s$", value):
        raise ValueError(f"{value!r} cannot stand in grafana.ini, where it would mean something else")
    return value


def kubernetes(value: str) -> str:
    """An argument or the value of a variable of a container: Kubernetes expands ``$(NAME)`` and takes ``$$`` for ``$``."""
    return value.replace("$", "$$")


def prometheus_label(attribute: str) -> str:
    """The label that the collector's Prometheus exporter makes of an attribute's name; empty for one that it cannot name."""
    letters = "".join(letter if letter.isascii() and (letter.isalnum() or letter == "_") else "_" for letter in attribute)
    named = f"key_{letters}" if letters[:1].isdigit() else letters
    return named if named.strip("_") else ""


def prometheus_reader(host: str, port: int) -> dict[str, Any]:
    """Address at which a server's own metrics are scraped.

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
