"""Checking MDEF: every gate of the reader with nothing fatal, and what a reader lets pass but a person should know."""

from __future__ import annotations

import attrs

from aiomar.formats._findings import MOST_FINDINGS, Finding, Severity
from aiomar.formats._source import Source, opened
from aiomar.formats._walk import Walk
from aiomar.formats._warnings import warnings
from aiomar.protocol import TimeType


def check_mdef(source: Source, *, clock: TimeType | None = None, name: str | None = None) -> tuple[Finding, ...]:
    """Check an MDEF file: say of everything in it that is wrong or strange where it is, and go on.

    What is broken is an error, exactly where `read_mdef` with the same clock refuses the file; what it reads although
    it should not be so is a warning.  Behind a broken record the check goes on as sensibly as it can, and what follows
    from one damage may be found as well; what is no MDEF at all has one finding.  Memory grows with the largest
    channel, not with the file.

    Args:
        source: a path, bytes, or a binary file.
        clock: the clock that the file was written by; `None` where either will do.
        name: what to call the source in messages; `None` for its path.

    Returns:
        The findings in the order in which the reader meets them, at most 1,000; when there are more, one more says so.
        Nothing: the file is as it should be.

    Raises:
        FormatError: there is no such file.
        DiskError: the operating system refuses to read.
        ConfigError: this machine has no time zone database.
    """
    findings = _Findings()
    with opened(source, name) as data:
        try:
            for warning in warnings(Walk(data, clock, findings.refuse).parts()):
                findings.add(warning)
        except _EnoughError:
            pass
    return findings.all()


class _EnoughError(Exception):
    """So much is wrong that nobody reads on."""


class _Findings:
    """Takes findings until there are enough.

    A file that is refused must have an error among its findings, so one place is kept for the first of them, and
    warnings alone never end a check: they are no longer noted.
    """

    def __init__(self) -> None:
        self._found: list[Finding] = []
        self._refused = False
        self._more: Finding | None = None  # the first that was not noted

    def refuse(self, finding: Finding, _to_do: str) -> None:
        """Take an error; a finding says what is, not what to do."""
        self.add(finding)

    def add(self, finding: Finding) -> None:
        """Take a finding.

        Raises:
            _EnoughError: there are more than anybody wants to know.
        """
        self._refused = self._refused or finding.severity == "error"
        if len(self._found) < MOST_FINDINGS - (not self._refused):
            self._found.append(finding)
        elif self._more is None:
            self._more = finding
        if self._refused and self._more is not None:
            raise _EnoughError

    def all(self) -> tuple[Finding, ...]:
        """Give what was found, and whether there is more."""
        if self._more is None:
            return tuple(self._found)
        words = f"there are more findings, and no more than {MOST_FINDINGS:,} are told"
        severity: Severity = "error" if self._refused else "warning"
        return (*self._found, attrs.evolve(self._more, gate="too_many", severity=severity, words=words))
