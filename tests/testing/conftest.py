"""Clients for the embedded server, with certificates that are made once."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from aiomar.testing import Authority, OmarServer
from tests.testing.wire import Wire


@pytest.fixture(scope="session")
def client_files(omar_authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key of the authority's client."""
    directory = tmp_path_factory.mktemp("client")
    omar_authority.write(directory)
    return directory


@pytest.fixture
def client_context(client_files: Path) -> ssl.SSLContext:
    """TLS settings of a client that the server accepts."""
    context = ssl.create_default_context(cafile=str(client_files / "ca.pem"))
    context.load_cert_chain(client_files / "client.pem", client_files / "client.key")
    return context


@pytest.fixture
def connect(client_context: ssl.SSLContext) -> Callable[[OmarServer], Wire]:
    """Make a client for a server."""
    return lambda server: Wire(server, client_context)


@pytest.fixture
def wire(omar_server: OmarServer, connect: Callable[[OmarServer], Wire]) -> Wire:
    """A client for the test's own server."""
    return connect(omar_server)
