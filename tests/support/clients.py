"""Clients that talk to other servers than the embedded one, with the certificates of `pki`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from aiomar import (
    ClientIdentity,
    Environment,
    FileFormat,
    Meter,
    OmarClient,
    OmarConfig,
    RetryPolicy,
    SavedFile,
    TimeType,
    Trust,
)
from aiomar.transfer._catalogue_file import FOLDER
from tests.support.pki import pki

DAY = dt.date(2026, 1, 1)
CSV = b"id,time,value\r\n1001,01:00,5\r\n1001,02:00,6\r\n"
TARGET = (
    "/getSQMDCsvForDownload.jsp?requestedFormat=download&datasourceType=SQMD&groupOrMeter=meter&selectedMeters=1001"
    "&startDate=01%2F01%2F2026&endDate=01%2F01%2F2026&timeType=PST&fileFormat=CSV&group="
)
"""What `download` asks for."""


def config_for(
    ca_file: Path, origin: str, download_origin: str | None = None, *, identity: ClientIdentity | None = None
) -> OmarConfig:
    """Give a configuration that repeats almost at once; use `attrs.evolve` for more.

    Args:
        ca_file: whom to trust.
        origin: where to log in and upload.
        download_origin: where to download; by default the same.
        identity: who we are; by default the client of `pki`.
    """
    return OmarConfig(
        identity or ClientIdentity.from_pkcs12(pki().client.pkcs12()),
        Environment("elsewhere", origin, download_origin or origin),
        trust=Trust(ca_file=ca_file),
        retry=RetryPolicy(first_wait=0.001),
        durable=False,
    )


async def download(client: OmarClient, into: Path) -> SavedFile:
    """Download one file of CSV."""
    return await client.download(
        Meter("1001"), DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST, into=into / "data"
    )


def saved_names(into: Path) -> list[str]:
    """Give the names of everything that `download` left, hidden files included, but not the catalogue."""
    directory = into / "data"
    names = {path.name for path in directory.iterdir()} if directory.is_dir() else set()
    return sorted(names - {FOLDER})
