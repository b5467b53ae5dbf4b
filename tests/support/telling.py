"""Everything that a program may get to see of aiomar, written down in every way in which programs write things down."""

from __future__ import annotations

import json
import logging
import pickle
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import attrs

from aiomar.cli._json import error_to_dict, plain
from tests.support.canaries import Canaries

_CHAIN = 20


@attrs.define
class Told:
    """What was told, by where it was found."""

    texts: list[tuple[str, str | bytes]] = attrs.field(factory=list, repr=False)
    kinds: set[str] = attrs.field(factory=set)
    """Classes of the errors and values that were written down."""

    def __repr__(self) -> str:
        return "<told>"

    def text(self, where: str, text: str | bytes) -> None:
        """Take a text as it is."""
        self.texts.append((where, text))

    def value(self, value: object) -> None:
        """Print, pickle and take apart any value; what refuses to be pickled says so in the same way."""
        name = type(value).__name__
        self.kinds.add(name)
        self.text(f"repr of {name}", repr(value))
        self.text(f"str of {name}", f"{value}")
        self.text(f"json of {name}", json.dumps(plain(value), default=repr))
        if attrs.has(type(value)):
            self.text(f"fields of {name}", repr(attrs.asdict(value)))  # type: ignore[arg-type] # has() has said so
        for protocol in (0, pickle.HIGHEST_PROTOCOL):
            try:
                self.text(f"pickle of {name}", pickle.dumps(value, protocol))
            except (TypeError, pickle.PicklingError, AttributeError) as refusal:
                self.text(f"refusal to pickle {name}", str(refusal))

    def error(self, error: BaseException) -> None:
        """Write an error down with all that led to it, and with the local variables of every frame."""
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        self.text(f"traceback of {type(error).__name__}", "".join(report.format()))
        self.text(f"dict of {type(error).__name__}", json.dumps(error_to_dict(error), default=repr))
        part: BaseException | None = error
        for _ in range(_CHAIN):
            if part is None:
                return
            self.value(part)
            self.text(f"attributes of {type(part).__name__}", repr(vars(part)))
            part = part.__cause__ or part.__context__

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take whatever is logged, by anybody at any level, and every warning."""
        handler, root = _Handler(self), logging.getLogger()
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                yield
            for warning in caught:
                self.text("warning", str(warning.message))
        finally:
            root.removeHandler(handler)
            root.setLevel(level)

    def leaks(self, canaries: Canaries) -> set[tuple[str, str]]:
        """Give secret and place of everything that must not be there, and forget the texts."""
        found = {(name, where) for where, text in self.texts for name in canaries.found_in(text)}
        self.texts.clear()
        return found


class _Handler(logging.Handler):
    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        self._told.text(f"log of {record.name}", record.getMessage())
        self._told.text(f"record of {record.name}", repr(vars(record)))
        if record.exc_info and record.exc_info[1]:
            self._told.error(record.exc_info[1])
