"""A service that downloads the last days of meter data every night and tells how it went.

``GET /status`` says what the last run brought and when the next one is due, ``GET /healthz`` whether there will be one,
and ``POST /run`` starts one now.  SIGTERM stops it in order, in the middle of a download too.

Its settings are the variables ``NIGHTLY_METERS``, ``NIGHTLY_INTO``, ``NIGHTLY_AT``, ``NIGHTLY_DAYS`` and
``NIGHTLY_PORT``; the client's are those of aiomar (``AIOMAR_PKCS12``, …), or the profile of ``./aiomar.toml`` that
``AIOMAR_PROFILE`` names.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import json
import logging
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import attrs
from aiohttp import web

import aiomar
from aiomar.telemetry import log_events

CALIFORNIA = ZoneInfo("America/Los_Angeles")
ONE_DAY = dt.timedelta(days=1)
YOUNG = dt.timedelta(hours=20)
"""Data load late and are corrected, so the files of last night are fetched again; those of a run cut short are not."""
GLANCE = 60.0
"""Seconds between two looks at the time; a loop sleeps by another clock, so one long sleep may end too early."""

log = logging.getLogger("nightly")


@attrs.frozen(kw_only=True)
class Settings:
    """What is downloaded, and when."""

    meters: tuple[aiomar.Meter, ...]
    into: Path
    """The directory; its parent must exist."""
    at: dt.time = dt.time(4, 30)
    """By the clocks of California."""
    days: int = 7
    """How many days back from yesterday."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read the variables; the first two must be there."""
        return cls(
            meters=tuple(aiomar.Meter(meter.strip()) for meter in environ["NIGHTLY_METERS"].split(",")),
            into=Path(environ["NIGHTLY_INTO"]),
            at=dt.time.fromisoformat(environ.get("NIGHTLY_AT", "04:30")),
            days=int(environ.get("NIGHTLY_DAYS", "7")),
        )


@attrs.define
class Run:
    """What a run has come to so far."""

    started: dt.datetime
    finished: dt.datetime | None = None
    files: int = 0
    reused: int = 0
    """How many of them were there before."""
    failures: list[str] = attrs.field(factory=list)

    def add(self, outcome: aiomar.SavedFile | aiomar.FailedDownload) -> None:
        """Count one file."""
        if isinstance(outcome, aiomar.SavedFile):
            self.files += 1
            self.reused += outcome.reused
        else:
            self.failures.append(f"{outcome.selection.id} {outcome.start}: {outcome.error}")


def now() -> dt.datetime:
    """Give the time, in UTC: differences between two times of one zone forget the changes of its clocks."""
    return dt.datetime.now(dt.UTC)


def next_run(after: dt.datetime, at: dt.time) -> dt.datetime:
    """Give the first moment after another one at which the clocks of California show a time."""
    today = after.astimezone(CALIFORNIA).date()
    moments = (dt.datetime.combine(today + days * ONE_DAY, at, CALIFORNIA) for days in (0, 1))
    return next(moment for moment in moments if moment > after)


class Nightly:
    """The job: one run every night, and one whenever somebody asks."""

    def __init__(self, client: aiomar.OmarClient, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._asked = asyncio.Event()
        self.due = next_run(now(), settings.at)
        self.last: Run | None = None

    def ask(self) -> None:
        """Have a run begin now, or right after the one under way."""
        self._asked.set()

    async def serve(self) -> None:
        """Run whenever a run is due, until cancelled."""
        while True:
            self.due = next_run(now(), self._settings.at)
            await self._wait()
            self.last = Run(now())
            await self._download(self.last)

    async def _wait(self) -> None:
        while not self._asked.is_set() and (left := (self.due - now()).total_seconds()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, GLANCE)):
                    await self._asked.wait()
        self._asked.clear()

    async def _download(self, run: Run) -> None:
        """Download; what goes wrong is told in the run, and the next one makes good for it."""
        yesterday = run.started.astimezone(CALIFORNIA).date() - ONE_DAY
        try:
            outcomes = self._client.iter_range(
                self._settings.meters,
                yesterday - (self._settings.days - 1) * ONE_DAY,
                yesterday,
                file_format=aiomar.FileFormat.CSV,
                time_type=aiomar.TimeType.PST,
                into=self._settings.into,
                days_per_file=1,
                max_age=YOUNG,
            )
            async with contextlib.aclosing(outcomes):
                async for outcome in outcomes:
                    run.add(outcome)
        except aiomar.OmarError as error:  # the directory is gone, the disk is full: no reason for a service to end
            log.warning("the run ended early: %s", error)
            run.failures.append(str(error))
        run.finished = now()


JOB = web.AppKey("job", Nightly)
TASK = web.AppKey("task", asyncio.Task[None])


def make_app(config: aiomar.OmarConfig, settings: Settings) -> web.Application:
    """Put the service together; the client lives as long as the application."""

    async def life(app: web.Application) -> AsyncIterator[None]:
        async with aiomar.OmarClient(config, observer=log_events) as client:
            app[JOB] = Nightly(client, settings)
            app[TASK] = task = asyncio.create_task(app[JOB].serve(), name="nightly")
            yield
            task.cancel()
            await asyncio.wait([task])  # before the client closes: a download that is cancelled tidies up
            if not task.cancelled():
                task.result()  # it ended by itself, by a mistake in this file: let it be seen

    app = web.Application()
    app.cleanup_ctx.append(life)
    app.add_routes([web.get("/status", status), web.get("/healthz", healthz), web.post("/run", run_now)])
    return app


async def status(request: web.Request) -> web.Response:
    """Tell about the last run and the next one."""
    job = request.app[JOB]
    seen = {"next_run": job.due, "last_run": job.last and attrs.asdict(job.last)}
    return web.json_response(seen, dumps=functools.partial(json.dumps, default=dt.datetime.isoformat))


async def healthz(request: web.Request) -> web.Response:
    """Tell whether the job is alive."""
    return web.Response(status=503 if request.app[TASK].done() else 200)


async def run_now(request: web.Request) -> web.Response:
    """Begin a run, without waiting for its end."""
    request.app[JOB].ask()
    return web.Response(status=202)


def configuration(environ: Mapping[str, str]) -> aiomar.OmarConfig:
    """Read the profile that is named, or the variables themselves."""
    if profile := environ.get("AIOMAR_PROFILE"):
        return aiomar.OmarConfig.from_toml("aiomar.toml", profile)
    return aiomar.OmarConfig.from_env(environ)


def main() -> None:
    """Serve on this machine until SIGTERM or Ctrl-C; nobody is asked for a password, so nobody else is let in."""
    logging.basicConfig(level=logging.INFO)
    try:
        app = make_app(configuration(os.environ), Settings.from_env(os.environ))
        port = int(os.environ.get("NIGHTLY_PORT", "8080"))
    except KeyError as error:
        raise SystemExit(f"nightly cannot start: set the variable {error.args[0]}") from error
    except (aiomar.UsageError, ValueError) as error:
        raise SystemExit(f"nightly cannot start: {error}") from error
    web.run_app(app, host="127.0.0.1", port=port, access_log=None)


if __name__ == "__main__":
    main()
