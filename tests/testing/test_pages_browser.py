"""The pages for people in a browser that has the client's certificate, at the width of a desk and of a phone.

One Chromium for all tests of the file; they are skipped where there is none.  Playwright presents the certificate and
verifies the server itself, in its own process: the test authority is given to it by a variable, next to the usual ones,
so nothing is accepted unseen, neither here nor in the browser.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from aiomar.protocol import FileFormat, Meter, TimeType
from aiomar.testing import Authority, OmarServer, Status
from tests.support.browser import SIZES, Watched, assert_fits, assert_readable, launched

if TYPE_CHECKING:
    from playwright.async_api import Browser, FilePayload, Locator, Page

PASSPHRASE = "passphrase"
DAYS = dt.date(2026, 3, 1), dt.date(2026, 3, 31)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(omar_authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """Give the browser of this machine, for a server of the test authority."""
    ca_file = tmp_path_factory.mktemp("authority") / "ca.pem"
    ca_file.write_bytes(omar_authority.ca_pem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODE_EXTRA_CA_CERTS", str(ca_file))
        async with launched() as started:
            yield started


@pytest_asyncio.fixture(loop_scope="module")
async def server(omar_authority: Authority) -> AsyncIterator[OmarServer]:
    """Give a server with a control page."""
    async with OmarServer(authority=omar_authority, control_port=0) as running:
        yield running


@contextlib.asynccontextmanager
async def at(browser: Browser, server: OmarServer, *, says: str = "") -> AsyncIterator[Page]:
    """Open a window with the certificate; in the end no other server was asked, and nothing but `says` was said.

    A browser complains of a page with an HTTP status of an error, and calls a download a page that failed.
    """
    origins = (server.environment.upload_origin, server.environment.download_origin)
    pfx = server.pkcs12(PASSPHRASE)
    context = await browser.new_context(
        client_certificates=[{"origin": origin, "pfx": pfx, "passphrase": PASSPHRASE} for origin in origins],
    )
    try:
        page = await context.new_page()
        watched = Watched(page)
        yield page
        assert [words for words in watched.said if not says or says not in words] == []
        own = (*(f"{origin}/" for origin in origins), server.control_url, "data:,")
        assert [address for address in watched.asked if not address.startswith(own)] == []
    finally:
        await context.close()


def chosen(name: str, content: bytes) -> FilePayload:
    """Make a file to choose."""
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


async def follow(page: Page, what: Locator, address: str) -> None:
    """Click a link or a button, and be where it leads."""
    async with page.expect_navigation(url=f"**{address}"):
        await what.click()


async def assert_good_page(page: Page, heading: str) -> None:
    """It says where one is, fits the window of a phone and of a desk, and can be read."""
    assert await page.locator("h1").text_content() == heading
    for width, height in (SIZES["phone"], SIZES["desk"]):
        await page.set_viewport_size({"width": width, "height": height})
        await assert_fits(page)
        await assert_readable(page)


async def test_a_person_submits_files(browser: Browser, server: OmarServer) -> None:
    """From the start page to the form; a good file gives a receipt with its id, a bad one the reason."""
    async with at(browser, server) as page:
        await page.goto(f"{server.environment.upload_origin}/")
        await assert_good_page(page, "Metering data")
        await follow(page, page.get_by_role("navigation").get_by_text("Submit a file"), "/upload.jsp")
        await assert_good_page(page, "Submit a file")
        await page.get_by_label("Upload File").set_input_files(chosen("March & <April>.csv", b"1,2\r\n"))
        await follow(page, page.get_by_role("button", name="Upload", exact=True), "/uploadProcess.jsp")
        await assert_good_page(page, "Submit a file")
        cells = await page.locator("td.formgray").all_text_contents()
        said = "March & <April>.csv Meter file uploaded and Saved As 528527_March & <April>.csv"
        assert " ".join(cells[0].split()) == said
        assert cells[2].startswith("File Id: 528527")
        await follow(page, page.get_by_role("link", name="Submit a file"), "/upload.jsp")
        await page.get_by_label("Upload File").set_input_files(chosen("March.txt", b"1,2\r\n"))
        await follow(page, page.get_by_role("button", name="Upload", exact=True), "/uploadProcess.jsp")
        await assert_good_page(page, "Submit a file")
        assert await page.locator("h3").text_content() == "Error in File Processing"
        assert await page.locator("p.formgray").text_content() == "Invalid file extension: use .csv or .dat"
    assert [(upload.content, upload.file_id) for upload in server.uploads] == [
        (b"1,2\r\n", "528527"),
        (b"1,2\r\n", None),
    ]
    assert server.logins == 1


@pytest.mark.parametrize(
    ("file_format", "name"),
    [
        (FileFormat.MDEF, "meter-1001_20260301_20260331_dst.dat"),
        (FileFormat.CSV, "meter-1001_20260301_20260331_dst.csv"),
    ],
)
async def test_a_person_gets_data(
    *, browser: Browser, server: OmarServer, file_format: FileFormat, name: str, tmp_path: Path
) -> None:
    """The filled-in form saves the bytes of the server; a mistake comes back on the form, and no data as a page."""
    async with at(browser, server, says=f"failed: {server.environment.download_origin}/get") as page:
        await page.goto(f"{server.environment.upload_origin}/fr_top.jsp")
        await follow(page, page.get_by_role("link"), "/")
        await follow(page, page.get_by_role("navigation").get_by_text("Get meter data"), "/download.jsp")
        await assert_good_page(page, "Get meter data")
        await page.get_by_label("Id of the meter or group").fill("1001")
        await page.get_by_label("First day").fill("2026-04-01")
        await page.get_by_label("Last day").fill("2026-03-31")
        await page.get_by_label("DST").check()
        await page.get_by_label(file_format.value).check()
        await follow(page, page.get_by_role("button", name="Download"), "/download.jsp?*")
        assert await page.get_by_role("alert").text_content() == "The last day is before the first day."
        await assert_good_page(page, "Get meter data")
        await page.get_by_label("First day").fill("2026-03-01")
        async with page.expect_download() as waiting:
            await page.get_by_role("button", name="Download").click()
        download = await waiting.value
        assert download.suggested_filename == name
        await download.save_as(tmp_path / name)
        await page.get_by_label("Id of the meter or group").fill("no such meter")
        await follow(page, page.get_by_role("button", name="Download"), "/get*.jsp?*")
        await assert_good_page(page, "Get meter data")
        assert await page.locator("h3").text_content() == "No data"
    data = server.data(Meter("1001"), *DAYS, file_format=file_format, time_type=TimeType.DST)
    assert (tmp_path / name).read_bytes() == data
    asked = next(record.target for record in server.requests if record.kind == "download")
    assert "&selectedMeters=1001&startDate=03%2F01%2F2026&endDate=03%2F31%2F2026&timeType=DST&" in asked


async def test_the_session_ends_on_the_way(browser: Browser, server: OmarServer) -> None:
    """A file that is sent after the end gets the login page and is not taken; the button leads back in."""
    async with at(browser, server) as page:
        await page.goto(f"{server.environment.upload_origin}/upload.jsp")
        server.expire_sessions()
        await page.get_by_label("Upload File").set_input_files(chosen("a.csv", b"1\r\n"))
        await follow(page, page.get_by_role("button", name="Upload", exact=True), "/uploadProcess.jsp")
        await assert_good_page(page, "Log in")
        assert await page.get_by_text("Your session has ended. Please log in.").is_visible()
        await page.get_by_label("Password").fill("something")
        await follow(page, page.get_by_role("button", name="Login"), "/?")
        await assert_good_page(page, "Metering data")
        await follow(page, page.get_by_role("navigation").get_by_text("Get meter data"), "/download.jsp")
        await assert_good_page(page, "Get meter data")
    assert list(server.uploads) == []
    assert not [record for record in server.requests if "something" in record.target]


async def test_a_keyboard_is_enough(browser: Browser, server: OmarServer) -> None:
    """The focus goes through the download form in the order of reading, and no mouse is needed."""
    async with at(browser, server, says=f"failed: {server.environment.download_origin}/getMDEF.jsp") as page:
        await page.goto(f"{server.environment.download_origin}/download.jsp")
        keys = ["Tab"] * 5 + [
            *"1001",
            "Tab",
            *"03012026",
            "Tab",
            "Tab",
            *"03312026",
            "Tab",
            "Tab",
            "Space",
            "Tab",
            "Tab",
        ]
        for key in keys:
            await page.keyboard.press(key)
        assert await page.evaluate("document.activeElement.value") == "Download"
        async with page.expect_download() as waiting:
            await page.keyboard.press("Enter")
        assert (await waiting.value).suggested_filename == "meter-1001_20260301_20260331_pst.dat"


async def test_the_control_page(browser: Browser, server: OmarServer) -> None:
    """A fault that is scripted there is met by the next upload, and the request shows in the frame by itself."""
    async with at(browser, server) as page, at(browser, server, says="503") as person:
        await page.goto(server.control_url)
        await assert_good_page(page, "What goes on")
        await follow(page, page.get_by_role("link", name="Redirect", exact=True), "?fault=Redirect#script")
        await follow(page, page.get_by_role("link", name="Status", exact=True), "?fault=Status#script")
        await page.get_by_label("status", exact=True).fill("503")
        await page.get_by_label("on", exact=True).select_option("upload")
        await follow(page, page.get_by_role("button", name="Script this fault"), urlsplit(server.control_url).path)
        assert list(server.waiting_faults) == [(Status(503, on="upload"), 1)]
        await assert_good_page(page, "What goes on")
        frame = page.frame_locator("iframe")
        await frame.get_by_text("Nothing has come yet.").wait_for()
        await person.goto(f"{server.environment.upload_origin}/upload.jsp")
        await person.get_by_label("Upload File").set_input_files(chosen("a.csv", b"1\r\n"))
        async with person.expect_response("**/uploadProcess.jsp") as answer:
            await person.get_by_role("button", name="Upload", exact=True).click()
        assert (await answer.value).status == 503
        row = frame.get_by_role("row").filter(has_text="/uploadProcess.jsp")
        await row.wait_for()
        assert "Status(status=503, on=upload)" in " ".join(await row.get_by_role("cell").all_text_contents())
        await assert_readable(page.frames[1])
        await follow(page, page.get_by_role("button", name="Expire all sessions"), urlsplit(server.control_url).path)
        assert server.live_sessions == 0
        await person.goto(f"{server.environment.upload_origin}/upload.jsp")
        assert await person.locator("h1").text_content() == "Log in"
