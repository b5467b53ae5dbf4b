"""nginx as OMAR-Online: mutual TLS 1.3, a login that always works, static bodies, and a log that counts handshakes.

Everything is in one scratch folder that goes away with the server.  Where there are four CPUs or more, the server keeps
the upper half and the rest of this process (with all contenders it starts) the lower half, so that neither is measured
while it waits for the other.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import trustme

from benchmarks.workloads import WORKLOADS, Workload

_ENOUGH_CPUS = 4
_PATIENCE = 10.0  # seconds for nginx to listen, and for its log to be complete

_CONFIG = """\
daemon off;
{user}worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    log_format handshakes '$connection $ssl_session_reused $request_method $status';
    client_body_temp_path {folder}/t1;
    proxy_temp_path {folder}/t2;
    fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4;
    scgi_temp_path {folder}/t5;
    default_type application/octet-stream;
    keepalive_requests 1000000;
    keepalive_timeout 300s;
    ssl_protocols TLSv1.3;
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.key;
    ssl_client_certificate {folder}/ca.pem;
    ssl_verify_client on;
    map $arg_selectedMeters $body {{
        {shared}
        default /$arg_selectedMeters;
    }}
    upstream slow {{ server unix:{folder}/slow.sock; keepalive 64; }}
    server {{
        listen 127.0.0.1:{upload} ssl;
        location = /fr_top.jsp {{
            default_type text/html;
            add_header Set-Cookie "JSESSIONID=benchmark; Path=/; Secure; HttpOnly";
            return 200 "<html><head><title>OMAR-Online</title></head><body>Welcome</body></html>";
        }}
    }}
    server {{
        listen 127.0.0.1:{download} ssl;
        access_log {folder}/access.log handshakes;
        max_ranges 0;  # OMAR's pages make their answers as they go
        root {folder}/bodies;
        location = /getMDEF.jsp {{ try_files $body =404; }}
    }}
    server {{
        listen 127.0.0.1:{slow} ssl;
        access_log {folder}/access.log handshakes;
        location = /getMDEF.jsp {{
            proxy_pass http://slow;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


@attrs.frozen(kw_only=True)
class Connections:
    """What the server saw of one contender."""

    handshakes: int
    """Connections, each of which began with a handshake."""
    resumed: int
    """How many of those handshakes were shortened by an earlier session."""
    answers: dict[str, int]
    """How many answers to GET had each status; a HEAD is no download."""


@attrs.frozen(kw_only=True)
class Server:
    """A running nginx."""

    folder: Path
    upload_port: int
    download_port: int
    slow_port: int
    cpus: frozenset[int]

    @property
    def bodies(self) -> Path:
        """The folder whose files are handed out, by meter id."""
        return self.folder / "bodies"

    @property
    def kept(self) -> Path:
        """A folder for what contenders prepare for a workload."""
        return self.folder / "kept"

    def origin(self, workload: Workload) -> str:
        """Give the download origin that serves a workload."""
        return f"https://127.0.0.1:{self.slow_port if workload.latency else self.download_port}"

    @property
    def upload_origin(self) -> str:
        """Where the login is."""
        return f"https://127.0.0.1:{self.upload_port}"

    @contextlib.contextmanager
    def serving(self, workload: Workload) -> Iterator[None]:
        """Have the bodies of a workload, and its latency, for as long as the context lasts."""
        self.bodies.mkdir()
        self.kept.mkdir()
        try:
            workload.write_bodies(self.bodies)
            with self._latency(workload) if workload.latency else contextlib.nullcontext():
                yield
        finally:
            shutil.rmtree(self.bodies)
            shutil.rmtree(self.kept)

    @contextlib.contextmanager
    def _latency(self, workload: Workload) -> Iterator[None]:
        address = self.folder / "slow.sock"
        arguments = [str(address), str(workload.latency), str(self.bodies / workload.key)]
        command = [sys.executable, "-m", "benchmarks.slow", *arguments]
        with _running(command, ready=address.exists, cpus=self.cpus):
            yield
        address.unlink()

    def forget_connections(self) -> None:
        """Begin to count anew; nginx appends to its log, so it goes on at the new beginning."""
        os.truncate(self.folder / "access.log", 0)

    def connections(self, requests: int) -> Connections:
        """Count handshakes since `forget_connections`.

        nginx writes a line after it has sent a body, so the last lines may come a moment after the client is done.

        Args:
            requests: how many downloads must have been asked for, at least.
        """
        deadline = time.monotonic() + _PATIENCE
        while True:
            time.sleep(0.02)
            lines = [line.split() for line in (self.folder / "access.log").read_text().splitlines()]
            answers = Counter(status for _, _, method, status in lines if method == "GET")
            if answers.total() >= requests or time.monotonic() > deadline:
                break
        return Connections(
            handshakes=len({connection for connection, _, _, _ in lines}),
            resumed=len({connection for connection, reused, _, _ in lines if reused == "r"}),
            answers=dict(answers),
        )


def find_nginx() -> str | None:
    """Give the path of nginx; where the benchmarks cannot run, say why and give `None`."""
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not sys.platform.startswith("linux"):
        sys.stderr.write("skipped: the benchmarks need Linux, for memory figures and CPU affinity\n")
        return None
    if program is None:
        sys.stderr.write("skipped: nginx not found; on Debian and Ubuntu: apt install nginx-light\n")
    return program


@contextlib.contextmanager
def nginx(program: str, folder: Path) -> Iterator[Server]:
    """Run nginx in a scratch folder, and keep this process and its children off nginx's CPUs.

    Args:
        program: the path of the nginx program.
        folder: an empty folder, on a tmpfs if the disk is not to be measured.
    """
    _write_certificates(folder)
    upload, download, slow = _free_ports(3)
    user = "user root;\n" if os.geteuid() == 0 else ""  # its workers must be able to enter the scratch folder
    configuration = folder / "nginx.conf"
    shared = " ".join(f"~^{workload.key} /{workload.key};" for workload in WORKLOADS if workload.shared_body)
    ports = {"upload": upload, "download": download, "slow": slow}
    configuration.write_text(_CONFIG.format(folder=folder, user=user, shared=shared, **ports))
    command = [program, "-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log")]
    clients, servers = _halves(sorted(os.sched_getaffinity(0)))
    with _running(command, ready=lambda: _listens(upload), cpus=servers), _kept_to(clients):
        yield Server(folder=folder, upload_port=upload, download_port=download, slow_port=slow, cpus=servers)


def _write_certificates(folder: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name, identity in (("server", "127.0.0.1"), ("client", "participant@omar.example")):
        certificate = authority.issue_cert(identity)
        certificate.private_key_pem.write_to_path(str(folder / f"{name}.key"))
        for pem in certificate.cert_chain_pems:
            pem.write_to_path(str(folder / f"{name}.pem"), append=True)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _halves(cpus: list[int]) -> tuple[frozenset[int], frozenset[int]]:
    """Divide the CPUs between clients and servers; the same ones for both where there are few."""
    if len(cpus) < _ENOUGH_CPUS:
        return frozenset(cpus), frozenset(cpus)
    middle = len(cpus) // 2
    return frozenset(cpus[:middle]), frozenset(cpus[middle:])


@contextlib.contextmanager
def _kept_to(cpus: frozenset[int]) -> Iterator[None]:
    """Keep this process, and the processes that it starts meanwhile, to some CPUs."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def _running(command: list[str], *, ready: Callable[[], bool], cpus: frozenset[int]) -> Iterator[None]:
    """Run a server from when it is ready until the context ends.

    Raises:
        RuntimeError: when it ends by itself or is not ready in time.
    """
    with _kept_to(cpus):
        process = subprocess.Popen(command)
    with process:
        try:
            deadline = time.monotonic() + _PATIENCE
            while not ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} did not start: see what it wrote above or to its error log")
                time.sleep(0.02)
            yield
        finally:
            process.terminate()
