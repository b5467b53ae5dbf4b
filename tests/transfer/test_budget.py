"""The budget of repeats: what it costs, what it brings, and that it never holds more than it was made with."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aiomar import ConnectError, DeadlineError
from aiomar.transfer import RetryBudget

LOST = ConnectError("lost")
LATE = DeadlineError("late", phase="first_byte")


def test_a_repeat_costs_five_and_one_after_a_timeout_ten() -> None:
    """A hundred tokens pay for twenty repeats, or for ten after timeouts; what is missing is not lent."""
    budget = RetryBudget()
    assert [budget.spend(LOST) for _ in range(21)] == [5] * 20 + [0]
    assert budget.tokens == 0
    budget = RetryBudget()
    assert [budget.spend(LATE) for _ in range(11)] == [10] * 10 + [0]


def test_what_does_not_suffice_for_the_dear_one_suffices_for_the_other() -> None:
    """With nine tokens left there is no repeat after a timeout, but one after anything else."""
    budget = RetryBudget()
    for _ in range(19):
        budget.spend(LOST)
    for _ in range(4):
        budget.earn()
    assert budget.tokens == 9
    assert budget.spend(LATE) == 0
    assert budget.spend(LOST) == 5


def test_success_brings_one_and_its_repeats_back() -> None:
    """After a success that needed repeats the bucket is one fuller than before its first attempt."""
    budget = RetryBudget()
    for _ in range(10):
        budget.spend(LOST)
    budget.earn()
    assert budget.tokens == 51
    spent = budget.spend(LOST) + budget.spend(LATE)
    budget.earn(spent)
    assert budget.tokens == 52


def test_the_transport_pays_like_everybody() -> None:
    """A repeat on a dead connection costs five while there are five, and brings just these back when it was good."""
    budget = RetryBudget()
    assert [budget.spend_on_transport() for _ in range(21)] == [True] * 20 + [False]
    assert budget.tokens == 0
    budget.refund_transport()
    assert budget.tokens == 5
    for _ in range(30):
        budget.refund_transport()
    assert budget.tokens == 100


@given(st.lists(st.sampled_from([LOST, LATE, None])))
def test_it_stays_within_its_bounds(events: list[ConnectError | DeadlineError | None]) -> None:
    """Whatever happens, there are never less than 0 nor more than 100 tokens, and a refusal takes nothing."""
    budget = RetryBudget()
    for event in events:
        before = budget.tokens
        if event is None:
            budget.earn(10)
        else:
            cost = budget.spend(event)
            assert budget.tokens == before - cost
            assert cost in {0, 10 if event is LATE else 5}
        assert 0 <= budget.tokens <= 100
