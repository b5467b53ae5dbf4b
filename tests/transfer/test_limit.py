"""The arithmetic of the limit: its steps one by one, and where it settles with servers of six kinds."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomar.transfer._limit import Limit
from tests.transfer.simulated import History, Queue, Refusing, Server, Thrashing, Varied, run

SEEDS = range(5)
ANSWERS = 4_000


def fill(limit: Limit) -> list[int]:
    """Take every place that is free."""
    return [limit.begin() for _ in range(limit.whole - limit.taken)]


def answer(limit: Limit, numbers: list[int], waited: float = 0.2) -> None:
    """Let attempts succeed."""
    for number in numbers:
        limit.well(number, waited)
        limit.end()


def rounds(limit: Limit, count: int, waited: float = 0.2) -> None:
    """Use the limit to the full for some rounds."""
    for _ in range(count):
        answer(limit, fill(limit), waited)


def refuse(limit: Limit) -> int:
    """Let all but one of a round's attempts be refused; gives the limit."""
    numbers = fill(limit)
    for number in numbers:
        limit.badly(number)
    for _ in numbers:
        limit.end()
    return limit.whole


# --- One step after the other -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "first"), [(1, 1), (8, 8), (16, 16), (64, 16)])
def test_it_begins_with_what_is_allowed_up_to_sixteen(most: int, first: int) -> None:
    """A server that nobody knows yet gets no more than sixteen at once."""
    assert Limit(most).whole == first


def test_it_doubles_each_round_until_the_first_trouble_and_then_adds_one() -> None:
    """Slow start, then additive increase."""
    limit = Limit(200)
    rounds(limit, 2)
    assert limit.whole == 64
    refuse(limit)
    assert limit.whole == 44
    rounds(limit, 2)
    assert limit.whole in {46, 47}


def test_400_answers_at_32_places_take_as_many_rounds_as_with_32_from_the_start() -> None:
    """The slow start costs nothing with a healthy server of 200 ms."""
    limit, left, count = Limit(32), 400, 0
    while left > 0:
        numbers = fill(limit)
        answer(limit, numbers)
        left -= len(numbers)
        count += 1
    assert count == 13


def test_the_signs_of_one_round_are_one_sign() -> None:
    """Sixteen refusals of questions that were asked together cut the limit once, by three tenths."""
    limit = Limit(64)
    assert refuse(limit) == 11
    assert refuse(limit) == 7


def test_an_old_success_says_nothing_about_a_new_limit() -> None:
    """What was asked before a decrease neither raises the limit nor counts as calm."""
    limit = Limit(16)
    numbers = fill(limit)
    limit.badly(numbers[0])
    limit.end()
    answer(limit, numbers[1:])
    assert (limit.whole, limit.taken) == (11, 0)


def test_a_limit_that_is_not_used_does_not_grow() -> None:
    """Half of the places in use prove nothing about twice as many."""
    limit = Limit(64)
    for _ in range(50):
        answer(limit, [limit.begin() for _ in range(8)])
    assert limit.whole == 16


def test_what_is_cut_is_what_was_in_use() -> None:
    """Ten under way at a limit of 64: trouble there leaves 22 places and not 44, then seven."""
    limit = Limit(64)
    rounds(limit, 3)
    assert limit.whole == 64
    numbers = [limit.begin() for _ in range(10)]
    limit.badly(numbers[0])
    assert limit.whole == 22
    limit.badly(limit.begin())
    assert limit.whole == 7


def test_it_waits_longer_and_longer_before_it_tries_the_level_of_the_last_trouble() -> None:
    """Eight rounds at six places, then sixteen, then 32: each try costs a refusal."""
    limit = Limit(64)
    between: list[int] = []
    asked = 0
    while len(between) < 6:
        numbers = fill(limit)
        asked += len(numbers)
        for place, number in enumerate(numbers):
            if place >= 6:
                if limit.badly(number):
                    between.append(asked)
                    asked = 0
            else:
                limit.well(number, 0.2)
        for _ in numbers:
            limit.end()
    assert between[0] == 16
    assert [later > 1.5 * sooner for sooner, later in pairwise(between[3:])] == [True, True]


@pytest.mark.parametrize("late", [0.24, 0.045])
def test_a_little_later_is_not_late(late: float) -> None:
    """Neither a fifth more nor less than 50 ms more is held against the server: our own loop may be slow."""
    limit = Limit(16)
    rounds(limit, 4, late / 1.2 if late > 0.1 else 0.001)
    rounds(limit, 8, late)
    assert limit.whole == 16


def test_answers_that_come_no_sooner_with_fewer_places_give_the_places_back() -> None:
    """A server that became slower for another reason loses a few rounds and no more."""
    limit = Limit(64)
    rounds(limit, 6)
    assert limit.whole == 64
    seen = set()
    for _ in range(12):
        rounds(limit, 1, 0.4)
        seen.add(limit.whole)
    assert seen == {44, 64}
    assert limit.whole == 64


def test_answers_that_come_sooner_with_fewer_places_keep_the_limit_low() -> None:
    """A wait that is all queue goes down with the limit, so the limit goes down until there is no queue."""
    limit = Limit(64)
    rounds(limit, 2, 0.2)
    lowest = 64
    for _ in range(20):
        rounds(limit, 1, 0.2 * max(1.0, limit.whole / 6))
        lowest = min(lowest, limit.whole)
    assert lowest <= 6
    assert limit.whole <= 9


@given(
    most=st.integers(1, 70),
    steps=st.lists(st.tuples(st.sampled_from("bwr"), st.floats(0, 100)), max_size=300),
)
def test_it_stays_between_one_and_what_is_allowed(most: int, steps: list[tuple[str, float]]) -> None:
    """Whatever comes back, in whatever order, and a change is told if and only if there is one."""
    limit = Limit(most)
    running: list[int] = []
    for kind, waited in steps:
        before = limit.whole
        if kind == "b" or not running:
            running += [limit.begin() for _ in range(max(0, limit.whole - limit.taken))]
            continue
        number = running.pop(int(waited) % len(running))
        told = limit.well(number, waited) is not None if kind == "w" else limit.badly(number)
        limit.end()
        assert told == (limit.whole != before)
        assert 1 <= limit.whole <= most
        assert limit.taken == len(running)


# --- Servers ----------------------------------------------------------------------------------------------------------


def histories(make: Callable[[random.Random], Server], most: int = 64) -> list[History]:
    """Run a server with each seed."""
    chances = [random.Random(seed) for seed in SEEDS]  # noqa: S311 - chance that repeats itself is wanted
    return [run(Limit(most), make(chance), ANSWERS, chance) for chance in chances]


def test_a_server_that_refuses_beyond_six_is_used_by_six() -> None:
    """It settles at six, works nearly all the time, and refuses less than one request in a hundred."""
    for history in histories(lambda _: Refusing(6, 0.2)):
        assert 5.5 <= history.settled <= 6.5
        assert sum(history.refused[:300]) <= 20
        assert sum(history.refused) <= ANSWERS / 100
        assert ANSWERS / history.seconds > 0.9 * 6 / 0.21


@pytest.mark.parametrize("most", [16, 64])
def test_a_server_that_thrashes_beyond_six_is_used_by_about_six(most: int) -> None:
    """Nobody is refused, so only the wait tells; also where the first sixteen were too many from the start."""
    for history in histories(lambda _: Thrashing(6, 0.2), most):
        assert 4.5 <= history.settled <= 8
        # 64 at once would give 2.8 a second, two at once 9.5.
        assert ANSWERS / history.seconds > 16


def test_a_queue_before_six_workers_is_kept_short() -> None:
    """All six work all the time, and not many wait before them."""
    for history in histories(lambda _: Queue(6, 0.2)):
        assert 6 <= history.settled <= 12
        assert ANSWERS / history.seconds > 0.9 * 6 / 0.2


@pytest.mark.parametrize("seconds", [0.2, 2.0])
def test_a_healthy_server_with_answers_of_all_kinds_is_used_to_the_full(seconds: float) -> None:
    """Waits that differ by a factor of ten among themselves are no sign of anything."""
    for history in histories(lambda chance: Varied(seconds, chance)):
        assert history.settled > 55


def test_a_server_that_becomes_slower_for_good_is_used_to_the_full_again() -> None:
    """Half the speed from the middle on: the new wait becomes the calm one."""
    for history in histories(lambda chance: Varied(0.2, chance, slower_from=8.0)):
        assert history.settled > 55


def test_a_refusal_now_and_then_does_not_strangle_the_client() -> None:
    """With one of 500 requests refused for no reason, well more than a third of 64 places stay in use."""
    for history in histories(lambda chance: Varied(0.2, chance, refused=0.002)):
        assert history.settled > 24
