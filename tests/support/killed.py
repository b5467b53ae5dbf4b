"""A process that downloads a range and is killed: the part that runs in the child.

Children are forked from a server process that has imported everything already: starting Python anew for each of some
hundred kills would take most of the time.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import multiprocessing
import os
from multiprocessing.process import BaseProcess
from pathlib import Path

import attrs

from aiomar import ClientIdentity, Environment, FileFormat, Meter, OmarClient, OmarConfig, RangeReport, TimeType, Trust

DAY = dt.date(2026, 1, 1)


@attrs.frozen(kw_only=True)
class Range:
    """What a child downloads; everything in it pickles."""

    meters: tuple[str, ...]
    upload_origin: str
    download_origin: str
    ca_file: Path
    certificate: Path
    into: Path
    resume: bool = True

    async def download(self) -> RangeReport:
        """Download the whole range."""
        config = OmarConfig(
            ClientIdentity.from_pkcs12(self.certificate),
            Environment("killed", self.upload_origin, self.download_origin),
            trust=Trust(ca_file=self.ca_file),
        )
        async with OmarClient(config) as client:
            return await client.download_range(
                [Meter(meter) for meter in self.meters],
                DAY,
                DAY,
                file_format=FileFormat.CSV,
                time_type=TimeType.PST,
                into=self.into,
                resume=self.resume,
            )


def _run(wanted: Range) -> None:
    os.environ |= {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}  # reading 150 authorities takes long
    asyncio.run(wanted.download())


def start(wanted: Range) -> BaseProcess:
    """Start a child."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    child = context.Process(target=_run, args=(wanted,), daemon=True)
    child.start()
    return child
