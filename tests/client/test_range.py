"""Ranges: lazily fed, bounded, and one failed file never stops the others."""
# ruff: noqa: FBT001 - pytest gives parameters and fixtures by name

from __future__ import annotations

import asyncio
import datetime as dt
import pickle
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import attrs
import pytest

from aiomar import (
    ConfigError,
    DestinationError,
    FailedDownload,
    FileFormat,
    Group,
    LimitError,
    Meter,
    OmarClient,
    OmarConfig,
    PartialDownloadError,
    RangePlan,
    SavedFile,
    StatusError,
    TimeType,
    UnexpectedPageError,
)
from aiomar.testing import CutBody, Framing, OmarServer, SlowFirstByte, Stall, Status
from aiomar.transfer import Selections
from tests.client.helpers import (
    DAY,
    METER,
    UNKNOWN,
    client_tasks,
    data,
    fetch,
    fetch_range,
    iterate,
    on_disk,
    sent,
    until,
    untouched,
)

METERS = [Meter(str(number)) for number in range(1001, 1061)]


async def later(selections: list[Meter]) -> AsyncIterator[Meter]:
    """Give selections as an asynchronous source does."""
    for selection in selections:
        await asyncio.sleep(0)
        yield selection


async def test_a_range_fetches_every_selection(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """The report has every file, and the directory has nothing else."""
    report = await fetch_range(omar_client, [*METERS[:10], Group("123")], tmp_path / "data")
    assert {file.selection for file in report.files} == {*METERS[:10], Group("123")}
    assert {file.path: file.path.read_bytes() for file in report.files} == {
        tmp_path / "data" / name: content for name, content in on_disk(tmp_path / "data").items()
    }
    assert all(file.path.read_bytes() == data(omar_server, file.selection) for file in report.files)
    assert (list(report.failures), report.reused) == ([], 0)
    assert report.bytes == sum(map(len, on_disk(tmp_path).values()))
    assert report.elapsed > 0
    report.raise_for_failures()


async def test_any_source_of_selections_will_do(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """One selection, a list, a generator, a set, an asynchronous generator; each selection is fetched once."""
    wanted = METERS[:3]
    for name, source in (
        ("list", wanted),
        ("generator", (meter for meter in [*wanted, *wanted])),
        ("set", set(wanted)),
        ("asynchronous", later([*wanted, *wanted])),
    ):
        before = sent(omar_server, "download")
        report = await fetch_range(omar_client, source, tmp_path / name)
        assert {file.selection for file in report.files} == set(wanted), name
        assert sent(omar_server, "download") - before == 3, name
    report = await fetch_range(omar_client, METER, tmp_path / "one")
    assert [file.selection for file in report.files] == [METER]


async def test_the_same_selection_twice_is_fetched_once(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """A meter and a group with the same id are two selections; the same meter again is none."""
    report = await fetch_range(omar_client, [Meter("1001"), METER, Meter("1001"), Group("123")], tmp_path)
    assert len(report.files) == 2
    assert sent(omar_server, "download") == 2


async def test_no_selections_make_an_empty_report(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Nothing is asked, not even for a login."""
    sources: list[Selections] = [[], iter(()), later([])]
    for source in sources:
        report = await fetch_range(omar_client, source, tmp_path)
        assert (list(report.files), list(report.failures), report.bytes, report.reused) == ([], [], 0, 0)
    assert not omar_server.requests


@pytest.mark.parametrize(
    ("days", "spans"),
    [
        (None, [("20260101", "20260110")]),
        (10, [("20260101", "20260110")]),
        (11, [("20260101", "20260110")]),
        (4, [("20260101", "20260104"), ("20260105", "20260108"), ("20260109", "20260110")]),
        (1, [(f"202601{day:02}", f"202601{day:02}") for day in range(1, 11)]),
    ],
)
async def test_days_per_file_counts_from_the_start(
    days: int | None, spans: list[tuple[str, str]], omar_client: OmarClient, tmp_path: Path
) -> None:
    """Every day is in one file, and only the last file may be shorter."""
    await fetch_range(omar_client, METER, tmp_path, end=dt.date(2026, 1, 10), days_per_file=days)
    assert sorted(on_disk(tmp_path)) == sorted(f"meter-1001_{first}_{last}_pst.csv" for first, last in spans)


@pytest.mark.parametrize("days", [0, -1, 1.5, True, "7"])
async def test_a_wrong_number_of_days(
    days: int, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Less than a day in a file is a `LimitError` of the range, found before anything is sent or made."""
    with pytest.raises(LimitError) as caught:
        await fetch_range(omar_client, METERS, tmp_path / "data", days_per_file=days)
    assert caught.value.rule == "range"
    with pytest.raises(LimitError):
        await fetch_range(omar_client, METERS, tmp_path / "data", end=DAY - dt.timedelta(days=1))
    assert list(tmp_path.iterdir()) == []
    assert not omar_server.requests


async def test_partial_failure_raises_with_the_report(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """One failed download never stops the others; what failed and why is in the error's report, which pickles."""
    omar_server.script(Status(404, match="=1005&"))
    selections = [UNKNOWN, *METERS[:8]]
    with pytest.raises(PartialDownloadError, match=r"2 of 9 downloads failed") as caught:
        await fetch_range(omar_client, selections, tmp_path)
    report = caught.value.report
    assert {file.selection for file in report.files} == set(selections) - {UNKNOWN, Meter("1005")}
    errors = {failure.selection: (type(failure.error), failure.attempts) for failure in report.failures}
    assert errors == {UNKNOWN: (UnexpectedPageError, 1), Meter("1005"): (StatusError, 1)}
    assert {(failure.start, failure.end, failure.file_format, failure.time_type) for failure in report.failures} == {
        (DAY, DAY, FileFormat.CSV, TimeType.PST)
    }
    assert len(on_disk(tmp_path)) == 7
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert str(copy) == str(caught.value)
    assert [failure.selection for failure in copy.report.failures] == [failure.selection for failure in report.failures]


async def test_failures_may_be_collected(omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path) -> None:
    """With ``errors="collect"`` failures are in the report and nothing is raised until asked."""
    omar_server.script(Status(503, match="=1002&", times=3))
    report = await fetch_range(omar_client, METERS[:4], tmp_path, errors="collect")
    assert [(failure.selection, failure.attempts) for failure in report.failures] == [(Meter("1002"), 3)]
    assert len(report.files) == 3
    with pytest.raises(PartialDownloadError):
        report.raise_for_failures()


async def test_errors_is_one_of_two_words(omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path) -> None:
    """Any other word is a `ConfigError` before anything is sent."""
    with pytest.raises(ConfigError):
        await fetch_range(omar_client, METERS, tmp_path, errors="ignore")  # type: ignore[arg-type] # on purpose
    assert not omar_server.requests


async def test_every_file_may_fail(omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path) -> None:
    """When all fail, all are reported, and nothing is on disk."""
    with untouched(tmp_path), pytest.raises(PartialDownloadError) as caught:
        await fetch_range(omar_client, [Meter(f"none-{number}") for number in range(30)], tmp_path)
    assert len(caught.value.report.failures) == 30
    assert sent(omar_server, "login") == 2


async def test_a_failed_login_fails_every_file(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Without a session each file has its failure, and no download is sent."""
    omar_server.script(Status(403, on="login", times=5))
    report = await fetch_range(omar_client, METERS[:5], tmp_path, errors="collect")
    assert len(report.failures) == 5
    assert sent(omar_server, "download") == 0
    omar_server.clear()


async def test_a_range_replaces_what_it_may_not_reuse(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """An old file under a final name is replaced; a link or a directory there is that file's failure alone."""
    first, second, third = (f"meter-{number}_20260101_20260101_pst.csv" for number in (1001, 1002, 1003))
    (tmp_path / first).write_bytes(b"old")
    (tmp_path / second).symlink_to(tmp_path / "nowhere")
    (tmp_path / third).mkdir()
    report = await fetch_range(omar_client, METERS[:4], tmp_path, errors="collect")
    assert (tmp_path / first).read_bytes() == data(omar_server)
    assert {(failure.selection.id, type(failure.error), failure.attempts) for failure in report.failures} == {
        ("1002", DestinationError, 0),
        ("1003", DestinationError, 0),
    }
    assert sent(omar_server, "download") == 2


async def test_selections_are_taken_only_when_they_are_needed(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """A consumer that is slow holds the source back; the number of jobs taken ahead does not grow with the range."""
    taken = 0

    def endless() -> Iterator[Meter]:
        nonlocal taken
        while True:
            taken += 1
            yield Meter(f"{taken}")

    omar_server.script(Framing("length"))
    async with OmarClient(attrs.evolve(omar_config, concurrency=2)) as client:
        outcomes = iterate(client, endless(), tmp_path)
        async with aclosing(outcomes):
            for number in range(1, 31):
                assert isinstance(await anext(outcomes), FailedDownload | SavedFile)
                for _ in range(50):
                    await asyncio.sleep(0)
                # Eight workers; as many outcomes again may wait for the consumer, and jobs are taken in eights.
                assert taken <= number + 8 * 3
        assert client_tasks() == []


async def test_concurrent_calls_share_the_places(
    omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """The limit is the client's, over ranges and single downloads together."""
    omar_server.script(SlowFirstByte(0.05, times=3))  # so that three are surely under way together
    async with OmarClient(attrs.evolve(omar_config, concurrency=3)) as client:
        await asyncio.gather(
            fetch_range(client, METERS[:15], tmp_path / "a"),
            fetch_range(client, METERS[:15], tmp_path / "b"),
            *(fetch(client, tmp_path / "c", meter) for meter in METERS[:10]),
        )
    assert omar_server.max_concurrent_downloads == 3
    assert len(on_disk(tmp_path)) == 40


async def test_outcomes_come_as_they_finish(omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path) -> None:
    """A file that hangs does not hold back those behind it, and a failed one is given, not raised."""
    omar_server.script(Stall(None, match="=1001&"))
    seen: list[SavedFile | FailedDownload] = []
    async with aclosing(iterate(omar_client, [METER, UNKNOWN, *METERS[1:5]], tmp_path)) as outcomes:
        async for outcome in outcomes:
            seen.append(outcome)
            if len(seen) == 5:
                break
    assert METER not in {outcome.selection for outcome in seen}
    assert [outcome.selection for outcome in seen if isinstance(outcome, FailedDownload)] == [UNKNOWN]


async def test_breaking_out_leaves_nothing_under_way(omar_config: OmarConfig, tmp_path: Path) -> None:
    """A plain ``break``, without closing the iterator, ends the workers; no part file stays."""
    async with AsyncExitStack() as stack:
        # In this loop: in a thread of its own it would still count what had left before.
        server = await stack.enter_async_context(OmarServer())
        config = attrs.evolve(
            omar_config, identity=server.identity(), environment=server.environment, trust=server.trust
        )
        client = await stack.enter_async_context(OmarClient(config))
        server.script(Stall(500, match="=1002&"), Stall(500, match="=1003&"))
        async for _ in iterate(client, METERS, tmp_path):
            break
        await until(lambda: not client_tasks())
        assert all(not name.startswith(".") for name in on_disk(tmp_path))
        count = sent(server, "download")
        await fetch(client, tmp_path / "later")
        assert sent(server, "download") == count + 1
        server.clear()


async def test_a_range_that_is_never_begun(omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path) -> None:
    """Making the iterator alone sends nothing and leaves nothing."""
    iterate(omar_client, METERS, tmp_path)
    assert not omar_server.requests
    assert client_tasks() == []


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_source_that_raises(
    asynchronous: bool,
    omar_server: OmarServer,
    omar_client: OmarClient,
    tmp_path: Path,
) -> None:
    """The caller's own exception comes out as itself, and nothing stays under way."""

    def broken() -> Iterator[Meter]:
        yield METER
        raise ZeroDivisionError

    async def broken_later() -> AsyncIterator[Meter]:
        for selection in broken():
            yield selection

    await omar_client.login()
    with pytest.raises(ZeroDivisionError):
        await fetch_range(omar_client, broken_later() if asynchronous else broken(), tmp_path)
    assert client_tasks() == []
    assert all(not name.startswith(".") for name in on_disk(tmp_path))
    await fetch(omar_client, tmp_path, Meter("1002"))


@pytest.mark.parametrize("wrong", ["1001", 1001, None, b"1001"], ids=repr)
async def test_a_wrong_item_in_a_range(
    wrong: object, omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """What is neither a meter nor a group is a `LimitError` of the selection, wherever it stands."""
    await omar_client.login()
    for source in (wrong, [wrong], [METER, wrong]):
        with pytest.raises(LimitError) as caught:
            await fetch_range(omar_client, source, tmp_path)  # type: ignore[arg-type] # on purpose
        assert caught.value.rule == "selection"
        assert client_tasks() == []


async def test_a_cut_file_of_a_range_is_repeated(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """Each file has attempts of its own."""
    omar_server.script(*(CutBody(200, match=f"={meter.id}&", times=2) for meter in METERS[:6]))
    report = await fetch_range(omar_client, METERS[:6], tmp_path)
    assert len(report.files) == 6
    assert sent(omar_server, "download") == 18


async def plan(client: OmarClient, selections: list[Meter | Group], into: Path, days: int | None = None) -> RangePlan:
    """Plan ten days."""
    return await client.plan_range(
        selections,
        DAY,
        dt.date(2026, 1, 10),
        file_format=FileFormat.MDEF,
        time_type=TimeType.DST,
        into=into,
        days_per_file=days,
    )


async def test_a_plan_sends_and_writes_nothing(
    omar_server: OmarServer, omar_client: OmarClient, tmp_path: Path
) -> None:
    """A plan names every file of the range in order, and leaves server and disk alone."""
    made = await plan(omar_client, [METER, Group("g/1"), METER], tmp_path / "data", 7)
    assert [(job.selection, job.start.day, job.end.day, job.path.name, job.reused) for job in made.jobs] == [
        (METER, 1, 7, "meter-1001_20260101_20260107_dst.dat", False),
        (METER, 8, 10, "meter-1001_20260108_20260110_dst.dat", False),
        (Group("g/1"), 1, 7, "group-g%2F1_20260101_20260107_dst.dat", False),
        (Group("g/1"), 8, 10, "group-g%2F1_20260108_20260110_dst.dat", False),
    ]
    assert {job.path.parent for job in made.jobs} == {tmp_path / "data"}
    assert (made.requests, made.reused) == (4, 0)
    assert not omar_server.requests
    assert omar_server.connections.upload == 0
    assert list(tmp_path.iterdir()) == []


async def test_a_plan_finds_what_a_range_would_find(omar_client: OmarClient, tmp_path: Path) -> None:
    """A plan of what cannot be done is refused like the range itself."""
    assert list((await plan(omar_client, [], tmp_path)).jobs) == []
    with pytest.raises(LimitError):
        await plan(omar_client, [METER], tmp_path, 0)
    with pytest.raises(LimitError):
        await plan(omar_client, ["1001"], tmp_path)  # type: ignore[list-item] # on purpose
    with pytest.raises(DestinationError):
        await plan(omar_client, [METER], tmp_path / "a" / "b")


async def test_a_plan_is_what_the_range_does(omar_client: OmarClient, tmp_path: Path) -> None:
    """The files of a range are the paths of its plan."""
    made = await plan(omar_client, [METER, Group("123")], tmp_path, 4)
    report = await omar_client.download_range(
        [METER, Group("123")],
        DAY,
        dt.date(2026, 1, 10),
        file_format=FileFormat.MDEF,
        time_type=TimeType.DST,
        into=tmp_path,
        days_per_file=4,
    )
    assert {file.path for file in report.files} == {job.path for job in made.jobs}
