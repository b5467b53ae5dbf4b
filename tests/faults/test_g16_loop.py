"""G16: nothing that a server can answer, and no file of half a megabyte, keeps the event loop waiting.

Shown twice.  By structure: who parses and who hashes, in which thread, and over how many bytes; that does not depend on
the machine.  By figure: the processor's time that passes between two beats of the loop, in all threads together, since
a regular expression in another thread holds Python's global lock from its first character to its last.  The server
shares the process, so the figure is a little too high; only one that is far too high fails.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import attrs
import pytest

from aiomar import Meter, OmarClient, OmarConfig, OmarError, OutcomeUnknownError
from aiomar.protocol import PAGE_LIMIT, PageSniffer, is_login_page, page_words, read_upload_page
from aiomar.submissions import read_source
from aiomar.testing import Authority, Fault, Page
from aiomar.testing._site import Site, SiteRequest, page_reply
from aiomar.testing._wire import Delivery, Ending, head
from aiomar.transfer._sink import _store
from tests.client.helpers import Clock, fetch, give_waiting, raw, sent, until
from tests.protocol.test_hostile_pages import BOMBS
from tests.support.gates import Gate
from tests.support.mute import HangingServer
from tests.support.watched import Call, watched

INLINE_PAGE = PAGE_LIMIT + 1
"""Bytes of a page that may be parsed in the loop."""
INLINE_HASH = 65_536
STALL = 0.05
FAR_TOO_LONG = 0.5
"""Seconds; ten times what is promised, for a machine that does much else."""
BEAT = 0.001
HALF_A_MEGABYTE = 511_999


def as_page(bomb: bytes) -> bytes:
    """Repeat a bomb up to what is read of a page, behind what makes it one."""
    text = bomb if PageSniffer().feed(bomb[:9]) else b"<p>" + bomb
    return (text * (PAGE_LIMIT // len(text) + 1))[:PAGE_LIMIT]


PAGES = {name: as_page(bomb) for name, bomb in BOMBS.items()}
COOKIES = (
    b'S="' + b"\\\\" * 3_000,
    b"S=" + b", A" * 2_500,
    b"S=1" + b"; Path=/x" * 800,
    b'S="a' + b'"; X="a;' * 900,
)


@attrs.frozen
class Unfinished(Fault):
    """Takes an upload and answers with a page whose last byte never comes.

    Args:
        page: the rest of it.
    """

    page: bytes = attrs.field(repr=False)

    def deliver(self, site: Site, request: SiteRequest) -> Delivery:  # noqa: ARG002, D102 - see Fault
        wire = head(page_reply(self.page + b">"), "length") + self.page
        return Delivery(wire=wire, status=200, ending=Ending.STALL)


@pytest.fixture
def hanging(omar_authority: Authority) -> Iterator[HangingServer]:
    """Run a server in another thread, so that its own work is not the loop's."""
    with HangingServer(omar_authority) as hanging:
        yield hanging


@asynccontextmanager
async def opened(hanging: HangingServer, config: OmarConfig, tmp_path: Path) -> AsyncGenerator[OmarClient]:
    """Open a client whose clock moves on, so that no row of failed logins opens the breaker."""
    server = hanging.server
    config = attrs.evolve(
        config, environment=server.environment, trust=server.trust, state_dir=tmp_path / "state", durable=False
    )
    async with OmarClient(config) as client:
        give_waiting(client, Clock(step=31.0).waiting(lambda: 0.0))
        yield client


async def in_downloads(client: OmarClient, hanging: HangingServer, names: list[str], into: Path) -> int:
    """Get hostile pages in place of data, whole or far behind blanks; none of them is saved."""
    count = 0
    for number, name in enumerate(names):
        front = b" " * 70_000 if number % 8 == 0 else b""
        meter = Meter(str(5_000 + number))
        hanging.server.script(Page(front + PAGES[name], match=f"={meter.id}&", times=9))
        with pytest.raises(OmarError):
            await fetch(client, into, meter)
        count += 1
    return count


async def in_uploads(client: OmarClient, hanging: HangingServer, names: list[str], source: Path) -> int:
    """Get hostile pages as answers to uploads; of each file it is unknown what became of it."""
    for number, name in enumerate(names):
        source.write_bytes(b"a,b\r\n%d,%b\r\n" % (number, b"1" * 1_000))
        hanging.server.script(Page(PAGES[name], on="upload"))
        with pytest.raises(OmarError) as caught:
            await client.upload(source)
        assert isinstance(caught.value, OutcomeUnknownError) or "markers" in name
    return len(names)


async def in_logins(client: OmarClient, hanging: HangingServer, names: list[str]) -> int:
    """Get hostile pages and cookies as answers to logins."""
    faults: list[Fault] = [Page(PAGES[name], status=400, on="login") for name in names]
    lines = [f"Set-Cookie: {cookie.decode()}" for cookie in COOKIES]
    faults += [raw(PAGES[names[0]], line, f"Content-Length: {PAGE_LIMIT}", on="login") for line in lines]
    for fault in faults:
        hanging.server.expire_sessions()
        session = client._ready().session
        session._lease = None
        hanging.server.script(fault)
        with suppress(OmarError):
            await client.login()
    session._lease = None
    return len(faults)


async def half_megabytes(client: OmarClient, hanging: HangingServer, directory: Path) -> int:
    """Submit files of nearly half a megabyte, and save as many bytes."""
    directory.mkdir(exist_ok=True)
    source = directory / "large.csv"
    for number in range(4):
        content = (b"%d,%b\r\n" % (number, directory.name.encode())) * 200_000
        source.write_bytes(content[: HALF_A_MEGABYTE - number])
        await client.upload(source)
        hanging.server.script(Page(content[:HALF_A_MEGABYTE], content_type="text/csv"))
        await fetch(client, directory / "data", overwrite=True)
    return 8


async def closed_on(hanging: HangingServer, config: OmarConfig, directory: Path) -> int:
    """Close clients in the middle of an upload whose answer is a long page that does not end."""
    source = directory / "late.csv"
    for number in range(4):
        source.write_bytes(b"%d,2\r\n" % number)
        hanging.server.script(Unfinished(PAGES["anchors"], on="upload"))
        async with opened(hanging, config, directory) as client:
            before = sent(hanging.server, "upload")
            upload = asyncio.create_task(client.upload(source))
            await until(lambda: sent(hanging.server, "upload") > before)  # noqa: B023 - ends in this round
            for _ in range(200):  # the page is on its way; however much of it has come will do
                await asyncio.sleep(0)
            await client.aclose()
            await asyncio.wait([upload])
            assert isinstance(upload.exception(), OutcomeUnknownError)
    return 4


def judged(calls: list[Call], function: str, largest: int) -> int:
    """Count the calls in the loop over more bytes than may be there."""
    return sum(call.in_loop and call.size > largest for call in calls if call.function == function)


@pytest.mark.fault(64)
@pytest.mark.gate("G16")
async def test_what_is_large_is_not_the_loops_work(
    gate: Gate, hanging: HangingServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """Answers to uploads, files to submit and large bodies are parsed and hashed in threads, pages only up to a cap."""
    names = sorted(PAGES)[::4]
    with watched(
        upload_page=(read_upload_page, "page"),
        login_page=(is_login_page, "page"),
        words=(page_words, "page"),
        source=(read_source, "source"),
        store=(_store, "pieces"),
    ) as calls:
        async with opened(hanging, omar_config, tmp_path) as client:
            await half_megabytes(client, hanging, tmp_path)
            await in_logins(client, hanging, names)
            await in_downloads(client, hanging, names, tmp_path / "data")
            await in_uploads(client, hanging, names, tmp_path / "x.csv")
        await closed_on(hanging, omar_config, tmp_path)
    seen = {call.function for call in calls}
    assert seen == {"upload_page", "login_page", "words", "source", "store"}
    assert any(call.size >= HALF_A_MEGABYTE // 2 for call in calls if call.function == "store")
    bad = {
        "answers to uploads parsed": judged(calls, "upload_page", -1),
        "files read": judged(calls, "source", -1),
        "pages parsed": judged(calls, "login_page", INLINE_PAGE) + judged(calls, "words", INLINE_PAGE),
        "bodies hashed": judged(calls, "store", INLINE_HASH),
    }
    gate.record(len(calls), sum(bad.values()), "calls that parse or hash; bad: in the loop, and large")
    assert not any(bad.values()), bad


class Heart:
    """Beats in the loop, and notes the longest that the processor worked between two beats."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._last = time.process_time()
        self._timer = self._loop.call_later(BEAT, self._beat)
        self.longest = 0.0
        self.where = ""
        self.now_in = ""

    def _beat(self) -> None:
        now = time.process_time()
        if now - self._last > self.longest:
            self.longest, self.where = now - self._last, self.now_in
        self._last = now
        self._timer = self._loop.call_later(BEAT, self._beat)

    def stop(self) -> None:
        """Beat no more."""
        self._timer.cancel()


@pytest.mark.fault(64)
@pytest.mark.gate("G16")
async def test_the_loop_goes_on(gate: Gate, hanging: HangingServer, omar_config: OmarConfig, tmp_path: Path) -> None:
    """Under every hostile page, and half a megabyte to hash, the longest stall is below 50 ms on a quiet machine."""
    names = sorted(PAGES)
    done = 0
    async with opened(hanging, omar_config, tmp_path) as client:
        await half_megabytes(client, hanging, tmp_path / "warm")
        heart = Heart()
        try:
            heart.now_in = "logins"
            done += await in_logins(client, hanging, names[:5])
            heart.now_in = "downloads"
            done += await in_downloads(client, hanging, names, tmp_path / "data")
            heart.now_in = "uploads"
            done += await in_uploads(client, hanging, names, tmp_path / "x.csv")
            heart.now_in = "half a megabyte"
            done += await half_megabytes(client, hanging, tmp_path)
        finally:
            heart.stop()
    words = f"answers; longest stall {heart.longest * 1e3:.0f} ms, in {heart.where}; promised: {STALL * 1e3:.0f} ms"
    gate.record(done, int(heart.longest > FAR_TOO_LONG), words)
    assert heart.longest < FAR_TOO_LONG
