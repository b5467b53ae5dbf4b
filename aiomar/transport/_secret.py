"""A holder that keeps a secret out of everything that prints or stores its neighbours."""

from __future__ import annotations

from typing import Final, Generic, NoReturn, TypeVar

_T = TypeVar("_T")


class Secret(Generic[_T]):
    """A value that only `reveal` shows: not a repr, a log, a traceback with its local variables, or a pickle."""

    __slots__ = ("_value",)

    def __init__(self, value: _T) -> None:
        self._value: Final = value

    def __repr__(self) -> str:
        return "<secret>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied: read it again where it is needed")

    def reveal(self) -> _T:
        """Give the value, for use within one expression."""
        return self._value
