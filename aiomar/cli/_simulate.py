"""``aiomar simulate``: the embedded OMAR-Online in the foreground, for a second terminal to talk to."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from aiomar import ConfigError, DestinationError
from aiomar.cli._codes import GOOD
from aiomar.cli._embedded import require_testing, workplace
from aiomar.cli._frame import carry_out
from aiomar.cli._json import fields
from aiomar.cli._options import DIRECTORY, NUMBER, PLAIN, Display
from aiomar.cli._output import Output

_PASSPHRASE_BYTES = 12


@attrs.frozen(kw_only=True)
class Running:
    """A running server, and where the files of its client are."""

    upload_origin: str
    download_origin: str
    pkcs12: Path
    certificate: Path
    key: Path
    """Encrypted under the passphrase, like the PKCS#12 file."""
    ca_file: Path
    passphrase_file: Path
    csv_layout: Path
    """Says what the columns of the server's CSV files are."""
    state_dir: Path
    """Made by the first upload."""
    control_url: str
    """Of the control page; it holds a secret that ends with the server."""


@attrs.frozen(kw_only=True)
class _Ports:
    """Where to listen; 0 for any free port."""

    upload: int
    download: int
    control: int


def simulate(
    *,
    port: Annotated[int, NUMBER] = 0,
    download_port: Annotated[int, NUMBER] = 0,
    control_port: Annotated[int, NUMBER] = 0,
    dir_: Annotated[Path | None, Parameter(name="--dir"), DIRECTORY] = None,
    display: Annotated[Display, Parameter(name="*")] = PLAIN,
) -> int:
    """Run an OMAR-Online on this machine until it is interrupted, and print how to use it.

    It speaks mutual TLS with an authority of its own, knows the meters 1001 to 1060 and the group 123, and is as strict
    as the two documents. Needs the extra testing.

    A browser can use it too, with the certificate that is written. On the control page faults are scripted and requests
    seen as they come; only this machine reaches it, and only with the secret in its printed address.

    Args:
        port: Port of login and uploads; any free one if nothing else is said.
        download_port: Port of downloads, likewise.
        control_port: Port of the control page, likewise.
        dir_: Directory for the credentials, made when missing; without it a temporary one that goes away in the end.
        display: What is shown.
    """
    ports = _Ports(upload=port, download=download_port, control=control_port)
    return carry_out("simulate", display, lambda out: _simulate(out, ports, dir_))


async def _simulate(out: Output, ports: _Ports, wanted: Path | None) -> int:
    require_testing()
    out.when_interrupted = "the server has stopped"
    with workplace(wanted, "--dir") as directory:
        async with _server(ports, directory) as running:
            out.record({"event": "ready", **fields(running)})
            out.line(how_to_use(running))
            await asyncio.get_running_loop().create_future()  # until somebody interrupts
    return GOOD


@contextlib.asynccontextmanager
async def _server(ports: _Ports, directory: Path) -> AsyncIterator[Running]:
    from aiomar.testing import OmarServer  # noqa: PLC0415 - needs the extra, which is here now
    from aiomar.testing._csv_layout import FILE  # noqa: PLC0415 - the same

    async with contextlib.AsyncExitStack() as stack:
        try:
            server = await stack.enter_async_context(
                OmarServer(upload_port=ports.upload, download_port=ports.download, control_port=ports.control)
            )
        except (OSError, OverflowError) as error:
            options = "--port, --download-port and --control-port"
            raise ConfigError(f"a port cannot be used ({error}): choose with {options}") from error
        passphrase = secrets.token_urlsafe(_PASSPHRASE_BYTES)
        passphrase_file, csv_layout = directory / "passphrase.txt", directory / FILE.name
        try:
            passphrase_file.touch(mode=0o600)
            passphrase_file.write_text(f"{passphrase}\n", encoding="ascii")
            csv_layout.write_bytes(FILE.read_bytes())
            files = server.write_credentials(directory, passphrase)
        except OSError as error:
            raise DestinationError(f"{directory} cannot be written ({error.strerror}): choose another --dir") from error
        yield Running(
            upload_origin=server.environment.upload_origin,
            download_origin=server.environment.download_origin,
            pkcs12=files.pkcs12,
            certificate=files.certificate,
            key=files.key,
            ca_file=files.ca_file,
            passphrase_file=passphrase_file,
            csv_layout=csv_layout,
            state_dir=directory / "state",
            control_url=server.control_url,
        )


def how_to_use(running: Running) -> str:
    """Give the commands for a second terminal, ready to be copied."""
    upload, download = running.upload_origin, running.download_origin
    pkcs12, certificate, key, ca_file, passphrase, csv_layout, state_dir = (
        shlex.quote(str(path))
        for path in (
            running.pkcs12,
            running.certificate,
            running.key,
            running.ca_file,
            running.passphrase_file,
            running.csv_layout,
            running.state_dir,
        )
    )
    return f"""\
An OMAR-Online is running: meters 1001 to 1060, group 123. Ctrl-C ends it.
In another terminal:

export AIOMAR_UPLOAD_ORIGIN={upload}
export AIOMAR_DOWNLOAD_ORIGIN={download}
export AIOMAR_PKCS12={pkcs12}
export AIOMAR_PASSPHRASE="$(cat {passphrase})"
export AIOMAR_CA_FILE={ca_file}
export AIOMAR_STATE_DIR={state_dir}
export AIOMAR_CONTROL_URL={running.control_url}

aiomar check
aiomar download --meter 1001 --group 123 --from 2026-03-01 --to 2026-03-31 --format mdef --time dst --into data
aiomar upload data/meter-1001_20260301_20260331_dst.dat
aiomar submissions list
# CSV from here has a layout of its own; export and report read it with --layout {csv_layout}
curl --cacert {ca_file} --cert {certificate} --key {key} --pass "$AIOMAR_PASSPHRASE" {upload}/fr_top.jsp

In a browser: trust {ca_file}, import {pkcs12}
(its passphrase: cat {passphrase}), and open {upload}/
AIOMAR_CONTROL_URL is a page to script faults and to see requests: for this machine only, and a secret.
"""
