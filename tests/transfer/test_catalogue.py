"""What is on disk: rows that never lie, files that are found again, and a database that may be in any state."""

from __future__ import annotations

import datetime as dt
import errno
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
from array import array
from contextlib import closing
from pathlib import Path

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiomar import DestinationError, DiskError, FailedDownload, FileFormat, Group, Meter, OmarError, SavedFile, TimeType
from aiomar._process_lock import acquire
from aiomar.protocol import Selection, Span, file_name
from aiomar.transfer._catalogue import Catalogue
from aiomar.transfer._catalogue_files import CatalogueFiles
from aiomar.transfer._catalogue_names import read_name
from aiomar.transfer._catalogue_rows import FailedRow, SavedRow, Terms
from aiomar.transfer._plan import Job

NOW = dt.datetime(2026, 2, 1, 12, 0, 0, 123456, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
PRODUCTION = Terms(origin="https://omar.example:444", file_format=FileFormat.CSV, time_type=TimeType.PST)
START, END = dt.date(2026, 1, 1), dt.date(2026, 1, 31)


def entry(number: int = 1, terms: Terms = PRODUCTION) -> Job:
    """Give a request for one file."""
    meter = Meter(f"{number}")
    name = file_name(meter, Span(START, END), file_format=terms.file_format, time_type=terms.time_type)
    return Job(meter, Span(START, END), name)


def saved(directory: Path, wanted: Job | None = None, content: bytes = b"a,b\n") -> SavedRow:
    """Put a file on disk and give its row."""
    wanted = wanted or entry()
    path = directory / wanted.name
    path.write_bytes(content)
    facts = path.stat()
    file = SavedFile(
        path=path,
        size=facts.st_size,
        sha256=f"{hash(content) & 0xFFFF:064x}",
        selection=wanted.selection,
        start=wanted.span.start,
        end=wanted.span.end,
        file_format=PRODUCTION.file_format,
        time_type=PRODUCTION.time_type,
        fetched_at=NOW,
        completeness="length",
    )
    return SavedRow(wanted.name, file, PRODUCTION, facts.st_mtime_ns, attempts=1)


def later(row: SavedRow, fetched_at: dt.datetime) -> SavedRow:
    """Give the row of the same file, fetched at another time."""
    return attrs.evolve(row, file=attrs.evolve(row.file, fetched_at=fetched_at))


def unverified(row: SavedRow) -> SavedRow:
    """Give the row of the same file, proved by nothing."""
    return attrs.evolve(row, file=attrs.evolve(row.file, completeness="unverified"))


def failed(wanted: Job | None = None, error: str = "busy: try again", terms: Terms = PRODUCTION) -> FailedRow:
    """Give the row of a failure."""
    wanted = wanted or entry()
    failure = FailedDownload(
        selection=wanted.selection,
        start=wanted.span.start,
        end=wanted.span.end,
        file_format=terms.file_format,
        time_type=terms.time_type,
        error=OmarError(error),
        attempts=3,
    )
    return FailedRow(wanted.name, failure, terms, NOW + HOUR)


def is_known(
    directory: Path,
    wanted: Job | None = None,
    terms: Terms = PRODUCTION,
    *,
    max_age: dt.timedelta | None = None,
    allow_unverified: bool = False,
    now: dt.datetime = NOW,
) -> bool:
    """Ask a catalogue that is open for looking whether a file need not be fetched."""
    catalogue = Catalogue.read(directory)
    assert catalogue is not None
    with catalogue:
        found = catalogue.known([wanted or entry()], terms, max_age=max_age, allow_unverified=allow_unverified, now=now)
    return found != [None]


def record(directory: Path, *rows: SavedRow | FailedRow) -> None:
    """Write rows, each in a run of its own."""
    for row in rows:
        with Catalogue.open(directory) as catalogue:
            if isinstance(row, SavedRow):
                catalogue.record([row])
            else:
                catalogue.record_failures([row])


def database(directory: Path) -> Path:
    """Give the path of the database."""
    return directory / ".aiomar" / "catalogue.sqlite3"


def ask(directory: Path, question: str) -> list[tuple[object, ...]]:
    """Ask the database as an engineer with a shell would."""
    with closing(sqlite3.connect(database(directory))) as connection:
        return connection.execute(question).fetchall()


def state(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Give everything that is in the folder of the catalogue."""
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in (directory / ".aiomar").iterdir()}


# --- What is found again ----------------------------------------------------------------------------------------------


def test_a_file_is_found_again(tmp_path: Path) -> None:
    """The next run gets the file as it was saved, called reused, below the directory as the caller wrote it."""
    row = saved(tmp_path)
    record(tmp_path, row)
    with Catalogue.open(tmp_path) as catalogue:
        assert catalogue.known(
            [entry(2), entry()], PRODUCTION, max_age=None, allow_unverified=False, now=NOW
        ) == [
            None,
            SavedFile(
                path=tmp_path / row.name,
                size=row.file.size,
                sha256=row.file.sha256,
                selection=Meter("1"),
                start=START,
                end=END,
                file_format=FileFormat.CSV,
                time_type=TimeType.PST,
                fetched_at=NOW,
                completeness="length",
                reused=True,
            ),
        ]  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other.csv"},
        {"selection": Meter("2")},
        {"selection": Group("1")},
        {"span": Span(dt.date(2025, 12, 31), END)},
        {"span": Span(START, dt.date(2026, 2, 1))},
    ],
    ids=str,
)
def test_another_request_does_not_get_the_file(tmp_path: Path, change: dict[str, object]) -> None:
    """Every parameter of the request has to match, whatever the name says."""
    record(tmp_path, saved(tmp_path))
    assert is_known(tmp_path)
    assert not is_known(tmp_path, attrs.evolve(entry(), **change))  # type: ignore[arg-type] # one of its fields


@pytest.mark.parametrize(
    "change",
    [{"origin": "https://test.example:444"}, {"file_format": FileFormat.MDEF}, {"time_type": TimeType.DST}],
    ids=str,
)
def test_other_terms_do_not_get_the_file(tmp_path: Path, change: dict[str, object]) -> None:
    """Data of another server, format or clock is never taken for what was asked for."""
    record(tmp_path, saved(tmp_path))
    assert not is_known(tmp_path, terms=attrs.evolve(PRODUCTION, **change))  # type: ignore[arg-type] # one of its fields


def test_a_file_that_was_touched_is_not_found(tmp_path: Path) -> None:
    """Another size, another time, a link or a directory in its place, or nothing there: it is fetched again."""
    row = saved(tmp_path)
    path = tmp_path / row.name
    record(tmp_path, row)
    os.utime(path, ns=(0, row.mtime_ns + 1))
    assert not is_known(tmp_path)
    path.write_bytes(b"longer than before")
    os.utime(path, ns=(0, row.mtime_ns))
    assert not is_known(tmp_path)
    path.write_bytes(b"a,b\n")
    os.utime(path, ns=(0, row.mtime_ns))
    assert is_known(tmp_path)
    path.rename(tmp_path / "elsewhere")
    assert not is_known(tmp_path)
    path.symlink_to(tmp_path / "elsewhere")
    assert not is_known(tmp_path)
    path.unlink()
    path.mkdir()
    assert not is_known(tmp_path)


@pytest.mark.parametrize(
    ("max_age", "passed", "found"),
    [
        (None, dt.timedelta(days=4000), True),
        (None, -HOUR, True),
        (HOUR, HOUR, True),
        (HOUR, HOUR + dt.timedelta(microseconds=1), False),
        (HOUR, -dt.timedelta(microseconds=1), False),
        (dt.timedelta(), dt.timedelta(), True),
        (dt.timedelta.max, dt.timedelta(days=4000), True),
    ],
)
def test_an_old_file_is_fetched_again(
    tmp_path: Path, max_age: dt.timedelta | None, passed: dt.timedelta, *, found: bool
) -> None:
    """`max_age` counts from when the file was fetched; one from the future is nobody's idea of young."""
    record(tmp_path, saved(tmp_path))
    assert is_known(tmp_path, max_age=max_age, now=NOW + passed) is found


def test_an_unverified_file_needs_permission(tmp_path: Path) -> None:
    """What nothing proves whole is reused only by a request that allows it."""
    record(tmp_path, unverified(saved(tmp_path)))
    assert not is_known(tmp_path)
    assert is_known(tmp_path, allow_unverified=True)


# --- What rows say ----------------------------------------------------------------------------------------------------


def test_a_failure_leaves_what_is_known(tmp_path: Path) -> None:
    """The file of an earlier success stays known, and the row tells of the failure; a success clears that."""
    row = saved(tmp_path)
    record(tmp_path, row, failed(terms=attrs.evolve(PRODUCTION, origin="https://test.example")))
    question = "SELECT origin, sha256, attempts, last_error, failed_at FROM files"
    assert ask(tmp_path, question) == [
        (PRODUCTION.origin, row.file.sha256, 3, "busy: try again", "2026-02-01T13:00:00.123456+00:00")
    ]
    assert is_known(tmp_path)
    record(tmp_path, row)
    assert ask(tmp_path, question) == [(PRODUCTION.origin, row.file.sha256, 1, None, None)]


def test_a_failure_alone_is_no_file(tmp_path: Path) -> None:
    """A row that only knows a failure gives nothing to reuse, even if a file lies there; its text is bounded."""
    saved(tmp_path)
    record(tmp_path, failed(error="\ud800" + "x" * 1000))
    assert not is_known(tmp_path)
    assert ask(tmp_path, "SELECT size, length(last_error) FROM files") == [(None, 500)]


def test_another_content_keeps_the_old_hash(tmp_path: Path) -> None:
    """A fetch that brought the same leaves no history; one that brought something else does."""
    old = saved(tmp_path)
    record(tmp_path, old, later(old, NOW + HOUR))
    assert ask(tmp_path, "SELECT * FROM history") == []
    new = later(saved(tmp_path, content=b"c,d\n1,2\n"), NOW + 2 * HOUR)
    record(tmp_path, new)
    assert ask(tmp_path, "SELECT * FROM history") == [
        (
            old.name,
            old.file.sha256,
            4,
            "length",
            "2026-02-01T13:00:00.123456+00:00",
            "2026-02-01T14:00:00.123456+00:00",
        )
    ]


def test_an_undone_commit_is_forgotten(tmp_path: Path) -> None:
    """The row claims no file any more, its history stays, and other rows are not touched."""
    record(tmp_path, saved(tmp_path), saved(tmp_path, content=b"c,d\n1,2\n"), saved(tmp_path, entry(2)))
    with Catalogue.open(tmp_path) as catalogue:
        catalogue.forget([entry().name])
        assert catalogue.missing([entry().name, entry(2).name, "x"]) == [entry().name, "x"]
    assert not is_known(tmp_path)
    assert is_known(tmp_path, entry(2))
    assert len(ask(tmp_path, "SELECT * FROM history")) == 1


def test_a_batch_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """One row that cannot be written takes its batch with it, and the next batch is written."""
    good = saved(tmp_path)
    with Catalogue.open(tmp_path) as catalogue:
        with pytest.raises(DiskError):
            catalogue.record([good, attrs.evolve(good, name=entry(2).name, attempts=None)])  # type: ignore[arg-type] # on purpose
        assert catalogue.missing([good.name]) == [good.name]
        catalogue.record([good])
        assert catalogue.missing([good.name]) == []


def test_files_and_folder_are_private(tmp_path: Path) -> None:
    """The folder has mode 0700 and every file in it 0600, while it is open too."""
    with Catalogue.open(tmp_path) as catalogue:
        catalogue.record([saved(tmp_path)])
        assert (tmp_path / ".aiomar").stat().st_mode & 0o777 == 0o700
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / ".aiomar").iterdir()}
    assert set(modes) >= {"catalogue.sqlite3", "catalogue.sqlite3-wal", "lock"}
    assert set(modes.values()) == {0o600}


IDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20).filter(str.strip)
MOMENTS = st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2100, 1, 1), timezones=st.timezones())  # noqa: DTZ001 # hypothesis adds the zone
REQUESTS = st.tuples(
    st.sampled_from([Meter, Group]),
    IDS,
    st.tuples(st.dates(), st.dates()).map(sorted),
    st.sampled_from(FileFormat),
    st.sampled_from(TimeType),
)
REQUEST = tuple[type[Meter | Group], str, list[dt.date], FileFormat, TimeType]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(request=REQUESTS, fetched_at=MOMENTS, size=st.integers(0, 2**63 - 1))
def test_rows_come_back_as_they_went(tmp_path: Path, request: REQUEST, fetched_at: dt.datetime, size: int) -> None:
    """Any selection, span, format, clock, size and moment is read as it was written, and so is its file name."""
    kind, identifier, (start, end), file_format, time_type = request
    selection: Selection = kind(identifier)
    terms = attrs.evolve(PRODUCTION, file_format=file_format, time_type=time_type)
    name = file_name(selection, Span(start, end), file_format=file_format, time_type=time_type)
    utc = fetched_at.astimezone(dt.UTC)  # an hour that a clock change leaves out equals nothing of another zone
    file = SavedFile(
        tmp_path / name, size, "0" * 64, selection, start, end, file_format, time_type, fetched_at, "chunked"
    )
    assert read_name(name, PRODUCTION.origin) == (Job(selection, Span(start, end), name), terms)
    with Catalogue.open(tmp_path) as catalogue:
        catalogue.record([SavedRow(name, file, terms, 0, 1)])
        assert catalogue.files(catalogue.ids([name]), b"\0") == [attrs.evolve(file, fetched_at=utc)]


def test_more_files_than_a_statement_takes(tmp_path: Path) -> None:
    """Long questions are asked in parts, and the answers come in the order of the question."""
    entries = [entry(number) for number in range(1201)]
    with Catalogue.open(tmp_path) as catalogue:
        catalogue.record([saved(tmp_path, wanted) for wanted in reversed(entries)])
        found = catalogue.known(entries, PRODUCTION, max_age=None, allow_unverified=False, now=NOW)
        names = [wanted.name for wanted in entries]
        assert [file and file.path.name for file in found] == names
        assert [file.path.name for file in catalogue.files(catalogue.ids(names), bytearray(1201))] == names
        assert [file.path.name for file in catalogue.all_files()] == names[::-1]


def test_threads_take_turns(tmp_path: Path) -> None:
    """Many threads may record through one catalogue, and two catalogues of one process stand side by side."""
    rows = [saved(tmp_path, entry(number)) for number in range(80)]
    with Catalogue.open(tmp_path) as first, Catalogue.open(tmp_path) as second:
        threads = [
            threading.Thread(target=lambda part=part, to=to: [to.record([row]) for row in part])
            for part, to in [(rows[:20], first), (rows[20:40], first), (rows[40:60], second), (rows[60:], second)]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert second.missing([row.name for row in rows]) == []


# --- A sequence over the catalogue ------------------------------------------------------------------------------------


def test_a_report_is_a_sequence_over_the_catalogue(tmp_path: Path) -> None:
    """It has length, items, slices and an order, says what was reused, pickles, and prints nothing of its files."""
    rows = [saved(tmp_path, entry(number)) for number in range(4)]
    with Catalogue.open(tmp_path) as catalogue:
        catalogue.record(rows)
        ids = catalogue.ids([row.name for row in reversed(rows)])
    files = CatalogueFiles(tmp_path, array("q", ids), bytearray([0, 1, 0, 1]))
    assert [file.selection.id for file in files] == ["3", "2", "1", "0"]
    assert [file.reused for file in files] == [False, True, False, True]
    assert (len(files), files.reused, repr(files)) == (4, 2, "<4>")
    assert files[-1] == list(files)[3]
    assert files[1:3] == list(files)[1:3]
    assert files[4:] == []
    assert list(pickle.loads(pickle.dumps(files))) == list(files)  # noqa: S301 # our own
    with pytest.raises(IndexError):
        files[4]


def test_a_row_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """A report whose rows, or whose catalogue, were taken away says so."""
    record(tmp_path, saved(tmp_path))
    files = CatalogueFiles(tmp_path, array("q", [1]), bytearray(1))
    with Catalogue.open(tmp_path) as catalogue:
        catalogue.forget([entry().name])
        with pytest.raises(DestinationError, match="run the range again"):
            catalogue.ids([entry().name])
    with pytest.raises(DestinationError, match="row 1 any more"):
        files[0]
    reader = Catalogue.read(tmp_path)
    assert reader is not None
    database(tmp_path).unlink()
    with reader, pytest.raises(DestinationError, match="is gone"):
        reader.missing([entry().name])
    with pytest.raises(DestinationError, match="is gone"):
        list(files)


# --- Looking without a trace ------------------------------------------------------------------------------------------


def test_looking_leaves_no_trace(tmp_path: Path) -> None:
    """Reading a catalogue that nobody has open changes not a byte and leaves no file behind."""
    record(tmp_path, saved(tmp_path))
    before = state(tmp_path)
    assert is_known(tmp_path)
    assert len(CatalogueFiles(tmp_path, array("q", [1]), bytearray(1))[:]) == 1
    assert state(tmp_path) == before


def test_no_catalogue_is_none_and_stays_none(tmp_path: Path) -> None:
    """Where there is no catalogue, or an empty file that a crash left, looking finds none and makes none."""
    assert Catalogue.read(tmp_path) is None
    assert Catalogue.read(tmp_path / "missing") is None
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".aiomar").mkdir()
    database(tmp_path).touch()
    assert Catalogue.read(tmp_path) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_directory_that_cannot_be_written_can_be_read(tmp_path: Path) -> None:
    """An archive on a read-only place is looked at like any other; writing to it is refused."""
    record(tmp_path, saved(tmp_path))
    (tmp_path / ".aiomar").chmod(0o500)
    try:
        assert is_known(tmp_path)
        with pytest.raises(DestinationError):
            Catalogue.open(tmp_path)
    finally:
        (tmp_path / ".aiomar").chmod(0o700)


def test_a_reader_sees_what_a_writer_does(tmp_path: Path) -> None:
    """A catalogue that is open for looking gives what is there now, also when the writer came and went since."""
    record(tmp_path, saved(tmp_path))
    reader = Catalogue.read(tmp_path)
    assert reader is not None
    with reader:
        assert reader.missing([entry(2).name]) == [entry(2).name]
        with Catalogue.open(tmp_path) as writer:
            writer.record([saved(tmp_path, entry(2))])
            assert reader.missing([entry(2).name]) == []
        record(tmp_path, saved(tmp_path, entry(3)))
        assert reader.missing([entry(2).name, entry(3).name]) == []


def test_an_engineer_may_look_meanwhile(tmp_path: Path) -> None:
    """A shell that is in the middle of reading does not hold a run up."""
    with Catalogue.open(tmp_path) as catalogue, closing(sqlite3.connect(database(tmp_path))) as shell:
        catalogue.record([saved(tmp_path)])
        shell.execute("BEGIN")
        assert shell.execute("SELECT name, kind, format, clock FROM files").fetchall() == [
            (entry().name, "meter", "csv", "pst")
        ]
        catalogue.record([saved(tmp_path, entry(2))])
        assert catalogue.missing([entry(2).name]) == []


# --- Two processes, and processes that die ----------------------------------------------------------------------------

BEGINNING = """
import datetime as dt, os, resource, signal, sys
from pathlib import Path
from aiomar import DiskError, FileFormat, Meter, SavedFile, TimeType
from aiomar.transfer._catalogue import Catalogue
from aiomar.transfer._catalogue_rows import SavedRow, Terms
directory = Path(sys.argv[1])
terms = Terms(origin="https://omar.example:444", file_format=FileFormat.CSV, time_type=TimeType.PST)
day = dt.date(2026, 1, 1)
def row(number):
    name = f"meter-{number}"
    file = SavedFile(directory / name, 1, "0" * 64, Meter(str(number)), day, day, terms.file_format, terms.time_type,
                     dt.datetime.now(dt.UTC), "length")
    return SavedRow(name, file, terms, 1, 1)
catalogue = Catalogue.open(directory)
"""


def other_process(directory: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in another process, with a catalogue open."""
    return subprocess.run(
        [sys.executable, "-c", BEGINNING + code, directory], capture_output=True, text=True, check=False
    )


def test_a_second_process_is_told(tmp_path: Path) -> None:
    """The message names the directory, the process and what to do."""
    with Catalogue.open(tmp_path):
        done = other_process(tmp_path, "")
    last = done.stderr.splitlines()[-1]
    assert f"DestinationError: {tmp_path} is in use by process {os.getpid()} (" in last
    assert last.endswith(": wait until it has ended, or choose another directory")


@pytest.mark.fault(72)
def test_a_killed_process_leaves_its_rows(tmp_path: Path) -> None:
    """What was recorded before a kill is there for readers, who leave no file behind, and for the next run."""
    done = other_process(
        tmp_path, "catalogue.record([row(n) for n in range(300)])\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    assert done.returncode == -signal.SIGKILL
    names = [f"meter-{number}" for number in range(300)]
    before = state(tmp_path)
    reader = Catalogue.read(tmp_path)
    assert reader is not None
    with reader:
        assert reader.missing(names) == []
    after = state(tmp_path)
    assert set(after) == set(before) >= {"catalogue.sqlite3-wal"}
    assert {name: after[name] for name in after if not name.endswith("-shm")} == {
        name: before[name] for name in before if not name.endswith("-shm")
    }
    with Catalogue.open(tmp_path) as catalogue:
        assert catalogue.missing(names) == []
    assert set(state(tmp_path)) == {"catalogue.sqlite3", "lock"}


@pytest.mark.fault(65)
def test_a_full_disk_is_an_error_and_harms_nothing(tmp_path: Path) -> None:
    """A batch that finds no room raises `DiskError` with the system's number; what was recorded before stays."""
    done = other_process(
        tmp_path,
        """
catalogue.record([row(0)])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    catalogue.record([row(n) for n in range(1, 2000)])
except DiskError as error:
    print(error.errno, len(catalogue.missing(["meter-0", "meter-1"])), error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
catalogue.record([row(n) for n in range(1, 2000)])
print(catalogue.missing(["meter-0", "meter-1999", "meter-2000"]))
catalogue.close()
""",
    )
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{errno.EIO} 1 {database(tmp_path)} could not be used (")
    assert second == "['meter-2000']"


# --- Databases in a state ---------------------------------------------------------------------------------------------


def cut(path: Path) -> None:
    """Take the second half of a file away."""
    os.truncate(path, path.stat().st_size // 2)


def scribble(path: Path) -> None:
    """Make a file something that it is not."""
    path.write_bytes(b"not a database at all, and long enough to be looked at\n" * 200)


def rub_out(path: Path) -> None:
    """Leave the head of a file and make the rest nothing."""
    size = path.stat().st_size
    os.truncate(path, 100)
    os.truncate(path, size)


def drop_history(path: Path) -> None:
    """Take a table away."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE history")


def drop_column(path: Path) -> None:
    """Take a column away."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE files DROP COLUMN mtime_ns")


@pytest.mark.parametrize("harm", [cut, scribble, rub_out, drop_history, drop_column])
def test_a_damaged_catalogue_is_a_clear_error(tmp_path: Path, harm: object) -> None:
    """Opening it for either use names the file and the way out, and lets the directory go."""
    record(tmp_path, saved(tmp_path))
    assert callable(harm)
    harm(database(tmp_path))
    for use in (Catalogue.open, Catalogue.read):
        with pytest.raises(DestinationError, match=r"catalogue.sqlite3 is damaged .*aiomar verify .* --rebuild'"):
            use(tmp_path)
    with acquire(tmp_path / ".aiomar" / "lock", alone=True):
        pass


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("PRAGMA user_version = 2", "was written by a newer version of aiomar: update aiomar, or run .* --rebuild'"),
        ("PRAGMA application_id = 1", "is not a catalogue of aiomar: .* --rebuild'"),
    ],
)
def test_a_catalogue_of_others_is_a_clear_error(tmp_path: Path, statement: str, words: str) -> None:
    """A newer version's catalogue and another program's database are not touched."""
    record(tmp_path, saved(tmp_path))
    ask(tmp_path, statement)
    before = database(tmp_path).read_bytes()
    for use in (Catalogue.open, Catalogue.read):
        with pytest.raises(DestinationError, match=words):
            use(tmp_path)
    assert database(tmp_path).read_bytes() == before


def test_an_empty_file_becomes_a_catalogue(tmp_path: Path) -> None:
    """What a crash in the first moment leaves is no damage: there was nothing in it."""
    (tmp_path / ".aiomar").mkdir()
    database(tmp_path).touch()
    record(tmp_path, saved(tmp_path))
    assert is_known(tmp_path)


def test_damage_in_the_middle_of_the_work_is_a_disk_error(tmp_path: Path) -> None:
    """Pages that turn out to be broken later on end the call with the way out."""
    rows = [saved(tmp_path, entry(number)) for number in range(400)]
    with Catalogue.open(tmp_path) as catalogue:
        catalogue.record(rows)
    pages = database(tmp_path).stat().st_size // 4096
    with database(tmp_path).open("r+b") as file:
        for page in range(8, pages):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)
    with Catalogue.open(tmp_path) as catalogue, pytest.raises(DiskError, match="--rebuild"):
        catalogue.missing([row.name for row in rows])


@pytest.mark.parametrize("change", ["completeness = 'perhaps'", "fetched_at = 'soon'", "fetched_at = 5"])
def test_a_row_that_cannot_be_understood_is_damage(tmp_path: Path, change: str) -> None:
    """Words that no version of aiomar writes are not guessed at."""
    record(tmp_path, saved(tmp_path))
    with closing(sqlite3.connect(database(tmp_path))) as connection:
        connection.execute(f"UPDATE files SET {change}")  # noqa: S608 # from the list above
        connection.commit()
    with pytest.raises(DestinationError, match="a row cannot be understood"):
        is_known(tmp_path)


@pytest.mark.parametrize("name", ["", "/catalogue.sqlite3"])
def test_links_and_other_things_in_its_place_are_refused(tmp_path: Path, name: str) -> None:
    """The folder is never looked for through a link, nor the database; the message names it."""
    place = tmp_path / "into"
    (place / ".aiomar").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    found = place / f".aiomar{name}"
    if not name:
        found.rmdir()
    found.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DestinationError, match=f"{found} is not a "):
        Catalogue.open(place)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """What cannot be a destination is said to be none."""
    (tmp_path / "file").touch()
    with pytest.raises(DestinationError, match="cannot be used"):
        Catalogue.open(tmp_path / "file")
    assert Catalogue.read(tmp_path / "file") is None


def test_what_a_killed_process_left_half_written_is_rolled_back_by_a_reader(tmp_path: Path) -> None:
    """A process killed in the middle leaves a journal; whoever only looks next sees what was there before."""
    with Catalogue.open(tmp_path) as catalogue:
        catalogue.record([saved(tmp_path)])
    code = """
catalogue.close()
connection = __import__("sqlite3").connect(directory / ".aiomar" / "catalogue.sqlite3", isolation_level=None)
for statement in ("PRAGMA journal_mode = DELETE", "PRAGMA cache_size = 1", "BEGIN"):
    connection.execute(statement).fetchall()
connection.execute("DELETE FROM files")
connection.executemany("INSERT INTO history VALUES (?, 'x', 1, 'x', 'x', 'x')", [("x" * 4000,)] * 100)
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert other_process(tmp_path, code).returncode == -signal.SIGKILL
    assert Path(f"{database(tmp_path)}-journal").stat().st_size > 0
    assert is_known(tmp_path)
