"""The page of a trace in a real browser."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stacks.show.page import write_page
from stacks.show.stored import Trace
from tests.sites.browser import PROGRAM, Page, browser
from tests.stacks.show.stories import HOSTILE, LONG, hostile, order, span
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(
        PROGRAM is None and not (os.environ.get("CI") == "true" and os.geteuid() == 0),
        reason="no chromium on PATH; as root on Debian: make debian",
    ),
]

PICTURES = os.environ.get("VIRTENGINE_TRACING_PICTURES")
"""Folder into which the tests take pictures of the page, for a person to look at."""
ROW = "document.activeElement.parentElement.id"
DIM = "[...document.querySelectorAll('main > .dim')].length"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser"), []) as page:
        page.command("Network.enable")
        yield page


def opened(page: Page, path: Path, *, scheme: str = "light", width: int = 1500) -> Page:
    page.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    page.command("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=False)
    page.open("about:blank")
    until(lambda: page.url == "about:blank", lambda: page.url)
    page.open(path.as_uri())
    until(lambda: page.evaluate("document.readyState") == "complete" and page.url.startswith("file"), lambda: page.url)
    return page


def pictured(page: Page, name: str) -> None:
    if PICTURES:
        data = page.command("Page.captureScreenshot", format="png")["data"]
        (Path(PICTURES) / f"{name}.png").write_bytes(base64.b64decode(data))


def styled(page: Page, selector: str, name: str) -> Any:  # noqa: ANN401 - a colour, a length or a word
    return page.evaluate(f"getComputedStyle(document.querySelector({json.dumps(selector)}))[{json.dumps(name)}]")


@pytest.fixture
def story(chromium: Page, tmp_path: Path) -> Page:
    return opened(chromium, write_page(order(), tmp_path, "virtengine.order.id order-4dda05df0b69", ["also GET /jobs (provider-daemon)"]))


def test_a_long_name_is_shown_whole(story: Page) -> None:
    pictured(story, "story")
    name = f"[...document.querySelectorAll('.name bdi')].find(one => one.textContent === {json.dumps(LONG)})"
    box, column = (story.evaluate(f"{name}{up}.getBoundingClientRect().right") for up in ("", ".closest('.name')"))
    assert box <= column
    assert story.evaluate(f"{name}.getBoundingClientRect().height") > 30
    assert story.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_click_on_a_span_shows_its_attributes_events_and_links(story: Page) -> None:
    story.click("#s7 > summary .service")
    assert story.evaluate("document.querySelector('#s7').open")
    shown = str(story.evaluate("document.querySelector('#s7 .facts').innerText"))
    assert "InsufficientFunds" in shown
    assert "3 of 10 uve" in shown
    assert 'File "escrow.py", line 3' in shown
    pictured(story, "failed-span")
    story.click("#s7 > summary .service")
    assert not story.evaluate("document.querySelector('#s7').open")


def test_errors_are_of_a_colour_of_their_own(story: Page) -> None:
    failed, other = (styled(story, f"{row} > summary", "backgroundColor") for row in ("#s7", "#s6"))
    assert failed != other
    assert styled(story, "#s7 .bar", "boxShadow") != styled(story, "#s6 .bar", "boxShadow")


def test_the_wait_before_a_linked_span_is_drawn_from_its_cause_to_its_begin(story: Page) -> None:
    def edges(selector: str) -> list[float]:
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        return list(story.evaluate(f"(box => [box.left, box.right])({box})"))

    for folded in (True, False):
        assert story.evaluate("document.querySelector('#fold').checked") is folded
        cause, wait, caused = edges("#s2 .bar"), edges("#s4 .wait"), edges("#s4 .bar")
        assert abs(wait[1] - caused[0]) < 1
        assert cause[0] <= wait[0] <= cause[1] + 1
        assert (wait[1] - wait[0] > 10) is True
        pictured(story, f"folded-{folded}")
        story.press("w")
    assert styled(story, ".wait", "borderTopStyle") == "dotted"


def test_all_is_reached_by_keys(story: Page) -> None:
    story.evaluate("document.querySelector('#s0 > summary').focus()")
    for key, row in [("ArrowDown", "s1"), ("j", "s2"), ("k", "s1"), ("End", "s17"), ("Home", "s0"), ("e", "s7"), ("e", "s7")]:
        story.press(key)
        assert story.evaluate(ROW) == row, key
    story.press("Enter")
    assert story.evaluate("document.querySelector('#s7').open")
    for key, row in [("ArrowLeft", "s5"), ("ArrowLeft", "s5"), ("ArrowDown", "s8"), ("ArrowUp", "s5"), ("ArrowRight", "s5")]:
        story.press(key)
        assert story.evaluate(ROW) == row, key
    story.press("ArrowRight")
    assert story.evaluate(ROW) == "s6"
    story.press("?")
    assert story.evaluate("document.querySelector('dialog').open")
    pictured(story, "keys")


def test_a_search_dims_what_does_not_match_and_goes_from_match_to_match(story: Page) -> None:
    story.press("/")
    for letter in "insufficient":
        story.press(letter)
    assert story.evaluate("document.querySelector('#found').textContent") == "1 of 18"
    assert story.evaluate(DIM) == 17
    story.press("Enter")
    assert story.evaluate(ROW) == "s7"
    story.press("Escape")
    assert story.evaluate(DIM) == 0


def test_a_service_of_the_map_is_shown_alone(story: Page) -> None:
    story.click(".map button[data-service='3']")
    assert story.evaluate("[...document.querySelectorAll('main > .span:not(.dim)')].map(row => row.id)") == ["s17"]
    arcs = "[...document.querySelectorAll('.call:not(.dim) title')].map(one => one.textContent)"
    assert story.evaluate(arcs) == ["provider-daemon → waldur: 1 call, 11.0 ms on average"]
    pictured(story, "one-service")
    story.press("Escape")
    assert story.evaluate(DIM) == 0


def test_a_link_leads_to_the_row_of_its_span_though_that_is_folded_away(story: Page) -> None:
    story.click("#s1 > summary .branch")
    assert story.evaluate("document.querySelector('#s2').hidden")
    assert not story.evaluate("document.querySelector('#s1').open")
    story.evaluate("location.hash = '#s2'")
    until(lambda: story.evaluate(ROW) == "s2", lambda: story.evaluate(ROW))
    assert story.evaluate("!document.querySelector('#s2').hidden && document.querySelector('#s2').open")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_its_ground_light_and_dark(chromium: Page, tmp_path: Path, scheme: str) -> None:
    story = order()
    others = tuple(span("f", 20 + number, None, f"service {number}", "step", 2290, 2300) for number in range(4))
    page = opened(chromium, write_page(Trace(story.trace_id, story.spans + others), tmp_path, "an order"), scheme=scheme)
    pictured(page, scheme)
    ground = luminance(styled(page, ":root", "backgroundColor"))
    assert (ground < 0.2) is (scheme == "dark")
    for selector in ("h1", "#s7 .failed", ".gap", ".hint", *(f".map [data-service='{number}'] bdi" for number in range(8))):
        assert contrast(luminance(styled(page, selector, "color"), page), ground) >= 4.5, selector
    page.press("d")
    assert (luminance(styled(page, ":root", "backgroundColor")) < 0.2) is (scheme == "light")


def luminance(colour: str, page: Page | None = None) -> float:
    """Relative luminance of a colour as WCAG has it; one with an alpha is laid on the ground of the page."""
    *channels, alpha = rgba(colour)
    if alpha < 1 and page is not None:
        under = rgba(str(styled(page, ":root", "backgroundColor")))
        channels = [over * alpha + below * (1 - alpha) for over, below in zip(channels, under, strict=False)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def rgba(colour: str) -> list[float]:
    """The channels of a computed colour, from 0 to 1."""
    name, _, parts = colour.rstrip(")").partition("(")
    numbers = [float(part) for part in parts.replace("srgb", "").replace(",", " ").replace("/", " ").split()]
    channels = [part / 255 if name.startswith("rgb") else part for part in numbers[:3]]
    return [*channels, numbers[3] if len(numbers) > 3 else 1.0]


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def test_hostile_texts_are_shown_and_do_nothing(chromium: Page, tmp_path: Path) -> None:
    page = opened(chromium, write_page(hostile(), tmp_path, HOSTILE[0], HOSTILE))
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    pictured(page, "hostile")
    assert page.evaluate("document.title") == HOSTILE[0]
    assert page.evaluate("document.querySelectorAll('main > .span').length") == len(HOSTILE)
    assert page.evaluate("document.querySelectorAll('img, iframe, object, main svg, main script').length") == 0
    for number, text in enumerate(HOSTILE):
        if text.isprintable():
            assert page.evaluate(f"document.querySelector('#s{number} .name bdi:not(.service)').textContent") == text
    page.click("#s1 > summary .service")
    assert page.evaluate("document.title") == HOSTILE[0]
    whole = "[...document.querySelectorAll('.map button')].every(box => box.scrollHeight <= box.offsetHeight)"
    assert page.evaluate(whole), "a service's name does not fit into its box"


def test_a_page_asks_for_nothing_but_itself(chromium: Page, tmp_path: Path) -> None:
    path = write_page(order(), tmp_path)
    page = opened(chromium, path)
    assert page.evaluate("performance.getEntriesByType('resource').length") == 0
    refused = "new Promise(told => {document.addEventListener('securitypolicyviolation', one => told(one.effectiveDirective)); %s})"
    assert page.evaluate(refused % "fetch('https://localhost').catch(() => null)") == "connect-src"
    script = "const one = document.createElement('script'); one.text = 'document.title = 1'; document.body.append(one)"
    assert opened(page, path).evaluate(refused % script) == "script-src-elem"


def test_a_narrow_window_shows_all_without_scrolling_sideways(chromium: Page, tmp_path: Path) -> None:
    page = opened(chromium, write_page(order(), tmp_path, "an order"), width=700)
    pictured(page, "narrow")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
