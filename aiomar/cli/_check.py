"""``aiomar check``: is the certificate good, is the server there, does it let us in?"""

from __future__ import annotations

import datetime as dt
import os
from typing import Annotated

from cyclopts import Parameter

from aiomar import ConfigError, Event, LoggedIn, OmarClient, OmarConfig
from aiomar.cli._codes import GOOD, IDENTITY
from aiomar.cli._frame import Work, carry_out
from aiomar.cli._options import NOWHERE, NUMBER, PLAIN, Connection, Display
from aiomar.cli._output import Output
from aiomar.cli._settings import asker, configure


def check(
    *,
    min_days: Annotated[int | None, NUMBER] = None,
    connection: Annotated[Connection, Parameter(name="*")] = NOWHERE,
    display: Annotated[Display, Parameter(name="*")] = PLAIN,
) -> int:
    """Look at the certificate, connect, and log in.

    Exit codes: 0 all is well, 2 wrong options, 4 server out of reach, 5 certificate or login.

    Args:
        min_days: Fail with exit code 5 if the certificate expires in fewer days.
        connection: Which server, and who we are.
        display: What is shown.
    """

    def prepare(out: Output) -> Work:
        if min_days is not None and min_days < 0:
            raise ConfigError(f"--min-days is a number of days, not {min_days}")
        config = configure(connection, environ=os.environ, ask=asker(), tell=out.say)
        return _check(out, config, min_days)

    return carry_out("check", display, prepare)


async def _check(out: Output, config: OmarConfig, min_days: int | None) -> int:
    days_left = _show_certificate(out, config)
    out.line(f"server       {config.environment.name}: {config.environment.upload_origin}")

    def observe(event: Event) -> None:
        out.observe(event)
        if isinstance(event, LoggedIn):
            out.summary["login_seconds"] = event.elapsed
            out.line(f"login        good, {event.elapsed * 1000:,.0f} ms with connection and TLS")

    async with OmarClient(config, observer=observe) as client:
        await client.login()
    if min_days is not None and days_left < min_days:
        out.complain(f"the client certificate expires in {days_left} days, {min_days} are asked for: get a new one")
        return IDENTITY
    return GOOD


def _show_certificate(out: Output, config: OmarConfig) -> int:
    identity = config.identity
    days_left = identity.days_left(dt.datetime.now(dt.UTC))
    facts = {
        "subject": identity.subject,
        "issuer": identity.issuer,
        "not_before": identity.not_before.isoformat(),
        "not_after": identity.not_after.isoformat(),
        "days_left": days_left,
    }
    out.summary |= facts
    out.record({"event": "certificate", **facts})
    out.line(f"certificate  {identity.subject}")
    out.line(f"issuer       {identity.issuer}")
    out.line(f"valid        {identity.not_before:%Y-%m-%d} to {identity.not_after:%Y-%m-%d}, {days_left:,} days left")
    return days_left
