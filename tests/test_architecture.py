"""The house rules that a reader cannot see in one file: who imports whom, doors to libraries, sizes, verification.

Everything is read from the sources with `ast`; what stands under ``if TYPE_CHECKING:`` is for checkers and does not
count as an import.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Collection, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "aiomar").rglob("*.py"))
EVERYTHING = [*ROOT.glob("*.py")]
EVERYTHING += [path for top in ("aiomar", "benchmarks", "docs", "tests") for path in sorted((ROOT / top).rglob("*.py"))]

CORE = {"_types", "errors", "protocol"}
SHARED = CORE | {"_checks", "_database", "_files", "_process_lock", "_threads"}
BELOW = SHARED | {"transport", "transfer", "submissions"}
BELOW |= {"_breaker", "_config", "_login", "_operations", "_retry", "_session"}
CLIENT = BELOW | {"_courier", "_downloads", "_upload_turn", "_uploads", "_version"}
MAY_IMPORT = {
    "_types": set[str](),
    "_beside": {"errors"},
    "_database": set(),
    "_files": set(),
    "_threads": {"errors"},
    "_process_lock": set[str](),
    "_version": set[str](),
    "errors": set[str](),
    "_checks": {"errors"},
    "protocol": {"_checks", "_types", "errors"},
    "transport": SHARED,
    "transfer": SHARED,
    "submissions": SHARED | {"formats"},
    "formats": CORE | {"_beside", "_version"},
    "_keyring": {"errors"},
    "_settings": CORE | {"_keyring", "transport"},
    "_config": SHARED | {"_settings", "transport", "transfer"},
    "_operations": {"errors"},
    "_breaker": {"errors", "protocol"},
    "_retry": SHARED | {"transfer"},
    "_login": SHARED | {"transport", "transfer", "_breaker", "_retry"},
    "_session": SHARED | {"transport", "transfer", "_breaker", "_config", "_login", "_retry"},
    "_downloads": BELOW,
    "_courier": BELOW,
    "_upload_turn": BELOW,
    "_uploads": BELOW | {"_courier", "_upload_turn"},
    "_confirm": BELOW | {"_downloads", "_upload_turn"},
    "_ranges": CLIENT,
    "_assembly": CLIENT | {"_confirm", "_ranges"},
    "_client": CLIENT | {"_assembly", "_confirm"},
    "": CLIENT | {"_client", "_outbox"},  # aiomar/__init__.py
    "__main__": {"cli"},
    "report": CORE | {"_beside", "transfer", "submissions", "formats"},
    "_outbox": CLIENT | {"_beside", "_client"},
    "telemetry": CORE | {"transfer", "transport", ""},
    "distributed": CLIENT | {"_client", ""},
    "testing": CLIENT | {"_client", "formats", ""},
    "cli": CLIENT | {"_client", "_outbox", "_settings", "formats", "report", "telemetry", "testing", ""},
}
"""Room → rooms that it may look into, besides itself.  A room that is not listed here has no place in the house yet."""

DOORS = {
    "aiohttp": (
        "aiomar/transport/_aiohttp.py",  # the long way, through its session
        "aiomar/transport/_lean.py",  # the short way, past its session
        "aiomar/transport/_pool.py",  # the connector of both
        "aiomar/transport/_body_reader.py",  # the stream of both
        "aiomar/transport/_failures.py",  # the names of its exceptions
        "aiomar/transport/_resolver.py",  # the shape of its resolver
        "aiomar/testing/*.py",
    ),
    "yarl": ("aiomar/transport/_aiohttp.py", "aiomar/transport/_lean.py", "aiomar/testing/*.py"),
    "filelock": ("aiomar/_process_lock.py",),
    "platformdirs": ("aiomar/submissions/_ledger_file.py", "aiomar/cli/_profiles.py"),
    "keyring": ("aiomar/_keyring.py",),
    "opentelemetry": ("aiomar/telemetry*.py", "aiomar/telemetry/*.py"),
    "distributed": ("aiomar/distributed*.py", "aiomar/distributed/*.py"),
    "dask": ("aiomar/distributed*.py", "aiomar/distributed/*.py"),
    "watchfiles": ("aiomar/_outbox/*.py", "aiomar/_outbox*.py"),
    "sqlite3": (
        "aiomar/_database.py",
        "aiomar/submissions/_ledger_file.py",
        "aiomar/submissions/_ledger_reading.py",
        "aiomar/transfer/_catalogue_connection.py",
        "aiomar/transfer/_catalogue_file.py",
        "aiomar/transfer/_plan.py",  # which selections were met before
    ),
    "stamina": ("aiomar/_retry.py",),
    "selectolax": ("aiomar/protocol/_pages.py",),
    "cryptography": ("aiomar/transport/_identity*.py", "aiomar/transport/_key_files.py", "aiomar/testing/*.py"),
    "trustme": ("aiomar/testing/*.py",),
    "pytest": ("aiomar/testing/*.py",),
    "numpy": ("aiomar/formats/_arrow*.py",),
    "pyarrow": ("aiomar/formats/_arrow*.py",),
    "cyclopts": ("aiomar/cli/*.py",),
    "rich": ("aiomar/cli/*.py",),
}
"""Library → the only files that may import it."""

IMPURE = {"aiohttp", "asyncio", "random", "secrets", "socket", "subprocess", "threading", "time", "uuid"}
EFFECTS = {"open", "now", "utcnow", "today", "read_bytes", "read_text", "write_bytes", "write_text"}
LONGEST_FILE = 330
LONGEST_LIST = {"aiomar/errors.py": 420, "aiomar/_client.py": 440}
"""Files that declare and do nothing themselves: the error tree is one picture, and the client is one class of thin
methods whose signatures and docstrings are the public face; halves of either would be harder to read."""
LONGEST_FUNCTION = 45


@functools.cache
def _tree(source: str) -> ast.Module:
    return ast.parse(source)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Walk what is there at run time."""
    yield node
    for child in ast.iter_child_nodes(node):
        if _is_type_checking(child):
            assert isinstance(child, ast.If)
            for other in child.orelse:
                yield from _walk(other)
        else:
            yield from _walk(child)


def imports(source: str, module: str) -> Iterator[str]:
    """Name every module that a source imports; for ``from x import y`` both ``x`` and ``x.y``, which may be a module.

    Args:
        source: its text.
        module: its full name, ending in ``.__init__`` for a package.
    """
    for node in _walk(_tree(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            name = ".".join([*base, *filter(None, [node.module])])
            yield name
            yield from (f"{name}.{alias.name}" for alias in node.names)


def _place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def room(module: str) -> str:
    """Name the room of the house that a module stands in: ``aiomar.transport._trust`` stands in ``transport``."""
    name = [*module.split("."), ""][1]
    return "" if name == "__init__" else name


def forbidden_imports(source: str, module: str) -> set[str]:
    """Find the rooms that a module looks into although it may not."""
    here = room(module)
    names = {name for name in imports(source, module) if name.split(".")[0] == "aiomar"}
    # `from aiomar import errors` is a look into errors; `from aiomar import OmarClient` one into the front door.
    rooms = {room(name) if room(name) in MAY_IMPORT else "" for name in names if name != "aiomar"}
    return rooms - MAY_IMPORT[here] - {here}


def _bad(paths: list[Path], look: Callable[[str, str], Collection[str]]) -> dict[str, Collection[str]]:
    """Give the files in which a look at source and module finds something, and what."""
    # One test for all files: a test for each would take longer to collect than to run.
    looks = {_place(path): look(path.read_text(encoding="utf-8"), _module(path)) for path in paths}
    return {place: found for place, found in looks.items() if found}


def test_every_module_stands_in_a_room() -> None:
    """A room says what it may look into, before anything is built in it."""
    assert {room(_module(path)) for path in SOURCES} - MAY_IMPORT.keys() == set()


def test_rooms_look_only_where_they_may() -> None:
    """Errors, protocol, transport, session, client, command line: imports point one way."""
    assert _bad(SOURCES, forbidden_imports) == {}


def strangers(source: str, module: str) -> set[str]:
    """Find the libraries that a module imports although it is not one of their doors."""
    place = f"{module.replace('.', '/')}.py"
    libraries = {name.split(".")[0] for name in imports(source, module)} & DOORS.keys()
    return {library for library in libraries if not any(fnmatch(place, door) for door in DOORS[library])}


def test_libraries_come_in_by_their_doors() -> None:
    """A library that can be replaced is imported in one place."""
    assert _bad(SOURCES, strangers) == {}


def test_the_embedded_server_has_one_door_to_aiohttp() -> None:
    """One file of `aiomar.testing` speaks to aiohttp's server; the site model does not know it."""
    doors = [
        path.name
        for path in SOURCES
        if room(_module(path)) == "testing"
        and any(name.split(".")[0] == "aiohttp" for name in imports(path.read_text(encoding="utf-8"), _module(path)))
    ]
    assert len(doors) <= 1, doors


def effects(source: str, module: str) -> set[str]:
    """Find what a part of the core may not use: the loop, the network, chance, files, and the clock."""
    used = {name.split(".")[0] for name in imports(source, module)} & IMPURE
    for node in ast.walk(_tree(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            used |= {name} & EFFECTS
    return used


def test_the_protocol_core_has_no_effects() -> None:
    """The core is functions of status, headers and bytes."""
    core = [path for path in SOURCES if room(_module(path)) == "protocol"]
    assert len(core) > 1
    assert _bad(core, effects) == {}


def functions_too_long(source: str) -> list[str]:
    """Name the functions that are longer than a screen, not counting their docstrings."""
    found = []
    for node in ast.walk(_tree(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            docstring = _lines(first) if ast.get_docstring(node) is not None else 0
            if _lines(node) - docstring > LONGEST_FUNCTION:
                found.append(node.name)
    return found


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_files_and_functions_stay_small() -> None:
    """About 300 lines a file and 40 a function; past that an idea is missing."""
    lengths = {_place(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {place: lines for place, lines in lengths.items() if lines > LONGEST_LIST.get(place, LONGEST_FILE)} == {}
    assert _bad(SOURCES, lambda source, _: functions_too_long(source)) == {}


def _is_false(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def relaxations(source: str) -> list[str]:
    """Find what would turn the verification of a peer off, or make it optional."""
    names = {"CERT_NONE", "CERT_OPTIONAL", "Fingerprint", "_create_unverified_context"}
    switches = {"check_hostname", "ssl", "verify", "verify_ssl", "ssl_verify"}
    found = []
    for node in ast.walk(_tree(source)):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name) if name in names:
                found.append(name)
            case ast.keyword(arg=name, value=value) if name in switches and _is_false(value):
                found.append(f"{name}=False")
            case ast.Assign(targets=targets, value=value) if _is_false(value):
                attributes = [target.attr for target in targets if isinstance(target, ast.Attribute)]
                found += [f"{name}=False" for name in attributes if name in switches]
            case ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Constant(value=name), value]) if (
                name in switches and _is_false(value)
            ):
                found.append(f"{name}=False")
    return found


def test_nothing_turns_verification_off() -> None:
    """The chain and the host name of a server are always verified, in the package and around it."""
    assert _bad(EVERYTHING, lambda source, _: relaxations(source)) == {}


@pytest.mark.parametrize(
    ("source", "module", "rooms"),
    [
        ("import aiomar.transport", "aiomar.protocol._x", {"transport"}),
        ("from aiomar import errors", "aiomar.errors", set()),
        ("from aiomar import OmarClient", "aiomar.transfer._x", {""}),
        ("from ..transport import y", "aiomar.transfer._x", {"transport"}),
        ("from . import y", "aiomar.transfer.__init__", set()),
        ("from aiomar.testing import OmarServer", "aiomar._client", {"testing"}),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import aiomar.cli", "aiomar.errors", set()),
        ("def f():\n    from aiomar.cli import g", "aiomar.errors", {"cli"}),
    ],
)
def test_a_look_into_another_room_is_seen(source: str, module: str, rooms: set[str]) -> None:
    """Absolute and relative imports, at the top and inside functions, are all read."""
    assert forbidden_imports(source, module) == rooms


@pytest.mark.parametrize(
    ("source", "used"),
    [
        ("from asyncio import sleep", {"asyncio"}),
        ("open('x')", {"open"}),
        ("dt.datetime.now()", {"now"}),
        ("import re", set()),
    ],
)
def test_an_effect_is_seen(source: str, used: set[str]) -> None:
    """Imports and calls both count."""
    assert effects(source, "aiomar.protocol._x") == used


@pytest.mark.parametrize(
    "source",
    [
        "context.verify_mode = ssl.CERT_NONE",
        "from ssl import CERT_NONE",
        "context.check_hostname = False",
        "session.get(url, ssl=False)",
        "httpx.get(url, verify=False)",
        "setattr(context, 'check_hostname', False)",
    ],
)
def test_a_relaxation_is_seen(source: str) -> None:
    """Every usual way to turn verification off is found."""
    assert len(relaxations(source)) == 1


def test_a_long_function_is_seen() -> None:
    """The length counts without the docstring."""
    body = "    pass\n" * LONGEST_FUNCTION
    assert functions_too_long(f"def f():\n{body}") == ["f"]
    docstring = '    """One.\n\n    Two.\n    """\n'
    assert functions_too_long(f"def f():\n{docstring}{body.removesuffix('    pass' + chr(10))}") == []
