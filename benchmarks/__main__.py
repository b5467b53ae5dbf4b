"""``python -m benchmarks``: run contenders in shuffled rounds and print what came out.

A missed goal is printed and never an exit code: time depends on the machine.  A contender that fails, or that leaves
the wrong files, is one.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import attrs

from benchmarks import durability, flat, table
from benchmarks.contenders import Found, discover
from benchmarks.machine import describe
from benchmarks.measure import ContenderError, Measurement, measure
from benchmarks.report import Section, render
from benchmarks.server import Server, find_nginx, nginx
from benchmarks.workloads import WORKLOADS, Workload

_TMPFS = Path("/dev/shm")  # noqa: S108 - the point: memory instead of a disk; a folder of our own is made in it
_OURSELVES = "aiomar"
_TERMS = (
    "Everyone shows the same client certificate to the same server, verifies the server's and keeps connections open. "
    "aiomar hashes, judges, syncs, renames and catalogues each file; the others only write what comes."
)


def say(text: str) -> None:
    """Tell the person who waits; the report goes to standard output."""
    sys.stderr.write(text + "\n")


def scratch_folder(wanted: Path | None = None) -> Path:
    """Give the folder for bodies and output: memory unless another is wanted."""
    return wanted or (_TMPFS if _TMPFS.is_dir() else Path(tempfile.gettempdir()))


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure aiomar beside curl and peers.")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each workload but M (default 5)")
    parser.add_argument("--only", type=lambda text: set(text.upper().split(",")), help="workloads, like A,B")
    parser.add_argument("--contenders", type=lambda text: set(text.split(",")), help="names, like curl,aiomar")
    parser.add_argument("--scratch", type=Path, help="where bodies and output go (default: memory)")
    parser.add_argument("--json", type=Path, help="write every measurement to this file")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    return parser.parse_args(arguments)


@attrs.define(kw_only=True)
class _Run:
    """One call of the program: what takes part, and what has come out so far."""

    found: Found
    rounds: int
    only: set[str] | None
    scratch: Path
    measurements: list[Measurement] = attrs.field(factory=list)
    sections: list[Section] = attrs.field(factory=list)
    failures: list[str] = attrs.field(factory=list)

    def wants(self, letter: str) -> bool:
        """Whether a workload is asked for."""
        return self.only is None or letter in self.only

    def all(self, program: str) -> None:
        """Run everything that is asked for, one workload after the other."""
        with (
            tempfile.TemporaryDirectory(prefix="aiomar-benchmarks-", dir=self.scratch) as folder,
            nginx(program, Path(folder)) as server,
        ):
            for workload in WORKLOADS:
                if not self.wants(workload.key):
                    continue
                if shutil.disk_usage(self.scratch).free < workload.scratch_bytes:
                    say(f"skipped: {workload.key} needs {workload.scratch_bytes >> 20} MB in {self.scratch}")
                    continue
                with server.serving(workload):
                    self._workload(workload, server)
        if self.wants(durability.LETTER) and _OURSELVES in self.found.contenders:
            say(f"{durability.LETTER}: durability")
            places = [self.scratch, Path(tempfile.gettempdir()), Path.cwd()]
            self.sections.append(durability.section(places, rounds=self.rounds))

    def _workload(self, workload: Workload, server: Server) -> None:
        if workload.flat:
            if _OURSELVES in self.found.contenders:
                say(f"{workload.key}: short and long ranges")
                try:
                    self.sections.append(flat.section(workload, server, rounds=self.rounds))
                except ContenderError as error:
                    self._failed(f"{workload.key}: FAILED: {error}")
            return
        able = [each for each in self.found.contenders.values() if workload.key in each.workloads]
        for number in range(1, 2 if workload.growth_goal else self.rounds + 1):
            for contender in random.sample(able, len(able)):
                try:
                    result = measure(contender, self.found.modules[contender.name], workload, server, number=number)
                except ContenderError as error:
                    self._failed(f"{workload.key} round {number}: FAILED: {error}")
                    continue
                say(f"{workload.key} round {number}: {contender.name} {result.inner_s:.2f} s")
                self.measurements.append(result)
        if section := table.section(workload, self.measurements, self.found.contenders):
            self.sections.append(section)

    def _failed(self, text: str) -> None:
        say(text)
        self.failures.append(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; 0 unless a contender failed."""
    options = _arguments(arguments)
    program = find_nginx()
    if program is None:
        return 0
    found = discover()
    for reason in found.skipped:
        say(reason)
    if options.contenders:
        found = attrs.evolve(
            found, contenders={name: each for name, each in found.contenders.items() if name in options.contenders}
        )
    run = _Run(found=found, rounds=options.rounds, only=options.only, scratch=scratch_folder(options.scratch))
    run.all(program)
    machine = describe(program, found.contenders.values(), run.scratch)
    parts = [machine, _TERMS, render(run.sections), *found.skipped, *run.failures]
    report = "\n\n".join(parts) + "\n"
    sys.stdout.write(report)
    if options.markdown:
        options.markdown.write_text(report)
    if options.json:
        everything = {
            "machine": machine,
            "measurements": [attrs.asdict(each) for each in run.measurements],
            "sections": [attrs.asdict(each) for each in run.sections],
        }
        options.json.write_text(json.dumps(everything, indent=1) + "\n")
    return 1 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
