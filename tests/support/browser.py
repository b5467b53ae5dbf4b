"""The browser of this machine, and what a page has to be for people: readable, and without surprises."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import attrs
import pytest

if TYPE_CHECKING:
    from playwright.async_api import Browser, Frame, Page

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SIZES = {"desk": (1_280, 900), "phone": (390, 844)}
_LEAST_CONTRAST = 4.5
_SMALLEST_TEXT = 12

_TEXTS = """() => {
    const part = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = colour => part(colour).slice(0, 3).map(value => value / 255)
        .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
    const ground = element => {
        for (; element; element = element.parentElement) {
            const colour = getComputedStyle(element).backgroundColor;
            if (part(colour).length < 4 || part(colour)[3] === 1) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    const found = new Map();
    for (const element of document.body.querySelectorAll('*')) {
        const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
        if (!own || !element.checkVisibility() || ['title', 'desc'].includes(element.localName)) continue;
        const style = getComputedStyle(element);
        const ink = element instanceof SVGElement ? style.fill : style.color;
        const [one, other] = [light(ink), light(ground(element))].sort((a, b) => b - a);
        const kind = [element, element.parentElement].map(one => `${one.localName} ${one.getAttribute('class') || ''}`);
        found.set(kind, [(one + 0.05) / (other + 0.05), parseFloat(style.fontSize)]);
    }
    return Object.fromEntries(found);
}"""
"""Contrast against what is behind it, and size in pixels, of every kind of text that shows."""


@contextlib.asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Start the browser, or skip the test with a reason."""
    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if program is None:
        pytest.skip(f"there is no browser here: none of {', '.join(_BROWSERS)}")
    api = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
    async with api.async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, args=list(_OPTIONS))
        try:
            yield started
        finally:
            await started.close()


@attrs.define
class Watched:
    """Notes what a page says in its console, what fails, and what it asks for."""

    page: Page
    said: list[str] = attrs.field(factory=list)
    asked: list[str] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        """Begin."""
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("requestfailed", lambda request: self.said.append(f"failed: {request.url}"))
        self.page.on("request", lambda request: self.asked.append(request.url))


async def assert_readable(page: Page | Frame) -> int:
    """Hold every text that shows against the least contrast and size; give the number of kinds of text."""
    texts: dict[str, tuple[float, float]] = await page.evaluate(_TEXTS)
    assert {kind: contrast for kind, (contrast, _) in texts.items() if contrast < _LEAST_CONTRAST} == {}
    assert {kind: pixels for kind, (_, pixels) in texts.items() if pixels < _SMALLEST_TEXT} == {}
    return len(texts)


async def assert_fits(page: Page) -> None:
    """The page is no wider than its window."""
    wide, fits = await page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= fits
