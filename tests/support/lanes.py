"""Faulty downloads by the thousand: a lane is a site, a relay before it and a client, on which round follows round.

A round sets a framing, a size and some toxics, downloads a file or a range, and looks at the disk.  Lanes run beside
one another in one loop, so that the few waits of a round cost no time.

What a round promises follows from its toxics.  A framed body may fail twice of three attempts.  A body that ends with
its connection may fail once, as an answer without a byte is asked for twice at most; and when what came of it does not
prove that it is whole, it is an error at once and nothing is promised.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from collections import Counter
from pathlib import Path

import attrs

from aiomar import (
    DownloadRetrying,
    Event,
    FileFormat,
    Hint,
    LoginRetrying,
    Meter,
    OmarClient,
    OmarConfig,
    OmarError,
    SavedFile,
    TimeType,
    TruncatedBodyError,
    errors,
)
from tests.client.helpers import on_disk
from tests.support.data_site import FRAMINGS, DataSite
from tests.support.relay import Relay
from tests.support.toxics import (
    Bandwidth,
    Down,
    Latency,
    LimitData,
    ResetPeer,
    Slicer,
    SlowClose,
    Stream,
    Timeout,
    Toxic,
)

DAY = dt.date(2026, 1, 1)
OLD = b"what was here before\n"
_STREAMS: tuple[Stream, ...] = ("downstream", "upstream")
_ENDLESS = 3
"""As often as a download is tried: then it fails."""


@attrs.define
class Tally:
    """What became of the downloads of some lanes."""

    done: int = 0
    saved: int = 0
    faulty: int = 0
    """Downloads of rounds with a toxic."""
    promised: int = 0
    """Those whose faults ended in time."""
    broken: list[str] = attrs.field(factory=list)
    """Promises that were not kept."""
    corrupt: list[str] = attrs.field(factory=list)
    """Files, or left-overs, that must not be there."""
    foreign: list[str] = attrs.field(factory=list)
    """Errors that are not of the public tree."""
    fired: Counter[str] = attrs.field(factory=Counter)
    kinds: Counter[str] = attrs.field(factory=Counter)
    """How downloads failed, by the name of the error."""
    repeated: Counter[str] = attrs.field(factory=Counter)
    """Why attempts were repeated, by the name of the error."""


@attrs.frozen
class _Trouble:
    """The toxics of a round, and how many attempts they may cost."""

    toxics: tuple[Toxic, ...]
    deadly: int


def _trouble(rng: random.Random, size: int) -> _Trouble:
    """Draw the toxics of a round."""
    slow: list[Toxic] = [
        Latency(seconds=0.002, jitter=0.002, stream=rng.choice(_STREAMS)),
        Bandwidth(rate=rng.uniform(2e6, 2e7), stream=rng.choice(_STREAMS)),
        Slicer(average=max(100, size // 10), variation=50, seconds=0.0005, stream=rng.choice(_STREAMS)),
        SlowClose(seconds=0.003, stream=rng.choice(_STREAMS)),
    ]
    toxics = [toxic for toxic in slow if rng.random() < 0.2]
    deadly = rng.choices((0, 1, 2, _ENDLESS), (25, 40, 20, 15))[0]
    if deadly == _ENDLESS:
        toxics.append(_deadly(rng, size, None))
    else:
        toxics += [_deadly(rng, size, 1) for _ in range(deadly)]
    return _Trouble(tuple(toxics), deadly)


def _deadly(rng: random.Random, size: int, times: int | None) -> Toxic:
    stream = rng.choices(_STREAMS, (3, 1))[0]
    # A handshake is some 3,000 bytes; small numbers are likelier, so that it is hit as well as heads and bodies.
    after = int(rng.random() ** 2 * (4_000 + 1.2 * size)) if stream == "downstream" else rng.randrange(2_500)
    match rng.choices(("limit", "reset", "timeout", "hole", "down"), (40, 30, 20, 2, 8))[0]:
        case "limit":
            return LimitData(after=after, stream=stream, times=times)
        case "reset":
            return ResetPeer(after=after, seconds=rng.choice((0.0, 0.001)), stream=stream, times=times)
        case "timeout":
            return Timeout(after=after, seconds=0.002, stream=stream, times=times)
        case "hole":  # each has to be waited for, so that even where nothing may succeed three are enough
            return Timeout(after=after, seconds=None, stream=stream, times=times or _ENDLESS)
        case _:
            return Down(times=times)


class Lane:
    """A site, a relay and the clients that use them one after the other.

    Args:
        site: answers.
        relay: leads to the site.
        config: of the clients; their origin is the relay's.
        directory: where files go; it exists.
        rng: chance.
        tally: what became of everything, shared with other lanes.
    """

    def __init__(
        self, site: DataSite, relay: Relay, config: OmarConfig, *, directory: Path, rng: random.Random, tally: Tally
    ) -> None:
        self._site = site
        self._relay = relay
        self._config = config
        self._directory = directory
        self._rng = rng
        self._tally = tally
        self._client: OmarClient | None = None
        self._rounds = 0

    async def run(self, enough: int) -> None:
        """Go on until the lanes together have done so many downloads."""
        try:
            while self._tally.done < enough:
                await self._round()
        finally:
            await self._leave()
        self._tally.fired += self._relay.fired

    def _heard(self, event: Event) -> None:
        """End an outage as soon as somebody has noticed it, unless it is for good."""
        if isinstance(event, DownloadRetrying | LoginRetrying):
            self._tally.repeated[type(event.error).__name__] += 1
            outages = [toxic for toxic in self._relay.toxics if isinstance(toxic, Down) and toxic.times is not None]
            self._relay.remove(*outages)

    async def _ready(self) -> OmarClient:
        """Give a client that is logged in, so that its certificate is known to be good."""
        if self._client is None:
            self._client = OmarClient(self._config, observer=self._heard)
            await self._client.login()
        return self._client

    async def _leave(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _round(self) -> None:
        client = await self._ready()
        rng, site = self._rng, self._site
        self._rounds += 1
        site.framings = (rng.choice(FRAMINGS),)
        site.size = rng.choices((300, 3_000, 30_000, 200_000), (50, 35, 13, 2))[0]
        site.forget()
        if rng.random() < 0.05:
            site.expire()
        trouble = _trouble(rng, site.size)
        self._relay.add(*trouble.toxics)
        file_format = rng.choice((FileFormat.CSV, FileFormat.MDEF))
        try:
            if rng.random() < 0.1:
                await self._many(client, trouble, file_format, rng.randint(4, 12))
            else:
                await self._one(client, trouble, file_format)
        finally:
            self._relay.clear()
        if trouble.deadly == _ENDLESS:
            await self._leave()  # what its failures have cost is not the next round's to pay

    async def _one(self, client: OmarClient, trouble: _Trouble, file_format: FileFormat) -> None:
        """Download one file, perhaps over an old one."""
        directory = self._directory / str(self._rounds)
        directory.mkdir()
        before = {"data": OLD} if self._rng.random() < 0.5 else {}
        for name, content in before.items():
            (directory / name).write_bytes(content)
        outcome: SavedFile | OmarError
        try:
            outcome = await client.download(
                Meter("7"),
                DAY,
                DAY,
                file_format=file_format,
                time_type=TimeType.PST,
                into=directory,
                name="data",
                overwrite=bool(before),
            )
        except OmarError as error:
            outcome = error
        self._count(outcome, trouble)
        after = on_disk(directory)
        if isinstance(outcome, SavedFile):
            self._compare(outcome, after.pop("data", None))
            before = {}
        if after != before:
            self._tally.corrupt.append(f"{outcome!r} left {sorted(after)}")
        self._remove(directory)

    async def _many(self, client: OmarClient, trouble: _Trouble, file_format: FileFormat, count: int) -> None:
        """Download a range."""
        directory = self._directory / str(self._rounds)
        report = await client.download_range(
            [Meter(str(number)) for number in range(count)],
            DAY,
            DAY,
            file_format=file_format,
            time_type=TimeType.PST,
            into=directory,
            errors="collect",
        )
        after = on_disk(directory)
        for file in report.files:
            self._count(file, trouble)
            self._compare(file, after.pop(file.path.name, None))
        for failure in report.failures:
            self._count(failure.error, trouble)
        if after or len(report.files) + len(report.failures) != count:
            self._tally.corrupt.append(f"a range of {count} left {sorted(after)}")
        self._remove(directory)

    def _count(self, outcome: SavedFile | OmarError, trouble: _Trouble) -> None:
        tally = self._tally
        tally.done += 1
        tally.faulty += bool(trouble.toxics)
        framed = self._site.framings[0] in {"length", "chunked"}
        promised = trouble.deadly <= (2 if framed else 1)
        if isinstance(outcome, SavedFile):
            tally.saved += 1
            tally.promised += promised
            return
        tally.kinds[type(outcome).__name__] += 1
        if getattr(errors, type(outcome).__name__, None) is not type(outcome):
            tally.foreign.append(repr(outcome))
        cut = isinstance(outcome, TruncatedBodyError) and outcome.hint is Hint.NEVER
        if promised and (framed or not cut):
            tally.promised += 1
            tally.broken.append(f"{self._site.framings} {outcome!r} with {list(map(str, trouble.toxics))}")

    def _compare(self, file: SavedFile, content: bytes | None) -> None:
        """Hold a file to one of the answers to its own request."""
        wanted = f"selectedMeters={file.selection.id}&"
        answers = (body for target, bodies in self._site.served.items() if wanted in target for body in bodies)
        good = content is not None and content in answers and file.sha256 == hashlib.sha256(content).hexdigest()
        if not good:
            self._tally.corrupt.append(f"{self._site.framings} {file!r}")

    @staticmethod
    def _remove(directory: Path) -> None:
        for path in sorted(directory.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        directory.rmdir()
