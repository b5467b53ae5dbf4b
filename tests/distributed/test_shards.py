"""How the selections that wait are divided into bundles."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomar import Group, Meter

pytest.importorskip("distributed", reason="needs aiomar[dask]: clusters are tried on one Python")

from aiomar.distributed._shards import Backlog


@given(
    numbers=st.lists(st.integers(0, 5_000), max_size=400, unique=True),
    files_each=st.sampled_from([1, 30, 1_000, 5_000]),
    parts=st.integers(1, 16),
    choices=st.randoms(use_true_random=False),
)
def test_everything_is_given_once(numbers: list[int], files_each: int, parts: int, choices: random.Random) -> None:
    """No directory is in two hands, no bundle is too large, and what was left is given again."""
    backlog = Backlog(files_each)
    backlog.add(Meter(str(number)) for number in numbers)
    under_way: list[dict[str, tuple[Meter | Group, ...]]] = []
    given_away: list[Meter | Group] = []
    while True:
        bundle = backlog.take(parts)
        if bundle is not None:
            assert not any(bundle.keys() & other.keys() for other in under_way)
            assert sum(map(len, bundle.values())) <= max(1, 2_000 // files_each)
            under_way.append(dict(bundle))
        if under_way and (bundle is None or choices.random() < 0.5):
            ended = under_way.pop(choices.randrange(len(under_way)))
            left = [name for name in ended if choices.random() < 0.2]
            backlog.end(ended, left)
            given_away += [each for name, some in ended.items() if name not in left for each in some]
        elif bundle is None:
            break
    assert backlog.count == 0
    assert sorted(each.id for each in given_away) == sorted(map(str, numbers))
