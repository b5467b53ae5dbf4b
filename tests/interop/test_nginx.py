"""nginx: as a site of its own, and in front of the embedded one with its certificate, so that everything goes through.

Most gateways that a participant will meet look like this one.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import attrs
import pytest

from aiomar import (
    CertificateRejectedError,
    ClientIdentity,
    FileFormat,
    Group,
    Meter,
    OmarClient,
    OmarConfig,
    OutcomeUnknownError,
    StatusError,
    TimeType,
)
from aiomar.testing import Authority, Disconnect, DropAnswer, Fault, OmarServer, Stall
from tests.support.clients import CSV, download, saved_names
from tests.support.nginx import nginx, reserved_ports
from tests.support.pki import Files, pki

pytestmark = pytest.mark.interop

DAY = dt.date(2026, 1, 1)
BIG = b"id,time,value\r\n" + b"1001,01:00,5\r\n" * 100_000
VERSIONS = {"1.2": "TLSv1.2", "1.3": "TLSv1.3"}
# nginx gives up the length, and so chunks, where it looks into a body; and closes where it must not chunk either.
FRAMINGS = {
    "length": "",
    "chunked": "ssi on; ssi_types *;",
    "content": "ssi on; ssi_types *; chunked_transfer_encoding off;",
}


@attrs.frozen
class Gateway:
    """A running nginx."""

    ports: dict[str, int]
    upload_port: int
    """Where it looks for the site's login and uploads."""
    download_port: int

    def origin(self, name: str) -> str:
        """Give the origin of one of its servers."""
        return f"https://localhost:{self.ports[name]}"


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, ca_file: Path, server_files: Files, omar_authority: Authority
) -> Iterator[Gateway]:
    """Run one nginx with servers for every version of TLS and framing, and with two in front of the embedded site."""
    directory = tmp_path_factory.mktemp("nginx")
    (directory / "data.csv").write_bytes(CSV)
    (directory / "big.csv").write_bytes(BIG)
    keys = omar_authority.write(directory)
    http = f"""
        ssl_certificate {server_files.certificate}; ssl_certificate_key {server_files.key};
        ssl_client_certificate {ca_file}; ssl_verify_client on; ssl_verify_depth 3;
        gzip on; gzip_types *; gzip_min_length 1; gzip_http_version 1.0; gzip_proxied any;
        proxy_http_version 1.1; proxy_ssl_certificate {keys.certificate}; proxy_ssl_certificate_key {keys.key};
        proxy_ssl_trusted_certificate {keys.ca_file}; proxy_ssl_verify on; proxy_ssl_name localhost;
    """
    login = 'location = /fr_top.jsp { add_header Set-Cookie "S=1; Path=/"; return 200 "welcome"; }'
    site = (
        login
        + f"""
        location = /getSQMDCsvForDownload.jsp {{ alias {directory}/data.csv; }}
        location = /getMDEF.jsp {{ alias {directory}/big.csv; }}
    """
    )
    with reserved_ports(3) as (upload, down, nobody):
        servers = {
            f"{version} {framing}": f"ssl_protocols {protocol}; {site} {extra}"
            for version, protocol in VERSIONS.items()
            for framing, extra in FRAMINGS.items()
        }
        servers["upload"] = f"location / {{ proxy_pass https://127.0.0.1:{upload}; }}"
        servers["download"] = f"location / {{ proxy_pass https://127.0.0.1:{down}; }}"
        servers["hasty upload"] = f"proxy_read_timeout 200ms; {servers['upload']}"
        servers["hasty download"] = f"proxy_read_timeout 200ms; {servers['download']}"
        servers["down"] = f"{login} location / {{ proxy_pass https://127.0.0.1:{nobody}; }}"
        servers["small"] = f"client_max_body_size 100k; location / {{ proxy_pass https://127.0.0.1:{upload}; }}"
        with nginx(directory, servers, http) as ports:
            yield Gateway(ports, upload, down)


@pytest.fixture
async def behind(gateway: Gateway, omar_authority: Authority) -> AsyncIterator[OmarServer]:
    """Give the embedded site behind the gateway."""
    async with OmarServer(
        authority=omar_authority, upload_port=gateway.upload_port, download_port=gateway.download_port
    ) as server:
        yield server


@pytest.fixture
async def client(gateway: Gateway, configure: Callable[..., OmarConfig]) -> AsyncIterator[OmarClient]:
    """Give a client that knows the gateway alone."""
    async with OmarClient(configure(gateway.origin("upload"), gateway.origin("download"))) as client:
        yield client


@pytest.fixture
async def hasty(gateway: Gateway, configure: Callable[..., OmarConfig]) -> AsyncIterator[OmarClient]:
    """Give one whose gateway does not wait for long."""
    async with OmarClient(configure(gateway.origin("hasty upload"), gateway.origin("hasty download"))) as client:
        yield client


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Give a small file to submit."""
    path = tmp_path / "meter data.csv"
    path.write_bytes(b"1,2\r\n")
    return path


# --- A site of its own ------------------------------------------------------------------------------------------------


@pytest.mark.clause("SUB 1.2.1", "DL 1.2.1", "SUB 1.2.3", "DL 1.2.3", "DL 3.3")
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("version", VERSIONS)
async def test_static_bodies(
    gateway: Gateway, configure: Callable[..., OmarConfig], tmp_path: Path, version: str, framing: str
) -> None:
    """A body comes as it is on nginx's disk, in every framing and version of TLS; compression is offered in vain."""
    async with OmarClient(configure(gateway.origin(f"{version} {framing}"))) as client:
        saved = await download(client, tmp_path)
        assert saved.path.read_bytes() == CSV
        assert saved.completeness == framing
        big = await client.download(
            Meter("1"),
            DAY,
            DAY,
            file_format=FileFormat.MDEF,
            time_type=TimeType.PST,
            into=tmp_path,
            allow_unverified=True,  # it is no MDEF, so without a framing nothing proves it whole
        )
    assert (big.size, big.sha256) == (len(BIG), hashlib.sha256(BIG).hexdigest())


@pytest.mark.fault(16, 17)
@pytest.mark.clause("SUB 1.2.3", "DL 1.2.3")
@pytest.mark.parametrize("who", ["stranger", "expired"])
@pytest.mark.parametrize("version", VERSIONS)
async def test_refused_client(
    gateway: Gateway, configure: Callable[..., OmarConfig], tmp_path: Path, version: str, who: str
) -> None:
    """A certificate is refused with a page and status 400; that is a CertificateRejectedError, and a certain one."""
    credential = {"stranger": pki().stranger, "expired": pki().expired}[who]
    moment = credential.certificate.not_valid_before_utc + dt.timedelta(seconds=1)
    identity = ClientIdentity.from_pkcs12(credential.pkcs12(), now=lambda: moment)
    async with OmarClient(configure(gateway.origin(f"{version} length"), identity=identity)) as client:
        with pytest.raises(CertificateRejectedError) as caught:
            await client.login()
        report = await client.download_range(
            [Meter("1"), Meter("2")],
            DAY,
            DAY,
            file_format=FileFormat.CSV,
            time_type=TimeType.PST,
            into=tmp_path / "data",
            errors="collect",
        )
    for error in (caught.value, *(failure.error for failure in report.failures)):
        assert isinstance(error, CertificateRejectedError)
        assert (error.side, error.certain) == ("client", True)
    assert len(report.failures) == 2
    assert saved_names(tmp_path) == []


# --- In front of the embedded site ------------------------------------------------------------------------------------


@pytest.mark.clause("SUB 2", "DL 2", "SUB 3.1.1.2", "SUB 3.2.1", "SUB 3.3.1", "DL 3.1", "DL 3.3")
async def test_everything_through_nginx(client: OmarClient, behind: OmarServer, source: Path, tmp_path: Path) -> None:
    """Login, a range in both formats and an upload pass a gateway, and the strict site behind it finds no fault."""
    for file_format in FileFormat:
        report = await client.download_range(
            [Meter("1001"), Group("123")],
            DAY,
            DAY,
            file_format=file_format,
            time_type=TimeType.DST,
            into=tmp_path / "data",
        )
        for file in report.files:
            expected = behind.data(file.selection, DAY, DAY, file_format=file_format, time_type=TimeType.DST)
            assert file.path.read_bytes() == expected
    receipt = await client.upload(source)
    assert behind.uploads[0].accepted
    assert (receipt.file_id, receipt.source_name) == (behind.uploads[0].file_id, "meter data.csv")
    assert behind.logins == 1


async def test_expired_session_through_nginx(client: OmarClient, behind: OmarServer, source: Path) -> None:
    """A session that has ended is renewed behind a gateway as well, and the file is taken once."""
    await client.login()
    behind.expire_sessions()
    receipt = await client.upload(source)
    assert [upload.file_id for upload in behind.uploads if upload.accepted] == [receipt.file_id]
    assert behind.logins == 2


@pytest.mark.fault(38)
@pytest.mark.parametrize(("fault", "status"), [(Disconnect(), 502), (Stall(after=None), 504)], ids=["502", "504"])
async def test_bad_gateway_for_a_download(
    hasty: OmarClient, behind: OmarServer, tmp_path: Path, fault: Fault, status: int
) -> None:
    """502 and 504 for a download are tried again; when they stay, they are a StatusError."""
    behind.script(fault)
    saved = await hasty.download(
        Meter("1001"), DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST, into=tmp_path / "data"
    )
    assert saved.size

    behind.script(*[fault] * hasty.config.retry.attempts)
    with pytest.raises(StatusError) as caught:
        await hasty.download(
            Meter("1002"), DAY, DAY, file_format=FileFormat.CSV, time_type=TimeType.PST, into=tmp_path / "data"
        )
    assert caught.value.status == status
    assert saved_names(tmp_path) == [saved.path.name]


@pytest.mark.fault(38)
@pytest.mark.parametrize(
    ("fault", "status"), [(DropAnswer(), 502), (Stall(on="upload", after=None), 504)], ids=["502", "504"]
)
async def test_bad_gateway_for_an_upload(
    hasty: OmarClient, behind: OmarServer, source: Path, fault: Fault, status: int
) -> None:
    """502 and 504 after an upload leave its outcome unknown, and rightly so: the site has taken it, once."""
    behind.script(fault)
    with pytest.raises(OutcomeUnknownError) as caught:
        await hasty.upload(source)
    assert caught.value.facts["status"] == status
    assert [upload.accepted for upload in behind.uploads] == [True]


async def test_nobody_behind_the_gateway(
    gateway: Gateway, configure: Callable[..., OmarConfig], source: Path, tmp_path: Path
) -> None:
    """With nobody behind the gateway, downloads fail with 502 after their tries, and an upload is unknown."""
    async with OmarClient(configure(gateway.origin("down"))) as client:
        with pytest.raises(StatusError) as caught:
            await download(client, tmp_path)
        assert caught.value.status == 502
        with pytest.raises(OutcomeUnknownError):
            await client.upload(source)
    async with OmarClient(configure(gateway.origin("upload"))) as client:
        with pytest.raises(StatusError) as caught:
            await client.login()
        assert caught.value.status == 502


@pytest.mark.clause("SUB 3.2.2")
@pytest.mark.parametrize("attempt", range(3))
async def test_upload_too_large_for_the_gateway(
    gateway: Gateway, behind: OmarServer, configure: Callable[..., OmarConfig], tmp_path: Path, attempt: int
) -> None:
    """413 says that nothing was taken, though it comes while the file is still being sent."""
    source = tmp_path / f"large {attempt}.csv"
    source.write_bytes(b"1,2\r\n" * 100_000)
    async with OmarClient(configure(gateway.origin("small"))) as client:
        with pytest.raises(StatusError) as caught:
            await client.upload(source)
    assert caught.value.status == 413
    assert not behind.uploads
