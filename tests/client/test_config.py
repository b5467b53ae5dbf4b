"""A configuration by value, from the environment and from a file: what is wrong with it is said at once."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import attrs
import pytest

from aiomar import (
    PRODUCTION,
    STAGING,
    TEST,
    ClientIdentity,
    ConfigError,
    IdentityError,
    OmarClient,
    OmarConfig,
    RetryPolicy,
    Timeouts,
    Trust,
    UploadLimits,
)
from aiomar.testing import Authority, Credentials, OmarServer
from aiomar.transport import AiohttpTransport, LeanTransport
from tests.client.helpers import data, fetch

PASSPHRASE = "correct horse"
ORIGINS = {"AIOMAR_UPLOAD_ORIGIN": "https://a.example", "AIOMAR_DOWNLOAD_ORIGIN": "https://b.example:444"}


@pytest.fixture(scope="session")
def credentials(omar_authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    """The client's files, under a passphrase."""
    return omar_authority.write(tmp_path_factory.mktemp("credentials"), PASSPHRASE)


@pytest.fixture
def environ(credentials: Credentials) -> dict[str, str]:
    """A good environment."""
    return {
        "AIOMAR_PKCS12": str(credentials.pkcs12),
        "AIOMAR_PASSPHRASE": PASSPHRASE,
        "AIOMAR_ENVIRONMENT": "test",
    }


def toml(directory: Path, text: str) -> Path:
    """Write a file of settings."""
    path = directory / "aiomar.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.clause("SUB 2", "DL 2")
def test_the_three_places() -> None:
    """Production, staging and test are the documents' hosts; uploads on 443, downloads on 444."""
    assert [(place.name, place.upload_origin, place.download_origin) for place in (PRODUCTION, STAGING, TEST)] == [
        ("production", "https://omar-online.caiso.com", "https://omar-online.caiso.com:444"),
        ("staging", "https://omar-onlinestage.caiso.com", "https://omar-onlinestage.caiso.com:444"),
        ("test", "https://omar-onlinetest.caiso.com", "https://omar-onlinetest.caiso.com:444"),
    ]


@pytest.mark.parametrize("place", [PRODUCTION, STAGING, TEST], ids=lambda place: place.name)
def test_from_the_environment(place: object, environ: dict[str, str], credentials: Credentials) -> None:
    """Each place by its name, and every other variable."""
    environ |= {
        "AIOMAR_ENVIRONMENT": getattr(place, "name", ""),
        "AIOMAR_CA_FILE": str(credentials.ca_file),
        "AIOMAR_CONCURRENCY": "3",
        "AIOMAR_STATE_DIR": "/var/lib/x",
        "AIOMAR_UNKNOWN": "is not looked at",
    }
    config = OmarConfig.from_env(environ)
    assert config.environment == place
    assert config.trust == Trust(ca_file=str(credentials.ca_file))
    assert (config.concurrency, config.state_dir) == (3, "/var/lib/x")
    assert PASSPHRASE not in repr(config)


def test_from_the_environment_with_pem_and_origins(credentials: Credentials) -> None:
    """Certificate and key as PEM, any place by its two origins; what is empty counts as not set."""
    config = OmarConfig.from_env(
        ORIGINS
        | {
            "AIOMAR_CERTIFICATE": str(credentials.certificate),
            "AIOMAR_KEY": str(credentials.key),
            "AIOMAR_PASSPHRASE": PASSPHRASE,
            "AIOMAR_PKCS12": "",
            "AIOMAR_ENVIRONMENT": "",
        }
    )
    assert (config.environment.upload_origin, config.environment.download_origin) == tuple(ORIGINS.values())
    assert (config.concurrency, config.state_dir, config.trust) == (8, None, Trust())


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"AIOMAR_ENVIRONMENT": ""}, "AIOMAR_ENVIRONMENT"),
        ({"AIOMAR_ENVIRONMENT": "prod"}, "AIOMAR_ENVIRONMENT"),
        ({"AIOMAR_ENVIRONMENT": "Production"}, "AIOMAR_ENVIRONMENT"),
        (ORIGINS, "AIOMAR_UPLOAD_ORIGIN"),
        ({"AIOMAR_ENVIRONMENT": "", "AIOMAR_UPLOAD_ORIGIN": "https://a.example"}, "AIOMAR_DOWNLOAD_ORIGIN"),
        (ORIGINS | {"AIOMAR_ENVIRONMENT": "", "AIOMAR_UPLOAD_ORIGIN": "http://a.example"}, "https"),
        ({"AIOMAR_PKCS12": ""}, "AIOMAR_PKCS12"),
        ({"AIOMAR_CERTIFICATE": "x.pem"}, "AIOMAR_CERTIFICATE"),
        ({"AIOMAR_CONCURRENCY": "many"}, "AIOMAR_CONCURRENCY"),
        ({"AIOMAR_CONCURRENCY": "-1"}, "AIOMAR_CONCURRENCY"),
        ({"AIOMAR_CONCURRENCY": "٣"}, "AIOMAR_CONCURRENCY"),
        ({"AIOMAR_CONCURRENCY": "9" * 5_000}, "AIOMAR_CONCURRENCY"),
        ({"AIOMAR_CONCURRENCY": "0"}, "concurrency"),
    ],
    ids=lambda value: str(value)[:70],
)
def test_a_wrong_environment(change: dict[str, str], names: str, environ: dict[str, str]) -> None:
    """A variable that is missing, unknown or contradicts another is named, and no place is a default."""
    with pytest.raises(ConfigError, match=names) as caught:
        OmarConfig.from_env(environ | change)
    assert PASSPHRASE not in str(caught.value)


def test_a_wrong_passphrase_is_not_shown(environ: dict[str, str]) -> None:
    """It is an `IdentityError` that says what is wrong and not with what."""
    with pytest.raises(IdentityError) as caught:
        OmarConfig.from_env(environ | {"AIOMAR_PASSPHRASE": "canary"})
    assert caught.value.kind == "passphrase"
    assert "canary" not in f"{caught.value} {caught.value!r}"


def test_from_a_file(credentials: Credentials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every key of a profile; relative paths count from the file's directory."""
    for path in (credentials.pkcs12, credentials.ca_file):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setenv("MY_PASSPHRASE", PASSPHRASE)
    path = toml(
        tmp_path,
        '[default]\nenvironment = "staging"\npkcs12 = "client.p12"\npassphrase_env = "MY_PASSPHRASE"\n'
        'ca_file = "ca.pem"\nproxy = "http://proxy.example:3128"\nconcurrency = 5\nstate_dir = "state"\n'
        f'[other]\nupload_origin = "https://a.example"\ndownload_origin = "https://b.example:444"\n'
        f'certificate = "{credentials.certificate}"\nkey = "{credentials.key}"\npassphrase_env = "MY_PASSPHRASE"\n',
    )
    config = OmarConfig.from_toml(path)
    assert config.environment == STAGING
    assert config.trust == Trust(ca_file=str(tmp_path / "ca.pem"))
    assert (config.proxy, config.concurrency) == ("http://proxy.example:3128", 5)
    assert config.state_dir == str(tmp_path / "state")
    other = OmarConfig.from_toml(str(path), "other")
    assert (other.environment.upload_origin, other.proxy, other.concurrency) == ("https://a.example", None, 8)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[default]\nenvironment = "test"\npassphrase = "canary"\n', "unknown keys"),
        ('[default]\nenvironment = "test"\nverify = false\n', "unknown keys"),
        ('[default]\nenvironment = "test"\nconcurrency = "5"\n', "concurrency"),
        ('[default]\nenvironment = "test"\nconcurrency = true\n', "concurrency"),
        (
            '[default]\nenvironment = "test"\nconcurrency = 0\npkcs12 = "{p12}"\npassphrase_env = "PASS"\n',
            "concurrency",
        ),
        ('[default]\nenvironment = "test"\npkcs12 = 5\n', "pkcs12"),
        ('[default]\nenvironment = ["test"]\n', "environment"),
        ('[default]\nenvironment = "test"\npkcs12 = "{p12}"\npassphrase_env = "NOT_SET"\n', "NOT_SET"),
        ('[default]\npkcs12 = "{p12}"\npassphrase_env = "PASS"\n', "environment"),
        ('[default]\nenvironment = "test"\n', "pkcs12"),
        ('[default]\nenvironment = "test"\nproxy = "socks5://x"\npkcs12 = "{p12}"\npassphrase_env = "PASS"\n', "proxy"),
        ('[other]\nenvironment = "test"\n', "default"),
        ("default = 5\n", "default"),
        ("", "default"),
        ("[default\n", "TOML"),
        ("\0", "TOML"),
    ],
)
def test_a_wrong_file(
    text: str, says: str, credentials: Credentials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown keys, wrong types, a passphrase variable that is not set: each is a `ConfigError` that names it."""
    monkeypatch.setenv("PASS", PASSPHRASE)
    monkeypatch.delenv("NOT_SET", raising=False)
    with pytest.raises(ConfigError, match=says) as caught:
        OmarConfig.from_toml(toml(tmp_path, text.replace("{p12}", str(credentials.pkcs12))))
    assert "canary" not in str(caught.value)
    assert PASSPHRASE not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file, a directory, or bytes that are no text are a `ConfigError`."""
    (tmp_path / "latin.toml").write_bytes(b"[default]\nx = '\xff'\n")
    for path in (tmp_path / "missing.toml", tmp_path, tmp_path / "latin.toml"):
        with pytest.raises(ConfigError):
            OmarConfig.from_toml(path)


@pytest.mark.parametrize(
    "arguments",
    [
        {"identity": "client.p12"},
        {"environment": "production"},
        {"trust": True},
        {"timeouts": 5},
        {"retry": 3},
        {"limits": None},
        {"concurrency": 0},
        {"concurrency": 2.5},
        {"concurrency": True},
        {"max_session_age": 60},
        {"max_session_age": dt.timedelta(0)},
        {"proxy": "proxy.example:3128"},
        {"proxy": "https://proxy.example:3128"},
        {"proxy": "http://proxy.example:port"},
        {"proxy": 5},
        {"user_agent": "a\r\nX: y"},
        {"user_agent": ""},
        {"user_agent": "é"},
        {"durable": 1},
        {"max_download_bytes": 0},
        {"lean": None},
        {"lean": 1},
    ],
    ids=repr,
)
def test_a_configuration_checks_itself(arguments: dict[str, object], omar_identity: ClientIdentity) -> None:
    """A value of a wrong type or out of range is a `ConfigError` when the configuration is made."""
    good = OmarConfig(omar_identity, TEST)
    with pytest.raises(ConfigError):
        attrs.evolve(good, **arguments)  # type: ignore[arg-type] # on purpose


@pytest.mark.parametrize(
    "arguments",
    [{"connect": 0}, {"first_byte": -1}, {"read": None}, {"operation": 0}, {"minimum_rate": -1}, {"read": True}],
    ids=repr,
)
def test_timeouts_check_themselves(arguments: dict[str, float]) -> None:
    """Seconds are above zero; only the operation may be without a limit, and only the rate may be 0."""
    with pytest.raises(ConfigError):
        Timeouts(**arguments)
    assert (Timeouts(operation=None).operation, Timeouts(minimum_rate=0).minimum_rate) == (None, 0)


def test_the_documented_defaults(omar_identity: ClientIdentity) -> None:
    """The numbers of the public face."""
    config = OmarConfig(omar_identity, TEST)
    assert config.timeouts == Timeouts(connect=10, first_byte=300, read=60, operation=1800, minimum_rate=1024)
    assert config.retry == RetryPolicy(attempts=3, first_wait=0.5, longest_wait=20, retry_after_cap=60)
    assert config.limits == UploadLimits(max_bytes=512_000, max_name=40, extensions=(".csv", ".dat"))
    assert (config.concurrency, config.max_session_age, config.state_dir, config.proxy) == (8, None, None, None)
    assert (config.user_agent, config.durable, config.trust) == (None, True, Trust())
    assert (config.max_download_bytes, config.lean) == (4 * 1024**3, True)


def test_a_configuration_never_changes(omar_identity: ClientIdentity) -> None:
    """It is frozen, and so is everything in it."""
    config = OmarConfig(omar_identity, TEST)
    for value, name in ((config, "concurrency"), (config.timeouts, "read"), (config.retry, "attempts")):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, name, 1)


@pytest.mark.parametrize(("lean", "way"), [(True, LeanTransport), (False, AiohttpTransport)])
async def test_the_way_of_sending_can_be_chosen(
    *, lean: bool, way: type, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """With ``lean=False`` everything goes through aiohttp's session, and comes out the same."""
    (tmp_path / "x.csv").write_bytes(b"1,2\r\n")
    async with OmarClient(attrs.evolve(omar_config, lean=lean)) as client:
        parts = client._ready()
        assert {type(parts.transport), type(parts.session._transport), type(parts.uploader.courier.transport)} == {way}
        assert type(parts.session._opener.transport) is way
        assert (await fetch(client, tmp_path / "data")).path.read_bytes() == data(omar_server)
        assert (await client.upload(tmp_path / "x.csv")).source_name == "x.csv"


@pytest.mark.clause("SUB 1.2.4", "DL 1.2.4")
@pytest.mark.parametrize("agent", [None, "Mozilla/4.78 [en] (X11; U)"])
async def test_the_user_agent_can_be_set(
    agent: str | None, omar_server: OmarServer, omar_config: OmarConfig, tmp_path: Path
) -> None:
    """By default it is the library's name and version."""
    (tmp_path / "x.csv").write_bytes(b"1,2\r\n")
    async with OmarClient(attrs.evolve(omar_config, user_agent=agent)) as client:
        await fetch(client, tmp_path / "data")
        await client.upload(tmp_path / "x.csv")
    seen = {record.header("User-Agent") for record in omar_server.requests}
    assert len(seen) == 1
    assert seen == {agent} if agent else str(*seen).startswith("aiomar/")


@pytest.mark.fault(14)
async def test_a_configuration_from_the_environment_works(
    environ: dict[str, str], omar_server: OmarServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given the server's addresses and authority, it downloads; proxy variables of the environment are ignored."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    environ |= {
        "AIOMAR_ENVIRONMENT": "",
        "AIOMAR_UPLOAD_ORIGIN": omar_server.environment.upload_origin,
        "AIOMAR_DOWNLOAD_ORIGIN": omar_server.environment.download_origin,
        "AIOMAR_CA_FILE": str(omar_server.ca_file),
    }
    async with OmarClient(OmarConfig.from_env(environ)) as client:
        assert (await fetch(client, tmp_path)).path.read_bytes() == data(omar_server)
