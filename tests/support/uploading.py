"""A process that uploads and may be killed at any instant: the part that runs in the child, and the line to it.

Children are forked from a server process that has imported everything already.  What a child says goes through a pipe
in one piece before the child goes on, so whatever it said before it was killed is heard.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import attrs

from aiomar import (
    ClientIdentity,
    Environment,
    OmarClient,
    OmarConfig,
    OmarError,
    Timeouts,
    Trust,
    UploadBlockedError,
    UploadStarted,
)
from aiomar.testing import OmarServer

_PATIENCE = 60
"""Seconds until a child that says nothing is taken for stuck."""


@attrs.frozen(kw_only=True)
class Errand:
    """What a child does; everything in it pickles.

    Args:
        upload_origin: where to.
        download_origin: likewise.
        ca_file: whom to trust.
        certificate: of the client, as PEM.
        key: likewise.
        state_dir: where the ledger is.
        sources: the files, uploaded one after the other; none is sent again on purpose.
        lean: which transport.
    """

    upload_origin: str
    download_origin: str
    ca_file: Path
    certificate: Path
    key: Path
    state_dir: Path
    sources: tuple[Path, ...] = ()
    lean: bool = True

    @classmethod
    def to(cls, server: OmarServer, directory: Path, state_dir: Path) -> Errand:
        """Make an errand without files for a server, whose credentials are written into a directory."""
        credentials = server.write_credentials(directory)
        return cls(
            upload_origin=str(server.environment.upload_origin),
            download_origin=str(server.environment.download_origin),
            ca_file=credentials.ca_file,
            certificate=credentials.certificate,
            key=credentials.key,
            state_dir=state_dir,
        )

    @property
    def config(self) -> OmarConfig:
        """What the child's client is made with."""
        return OmarConfig(
            ClientIdentity.from_pem(self.certificate, self.key),
            Environment("killed", self.upload_origin, self.download_origin),
            trust=Trust(ca_file=self.ca_file),
            timeouts=Timeouts(operation=_PATIENCE),
            state_dir=self.state_dir,
            lean=self.lean,
        )


@attrs.frozen
class Word:
    """One thing that a child said."""

    name: str
    """Of the file."""
    what: str
    """``"started"``, ``"accepted"``, ``"blocked"`` or the name of another error."""
    file_id: str | None = None
    ledger_id: str | None = None
    """Of the receipt, or of the submission that stands in the way."""


async def _carry(errand: Errand, line: Connection) -> None:
    def observe(event: object) -> None:
        if isinstance(event, UploadStarted):
            line.send(Word(event.name, "started"))

    async with OmarClient(errand.config, observer=observe) as client:
        for source in errand.sources:
            try:
                receipt = await client.upload(source)
            except UploadBlockedError as error:
                line.send(Word(source.name, "blocked", ledger_id=error.ledger_id))
            except OmarError as error:
                line.send(Word(source.name, type(error).__name__))
            else:
                line.send(Word(source.name, "accepted", receipt.file_id, receipt.ledger_id))


def _run(errand: Errand, line: Connection) -> None:
    os.environ |= {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}  # reading 150 authorities takes long
    asyncio.run(_carry(errand, line))


class Child:
    """A child at work, seen from the loop that started it.

    Attributes:
        words: what it has said so far.
    """

    def __init__(self, errand: Errand) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self._line, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=_run, args=(errand, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.words: list[Word] = []
        self._ended = False
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._line.fileno(), self._hear)

    def _hear(self) -> None:
        try:
            self.words.append(self._line.recv())
        except EOFError:
            self._ended = True
            asyncio.get_running_loop().remove_reader(self._line.fileno())
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition on its words is met, or it has ended."""
        async with asyncio.timeout(_PATIENCE):
            while not self._ended and not condition():
                self._news.clear()
                await self._news.wait()

    def said(self, what: str) -> list[str]:
        """Name the files of which it said something."""
        return [word.name for word in self.words if word.what == what]

    def kill(self) -> None:
        """Kill it now, if it still lives."""
        self.process.kill()

    async def end(self) -> int:
        """Wait for its end, and for its last word; give its exit code."""
        await self.until(lambda: False)
        await asyncio.to_thread(self.process.join, _PATIENCE)
        code = self.process.exitcode
        self.process.close()
        self._line.close()
        assert code is not None, "a child closed its line and lives on"
        return code
