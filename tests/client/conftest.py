"""Fixtures of the client's tests: the plugin's own, made cheap."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from aiomar import ClientIdentity, OmarConfig
from aiomar.testing import Authority, OmarServer


@pytest.fixture(autouse=True)
def no_system_authorities(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system trust nobody: reading its 150 authorities takes longer than most tests."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path_factory.getbasetemp() / "nobody.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path_factory.getbasetemp() / "nobody"))


@pytest.fixture(scope="session")
def omar_identity(omar_authority: Authority) -> ClientIdentity:
    """The client's certificate; opening a PKCS#12 file is slow on purpose, so it is done once."""
    return ClientIdentity.from_pkcs12(omar_authority.pkcs12())


@pytest.fixture
def omar_config(
    omar_server: OmarServer, omar_identity: ClientIdentity, tmp_path_factory: pytest.TempPathFactory
) -> OmarConfig:
    """As the plugin's: repeats come almost at once, and each test has its own ledger."""
    state_dir = tmp_path_factory.mktemp("state")
    config = OmarConfig(omar_identity, omar_server.environment, trust=omar_server.trust, state_dir=state_dir)
    return attrs.evolve(config, retry=attrs.evolve(config.retry, first_wait=0.001, longest_wait=0.002))


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A directory with three files that keep to every rule."""
    directory = tmp_path / "sources"
    directory.mkdir()
    for number in (1, 2, 3):
        (directory / f"file{number}.csv").write_bytes(b"id,value\r\n" * number)
    return directory
