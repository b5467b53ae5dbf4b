"""Keyrings for tests, by the library's own way to have another one: a subclass of its backend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keyring
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordSetError


class OneEntry(KeyringBackend):
    """Has one entry, whose name and content are here for all to see."""

    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        """Give it."""
        return "open sesame" if (service, username) == ("aiomar/test", "me") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        """Take nothing: the library asks for this method."""
        raise PasswordSetError(f"{service} {username}, {len(password)} characters")


class Locked(OneEntry):
    """Does not open, as when a person closes its window."""

    def get_password(self, service: str, username: str) -> str | None:
        """Say so."""
        raise KeyringLocked(f"open sesame stays inside {service} {username}")


class Broken(OneEntry):
    """Fails as what lies beneath a backend does: with an error of any class."""

    def get_password(self, service: str, username: str) -> str | None:
        """Fail."""
        raise ZeroDivisionError(f"open sesame stays inside {service} {username}")


@contextmanager
def using(backend: type[KeyringBackend]) -> Iterator[None]:
    """Let a keyring be this process's for as long as the context lasts."""
    before = keyring.get_keyring()
    keyring.set_keyring(backend())
    try:
        yield
    finally:
        keyring.set_keyring(before)
