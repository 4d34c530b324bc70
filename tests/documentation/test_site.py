"""The documentation site is built without a warning, and every link in it leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from stacks.environment.source import ROOT

if TYPE_CHECKING:
    from pathlib import Path

LOADING = {"script": "src", "img": "src", "source": "src", "iframe": "src", "link": "href"}
"""Elements that load what they name, when the page is opened."""
LEADING = {"canonical", "next", "prev"}
"""Relations of an element ``link`` that name a page, and load nothing."""


class Links(HTMLParser):
    """Collects the anchors of a page, the links to others, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        self.anchors |= {named[name] for name in ("id", "name") if name in named}
        if tag == "a" and "href" in named:
            self.links.add(named["href"])
        if named.get(LOADING.get(tag, "")) and named.get("rel") not in LEADING:
            self.loaded.add(named[LOADING[tag]])


def dangling(folder: Path) -> list[str]:
    """The links of all pages that lead to no page or no anchor, and what they load that is not beside them."""
    pages = {path: Links(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html")) if path.name != "404.html"}
    wrong = []
    for path, page in pages.items():
        for link in page.links | page.loaded:
            parts = urlsplit(link)
            if parts.scheme in {"http", "https", "mailto"} and link not in page.loaded:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            fragment = unquote(parts.fragment)
            if parts.netloc or not target.is_file() or (fragment and target in pages and fragment not in pages[target].anchors):
                wrong.append(f"{path.relative_to(folder)}: {link}")
    return wrong


def build(site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    # Nothing answers there: a build that fetches something fails.
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    environment = os.environ | nowhere | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.server  # takes some seconds of CPU
def test_the_site_is_built_without_a_warning_and_its_links_lead_somewhere(tmp_path: Path) -> None:
    done = build(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert dangling(tmp_path) == []
    reference = (tmp_path / "reference" / "library.html").read_text(encoding="utf-8")
    names = [
        name for stub in ROOT.glob("tracing_lib/**/__init__.pyi") for name in re.findall(r" as (\w+)$", stub.read_text(), re.MULTILINE)
    ]
    assert len(names) > 40
    assert [name for name in names if f'.{name}"' not in reference] == []
    assert 'id="fault"' in (tmp_path / "reference" / "commands.html").read_text(encoding="utf-8")
    assert len(list(tmp_path.glob("decisions/0*.html"))) == len(list(ROOT.glob("docs/decisions/0*.md")))


def test_a_link_to_nothing_and_a_file_from_elsewhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<h1 id="one">x</h1><a href="b.html#two">y</a><a href="#one">z</a><a href="https://example.com">w</a>')
    (tmp_path / "b.html").write_text('<h1 id="two">x</h1><a href="a.html#three">y</a><a href="c.html">z</a>')
    (tmp_path / "d.html").write_text('<script src="https://example.com/x.js"></script><img src="a.html"><link rel="next" href="nowhere">')
    assert sorted(dangling(tmp_path)) == ["b.html: a.html#three", "b.html: c.html", "d.html: https://example.com/x.js"]
