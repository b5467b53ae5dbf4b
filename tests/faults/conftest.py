"""What the gates share: chance and figures, and the cheap fixtures of the client's tests."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.client.conftest import (  # noqa: F401 - fixtures
    no_system_authorities,
    omar_config,
    omar_identity,
    sources,
)
from tests.interop.conftest import ca_file, configure, server_context, server_files  # noqa: F401 - fixtures
from tests.support.gates import Gate, measured

_GATE = pytest.StashKey[Gate]()


@pytest.fixture
def gate(request: pytest.FixtureRequest) -> Iterator[Gate]:
    """Give chance, numbers and a place for figures; see `Gate`."""
    for gate in measured(request):
        request.node.stash[_GATE] = gate
        yield gate


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Fail a gate that recorded nothing, did nothing, or recorded bad cases: a gate that did not fire is not green."""
    result = yield
    if (gate := pyfuncitem.stash.get(_GATE, None)) and gate.complaint:
        pytest.fail(gate.complaint)
    return result
