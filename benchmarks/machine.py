"""What the numbers depend on, in words: the machine, its programs, and the versions of all contenders."""

from __future__ import annotations

import os
import platform
import shutil
import ssl
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from benchmarks.contenders import Contender

_GB = 1024**3


def describe(nginx: str, contenders: Iterable[Contender], scratch: Path) -> str:
    """Say on what the benchmarks run.

    Args:
        nginx: the path of the program.
        contenders: those that take part.
        scratch: where bodies and output are.
    """
    used = {name: None for each in contenders for name in each.distributions}
    programs = {each.program.name: each.program for each in contenders if each.program}
    versions = [f"{name} {version(name)}" for name in used]
    versions += [_first_line([name, *program.version]) for name, program in programs.items()]
    return (
        f"{hardware()}; bodies and output on {file_system(scratch)}. "
        f"Python {platform.python_version()} with {ssl.OPENSSL_VERSION}; {_first_line([nginx, '-v'])}; "
        f"{'; '.join(versions)}."
    )


def hardware() -> str:
    """Say which machine and which system it is."""
    cpu = Path("/proc/cpuinfo").read_text()
    models = [line.split(":", 1)[1].strip() for line in cpu.splitlines() if line.startswith("model name")]
    kind = "A virtual machine" if " hypervisor" in cpu else "A machine"
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / _GB
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return (
        f"{kind} with {os.cpu_count()} CPUs ({models[0] if models else platform.machine()}) and {memory:.0f} GB of "
        f"memory; {system}, Linux {platform.release()}"
    )


def file_system(folder: Path) -> str:
    """Give the type of the file system that a folder is on, like ``tmpfs`` or ``ext4``."""
    real = folder.resolve()
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    fitting = [(len(point), kind) for point, kind in mounts if real.is_relative_to(point)]
    return max(fitting)[1]


def _first_line(command: list[str]) -> str:
    program = shutil.which(command[0]) or command[0]
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=True)
    return (done.stdout or done.stderr).splitlines()[0].split(" (")[0]
