"""How many downloads may be under way at once, as arithmetic: no event loop, no clock.

The strategy is that of TCP, with places in place of packets and one round of answers in place of a round-trip time:

- *Additive increase, multiplicative decrease*: one place more a round, three tenths less at a sign of trouble (Chiu and
  Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance in Computer Networks", 1989; the
  factor 0.7 is that of CUBIC, RFC 9438).  At most one decrease a round: an answer to a question that was asked before
  the last decrease says nothing about the limit since.
- *Slow start* (Jacobson, "Congestion Avoidance and Control", 1988): until the first sign one place more for each
  success, which doubles the limit every round.
- *Only a limit that is used grows*: one that was full at some time while the answer was waited for.  What is cut of a
  limit that is not used is what was in use, up to a half (congestion window validation, RFC 7661).
- *Late answers are a sign as well* (TCP Vegas: Brakmo and Peterson, 1995).  Answers differ in kind, so one window of
  them is compared with the calm ones before: it is late when even its faster quarter is slower than their median.  That
  has to be so twice, and then a decrease is an experiment: if the answers come no sooner, the limit was not why, and
  it is given back; if they do, the next decrease follows.  Such an experiment is made in calm times too, now and then
  and ever more seldom, as a queue of our own making that was there from the start cannot be seen otherwise (BBR looks
  for its shortest round-trip time in that way).
- *Below the level of the last trouble it stays a while* before it tries that level again, and longer after each vain
  try, as CUBIC does around its last maximum: every try costs somebody a refusal.
"""

from __future__ import annotations

import math
from typing import Final

from aiomar.transfer._events import LimitReason

_FIRST: Final = 16
"""Where slow start begins: 400 answers at 32 places take 13 rounds from here, as they do with 32 from the start."""
_KEPT: Final = 0.7
_WINDOW: Final = 16
"""The fewest answers that are judged together; a round, where that is more."""
_LATER: Final = 1.25
"""By what factor answers must be late."""
_LATE: Final = 0.05
"""Seconds that they must be late by: so long our own loop may keep an answer waiting."""
_SOONER: Final = 0.8
"""What three tenths fewer places must leave of the wait: where less of the cut comes back as speed, the server does
more with more places."""
_LULL: Final = 32
"""Windows without a sign before an experiment; twice as many after each vain one."""
_LONGEST_LULL: Final = 256
_PATIENCE: Final = 8
"""Rounds before the level of the last trouble is tried again."""
_MOST_PATIENCE: Final = 64


class Limit:
    """A limit that adapts, and the places that are taken under it.

    Args:
        most: what it never exceeds; at least 1.

    Attributes:
        most: as given.
        whole: how many places there are now.
        taken: how many of them are in use; after a decrease it can be more than `whole` for a while.
    """

    __slots__ = (
        "_asked",
        "_begun",
        "_calm",
        "_ceiling",
        "_doubling",
        "_enough",
        "_full",
        "_lull",
        "_patience",
        "_rest",
        "_size",
        "_skipped",
        "_suspect",
        "_trial",
        "_waits",
        "most",
        "taken",
        "whole",
    )

    def __init__(self, most: int) -> None:
        self.most = most
        self.whole = min(most, _FIRST)
        self.taken = 0
        self._size = float(self.whole)
        self._begun = 0
        self._asked = 0  # the number of the last attempt before the last decrease
        self._full = 0  # the number of the last attempt that took the last place
        self._doubling = True
        self._ceiling = math.inf  # the level of the last trouble
        self._patience = _PATIENCE
        self._calm: float | None = None
        self._suspect = False  # the last window was late; the next one decides
        self._trial: tuple[float, float, float] | None = None  # an experiment: limit, quarter and median before it
        self._waits: list[float] = []
        self._enough = _WINDOW
        self._skipped = 0
        self._lull = self._rest = _LULL  # windows until the next experiment

    def begin(self) -> int:
        """Take a place; gives the attempt's number."""
        self.taken += 1
        self._begun += 1
        if self.taken >= self.whole:
            self._full = self._begun
        return self._begun

    def end(self) -> None:
        """Give a place back; what came of the attempt is said before."""
        self.taken -= 1

    def well(self, number: int, waited: float) -> LimitReason | None:
        """Note a success.

        Args:
            number: the attempt's.
            waited: seconds until its answer began.

        Returns:
            Why the limit is another now; `None` if it is not.
        """
        if number <= self._asked:
            return None
        before = self.whole
        if number <= self._full and before < self.most and not self._suspect and self._trial is None:
            self._grow()
        self._waits.append(waited)
        if len(self._waits) >= self._enough:
            self._look()
        if self.whole == before:
            return None
        return "room" if self.whole > before else "latency"

    def badly(self, number: int) -> bool:
        """Note that the server is busy, or silent; tells whether the limit is another now."""
        if number <= self._asked:
            return False
        before = self.whole
        level = self._size if number <= self._full else max(self._size / 2, min(self._size, self.taken))
        self._trouble_at(int(level))
        self._trial = None
        self._suspect = self._doubling = False
        self._shrink(level * _KEPT)
        return self.whole != before

    def _grow(self) -> None:
        if self._doubling:
            self._set(self._size + 1)
            return
        near = self._ceiling - 1 <= self._size < self._ceiling
        self._set(self._size + 1 / (self._size * (self._patience if near else 1)))
        if self._size >= self._ceiling + 1:
            self._ceiling, self._patience = math.inf, _PATIENCE

    def _set(self, size: float) -> None:
        self._size = min(max(size, 1.0), float(self.most))
        self.whole = int(self._size)

    def _shrink(self, size: float) -> None:
        self._set(size)
        self._asked = self._begun
        # Of what is asked from now on, quick answers come first: a round later they are a fair sample.
        self._next_window(self.whole)

    def _next_window(self, skipped: int = 0) -> None:
        self._waits.clear()
        self._skipped = skipped
        self._enough = max(_WINDOW, self.whole) + skipped

    def _trouble_at(self, level: int) -> None:
        vain = level >= self._ceiling
        self._patience = min(2 * self._patience, _MOST_PATIENCE) if vain else _PATIENCE
        self._ceiling = level

    # --- Latency ------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Judge a window: end an experiment, begin one, doubt, or be content."""
        waits = sorted(self._waits[self._skipped :])
        quarter, median = waits[len(waits) // 4], waits[len(waits) // 2]
        self._next_window()
        if self._trial is not None:
            self._end_trial(self._trial, quarter, median)
            return
        if self._calm is None:
            self._calm = median
        if quarter > max(self._calm * _LATER, self._calm + _LATE):
            self._doubt(quarter, median)
            return
        # Down fast, as that is what the server can do; up slowly, as it may be our own queue.
        self._calm += (median - self._calm) / (2 if median < self._calm else 16)
        self._suspect = False
        self._doubling = self._doubling and self._size < self.most
        self._rest -= 1
        if self._rest <= 0 and median > _LATE:
            self._begin_trial(quarter, median)

    def _doubt(self, quarter: float, median: float) -> None:
        """Grow no more until the next window is there too; slow start ends, and its last doubling is taken back."""
        if self._suspect:
            self._begin_trial(quarter, median)
        elif self._doubling:
            self._doubling = False
            self._shrink(max(self._size / 2, min(self._size, _FIRST)))
        self._suspect = True

    def _begin_trial(self, quarter: float, median: float) -> None:
        self._trial = self._size, quarter, median
        self._doubling = False
        self._shrink(self._size * _KEPT)

    def _end_trial(self, trial: tuple[float, float, float], quarter: float, median: float) -> None:
        """Keep the lower limit if answers come sooner, and go on; else give it back, and this is the new calm."""
        size, quarter_before, median_before = trial
        sooner = quarter <= quarter_before * _SOONER and median <= median_before * _SOONER
        if sooner and self.whole < int(size):
            self._trouble_at(int(size))
            self._begin_trial(quarter, median)
            return
        self._trial, self._suspect = None, False
        self._calm = median
        self._set(size)
        self._next_window()
        self._rest = self._lull = min(2 * self._lull, _LONGEST_LULL)
