"""``aiomar verify``: is what is on disk what was saved?"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.filesize import decimal

from aiomar import CheckedFile, Environment, RebuiltCatalogue, rebuild_catalogue, verify_directory
from aiomar.cli._codes import DATA, GOOD
from aiomar.cli._frame import carry_out
from aiomar.cli._json import fields
from aiomar.cli._options import ANY_ORIGIN, PLACE, PLAIN, Display, Origin
from aiomar.cli._output import Output, count
from aiomar.cli._reading import in_thread
from aiomar.cli._settings import environment_of
from aiomar.cli._tally import Tally


def verify(
    directory: Annotated[Path, PLACE],
    /,
    *,
    rebuild: bool = False,
    connection: Annotated[Origin, Parameter(name="*")] = ANY_ORIGIN,
    display: Annotated[Display, Parameter(name="*")] = PLAIN,
) -> int:
    """Read every file of a directory again and hold it against the catalogue that downloads keep there.

    Each file that is not what was saved gets a line on stdout, with what to do. No file is changed, and nothing is
    sent: no certificate is needed, and of the connection only --rebuild needs something. Where a cluster downloaded to,
    the directories below are read, each with its own catalogue.

    Exit codes: 0 all is as it was saved, 2 there is no catalogue or it cannot be used, 8 something is wrong,
    130 interrupted.

    Args:
        directory: Where files were downloaded to.
        rebuild: Make the catalogue anew from the files. Needs the server that they came from, which no file tells:
            --environment, or both origins. The old catalogue is kept under another name. Of what a cluster downloaded,
            one of the directories below has to be named.
        connection: Which server the files came from.
        display: What is shown.
    """
    if rebuild:
        return carry_out(
            "verify", display, lambda out: _rebuild(out, directory, environment_of(connection, environ=os.environ))
        )
    return carry_out("verify", display, lambda out: _verify(out, directory))


async def _verify(out: Output, directory: Path) -> int:
    found: Counter[str] = Counter()
    tally = Tally(None)

    def read(progress: Callable[[int], None]) -> None:
        with closing(verify_directory(directory, progress=progress)) as files:
            for file in files:
                progress(0)
                tally.fetched += file.good
                tally.failed += not file.good
                found[file.problem or "good"] += 1
                _tell(out, file)

    try:
        await in_thread(out, tally, read)
    finally:
        good, leftovers = found.pop("good", 0), found.pop("leftover", 0)
        wrong = found.total()
        out.summary |= {"files": good + wrong, "good": good, "wrong": dict(found), "leftovers": leftovers}
        out.summary["bytes"] = tally.bytes
    told = "".join(f", {number:,} {problem.replace('_', ' ')}" for problem, number in sorted(found.items()))
    out.say(f"{good:,} of {count(good + wrong, 'file')} good{told}; {decimal(tally.bytes)} read")
    return DATA if wrong else GOOD


def _tell(out: Output, file: CheckedFile) -> None:
    out.record({"event": "checked", **fields(file), "good": file.good})
    # The words begin with the file's name; all of its path goes in front.
    words = f"{file.path}{file.words.partition(file.path.name)[2]}"
    if not file.good:
        out.line(words)
    elif file.problem is not None or out.display.verbose:
        out.say(words)


async def _rebuild(out: Output, directory: Path, environment: Environment) -> int:
    tally = Tally(None)

    def read(progress: Callable[[int], None]) -> RebuiltCatalogue:
        return rebuild_catalogue(directory, environment, progress=progress)

    rebuilt = await in_thread(out, tally, read)
    out.record({"event": "rebuilt", **fields(rebuilt)})
    out.summary |= fields(rebuilt) | {"bytes": tally.bytes}
    if rebuilt.aside is not None:
        out.say(f"the old catalogue is {rebuilt.aside} now")
    again = f", {rebuilt.unverified:,} of them not proven whole: the next range fetches those again"
    out.say(f"the catalogue has {count(rebuilt.files, 'file')}{again if rebuilt.unverified else ''}")
    return GOOD
