"""Fixtures for tests of programs that use aiomar: ``omar_server``, ``omar_config`` and ``omar_client``.

pytest loads this file in every run where aiomar is installed, so it imports nothing of the extra, which may be missing;
the fixtures import what they need when a test asks for them.  The asynchronous ones run under pytest-asyncio in either
of its modes; without it they are plain fixtures, for another plugin that runs asynchronous ones.
"""
# ruff: noqa: PLC0415 - see above: imports belong to the fixtures here

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import pytest

async_fixture: Callable[..., Any] = pytest.fixture
with contextlib.suppress(ImportError):
    import pytest_asyncio

    async_fixture = pytest_asyncio.fixture

if TYPE_CHECKING:
    from aiomar import OmarClient, OmarConfig
    from aiomar.testing import Authority, OmarServer


@pytest.fixture(scope="session")
def omar_authority() -> Authority:
    """One certificate authority for the whole run; override it to bring your own."""
    from aiomar.testing import Authority

    return Authority()


@async_fixture
async def omar_server(omar_authority: Authority) -> AsyncIterator[OmarServer]:
    """A running embedded OMAR-Online of the test's own; a scripted fault that never fired fails the test."""
    from aiomar.testing import OmarServer

    async with OmarServer(authority=omar_authority) as server:
        yield server


@pytest.fixture
def omar_config(omar_server: OmarServer, tmp_path_factory: pytest.TempPathFactory) -> OmarConfig:
    """A configuration for that server: requests are repeated almost at once, and each test has its own ledger."""
    from aiomar import OmarConfig, RetryPolicy

    return OmarConfig(
        omar_server.identity(),
        omar_server.environment,
        trust=omar_server.trust,
        retry=RetryPolicy(first_wait=0.01, longest_wait=0.05),
        state_dir=tmp_path_factory.mktemp("state"),
    )


@async_fixture
async def omar_client(omar_config: OmarConfig) -> AsyncIterator[OmarClient]:
    """An open client for that server."""
    from aiomar import OmarClient

    async with OmarClient(omar_config) as client:
        yield client
