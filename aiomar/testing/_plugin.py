"""Fixtures for tests of programs that use aiomar: a server, and what leads a client or another process to it.

pytest loads this file in every run where aiomar is installed, so it imports nothing of aiomar, which is large, nor of
the extra, which may be missing; and both packages around it load their names when they are asked for.  The fixtures
import what they need when a test asks for them.

The server runs in a thread of its own: so it serves synchronous tests, other processes and every event loop alike, and
goes on while a test blocks.  Only the open client needs the loop of the test.  Its fixture runs under pytest-asyncio in
either of its modes; without it, it is a plain asynchronous fixture, for another plugin that runs those.
"""
# ruff: noqa: PLC0415 - see above

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
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


@pytest.fixture
def omar_server(omar_authority: Authority) -> Iterator[OmarServer]:
    """A running embedded OMAR-Online of the test's own; a scripted fault that never fired fails the test."""
    from aiomar.testing import OmarServer, in_thread

    with in_thread(OmarServer(authority=omar_authority)) as server:
        yield server


@pytest.fixture
def omar_environ(omar_server: OmarServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The ``AIOMAR_*`` variables that lead another process to that server, with a ledger of the test's own."""
    return omar_server.environ(tmp_path_factory.mktemp("omar"))


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
