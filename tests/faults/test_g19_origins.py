"""G19: no answer and no environment makes the client look up a name or connect beyond its two origins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.gates import Gate

ROOT = Path(__file__).parents[2]


@pytest.mark.gate("G19")
@pytest.mark.fault(14, 34)
def test_no_other_origin(gate: Gate, tmp_path: Path) -> None:
    """Redirects, pages and headers that point elsewhere, and proxies in the environment, lead nowhere."""
    exchanges = gate.count(ci=250, long=4_000)
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.wandering", tmp_path, str(gate.rng.random()), str(exchanges)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        check=True,
        capture_output=True,
        text=True,
    )
    seen = json.loads(done.stdout)
    bad = [*seen["strangers"], *(set(seen["names"]) - {"localhost", "127.0.0.1", "::1"})]
    gate.record(seen["exchanges"], len(bad), "exchanges that point elsewhere")
    assert bad == []  # the two origins and the proxy that was configured are no strangers
    assert seen["visitors"] == 0
    assert seen["own"] == 3
    assert seen["exchanges"] == exchanges
