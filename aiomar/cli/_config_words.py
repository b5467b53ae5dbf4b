"""What ``aiomar config`` says, for people."""

from __future__ import annotations

import platform
import ssl
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from aiomar import __version__
from aiomar.cli._config_facts import Facts, Place
from aiomar.cli._tables import Column, drawn

_PARTS: Final = ("aiohttp", "cryptography", "cyclopts", "keyring", "pyarrow", "uvloop")
"""Libraries whose versions a report of a bug should have."""

_EXAMPLE: Final = """\
# Profiles of aiomar: in ./aiomar.toml, or in the file that 'aiomar config path'
# names. Nobody but you may write it: chmod 600 aiomar.toml
# Paths count from this file's directory; ~ is your home.

# Taken where nobody names another one, with --profile NAME or AIOMAR_PROFILE.
[default]
# production, staging or test. No server is a default.
environment = "test"
# Any other server instead: where login and uploads are, and downloads.
# upload_origin = "https://localhost:8443"
# download_origin = "https://localhost:8444"

# The client certificate with its key ...
pkcs12 = "~/omar/me.p12"
# ... or as PEM.
# certificate = "~/omar/me.pem"
# key = "~/omar/me.key"

# Where its passphrase is, never the passphrase itself: the name of a variable,
# or of an entry of the system's keyring, stored with: keyring set aiomar me
passphrase_env = "OMAR_PASSPHRASE"
# passphrase_keyring = "aiomar/me"

# Authorities to trust instead of the system's, as PEM.
# ca_file = "~/omar/company-ca.pem"
# A proxy that knows CONNECT. Variables such as https_proxy are ignored.
# proxy = "http://proxy.example:3128"
# Downloads under way at once, at most.
# concurrency = 8
# Where aiomar keeps its own records.
# state_dir = "~/omar/state"

# Others are taken by their names, whole: nothing is inherited from [default].
[night]
environment = "production"
pkcs12 = "~/omar/me.p12"
passphrase_env = "OMAR_PASSPHRASE"
concurrency = 4"""


def example() -> str:
    """Give a file of profiles that names every key."""
    return _EXAMPLE


def about_profiles(facts: Facts) -> Iterator[str]:
    """Say which profile is taken, and where it was looked for."""
    how = f"named by {facts.named_by}" if facts.named_by else "as nobody names another one"
    yield "No profile is taken." if facts.profile is None else f"Profile [{facts.profile}], {how}."
    for file in facts.files:
        yield f"  {_mark(file):9}  {file.path}{_holds(file)}"


def about_settings(facts: Facts) -> Iterator[str]:
    """Say what every setting is, where it came from, and what gives way to it."""
    columns = [Column("setting"), Column("value", folds=True), Column("from")]
    counting = [shown for shown in facts.settings if shown.silenced_by is None]
    rows = [(shown.key, "-" if shown.value is None else shown.value, shown.source) for shown in counting]
    yield drawn(columns, rows)
    silenced = [shown for shown in facts.settings if shown.silenced_by is not None]
    if silenced:
        yield ""
        yield "Given, and not used:"
    for shown in silenced:
        yield f"  {shown.key} = {shown.value} from {shown.source} gives way to {shown.silenced_by}"


def verdict(facts: Facts) -> Iterator[str]:
    """Say whether a connection could be tried, and with whom."""
    if facts.environment is not None:
        yield f"server       {facts.environment.name}"
        yield f"  uploads    {facts.environment.upload_origin}"
        yield f"  downloads  {facts.environment.download_origin}"
    if facts.certificate is not None:
        yield f"certificate  {facts.certificate['subject']}, {facts.certificate['days_left']:,} days left"
    for name in facts.strangers:
        yield f"The variable {name} means nothing to aiomar: is it misspelt?"
    if not facts.problems:
        yield "Nothing is missing for a connection: try it with 'aiomar check'."
        return
    yield "No connection can be tried:"
    for problem in facts.problems:
        yield f"  {problem}"


def versions() -> list[str]:
    """Give what a report of a bug should have."""
    return [
        f"aiomar {__version__}",
        f"{platform.python_implementation()} {platform.python_version()} on {platform.platform()}",
        ssl.OPENSSL_VERSION,
        *(f"{part} {number}" for part in _PARTS if (number := _version(part))),
    ]


def _mark(file: Place) -> str:
    if not file.there:
        return "not there"
    if file.error is not None:
        return "unusable"
    return "taken" if file.taken else "there"


def _holds(file: Place) -> str:
    names = ", ".join(f"[{name}]" for name in file.profiles)
    return f": {names}" if names else ": no profile" if file.there and file.error is None else ""


def _version(part: str) -> str | None:
    try:
        return version(part)
    except PackageNotFoundError:
        return None
