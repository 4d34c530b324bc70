"""Only tested releases of OpenTelemetry are relied on, and every private name that is touched stands in one list."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import logging
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace import TracerProvider

import tracing_lib.fast
from tracing_lib import provider
from tracing_lib.export.packing import SpanEncoder
from tracing_lib.fast import sdk
from tracing_lib.provider import recorder

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN = {
    "__init__.py": set(),
    "sdk.py": set(),
    "span.py": {"_above", "_add_plain_link", "_copied", "_eventful", "_first_events", "_first_links", "_linked", "_origin", "_plain_links"},
    "tracer.py": {"_first_links", "_made", "_origin"},
    "packing.py": {"_origin", "_plain_links"},
}
"""Private names that each file shares with the module in C, or with another file of the folder."""


def holder(path: str) -> object:
    """Return a module or a class by its dotted name."""
    module, _, name = path.rpartition(".")
    found = importlib.util.find_spec(module)
    return getattr(importlib.import_module(module), name) if found and not _is_module(path) else importlib.import_module(path)


def _is_module(path: str) -> bool:
    try:
        return importlib.util.find_spec(path) is not None
    except ModuleNotFoundError:  # the parent is a class's module and no package
        return False


def private_names(file: Path) -> Iterator[str]:
    """Names with one underscore that a file imports from OpenTelemetry, or asks something other than ``self`` for."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("opentelemetry"):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
            names = [node.attr]
        else:
            continue
        yield from (name for name in names if name.startswith("_") and not name.startswith("__"))


def test_the_installed_release_is_one_that_was_tested() -> None:
    assert sdk.unusable() == ""


@pytest.mark.parametrize("path", sorted(sdk.PRIVATE))
def test_every_listed_name_is_there_in_this_release(path: str) -> None:
    if path == "opentelemetry.sdk.trace._Span":
        span = TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span("s")
        missing = [name for name in sdk.PRIVATE[path] if not hasattr(span, name)]
    elif path.endswith((".Tracer", "BoundedAttributes", "ContextVarsRuntimeContext", ".TracerProvider")):
        from opentelemetry.attributes import BoundedAttributes
        from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext

        made = TracerProvider(shutdown_on_exit=False)
        found = {
            "Tracer": made.get_tracer("t"),
            "TracerProvider": made,
            "BoundedAttributes": BoundedAttributes(),
            "ContextVarsRuntimeContext": ContextVarsRuntimeContext(),
        }[path.rpartition(".")[2]]
        missing = [name for name in sdk.PRIVATE[path] if not hasattr(found, name)]
    else:
        missing = [name for name in sdk.PRIVATE[path] if not hasattr(holder(path), name)]
    assert missing == []


def test_no_private_name_is_touched_that_is_not_listed() -> None:
    listed = {name for names in sdk.PRIVATE.values() for name in names}
    folder = Path(tracing_lib.fast.__file__).parent
    files = sorted(folder.glob("*.py"))
    assert {file.name for file in files} == set(OWN)
    for file in files:
        others = {name for name in private_names(file) if name not in listed and name not in OWN[file.name]}
        assert not others - {"_native"}, f"{file.name} touches {others}"


def test_an_untested_release_has_the_sdks_own_spans_and_the_log_says_it_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    known = metadata.version
    monkeypatch.setattr(metadata, "version", lambda package: "1.99.0" if package == "opentelemetry-sdk" else known(package))
    monkeypatch.setattr(provider, "_said", set())
    with caplog.at_level(logging.INFO, "tracing_lib"):
        assert [recorder(), recorder()] == [(TracerProvider, SpanEncoder)] * 2
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "1.99.0" in caplog.text


def test_a_missing_module_in_c_has_the_sdks_own_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tracing_lib.fast._native", None)
    assert "its module in C cannot be imported" in sdk.unusable()


def test_switched_off_it_is_not_used_and_the_log_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("VIRTENGINE_TRACING_FAST", "off")
    monkeypatch.setattr(provider, "_said", set())
    with caplog.at_level(logging.INFO, "tracing_lib"):
        assert recorder() == (TracerProvider, SpanEncoder)
    assert [(record.levelname, "VIRTENGINE_TRACING_FAST is off" in record.getMessage()) for record in caplog.records] == [("INFO", True)]
