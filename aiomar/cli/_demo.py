"""``aiomar demo``: the main job, end to end, on an embedded server."""

from __future__ import annotations

import tempfile
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
    trouble on the way; in the end a report and the intervals as Parquet. Needs the extra testing; Parquet needs the
    extra arrow.

    Exit codes: 0 everything was as it should be, 1 something was not.

    Args:
        keep: Directory for the files, made when missing; without it only the report and the Parquet file are kept, in a
            new temporary directory.
        display: What is shown.
    """
    return carry_out("demo", display, lambda out: _demo(out, keep))


async def _demo(out: Output, keep: Path | None) -> int:
    require_testing()
    from aiomar.cli._show import show  # noqa: PLC0415 - needs the extra, which is here now
    from aiomar.cli._show_data import HTML  # noqa: PLC0415 - the same

    with workplace(keep, "--keep") as directory:
        results = Path(tempfile.mkdtemp(prefix="aiomar-demo-")) if keep is None else directory
        code = await show(out, directory, results)
    where = f"Open {(results / HTML).as_uri()} in a browser."
    kept = "Nothing else was kept; --keep DIR keeps the files." if keep is None else f"The files are in {directory}."
    out.line(f"{where}\n{kept}")
    return code
