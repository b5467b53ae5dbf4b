"""How many Python functions a small download calls: unlike its time, that is nearly the same on every machine.

The client runs in a process of its own under a profile function, so that neither the server nor pytest is counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from aiomar.testing import Authority, OmarServer

MOST_CALLS = 380
"""For each file, in all threads: 273 to 291 on a quiet machine, 325 on a busy one, where a group that is published
together has fewer files; and a sixth more."""
WARM_UP = 50
FILES = 300

COUNT = """
import asyncio, datetime as dt, json, sys, threading
from pathlib import Path

calls = {}

def count(frame, event, argument):
    if event == "call":
        thread = threading.get_ident()
        calls[thread] = calls.get(thread, 0) + 1

threading.setprofile(count)

from aiomar import ClientIdentity, Environment, FileFormat, Meter, OmarClient, OmarConfig, TimeType, Trust

async def main(files, upload, download, directory, warm_up, count_of_files):
    config = OmarConfig(
        ClientIdentity.from_pem(files["certificate"], files["key"]),
        Environment("counted", upload, download),
        trust=Trust(ca_file=files["ca_file"]),
    )
    meters = [Meter(f"{number:06}") for number in range(warm_up + count_of_files)]
    async with OmarClient(config) as client:
        async def fetch(some):
            await client.download_range(
                some, dt.date(2026, 1, 1), dt.date(2026, 1, 4),
                file_format=FileFormat.MDEF, time_type=TimeType.PST, into=Path(directory),
            )
        sys.setprofile(count)
        await fetch(meters[:warm_up])
        before = sum(calls.values())
        await fetch(meters[warm_up:])
        print(sum(calls.values()) - before)

asyncio.run(main(**json.loads(sys.argv[1])))
"""


async def test_calls_for_each_file(omar_authority: Authority, tmp_path: Path) -> None:
    """A small download, made durable and entered in the catalogue, calls about as many functions as it ever did."""
    into = tmp_path / "data"
    into.mkdir()
    meters = [f"{number:06}" for number in range(WARM_UP + FILES)]
    async with OmarServer(authority=omar_authority, meters=meters) as server:
        files = server.write_credentials(tmp_path)
        job = {
            "files": {"certificate": str(files.certificate), "key": str(files.key), "ca_file": str(files.ca_file)},
            "upload": server.environment.upload_origin,
            "download": server.environment.download_origin,
            "directory": str(into),
            "warm_up": WARM_UP,
            "count_of_files": FILES,
        }
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            COUNT,
            json.dumps(job),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "0"},
        )
        try:
            output, _ = await child.communicate()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
    assert child.returncode == 0
    assert len(list(into.glob("*.dat"))) == WARM_UP + FILES
    calls = int(output) / FILES
    print(f"{calls:.1f} Python calls for each file")  # noqa: T201 - to be seen with -rP
    assert calls <= MOST_CALLS
