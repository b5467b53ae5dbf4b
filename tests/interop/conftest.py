"""What the tests against foreign servers share."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from aiomar import OmarConfig
from tests.support.clients import config_for
from tests.support.pki import Files, pki


@pytest.fixture(scope="session")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of the root that signed servers and, indirectly, clients."""
    return pki().save_root(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def server_files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Give certificate and key of a server on ``localhost``."""
    return pki().server.save(tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="session")
def server_context(server_files: Files, ca_file: Path) -> ssl.SSLContext:
    """Give the standard library's side of mutual TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_files.certificate, server_files.key)
    context.load_verify_locations(ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture(scope="session")
def configure(ca_file: Path) -> Callable[..., OmarConfig]:
    """Make a configuration; see `config_for`."""
    return partial(config_for, ca_file)


@pytest.fixture(autouse=True)
def _no_system_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep OpenSSL from reading the system's authorities, which takes longer than all the rest of a test."""
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
