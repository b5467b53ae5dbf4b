"""The report in a browser: opened from a disk, at the width of a desk and of a phone, in light and in dark.

One Chromium for all tests of the file, and one report for each size; both are skipped where there is no browser.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
import pytest_asyncio

from aiomar.protocol import TimeType
from aiomar.report import LoadProfile, ProfileDay, ProfileSlot, write_html
from tests.support.browser import SIZES, Watched, assert_fits, assert_readable, launched
from tests.support.covered import FIRST, made_up

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

_MADE = dt.datetime(2026, 3, 21, 17, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a report of five meters with all there is."""
    target = tmp_path_factory.mktemp("reports") / "few.html"
    slots = tuple(ProfileSlot(time=dt.time(hour), mean=5, least=1, most=9, count=3) for hour in range(24))
    days = tuple(ProfileDay(day=FIRST + dt.timedelta(days=place), total=120, whole=place != 5) for place in range(30))
    profile = LoadProfile(
        recorder_id="1001",
        channel=1,
        unit_code="01",
        clock=TimeType.DST,
        minutes=60,
        weekdays=slots,
        weekends=slots,
        days=days,
        used=720,
        left_out=0,
        unread=0,
    )
    write_html(target, made_up(5), profile=profile, made_at=_MADE)
    return target


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a report of five thousand meters."""
    target = tmp_path_factory.mktemp("reports") / "many.html"
    write_html(target, made_up(5_000, days=150, channels=1, trouble=0.003), made_at=_MADE)
    return target


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Give the browser of this machine."""
    async with launched() as started:
        yield started


async def _show(browser: Browser, report: Path, size: str, *, scheme: Literal["light", "dark"] = "light") -> Page:
    """Open a report: every request is for the page itself, and nothing is said."""
    width, height = SIZES[size]
    page = await browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    watched = Watched(page)
    await page.goto(report.as_uri())
    assert (watched.asked, watched.said) == ([report.as_uri()], [])
    return page


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["few", "many"])
async def test_the_page_never_scrolls_sideways(
    browser: Browser, request: pytest.FixtureRequest, name: str, size: str
) -> None:
    """Opened from a disk it asks for nothing, says nothing, and fits; what is wide scrolls in a box of its own."""
    page = await _show(browser, request.getfixturevalue(name), size)
    try:
        await assert_fits(page)
        assert await page.locator("h1").is_visible()
        assert await page.locator("ul.legend").first.is_visible()
        map_ = page.locator(".map").first
        label = map_.locator(".labels li").first
        before = await label.bounding_box()
        scrolled = await map_.evaluate("map => { map.scrollLeft = 200; return map.scrollLeft }")
        after = await label.bounding_box()
        assert before
        assert after
        # Labels stay where they are while the days go by.
        assert before["x"] == after["x"] >= 0
        assert scrolled > 0 or size == "desk"
    finally:
        await page.close()


async def test_labels_stand_beside_their_rows(browser: Browser, few: Path) -> None:
    """Five meters of three channels have fifteen rows, and each label is as high up as its row."""
    page = await _show(browser, few, "desk")
    try:
        assert await page.locator("svg g.row").count() == 15
        middles = "all => all.map(one => one.getBoundingClientRect()).map(box => box.y + box.height / 2)"
        labels = await page.locator(".labels li").evaluate_all(middles)
        rows = await page.locator("g.row > rect.full").evaluate_all(middles)
        assert labels == pytest.approx(rows, abs=2)
        assert await page.locator("svg text.change").all_text_contents() == ["23 h", "25 h"]
    finally:
        await page.close()


async def test_bands_open_and_close(browser: Browser, many: Path) -> None:
    """Fifty bands of a hundred meters: three are open, and any opens and closes by its heading."""
    page = await _show(browser, many, "desk")
    try:
        assert await page.locator("#overview-t").count() == 1
        assert await page.locator("details").count() == 50
        assert await page.locator("g.row").count() == 50 + 5_000
        assert await page.locator("details[open]").count() == 3
        closed = page.locator("#band-9")
        assert not await closed.locator(".map").is_visible()
        await closed.locator("summary").click()
        assert await closed.locator(".map").is_visible()
        await closed.locator("summary").click()
        assert not await closed.locator(".map").is_visible()
        await page.locator(".labels a").nth(20).click()
        assert page.url.endswith("#band-21")
        assert await page.locator("#band-21").evaluate("band => band.getBoundingClientRect().y < innerHeight")
    finally:
        await page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
async def test_text_can_be_read(browser: Browser, few: Path, size: str, scheme: Literal["light", "dark"]) -> None:
    """Every kind of text stands out from its ground by 4.5 to 1 and has 12 pixels, in light and in dark."""
    page = await _show(browser, few, size, scheme=scheme)
    try:
        assert await assert_readable(page) > 20
        ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    finally:
        await page.close()


async def test_states_differ_without_colour(browser: Browser, few: Path) -> None:
    """A picture of each sample of the legend, in grey, is unlike that of any other."""
    page = await _show(browser, few, "desk")
    try:
        await page.locator("html").evaluate("html => { html.style.filter = 'grayscale(1)' }")
        samples = page.locator("ul.legend li svg:has(rect)")
        pictures = [await samples.nth(place).screenshot() for place in range(await samples.count())]
        assert len(pictures) == len(set(pictures)) == 9
    finally:
        await page.close()
