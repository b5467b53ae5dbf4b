"""The table of steps in ``retry_steps.toml``, run by a client on a clock of its own against the embedded server."""

from __future__ import annotations

import itertools
import socket
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest

import aiomar
from aiomar import ClientIdentity, OmarClient, OmarConfig, OmarError, RetryPolicy, Timeouts
from aiomar.testing import (
    Authority,
    CutBody,
    Disconnect,
    Fault,
    Framing,
    LoginPage,
    OmarServer,
    Page,
    Redirect,
    Reset,
    Stall,
    Status,
)
from tests.client.helpers import Clock, fetch, give_waiting, raw, sent
from tests.support.sleepless import run

Kind = Literal["login", "download", "upload"]
KINDS: tuple[Kind, ...] = ("login", "download", "upload")
IMPATIENT = Timeouts(first_byte=0.4)
"""Silence is the one thing that takes real time; where there is none, a busy machine must not look like it."""


@attrs.frozen(kw_only=True)
class Case:
    """One row of the table; what the fields mean stands there."""

    name: str
    policy: dict[str, Any] = attrs.field(factory=dict)
    operation: float | None = None
    login: list[str] = attrs.field(factory=list)
    download: list[str] = attrs.field(factory=list)
    upload: list[str] = attrs.field(factory=list)
    random: list[float] = attrs.field(factory=lambda: [1.0])
    tokens: int = 100
    steps: list[str] = attrs.field(factory=lambda: ["download ok"])
    waits: list[float] = attrs.field(factory=list)
    requests: list[int]
    left: int = 100


TABLE = tomllib.loads(Path(__file__).with_name("retry_steps.toml").read_text(encoding="utf-8"))
CASES = [Case(**row) for row in TABLE["case"]]


def faults(case: Case) -> Iterator[Fault]:
    """Give the server's script."""
    for kind in KINDS:
        for word in getattr(case, kind):
            if word != "down":
                yield fault(word, kind)


def fault(word: str, kind: Kind) -> Fault:
    """Read one word of a script."""
    status, _, after = word.partition(" after ")
    if status.isdigit():
        return Status(int(status), retry_after=after if " after " in word else None, on=kind)
    certificate = "<h1>400 Bad Request</h1>No required SSL certificate was sent"
    return {
        "disconnect": Disconnect(on=kind),
        "reset": Reset(on=kind),
        "cut": CutBody(7, on=kind),
        "unproven": raw(b"no comma in here", on=kind),
        "empty": raw(b"", "Content-Length: 0", on=kind),
        "malformed": raw(b"1,2\r\n", "Content-Length: 5", "Content-Length: 6", on=kind),
        "garbage": raw(b"", status="what?", on=kind),
        "silence": Stall(None, on=kind),
        "drip": Framing("length", on=kind),
        "page": Page("<title>Notice</title>", on=kind),
        "login page": LoginPage(on=kind),
        "elsewhere": Redirect("/elsewhere", on=kind),
        "certificate": Page(certificate, 400, on=kind),
        "good": Framing("length", on=kind),
    }[word]


def configure(case: Case, server: OmarServer, identity: ClientIdentity) -> OmarConfig:
    """Make the configuration of a case."""
    environment = server.environment
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nowhere = f"https://localhost:{closed.getsockname()[1]}"
    if "down" in case.login:
        environment = attrs.evolve(environment, upload_origin=nowhere)
    if "down" in case.download:
        environment = attrs.evolve(environment, download_origin=nowhere)
    timeouts = IMPATIENT if "silence" in (*case.login, *case.download, *case.upload) else Timeouts()
    timeouts = attrs.evolve(timeouts, operation=case.operation or timeouts.operation)
    return OmarConfig(
        identity,
        environment,
        trust=server.trust,
        retry=RetryPolicy(**case.policy),
        timeouts=timeouts,
    )


async def carry_out(step: str, client: OmarClient, into: Path) -> str:
    """Do one thing and give what came of it."""
    try:
        match step.partition(" ")[0]:
            case "login":
                await client.login()
            case "download":
                await fetch(client, into, overwrite=True)
            case _:
                await client.upload(into / "source.csv")
    except OmarError as error:
        return type(error).__name__
    return "ok"


async def play(case: Case, clock: Clock, authority: Authority, identity: ClientIdentity, into: Path) -> None:
    """Carry out a case and hold it to the table."""
    (into / "source.csv").write_bytes(b"1,2\r\n")
    chances = itertools.chain(case.random, itertools.repeat(case.random[-1]))
    async with OmarServer(authority=authority, faults=faults(case)) as server:
        async with OmarClient(configure(case, server, identity)) as client:
            give_waiting(client, clock.waiting(lambda: next(chances)))
            parts = client._ready()
            if "drip" in case.download:
                rules = attrs.evolve(parts.downloader.rules, minimum_rate=1e9, clock=Clock(step=61.0))
                parts.downloader = attrs.evolve(parts.downloader, rules=rules)
            parts.downloader.retries.budget.tokens = case.tokens
            for step in case.steps:
                if step.startswith("pass "):
                    clock.now += float(step.removeprefix("pass "))
                else:
                    assert await carry_out(step, client, into) == step.partition(" ")[2], step
            assert clock.slept == case.waits
            assert parts.downloader.retries.budget.tokens == case.left
        assert [sent(server, kind) for kind in KINDS] == case.requests


def ids(cases: Iterable[Case]) -> list[str]:
    """Name the cases."""
    return [case.name for case in cases]


@pytest.mark.fault(2, 4, 6, 9, 10, 32, 36, 37, 38, 39, 40, 41, 42, 46, 52)
@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_steps(case: Case, omar_authority: Authority, omar_identity: ClientIdentity, tmp_path: Path) -> None:
    """What the server does leads to these waits, requests, outcomes and tokens."""
    clock = Clock(now=1_000.0)
    run(clock, play(case, clock, omar_authority, omar_identity, tmp_path))


def test_the_table_names_things_once() -> None:
    """Every case has a name of its own, and every outcome is an error of the public tree."""
    assert len(set(ids(CASES))) == len(CASES) >= 40
    outcomes = {step.partition(" ")[2] for case in CASES for step in case.steps if not step.startswith("pass ")} - {
        "ok"
    }
    assert all(issubclass(getattr(aiomar, name), OmarError) for name in outcomes)
