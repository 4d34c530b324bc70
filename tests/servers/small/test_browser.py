"""Login, 403 and logout in a real browser."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.sites.browser import PROGRAM, Page, browser
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.small.conftest import Cluster

pytestmark = pytest.mark.skipif(
    PROGRAM is None and not (os.environ.get("CI") == "true" and os.geteuid() == 0),
    reason="no chromium on PATH; as root on Debian: make debian",
)


@pytest.fixture
def page(production: Cluster, tmp_path: Path) -> Iterator[Page]:
    """A page of a browser that trusts the Ingress and the issuer of this run."""
    with browser(tmp_path, [production.folder / "secrets" / name / "tls.crt" for name in ("ingress", "trial")]) as opened:
        yield opened


def log_in(page: Page, ui: str, user: str) -> None:
    """Open the user interface, be sent to the issuer, choose a user there, and come back."""
    page.open(ui)
    until(lambda: page.has("Log in as"), lambda: page.url)
    assert "/oidc/authorize" in page.url
    page.evaluate(f"document.getElementById({user!r}).click()")
    until(lambda: page.url.startswith(ui), lambda: page.url)


def test_an_operator_logs_in_and_out_in_a_browser(page: Page, production: Cluster) -> None:
    ui = str(production.running.outputs.ui_url).rstrip("/")
    log_in(page, ui, "operator")
    until(lambda: page.status("/api/services") == 200, lambda: page.url)
    cookies = page.command("Network.getCookies")["cookies"]
    assert [(one["httpOnly"], one["secure"], one["sameSite"]) for one in cookies if one["name"].startswith("__Host-")] == [
        (True, True, "Lax")
    ]
    assert page.evaluate("document.cookie") == ""
    page.evaluate("fetch('/oauth2/sign_out', {redirect: 'manual'}).then(() => true)")
    assert page.status("/api/services") == 401
    page.open(ui)
    until(lambda: page.has("Log in as"), lambda: page.url)


def test_a_stranger_is_shown_403_in_a_browser(page: Page, production: Cluster) -> None:
    ui = str(production.running.outputs.ui_url).rstrip("/")
    log_in(page, ui, "stranger")
    until(lambda: page.has("403"), lambda: page.url)
    assert page.status("/api/services") == 401


def test_a_browser_that_does_not_know_the_authority_shows_nothing(production: Cluster, tmp_path: Path) -> None:
    with browser(tmp_path, []) as page:
        told = page.command("Page.navigate", url=str(production.running.outputs.ui_url))
        assert told["errorText"] == "net::ERR_CERT_AUTHORITY_INVALID"
