"""G17: passphrase, key, cookie and meter values show nowhere, whatever goes wrong and however it is written down.

Each of them is a word that stands nowhere else.  One client after the other goes through one kind of trouble; then
everything that a program could have seen of it is searched: log records of every logger at every level, errors with the
local variables of every frame, values printed, pickled and taken apart, warnings, files.
"""

from __future__ import annotations

import errno
import logging
import os
import tempfile
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import pytest

from aiomar import (
    ClientIdentity,
    ConfigError,
    FileFormat,
    Group,
    IdentityError,
    Meter,
    OmarClient,
    OmarConfig,
    OmarError,
    RetryPolicy,
    Timeouts,
    TimeType,
)
from aiomar._assembly import Effects, assemble
from aiomar._files import FileSystem
from aiomar.cli import main
from aiomar.cli._show_killed import _Command
from aiomar.testing import (
    Authority,
    CutBody,
    Disconnect,
    DropAnswer,
    ExpireSession,
    Fault,
    Framing,
    LoginPage,
    OmarServer,
    Page,
    Raw,
    Redirect,
    Reset,
    SlowFirstByte,
    Stall,
    Status,
)
from tests.cli.conftest import serving
from tests.client.helpers import DAY, cookies, fetch, raw
from tests.support.canaries import Canaries, key_forms, text_forms
from tests.support.gates import Gate
from tests.support.proxy import Proxy
from tests.support.telling import Told

PASSPHRASE = "canary-passphrase-4711"
WRONG = "canary-wrong-passphrase-0815"
VALUE = "98765.4321098"
CSV = f"id,time,value\r\n1001,01:00,{VALUE}\r\n1001,02:00,{VALUE}1\r\n".encode()
HALF = CSV[:-20]
LONG = CSV * 20_000


def sized(body: bytes, length: int | None = None, *headers: str) -> Raw:
    """Answer with a body of values, whose length may be a lie."""
    return raw(body, f"Content-Length: {len(body) if length is None else length}", *headers)


TROUBLE: dict[str, Fault] = {
    "whole": sized(CSV),
    "whole, chunked": raw(b"%x\r\n%b\r\n0\r\n\r\n" % (len(CSV), CSV), "Transfer-Encoding: chunked"),
    "cut": sized(HALF, len(CSV)),
    "cut, chunked": raw(b"%x\r\n%b\r\n" % (len(HALF), HALF), "Transfer-Encoding: chunked"),
    "cut in a chunk": raw(b"%x\r\n%b" % (len(CSV), HALF), "Transfer-Encoding: chunked"),
    "bad chunk": raw(b"%x\r\n%b\r\nzz\r\n" % (len(CSV), CSV), "Transfer-Encoding: chunked"),
    "unframed and cut": raw(HALF),
    "unframed": raw(CSV),
    "compressed": sized(CSV, None, "Content-Encoding: gzip"),
    "too large": sized(LONG),
    "too large, unframed": raw(LONG),
    "two lengths": sized(CSV, None, "Content-Length: 1"),
    "part of it": raw(CSV, f"Content-Length: {len(CSV)}", status="206 Partial Content"),
    "with an error": raw(CSV, f"Content-Length: {len(CSV)}", status="500 Sorry"),
    "after blanks": sized(b"\r\n" * 40_000 + CSV),
    "empty": attrs.evolve(sized(b""), times=2),
    "no HTTP": Raw(b"garbage\r\n\r\n"),
    "silence": Stall(10),
    "long silence": Stall(None),
    "late": SlowFirstByte(5.0),
    "hung up": Disconnect(times=3),
    "reset": Reset(times=3),
    "cut with a reset": CutBody(100, reset=True),
    "page": Page("<title>x</title>", times=2),
    "login page": LoginPage(times=2),
    "expired": ExpireSession(),
    "elsewhere": Redirect("/elsewhere?x=1"),
    "404": Status(404),
    "503": Status(503, retry_after=1),
    "login refused": Status(403, on="login"),
    "login broken": Status(500, on="login"),
    "login elsewhere": Redirect("https://elsewhere.example/", on="login"),
    "login without a word": Disconnect(on="login", times=2),
    "odd cookie": Raw(b"HTTP/1.1 200 OK\r\nSet-Cookie: S=canary-cookie\xff\r\nContent-Length: 0\r\n\r\n", on="login"),
    "upload": Framing("length", on="upload"),
    "upload, answer lost": DropAnswer(),
    "upload, answer cut": DropAnswer(30),
    "upload, hung up": Disconnect(on="upload"),
    "upload, reset": Reset(on="upload"),
    "upload, silence": Stall(None, on="upload"),
    "upload, 500": Status(500, on="upload"),
    "upload, 404": Status(404, on="upload"),
    "upload, page": Page("<title>x</title>", on="upload"),
    "upload, refused": Page("<b>Error in File Processing</b> not well", on="upload"),
    "upload, login page": LoginPage(on="upload", times=2),
    "upload, expired": ExpireSession(on="upload"),
    "upload, elsewhere": Redirect("/elsewhere", on="upload"),
}


KINDS = {
    "CertificateRejectedError",
    "DeadlineError",
    "EmptyBodyError",
    "LoginError",
    "OutcomeUnknownError",
    "PartialDownloadError",
    "ResponseError",
    "ResponseTooLargeError",
    "SavedFile",
    "StatusError",
    "SubmissionRejectedError",
    "TransportError",
    "TruncatedBodyError",
    "UnexpectedPageError",
    "UnexpectedRedirectError",
    "UploadReceipt",
}
"""What must have been written down, or the trouble did not happen."""


@attrs.define
class Spy:
    """Lets a client do things, and writes down all that it tells."""

    told: Told

    async def watch(self, work: Awaitable[object]) -> None:
        """Write down what comes of it, be it a value or an error."""
        try:
            self.told.value(await work)
        except OmarError as error:
            self.told.error(error)


async def stream(client: OmarClient) -> None:
    """Read a download piece by piece, and fail in the middle as a user's own code does."""
    async with client.open_download(
        Meter("1001"), DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST
    ) as body:
        async for _ in body:
            pass


async def go_through(spy: Spy, config: OmarConfig, on: str, directory: Path) -> None:
    """Meet the trouble, then do a little of everything else."""
    client = OmarClient(config, observer=spy.told.value)
    async with client:
        source = directory / "sources" / f"{len(list((directory / 'sources').iterdir()))}.csv"
        source.write_bytes(CSV + source.name.encode())
        if on == "upload":
            await client.login()
            await spy.watch(client.upload(source))
            await spy.watch(client.upload(source))  # which the ledger refuses, or which is taken
        else:
            await spy.watch(fetch(client, directory / "data", name=f"{source.stem}.csv"))
        await spy.watch(stream(client))
        await spy.watch(
            client.download_range(
                [Meter("1001"), Group("123"), Meter("9999")],
                DAY,
                DAY,
                file_format=FileFormat.MDEF,
                time_type=TimeType.DST,
                into=directory / "data",
            )
        )
        for part in (client, config, config.identity, client._parts):
            spy.told.text(f"inside of {type(part).__name__}", repr(part))
        spy.told.value(config.trust)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for every file of a client; its temporary files too."""
    for name in ("sources", "tmp", "files", "work"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def leaks_in_files(canaries: Canaries, directory: Path) -> list[str]:
    """Name the files that hold what they must not: only sources and data under its final name may have values.

    The user's own files of certificates are left out.
    """
    found = []
    for place, names in canaries.found_below(directory).items():
        path = Path(place)
        if path.parent == directory / "files":
            continue
        own = path.parent.name in {"sources", "data"} and path.suffix == ".csv"
        if names - ({"value"} if own else set()):
            found.append(f"{names} in {path.relative_to(directory)}")
    return found


def secrets(authority: Authority, *servers: OmarServer) -> Canaries:
    """Give the secrets of a client, with the cookies that it was given so far."""
    given = [cookie for server in servers for cookie in cookies(server, "download", "upload") if cookie]
    sent = {cookie.partition("=")[2].partition(";")[0] for cookie in given}
    assert all(len(value) > 10 for value in sent)
    return Canaries(
        {
            "key": [*key_forms(authority._key), b"BEGIN PRIVATE KEY", b"BEGIN EC PRIVATE KEY"],
            "passphrase": [*text_forms(PASSPHRASE), *text_forms(WRONG)],
            "cookie": [b"canary-cookie", *(value.encode() for value in sent)],
            "value": [VALUE.encode()],
        }
    )


WAYS = ["lean", "session", "proxy"]


@pytest.mark.gate("G17")
@pytest.mark.parametrize("way", WAYS)
async def test_trouble_tells_nothing(gate: Gate, omar_authority: Authority, directory: Path, way: str) -> None:
    """In every kind of trouble, over every way of sending, nothing secret is told or left in a file."""
    identity = ClientIdentity.from_pkcs12(omar_authority.pkcs12(PASSPHRASE), PASSPHRASE)
    spy = Spy(Told())
    leaks: list[object] = []
    async with OmarServer(authority=omar_authority) as server, Proxy() as proxy:
        plain = OmarConfig(
            identity,
            server.environment,
            trust=server.trust,
            retry=RetryPolicy(attempts=2, first_wait=0.001, longest_wait=0.001, retry_after_cap=0.001),
            proxy=proxy.address if way == "proxy" else None,
            lean=way == "lean",
            max_download_bytes=1_000_000,
            state_dir=directory / "state",
            durable=False,
        )
        short = attrs.evolve(plain, timeouts=Timeouts(first_byte=0.4, read=0.4))
        for name, fault in TROUBLE.items():
            server.clear()
            server.script(fault)
            late = isinstance(fault, Stall | SlowFirstByte)
            with spy.told.listening():
                await go_through(spy, short if late else plain, fault.on, directory)
            if fault.times == 1:
                server.check_faults()
            canaries = secrets(omar_authority, server)
            leaks += [f"{name}: {leak}" for leak in spy.told.leaks(canaries)]
            leaks += [f"{name}: {leak}" for leak in leaks_in_files(canaries, directory)]
    gate.record(len(TROUBLE), len(leaks), "kinds of trouble, three ways of sending")
    assert leaks == []
    assert spy.told.kinds >= KINDS


def no_room(_: int, content: bytes | memoryview) -> int:
    """Write as a disk that is full."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(len(content)))


@pytest.mark.gate("G17")
async def test_a_full_disk_tells_nothing(
    gate: Gate, omar_authority: Authority, omar_server: OmarServer, omar_config: OmarConfig, directory: Path
) -> None:
    """Data that cannot be written, small or large, show in no error of the disk."""
    spy = Spy(Told())
    client = OmarClient(omar_config, observer=spy.told.value)
    client._parts = assemble(client._config, client._context, spy.told.value, Effects(files=FileSystem(write=no_room)))
    async with client:
        for body in (CSV, LONG):
            omar_server.script(sized(body))
            with spy.told.listening():
                await spy.watch(fetch(client, directory / "data"))
    canaries = secrets(omar_authority, omar_server)
    leaks = [*spy.told.leaks(canaries), *leaks_in_files(canaries, directory)]
    gate.record(2, len(leaks), "data on a full disk")
    assert leaks == []
    assert "DiskError" in spy.told.kinds


@pytest.mark.gate("G17")
def test_local_mistakes_tell_nothing(gate: Gate, omar_authority: Authority, directory: Path) -> None:
    """Settings and certificates that cannot be used are refused without a word of passphrase or key."""
    credentials = omar_authority.write(directory / "files", PASSPHRASE)
    plain = directory / "files" / "plain.key"
    plain.write_bytes(omar_authority.key_pem())
    toml = directory / "files" / "omar.toml"
    toml.write_text(f'[default]\npkcs12 = "{credentials.pkcs12}"\npassphrase = "{PASSPHRASE}"\n')
    p12, pem, key = credentials.pkcs12, credentials.certificate, credentials.key
    cut = directory / "files" / "cut.p12"
    cut.write_bytes(p12.read_bytes()[:-9])
    variables = {"AIOMAR_PKCS12": str(p12), "AIOMAR_PASSPHRASE": PASSPHRASE}
    mistakes: list[Callable[[], object]] = [
        lambda: ClientIdentity.from_pkcs12(p12, WRONG),
        lambda: ClientIdentity.from_pkcs12(p12, lambda: WRONG),
        lambda: ClientIdentity.from_pkcs12(p12, WRONG.encode() + b"\xff"),
        lambda: ClientIdentity.from_pkcs12(cut, PASSPHRASE),
        lambda: ClientIdentity.from_pkcs12(pem, PASSPHRASE),
        lambda: ClientIdentity.from_pem(pem, key, WRONG),
        lambda: ClientIdentity.from_pem(pem, key, lambda: WRONG),
        lambda: ClientIdentity.from_pem(pem, p12, PASSPHRASE),
        lambda: ClientIdentity.from_pem(plain, plain, PASSPHRASE),
        lambda: ClientIdentity.from_pem(credentials.ca_file, plain),
        lambda: OmarConfig.from_env({**variables, "AIOMAR_ENVIRONMENT": "moon"}),
        lambda: OmarConfig.from_env({**variables, "AIOMAR_ENVIRONMENT": "test", "AIOMAR_CONCURRENCY": "x"}),
        lambda: OmarConfig.from_env({**variables, "AIOMAR_ENVIRONMENT": "test", "AIOMAR_PASSPHRASE": WRONG}),
        lambda: OmarConfig.from_toml(toml),
    ]
    told = Told()
    ended = []
    with told.listening():
        for mistake in mistakes:
            ended += [error] if (error := error_of(mistake)) else []
        for error in ended:
            told.error(error)
    leaks = told.leaks(secrets(omar_authority))
    gate.record(len(mistakes), len(leaks) + len(mistakes) - len(ended), "local mistakes")
    assert leaks == set()
    assert len(ended) == len(mistakes)


def error_of(mistake: Callable[[], object]) -> OmarError | None:
    """Give what a mistake raises, without the frames of the test, which knows everything."""
    try:
        mistake()
    except (IdentityError, ConfigError) as error:
        frames = error.__traceback__
        while frames is not None and Path(frames.tb_frame.f_code.co_filename) == Path(__file__):
            frames = frames.tb_next
        return error.with_traceback(frames)
    return None


@pytest.mark.gate("G17")
def test_the_command_line_tells_nothing(
    gate: Gate,
    omar_authority: Authority,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither in words, nor in full, nor as JSON; and a child gets no passphrase but its own."""
    pkcs12 = directory / "files" / "locked.p12"
    pkcs12.write_bytes(omar_authority.pkcs12(PASSPHRASE))
    monkeypatch.setenv("AIOMAR_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("CANARY", WRONG)
    span = ("--from", "2026-01-01", "--to", "2026-01-02", "--format", "csv", "--time", "pst", "--into", "data")
    faults: list[Fault] = [Status(500), sized(HALF, len(CSV)), DropAnswer()]
    styles = ("--verbose", "--json", "--quiet")
    told = Told()
    done = 0
    with serving(omar_authority, directory / "files") as place:
        options = [option for option in place.options if "pkcs12" not in option]
        options += [f"--pkcs12={pkcs12}"]
        for number, style in enumerate(styles):
            source = directory / "sources" / f"{number}.csv"
            source.write_bytes(CSV + style.encode())
            commands = [
                ["check", *options],
                ["check", *options, "--passphrase-env", "CANARY"],
                ["download", *options, "--meter", "1001", "--meter", "9999", *span],
                ["upload", *options, str(source)],
                ["upload", *options, str(source)],
                ["verify", "data"],
            ]
            place.server.script(*faults)
            for command in commands:
                with told.listening():
                    code = main([*command, style])
                told.text(f"{command[0]} {style}", f"{code} {capsys.readouterr()}")
                done += 1
            place.server.check_faults()
        environ = _Command.prepare(place.server, directory / "files", []).environ
        told.text("environment of a child", repr({**environ, "CANARY": ""}))  # that one is the user's own
        canaries = secrets(omar_authority, place.server)
    leaks = [*told.leaks(canaries), *leaks_in_files(canaries, directory)]
    gate.record(done, len(leaks), "commands in three styles")
    assert leaks == []


def careless(passphrase: str) -> None:
    """Fail with the passphrase at hand."""
    raise ConfigError(f"something else: {len(passphrase)}")


@pytest.mark.gate("G17")
def test_what_is_told_is_really_searched(gate: Gate, omar_authority: Authority) -> None:
    """A secret in a log, a warning, a local variable, a message or a pickle is found."""
    told = Told()

    with told.listening():
        logging.getLogger("anybody").debug("the passphrase is %s", PASSPHRASE)
        warnings.warn(f"see {PASSPHRASE}", stacklevel=1)
    try:
        careless(PASSPHRASE)
    except ConfigError as error:
        told.error(error)
    told.value(Meter(PASSPHRASE))
    told.value(ConfigError(f"no: {PASSPHRASE}"))
    found = {where for name, where in told.leaks(secrets(omar_authority)) if name == "passphrase"}
    must = {f"{way} of Meter" for way in ("repr", "str", "json", "fields", "pickle")}
    must |= {f"{way} of ConfigError" for way in ("traceback", "repr", "str", "pickle")}
    must |= {"log of anybody", "record of anybody", "warning"}
    gate.record(len(must), len(must - found), "planted secrets that are found")
    assert found >= must
