"""Which directory a selection belongs to, and which directories one stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiomar import DestinationError, Group, Meter
from aiomar.transfer import Catalogue, shard_directories, shard_directory, shards_of


@pytest.mark.parametrize(
    ("selection", "name"), [(Meter("1001"), "06"), (Group("1001"), "22"), (Meter("Zähler 1"), "fc")]
)
def test_the_rule_never_changes(selection: Meter | Group, name: str) -> None:
    """Else a range that is run again would look for its files elsewhere."""
    assert shard_directory("/data", selection) == Path("/data") / name


def test_only_directories_of_the_rule_are_listed(tmp_path: Path) -> None:
    """Sorted; what stands beside them is not ours."""
    for name in ("ff", "0a", "report", "0A"):
        (tmp_path / name).mkdir()
    (tmp_path / "0b").touch()
    assert shard_directories(tmp_path) == [tmp_path / "0a", tmp_path / "ff"]
    with pytest.raises(DestinationError, match="cannot be looked into"):
        shard_directories(tmp_path / "absent")


def test_a_directory_stands_for_those_below_it(tmp_path: Path) -> None:
    """As soon as one of them has a catalogue, and as long as it has none itself."""
    for place in (tmp_path, tmp_path / "absent", Path("a\0b")):
        assert shards_of(place) == []
    shards = [tmp_path / "0a", tmp_path / "ff"]
    for shard in shards:
        shard.mkdir()
    assert shards_of(tmp_path) == []
    Catalogue.open(shards[1]).close()
    assert shards_of(tmp_path) == shards
    Catalogue.open(tmp_path).close()
    assert shards_of(tmp_path) == []
