"""What is checked before a change is good: ``nox`` runs the default sessions, ``nox --list`` shows all of them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import nox
from packaging.requirements import Requirement

nox.needs_version = ">=2026.10"
nox.options.sessions = ["tests", "coverage", "lint", "types", "docs", "changelog", "build", "package", "faults"]
nox.options.error_on_missing_interpreters = False  # "every supported Python that is here", also on CI

PYPROJECT = nox.project.load_toml("pyproject.toml")
# The Python that runs nox is always among them, so that a run can never consist of skipped sessions only.
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = list(dict.fromkeys([*nox.project.python_versions(PYPROJECT), HERE]))
EXTRAS = ".[arrow,cli,keyring,otel,testing]"
EVERY_EXTRA = f".[{','.join(PYPROJECT['project']['optional-dependencies'])}]"
# Some tests wait for processes and deadlines: half as many workers again as processors take an eighth less time.
WORKERS = ("-n", str(3 * (os.cpu_count() or 1) // 2), "--dist", "worksteal")
OUTSIDE = ("-q", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function", "test_outside.py")
CONNECTIONS = ("tests/client", "tests/interop", "tests/transport")


def _switch_on_pyenv_versions() -> None:
    """Let pyenv answer for every version it has; its shims run only those that are switched on."""
    if "PYENV_VERSION" not in os.environ and (pyenv := shutil.which("pyenv")):
        found = subprocess.run(
            [pyenv, "versions", "--bare", "--skip-aliases"], capture_output=True, text=True, check=False
        )
        os.environ["PYENV_VERSION"] = ":".join(reversed(found.stdout.split()))


_switch_on_pyenv_versions()
# Where this is set, every worker and every process of the suite compiles each module anew: a quarter of all its work.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def _install(session: nox.Session, *groups: str) -> None:
    # What is not compiled now is compiled when it is imported, which most of the large libraries never is.
    session.install("--no-compile", "-e", EXTRAS, *_group(*groups))


def _group(*groups: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PYPROJECT, *groups)


@contextmanager
def _far_away(session: nox.Session, *files: str) -> Iterator[None]:
    """Go where nothing of the sources can be imported or configures anything; take files along."""
    with tempfile.TemporaryDirectory() as place:
        for file in files:
            shutil.copy(file, place)
        with session.chdir(place):
            yield


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the whole suite, or the tests that are named after ``--``."""
    # Other people's libraries read the same bytes on every Python: they are asked once, on the one that runs this.
    _install(session, "test", *(("look",) if session.python == HERE else ()))
    session.run("pytest", "-rs", *(session.posargs or WORKERS))


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the whole suite once more, slower, and hold the coverage gate."""
    _install(session, "look", "test")
    env = {"COVERAGE_FILE": str(Path(session.create_tmp()) / "coverage")}
    session.run("coverage", "erase", env=env)
    # Coverage starts before pytest loads our own plugin: what runs while a module is imported counts too.
    # The examples of the documentation are left out: they find nothing that has no test of its own.
    session.run("coverage", "run", "-m", "pytest", "-q", *WORKERS, "--ignore=tests/documents", env=env)
    session.run("coverage", "combine", "--quiet", env=env)
    session.run("coverage", "report", env=env)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and layout."""
    session.install(*_group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types: everything with mypy, the public face with pyright as well."""
    _install(session, "types")
    session.run("mypy")
    session.run("pyright")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    _install(session, "docs")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "docs", "docs/_build/html", *session.posargs)


@nox.session
def links(session: nox.Session) -> None:
    """Follow every link of the documentation that leads out of it; needs the network."""
    _install(session, "docs")
    directory = Path(session.create_tmp()) / "links"
    session.run("sphinx-build", "-q", "-b", "linkcheck", "docs", str(directory), success_codes=[0, 1])
    answers = [json.loads(line) for line in (directory / "output.json").read_text(encoding="utf-8").splitlines()]
    outside = [answer for answer in answers if answer["uri"].startswith("http")]
    bad = [answer for answer in outside if answer["status"] in {"broken", "timeout"}]
    if not outside:
        session.skip("no page has a link that leads out of the documentation")
    if len(bad) == len(outside):
        session.error(f"none of {len(outside)} links answered, so NOTHING is known: repeat it where there is a network")
    if bad:
        session.error("; ".join(f"{answer['filename']}: {answer['uri']} {answer['info']}" for answer in bad))
    session.log(f"{len(outside)} links lead somewhere")


@nox.session
def changelog(session: nox.Session) -> None:
    """Show what the next version's part of the changelog would be; ``-- --version 1.2.3 --yes`` writes it."""
    session.install(*_group("changelog"))
    session.run("towncrier", "build", *(session.posargs or ("--draft", "--version", "the next version")))


@nox.session
def build(session: nox.Session) -> None:
    """Build the source package, and the wheel from it, into ``dist``, and look at both."""
    session.install(*_group("release"))
    again = Path(session.create_tmp()) / "again"
    for directory in (Path("dist"), again):
        shutil.rmtree(directory, ignore_errors=True)
    session.run("pyproject-build", "--outdir", "dist")
    session.run("pyproject-build", "--wheel", "--outdir", str(again))
    session.run("python", "-m", "tests.support.packaged", "dist", str(again))
    session.run("twine", "check", "--strict", *map(str, Path("dist").iterdir()))


@nox.session(requires=["build"])
def package(session: nox.Session) -> None:
    """Install the wheel step by step, far from the sources, and use it as its users do."""
    wheel = next(Path("dist").resolve().glob("*.whl"))
    with _far_away(session, *map(str, Path("tests/typing").glob("*.py")), "tests/release/test_outside.py"):
        session.install(str(wheel))
        session.run("python", "-c", "import aiomar")
        said = str(session.run("aiomar", silent=True, success_codes=[2])).splitlines()
        if len(said) != 1 or "pip install 'aiomar[cli]'" not in said[0]:
            session.error(f"without its extra the command line says {said}")
        session.install(f"{wheel}[cli]")
        for program in (("aiomar",), ("python", "-m", "aiomar")):
            said = str(session.run(*program, "--version", silent=True)).split()
            if said != wheel.name.split("-")[:2]:
                session.error(f"the version is said to be {said}")
        session.run("aiomar", "--help", silent=True)
        session.install(f"{wheel}[testing]", "pytest-asyncio")
        session.run("aiomar", "demo")
        session.run("pytest", *OUTSIDE)
        session.install("--no-compile", *_group("checkers"))
        session.run("mypy", "--strict", ".")
        session.run("pyright", ".")
        session.run("pyright", "--verifytypes", "aiomar", "--ignoreexternal")


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run the suite on the lowest versions that are allowed: of Python, and of what the package and its extras need."""
    project = PYPROJECT["project"]
    needs = map(Requirement, chain(project["dependencies"], *project["optional-dependencies"].values()))
    bounds = [(need.name, each.version) for need in needs for each in need.specifier if each.operator == ">="]
    constraints = Path(session.create_tmp()) / "lowest.txt"
    wanted = ("--no-compile", "-e", EVERY_EXTRA, "--constraint", str(constraints))
    constraints.write_text("\n".join(f"{name}=={version}" for name, version in bounds), encoding="utf-8")
    session.install(*wanted, "pytest-asyncio")
    with _far_away(session, "tests/release/test_outside.py"):
        session.run("pytest", *OUTSIDE)
    # Our own suite needs a newer pytest than a project that only uses the fixtures.
    others = [f"{name}=={version}" for name, version in bounds if name != "pytest"]
    constraints.write_text("\n".join(others), encoding="utf-8")
    session.install(*wanted, *_group("test"))
    session.run("pytest", "-rs", *(session.posargs or WORKERS))


@nox.session
def conformance(session: nox.Session) -> None:
    """Write the tables of clauses and of faults anew from the tests' marks."""
    _install(session, "test")
    session.run("pytest", "--collect-only", "-q", "--write-conformance", "--write-faults")


# Gates wait much, for deadlines and for killed processes: twice as many workers as processors take half the time.
GATES = ("-m", "gate", "-rs", "tests/faults", "-n", str(2 * (os.cpu_count() or 1)), "--dist", "worksteal")


@nox.session
def faults(session: nox.Session) -> None:
    """Run the gates of the fault suite at their smaller numbers, with the same chance each time."""
    _install(session, "test")
    session.run("pytest", *GATES, "--timeout", "300", *session.posargs)


@nox.session
def faults_long(session: nox.Session) -> None:
    """Run the gates at their larger numbers, with a new chance each time, which is printed; takes hours."""
    _install(session, "test")
    chance = ("--faults-scale", "long", "--faults-seed", str(secrets.randbelow(2**31)))
    session.run("pytest", *GATES, *chance, "--timeout", "86400", *session.posargs)


@nox.session
def audit(session: nox.Session) -> None:
    """Ask two advisory databases about everything that the package installs with its extras; needs the network."""
    session.install("-e", EVERY_EXTRA)
    installed = str(session.run("python", "-m", "pip", "freeze", "--exclude-editable", silent=True))
    session.install(*_group("audit"))  # only now, or it would be audited too
    directory = Path(session.create_tmp())
    wanted = directory / "installed.txt"
    wanted.write_text(installed, encoding="utf-8")
    for service in ("pypi", "osv"):
        answer = directory / f"{service}.json"
        answer.unlink(missing_ok=True)
        options = ("--requirement", str(wanted), "--no-deps", "--disable-pip", "--progress-spinner", "off")
        output = ("--format", "json", "--output", str(answer))
        # The code is 1 for a weakness as well as for a failure, and 0 where the service knew nothing at all.
        session.run("pip-audit", "--vulnerability-service", service, *options, *output, success_codes=[0, 1])
        if complaint := _complaint(answer, len(installed.splitlines())):
            session.error(f"{service}: {complaint}")
        session.log(f"{service}: no known weakness in {len(installed.splitlines())} packages")


def _complaint(answer: Path, asked: int) -> str | None:
    """Say what an audit found, or that it found nothing out; `None` if it knows no weakness of any package."""
    if not answer.is_file():
        return "the service could not be reached, so NOTHING is known: repeat it where there is a network"
    packages = json.loads(answer.read_text(encoding="utf-8"))["dependencies"]
    if unknown := [package["name"] for package in packages if "skip_reason" in package]:
        return f"of {len(unknown)} of {asked} packages NOTHING is known, as the service has no answer: {unknown}"
    if len(packages) != asked:
        return f"{asked} packages were asked about, and {len(packages)} answered for"
    weak = [
        f"{package['name']} {package['version']}: {weakness['id']}"
        for package in packages
        for weakness in package["vulns"]
    ]
    return f"{len(weak)} known weaknesses: {'; '.join(weak)}" if weak else None


@nox.session
def demo(session: nox.Session) -> None:
    """Run ``aiomar demo``."""
    session.install("-e", EXTRAS)
    session.run("aiomar", "demo", *session.posargs)


@nox.session
def interop(session: nox.Session) -> None:
    """Run the tests against servers that nobody here wrote."""
    if shutil.which("nginx", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin") is None:
        session.skip("nginx is not installed")
    _install(session, "test")
    session.run("pytest", "-rs", "-m", "interop and not gate", *session.posargs)


@nox.session
@nox.parametrize("release", ["lowest", "newest"])
def aiohttp_versions(session: nox.Session, release: str) -> None:
    """Run the tests of connections on the lowest and on the newest aiohttp that is allowed."""
    allowed = next(need for need in PYPROJECT["project"]["dependencies"] if need.startswith("aiohttp"))
    lowest = allowed.partition(">=")[2].partition(",")[0]
    _install(session, "test")
    session.install("--upgrade", f"aiohttp=={lowest}" if release == "lowest" else allowed)
    installed = str(session.run("python", "-c", "import aiohttp; print(aiohttp.__version__)", silent=True)).strip()
    session.log(f"the {release} aiohttp of {allowed} is {installed}")
    if release == "newest" and installed == lowest:
        session.skip(f"the newest aiohttp is {installed}, which is also the lowest that is allowed")
    session.run("pytest", "-rs", *(session.posargs or (*WORKERS, *CONNECTIONS)))


@nox.session
def uvloop(session: nox.Session) -> None:
    """Run the tests of connections on uvloop's event loop."""
    if sys.platform == "win32":
        session.skip("uvloop is not made for Windows")
    _install(session, "test")
    loop = ("-m", "pytest", "-p", "tests.support.on_uvloop")
    session.run("python", *loop, "-rs", *(session.posargs or (*WORKERS, *CONNECTIONS)))


@nox.session
def kill(session: nox.Session) -> None:
    """Kill a range of 300 files at 200 random instants, or as often as ``-- --kills`` says; run it again each time."""
    _install(session, "test")
    options = ("--kills", "200", "--kill-files", "300", "--timeout", "1800")
    session.run("pytest", "-rP", "tests/client/test_kill.py", *options, *session.posargs)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Measure speed and memory, and print a table."""
    # Or niquests puts its fork in the place of urllib3, and requests would be measured on that.
    session.env.update(URLLIB3_NO_OVERRIDE="1", PIP_NO_BINARY="urllib3-future")
    _install(session, "benchmarks")
    session.run("python", "-m", "benchmarks", *session.posargs)
