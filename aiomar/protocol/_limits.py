"""The documents' numbers, each with its clause, and the checks of what is to be sent.

A name is checked as it will stand on the wire: our multipart encoder sends every allowed character as it is, so the
name's length here is the length that the server counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs

from aiomar._checks import whole_number
from aiomar.errors import ConfigError, LimitError
from aiomar.protocol._model import CONTROL

# SUB 3.2.2 says "500KB".  500 times 1,024 is the looser reading; a site that counts in thousands sets 500_000.
_MAX_BYTES = 512_000
# SUB 3.2.2: "must not exceed 40 characters in length, including the ".csv" or ".dat"".
_MAX_NAME = 40
# SUB 3.2.2: "(case does not matter)".
_EXTENSIONS = (".csv", ".dat")

# Printable ASCII; the four that are left out would end the quoted name or look like a path to the server.
_NAME = re.compile(r"[ !#-.0-9;-\[\]-~]+")
_NAME_LIMIT = 'printable ASCII without " \\ / :'
_SEPARATORS = re.compile(rf"[/\\]|{CONTROL.pattern}")


def _as_tuple(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(items)


def _dotted(_instance: object, _attribute: attrs.Attribute[tuple[str, ...]], value: tuple[object, ...]) -> None:
    if not value or not all(isinstance(item, str) and item.startswith(".") and item != "." for item in value):
        raise ConfigError("UploadLimits.extensions must be texts that begin with a dot, such as ('.csv', '.dat')")


@attrs.frozen(kw_only=True)
class UploadLimits:
    """What a file must keep to before it is sent (SUB 3.2.2).

    Args:
        max_bytes: a file must be smaller than this, in bytes.  The document's "500KB" is read as 500 times 1,024; lower
            it to 500,000 where the site counts in thousands.
        max_name: longest name in characters, with its extension.
        extensions: allowed ends of the name, with the dot; case does not matter.

    Raises:
        ConfigError: for numbers below 1 or an extension without its dot.
    """

    max_bytes: int = attrs.field(default=_MAX_BYTES, validator=whole_number)
    max_name: int = attrs.field(default=_MAX_NAME, validator=whole_number)
    extensions: tuple[str, ...] = attrs.field(default=_EXTENSIONS, converter=_as_tuple, validator=_dotted)

    def check_name(self, name: str) -> None:
        """Hold a file name to SUB 3.2.2.

        Raises:
            LimitError: rule ``"name_characters"``, ``"name_length"`` or ``"extension"``.
        """
        if not _NAME.fullmatch(name):
            raise LimitError(
                f"the name {name!a:.120} cannot be sent as it is: use {_NAME_LIMIT}",
                rule="name_characters",
                value=name,
                limit=_NAME_LIMIT,
            )
        if len(name) > self.max_name:
            raise LimitError(
                f"the name {name!a:.120} has {len(name)} characters, more than the {self.max_name} allowed with its "
                "extension: send it under a shorter name",
                rule="name_length",
                value=name,
                limit=self.max_name,
            )
        if not name.lower().endswith(tuple(item.lower() for item in self.extensions)):
            raise LimitError(
                f"the name {name!a:.120} must end in {' or '.join(self.extensions)}: rename the file or give a name",
                rule="extension",
                value=name,
                limit=self.extensions,
            )

    def check_size(self, name: str, size: int) -> None:
        """Hold a file's size in bytes to SUB 3.2.2; an empty file is no meter data file either.

        Raises:
            LimitError: rule ``"size"``.
        """
        if size >= self.max_bytes:
            raise LimitError(
                f"{name!a:.120} has {size:,} bytes and must be smaller than {self.max_bytes:,}: split it",
                rule="size",
                value=size,
                limit=self.max_bytes,
            )
        if size < 1:
            raise LimitError(
                f"{name!a:.120} is empty: submit a file with meter data", rule="size", value=size, limit=self.max_bytes
            )


def check_file_name(name: object) -> None:
    """Hold a name that a caller gives to a download to one plain component.

    Raises:
        LimitError: rule ``"name_characters"``.
    """
    if not isinstance(name, str) or not name or name in {".", ".."} or _SEPARATORS.search(name):
        raise LimitError(
            f"the file name {name!a:.120} must be one name without a path separator or control characters: "
            "put the directory into 'into'",
            rule="name_characters",
            value=name,
            limit="one path component",
        )
