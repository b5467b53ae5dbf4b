"""Options over environment variables over a profile."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiomar import ConfigError, IdentityError
from aiomar.cli._options import Connection
from aiomar.cli._settings import configure, layered
from aiomar.testing import Authority, Credentials


@pytest.fixture
def sealed(omar_authority: Authority, tmp_path: Path) -> Credentials:
    """Files of a client under a passphrase, in the working directory."""
    return omar_authority.write(tmp_path, "open sesame")


@pytest.mark.parametrize(
    ("layers", "joined"),
    [
        ([{"proxy": "a"}, {"proxy": "b", "key": "k"}], {"proxy": "a", "key": "k"}),
        ([{"environment": "test"}, {"upload_origin": "u", "download_origin": "d"}], {"environment": "test"}),
        ([{"upload_origin": "u"}, {"download_origin": "d", "environment": "test"}], {"upload_origin": "u"}),
        ([{"upload_origin": "u", "download_origin": "d"}], {"upload_origin": "u", "download_origin": "d"}),
        ([{"pkcs12": "p"}, {"certificate": "c", "key": "k"}], {"pkcs12": "p"}),
        ([{"certificate": "c"}, {"key": "k", "pkcs12": "p"}], {"certificate": "c"}),
        ([{"key": "k"}, {"certificate": "c"}], {"key": "k", "certificate": "c"}),
        ([{"passphrase_env": "E"}, {"passphrase": "p"}], {"passphrase_env": "E"}),
        ([{}, {"passphrase": "p"}, {"passphrase_env": "E"}], {"passphrase": "p"}),
        ([{"environment": "a"}, {}, {"upload_origin": "u"}], {"environment": "a"}),
    ],
)
def test_the_nearer_layer_wins_and_silences_rivals(layers: list[dict[str, str]], joined: dict[str, str]) -> None:
    """A setting is taken from the nearest layer that has it, and what contradicts it further away is dropped."""
    assert layered(*layers) == joined


def test_options_over_variables_over_profile(sealed: Credentials) -> None:
    """Each place gives what the nearer ones leave out; paths of a profile count from its file."""
    Path("aiomar.toml").write_text(
        '[night]\nenvironment = "production"\npkcs12 = "client.p12"\nconcurrency = 2\nstate_dir = "state"\n'
        'passphrase_env = "NIGHT"\n',
        encoding="utf-8",
    )
    environ = {"AIOMAR_ENVIRONMENT": "staging", "AIOMAR_CONCURRENCY": "3", "NIGHT": "open sesame"}
    nearest = configure(Connection(profile="night", environment="test"), environ=environ, ask=None, concurrency=4)
    assert (nearest.environment.name, nearest.concurrency) == ("test", 4)
    middle = configure(Connection(profile="night"), environ=environ, ask=None)
    assert (middle.environment.name, middle.concurrency) == ("staging", 3)
    furthest = configure(Connection(profile="night"), environ={"NIGHT": "open sesame"}, ask=None)
    assert (furthest.environment.name, furthest.concurrency, furthest.state_dir) == ("production", 2, "state")
    assert furthest.identity.subject == middle.identity.subject


def test_a_profile_is_read_only_when_it_is_named(sealed: Credentials) -> None:
    """A file that happens to lie in the working directory sends nothing anywhere."""
    Path("aiomar.toml").write_text('[default]\nenvironment = "production"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="--environment, or --upload-origin and --download-origin"):
        configure(Connection(pkcs12=sealed.pkcs12), environ={}, ask=None)


@pytest.mark.parametrize("option", ["pkcs12", "certificate", "key"])
def test_a_missing_file_is_a_mistake_in_the_options(option: str, sealed: Credentials) -> None:
    """Not a bad certificate: there is none to look at."""
    nowhere = Path("nowhere.pem")
    connection = {
        "pkcs12": Connection(environment="test", pkcs12=nowhere),
        "certificate": Connection(environment="test", certificate=nowhere),
        "key": Connection(environment="test", certificate=sealed.certificate, key=nowhere),
    }[option]
    with pytest.raises(ConfigError, match=f"--{option}: there is no file 'nowhere.pem'"):
        configure(connection, environ={}, ask=None)


def test_a_named_variable_must_be_set(sealed: Credentials) -> None:
    """--passphrase-env names a variable, and a misspelt one is no empty passphrase."""
    with pytest.raises(ConfigError, match="NOWHERE"):
        configure(Connection(environment="test", pkcs12=sealed.pkcs12, passphrase_env="NOWHERE"), environ={}, ask=None)


@pytest.mark.parametrize("form", ["pkcs12", "pem"])
def test_a_person_is_asked_only_if_it_is_needed(form: str, sealed: Credentials) -> None:
    """One question where the certificate is sealed and nothing else gives the passphrase."""
    asked: list[str] = []

    def ask() -> str:
        asked.append("Passphrase?")
        return "open sesame"

    connection = {
        "pkcs12": Connection(environment="test", pkcs12=sealed.pkcs12),
        "pem": Connection(environment="test", certificate=sealed.certificate, key=sealed.key),
    }[form]
    configure(connection, environ={"AIOMAR_PASSPHRASE": "open sesame"}, ask=ask)
    assert asked == []
    configure(connection, environ={}, ask=ask)
    assert asked == ["Passphrase?"]
    with pytest.raises(IdentityError) as caught:
        configure(connection, environ={}, ask=None)
    assert caught.value.kind == "passphrase"


def test_a_wrong_passphrase_is_not_asked_again(sealed: Credentials) -> None:
    """Who gives one means it."""
    with pytest.raises(IdentityError) as caught:
        configure(
            Connection(environment="test", pkcs12=sealed.pkcs12), environ={"AIOMAR_PASSPHRASE": "no"}, ask=lambda: "x"
        )
    assert caught.value.kind == "passphrase"
