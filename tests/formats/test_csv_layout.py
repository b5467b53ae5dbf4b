"""A layout says what columns mean: in code and in TOML, and what cannot be meant is refused with the setting's name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomar import ConfigError
from aiomar.formats import CsvLayout
from aiomar.testing import CSV_LAYOUT, _data

LEAST: dict[str, Any] = {"meter": "M", "date": "D", "value": "V", "minutes": 15, "interval": "I"}
TIMED: dict[str, Any] = {"meter": 1, "date": 2, "value": 4, "minutes": 60, "time": 3, "header": False}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"interval": None}, "needs interval or time"),
        ({"time": "T"}, "interval or time, and not both"),
        ({"meter": ""}, "meter must be"),
        ({"meter": " "}, "meter must be"),
        ({"meter": None}, "meter must be"),
        ({"value": 0}, "value must be"),
        ({"value": -1}, "value must be"),
        ({"value": True}, "value must be"),
        ({"value": 1.0}, "value must be"),
        ({"channel": ["C"]}, "channel must be"),
        ({"status": "V"}, "value and status are the same column"),
        ({"status": " V "}, "value and status are the same column"),
        ({"meter": 3, "channel": 3}, "meter and channel are the same column"),
        ({"minutes": 0}, "minutes must divide"),
        ({"minutes": 7}, "minutes must divide"),
        ({"minutes": 120}, "minutes must divide"),
        ({"minutes": 15.0}, "minutes must divide"),
        ({"minutes": True}, "minutes must divide"),
        ({"date_format": ""}, "date_format must hold"),
        ({"date_format": "%m/%d"}, "date_format must hold"),
        ({"date_format": "%Y-%d"}, "date_format must hold"),
        ({"date_format": "%Y%y-%m-%d"}, "date_format must hold"),
        ({"date_format": "%Y-%j-%m-%d"}, "date_format must hold"),
        ({"date_format": "%Y-%m-%d %Y"}, "date_format may hold"),
        ({"date_format": "%Y-%m-%d %H"}, "date_format may hold"),
        ({"date_format": "%Y-%m-%d %"}, "date_format may hold"),
        ({"date_format": " %Y-%m-%d"}, "date_format must hold"),
        ({"date_format": 5}, "date_format may hold"),
        ({"time_is": "start"}, "time_is says how to read time"),
        ({"time_format": "%H"}, "time_format says how to read time"),
        ({"header": False}, "meter is a name, but header is false"),
        ({"header": "yes"}, "header must be"),
        ({"encoding": "utf-16"}, "encoding must be"),
        ({"encoding": "nonesuch"}, "encoding must be"),
        ({"encoding": 8}, "encoding must be"),
    ],
)
def test_what_a_layout_cannot_mean(changes: dict[str, object], words: str) -> None:
    """Each contradiction is a `ConfigError` that names the setting."""
    with pytest.raises(ConfigError, match=words):
        CsvLayout(**LEAST | changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"time_format": ""}, "time_format must hold"),
        ({"time_format": "%I:%M"}, "time_format must hold"),
        ({"time_format": "%M"}, "time_format must hold"),
        ({"time_format": "%H %I %p"}, "time_format must hold"),
        ({"time_format": "%H:%M%z"}, "time_format may hold"),
        ({"time_format": "%H:%H"}, "time_format may hold"),
        ({"time_is": "middle"}, "time_is must be"),
        ({"time_is": None}, "time_is must be"),
        ({"time": "T"}, "time is a name, but header is false"),
    ],
)
def test_what_a_layout_with_times_cannot_mean(changes: dict[str, object], words: str) -> None:
    """Likewise for the settings of times of day."""
    with pytest.raises(ConfigError, match=words):
        CsvLayout(**TIMED | changes)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.none()
            | st.text(max_size=4)
            | st.integers(-1, 5)
            | st.booleans()
            | st.sampled_from(["%Y%m%d", "%H"])
            for name in (
                *LEAST,
                *TIMED,
                "channel",
                "unit",
                "status",
                "date_format",
                "time_format",
                "time_is",
                "encoding",
            )
        },
    )
)
def test_anything_is_a_layout_or_a_config_error(changes: dict[str, Any]) -> None:
    """No value of any setting brings another error."""
    try:
        layout = CsvLayout(**LEAST | changes)
    except ConfigError:
        return
    assert (layout.interval is None) != (layout.time is None)
    assert len(set(layout.columns().values())) == len(layout.columns())


def _file(directory: Path, text: str) -> Path:
    path = directory / "layout.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_layout_from_toml(tmp_path: Path) -> None:
    """The keys are the names of the settings; columns are names or positions."""
    path = _file(
        tmp_path, 'meter = 1\ndate = 2\ntime = 3\nvalue = 4\nminutes = 60\nheader = false\ntime_is = "start"\n'
    )
    assert CsvLayout.from_toml(path) == CsvLayout(**TIMED, time_is="start")
    path = _file(tmp_path, '\ufeffmeter = "M"\ndate = "D"\nvalue = "V"\nminutes = 15\ninterval = "I"\n')
    assert CsvLayout.from_toml(str(path)) == CsvLayout(**LEAST)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("meter = ", "cannot be read as TOML"),
        ("meter = 1\nmeter = 2", "cannot be read as TOML"),
        ("x = " + "[" * 5_000, "cannot be read as TOML"),
        ("metre = 1", r"unknown keys \['metre'\]"),
        ("[layout]\nmeter = 1", r"unknown keys \['layout'\]"),
        ("meter = 1\nvalue = 2", "does not say date, minutes"),
        ("meter = 2026-01-01\ndate = 2\nvalue = 3\nminutes = 15\ninterval = 4", "meter must be"),
        ('meter = 1\ndate = 2\nvalue = 3\nminutes = "15"\ninterval = 4', "minutes must divide"),
        ("meter = 1\ndate = 2\nvalue = 3\nminutes = 15", "needs interval or time"),
    ],
)
def test_a_file_that_is_no_layout(tmp_path: Path, text: str, words: str) -> None:
    """A `ConfigError` names the file and the key."""
    path = _file(tmp_path, text)
    with pytest.raises(ConfigError, match=words) as caught:
        CsvLayout.from_toml(path)
    assert str(path) in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing, a directory, or no text: each is said in words."""
    text = _file(tmp_path, "")
    text.write_bytes(b'meter = "\xff"')
    for path, words in (
        (tmp_path / "missing.toml", "missing.toml cannot be opened, as there is no such file \\(ENOENT\\): "),
        ("", "^'' cannot be opened, as there is no such file"),
        (tmp_path, "as it is a directory"),
        (text, "cannot be read as TOML"),
    ):
        with pytest.raises(ConfigError, match=words):
            CsvLayout.from_toml(path)


def test_the_embedded_servers_own_layout() -> None:
    """It names every column that the server writes, and says that it is ours."""
    assert sorted(map(str, CSV_LAYOUT.columns().values())) == sorted(_data.CSV_HEADER.split(","))
    path = Path(_data.__file__).with_name("csv-layout.toml")
    assert "our own" in path.read_text(encoding="utf-8").splitlines()[0]
    assert CsvLayout.from_toml(path) == CSV_LAYOUT


def test_the_page_for_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its layout is the same in TOML and in code, and its example reads a file."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "csv-layout.md").read_text(encoding="utf-8")
    (toml,) = re.findall(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    declared, read = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    _file(tmp_path, toml)
    names: dict[str, object] = {}
    exec(declared, names)  # noqa: S102 - our own page
    assert CsvLayout.from_toml(tmp_path / "layout.toml") == names["layout"]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text("RESOURCE_ID,TRADE_DATE,TIME,QUALITY,X,Y\nm,11/01/2026,24:00,0,,1.5\n")
    monkeypatch.chdir(tmp_path)
    exec(read, {})  # noqa: S102 - likewise
    assert capsys.readouterr().out == "m 1 2026-11-02 07:45:00+00:00 1.5\n"
