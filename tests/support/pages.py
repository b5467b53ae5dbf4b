"""The pages of ``tests/faults/pages``: what may stand in place of data, and what a download must make of it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

import attrs

_FILE = Path(__file__).parents[1] / "faults" / "pages" / "pages.toml"
_KEYS = {"name", "is", "text", "encoding", "before", "blanks", "proves"}

Kind = Literal["login", "page", "not-a-page"]


@attrs.frozen
class Shape:
    """One body that is no data of OMAR's."""

    name: str
    kind: Kind
    body: bytes = attrs.field(repr=lambda body: f"<{len(body)} bytes>")
    proves: tuple[str, ...]
    """Formats for which its content counts as whole, where it ends with the connection; only of what is no page."""


def _shape(entry: dict[str, object]) -> Shape:
    unknown = set(entry) - _KEYS
    assert not unknown, f"{entry['name']} has unknown keys: {unknown}"
    kind, blanks, proves = entry["is"], entry.get("blanks", 0), entry.get("proves", [])
    assert kind in {"login", "page", "not-a-page"}
    assert isinstance(blanks, int)
    assert isinstance(proves, list)
    text = f"{entry.get('before', '')}{entry['text']}"
    body = b"\r\n \t"[: blanks % 4] + b"\r\n \t" * (blanks // 4) + text.encode(str(entry.get("encoding", "utf-8")))
    return Shape(str(entry["name"]), kind, body, tuple(proves))


def shapes() -> tuple[Shape, ...]:
    """Read them all, in their order."""
    found = tuple(_shape(entry) for entry in tomllib.loads(_FILE.read_text(encoding="utf-8"))["page"])
    assert len({shape.name for shape in found}) == len(found)
    return found
