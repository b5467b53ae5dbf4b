"""A process whose client meets everything that could lead it astray, and that notes where its sockets go.

It runs as a child: what Python calls an audit hook sees every name that is looked up and every address that is
connected to, by whatever code, and can never be taken off again.

    python -m tests.support.wandering DIRECTORY SEED EXCHANGES

prints one JSON object: how many exchanges there were, and every place that was asked for and is not the site's own.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs

from aiomar import ClientIdentity, OmarClient, OmarConfig, OmarError, RetryPolicy
from aiomar.testing import Authority, Fault, OmarServer, Page, Raw, Redirect
from aiomar.testing._site import Kind
from tests.client.helpers import fetch
from tests.support.proxy import Proxy
from tests.support.raw import Port

_KINDS: tuple[Kind, ...] = ("login", "download", "upload")
_STATUSES = (300, 301, 302, 303, 305, 307, 308)
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@attrs.define
class Places:
    """Where this process went since it was told to look."""

    looking: bool = False
    names: set[str] = attrs.field(factory=set)
    addresses: set[tuple[object, ...]] = attrs.field(factory=set)

    def note(self, event: str, arguments: tuple[object, ...]) -> None:
        """Be an audit hook."""
        if not self.looking:
            return
        if event == "socket.getaddrinfo":
            self.names.add(str(arguments[0]))
        elif event in {"socket.connect", "socket.sendto"}:
            address = arguments[1]
            self.addresses.add(tuple(address[:2]) if isinstance(address, tuple) else (str(address),))


def locations(evil: str) -> list[str]:
    """Give places that a redirect or a page could point to."""
    port = evil.rpartition(":")[2]
    return [
        f"{evil}/x.jsp",
        f"{evil}/fr_top.jsp",
        f"http://127.0.0.1:{port}/fr_top.jsp",
        f"//127.0.0.1:{port}/x",
        f"https://localhost@127.0.0.1:{port}/",
        f"https://127.0.0.1:{port}\\@localhost/",
        "https://elsewhere.example/fr_top.jsp",
        "http://elsewhere.example:80/",
        "ftp://elsewhere.example/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "/../../x",
        "",
    ]


def pages(evil: str) -> list[str]:
    """Give pages that a browser would follow somewhere."""
    return [
        f'<meta http-equiv="refresh" content="0; url={evil}/">',
        f'<base href="{evil}/"><form action="fr_top.jsp"><input type=password>',
        f'<form action="{evil}/fr_top.jsp" method=post><input name=u><input type=password></form>',
        f'<script src="{evil}/x.js"></script><img src="{evil}/x.png"><iframe src="{evil}/"></iframe>',
        f'<frameset><frame src="{evil}/fr_top.jsp"></frameset>',
        f"<!DOCTYPE html SYSTEM '{evil}/x.dtd'><html>",
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "{evil}/e">]><x>&e;</x>',
        f'<html><script>location="{evil}/"</script>',
        f"<td>File Saved As {evil}/x.csv</td><td>File Id 1</td>",
        f'<link rel="preconnect" href="{evil}"><link rel=stylesheet href="{evil}/x.css">',
    ]


def headers(evil: str) -> list[str]:
    """Give headers that point elsewhere."""
    port = evil.rpartition(":")[2]
    return [
        f"Refresh: 0; url={evil}/",
        f"Link: <{evil}/x>; rel=preload",
        f'Alt-Svc: h2="127.0.0.1:{port}"; ma=1',
        f"Content-Location: {evil}/x",
        f"Location: {evil}/x",
        f"Set-Cookie: S=1; Domain=elsewhere.example; Path={evil}",
        f"WWW-Authenticate: Basic realm={evil}",
        f"X-Accel-Redirect: {evil}/x",
        f'Report-To: {{"endpoints":[{{"url":"{evil}/r"}}]}}',
    ]


def temptations(evil: str, kind: Kind) -> Iterator[Fault]:
    """Give every answer that could lead a client away."""
    for status, location in itertools.product(_STATUSES, locations(evil)):
        yield Redirect(location, status, on=kind)
    for page, status in itertools.product(pages(evil), (200, 401, 503)):
        yield Page(page, status, on=kind)
    for header, line in itertools.product(headers(evil), ("200 OK", "201 Created", "407 Proxy", "426 Upgrade")):
        wire = f"HTTP/1.1 {line}\r\n{header}\r\nContent-Length: 2\r\n\r\nhi".encode()
        yield Raw(wire, on=kind)


@attrs.define
class Wanderer:
    """One client after the other, each with one answer that could lead it away."""

    server: OmarServer
    identity: ClientIdentity
    directory: Path
    evil: str
    exchanges: int = 0

    async def meet(self, fault: Fault, *, proxy: str | None, lean: bool) -> None:
        """Log in, download or upload into it."""
        self.server.clear()
        self.server.script(fault)
        config = OmarConfig(
            self.identity,
            self.server.environment,
            trust=self.server.trust,
            retry=RetryPolicy(attempts=1),
            state_dir=self.directory / "state",
            proxy=proxy,
            lean=lean,
        )
        source = self.directory / f"source{self.exchanges}.csv"
        source.write_bytes(f"1,{self.exchanges}\r\n".encode())  # no content is ever submitted twice
        try:
            async with OmarClient(config) as client:
                if fault.on == "upload":
                    await client.upload(source)
                else:
                    await fetch(client, self.directory / "data", name=f"file{self.exchanges}.csv")
        except OmarError:
            pass  # what comes of it is other tests' affair
        self.server.check_faults()
        self.exchanges += 1

    async def wander(self, exchanges: int, chance: random.Random) -> int:
        """Meet so many of all temptations, in every way of sending; gives the port of the proxy that was one."""
        async with Proxy() as proxy:
            ways = [(None, True), (None, False), (proxy.address, False)]
            faults = [fault for kind in _KINDS for fault in temptations(self.evil, kind)]
            everything = list(itertools.product(faults, ways))
            chance.shuffle(everything)
            for fault, (address, lean) in itertools.islice(itertools.cycle(everything), exchanges):
                await self.meet(fault, proxy=address, lean=lean)
            return proxy.number


async def main(directory: Path, seed: str, exchanges: int) -> dict[str, object]:
    """Wander, and tell where to."""
    authority = Authority()
    places = Places()
    sys.addaudithook(places.note)

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with (
        OmarServer(authority=authority) as server,
        Port(note, authority.server_context()) as evil,
        Port(note) as spy,
    ):
        os.environ.update(dict.fromkeys(PROXIES, f"http://127.0.0.1:{spy.number}"))
        os.environ["no_proxy"] = ""
        identity = ClientIdentity.from_pkcs12(authority.pkcs12())
        wanderer = Wanderer(server, identity, directory, f"https://127.0.0.1:{evil.number}")
        places.looking = True
        proxy = await wanderer.wander(exchanges, random.Random(seed))  # noqa: S311 - a test's chance, no secret
        places.looking = False
        environment = server.environment
        own = [int(place.rpartition(":")[2]) for place in (environment.upload_origin, environment.download_origin)]
        return {
            "exchanges": wanderer.exchanges,
            "names": sorted(places.names),
            "own": len({address[-1] for address in places.addresses} & {*own, proxy}),
            "strangers": sorted(str(address) for address in places.addresses if address[-1] not in {*own, proxy}),
            "visitors": evil.connections + spy.connections,
        }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))))  # noqa: T201 - its answer
