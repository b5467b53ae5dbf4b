"""``aiomar config``: what is set, by what, and what is missing."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from aiomar import OmarConfig
from aiomar._settings import TOML_KEYS, settings_from_table
from aiomar.cli._config_facts import KEYS
from aiomar.cli._config_words import example
from aiomar.testing import Authority, Credentials
from tests.cli.conftest import Result

Run = Callable[..., Result]

PROFILE = """\
[night]
environment = "production"
pkcs12 = "client.p12"
concurrency = 2
passphrase_env = "NIGHT"
"""


@pytest.fixture
def sealed(omar_authority: Authority, tmp_path: Path) -> Credentials:
    """Files of a client under a passphrase, and a file of profiles, in the working directory."""
    path = tmp_path / "aiomar.toml"
    path.write_text(PROFILE, encoding="utf-8")
    path.chmod(0o600)
    return omar_authority.write(tmp_path, "open sesame")


def settings(result: Result) -> dict[str, tuple[object, object, object]]:
    """Give the settings that count: value, kind of place, and how it is called there."""
    found = [record for record in result.records if record["event"] == "setting" and record["silenced_by"] is None]
    return {str(record["key"]): (record["value"], record["kind"], record["source"]) for record in found}


def test_every_setting_says_where_it_came_from(
    sealed: Credentials, aiomar: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An option, a variable, a profile or a default; a passphrase is only "set"."""
    monkeypatch.setenv("AIOMAR_CONCURRENCY", "3")
    monkeypatch.setenv("AIOMAR_PASSPHRASE", "open sesame")
    result = aiomar("config", "show", "--profile", "night", "--proxy", "http://proxy.example:3128", "--json")
    found = settings(result)
    assert tuple(found) == KEYS
    assert found["environment"] == ("production", "profile", "[night]")
    assert found["pkcs12"] == (str(tmp_path / "client.p12"), "profile", "[night]")
    assert found["concurrency"] == ("3", "variable", "AIOMAR_CONCURRENCY")
    assert found["proxy"] == ("http://proxy.example:3128", "option", "--proxy")
    assert found["passphrase"] == ("set", "variable", "AIOMAR_PASSPHRASE")
    assert found["ca_file"] == (None, "unset", "not set")
    assert found["state_dir"] == (str(Path(os.environ["XDG_STATE_HOME"], "aiomar")), "default", "default")
    assert result.summary["ready"] is True
    assert "open sesame" not in result.out


def test_what_gives_way_says_to_what(sealed: Credentials, aiomar: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The farther value of the same setting, and the rivals of a nearer one."""
    monkeypatch.setenv("AIOMAR_UPLOAD_ORIGIN", "https://localhost:1")
    monkeypatch.setenv("AIOMAR_DOWNLOAD_ORIGIN", "https://localhost:2")
    monkeypatch.setenv("AIOMAR_PASSPHRASE", "open sesame")
    out = aiomar("config", "show", "--profile", "night", "--certificate", "client.pem", "--key", "client.key").out
    assert "environment = production from [night] gives way to AIOMAR_UPLOAD_ORIGIN" in out
    assert "client.p12 from [night] gives way to --certificate" in out
    assert "passphrase_env = NIGHT from [night] gives way to AIOMAR_PASSPHRASE" in out
    assert "Nothing is missing for a connection" in out


def test_the_files_that_were_looked_at(sealed: Credentials, aiomar: Run, tmp_path: Path) -> None:
    """Each with what it has; an unsafe one with the reason, and the command does not fail for it."""
    lines = aiomar("config", "show", "--profile", "night").out.splitlines()
    assert lines[0] == "Profile [night], named by --profile."
    assert lines[1].split() == ["taken", f"{tmp_path / 'aiomar.toml'}:", "[night]"]
    assert lines[2].split() == ["not", "there", str(Path(os.environ["XDG_CONFIG_HOME"], "aiomar", "aiomar.toml"))]
    Path("aiomar.toml").write_text("[night", encoding="utf-8")
    broken = aiomar("config", "show", "--json")
    assert (broken.code, broken.records[0]["there"], broken.records[0]["taken"]) == (0, True, False)
    assert "cannot be read as TOML" in str(broken.records[0]["error"])
    assert broken.summary["ready"] is False


def test_nothing_is_set(aiomar: Run) -> None:
    """It says all that is missing at once, and which variable looks misspelt."""
    result = aiomar("config", "show")
    assert result.code == 0
    assert result.out.startswith("No profile is taken.\n")
    assert "no server is given" in result.out
    assert "no client certificate is given" in result.out


def test_a_variable_that_means_nothing(aiomar: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt name is told, without its value."""
    monkeypatch.setenv("AIOMAR_PASPHRASE", "open sesame")
    monkeypatch.setenv("AIOMAR_CONTROL_URL", "http://127.0.0.1:1/")  # as 'aiomar simulate' says
    out = aiomar("config", "show").out
    assert "The variable AIOMAR_PASPHRASE means nothing to aiomar" in out
    assert out.count("means nothing to aiomar") == 1
    assert "open sesame" not in out


@pytest.mark.parametrize("option", ["--passphrase-env", "--passphrase-keyring"])
@pytest.mark.parametrize("more", [(), ("--json", "--verbose")])
def test_a_passphrase_in_the_place_of_a_name(
    option: str, more: tuple[str, ...], sealed: Credentials, aiomar: Run
) -> None:
    """It is a mistake, and shown neither as a setting nor in the error."""
    for command in (("config", "show"), ("check",)):
        words = ("--environment", "test", "--pkcs12", str(sealed.pkcs12), option, "open sesame")
        result = aiomar(*command, *words, *more)
        assert f"{option} " in result.out + result.err
        assert "sesame" not in result.out + result.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--pkcs12", "gone.p12"), "--pkcs12: there is no file 'gone.p12'"),
        (("--pkcs12", "aiomar.toml"), "'aiomar.toml' is not PKCS#12"),
        (("--profile", "night"), "the environment variable NIGHT named by passphrase_env in [night] is not set"),
        (("--pkcs12", "client.p12"), "needs a passphrase"),
        (("--certificate", "client.pem", "--key", "client.key"), "is encrypted"),
    ],
)
def test_a_certificate_that_cannot_be_loaded(
    words: tuple[str, ...], said: str, sealed: Credentials, aiomar: Run
) -> None:
    """Everything is shown all the same, and why."""
    result = aiomar("config", "show", "--environment", "test", *words)
    assert result.code == 0
    assert "uploads    https://omar-onlinetest.caiso.com" in result.out
    assert said in result.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ca-file", "gone.pem"), "gone.pem"),
        (("--proxy", "http://somebody:hunter2@127.0.0.1:1"), "without a name and a password"),
        (("--proxy", "socks5://127.0.0.1:1"), "proxy must be like"),
    ],
)
def test_other_values_that_cannot_be_used(
    words: tuple[str, ...], said: str, sealed: Credentials, aiomar: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are tried too, and nobody's password is repeated."""
    monkeypatch.setenv("NIGHT", "open sesame")
    for more in ((), ("--json",)):
        result = aiomar("config", "show", "--profile", "night", *words, *more)
        assert said in result.out
        assert "hunter2" not in result.out + result.err


def test_the_certificate_and_the_versions(sealed: Credentials, aiomar: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose it is and how long it lasts; --verbose adds what a report of a bug should have."""
    monkeypatch.setenv("NIGHT", "open sesame")
    out = aiomar("config", "show", "--profile", "night", "--verbose").out
    assert "certificate  CN=" in out
    assert "days left" in out
    assert "\naiohttp " in out


def test_where_the_users_file_belongs(aiomar: Run) -> None:
    """One line, for `$(aiomar config path)`."""
    assert aiomar("config", "path").out == f"{Path(os.environ['XDG_CONFIG_HOME'], 'aiomar', 'aiomar.toml')}\n"


def test_the_example_is_true(sealed: Credentials, aiomar: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It parses as it is and with every comment mark gone, names every key there is, and a connection works with it."""
    assert aiomar("config", "example").out == f"{example()}\n"
    written = tomllib.loads(example())
    for profile in written:
        assert settings_from_table(written, Path("aiomar.toml"), profile)
    lines = [line.removeprefix("# ") for line in example().splitlines() if " = " in line]
    assert {key for line in lines for key in tomllib.loads(line)} == set(TOML_KEYS)
    path = Path("example.toml")
    path.write_text(example().replace("~/omar/me.p12", "client.p12"), encoding="utf-8")
    monkeypatch.setenv("OMAR_PASSPHRASE", "open sesame")
    assert OmarConfig.from_toml(path, "night").concurrency == 4
