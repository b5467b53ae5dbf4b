"""More than one machine: a range spread over the workers of a Dask cluster, and uploads through exactly one of them.

::

    reference = ConfigReference.from_toml("/srv/omar/aiomar.toml", profile="night")
    report = await download_range(
        dask_client, reference, meters, start, end,
        file_format=FileFormat.MDEF, time_type=TimeType.PST, into="/srv/omar/data", concurrency=8,
    )

Needs the extra ``dask``, here and on every worker, and storage that all workers share.
"""

from __future__ import annotations

from aiomar.distributed._cluster import ClusterError
from aiomar.distributed._downloads import download_range
from aiomar.distributed._reference import ConfigReference
from aiomar.distributed._report import DistributedReport
from aiomar.distributed._uploads import UPLOAD_RESOURCE, upload_all
from aiomar.transfer import shard_directories, shard_directory

__all__ = [
    "UPLOAD_RESOURCE",
    "ClusterError",
    "ConfigReference",
    "DistributedReport",
    "download_range",
    "shard_directories",
    "shard_directory",
    "upload_all",
]
