"""What the commands with an embedded server share: the extra that it needs, and a directory to work in."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from aiomar import ConfigError, DestinationError


def require_testing() -> None:
    """Do nothing if the embedded server can be used.

    Raises:
        ConfigError: the extra ``testing`` is not installed.
    """
    try:
        import aiomar.testing._server  # noqa: F401, PLC0415 - loads all that the server needs
    except ImportError as error:
        raise ConfigError("the embedded server needs its extra: run pip install 'aiomar[testing]'") from error


@contextlib.contextmanager
def workplace(wanted: Path | None, option: str) -> Iterator[Path]:
    """Give a directory that stays, made when missing; or a temporary one.

    Args:
        wanted: the one that stays; `None` for a temporary one.
        option: where it was given, for messages.

    Raises:
        DestinationError: it cannot be used.
    """
    if wanted is None:
        with tempfile.TemporaryDirectory(prefix="aiomar-") as temporary:
            yield Path(temporary)
        return
    try:
        wanted.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise DestinationError(f"{option}: {wanted} cannot be used ({error.strerror}): choose another one") from error
    yield wanted.absolute()
