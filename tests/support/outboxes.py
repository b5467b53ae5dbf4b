"""What the tests of the outbox share: short calls, looks at its directory, and a process that serves one."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
from collections.abc import Iterable
from multiprocessing.process import BaseProcess
from pathlib import Path

import attrs

from aiomar import OmarClient, Outbox, UploadReport
from aiomar.submissions import Ledger, ledger_directory
from tests.support.uploading import Errand

OLD = 1_760_000_000
"""A time in the past (seconds since the epoch)."""


def make_outbox(directory: Path) -> Path:
    """Make an empty outbox."""
    box = directory / "outbox"
    box.mkdir()
    return box


def put(box: Path, name: str, content: bytes | None = None, *, age: int | None = None) -> Path:
    """Put a file there, as a program does that takes care: written elsewhere and renamed.

    Args:
        box: the outbox.
        name: of the file.
        content: its bytes; its name, if nothing else is said.
        age: seconds by which it is older than others that are given one.
    """
    part = box / f".{name}.part"
    part.write_bytes(name.encode() if content is None else content)
    if age is not None:
        os.utime(part, (OLD - age, OLD - age))
    return part.rename(box / name)


def in_box(box: Path) -> list[str]:
    """Name what waits there."""
    return sorted(path.name for path in box.iterdir() if path.name not in {".aiomar", "sent", "refused"})


def in_tray(box: Path, tray: str) -> list[str]:
    """Name the files of a tray; each has its paper beside it and there is no other."""
    ending = {"sent": ".receipt.json", "refused": ".reason.json"}[tray]
    names = {path.name for path in (box / tray).iterdir()}
    files = {name for name in names if not name.endswith(ending)}
    assert names == files | {name + ending for name in files}
    return sorted(files)


def paper(box: Path, tray: str, name: str) -> dict[str, object]:
    """Read the paper of a file."""
    (path,) = (box / tray).glob(f"{name}.re*.json")
    found = json.loads(path.read_text("ascii"))
    assert isinstance(found, dict)
    return found


async def once(client: OmarClient, box: Path) -> UploadReport:
    """Submit what lies there; everything in a test's outbox is whole."""
    return await Outbox(client, box, settle=0.0).once()


def errors(report: UploadReport) -> list[tuple[str, str]]:
    """Name the failures of a report, and why they are."""
    return [(failure.source.name, type(failure.error).__name__) for failure in report.failures]


def names(paths: Iterable[Path]) -> list[str]:
    """Name paths."""
    return [path.name for path in paths]


@attrs.frozen
class Service:
    """What a child does: it serves an outbox until it is killed."""

    errand: Errand
    box: Path

    def ledger(self) -> Ledger:
        """Open the ledger that it writes."""
        holder = self.errand.config.identity.holder
        return Ledger.open(ledger_directory(self.errand.state_dir, self.errand.upload_origin, holder))

    def start(self) -> BaseProcess:
        """Start a child."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        child = context.Process(target=_serve, args=(self,), daemon=True)
        child.start()
        return child


def _serve(service: Service) -> None:
    os.environ |= {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}  # reading 150 authorities takes long
    asyncio.run(_run(service))


async def _run(service: Service) -> None:
    async with OmarClient(service.errand.config) as client:
        await Outbox(client, service.box, settle=0.0).run()
