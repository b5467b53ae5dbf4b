"""One file per contender: it names the workloads that it can do and does them; nothing else knows it.

A contender is measured in a process of its own, so that its imports, its memory and its faults are its own.
"""

from __future__ import annotations

import importlib
import pkgutil
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import attrs

from benchmarks.workloads import WORKLOADS, Workload

_QUERY = (
    "requestedFormat=download&datasourceType=SQMD&groupOrMeter=meter&selectedMeters={meter}"
    "&startDate=01%2F01%2F2026&endDate=01%2F01%2F2026&timeType=PST&fileFormat=MDEF&group="
)


@attrs.frozen(kw_only=True)
class Job:
    """What a contender is to download, from where, with which certificate, and where to.

    Attributes:
        key: the workload's letter.
        upload_origin: where the login is; only aiomar logs in, the others send `COOKIE` unasked.
        download_origin: where the data are.
        credentials: folder with ``ca.pem``, ``client.pem`` and ``client.key``.
        bodies: folder of the server's own files, for who only reads them.
        output: an empty folder; one file ``*.dat`` for each meter is expected there.
        state: an empty folder for whatever else a contender keeps.
        kept: a folder that lives as long as the workload is served, for what `Contender.prepare` makes.
    """

    key: str
    upload_origin: str
    download_origin: str
    credentials: Path = attrs.field(converter=Path)
    bodies: Path = attrs.field(converter=Path)
    output: Path = attrs.field(converter=Path)
    state: Path = attrs.field(converter=Path)
    kept: Path = attrs.field(converter=Path)

    @property
    def workload(self) -> Workload:
        """The workload in full."""
        return next(workload for workload in WORKLOADS if workload.key == self.key)

    def url(self, meter: str) -> str:
        """Give the address of a meter's file exactly as aiomar asks for it (DL 3.1)."""
        return f"{self.download_origin}/getMDEF.jsp?{_QUERY.format(meter=meter)}"

    def target(self, meter: str) -> Path:
        """Give the path for a meter's file, for who has no naming of its own."""
        return self.output / f"{meter}.dat"


COOKIE = "JSESSIONID=benchmark"

Kind = Literal["aiomar", "python", "binding", "program", "limit"]
"""What a contender is: ourselves; a client in Python; one of C or Rust that Python drives; a program; or no client, but
what a client could at best do."""


@attrs.frozen
class Program:
    """A program that a contender needs.

    Attributes:
        name: as it is called.
        package: of Debian and Ubuntu, that brings it.
        version: arguments that make it say its version.
    """

    name: str
    package: str
    version: tuple[str, ...] = ("--version",)


def _nothing(_: Job) -> None:
    """Prepare nothing."""


@attrs.frozen(kw_only=True)
class Contender:
    """One way to do the work.

    Attributes:
        name: as it stands in the tables.
        kind: what it is.
        workloads: letters of the workloads that it does.
        run: does the whole work of a job; only this is timed.
        prepare: called in a process of its own before each `run`; not timed.
        writes: whether files are to be found in the job's output afterwards; else nothing may be downloaded.
        program: what must be installed.
        distributions: the Python distributions whose versions matter.
        judged: whether the goals are for it.
    """

    name: str
    kind: Kind
    workloads: str
    run: Callable[[Job], None]
    prepare: Callable[[Job], None] = _nothing
    writes: bool = True
    program: Program | None = None
    distributions: tuple[str, ...] = ()
    judged: bool = False

    @property
    def prepares(self) -> bool:
        """Whether there is anything to prepare."""
        return self.prepare is not _nothing


@attrs.frozen
class Found:
    """The contenders that can run here, by name, each with its module, and why others cannot."""

    modules: dict[str, str]
    contenders: dict[str, Contender]
    skipped: list[str]


def discover() -> Found:
    """Import every module beside this one and collect its ``CONTENDERS``."""
    found = Found({}, {}, [])
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            _collect(module.name, found)
    return found


def load(module: str) -> tuple[Contender, ...]:
    """Give the contenders of one module.

    Raises:
        ImportError: when what it needs is not installed.
    """
    contenders: tuple[Contender, ...] = importlib.import_module(f"{__name__}.{module}").CONTENDERS
    return contenders


def _collect(module: str, found: Found) -> None:
    try:
        contenders = load(module)
    except ImportError as error:
        found.skipped.append(f"skipped: {module} ({error})")
        return
    for contender in contenders:
        program = contender.program
        if program and not shutil.which(program.name):
            reason = f"{program.name} not found; on Debian and Ubuntu: apt install {program.package}"
            found.skipped.append(f"skipped: {contender.name} ({reason})")
            continue
        found.modules[contender.name] = module
        found.contenders[contender.name] = contender
