"""Settings from several places, the nearest first: the nearer one wins, and silences its rivals further away.

Who gives ``--environment`` does not mean the origins of a profile, and a certificate never meets the key of another
one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs

_PASSPHRASES: Final = ("passphrase", "passphrase_env", "passphrase_keyring")
_RIVALS: Final[Mapping[str, tuple[str, ...]]] = {
    "environment": ("upload_origin", "download_origin"),
    "upload_origin": ("environment", "download_origin"),
    "download_origin": ("environment", "upload_origin"),
    "pkcs12": ("certificate", "key"),
    "certificate": ("pkcs12", "key"),
    "key": ("pkcs12",),
    **{key: tuple(rival for rival in _PASSPHRASES if rival != key) for key in _PASSPHRASES},
}


@attrs.frozen
class Layer:
    """One place.

    Attributes:
        settings: what it has, by their TOML names.
        kind: ``"option"``, ``"variable"`` or ``"profile"``.
        spell: how a setting is called there.
    """

    settings: Mapping[str, Any]
    kind: str
    spell: Callable[[str], str]


@attrs.frozen
class Setting:
    """A setting that some place has.

    Attributes:
        key: its TOML name.
        value: as it stands there.
        kind: of the place.
        source: how it is called there, such as ``--pkcs12``.
        silenced_by: how the nearer setting is called that it gives way to; `None` if it counts.
    """

    key: str
    value: Any = attrs.field(repr=False)
    kind: str
    source: str
    silenced_by: str | None = None


def layered(*layers: Layer) -> list[Setting]:
    """Join places, the nearest first; settings that do not count are there too."""
    joined: list[Setting] = []
    silencers: dict[str, str] = {}
    for layer in layers:
        here = [
            Setting(key, value, layer.kind, layer.spell(key), silencers.get(key))
            for key, value in layer.settings.items()
        ]
        joined += here
        for setting in here:
            if setting.silenced_by is None:
                for silenced in (setting.key, *_RIVALS.get(setting.key, ())):
                    silencers.setdefault(silenced, setting.source)
    return joined


def values(settings: Sequence[Setting]) -> dict[str, Any]:
    """Give the values that count."""
    return {setting.key: setting.value for setting in settings if setting.silenced_by is None}


def speller(settings: Sequence[Setting], otherwise: Callable[[str], str]) -> Callable[[str], str]:
    """Give what calls a setting by where it came from, for messages.

    Args:
        settings: that there are.
        otherwise: how one is called that nobody has set.
    """
    sources = {setting.key: setting.source for setting in settings if setting.silenced_by is None}
    return lambda key: sources.get(key) or otherwise(key)
