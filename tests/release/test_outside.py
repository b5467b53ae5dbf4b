"""The fixtures as another project uses them; ``nox -s package`` and ``lowest`` run this file far from the sources."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from aiomar import FileFormat, Meter, OmarClient, TimeType
from aiomar.testing import OmarServer

DAY = dt.date(2026, 3, 2)


async def test_a_download_and_an_upload(omar_client: OmarClient, omar_server: OmarServer, tmp_path: Path) -> None:
    """With nothing but the plugin, and a plugin that runs asynchronous tests."""
    saved = await omar_client.download(
        Meter("1001"), DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST, into=tmp_path
    )
    receipt = await omar_client.upload(saved.path)
    assert [upload.file_id for upload in omar_server.uploads] == [receipt.file_id]
