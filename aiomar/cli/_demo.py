"""``aiomar demo``: the main job, end to end, on an embedded server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from aiomar.cli._embedded import require_testing, workplace
from aiomar.cli._frame import carry_out
from aiomar.cli._options import DIRECTORY, PLAIN, Display
from aiomar.cli._output import Output


def demo(
    *,
    keep: Annotated[Path | None, DIRECTORY] = None,
    display: Annotated[Display, Parameter(name="*")] = PLAIN,
) -> int:
    """Show the main job, end to end, on an OMAR-Online of its own over real mutual TLS.

    Sixty meters and a group for thirty days in both formats, three uploads and one that the rules refuse, and some
    trouble on the way. Needs the extra testing, and nothing else.

    Exit codes: 0 everything was as it should be, 1 something was not.

    Args:
        keep: Directory for the files, made when missing; without it nothing is kept.
        display: What is shown.
    """
    return carry_out("demo", display, lambda out: _demo(out, keep))


async def _demo(out: Output, keep: Path | None) -> int:
    require_testing()
    from aiomar.cli._show import show  # noqa: PLC0415 - needs the extra, which is here now

    with workplace(keep, "--keep") as directory:
        code = await show(out, directory)
    out.line("Nothing was kept; --keep DIR keeps the files." if keep is None else f"The files are in {directory}.")
    return code
