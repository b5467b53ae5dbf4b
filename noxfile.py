"""What is checked before a change is good: ``nox`` runs the default sessions, ``nox --list`` shows all of them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2026.10"
nox.options.sessions = ["tests", "coverage", "lint", "types", "docs", "faults"]
nox.options.error_on_missing_interpreters = False  # "every supported Python that is here", also on CI

PYPROJECT = nox.project.load_toml("pyproject.toml")
# The Python that runs nox is always among them, so that a run can never consist of skipped sessions only.
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = list(dict.fromkeys([*nox.project.python_versions(PYPROJECT), HERE]))
EXTRAS = ".[arrow,cli,keyring,otel,testing]"
# Some tests wait for processes and deadlines: half as many workers again as processors take an eighth less time.
WORKERS = ("-n", str(3 * (os.cpu_count() or 1) // 2), "--dist", "worksteal")
CONNECTIONS = ("tests/client", "tests/interop", "tests/transport")


def _switch_on_pyenv_versions() -> None:
    """Let pyenv answer for every version it has; its shims run only those that are switched on."""
    if "PYENV_VERSION" not in os.environ and (pyenv := shutil.which("pyenv")):
        found = subprocess.run(
            [pyenv, "versions", "--bare", "--skip-aliases"], capture_output=True, text=True, check=False
        )
        os.environ["PYENV_VERSION"] = ":".join(reversed(found.stdout.split()))


_switch_on_pyenv_versions()


def _install(session: nox.Session, *groups: str) -> None:
    # What is not compiled now is compiled when it is imported, which most of the large libraries never is.
    session.install("--no-compile", "-e", EXTRAS, *nox.project.dependency_groups(PYPROJECT, *groups))


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
    session.run("coverage", "run", "-m", "pytest", "-q", *WORKERS, env=env)
    session.run("coverage", "combine", "--quiet", env=env)
    session.run("coverage", "report", env=env)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and layout."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "lint"))
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
    extras = ",".join(PYPROJECT["project"]["optional-dependencies"])
    session.install("-e", f".[{extras}]")
    installed = str(session.run("python", "-m", "pip", "freeze", "--exclude-editable", silent=True))
    session.install(*nox.project.dependency_groups(PYPROJECT, "audit"))  # only now, or it would be audited too
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
