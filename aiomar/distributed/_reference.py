"""Where a worker finds its configuration: what travels in place of certificates, keys and passphrases."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Self

import attrs

from aiomar._config import OmarConfig
from aiomar._types import PathLike
from aiomar.errors import ConfigError

_PREFIX = "AIOMAR_"


@attrs.frozen(kw_only=True)
class ConfigReference:
    """Says where a worker reads its `OmarConfig`, by names only; made by `from_toml`, `from_env` or `from_function`.

    It may be pickled, logged and shown: it holds neither key nor passphrase, nor what would open either.
    """

    kind: Literal["toml", "environment", "function"]
    """What `place` is."""
    place: str
    """The path of a file, the beginning of names of variables, or ``module:function``; as it is on the workers."""
    profile: str = "default"
    """The table of the file."""

    @classmethod
    def from_toml(cls, path: PathLike, profile: str = "default") -> Self:
        """Refer to a profile of a TOML file, see `OmarConfig.from_toml`; it is not opened here.

        Args:
            path: of the file on the workers, absolute.
            profile: its table.

        Raises:
            ConfigError: the path is relative; every worker has a working directory of its own.
        """
        place = os.fspath(path)
        if not Path(place).is_absolute():
            raise ConfigError(f"{place!a:.200} is relative: give the whole path that the file has on the workers")
        return cls(kind="toml", place=place, profile=profile)

    @classmethod
    def from_env(cls, prefix: str = _PREFIX) -> Self:
        """Refer to the workers' own environment variables, see `OmarConfig.from_env`; they are not read here.

        Args:
            prefix: what stands in place of ``AIOMAR_`` in their names.
        """
        return cls(kind="environment", place=prefix)

    @classmethod
    def from_function(cls, name: str) -> Self:
        """Refer to a function that makes the configuration on the worker: from a vault, or with settings of its own.

        Args:
            name: ``package.module:function``, which the workers can import; it is called without arguments.

        Raises:
            ConfigError: the name is not of that form.
        """
        module, _, function = name.partition(":")
        if not module or not function.isidentifier():
            raise ConfigError(f"{name!a:.200} names no function: write 'package.module:function'")
        return cls(kind="function", place=name)

    def resolve(self) -> OmarConfig:
        """Read the configuration, on the machine where this is called.  Blocks.

        Raises:
            ConfigError: it cannot be read there, or is no configuration.
            IdentityError: the certificate cannot be used.
        """
        if self.kind == "toml":
            return OmarConfig.from_toml(self.place, self.profile)
        if self.kind == "environment":
            return OmarConfig.from_env(_renamed(os.environ, self.place))
        return _called(self.place)


def check_reference(reference: object) -> ConfigReference:
    """Hold a reference to its type, before anything is sent anywhere.

    Raises:
        ConfigError: it is something else; above all a configuration, whose key must not travel.
    """
    if not isinstance(reference, ConfigReference):
        raise ConfigError(
            f"the workers need a ConfigReference and not {type(reference).__name__}, as keys and passphrases never "
            "travel: make one with ConfigReference.from_toml or .from_env"
        )
    return reference


def _renamed(environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {_PREFIX + name.removeprefix(prefix): text for name, text in environ.items() if name.startswith(prefix)}


def _called(name: str) -> OmarConfig:
    module, _, function = name.partition(":")
    try:
        make: Callable[[], object] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{name} cannot be imported ({error}): install it where the workers are") from error
    config = make()
    if not isinstance(config, OmarConfig):
        raise ConfigError(f"{name} gave {type(config).__name__}: it has to give an OmarConfig")
    return config
