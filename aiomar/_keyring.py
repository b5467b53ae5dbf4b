"""The only door to the system's keyring: a passphrase by the name of its entry, asked for when a key needs it.

The library is an extra and is imported when it is used.  It may talk to another process and may wait for a person who
unlocks the keyring, so it is called while a configuration is read and never by a client at work.
"""

from __future__ import annotations

import shlex

import attrs

from aiomar.errors import ConfigError

_INSTEAD = "or name the variable that holds the passphrase"


@attrs.frozen
class KeyringEntry:
    """The name of an entry; calling it gives what the keyring keeps there.

    Attributes:
        service: what the entry is for, as ``keyring set`` takes it.
        user: whose it is, likewise.
    """

    service: str
    user: str

    @classmethod
    def named(cls, name: str, spelt: str) -> KeyringEntry:
        """Read ``service/user``; the last slash parts them, so a service may have slashes of its own.

        Args:
            name: of the entry.
            spelt: how the setting is called where it came from, for messages.

        Raises:
            ConfigError: it is not of that form.
        """
        if not cls.is_name(name):  # and is not shown: it may be the passphrase itself
            raise ConfigError(f"{spelt} must be the name of an entry, like 'aiomar/me': correct it")
        service, _, user = name.rpartition("/")
        return cls(service, user)

    @staticmethod
    def is_name(name: str) -> bool:
        """Whether this is of the form ``service/user``."""
        service, _, user = name.rpartition("/")
        return bool(service and user)

    def __str__(self) -> str:
        return f"{self.service}/{self.user}"

    def __call__(self) -> str:
        """Ask the keyring.

        Raises:
            ConfigError: the extra or a keyring is missing, it does not open, or it has no such entry.
        """
        try:
            import keyring  # noqa: PLC0415 - an extra
            from keyring.errors import NoKeyringError  # noqa: PLC0415 - the same
        except ImportError as error:
            raise ConfigError(
                f"the passphrase is in the keyring, which needs an extra: run pip install 'aiomar[keyring]', {_INSTEAD}"
            ) from error
        try:
            found = keyring.get_password(self.service, self.user)
        except NoKeyringError as error:
            raise ConfigError(
                f"this machine has no keyring that could hold {str(self)!a:.80}: install one that the library "
                f"keyring knows, {_INSTEAD}"
            ) from error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - a backend raises whatever the system beneath it does
            # Without the frames of the backend, which may hold what it read.
            raise ConfigError(
                f"the keyring did not give {str(self)!a:.80} ({type(error).__name__}): unlock it and see that "
                f"'keyring get {self._words}' works, {_INSTEAD}"
            ) from error.with_traceback(None)
        if found is None:
            raise ConfigError(
                f"the keyring has no entry {str(self)!a:.80}: store the passphrase with 'keyring set {self._words}', "
                f"or correct the name"
            )
        return found

    @property
    def _words(self) -> str:
        return shlex.join((self.service, self.user))
