"""Uses of `aiomar.distributed` that are only checked; in a folder of its own, as pyright wants Dask for them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import assert_type

from distributed import Client

import aiomar
from aiomar.distributed import ConfigReference, DistributedReport, download_range, shard_directories, upload_all


async def cluster(dask_client: Client) -> None:
    """A range and an upload over a cluster, and where the files are."""
    reference = ConfigReference.from_toml("/srv/omar/aiomar.toml", profile="night")
    assert_type(ConfigReference.from_env("NIGHT_").resolve(), aiomar.OmarConfig)
    report = await download_range(
        dask_client,
        reference,
        [aiomar.Meter("1001"), aiomar.Group("123")],
        dt.date(2026, 1, 1),
        dt.date(2026, 1, 31),
        file_format=aiomar.FileFormat.MDEF,
        time_type=aiomar.TimeType.PST,
        into=Path("/srv/omar/data"),
        concurrency=8,
        progress=lambda so_far: assert_type(so_far, DistributedReport),
    )
    assert_type(report.files, int)
    assert_type(report.failures, tuple[aiomar.FailedDownload, ...])
    assert_type(await upload_all(dask_client, reference, ["/srv/omar/january.csv"]), aiomar.UploadReport)
    assert_type(shard_directories("/srv/omar/data"), list[Path])
