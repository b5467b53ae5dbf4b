"""A passphrase from the system's keyring: the real library, with backends of the tests' own."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import pytest

from aiomar import ConfigError, IdentityError, OmarConfig
from aiomar._keyring import KeyringEntry
from aiomar.testing import Authority

pytest.importorskip("keyring", reason="the extra keyring is not installed")

from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.backends.null import Keyring as EmptyKeyring

from tests.support.keyrings import Broken, Locked, OneEntry, using


def write(directory: Path, authority: Authority, entry: str) -> Path:
    """Write a profile with a sealed certificate, whose passphrase is in the keyring."""
    authority.write(directory, "open sesame")
    path = directory / "aiomar.toml"
    path.write_text(f'[default]\nenvironment = "test"\npkcs12 = "client.p12"\npassphrase_keyring = "{entry}"\n')
    return path


def shown(error: BaseException) -> str:
    """Give all that a report with local variables would show, but for those of the test itself."""
    below = error.__traceback__ and error.__traceback__.tb_next
    report = traceback.TracebackException.from_exception(error.with_traceback(below), capture_locals=True)
    return "".join(report.format())


def test_an_entry_of_the_keyring(omar_authority: Authority, tmp_path: Path) -> None:
    """It opens the certificate; the last slash of its name parts service and user."""
    with using(OneEntry):
        config = OmarConfig.from_toml(write(tmp_path, omar_authority, "aiomar/test/me"))
    assert config.identity.subject
    assert "open sesame" not in repr(config)


@pytest.mark.parametrize(
    ("backend", "entry", "said"),
    [
        (OneEntry, "aiomar/you", "no entry 'aiomar/you': store the passphrase with 'keyring set aiomar you'"),
        (OneEntry, "my service/you", "'keyring set 'my service' you'"),
        (EmptyKeyring, "aiomar/test/me", "has no entry"),
        (NoKeyring, "aiomar/test/me", "this machine has no keyring"),
        (Locked, "aiomar/test/me", "(KeyringLocked): unlock it"),
        (Broken, "aiomar/test/me", "(ZeroDivisionError): unlock it"),
    ],
)
def test_a_keyring_that_does_not_give_it(
    backend: type[KeyringBackend], entry: str, said: str, omar_authority: Authority, tmp_path: Path
) -> None:
    """One sentence says what is wrong and what to do."""
    path = write(tmp_path, omar_authority, entry)
    with using(backend), pytest.raises(ConfigError) as caught:
        OmarConfig.from_toml(path)
    assert said in str(caught.value)
    assert "open sesame" not in str(caught.value)


def test_the_extra_is_missing(omar_authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says how to install it."""
    path = write(tmp_path, omar_authority, "aiomar/me")
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match=r"pip install 'aiomar\[keyring\]'"):
        OmarConfig.from_toml(path)


@pytest.mark.parametrize("name", ["", "aiomar", "/me", "aiomar/", "/"])
def test_what_is_no_name_of_an_entry(name: str) -> None:
    """It has to be service/user; the setting is called as it is where it came from."""
    with pytest.raises(ConfigError, match=r"--passphrase-keyring must be the name of an entry"):
        KeyringEntry.named(name, "--passphrase-keyring")


def test_two_places_for_one_passphrase(omar_authority: Authority, tmp_path: Path) -> None:
    """A profile that names a variable and an entry is refused: nobody guesses which one is meant."""
    path = write(tmp_path, omar_authority, "aiomar/me")
    path.write_text(path.read_text() + 'passphrase_env = "PASS"\n')
    with pytest.raises(ConfigError, match="give passphrase_env or passphrase_keyring, not both"):
        OmarConfig.from_toml(path)


def test_a_key_without_a_passphrase_asks_no_keyring(omar_authority: Authority, tmp_path: Path) -> None:
    """Where the PEM key is not sealed, nobody has to unlock anything."""
    files = omar_authority.write(tmp_path)
    path = tmp_path / "aiomar.toml"
    path.write_text(
        f'[default]\nenvironment = "test"\ncertificate = "{files.certificate}"\nkey = "{files.key}"\n'
        'passphrase_keyring = "nobody/asks"\n'
    )
    with using(Locked):
        assert OmarConfig.from_toml(path).identity.subject


def test_a_passphrase_of_the_keyring_is_in_no_traceback(omar_authority: Authority, tmp_path: Path) -> None:
    """A wrong one is an IdentityError whose frames show the name of the entry at most."""
    path = write(tmp_path, omar_authority, "aiomar/test/me")
    omar_authority.write(tmp_path, "another one")
    with using(OneEntry), pytest.raises(IdentityError) as caught:
        OmarConfig.from_toml(path)
    assert "aiomar/test/me" in shown(caught.value)
    assert "open sesame" not in shown(caught.value)
