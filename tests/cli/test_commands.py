"""The commands against a real server, in this process."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from aiomar.cli._options import Display
from aiomar.cli._output import Output
from aiomar.cli._show_checks import Check, conclude
from aiomar.testing import CutBody, DropAnswer, Fault, LoginPage, Page, Raw, Redirect, Status
from tests.cli.conftest import Place, Result

Run = Callable[..., Result]

COMMANDS = (
    "check",
    "demo",
    "download",
    "export",
    "inspect",
    "report",
    "simulate",
    "submissions",
    "upload",
    "verify",
)

RANGE = ("--from", "2026-03-01", "--to", "2026-03-02", "--format", "csv", "--time", "pst", "--into", "data")


def a_file(name: str, content: bytes = b"1,2\r\n") -> str:
    """Write a file into the working directory."""
    Path(name).write_bytes(content)
    return name


def free_origin() -> str:
    """Give an address where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"https://localhost:{taken.getsockname()[1]}"


# --- check ------------------------------------------------------------------------------------------------------------


def test_check(aiomar: Run, place: Place) -> None:
    """It shows the certificate and how long the login took; stderr stays empty."""
    result = aiomar("check", *place.options)
    assert (result.code, result.err) == (0, "")
    assert [line.split()[0] for line in result.out.splitlines()] == [
        "certificate",
        "issuer",
        "valid",
        "server",
        "login",
    ]
    assert "CN=OMAR test operator" in result.out
    assert place.server.logins == 1


def test_check_as_json(aiomar: Run, place: Place) -> None:
    """The summary is the last object and has everything."""
    result = aiomar("check", *place.options, "--json")
    assert [record["event"] for record in result.records] == ["certificate", "logged_in", "summary"]
    assert result.summary.keys() >= {"subject", "issuer", "not_before", "not_after", "days_left", "login_seconds"}
    assert result.summary["exit_code"] == 0


def test_check_of_the_days_left(aiomar: Run, place: Place) -> None:
    """A certificate that expires too soon is exit code 5, although the login was good."""
    result = aiomar("check", *place.options, "--min-days", "1000000")
    assert result.code == 5
    assert "get a new one" in result.err
    assert "login        good" in result.out


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Status(503, on="login", times=3), 4),
        (Status(404, on="login"), 4),
        (Status(403, on="login"), 5),
        (Redirect("/fr_top.jsp", on="login"), 5),
        (Redirect("https://elsewhere.example/", on="login"), 5),
    ],
)
def test_check_that_fails(aiomar: Run, place: Place, fault: Fault, code: int) -> None:
    """What the server says at the login decides between out of reach and refused."""
    place.server.script(fault)
    result = aiomar("check", *place.options, "--quiet")
    assert result.code == code
    assert result.err.startswith("aiomar: error: ")
    assert result.err.count("\n") == 1


def test_check_where_nobody_listens(aiomar: Run, place: Place) -> None:
    """A server out of reach is exit code 4, in JSON too."""
    options = [option for option in place.options if "origin" not in option]
    result = aiomar("check", *options, "--upload-origin", free_origin(), "--download-origin", free_origin(), "--json")
    assert result.code == 4
    assert result.summary["exit_code"] == 4
    error = result.summary["error"]
    assert isinstance(error, dict)
    assert error["type"] == "ConnectError"


def test_check_without_the_authority(aiomar: Run, place: Place) -> None:
    """A server whose certificate nobody vouches for is exit code 5."""
    result = aiomar("check", *[option for option in place.options if "--ca-file" not in option])
    assert result.code == 5
    assert place.server.requests == []


# --- download ---------------------------------------------------------------------------------------------------------


def test_download(aiomar: Run, place: Place) -> None:
    """Options repeat, the paths go to stdout, and one line says what came of it."""
    result = aiomar("download", *place.options, "--meter", "1001", "--meter", "1002", "--group", "123", *RANGE)
    assert result.code == 0
    names = ["group-123", "meter-1001", "meter-1002"]
    assert sorted(result.out.splitlines()) == [
        str(Path("data") / f"{name}_20260301_20260302_pst.csv") for name in names
    ]
    assert all(Path(line).stat().st_size for line in result.out.splitlines())
    assert result.err.startswith("3 files fetched, 0 reused, 0 failed: ")
    assert result.err.endswith(" s, 0 retries\n")


def test_download_of_ids_from_a_file(aiomar: Run, place: Place) -> None:
    """With days counted back, a file of ids and the range split."""
    a_file("ids.txt", b"1001\n\n# one more\ngroup:123\n")
    words = ("--from", "-3d", "--to", "yesterday", "--format", "mdef", "--time", "dst", "--into", "data")
    result = aiomar("download", *place.options, "--ids-from", "ids.txt", "--days-per-file", "2", *words, "--quiet")
    assert (result.code, result.err) == (0, "")
    assert len(list(Path("data").glob("*_dst.dat"))) == len(result.out.splitlines()) == 4


def test_download_as_json(aiomar: Run, place: Place) -> None:
    """Every line is an object with an event, the last one is the summary, and paths are in it, not beside it."""
    result = aiomar("download", *place.options, "--meter", "1001", *RANGE, "--json", "--concurrency", "1", "--fresh")
    events = [record["event"] for record in result.records]
    assert events[0] == "range_started"
    assert events[-3:] == ["download_finished", "range_finished", "summary"]
    facts = {"command": "download", "exit_code": 0, "files": 1, "failures": 0, "reused": 0, "retries": 0}
    assert result.summary.items() >= facts.items()


def test_a_download_that_is_run_again(aiomar: Run, place: Place) -> None:
    """It fetches nothing, lists the files all the same, and says so; the plan knows as well."""
    words = ("download", *place.options, "--meter", "1001", "--meter", "1002", *RANGE)
    first = aiomar(*words)
    asked = len(place.server.requests)
    plan = aiomar(*words, "--dry-run")
    assert [line.split()[0] for line in plan.out.splitlines()] == ["reuse", "reuse"]
    assert plan.err == "2 files: 0 to fetch, 2 here already; nothing was sent\n"
    again = aiomar(*words, "--json")
    assert [record["event"] for record in again.records].count("download_reused") == 2
    assert again.summary.items() >= {"files": 2, "reused": 2, "bytes": 0}.items()
    assert sorted(aiomar(*words).out.splitlines()) == sorted(first.out.splitlines())
    assert len(place.server.requests) == asked


@pytest.mark.parametrize(("age", "fetched"), [(("--max-age", "1h"), 0), (("--max-age", "3d"), 0), (("--fresh",), 1)])
def test_a_download_of_what_is_too_old(aiomar: Run, place: Place, age: tuple[str, ...], fetched: int) -> None:
    """What was fetched just now is younger than an hour; --fresh asks for it all the same."""
    words = ("download", *place.options, "--meter", "1001", *RANGE)
    assert aiomar(*words).code == 0
    assert aiomar(*words, *age, "--json").summary["reused"] == 1 - fetched


def test_a_download_that_nothing_proves(aiomar: Run, place: Place) -> None:
    """It is saved if that is wanted, and failed if not."""
    words = ("download", *place.options, "--meter", "1001", *RANGE, "--json")
    place.server.script(*2 * [Raw(b"HTTP/1.1 200 OK\r\n\r\nno end")])
    assert aiomar(*words).code == 3
    finished = [record for record in aiomar(*words, "--allow-unverified").records if "file" in record]
    assert finished[0]["file"]["completeness"] == "unverified"  # type: ignore[index] # it is an object


def test_download_that_fails_in_part(aiomar: Run, place: Place) -> None:
    """An unknown meter is exit code 3 and one line with the page's own words; the others are there."""
    result = aiomar("download", *place.options, "--meter", "nonesuch", "--meter", "1001", *RANGE)
    assert result.code == 3
    assert result.out.count("\n") == 1
    assert "aiomar: error: meter nonesuch, 2026-03-01 to 2026-03-02: " in result.err
    assert "No data was found" in result.err


def test_many_failures_are_not_all_listed(aiomar: Run, place: Place) -> None:
    """Ten get a line each, the rest a number; JSON has them all."""
    ids = [word for number in range(12) for word in ("--meter", f"x{number}")]
    result = aiomar("download", *place.options, *ids, *RANGE, "--json")
    assert result.code == 3
    assert sum("x" in line and line.startswith("aiomar: error: meter") for line in result.err.splitlines()) == 10
    assert "aiomar: error: and 2 more downloads failed" in result.err
    assert [record["event"] for record in result.records].count("download_failed") == 12


def test_trouble_on_the_way_is_told(aiomar: Run, place: Place) -> None:
    """A repeat and a fresh login get a line each, unless --quiet."""
    place.server.script(CutBody(after=100), LoginPage())
    result = aiomar("download", *place.options, "--meter", "1001", *RANGE)
    assert result.code == 0
    assert "again in " in result.err
    assert "the session has ended" in result.err
    assert result.err.endswith("1 retry\n")
    place.server.script(LoginPage())
    assert aiomar("download", *place.options, "--meter", "1001", *RANGE, "--quiet", "--fresh").err == ""


def test_verbose_tells_every_event(aiomar: Run, place: Place) -> None:
    """One line each on stderr, beside what the library logs."""
    result = aiomar("download", *place.options, "--meter", "1001", *RANGE, "--verbose")
    told = [line.split()[0] for line in result.err.splitlines()]
    assert [word for word in told if word != "aiomar:"][:2] == ["range_started", "download_started"]
    assert "download_finished file=" in result.err


def test_a_login_that_is_refused_is_why_downloads_failed(aiomar: Run, place: Place) -> None:
    """Exit code 5, not 3."""
    place.server.script(Status(403, on="login", times=2))
    words = ("--meter", "1001", "--meter", "1002", "--concurrency", "1", *RANGE)
    assert aiomar("download", *place.options, *words).code == 5


def test_a_server_out_of_reach_is_why_downloads_failed(aiomar: Run, place: Place) -> None:
    """Exit code 4, not 3: a login that answers 503 is out of reach as well."""
    place.server.script(Status(503, on="login", times=3))
    assert aiomar("download", *place.options, "--meter", "1001", *RANGE).code == 4


def test_a_dry_run_of_a_download(aiomar: Run, place: Place) -> None:
    """The plan is shown, nothing is sent and nothing is made."""
    words = ("--meter", "1001", *RANGE, "--dry-run")
    result = aiomar("download", *place.options, *words)
    assert (result.code, result.out.split()[0]) == (0, "fetch")
    assert aiomar("download", *place.options, *words, "--json").summary["requests"] == 1
    assert place.server.requests == []
    assert not Path("data").exists()


@pytest.mark.parametrize(
    "words",
    [
        RANGE,
        ("--meter", " ", *RANGE),
        ("--meter", "1", *RANGE, "--days-per-file", "0"),
        ("--meter", "1", *RANGE, "--max-age", "soon"),
        ("--meter", "1", *RANGE, "--concurrency", "0"),
        ("--meter", "1", *RANGE[:-1], "no/such/parent/data"),
        ("--meter", "1", "--from", "2026-03-02", "--to", "2026-03-01", *RANGE[4:]),
        ("--meter", "1", "--from", "tomorrow", *RANGE[2:]),
        ("--meter", "1", *RANGE[:-4], "--into", "data"),
        ("--meter", "1", *RANGE, "--ids-from", "nowhere.txt"),
        ("--meter", "1", *RANGE, "--proxy", "socks5://x"),
        ("--meter", "1", *RANGE, "--environment", "test"),
        ("--meter", "1", *RANGE, "--frm", "today"),
        ("--meter", "1", *RANGE[:5], "xml", *RANGE[6:]),
    ],
)
def test_mistakes_in_the_options(aiomar: Run, place: Place, words: tuple[str, ...]) -> None:
    """Exit code 2 and one line on stderr; nothing is sent."""
    result = aiomar("download", *place.options, *words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("aiomar: error: ")
    assert result.err.count("\n") == 1
    assert place.server.requests == []


# --- upload -----------------------------------------------------------------------------------------------------------


def test_upload(aiomar: Run, place: Place) -> None:
    """Receipts come as a table with whole hashes, one line a file."""
    result = aiomar("upload", a_file("a.csv"), a_file("b two.dat", b"2"), *place.options)
    assert (result.code, result.err) == (0, "2 of 2 files taken\n")
    sent = place.server.uploads
    rows = result.out.splitlines()[-2:]
    assert [upload.name for upload in sent] == ["a.csv", "b two.dat"]
    assert all(upload.sha256 in row and str(upload.file_id) in row for upload, row in zip(sent, rows, strict=True))


def test_upload_as_json(aiomar: Run, place: Place) -> None:
    """Each receipt is in its event."""
    result = aiomar("upload", a_file("a.csv"), *place.options, "--json", "--resend")
    finished = [record for record in result.records if record["event"] == "upload_finished"]
    assert len(finished) == 1
    assert result.summary.items() >= {"exit_code": 0, "receipts": 1, "failures": 0, "not_sent": 0}.items()


def test_upload_sends_nothing_when_a_file_breaks_a_rule(aiomar: Run, place: Place) -> None:
    """The bad one is named, the good one is held back."""
    result = aiomar("upload", a_file("a.csv"), a_file("a.txt"), *place.options, "--json")
    assert result.code == 6
    assert [record["event"] for record in result.records] == ["upload_failed", "not_sent", "summary"]
    assert "'a.txt' must end in" in result.err
    assert place.server.requests == []


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["a.csv"], 0),
        (["a.csv", "a.txt"], 6),
        (["x" * 37 + ".csv"], 6),
        (["nowhere.csv"], 2),
        (["nowhere.csv", "a.txt"], 6),
    ],
)
def test_a_dry_run_of_an_upload(aiomar: Run, names: list[str], code: int) -> None:
    """The rules are checked without a server and without a certificate."""
    for name in names:
        if not name.startswith("nowhere"):
            a_file(name)
    assert aiomar("upload", *names, "--dry-run").code == code
    assert aiomar("upload", "--dry-run", *names, "--json").summary["exit_code"] == code


def test_a_file_that_is_not_there(aiomar: Run) -> None:
    """The reason is in words, not only in the system's name for it."""
    assert (
        "nowhere.csv cannot be read, as there is no such file (ENOENT): check the path\n"
        in aiomar("upload", "nowhere.csv", "--dry-run").err
    )


@pytest.mark.parametrize(
    ("faults", "code", "events"),
    [
        ([DropAnswer()], 7, ["upload_failed", "not_sent"]),
        ([Page("<p>Error in File Processing</p> no", on="upload")], 6, ["upload_failed", "upload_finished"]),
        ([Status(404, on="upload")], 6, ["upload_failed", "upload_finished"]),
        ([Status(404, on="upload"), DropAnswer()], 7, ["upload_failed", "upload_failed"]),
        ([Status(403, on="login"), Status(403, on="login")], 5, ["upload_failed", "upload_failed"]),
    ],
)
def test_upload_that_fails(aiomar: Run, place: Place, faults: list[Fault], code: int, events: list[str]) -> None:
    """The worst end of several files is the code; an unknown outcome stops the rest."""
    place.server.script(*faults)
    result = aiomar("upload", a_file("a.csv"), a_file("b.csv", b"2\n"), *place.options, "--json")
    assert result.code == code
    ends = {"upload_failed", "upload_finished", "not_sent"}
    assert [record["event"] for record in result.records if record["event"] in ends] == events


# --- all of them ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help(aiomar: Run, command: tuple[str, ...]) -> None:
    """Every command explains itself."""
    result = aiomar(*command, "--help")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Usage: {' '.join(('aiomar', *command))}")


@pytest.mark.parametrize("command", [("report",), ("verify",), ("export", "--to", "x.parquet")])
def test_an_empty_directory_name(aiomar: Run, command: tuple[str, ...]) -> None:
    """It is a variable that nobody set, and not the working directory."""
    result = aiomar(command[0], "", *command[1:])
    assert (result.code, result.out) == (2, "")
    assert "DIR is empty" in result.err


def test_a_command_that_is_misspelt(aiomar: Run) -> None:
    """The one that is meant is named, and a list that is cut short says so."""
    words = aiomar("downlaod").err
    assert 'Did you mean "download"?' in words
    assert words.endswith(" and others: see aiomar --help\n")


def test_version(aiomar: Run) -> None:
    """The version is one line on stdout."""
    result = aiomar("--version")
    assert result.code == 0
    assert result.out.startswith("aiomar ")


@pytest.mark.parametrize(
    "words", [("nonesuch",), ("check", "--min-days", "soon"), ("upload",), ("download", "--meter")]
)
def test_words_that_nobody_understands(aiomar: Run, words: tuple[str, ...]) -> None:
    """Exit code 2 and one line that points to the help."""
    result = aiomar(*words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("aiomar: error: ")
    assert result.err.endswith("--help\n")


def test_an_identity_that_cannot_be_used(aiomar: Run, place: Place) -> None:
    """A file that is no certificate is exit code 5, and the summary says why."""
    options = [option for option in place.options if "pkcs12" not in option]
    result = aiomar("check", *options, "--pkcs12", a_file("bad.p12", b"nonsense"), "--json")
    assert result.code == 5
    error = result.summary["error"]
    assert isinstance(error, dict)
    assert error["kind"] in {"format", "passphrase"}


# --- demo -------------------------------------------------------------------------------------------------------------


def test_the_demo(aiomar: Run) -> None:
    """Everything is as it should be, told in at most 80 columns, and its files are kept."""
    result = aiomar("demo", "--keep", "kept")
    assert result.code == 0, result.out
    assert "Everything is as it should be." in result.out
    assert "WRONG" not in result.out
    assert "a session ends" in result.out
    assert "the session has ended: logging in again" in result.err
    tables = [
        line for line in result.out.splitlines() if not line.startswith(("   ", "Open file:", "The files are in"))
    ]
    assert max(map(len, tables)) <= 80
    assert len([path for path in Path("kept").iterdir() if path.is_file()]) == 125
    assert "517,680 of 517,680 intervals are there" in result.out
    assert Path("kept", "report.html").resolve().as_uri() in result.out
    assert len(list(Path("kept", "killed").glob("*.dat"))) == 61
    assert sorted(path.name for path in Path("kept").iterdir() if path.is_dir()) == [".aiomar", "killed", "records"]


def test_the_demo_where_it_cannot_write(aiomar: Run) -> None:
    """The directory's parent is not made."""
    result = aiomar("demo", "--keep", str(Path("no", "parent")))
    assert result.code == 2
    assert "--keep" in result.err


@pytest.mark.parametrize(("found", "code"), [(1, 0), (2, 1)])
def test_the_demo_fails_where_something_is_not_as_it_should_be(
    capsys: pytest.CaptureFixture[str], found: int, code: int
) -> None:
    """A number that differs is exit code 1."""
    assert conclude(Output("demo", Display(json=True)), [], [Check("things", found, 1)]) == code
    record = json.loads(capsys.readouterr().out)
    assert record == {"event": "demo_check", "what": "things", "found": found, "expected": 1, "good": found == 1}
