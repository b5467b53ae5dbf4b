"""A running nginx for tests, on ports that are bound before it starts, so nothing is waited for and no port is lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

_FRAME = """
daemon off;
{user}
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log notice;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    {http}
}}
"""


def require_nginx() -> str:
    """Give the program's path; skips the test where there is none."""
    # Debian keeps it where only the administrator's PATH looks.
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    return program


@contextlib.contextmanager
def reserved_ports(count: int) -> Iterator[list[int]]:
    """Keep ports that nobody listens on from being given to anyone else; who asks for one by its number may have it."""
    with contextlib.ExitStack() as stack:
        ports = []
        for _ in range(count):
            keeper = stack.enter_context(socket.socket())
            keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            keeper.bind(("127.0.0.1", 0))
            ports.append(keeper.getsockname()[1])
        yield ports


@contextlib.contextmanager
def nginx(directory: Path, servers: Mapping[str, str], http: str = "") -> Iterator[dict[str, int]]:
    """Run nginx for as long as the context lasts; gives the port of every server by its name.

    Args:
        directory: for its files.
        servers: the inside of a ``server`` block for each name; it listens with TLS.
        http: what stands in the ``http`` block besides.
    """
    program = require_nginx()
    with contextlib.ExitStack() as stack:
        sockets = {name: stack.enter_context(socket.create_server(("127.0.0.1", 0))) for name in servers}
        ports = {name: listener.getsockname()[1] for name, listener in sockets.items()}
        blocks = [f"server {{ listen 127.0.0.1:{ports[name]} ssl; {inside} }}" for name, inside in servers.items()]
        # Its worker would give up root, and with it the right to read what the tests wrote.
        user = "user root root;" if os.geteuid() == 0 else ""
        configuration = directory / "nginx.conf"
        configuration.write_text(_FRAME.format(directory=directory, user=user, http="\n".join((http, *blocks))))
        numbers = [listener.fileno() for listener in sockets.values()]
        process = subprocess.Popen(
            [program, "-c", configuration, "-p", directory, "-e", directory / "error.log"],
            # This is how one nginx hands its sockets to the next.
            env={"NGINX": "".join(f"{number};" for number in numbers)},
            pass_fds=numbers,
        )
        for listener in sockets.values():
            listener.close()
        try:
            yield ports
            assert process.poll() is None, (directory / "error.log").read_text()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
