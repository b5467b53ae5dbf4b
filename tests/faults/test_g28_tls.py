"""G28: TLS 1.2 and 1.3, with every certificate that one side must refuse, against `openssl s_server` and asyncio.

The two differ: the first sends the alert that the standard demands, the second hangs up without a word, so that nothing
certain can be said.  asyncio's TLS cannot ask for another handshake (TLS 1.2); `s_server` does.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import attrs
import pytest

from aiomar import CertificateRejectedError, ClientIdentity, OmarClient, OmarConfig, OmarError
from tests.support.clients import CSV, config_for, download, saved_names
from tests.support.gates import Gate
from tests.support.openssl import s_server
from tests.support.pki import Credential, pki
from tests.support.raw import LOGIN, Port, RawSite, whole
from tests.support.tls import REFUSED, REFUSED_SERVERS, site

VERSIONS = {"-tls1_2": ssl.TLSVersion.TLSv1_2, "-tls1_3": ssl.TLSVersion.TLSv1_3}
STRANGERS = ("unknown authority", "expired", "without its intermediate")

End = tuple[str, bool | None]
"""Which side refused, and whether that is certain; ``("saved", None)`` for a file that is there."""


@attrs.frozen
class Case:
    """Who meets whom."""

    name: str
    must: End
    client: Credential
    server: Credential


def cases(*, certain: bool) -> Iterator[Case]:
    """Give one good pair, and each in which one side must refuse the other.

    Args:
        certain: whether the server says why it hangs up.
    """
    ours, theirs = pki().client, pki().server
    yield Case("good", ("saved", None), ours, theirs)
    for name in STRANGERS:
        yield Case(f"client: {name}", ("client", certain), REFUSED[name](), theirs)
    for name, make in REFUSED_SERVERS.items():
        yield Case(f"server: {name}", ("server", True), ours, make())


@asynccontextmanager
async def openssl_site(directory: Path, version: str, server: Credential) -> AsyncIterator[str]:
    """Run the one kind; gives its origin."""
    with site(directory, version, server=server) as running:
        yield f"https://localhost:{running.port}"


def context_of(directory: Path, version: str, server: Credential) -> ssl.SSLContext:
    """Make the server's side of mutual TLS in one version."""
    files = server.save(directory, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    context.load_verify_locations(pki().save_root(directory))
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = VERSIONS[version]
    return context


@asynccontextmanager
async def asyncio_site(directory: Path, version: str, server: Credential) -> AsyncIterator[str]:
    """Run the other kind; gives its origin."""
    async with RawSite(context_of(directory, version, server), whole(CSV)) as running:
        yield running.origin


def configure(directory: Path, origin: str, client: Credential) -> OmarConfig:
    """Make a client whose own look at the dates of its certificate must not get in the way."""
    moment = client.certificate.not_valid_before_utc + dt.timedelta(seconds=1)
    identity = ClientIdentity.from_pkcs12(client.pkcs12(), now=lambda: moment)
    return config_for(pki().save_root(directory), origin, identity=identity)


async def end_of(config: OmarConfig, into: Path) -> End | str:
    """Download a file, and say how that ended."""
    try:
        async with OmarClient(config) as client:
            saved = await download(client, into)
    except CertificateRejectedError as error:
        return error.side, error.certain
    except OmarError as error:
        return repr(error)
    return ("saved", None) if saved.path.read_bytes() == CSV else "saved other bytes"


@pytest.mark.gate("G28")
@pytest.mark.fault(15, 16, 17)
@pytest.mark.parametrize("start", [openssl_site, asyncio_site])
async def test_who_is_refused(
    gate: Gate, tmp_path: Path, start: Callable[[Path, str, Credential], AbstractAsyncContextManager[str]]
) -> None:
    """Each case ends in its error, of the right side; only the good pair leaves a file."""
    wrong = []
    done = 0
    for version in VERSIONS:
        for case in cases(certain=start is openssl_site):
            directory = tmp_path / f"{done}"
            directory.mkdir()
            async with start(directory, version, case.server) as origin:
                end = await end_of(configure(directory, origin, case.client), directory)
            if end != case.must or bool(saved_names(directory)) != (end == ("saved", None)):
                wrong.append(f"{version} {case.name}: {end}, not {case.must}")
            done += 1
    gate.record(done, len(wrong), "TLS cases against two kinds of servers")
    assert wrong == []


@pytest.mark.gate("G28")
@pytest.mark.fault(19, 20)
async def test_asked_for_later(gate: Gate, tmp_path: Path) -> None:
    """`s_server` asks for the certificate after the request: by renegotiation, or as TLS 1.3 has it."""
    files = pki().server.save(tmp_path, "server")
    root = pki().save_root(tmp_path)
    for version, ask in (("-tls1_2", "R"), ("-tls1_3", "c")):
        options = ("-cert", files.certificate, "-key", files.key, "-CAfile", root, "-crlf", version)
        with s_server(*options, "-no_resumption_on_reneg") as server:
            async with OmarClient(configure(tmp_path, f"https://localhost:{server.port}", pki().client)) as client:
                login = asyncio.create_task(client.login())
                await asyncio.to_thread(server.wait_for, "^User-Agent: aiomar")
                assert "Test Client" not in server.output
                server.tell(ask)
                await asyncio.to_thread(server.wait_for, "depth=0 .*Test Client")
                server.tell("HTTP/1.1 200 OK\nset-cookie: A=1\ncontent-length: 0\n")
                await login
    gate.record(2, 0, "TLS cases against two kinds of servers")


@pytest.mark.gate("G28")
@pytest.mark.fault(19)
async def test_asked_for_later_by_asyncio(gate: Gate, tmp_path: Path) -> None:
    """Asyncio's server asks after the request (TLS 1.3), and knows the client by the next one."""
    context = context_of(tmp_path, "-tls1_3", pki().server)
    context.post_handshake_auth = True
    known: list[object] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        for answer in (LOGIN, whole(CSV)):
            await reader.readuntil(b"\r\n\r\n")
            known.append(tls.getpeercert())
            if not known[-1]:
                tls.verify_client_post_handshake()
            writer.write(answer.wire)
            await writer.drain()

    async with Port(talk, context) as port:
        end = await end_of(configure(tmp_path, port.origin, pki().client), tmp_path)
    assert end == ("saved", None)
    before, after = known
    assert not before
    assert "Test Client" in str(after)
    gate.record(1, 0, "TLS cases against two kinds of servers")
