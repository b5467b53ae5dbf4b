"""What is wrong with a directory of data, in words that the terminal and the page have in common: bad news first."""

from __future__ import annotations

from collections.abc import Iterator

from aiomar.report._coverage_values import Coverage


def counted(count: int, one: str, many: str | None = None) -> str:
    """Write a number and what it counts: ``1 gap``, ``2,000 gaps``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def missing_words(coverage: Coverage) -> str:
    """Say how many intervals are missing; of a meter without a channel that is known it is one channel's, at least."""
    least = "at least " if coverage.unread_meters or coverage.unread_groups else ""
    verb = "is" if coverage.totals.missing == 1 else "are"
    return f"{least}{coverage.totals.missing:,} of {counted(coverage.totals.expected, 'interval')} {verb} missing"


def other_faults(coverage: Coverage) -> Iterator[str]:
    """Say what else keeps a directory from being complete."""
    unread = []
    if coverage.unread_meters:
        unread.append(f"of {coverage.unread_meters:,} of {counted(coverage.meter_count, 'meter')}")
    if coverage.unread_groups:
        unread.append(f"of {counted(coverage.unread_groups, 'group')}")
    if unread:
        yield f"nothing {' and '.join(unread)} could be read"
    if coverage.totals.conflicts:
        verb = "differs between its copies" if coverage.totals.conflicts == 1 else "differ between their copies"
        yield f"{counted(coverage.totals.conflicts, 'interval')} {verb}"
    gone = sum(problem.gone for problem in coverage.problems)
    unreadable = sum(problem.path is not None for problem in coverage.problems) - gone
    files = counted(coverage.files + unreadable + gone, "file")
    if unreadable:
        yield f"{unreadable:,} of {files} cannot be read"
    if gone:
        yield f"{gone:,} of {files} {'is' if gone == 1 else 'are'} gone"


def extent_words(coverage: Coverage) -> str:
    """Say how many meters and channels there are, and of how many groups it is not known which they have."""
    meters, groups = coverage.meter_count, coverage.unread_groups
    things = [counted(meters, "meter"), counted(coverage.channel_count, "channel")] if meters or not groups else []
    return ", ".join([*things, counted(groups, "group")] if groups else things)
