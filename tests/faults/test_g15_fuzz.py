"""G15: no page that a server can send crashes, hangs or confuses what reads it.

Pages, headers and bodies are mutated from samples and go through the readers as answers to uploads, downloads and
logins do.  That happens in children, so that a crash of the HTML parser is a figure here and not the end of the run.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from tests.support.gates import Gate

ROOT = Path(__file__).parents[2]
PARTS = 8
DEADLINE = 3_600.0
"""Seconds that a child may take in all; a page that hangs uses processor time and ends its child long before."""
MOST_DEATHS = 10
MODULE = ("-m", "tests.support.fuzzed")


@attrs.define
class Findings:
    """What came out of some pages."""

    read: int = 0
    bad: int = 0
    examples: list[str] = attrs.field(factory=list)

    def died(self, number: int, code: int) -> None:
        """Note a child that did not live to its end."""
        hung = code == -signal.SIGPROF
        self.bad += 1
        self.examples.append(f"page {number} {'hangs' if hung else f'ends the process with {code}'}")


def fuzz(program: tuple[str, ...], seed: str, count: int, place: Path) -> Findings:
    """Have children read so many pages; one that dies of a page is followed by one that begins behind it."""
    found, first = Findings(), 0
    while first < count and found.bad < MOST_DEATHS:
        place.write_bytes(bytes(8))
        arguments = [sys.executable, *program, seed, str(first), str(count - first), str(place)]
        child = subprocess.run(arguments, cwd=ROOT, capture_output=True, timeout=DEADLINE, check=False)
        last = int.from_bytes(place.read_bytes(), "little")
        assert last >= first, child.stderr.decode()
        if child.returncode >= 0:
            assert child.returncode == 0, child.stderr.decode()
            told = json.loads(child.stdout)
            found.bad += told["bad"]
            found.examples += told["examples"]
            assert last == count - 1
        else:
            found.died(last, child.returncode)
        found.read += last - first + 1
        first = last + 1
    return found


@pytest.mark.fault(60, 61, 62, 63, 64, 78)
@pytest.mark.gate("G15")
@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_is_read(part: int, gate: Gate, tmp_path: Path) -> None:
    """No crash, no page that takes more than two seconds, nothing raised that is not ours, nothing said unescaped."""
    count = gate.count(ci=100_000, long=10_000_000) // PARTS
    found = fuzz(MODULE, f"{gate.seed} {part}", count, tmp_path / "number")
    gate.record(found.read, found.bad, "mutated answers; bad: crashed, hung, raised or said what they must not")
    assert found.examples == []
    assert found.read == count


TROUBLE = {
    "hangs": "re.compile('(a+)+$').match('a' * 60 + 'b')",
    "ends the process": "os.abort()",
    "ZeroDivisionError": "1 / 0",
}
"""What to do on the third page, in place of reading it; the first never comes back from one call into C."""
_BROKEN = """
import os, re, resource, sys
import tests.support.fuzzed as fuzzed
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
fuzzed.HANG = 0.2
good, counter = fuzzed.READERS[0], iter(range(100))
def reader(*arguments):
    return eval(sys.argv.pop()) if next(counter) == 2 else good(*arguments)
fuzzed.READERS = (reader,)
fuzzed.main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
"""


@pytest.mark.gate("G15")
def test_what_is_looked_for_is_found(gate: Gate, tmp_path: Path) -> None:
    """A reader that hangs in C, one that kills its process and one that raises are each noticed and named."""
    seen = 0
    for trouble, code in TROUBLE.items():
        program = ("-c", _BROKEN.replace("sys.argv.pop()", repr(code)))
        found = fuzz(program, "7", 3, tmp_path / "number")
        assert (found.read, found.bad) == (3, 1)
        assert trouble in found.examples[0]
        assert "page 2" in found.examples[0]
        seen += 1
    gate.record(seen, 0, "kinds of trouble that are made, and noticed")
