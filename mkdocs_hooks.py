"""Parts of the documentation site that are not pages below ``docs``: pages of the repository, and reference that is made of the code."""

from __future__ import annotations

import logging
import os
import posixpath
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parent
ADOPTED: Final = {
    "CHANGELOG.md": "changelog.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "examples/consumer/README.md": "consumer.md",
    "tracing_lib/README.md": "library/index.md",
}
"""Pages of the repository outside of ``docs``, each with its place on the site."""
_LINK: Final = re.compile(r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^()\s]+)\)")
_OFFERED: Final = re.compile(r"^from (\S+) import (\w+) as \2$", re.MULTILINE)
_FENCE: Final = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
_LOG: Final = logging.getLogger("mkdocs.hooks.links")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Replace the patterns in the navigation by pages."""
    named = set(_pages(config.nav)) | set(ADOPTED.values())
    config.nav = _expanded(config.nav, named)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the repository and the generated reference."""
    for source, place in ADOPTED.items():
        files.append(File.generated(config, place, content=(ROOT / source).read_text(encoding="utf-8")))
    files.append(File.generated(config, "reference/commands.md", content=_commands()))
    files.append(File.generated(config, "reference/library.md", content=_library()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - the names are MkDocs'
    """Lead links to files of the repository to their pages. A link to a file that is no page becomes plain text."""
    source = next((path for path, place in ADOPTED.items() if place == page.file.src_uri), f"docs/{page.file.src_uri}")
    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [_LINK.sub(lambda link: _led(link, source, page), markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, _LINK.sub(lambda link: _led(link, source, page), markdown[end:])])


def _led(link: re.Match[str], source: str, page: Page) -> str:
    target, hash_, anchor = link["target"].partition("#")
    if ":" in target or not target:
        return link[0]
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    place = ADOPTED.get(path) or next((ADOPTED[index] for index in (f"{path}/README.md",) if index in ADOPTED), None)
    if place is None and path == "docs/library":
        place = "library/index.md"
    if place is None and path.startswith("docs/") and (ROOT / path).is_file():
        place = path.removeprefix("docs/")
    if place is not None:
        shown = posixpath.relpath(place, posixpath.dirname(page.file.src_uri) or ".")
        return f"{link['image']}[{link['text']}]({shown}{hash_}{anchor})"
    if (ROOT / path).exists():
        return link["text"]
    _LOG.warning("%s links to %s, which does not exist", source, link["target"])
    return link[0]


def _pages(nav: Any) -> Iterator[str]:  # noqa: ANN401 - YAML
    match nav:
        case str():
            yield nav
        case list():
            for item in nav:
                yield from _pages(item)
        case dict():
            for item in nav.values():
                yield from _pages(item)


def _expanded(nav: Any, named: set[str]) -> Any:  # noqa: ANN401 - YAML
    match nav:
        case list():
            return [
                page
                for item in nav
                for page in (_unnamed(item, named) if isinstance(item, str) and item.endswith("*") else [_expanded(item, named)])
            ]
        case dict():
            return {title: _expanded(item, named) for title, item in nav.items()}
    return nav


def _unnamed(pattern: str, named: set[str]) -> list[str]:
    places = sorted(path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").glob(pattern))
    return [place for place in places if place.endswith(".md") and place not in named]


def _commands() -> str:
    """The help of every command, as a page."""
    sys.path.insert(0, str(ROOT))
    os.environ["COLUMNS"] = "110"
    from stacks.cli.cli import parsers

    whole, verbs = parsers()
    page = [
        "# Commands",
        "",
        "`make help` lists the shorter forms. Each command is `python -m stacks VERB`, in the root of the repository.",
        "",
    ]
    page += ["```text", whole.format_help(), "```", ""]
    for verb, one in verbs.items():
        page += [f"## {verb}", "", "```text", one.format_help(), "```", ""]
    return "\n".join(page)


def _library() -> str:
    """The public names of the library's rooms, by their docstrings, in the order of the table in its README; each name once.

    A package lists its public names in its stub, each as an import from the module that defines it.
    """
    rooms = re.findall(r"^\| `(tracing_lib[\w.]*)` \|", (ROOT / "tracing_lib/README.md").read_text(encoding="utf-8"), re.MULTILINE)
    page, shown = ["# Library", "", "The public names of `tracing_lib`, room by room.", ""], set()
    for room in rooms:
        stub = ROOT.joinpath(*room.split("."), "__init__.pyi")
        page += [f"::: {room}", *(["    options: {members: false}"] if stub.is_file() else []), ""]
        names = _OFFERED.findall(stub.read_text(encoding="utf-8")) if stub.is_file() else []
        for name in (f"{module}.{name}" for module, name in names):
            if name not in shown:
                shown.add(name)
                page += [f"::: {name}", "    options: {heading_level: 3, show_root_full_path: false}", ""]
    return "\n".join(page)
