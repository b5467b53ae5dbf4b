"""Rules of security that a reader cannot see in one file: TLS, old TLS, redirects, processes, rights of files.

`tests/test_architecture.py` holds that nothing turns verification off; here is what else could weaken a client.  As
there, everything is read from the sources with `ast`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator

import pytest

from tests.test_architecture import ROOT, SOURCES

TRUST = "aiomar/transport/_trust.py"
"""The one place that makes contexts of clients and concedes anything to old servers."""
SERVER = "aiomar/testing/_authority.py"
"""The embedded server's side of TLS."""

PLACES = {
    "PROTOCOL_TLS_CLIENT": {TRUST},
    "PROTOCOL_TLS_SERVER": {SERVER},
    "load_cert_chain": {TRUST},
    "load_verify_locations": {TRUST},
    "load_default_certs": {TRUST},
    "set_ciphers": {TRUST},
    "minimum_version": {TRUST, SERVER},
    "maximum_version": {SERVER},
    "TLSv1": {TRUST},
    "TLSv1_1": {TRUST},
    "_OP_LEGACY_SERVER_CONNECT": {TRUST},
    "create_subprocess_exec": {"aiomar/cli/_show_killed.py"},
}
"""Name → the only files that may use it."""
NOWHERE = {
    "create_default_context",  # honours SSLKEYLOGFILE
    "keylog_filename",
    "OP_NO_RENEGOTIATION",  # a certificate that is asked for later would never come
    "OP_LEGACY_SERVER_CONNECT",  # without the underscore: past our own opt-in
    "PROTOCOL_TLS",  # verifies nothing unless told to
    "CookieJar",  # keeps the last of a repeated name, and may be saved
    "create_subprocess_shell",
    "Popen",
    "system",
    "fork",
    "eval",
    "exec",
}
"""Names that nothing in the package may use."""
SWITCHES = {"allow_redirects", "trust_env", "auto_decompress", "shell"}
"""Parameters that may only be false."""
NAMES_A_SHELL = {"generate_completion"}
"""Functions whose ``shell`` is a name, and starts none."""


def names(tree: ast.AST) -> Iterator[str]:
    """Give every name that a source uses, calls or imports."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                yield name


def misplaced(source: str, place: str) -> set[str]:
    """Find names that this file may not use."""
    used = set(names(ast.parse(source)))
    return {name for name in used if name in NOWHERE or place not in PLACES.get(name, {place})}


def switched_on(source: str) -> list[str]:
    """Find parameters that are given something else than `False`, and host names that do not come from `Trust`."""
    found = []
    harmless = set[int]()
    for node in ast.walk(ast.parse(source)):  # a call comes before its parameters
        match node:
            case ast.Call(func=ast.Attribute(attr=name), keywords=keywords) if name in NAMES_A_SHELL:
                harmless |= {id(keyword) for keyword in keywords if keyword.arg == "shell"}
            case ast.keyword() if id(node) in harmless:
                pass
            case ast.keyword(arg=name, value=value) if name in SWITCHES:
                found += [] if isinstance(value, ast.Constant) and value.value is False else [f"{name}"]
            case ast.keyword(arg="server_hostname", value=value):
                from_trust = isinstance(value, ast.Attribute) and value.attr.lstrip("_") == "server_hostname"
                found += [] if from_trust else ["server_hostname"]
    return found


WRITING = {f"{mode}{kind}{plus}" for mode in "wax" for kind in ("", "b", "t") for plus in ("", "+")}
"""Ways to open a file that may make it, with the rights that are usual on the machine."""


def open_to_others(source: str) -> list[str]:
    """Find calls that make a directory or a file without saying that it is for its owner alone."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            words = ast.unparse(node)
            given = {child.value for child in ast.walk(node) if isinstance(child, ast.Constant)}
            makes_file = name == "touch" or (name == "open" and ("O_CREAT" in words or "_NEW" in words))
            makes_directory = name in {"mkdir", "makedirs"}
            if (
                (makes_file and 0o600 not in given)
                or (makes_directory and 0o700 not in given)
                or (name == "open" and given & WRITING)
            ):
                found.append(words)
    return found


def each(find: Callable[[str, str], Collection[str]]) -> dict[str, Collection[str]]:
    """Give what is found in each file of the package, where anything is."""
    places = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in SOURCES}
    found = {place: find(source, place) for place, source in places.items()}
    return {place: what for place, what in found.items() if what}


def test_names_stay_in_their_places() -> None:
    """Contexts, concessions to old TLS and processes are made in one place each, some things nowhere."""
    assert each(misplaced) == {}


def test_nothing_dangerous_is_switched_on() -> None:
    """Redirects, the environment's proxies and decompression stay off; another host name comes from `Trust` only."""
    assert each(lambda source, _: switched_on(source)) == {}


def test_files_and_directories_are_private() -> None:
    """What aiomar makes is made with the rights 0600 or 0700."""
    assert each(lambda source, _: open_to_others(source)) == {}


@pytest.mark.parametrize(
    "source",
    [
        "ssl.create_default_context()",
        "from ssl import PROTOCOL_TLS_CLIENT",
        "context.keylog_filename = path",
        "context.set_ciphers('DEFAULT:@SECLEVEL=0')",
        "context.minimum_version = ssl.TLSVersion.TLSv1",
        "context.options |= ssl.OP_LEGACY_SERVER_CONNECT",
        "aiohttp.CookieJar()",
        "subprocess.Popen(words)",
    ],
)
def test_a_misplaced_name_is_seen(source: str) -> None:
    """Whether it is used, set, called or imported."""
    assert misplaced(source, "aiomar/_client.py")


@pytest.mark.parametrize(
    "source",
    [
        "session.get(url, allow_redirects=True)",
        "session.get(url, allow_redirects=follow)",
        "ClientSession(trust_env=True)",
        "session.get(url, server_hostname='omar.example')",
        "session.get(url, server_hostname=None)",
    ],
)
def test_a_switch_is_seen(source: str) -> None:
    """Anything but a plain `False` counts, and any host name but the one of `Trust`."""
    assert len(switched_on(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "path.mkdir()",
        "path.mkdir(mode=0o755)",
        "os.makedirs(path)",
        "os.open(path, os.O_WRONLY | os.O_CREAT)",
        "files.open(path, _NEW_FILE, 0o644)",
        "path.touch()",
        "path.open('wb')",
        "open(path, 'x')",
    ],
)
def test_rights_are_seen(source: str) -> None:
    """A file or a directory that is made with the usual rights is found."""
    assert open_to_others(source)


def test_what_only_reads_is_let_be() -> None:
    """Reading, and making with the right rights, are none of these."""
    good = "path.open('rb'); open(path); path.mkdir(mode=0o700); os.open(path, _NEW, 0o600)"
    assert switched_on("connect(server_hostname=trust.server_hostname, allow_redirects=False)") == []
    assert switched_on("app.generate_completion(shell=shell)") == []
    assert open_to_others(good) == []
