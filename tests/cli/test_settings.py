"""Options over environment variables over a profile."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomar import ConfigError, IdentityError
from aiomar.cli._config_facts import KEYS
from aiomar.cli._layers import Layer, layered, values
from aiomar.cli._options import Connection
from aiomar.cli._settings import configure
from aiomar.testing import Authority, Credentials


@pytest.fixture
def sealed(omar_authority: Authority, tmp_path: Path) -> Credentials:
    """Files of a client under a passphrase, in the working directory."""
    return omar_authority.write(tmp_path, "open sesame")


def joined(*layers: dict[str, str]) -> dict[str, str]:
    """Give the values that count, of places that are called by their numbers."""
    return values(layered(*(Layer(layer, "place", f"{{}} of {number}".format) for number, layer in enumerate(layers))))


@pytest.mark.parametrize(
    ("layers", "counting"),
    [
        ([{"proxy": "a"}, {"proxy": "b", "key": "k"}], {"proxy": "a", "key": "k"}),
        ([{"environment": "test"}, {"upload_origin": "u", "download_origin": "d"}], {"environment": "test"}),
        ([{"upload_origin": "u"}, {"download_origin": "d", "environment": "test"}], {"upload_origin": "u"}),
        ([{"upload_origin": "u", "download_origin": "d"}], {"upload_origin": "u", "download_origin": "d"}),
        ([{"pkcs12": "p"}, {"certificate": "c", "key": "k"}], {"pkcs12": "p"}),
        ([{"certificate": "c"}, {"key": "k", "pkcs12": "p"}], {"certificate": "c"}),
        ([{"key": "k"}, {"certificate": "c"}], {"key": "k", "certificate": "c"}),
        ([{"key": "k"}, {"pkcs12": "p"}, {"certificate": "c"}], {"key": "k", "certificate": "c"}),
        ([{"passphrase_env": "E"}, {"passphrase": "p"}], {"passphrase_env": "E"}),
        ([{}, {"passphrase": "p"}, {"passphrase_env": "E"}], {"passphrase": "p"}),
        ([{"passphrase_keyring": "a/b"}, {"passphrase": "p"}, {"passphrase_env": "E"}], {"passphrase_keyring": "a/b"}),
        ([{"passphrase": "p"}, {"passphrase_keyring": "a/b"}], {"passphrase": "p"}),
        ([{"environment": "a"}, {}, {"upload_origin": "u"}], {"environment": "a"}),
    ],
)
def test_the_nearer_layer_wins_and_silences_rivals(layers: list[dict[str, str]], counting: dict[str, str]) -> None:
    """A setting is taken from the nearest layer that has it, and what contradicts it further away is dropped."""
    assert joined(*layers) == counting


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), st.text()), max_size=4))
def test_layers_never_contradict_each_other(layers: list[dict[str, str]]) -> None:
    """Of two settings from different places that count, neither silences the other; what is silenced says by what."""
    found = layered(*(Layer(layer, "place", f"{{}} of {number}".format) for number, layer in enumerate(layers)))
    assert len(found) == sum(map(len, layers))
    counting = {setting.source for setting in found if setting.silenced_by is None}
    assert {setting.silenced_by for setting in found} - {None} <= counting
    assert len(values(found)) == len(counting)


def test_options_over_variables_over_profile(sealed: Credentials, tmp_path: Path) -> None:
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
    assert (furthest.environment.name, furthest.concurrency) == ("production", 2)
    assert furthest.state_dir == str(tmp_path / "state")
    assert furthest.identity.subject == middle.identity.subject


def test_messages_name_where_a_value_came_from() -> None:
    """An option, a variable or a key of a profile: whoever mends it need not look for it."""
    Path("aiomar.toml").write_text('[night]\npkcs12 = "gone.p12"\n', encoding="utf-8")
    environ = {"AIOMAR_ENVIRONMENT": "tset"}
    with pytest.raises(ConfigError, match="AIOMAR_ENVIRONMENT must be one of"):
        configure(Connection(profile="night"), environ=environ, ask=None)
    with pytest.raises(ConfigError, match=r"pkcs12 in \[night\]: there is no file"):
        configure(Connection(profile="night", environment="test"), environ=environ, ask=None)


def test_nothing_says_which_server(sealed: Credentials) -> None:
    """There is no default: the error names the ways to say it."""
    with pytest.raises(ConfigError, match="--environment, or --upload-origin and --download-origin, or a --profile"):
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
    with pytest.raises(IdentityError, match="in AIOMAR_PASSPHRASE, or by --passphrase-env or") as caught:
        configure(connection, environ={}, ask=None)
    assert caught.value.kind == "passphrase"


def test_a_wrong_passphrase_is_not_asked_again(sealed: Credentials) -> None:
    """Who gives one means it."""
    with pytest.raises(IdentityError) as caught:
        configure(
            Connection(environment="test", pkcs12=sealed.pkcs12), environ={"AIOMAR_PASSPHRASE": "no"}, ask=lambda: "x"
        )
    assert caught.value.kind == "passphrase"


def test_an_entry_of_the_keyring_instead_of_a_variable(sealed: Credentials) -> None:
    """--passphrase-keyring comes before AIOMAR_PASSPHRASE, and nobody is asked for what it gives or does not give."""
    pytest.importorskip("keyring", reason="the extra keyring is not installed")
    from tests.support.keyrings import OneEntry, using  # noqa: PLC0415 - needs the extra

    def ask() -> str:
        pytest.fail("a person was asked")

    environ = {"AIOMAR_PASSPHRASE": "another one"}
    named = Connection(environment="test", pkcs12=sealed.pkcs12, passphrase_keyring="aiomar/test/me")
    with using(OneEntry):
        assert configure(named, environ=environ, ask=ask).identity.subject
        with pytest.raises(ConfigError, match="keyring set aiomar nobody"):
            configure(attrs.evolve(named, passphrase_keyring="aiomar/nobody"), environ=environ, ask=ask)
    with pytest.raises(ConfigError, match="--passphrase-keyring must be the name of an entry"):
        configure(attrs.evolve(named, passphrase_keyring="me"), environ=environ, ask=ask)
