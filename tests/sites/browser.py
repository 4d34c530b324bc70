"""A real browser without a window, driven by the Chrome DevTools Protocol."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from websockets.sync.client import connect

from tests.waiting import STALL_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from websockets.sync.client import ClientConnection

PROGRAM = shutil.which("chromium")


def public_key_hash(certificate: Path) -> str:
    """What the browser knows a certificate by that it is to trust."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    info = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(info).digest()).decode()


class Page:
    """The one page of a browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    def command(self, method: str, **parameters: object) -> dict[str, Any]:
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=STALL_SECONDS))
            if answer.get("id") == number:
                result: dict[str, Any] = answer.get("result", answer)
                return result

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - whatever the page has
        """The value of a JavaScript expression, or of the promise that it gives; None while the page changes."""
        answer = self.command("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        return answer.get("result", {}).get("value")

    def open(self, url: str) -> None:
        self.command("Page.navigate", url=url)

    def press(self, key: str) -> None:
        """Press and release a key, which is named as in JavaScript: ``ArrowDown``, ``Enter``, ``e``."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        self.command("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.command("Input.dispatchKeyEvent", type="keyUp", key=key)

    def click(self, selector: str) -> None:
        """Click with the mouse on the middle of the first element that a CSS selector finds."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(f"{found}.scrollIntoView({{block: 'center'}})")
        box = self.evaluate(f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({found}.getBoundingClientRect())")
        place = {"x": box[0], "y": box[1], "button": "left", "clickCount": 1}
        self.command("Input.dispatchMouseEvent", type="mousePressed", **place)
        self.command("Input.dispatchMouseEvent", type="mouseReleased", **place)

    def has(self, text: str) -> bool:
        return text in str(self.evaluate("document.documentElement ? document.documentElement.outerHTML : ''"))

    @property
    def url(self) -> str:
        return str(self.evaluate("location.href"))

    def status(self, path: str) -> int:
        """The status that the site answers to the page's own request for a path."""
        return int(self.evaluate(f"fetch({json.dumps(path)}).then(answer => answer.status)"))


@contextmanager
def browser(folder: Path, trusted: Iterable[Path]) -> Iterator[Page]:
    """A browser with an empty profile that trusts these servers' certificates beside the public authorities."""
    assert PROGRAM is not None
    hashes = ",".join(map(public_key_hash, trusted))
    command = [
        PROGRAM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--no-proxy-server",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder / 'profile'}",
        f"--ignore-certificate-errors-spki-list={hashes}",
        "about:blank",
    ]
    log = folder / "browser.log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL) as process:
        try:
            told = until(lambda: re.search(r"DevTools listening on ws://([^/]+)/", log.read_text(errors="replace")), log.read_text)
            assert told is not None
            with connect(f"ws://{told[1]}/devtools/page/{_page(told[1])}", max_size=None, proxy=None) as connection:
                yield Page(connection)
        finally:
            process.terminate()
            process.wait(timeout=STALL_SECONDS)


def _page(address: str) -> str:
    import urllib.request

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def found() -> list[str]:
        with opener.open(f"http://{address}/json/list") as answer:
            return [target["id"] for target in json.loads(answer.read()) if target["type"] == "page"]

    return until(found, "a page")[0]
