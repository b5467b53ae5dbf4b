"""One look of an outbox: what is sent, in which order, where it goes, and what the ledger makes of it."""

from __future__ import annotations

import os
from pathlib import Path

import attrs
import pytest

from aiomar import (
    ConfigError,
    DestinationError,
    LimitError,
    OmarClient,
    OmarConfig,
    Outbox,
    OutboxPassedOver,
    OutboxRefused,
    OutboxSent,
    OutcomeUnknownError,
    Submissions,
    UsageError,
)
from aiomar._files import REAL_FILES
from aiomar._outbox._folder import Folder, is_meant
from aiomar.testing import Disconnect, DropAnswer, LoginPage, OmarServer, Page, Redirect, Status
from tests.client.helpers import sent
from tests.support.answers import Taking
from tests.support.outboxes import errors, in_box, in_tray, make_outbox, names, once, paper, put

REFUSAL = Page("<h3>Error in File Processing</h3><p>not your meter</p>", on="upload")


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """An empty outbox."""
    return make_outbox(tmp_path)


def uploaded(server: OmarServer) -> list[str]:
    """Name what came to the server, in order."""
    return [upload.name for upload in server.uploads]


@pytest.mark.clause("SUB 3.2.1", "SUB 3.3.1")
async def test_files_are_sent_oldest_first(box: Path, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """By time, then by name; each moves to sent/ with its receipt, which only its owner may read."""
    for name, age in (("b.csv", 5), ("a.csv", 5), ("new.csv", 1), ("old.dat", 9)):
        put(box, name, age=age)
    report = await once(omar_client, box)
    order = ["old.dat", "a.csv", "b.csv", "new.csv"]
    assert uploaded(omar_server) == [receipt.source_name for receipt in report.receipts] == order
    assert (report.failures, report.not_sent, in_box(box)) == ((), (), [])
    assert in_tray(box, "sent") == sorted(order)
    assert (box / "sent" / "a.csv").read_bytes() == b"a.csv"
    first = report.receipts[0]
    assert paper(box, "sent", "old.dat") == {
        "file": "old.dat",
        "file_id": first.file_id,
        "source_name": "old.dat",
        "saved_name": first.saved_name,
        "size": first.size,
        "sha256": first.sha256,
        "submitted_at": first.submitted_at.isoformat(),
        "ledger_id": first.ledger_id,
    }
    for tray in ("sent", "refused", ".aiomar"):
        assert (box / tray).stat().st_mode & 0o777 == 0o700
    assert (box / "sent" / "old.dat.receipt.json").stat().st_mode & 0o777 == 0o600


async def test_an_empty_outbox(box: Path, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """Nothing is asked of the server, and nobody waits."""
    report = await Outbox(omar_client, box, settle=3_600).once()
    assert (report.receipts, report.failures, report.not_sent) == ((), (), ())
    assert omar_server.requests == []


@pytest.mark.parametrize(
    "name", [".a.csv", "~a.csv", "a.csv~", "a.csv.part", "a.csv.TMP", "a.filepart", "a.crdownload", "a.csv.swp"]
)
def test_names_that_are_not_meant(name: str) -> None:
    """Hidden files, and those that are still being written."""
    assert not is_meant(name)
    assert is_meant("part.csv")


async def test_what_is_no_file_is_left(
    box: Path, tmp_path: Path, omar_server: OmarServer, omar_config: OmarConfig
) -> None:
    """Unfinished files and directories silently; links and pipes are told of; the line goes on."""
    (box / "x.csv.part").write_bytes(b"x")
    (box / "later.csv").mkdir()
    os.mkfifo(box / "pipe.csv")
    (tmp_path / "elsewhere.csv").write_bytes(b"secret")
    (box / "link.csv").symlink_to(tmp_path / "elsewhere.csv")
    put(box, "good.csv")
    events: list[object] = []
    async with OmarClient(omar_config, observer=events.append) as client:
        report = await once(client, box)
    assert uploaded(omar_server) == ["good.csv"]
    assert sorted(errors(report)) == [("link.csv", "SourceError"), ("pipe.csv", "SourceError")]
    assert in_box(box) == ["later.csv", "link.csv", "pipe.csv", "x.csv.part"]
    assert sorted(event.source.name for event in events if isinstance(event, OutboxPassedOver)) == [
        "link.csv",
        "pipe.csv",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
async def test_a_file_that_may_not_be_read_is_left(box: Path, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """It stays, and the line goes on."""
    put(box, "secret.csv", age=9).chmod(0)
    put(box, "good.csv")
    assert errors(await once(omar_client, box)) == [("secret.csv", "SourceError")]
    assert (uploaded(omar_server), in_box(box)) == (["good.csv"], ["secret.csv"])


def test_a_file_that_grows_waits(box: Path) -> None:
    """Size and time must have stood still for as long as was asked for, by the clock that is given."""
    folder = Folder(directory=box, files=REAL_FILES, settle=2.0)
    path = put(box, "a.csv", b"1", age=5)
    assert (folder.look(100.0), folder.due(100.5)) == ([], 1.5)
    path.write_bytes(b"12")
    assert folder.look(102.0) == []
    assert (folder.look(103.9), folder.due(103.0)) == ([], 1.0)
    assert names(lying.path for lying in folder.look(104.0)) == ["a.csv"]
    os.utime(path, (0, 0))
    assert folder.look(110.0) == []
    put(box, "a.csv", b"12", age=0)  # another file of that name
    assert folder.look(112.0) == []
    path.unlink()
    assert (folder.look(120.0), folder.lying, folder.due(120.0)) == ([], [], None)


def test_a_file_that_was_set_aside_comes_back(box: Path) -> None:
    """After its time, or when it has changed; the same trouble is news only once."""
    folder = Folder(directory=box, files=REAL_FILES, settle=0.0)
    path = put(box, "a.csv", age=5)
    (lying,) = folder.look(0.0)
    assert folder.set_aside(lying, 60.0)
    assert (folder.look(59.0), folder.due(59.0)) == ([], None)
    assert folder.look(60.0) == [lying]
    assert not folder.set_aside(lying, 120.0)
    path.write_bytes(b"mended")
    assert names(lying.path for lying in folder.look(61.0)) == ["a.csv"]


async def test_what_does_not_stand_still_is_left(box: Path, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """One look submits what is whole and leaves the rest, what comes meanwhile included."""
    put(box, "a.csv", age=5)

    def write_on() -> None:
        growing.write_bytes(b"12")
        put(box, "late.csv")

    growing = put(box, "growing.csv", b"1")
    omar_server.script(Taking(tell=write_on))
    report = await Outbox(omar_client, box, settle=0.05).once()
    assert uploaded(omar_server) == ["a.csv"]
    assert names(report.not_sent) == ["growing.csv"]
    assert in_box(box) == ["growing.csv", "late.csv"]


async def test_what_is_refused(box: Path, omar_server: OmarServer, omar_config: OmarConfig) -> None:
    """By a rule, without being sent, by the server's page and by its status: with the reason, and the line goes on."""
    put(box, "rule.txt", age=9)
    put(box, "empty.csv", b"", age=8)
    put(box, "page.csv", b"1001,5.25\r\n", age=7)
    put(box, "status.csv", age=6)
    put(box, "good.csv", age=5)
    omar_server.script(REFUSAL, Status(400, on="upload"))
    events: list[object] = []
    async with OmarClient(omar_config, observer=events.append) as client:
        report = await once(client, box)
    assert errors(report) == [
        ("rule.txt", "LimitError"),
        ("empty.csv", "LimitError"),
        ("page.csv", "SubmissionRejectedError"),
        ("status.csv", "StatusError"),
    ]
    assert (sent(omar_server, "upload"), in_box(box), in_tray(box, "sent")) == (3, [], ["good.csv"])
    assert in_tray(box, "refused") == ["empty.csv", "page.csv", "rule.txt", "status.csv"]
    reason = paper(box, "refused", "page.csv")
    assert reason["error"] == "SubmissionRejectedError"
    assert "not your meter" in str(reason["reason"])
    assert "5.25" not in str(reason)
    kinds = [type(event) for event in events if isinstance(event, OutboxRefused | OutboxSent)]
    assert kinds == [OutboxRefused] * 4 + [OutboxSent]


async def test_a_name_that_is_too_long_for_its_paper(box: Path, omar_client: OmarClient) -> None:
    """It is cut, so that both stay together, and stands in the paper."""
    name = "ä" * 120 + ".csv"
    put(box, name[:60] + ".csv")
    (box / f"{name[:60]}.csv").rename(box / name)
    (failure,) = (await once(omar_client, box)).failures
    assert isinstance(failure.error, LimitError)
    (moved,) = in_tray(box, "refused")
    assert paper(box, "refused", moved)["file"] == name


async def test_names_that_are_taken(box: Path, omar_client: OmarClient) -> None:
    """Nothing in a tray is ever overwritten."""
    for content in (b"1", b"2", b"3"):
        put(box, "a.csv", content)
        put(box, "bad.txt", content)
        await once(omar_client, box)
    (box / "sent" / "b.csv").write_bytes(b"somebody's")
    put(box, "b.csv", b"4")
    await once(omar_client, box)
    kept = [path.read_bytes() for path in sorted((box / "sent").glob("*.csv"))]
    assert sorted(kept) == [b"1", b"2", b"3", b"4", b"somebody's"]
    assert sorted((box / "refused" / name).read_bytes() for name in in_tray(box, "refused")) == [b"1", b"2", b"3"]


@pytest.mark.parametrize("emptied", [False, True])
async def test_the_same_content_again(
    box: Path, omar_server: OmarServer, omar_client: OmarClient, *, emptied: bool
) -> None:
    """Under any name, and whether sent/ was emptied or not: it is not sent twice, and somebody has to know."""
    put(box, "a.csv", b"same")
    put(box, "b.csv", b"same")
    first = await once(omar_client, box)
    if emptied:
        (box / "sent").rename(box.parent / "archive")
    put(box, "a.csv", b"same")
    second = await once(omar_client, box)
    assert errors(first) == [("b.csv", "UploadBlockedError")]
    assert errors(second) == [("a.csv", "UploadBlockedError")]
    assert uploaded(omar_server) == ["a.csv"]
    reason = paper(box, "refused", "a.csv")
    assert reason["ledger_id"] == first.receipts[0].ledger_id
    assert first.receipts[0].file_id in str(reason["reason"])


async def test_a_file_that_was_taken_and_not_moved(box: Path, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """As a kill leaves it: it goes to sent/ with the receipt out of the ledger, and nothing is sent."""
    receipt = await omar_client.upload(put(box, "a.csv"))
    report = await once(omar_client, box)
    assert report.receipts == (receipt,)
    assert sent(omar_server, "upload") == 1
    assert paper(box, "sent", "a.csv")["file_id"] == receipt.file_id


async def test_an_unknown_outcome_stops_the_line(
    box: Path, omar_server: OmarServer, omar_config: OmarConfig, omar_client: OmarClient
) -> None:
    """Now and the next time, until a person has found out that it was taken; then it is moved and the rest is sent."""
    put(box, "lost.csv", age=5)
    put(box, "next.csv")
    omar_server.script(DropAnswer())
    for _ in range(2):
        report = await once(omar_client, box)
        assert (errors(report), names(report.not_sent)) == ([("lost.csv", "OutcomeUnknownError")], ["next.csv"])
        assert in_box(box) == ["lost.csv", "next.csv"]
    assert uploaded(omar_server) == ["lost.csv"]
    error = report.failures[0].error
    assert isinstance(error, OutcomeUnknownError)
    assert error.ledger_id is not None
    Submissions(omar_config.state_dir).resolve(error.ledger_id, accepted=True, file_id="77", note="the site shows it")
    report = await once(omar_client, box)
    assert [receipt.file_id for receipt in report.receipts] == ["77", omar_server.uploads[1].file_id]
    assert (uploaded(omar_server), in_tray(box, "sent")) == (["lost.csv", "next.csv"], ["lost.csv", "next.csv"])


async def test_an_unknown_one_that_was_not_taken(
    box: Path, omar_server: OmarServer, omar_config: OmarConfig, omar_client: OmarClient
) -> None:
    """Resolved as rejected it is sent again, once."""
    put(box, "lost.csv")
    omar_server.script(Disconnect(on="upload"))
    (failure,) = (await once(omar_client, box)).failures
    assert isinstance(failure.error, OutcomeUnknownError)
    assert failure.error.ledger_id is not None
    Submissions(omar_config.state_dir).resolve(failure.error.ledger_id, accepted=False, note="not on the status page")
    (receipt,) = (await once(omar_client, box)).receipts
    assert paper(box, "sent", "lost.csv")["file_id"] == receipt.file_id
    assert uploaded(omar_server) == ["lost.csv"]


async def test_an_unknown_one_of_somebody_else(
    box: Path, tmp_path: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """It stops the line where the same content comes up, and not before."""
    other = tmp_path / "other.csv"
    other.write_bytes(b"same")
    omar_server.script(DropAnswer())
    with pytest.raises(OutcomeUnknownError):
        await omar_client.upload(other)
    for name, age in (("a.csv", 9), ("b.csv", 8), ("c.csv", 7)):
        put(box, name, b"same" if name == "b.csv" else None, age=age)
    report = await once(omar_client, box)
    assert errors(report) == [("other.csv", "OutcomeUnknownError")]
    assert (names(report.not_sent), uploaded(omar_server)) == (["b.csv", "c.csv"], ["other.csv", "a.csv"])


@pytest.mark.parametrize(
    ("faults", "kind"),
    [
        ([Status(503, on="login", times=3)], "StatusError"),
        ([LoginPage(on="upload", times=2)], "LoginError"),
        ([Redirect("https://elsewhere.example/", on="login")], "UnexpectedRedirectError"),
        ([Status(429, on="upload")], "StatusError"),
    ],
)
async def test_trouble_ends_a_look(
    faults: list[Status], kind: str, box: Path, omar_server: OmarServer, omar_client: OmarClient
) -> None:
    """What is not the file's own fault leaves every file where it is; the next look sends them."""
    put(box, "a.csv", age=5)
    put(box, "b.csv")
    omar_server.script(*faults)
    report = await once(omar_client, box)
    assert (errors(report), names(report.not_sent)) == ([("a.csv", kind)], ["b.csv"])
    assert (in_box(box), in_tray(box, "refused")) == (["a.csv", "b.csv"], [])
    assert len((await once(omar_client, box)).receipts) == 2


async def test_a_site_that_refuses_everything(box: Path, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """The first file may be the reason; the second one and all others stay."""
    for age, name in enumerate(("d.csv", "c.csv", "b.csv", "a.csv"), 5):
        put(box, name, age=age)
    omar_server.script(Status(404, on="upload", times=2))
    report = await once(omar_client, box)
    assert errors(report) == [("a.csv", "StatusError"), ("b.csv", "StatusError")]
    assert (in_box(box), in_tray(box, "refused")) == (["b.csv", "c.csv", "d.csv"], ["a.csv"])
    assert len((await once(omar_client, box)).receipts) == 3


async def test_a_file_that_changes_on_the_way(box: Path, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """What was sent has its receipt; what lies there now is a new file, and is sent as one."""
    put(box, "a.csv", b"old")
    omar_server.script(Taking(tell=lambda: put(box, "a.csv", b"new")))
    report = await once(omar_client, box)
    assert ([upload.content for upload in omar_server.uploads], len(report.receipts)) == ([b"old"], 1)
    assert (in_box(box), in_tray(box, "sent")) == (["a.csv"], [])
    await once(omar_client, box)
    assert [upload.content for upload in omar_server.uploads] == [b"old", b"new"]
    assert (box / "sent" / "a.csv").read_bytes() == b"new"


async def test_a_name_that_is_taken_again(box: Path, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """What comes back from a tray leaves alone what has its name by then; both are sent."""

    def replace(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
        if Path(source) == path:  # the file's way into the tray
            path.write_bytes(b"second")
        REAL_FILES.replace(source, target)
        if Path(source) == path:
            path.write_bytes(b"third")

    parts = omar_client._ready()
    whole, path = parts.uploader, put(box, "a.csv", b"first")
    parts.uploader = attrs.evolve(whole, files=attrs.evolve(REAL_FILES, replace=replace))
    await once(omar_client, box)
    assert in_box(box) == ["a.csv", "a.new.csv"]
    parts.uploader = whole
    await once(omar_client, box)
    assert sorted(upload.content for upload in omar_server.uploads) == [b"first", b"second", b"third"]
    assert in_tray(box, "sent") == ["a.csv", "a.new.csv"]


async def test_a_tray_that_is_taken_away(box: Path, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """It is made anew: who keeps archives renames it as a whole."""
    put(box, "a.csv")
    omar_server.script(Taking(tell=(box / "sent").rmdir))
    await once(omar_client, box)
    assert (in_tray(box, "sent"), (box / "sent").stat().st_mode & 0o777) == (["a.csv"], 0o700)


async def test_a_file_that_is_taken_away(box: Path, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """Its receipt is there all the same."""
    path = put(box, "a.csv")
    omar_server.script(Taking(tell=path.unlink))
    (receipt,) = (await once(omar_client, box)).receipts
    assert [path.name for path in (box / "sent").iterdir()] == ["a.csv.receipt.json"]
    assert paper(box, "sent", "a.csv")["file_id"] == receipt.file_id


async def test_one_at_a_time(box: Path, omar_server: OmarServer, omar_client: OmarClient) -> None:
    """A second one is told who serves the outbox, also in the same process; another way to it does not help."""
    put(box, "a.csv")
    (box.parent / "link").symlink_to(box)
    async with Outbox(omar_client, box)._opened():
        with pytest.raises(DestinationError, match="is served by this process itself already"):
            await once(omar_client, box.parent / "link")
    assert len(omar_server.uploads) == 0
    assert len((await once(omar_client, box.parent / "link")).receipts) == 1


@pytest.mark.parametrize("case", ["missing", "file", "link in a circle", "tray is a link", "tray is a file"])
async def test_a_directory_that_is_none(case: str, box: Path, tmp_path: Path, omar_client: OmarClient) -> None:
    """One sentence before anything is sent."""
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    place = {"missing": tmp_path / "nowhere", "file": put(box, "a.csv"), "link in a circle": circle}.get(case, box)
    if case == "tray is a link":
        (box / "sent").symlink_to(tmp_path)
    if case == "tray is a file":
        (box / "sent").write_bytes(b"")
    with pytest.raises(DestinationError):
        await once(omar_client, place)


def test_what_cannot_be_an_outbox(box: Path, omar_config: OmarConfig) -> None:
    """Wrong values are named."""
    client = OmarClient(omar_config)
    with pytest.raises(ConfigError, match="needs an OmarClient, not str"):
        Outbox("client", box)  # type: ignore[arg-type] # that is the mistake
    with pytest.raises(ConfigError, match=r"Outbox\.settle must be a number of at least 0"):
        Outbox(client, box, settle=-1)
    with pytest.raises(ConfigError, match=r"Outbox\.rescan must be a number above 0"):
        Outbox(client, box, rescan=0)


async def test_a_closed_client(box: Path, omar_config: OmarConfig) -> None:
    """The outbox goes with its client."""
    async with OmarClient(omar_config) as client:
        pass
    with pytest.raises(UsageError, match="closed"):
        await once(client, box)


async def test_an_empty_name_is_not_the_working_directory(omar_client: OmarClient) -> None:
    """A variable that is not set must not have everything submitted that lies there."""
    with pytest.raises(ConfigError, match="directory of an Outbox is empty"):
        Outbox(omar_client, "")
    assert Outbox(omar_client, ".").directory == Path()
