"""The report as a page: what it says, what it never lets in, and where its lists end."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import os
import re
import tracemalloc
from array import array
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import attrs
import pytest

from aiomar import DestinationError, Meter, TimeType, UsageError
from aiomar.report import Coverage, DayState, Gap, LoadProfile, Problem, ProfileDay, ProfileSlot, write_html
from aiomar.report._html_lists import MOST_GAPS, MOST_PROBLEMS, MOST_SERIES, MOST_SUBMISSIONS
from aiomar.report._page_file import check_page
from aiomar.submissions import SubmissionRecord, SubmissionState
from tests.support.covered import FIRST, made_up

MADE = dt.datetime(2026, 3, 21, 17, tzinfo=dt.UTC)
HOSTILE = "\"'><script src=http://evil.example/x.js>alert(1)</script><img onerror=x>\x00\x1b\u202e\ud800&amp;"
_VOID = {"meta"}


class _Page(HTMLParser):
    """A page whose tags all close, in order, and what is in it."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.ids: Counter[str] = Counter()
        self.text = ""
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that closes itself."""
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and its attributes."""
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids.update(value for name, value in attrs if name == "id" and value)
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """Hold the tag to the one that is open."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Gather text."""
        self.text += data
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data

    def column(self, table: str, name: str) -> list[str]:
        """Give the cells below a head, of the table whose first head is given."""
        heads = next(place for place, row in enumerate(self.rows) if row[0] == table and name in row)
        width = len(self.rows[heads])
        below = [row for row in self.rows[heads + 1 :] if len(row) == width and row[0] != table]
        return [row[self.rows[heads].index(name)] for row in below]


def page_of(target: Path, coverage: Coverage, **more: Any) -> tuple[str, _Page]:  # noqa: ANN401 - handed on
    """Write a report, and read it."""
    write_html(target, coverage, made_at=MADE, **more)
    source = target.read_text(encoding="utf-8")
    return source, _Page(source)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Give a path for a report."""
    return tmp_path / "report.html"


def submission(place: int, **changes: Any) -> SubmissionRecord:  # noqa: ANN401 - fields
    """Make a record of the ledger."""
    record = SubmissionRecord(
        id=f"{place}",
        state=SubmissionState.ACCEPTED,
        source=Path("/data/file.dat"),
        name=f"file-{place}.dat",
        size=12_345,
        sha256="ab" * 32,
        environment="production",
        upload_origin="https://omar-online.caiso.com",
        subject="CN=somebody",
        fingerprint="cd" * 32,
        submitted_at=MADE + dt.timedelta(minutes=place),
        ended_at=None,
        file_id=f"{880_000 + place}",
        saved_name=None,
        reason=None,
        phase=None,
        facts={},
        content_kept=False,
    )
    return attrs.evolve(record, **changes)


def profile(**changes: Any) -> LoadProfile:  # noqa: ANN401 - fields
    """Make a load profile."""
    slots = tuple(
        ProfileSlot(time=dt.time(hour), mean=10.0 + hour, least=-hour, most=3_000.0 * hour, count=5)
        for hour in range(24)
    )
    days = tuple(
        ProfileDay(day=FIRST + dt.timedelta(days=place), total=1e5 + place, whole=place != 3) for place in range(9)
    )
    made = LoadProfile(
        recorder_id="1001",
        channel=1,
        unit_code="01",
        clock=TimeType.DST,
        minutes=60,
        weekdays=slots,
        weekends=slots[:3] + slots[5:],
        days=days,
        used=200,
        left_out=7,
        unread=1,
    )
    return attrs.evolve(made, **changes)


def spoilt(coverage: Coverage) -> Coverage:
    """Put hostile text wherever foreign text can stand."""
    gap = Gap(start=MADE, end=MADE + dt.timedelta(hours=1), intervals=4, reason=HOSTILE)
    series = tuple(
        attrs.evolve(one, recorder_id=HOSTILE, label=HOSTILE, unit_code=HOSTILE, gaps=(gap,)) for one in coverage.series
    )
    problem = Problem(path=None, selection=Meter("<b>"), start=FIRST, end=FIRST, words=HOSTILE)
    return attrs.evolve(
        coverage,
        directory=Path("/data") / HOSTILE.replace("/", "").replace("\x00", ""),
        series=series,
        problems=(problem, attrs.evolve(problem, path=Path("/data/<i>.dat"), selection=None)),
        left_out=1,
        left_out_words=HOSTILE,
    )


@pytest.mark.parametrize("meters", [2, 130])
def test_foreign_text_shows_as_text(target: Path, meters: int) -> None:
    """No id, label, unit, reason, path or name becomes a tag or an attribute, and what is no character is replaced."""
    records = [
        submission(0, name=HOSTILE, reason=HOSTILE, file_id=HOSTILE, sha256=HOSTILE, state=SubmissionState.UNKNOWN)
    ]
    load = profile(recorder_id=HOSTILE, unit_code=HOSTILE)
    source, page = page_of(target, spoilt(made_up(meters, days=40)), submissions=records, profile=load)
    assert not {"script", "img", "b>", "i"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "style"]
    assert {value[:1] for _, name, value in page.attributes if name in {"href", "src"}} <= {"#"}
    assert page.text.count("<script src=http://evil.example/x.js>alert(1)</script>") > 5
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", source)
    assert "�" in page.text


def test_a_foreign_text_has_an_end(target: Path) -> None:
    """A reason of a megabyte is cut."""
    problem = Problem(path=None, selection=None, start=None, end=None, words="x" * 1_000_000)
    source, page = page_of(target, attrs.evolve(made_up(1, days=3), problems=(problem,)))
    assert len(source) < 50_000
    assert "xxx…" in page.text


@pytest.mark.parametrize("meters", [5, 130])
def test_the_page_needs_nothing_else(target: Path, meters: int) -> None:
    """There is no script, and nothing that a browser would fetch; the policy knows the style sheet by its hash."""
    source, page = page_of(target, made_up(meters, days=60), profile=profile(), submissions=[submission(1)])
    assert source.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert not {"script", "link", "iframe", "img", "object", "embed", "base", "form"} & set(page.tags)
    assert set(re.findall("http[^ ]*", source)) == {'http-equiv="Content-Security-Policy"'}
    assert set(re.findall(r"url\((.)", source)) == {"#"}
    assert "@import" not in source
    sheet = re.findall("<style>(.*?)</style>", source, re.DOTALL)
    known = base64.b64encode(hashlib.sha256(sheet[0].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{known}'" in source
    assert len(sheet) == page.tags["title"] - source.count("<title", source.index("<body")) == 1


@pytest.mark.parametrize("meters", [5, 130])
def test_the_page_is_well_formed(target: Path, meters: int) -> None:
    """Every tag closes, every picture is XML with a name, ids are one of a kind and links lead somewhere."""
    source, page = page_of(target, made_up(meters, days=60), profile=profile(), submissions=[submission(1)])
    pictures = [ET.fromstring(found) for found in re.findall(r"<svg.*?</svg>", source, re.DOTALL)]  # noqa: S314 - ours
    told = [picture for picture in pictures if picture.get("role") == "img"]
    assert len(pictures) - len([picture for picture in pictures if picture.get("aria-hidden")]) == len(told) >= 4
    for picture in told:
        names = (picture.get("aria-labelledby") or "").split()
        assert [picture.find(f"*[@id='{name}']").tag for name in names] == ["title", "desc"]  # type: ignore[union-attr]
        assert all(picture.findtext(kind) for kind in ("title", "desc"))
    assert set(page.ids.values()) == {1}
    links = {value.removeprefix("#") for tag, name, value in page.attributes if tag == "a" and name == "href"}
    assert links <= set(page.ids)
    assert page.tags["h1"] == page.tags["main"] == 1


def test_every_state_is_explained(target: Path) -> None:
    """Each state, and each step of the overview, has a sample in a legend, a colour, and bars of its own."""
    source, _ = page_of(target, made_up(130, days=60, trouble=0.2))
    legends = "".join(re.findall(r'<ul class="legend".*?</ul>', source, re.DOTALL))
    samples = set(re.findall(r'<rect class="(\w+)"', legends))
    drawn = set(re.findall(r'<rect class="(\w+)" x=', source))
    assert samples >= {state.value for state in DayState} | {f"q{step}" for step in range(1, 6)}
    assert {kind.rstrip("o") for kind in drawn} <= samples | {"q0"}
    for state in set(DayState) - {DayState.FULL}:
        assert f".{state.value}{{fill:url(#p-{state.value})}}" in source
    shapes = [re.sub(r'(class|id)="[^"]*"', "", found) for found in re.findall("<pattern.*?</pattern>", source)]
    one_kind = shapes[: len(DayState) - 1]
    assert len(set(one_kind)) == len(one_kind)


@pytest.mark.parametrize(
    ("coverage", "headline"),
    [
        (made_up(1, days=1, channels=1, trouble=0), "Complete: all 96 intervals of 1 meter are there"),
        (made_up(5, days=365, channels=2, trouble=0), "Complete: all 350,400 intervals of 5 meters are there"),
        (attrs.evolve(made_up(1, days=2), series=()), "Nothing to show: no file with intervals was read"),
    ],
)
def test_the_headline_says_it(target: Path, coverage: Coverage, headline: str) -> None:
    """What is there stands in the first line, in numbers."""
    source, _ = page_of(target, coverage)
    assert f"<h1>{headline}</h1>" in source


def changed(coverage: Coverage, **figures: int) -> Coverage:
    """Change figures of the first day of the first series."""
    first, *others = coverage.series
    arrays: dict[str, Any] = {}
    for name, value in figures.items():
        arrays[name] = array("H", getattr(first, name))
        arrays[name][0] = value
    return attrs.evolve(coverage, series=(attrs.evolve(first, **arrays), *others))


def test_the_headline_says_what_is_missing(target: Path) -> None:
    """One missing interval is told, with its share, and at how many meters."""
    source, page = page_of(target, changed(made_up(3, days=10, trouble=0), missing=1, found=95))
    assert "<h1>Not complete: 1 of 8,640 intervals is missing (0.01 %), at 1 of 3 meters</h1>" in source
    assert page.column("Meter", "Missing") == ["1", *["0"] * 8]


def test_what_is_there_may_still_not_be_good(target: Path) -> None:
    """Copies that differ, and problems, are said where no interval is missing."""
    coverage = changed(made_up(3, days=10, trouble=0), duplicates=4, conflicts=3, estimated=2)
    problem = Problem(path=Path("/data/x.dat"), selection=None, start=None, end=None, words="cannot be read")
    source, _ = page_of(target, attrs.evolve(coverage, problems=(problem,)))
    assert "<h1>3 intervals differ between their copies; 1 of 4 files cannot be read</h1>" in source
    assert "4 came more than once, 3 have copies that differ and 2 are marked as estimated" in source
    assert '<h2 id="problems">' in source


def test_the_headline_says_of_what_nothing_could_be_read(target: Path) -> None:
    """How many channels such a meter has is not known, nor how many meters such a group; a group is no meter."""
    coverage = made_up(2, days=1, channels=1, trouble=0)
    good, other = changed(coverage, missing=96, found=0).series[::-1]
    nothing = attrs.evolve(other, recorder_id="8", channel=None)
    source, _ = page_of(target, attrs.evolve(coverage, series=(good, nothing)))
    headline = "Not complete: at least 96 of 192 intervals are missing (50.00 %), at 1 of 2 meters"
    assert f"<h1>{headline}; nothing of 1 of 2 meters could be read</h1>" in source
    source, _ = page_of(target, attrs.evolve(coverage, series=(good, attrs.evolve(nothing, group=True))))
    headline = "Not complete: at least 96 of 192 intervals are missing (50.00 %)"
    assert f"<h1>{headline}; nothing of 1 group could be read</h1>" in source
    assert "<dd>1 meter, 1 channel, 1 group</dd>" in source


def test_copies_that_are_equal_are_no_trouble(target: Path) -> None:
    """Bands of a complete report are closed, and say how many meters have copies in words that warn of nothing."""
    coverage = made_up(130, days=3, channels=1, trouble=0)
    for place in (0, 1, 2):
        coverage.series[place].duplicates[1] = 96
    source, _ = page_of(target, coverage)
    assert "meters, 3 with copies, " in source
    assert "<details open" not in source
    assert 'class="bad"' not in source


def test_a_run_is_one_rectangle(target: Path) -> None:
    """A full row is one rectangle; days that lie side by side and look alike are one more."""
    coverage = made_up(1, days=365, channels=1, trouble=0)
    one = coverage.series[0]
    for place in (10, 11, 12, 40):
        one.missing[place], one.found[place] = one.expected[place], 0
    source, _ = page_of(target, coverage)
    row = re.findall(r'<g class="row".*?</g>', source)
    assert len(row) == 1
    assert re.findall(r'<rect class="(\w+)"(?: x="(\d+)")? width="(\d+)"', row[0]) == [
        ("full", "", "1095"),
        ("missing", "30", "9"),
        ("missing", "120", "3"),
    ]
    assert "<title>2026-01-11 to 2026-01-13: all intervals missing, 0 of 288 intervals</title>" in row[0]


def test_days_that_nobody_asked_for_are_drawn(target: Path) -> None:
    """A series that begins later and ends earlier than the map is not full there."""
    coverage = made_up(1, days=4, channels=1, trouble=0)
    wider = attrs.evolve(
        coverage, first_day=FIRST - dt.timedelta(days=2), last_day=FIRST + dt.timedelta(days=4), change_days=()
    )
    source, _ = page_of(target, wider)
    assert re.findall(r"<title>(\S+(?: to \S+)?): not asked for</title>", source) == [
        "2025-12-30 to 2025-12-31",
        "2026-01-05",
    ]


def test_a_meter_shows_the_worst_of_its_channels(target: Path) -> None:
    """In a band a day of a meter has the state of its worst channel, and names the channels."""
    coverage = made_up(130, days=5, trouble=0)
    first, second, third = coverage.series[:3]
    first.estimated[2] = 5
    second.missing[2], second.found[2] = 1, 95
    second.missing[3], second.found[3] = 96, 0
    third.missing[3], third.found[3] = 96, 0
    source, _ = page_of(target, coverage)
    row = source[source.index('id="band-1"') :].split('<g class="row"')[1]
    assert re.findall(r'<rect class="(\w+)" x[^>]*><title>(.*?)</title>', row) == [
        ("short", "2026-01-03: some intervals missing (channel 1, 2), 191 of 192 intervals, 5 estimated"),
        ("missing", "2026-01-04: all intervals missing (channel 2, 3), 0 of 192 intervals"),
    ]


def test_bands_are_open_where_there_is_trouble(target: Path) -> None:
    """Of many meters the bands that are full are closed, of the others three at most are open."""
    coverage = made_up(1_500, days=3, channels=1, trouble=0)
    for place in (30, 60, 61, 400, 700, 1_400):
        coverage.series[place].estimated[1] = 1
    source, page = page_of(target, coverage)
    assert re.findall(r'<details id="(band-\d+)" open>', source) == ["band-2", "band-3", "band-17"]
    assert page.tags["details"] == 60
    assert source.count('<g class="row"') == 60 + 1_500


def test_the_share_that_is_missing_makes_the_step(target: Path) -> None:
    """A day of a band shows how much of it is missing, and by a line that something else is odd."""
    coverage = made_up(130, days=4, channels=1, trouble=0)
    for place in range(25):
        coverage.series[place].missing[0], coverage.series[place].found[0] = 96, 0
    coverage.series[0].missing[1], coverage.series[0].found[1] = 1, 95
    coverage.series[1].estimated[1] = coverage.series[1].estimated[2] = 1
    source, _ = page_of(target, coverage)
    overview = source[source.index('id="overview-t"') : source.index("Every meter, band by band")]
    assert re.findall(r'<rect class="(\w+)" x[^>]*><title>(.*?)</title>', overview) == [
        ("q5", "2026-01-01: more than 50 % missing, 0 of 2,400 intervals"),
        ("q1o", "2026-01-02: up to 1 % missing, some values estimated, 2,399 of 2,400 intervals, 1 estimated"),
        ("q0o", "2026-01-03: none missing, some values estimated, 2,400 of 2,400 intervals, 1 estimated"),
    ]


def test_days_of_23_and_25_hours_are_marked(target: Path) -> None:
    """Both changes stand in the axis and in the legend; on the PST clock there are none."""
    source, _ = page_of(target, made_up(2))
    assert re.findall(r'<text class="change"[^>]*>(.*?)</text>', source) == ["23 h", "25 h"]
    assert "2026-03-08: clock change, 23 hours" in source
    assert "2026-11-01: clock change, 25 hours" in source
    source, _ = page_of(target, made_up(2, clock=TimeType.PST))
    assert "change" not in source[source.index("<main>") :]


def test_a_gap_is_told_on_the_clock(target: Path) -> None:
    """Local times carry their distance from UTC, and channels that share a gap share a line."""
    gap = Gap(
        start=dt.datetime(2026, 11, 1, 8, 30, tzinfo=dt.UTC),
        end=dt.datetime(2026, 11, 1, 9, 30, tzinfo=dt.UTC),
        intervals=4,
        reason=None,
    )
    coverage = made_up(1, days=365, channels=3, trouble=0)
    one, two, three = coverage.series
    coverage = attrs.evolve(coverage, series=(attrs.evolve(one, gaps=(gap,)), two, attrs.evolve(three, gaps=(gap,))))
    _, page = page_of(target, coverage)
    assert page.column("Meter", "From") == ["2026-11-01 01:30 UTC−07:00"]
    assert page.column("Meter", "To") == ["2026-11-01 01:30 UTC−08:00"]
    assert page.column("Meter", "Intervals") == ["2 channels × 4"]
    assert "1 kWh, 3 unit 07" in page.text


def test_lists_have_an_end_and_say_so(target: Path) -> None:
    """Gaps, problems, channels and submissions are cut, the longest or the newest first, and the rest is counted."""
    problem = Problem(path=Path("/data/x.dat"), selection=None, start=None, end=None, words="cannot be read")
    coverage = made_up(80, days=60, trouble=0.1, problems=(problem,) * (MOST_PROBLEMS + 2))
    records = [submission(place) for place in range(MOST_SUBMISSIONS + 5)]
    source, page = page_of(target, coverage, submissions=iter(records))
    gaps = len({(one.recorder_id, gap.start, gap.end, gap.reason) for one in coverage.series for gap in one.gaps})
    odd = sum(any(day.state is not DayState.FULL for day in one.days()) for one in coverage.series)
    assert f"{gaps - MOST_GAPS:,} more gaps are not shown here. All of them: <code>aiomar report " in source
    assert "2 more problems are not shown here" in source
    assert f"{odd - MOST_SERIES:,} more channels are not shown here" in source
    assert "5 more submissions are not shown here" in source
    shown = [int(cell.rpartition(" ")[2]) for cell in page.column("Meter", "Intervals")][:MOST_GAPS]
    assert shown == sorted(shown, reverse=True)
    assert page.column("Submitted", "File id")[:2] == ["880204", "880203"]
    assert len(page.column("Submitted", "File id")) == MOST_SUBMISSIONS


def test_submissions_are_told(target: Path) -> None:
    """State, file id, name, size, and the hash, whole where somebody points at it."""
    records = [submission(place, state=state) for place, state in enumerate(SubmissionState)]
    source, page = page_of(target, made_up(1, days=2), submissions=records)
    assert page.column("Submitted", "State") == ["○ not sent", "? unknown", "✕ rejected", "✓ accepted", "… being sent"]
    assert page.column("Submitted", "Submitted")[-1] == "2026-03-21 10:00 UTC−07:00"
    assert f'<code title="{"ab" * 32}">abababababab…</code>' in source


def test_values_show_only_with_a_profile(target: Path) -> None:
    """A load is drawn where one is handed in, with its unit and what was left out."""
    source, page = page_of(target, made_up(1, days=2))
    assert "Load of" not in source
    source, page = page_of(target, made_up(1, days=2), profile=profile())
    assert "<h2>Load of 1001, channel 1</h2>" in source
    assert "7 left out (marked as missing, or without a number); 1 file is gone or cannot be read." in page.text
    assert page.text.count("kWh per 60 min") >= 4
    assert source.count('<circle class="ring"') == 1
    # One line for weekdays, one on each side of the hours without a value for weekends, and the sums of days.
    assert source.count('<path class="mean"') == 4


def test_outages_explain_a_load_that_falls_to_nought(target: Path) -> None:
    """Their number stands beside that of what was left out."""
    _, page = page_of(target, made_up(1, days=2), profile=profile(outages=1))
    assert "; 1 interval is marked as power outage;" in page.text
    _, page = page_of(target, made_up(1, days=2), profile=profile(outages=2))
    assert "; 2 intervals are marked as power outage;" in page.text


@pytest.mark.parametrize(
    ("figures", "why"),
    [
        ({"used": 0, "unread": 0}, "of 7 intervals each is marked as missing, or without a number."),
        ({"used": 0, "left_out": 0}, "1 file is gone or cannot be read."),
        ({"used": 0, "left_out": 0, "unread": 0, "channel": None}, "no file has an interval of it."),
    ],
)
def test_a_load_without_a_value_says_why(target: Path, figures: dict[str, Any], why: str) -> None:
    """There is no picture, and a sentence in its place."""
    load = profile(weekdays=(), weekends=(), days=(), **figures)
    source, page = page_of(target, made_up(1, days=2), profile=load)
    assert "<h2>Load of 1001</h2>" in source
    assert f"There is nothing to draw: {why}" in page.text
    assert "<figure" not in source


@pytest.mark.parametrize(
    ("code", "words"),
    [("01", "kWh"), ("03", "kvarh"), ("07", "unit 07"), ("MWh", "MWh"), (None, "value")],
)
def test_a_unit_is_named_as_far_as_it_is_known(target: Path, code: str | None, words: str) -> None:
    """Codes that nobody explained stay codes, and words stay words."""
    _, page = page_of(target, made_up(1, days=2), profile=profile(unit_code=code))
    assert f"{words} per 60 min" in page.text


@pytest.mark.parametrize("value", [0.0, -5.0, 3e38, 1e-30])
def test_any_value_can_be_drawn(target: Path, value: float) -> None:
    """Nothing but nought, negative, huge and tiny values all have a scale."""
    slot = ProfileSlot(time=dt.time(), mean=value, least=value, most=value, count=1)
    day = ProfileDay(day=FIRST, total=value, whole=False)
    load = profile(weekdays=(slot,), weekends=(), days=(day,))
    source, page = page_of(target, made_up(1, days=2), profile=load)
    assert "nan" not in source[source.index("Load of") :]
    assert "no such day" in page.text


@pytest.mark.parametrize("content", [b"<!DOCTYPE html>\n<html><p>mine", b"PAR1" * 200])
def test_nothing_but_a_page_of_ours_is_replaced(target: Path, content: bytes) -> None:
    """Whatever else is there stays as it was, whether it may be overwritten or not."""
    target.write_bytes(content)
    with pytest.raises(DestinationError, match="is no page that aiomar wrote: remove it"):
        write_html(target, made_up(1, days=2), made_at=MADE)
    assert target.read_bytes() == content


@pytest.mark.parametrize("name", ["x.dat", "X.CSV", ".aiomar/lock"])
def test_a_page_has_neither_the_name_nor_the_place_of_something_else(tmp_path: Path, name: str) -> None:
    """Not of a data file, and not among the records of a range, where an empty file is a lock."""
    (tmp_path / ".aiomar").mkdir()
    (tmp_path / ".aiomar" / "lock").touch()
    with pytest.raises(DestinationError, match="something else"):
        write_html(tmp_path / name, made_up(1, days=2), made_at=MADE)
    assert (tmp_path / ".aiomar" / "lock").stat().st_size == 0
    assert [path.name for path in tmp_path.iterdir()] == [".aiomar"]


def test_a_page_is_replaced(target: Path) -> None:
    """It says in its first bytes who wrote it; an empty file, as others make to have a name, is no loss either."""
    target.touch()
    write_html(target, made_up(1, days=2), made_at=MADE)
    assert b'<meta name="generator" content="aiomar ' in target.read_bytes()[:128]
    write_html(target, made_up(2, days=2), made_at=MADE)
    assert "of 2 meters" in target.read_text("utf-8")


@pytest.mark.skipif(os.name != "posix", reason="links and pipes are POSIX ones here")
def test_where_no_page_can_be(tmp_path: Path) -> None:
    """A directory, a link, a pipe, a directory that is not there: each is refused."""
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    for name in (".", "link", "pipe", "nowhere/page.html", "nu\0l"):
        with pytest.raises(DestinationError):
            check_page(tmp_path / name)
    check_page(tmp_path / "page.html")


def test_nothing_is_replaced_unasked(target: Path) -> None:
    """A file that is there stays when it may not be replaced, and when making the new one fails on the way."""
    write_html(target, made_up(1, days=1), made_at=MADE)
    before = target.read_bytes()
    with pytest.raises(DestinationError, match="exists"):
        write_html(target, made_up(1, days=2), made_at=MADE, overwrite=False)

    def broken() -> Iterator[SubmissionRecord]:
        yield submission(1)
        raise UsageError("the ledger is gone: look for it")

    with pytest.raises(UsageError):
        write_html(target, made_up(1, days=2), made_at=MADE, submissions=broken())
    assert target.read_bytes() == before
    assert list(target.parent.iterdir()) == [target]


def test_writing_can_be_left(target: Path) -> None:
    """Progress is told all bytes; what it raises ends the writing, and nothing appears."""
    told: list[int] = []
    write_html(target, made_up(20), made_at=MADE, progress=told.append)
    assert sum(told) == target.stat().st_size
    assert len(told) > 1
    target.unlink()

    def leave(_size: int) -> None:
        raise EOFError

    with pytest.raises(EOFError):
        write_html(target, made_up(20), made_at=MADE, progress=leave)
    assert list(target.parent.iterdir()) == []


def test_a_time_without_a_zone_is_refused(target: Path) -> None:
    """When a report was made is an instant."""
    with pytest.raises(UsageError, match="no time zone"):
        write_html(target, made_up(1, days=2), made_at=MADE.replace(tzinfo=None))
    assert not target.exists()


def test_memory_does_not_grow_with_the_page(target: Path) -> None:
    """The page is never held: nor are the days of more than one meter, or of one band."""
    coverage = made_up(150, days=120, trouble=0.2)
    assert coverage.totals.expected  # its sums are kept with it
    tracemalloc.start()
    try:
        write_html(target, coverage, made_at=MADE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert target.stat().st_size > 1_500_000
    assert peak < 1_000_000
