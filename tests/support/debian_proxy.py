"""CONNECT proxies that nobody here wrote, running for a test: tinyproxy and squid, as Debian has them."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs
import pytest

from tests.support.nginx import reserved_ports

_TINYPROXY = """
Port {port}
Listen 127.0.0.1
Allow 127.0.0.1
MaxClients 50
Timeout 60
LogLevel Info
{connect}
{more}
"""
_SQUID = """
http_port 127.0.0.1:{port}
acl ours port {connect}
http_access allow ours
http_access deny all
pid_filename none
cache_log /dev/null
access_log none
cache deny all
cache_mem 0
coredump_dir none
pinger_enable off
shutdown_lifetime 0 seconds
dns_nameservers 127.0.0.1
{more}
"""
_READY: Final = {"tinyproxy": "Accepting connections", "squid": "Accepting HTTP Socket connections"}


@attrs.frozen
class RunningProxy:
    """A proxy at work.

    Attributes:
        address: for ``proxy=``.
        process: it.
    """

    address: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """End it at once, with everything that goes through it."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def debian_proxy(name: str, directory: Path, connect_ports: Sequence[int], more: str = "") -> Iterator[RunningProxy]:
    """Run a proxy for as long as the context lasts; skips the test where it is not installed.

    Args:
        name: ``"tinyproxy"`` or ``"squid"``.
        directory: for its files.
        connect_ports: where it connects to; to others it refuses to.
        more: further lines of its configuration.
    """
    # Debian keeps squid where only the administrator's PATH looks.
    program = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip(f"{name} is not installed")
    configuration = directory / f"{name}.conf"
    with reserved_ports(1) as (port,):
        if name == "tinyproxy":
            text = _TINYPROXY.format(
                port=port, connect="\n".join(f"ConnectPort {one}" for one in connect_ports), more=more
            )
            words = [program, "-d", "-c", str(configuration)]
        else:
            text = _SQUID.format(port=port, connect=" ".join(map(str, connect_ports)), more=more)
            words = [program, "-N", "-d1", "-f", str(configuration)]
        configuration.write_text(text)
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                assert process.stdout is not None
                said = []
                for line in process.stdout:
                    said.append(line)
                    if _READY[name] in line:
                        break
                assert process.poll() is None, said
                yield RunningProxy(f"http://127.0.0.1:{port}", process)
            finally:
                process.kill()
