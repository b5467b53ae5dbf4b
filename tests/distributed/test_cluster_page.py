"""What the page about clusters shows, run on the cluster of the tests."""

from __future__ import annotations

import ast
import datetime as dt
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aiomar import FileFormat, Meter, TimeType

pytest.importorskip("distributed", reason="needs aiomar[dask]: clusters are tried on one Python")

if TYPE_CHECKING:
    from tests.support.cluster import Farm

DAY = dt.date(2026, 1, 31)
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "cluster.md"


async def test_the_page_runs(farm: Farm, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """From a working directory with a profile and a file to submit."""
    january = farm.server.data(Meter("1001"), DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST)
    (farm.storage / "january.csv").write_bytes(january)
    monkeypatch.chdir(farm.storage)
    names: dict[str, Any] = {"__name__": "page", "dask_client": farm.client}
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE):
        code = compile(block, PAGE.name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if inspect.isawaitable(left := eval(code, names)):  # noqa: S307 - the page is ours
            await left
        if main := names.pop("main", None):
            await main(farm.client)
    told = capsys.readouterr().out
    assert "all 30 files are there, 0 of them were before" in told
    assert "\ndata/06\n10 directories\n" in told
    assert str(farm.server.uploads[0].file_id) in told
    assert farm.server.max_concurrent_downloads <= 8
