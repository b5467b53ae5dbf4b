"""Fixtures of the client's tests: the plugin's own, with one identity for all of them."""

from __future__ import annotations

import attrs
import pytest

from aiomar import ClientIdentity, OmarConfig
from aiomar.testing import Authority, OmarServer


@pytest.fixture(scope="session")
def omar_identity(omar_authority: Authority) -> ClientIdentity:
    """The client's certificate; opening a PKCS#12 file is slow on purpose, so it is done once."""
    return ClientIdentity.from_pkcs12(omar_authority.pkcs12())


@pytest.fixture
def omar_config(omar_server: OmarServer, omar_identity: ClientIdentity) -> OmarConfig:
    """As the plugin's: repeats come almost at once."""
    config = OmarConfig(omar_identity, omar_server.environment, trust=omar_server.trust)
    return attrs.evolve(config, retry=attrs.evolve(config.retry, first_wait=0.001, longest_wait=0.002))
