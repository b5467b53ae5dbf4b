"""G11 for uploads: the k-th call to a file or a socket fails, for every k; caller, ledger and server still agree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from aiomar import OmarClient, OmarConfig, OmarError, OutcomeUnknownError, SourceError, UploadReceipt
from aiomar._assembly import Effects
from aiomar.submissions import read_source
from aiomar.testing import OmarServer, Page
from tests.client.helpers import Clock
from tests.support.disturbed import Tripwire, failing_files, failing_sockets, nothing_left, opened
from tests.support.gates import Gate
from tests.support.submitted import Told

MOST = 2_000
"""More calls than any upload makes."""
LONG_ENOUGH = 100.0
"""Seconds after which the breaker lets a probe through."""


@attrs.define
class Submitting:
    """Uploads one file after the other, each with a failure on its way, and once more without."""

    server: OmarServer
    config: OmarConfig
    directory: Path
    wire: Tripwire
    effects: Effects
    clock: Clock
    answer: str
    """What the server says to each first try; empty for what it has to say."""
    tries: list[Told] = attrs.field(factory=list)
    bad: list[str] = attrs.field(factory=list)

    def source(self, at: int) -> Path:
        """Make a file with a name and a content of its own."""
        source = self.directory / f"{at}.csv"
        source.write_text(f"id,value\r\n{at},1\r\n")
        return source

    async def first(self) -> int:
        """Give the first call that is to fail; an answer comes only when the file was read and the ledger is there."""
        if not self.answer:
            return 1
        async with OmarClient(self.config) as client:
            await client.upload(self.source(0))
        self.wire.arm()
        read_source(self.source(0), None, self.config.limits, self.effects.files)
        return self.wire.count + 1

    async def run(self, at: int, *, lasting: bool) -> bool:
        """Upload a file; whether a failure came."""
        source = self.source(at)
        if self.answer:
            self.server.script(Page(self.answer, on="upload"))
        self.wire.arm(at, lasting=lasting)
        async with nothing_left(), opened(self.config, self.effects) as client:
            outcome: UploadReceipt | OmarError
            try:
                outcome = await client.upload(source)
            except OmarError as error:
                outcome = error
            self.wire.disarm()
            self.clock.now += LONG_ENOUGH
            self.tries.append(Told(source.name, outcome))
            if isinstance(outcome, OutcomeUnknownError) and self.answer:
                self.bad += self._answer_page(outcome)
            await client.upload(source, resend=True)
        return bool(self.wire.failed)

    def _answer_page(self, error: OutcomeUnknownError) -> Iterator[str]:
        """The page is kept whole, or the error does not speak of it."""
        told = error.facts.get("answer_page")
        if not self.wire.failed and not told:
            yield f"{error.ledger_id}: the answer was not kept"
        if told and Path(str(told)).read_text(encoding="utf-8") != self.answer:
            yield f"{error.ledger_id}: the answer is not what is kept"
        kept = list(Path(self.config.state_dir or "").rglob(f"{error.ledger_id}.html"))
        unlinked = "unlink" not in {call for call, _ in self.wire.failed}
        if unlinked and any(page.read_text(encoding="utf-8") != self.answer for page in kept):
            yield f"{error.ledger_id}: a part of the answer is left"

    @property
    def complaints(self) -> list[str]:
        """What does not fit together, when all is done."""
        state_dir = Path(self.config.state_dir or "")
        return self.bad + [
            f"{told.name}: {words}" for told in self.tries for words in told.complaints(self.server, state_dir)
        ]


@pytest.mark.gate("G11", "G13")
@pytest.mark.fault(2, 4)
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "for good"])
@pytest.mark.parametrize("what", ["files", "files with an odd answer", "lean", "session"])
async def test_every_call_of_an_upload(
    what: str, *, lasting: bool, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path, gate: Gate
) -> None:
    """Whichever call fails, what the caller hears, what the ledger says and what the server has fit together."""
    wire, clock = Tripwire(), Clock()
    if what.startswith("files"):
        effects = Effects(files=failing_files(wire), waiting=clock.waiting())
    else:
        effects = Effects(socket_factory=failing_sockets(wire), waiting=clock.waiting())
    config = attrs.evolve(omar_config, lean=what == "lean")
    answer = "<p>come back later</p>" if "odd" in what else ""
    submitting = Submitting(omar_server, config, tmp_path, wire, effects, clock, answer)
    first = await submitting.first()
    for at in range(first, MOST):
        if not await submitting.run(at, lasting=lasting):
            break
    assert first + 3 < at < MOST - 1
    bad = submitting.complaints
    gate.record(at - first, len(bad), "calls of uploads failed")
    assert bad == []
    ended = {type(told.outcome) for told in submitting.tries}
    assert (SourceError if what == "files" else OutcomeUnknownError) in ended
