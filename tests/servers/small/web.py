"""A client of HTTP that keeps cookies, trusts one authority, follows no redirect by itself, and shows all that it was answered."""

from __future__ import annotations

import html
import http.client
import re
import ssl
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request."""

    url: str
    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def location(self) -> str:
        """Where a redirect leads."""
        assert self.status in {302, 303, 307}, f"{self.status} {self.text[:500]}"
        return urljoin(self.url, str(self.headers["Location"]))


@dataclass
class Client:
    """``authority`` is a PEM, or None for the public authorities. Cookies are kept by host."""

    authority: str | None
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.send("GET", url, headers or {})

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            context = ssl.create_default_context(cadata=self.authority)
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(host, parts.port, timeout=SECONDS, context=context)
        else:
            connection = http.client.HTTPConnection(host, parts.port, timeout=SECONDS)
        kept = self.cookies.setdefault(host, {})
        sent = dict(headers) | ({"Cookie": "; ".join(f"{name}={value}" for name, value in kept.items())} if kept else {})
        try:
            connection.request(method, parts._replace(scheme="", netloc="").geturl() or "/", body, sent)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        finally:
            connection.close()
        for line in response.headers.get_all("Set-Cookie") or []:
            for name, morsel in SimpleCookie(line).items():
                if morsel.value and morsel["max-age"] != "0" and "1970" not in morsel["expires"]:
                    kept[name] = morsel.value
                else:
                    kept.pop(name, None)
        return Answer(url, response.status, response.headers, text)

    def log_in(self, ui: str, user: str) -> Answer:
        """Go the whole way of a person who opens ``ui`` and logs in, to where the login proxy has answered for good."""
        begun = self.get(ui, {"Accept": "text/html"})
        page = self.get(begun.location)
        chosen = re.search(rf'id="{user}" href="([^"]+)"', page.text)
        assert chosen is not None, page.text
        back = self.get(urljoin(page.url, html.unescape(chosen[1]))).location
        answer = self.get(back, {"Accept": "text/html"})
        return self.get(answer.location, {"Accept": "text/html"}) if answer.status in {302, 303} else answer
