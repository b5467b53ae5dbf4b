"""What travels to the workers: names of places, and nothing that opens a key."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from aiomar import ConfigError, FileFormat, Meter, OmarConfig, TimeType, UploadBlockedError
from aiomar.protocol import Span
from aiomar.testing import Authority, OmarServer, in_thread
from aiomar.transfer import RangeRequest

pytest.importorskip("distributed", reason="needs aiomar[dask]: clusters are tried on one Python")

from distributed.protocol import pickle

from aiomar.distributed import ConfigReference
from aiomar.distributed._errands import Errand, Refused, fetch
from aiomar.distributed._submitting import Parcel, check, send

_Outcome = TypeVar("_Outcome")
PASSPHRASE = "pässphrase of this test"


@pytest.fixture
def variables(omar_authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a worker, whose variables begin with NIGHT_."""
    files = omar_authority.write(tmp_path, PASSPHRASE)
    found = {
        "NIGHT_PKCS12": str(files.pkcs12),
        "NIGHT_PASSPHRASE": PASSPHRASE,
        "NIGHT_UPLOAD_ORIGIN": "https://localhost:1",
        "NIGHT_DOWNLOAD_ORIGIN": "https://localhost:2",
        "NIGHT_CA_FILE": str(files.ca_file),
        "NIGHT_STATE_DIR": str(tmp_path / "state"),
    }
    for name, text in found.items():
        monkeypatch.setenv(name, text)
    return found


def test_nothing_that_is_sent_opens_a_key(variables: dict[str, str]) -> None:
    """Tasks and their arguments, pickled as Dask does it, hold neither key nor passphrase; nor do they show one."""
    reference = ConfigReference.from_env("NIGHT_")
    assert reference.resolve().environment.upload_origin == "https://localhost:1"
    day = dt.date(2026, 1, 1)
    request = RangeRequest(
        span=Span(day, day),
        file_format=FileFormat.MDEF,
        time_type=TimeType.PST,
        days_per_file=None,
        resume=True,
        max_age=None,
        allow_unverified=False,
    )
    bundle = {"00": (Meter("1001"),)}
    errand = Errand(reference=reference, request=request, into="/data", bundle=bundle, wanted=1, most=1, patience=0)
    parcel = Parcel(path=Path("/a.csv"), before=None, mark="mark", resend=True)
    everything = dumps((fetch, errand, check, send, parcel)) + repr((errand, parcel)).encode()
    secrets = [PASSPHRASE.encode(), Path(variables["NIGHT_PKCS12"]).read_bytes()[100:160]]
    assert [secret for secret in secrets if secret in everything] == []
    assert pickle.loads(dumps(errand)) == errand  # type: ignore[no-untyped-call] # likewise


def test_a_configuration_cannot_be_pickled(omar_config: OmarConfig) -> None:
    """Whoever puts one into a task of his own is stopped as well."""
    with pytest.raises(TypeError, match="private key"):
        dumps(omar_config)


def test_a_function_may_make_the_configuration(
    variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is found by its name on the worker, and has to give a configuration."""
    (tmp_path / "night_settings.py").write_text(
        "from aiomar.distributed import ConfigReference\nconfig = ConfigReference.from_env('NIGHT_').resolve\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert ConfigReference.from_function("night_settings:config").resolve().concurrency == 8
    with pytest.raises(ConfigError, match="names no function"):
        ConfigReference.from_function("night_settings")
    with pytest.raises(ConfigError, match="cannot be imported"):
        ConfigReference.from_function("night_settings:nonesuch").resolve()
    with pytest.raises(ConfigError, match="has to give an OmarConfig"):
        ConfigReference.from_function("os:getpid").resolve()


@pytest.fixture
def server(
    variables: dict[str, str], omar_authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OmarServer]:
    """A server for tasks that run in this thread, each with a loop of its own."""
    with in_thread(OmarServer(authority=omar_authority)) as server:
        monkeypatch.setenv("NIGHT_UPLOAD_ORIGIN", server.environment.upload_origin)
        monkeypatch.setenv("NIGHT_DOWNLOAD_ORIGIN", server.environment.download_origin)
        yield server


def test_a_task_that_is_run_again_never_submits_again(server: OmarServer, tmp_path: Path) -> None:
    """Not even where it was told to submit what the ledger has: it tells what the first run has made of it."""
    source = tmp_path / "a.csv"
    source.write_bytes(b"id,value\r\n")
    reference = ConfigReference.from_env("NIGHT_")
    (known,) = _not_refused(check(reference, [source]))
    parcel = Parcel(path=source, before=known.before, mark="1", resend=False)
    first = _not_refused(send(reference, parcel))
    assert _not_refused(send(reference, parcel)) == first
    (known,) = _not_refused(check(reference, [source]))
    assert known.before == first.ledger_id
    parcel = Parcel(path=source, before=known.before, mark="2", resend=True)
    second = _not_refused(send(reference, parcel))
    assert _not_refused(send(reference, parcel)) == second
    assert [upload.file_id for upload in server.uploads] == [first.file_id, second.file_id]


def test_a_first_run_that_sent_nothing_is_not_made_up_for(server: OmarServer, tmp_path: Path) -> None:
    """Whether it will still send, nobody knows: the file is blocked by what the ledger had before."""
    source = tmp_path / "a.csv"
    source.write_bytes(b"id,value\r\n")
    reference = ConfigReference.from_env("NIGHT_")
    first = _not_refused(send(reference, Parcel(path=source, before=None, mark="1", resend=False)))
    (tmp_path / "state" / "resent").mkdir()
    (tmp_path / "state" / "resent" / "2").touch()
    again = send(reference, Parcel(path=source, before=first.ledger_id, mark="2", resend=True))
    assert isinstance(again, Refused)
    assert isinstance(again.error, UploadBlockedError)
    assert len(server.uploads) == 1


def dumps(value: object) -> bytes:
    """Pickle as Dask does it."""
    pickled: bytes = pickle.dumps(value)  # type: ignore[no-untyped-call] # of Dask, which has not typed it
    return pickled


def _not_refused(outcome: _Outcome | Refused) -> _Outcome:
    assert not isinstance(outcome, Refused), outcome
    return outcome
