"""The control page as HTML.

It works without script: forms, links, and a frame that loads itself again and again.  Only the frame does that, so
nothing that is being typed or read elsewhere on the page is disturbed, and it can be paused.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from aiomar.testing import _html
from aiomar.testing._control_faults import FAULTS, Parameter, parameters, short, summary
from aiomar.testing._log import RequestRecord
from aiomar.testing._site import Upload

_NEWEST = 100
"""Requests that the table shows."""
_EVERY = 2
"""Seconds between two looks at them."""

_PAGE = """<div class="banner" role="banner">Control page of the embedded OMAR-Online</div>
<div class="main wide" role="main">
<h1>What goes on</h1>
<p>Login and uploads at <a href="{upload_origin}/">{upload_origin}</a>, downloads at {download_origin}.</p>
<p>Logins: {logins}. Live sessions: {live_sessions}. Requests: {request_count}. Uploads: {upload_count}.
<a href="./">Look again</a></p>
<div class="buttons">
<form method="POST" action="expire"><input type="submit" value="Expire all sessions"></form>
<form method="POST" action="clear"><input type="submit" value="Forget everything"></form>
</div>
<h2 id="requests">Requests</h2>
<iframe src="requests" title="Requests, the newest first"></iframe>
<h2 id="script">Make something go wrong</h2>
{form}
<h2>What waits</h2>
{waiting}
<h2>Uploads</h2>
{uploads}
<h2>From another process</h2>
<p>The address of this page is a secret; whoever has it can do all of this.</p>
<pre>{examples}</pre>
</div>"""

_REQUESTS = """<!DOCTYPE html>
<html lang="en">
<head>
<title>Requests</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<link rel="stylesheet" type="text/css" href="omar.css">
{again}</head>
<body>
<div class="main wide" role="main">
<p>{count} requests, the newest first, times in UTC. {pause}</p>
{table}
</div>
</body>
</html>
"""

_EXAMPLES = """curl {url}state.json
curl -d '{{"fault": "Status", "status": 503, "on": "upload"}}' {url}faults
curl -X POST {url}expire     # forget and clear likewise"""

_TAKE_BACK = """
<form method="POST" action="forget"><p><input type="submit" value="Take these back"></p></form>"""


def page(
    state: Mapping[str, Any],
    uploads: Sequence[Upload],
    *,
    url: str,
    chosen: str,
    problem: str,
    typed: Mapping[str, str],
) -> bytes:
    """Make the page.

    Args:
        state: the numbers, and the faults that wait.
        uploads: the newest ones, oldest first.
        url: where this page is.
        chosen: the fault whose form is shown.
        problem: what is wrong with what was typed; empty for nothing.
        typed: the fields of that form as they were sent.
    """
    body = _PAGE.format(
        **{name: escape(str(value)) for name, value in state.items()},
        form=_fault_form(chosen if chosen in FAULTS else next(iter(FAULTS)), problem, typed),
        waiting=_waiting(state["waiting_faults"], state["vain_faults"]),
        uploads=_uploads(uploads),
        examples=escape(_EXAMPLES.format(url=url)),
    )
    return _html.page("Control page", body)


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]], none: str) -> str:
    """Make a table of cells that are HTML already; where there are no rows, say so."""
    lines = ["<tr>" + "".join(row) + "</tr>" for row in rows]
    if not lines:
        return f"<p>{none}</p>"
    head = "".join(f'<th scope="col">{heading}</th>' for heading in headings)
    return '<div class="scroll" tabindex="0"><table>\n<tr>' + head + "</tr>\n" + "\n".join(lines) + "\n</table></div>"


def _cell(value: object, kind: str = "") -> str:
    return f'<td class="{kind}">{escape(str(value))}</td>' if kind else f"<td>{escape(str(value))}</td>"


# --- Requests, uploads, faults ----------------------------------------------------------------------------------------


def requests(records: Sequence[RequestRecord], *, paused: bool) -> bytes:
    """Make the page that stands in the frame."""
    newest = zip(itertools.count(len(records), -1), itertools.islice(reversed(records), _NEWEST), strict=False)
    table = _table(
        ("No.", "Time", "Kind", "Status", "Fault", "Method", "Target", "Bytes received"),
        (_request(number, record) for number, record in newest),
        "Nothing has come yet.",
    )
    return _REQUESTS.format(
        again="" if paused else f'<meta http-equiv="refresh" content="{_EVERY}">\n',
        count=f"{len(records):,}",
        pause='<a href="requests">Go on</a>' if paused else '<a href="requests?paused=1">Pause</a>',
        table=table,
    ).encode("ascii", "xmlcharrefreplace")


def _request(number: int, record: RequestRecord) -> tuple[str, ...]:
    return (
        _cell(f"{number:,}", "number"),
        _cell(f"{record.time:%H:%M:%S.%f}"[:-3]),
        _cell(record.kind),
        _cell("none" if record.status is None else record.status),
        _cell("" if record.fault is None else short(record.fault), "bad"),
        _cell(record.method),
        _cell(record.target, "target"),
        _cell(f"{record.size:,}", "number"),
    )


def _uploads(uploads: Sequence[Upload]) -> str:
    return _table(
        ("Name", "Bytes", "File Id", "Refused because"),
        (
            (
                _cell(upload.name),
                _cell(f"{len(upload.content):,}", "number"),
                _cell(upload.file_id or ""),
                _cell(upload.reason, "bad"),
            )
            for upload in reversed(uploads)
        ),
        "No file has come yet.",
    )


def _waiting(waiting: Sequence[Mapping[str, object]], vain: Sequence[str]) -> str:
    table = _table(
        ("Fault", "Of requests", "Whose target has", "Still fires"),
        (
            (
                _cell(_own(fault)),
                _cell(fault["on"]),
                _cell("" if fault["match"] is None else fault["match"]),
                _cell(fault["left"], "number"),
            )
            for fault in waiting
        ),
        "No fault waits: every request gets its good answer.",
    )
    problems = "".join(f'\n<p class="error">{escape(words)}</p>' for words in vain)
    return table + problems + (_TAKE_BACK if waiting or vain else "")


def _own(fault: Mapping[str, object]) -> str:
    """Name a fault with what only it has."""
    common = ("fault", "on", "times", "match", "left")
    said = ", ".join(f"{name}={value}" for name, value in fault.items() if name not in common and value is not None)
    return f"{fault['fault']} {said}"


# --- The form of a fault ----------------------------------------------------------------------------------------------


def _fault_form(chosen: str, problem: str, typed: Mapping[str, str]) -> str:
    links = "".join(
        f"<li><b>{name}</b></li>" if name == chosen else f'<li><a href="?fault={name}#script">{name}</a></li>'
        for name in FAULTS
    )
    fields = "\n".join(_field(parameter, typed.get(parameter.name)) for parameter in parameters(FAULTS[chosen]))
    wrong = f'<p class="error" role="alert">{escape(problem)}</p>\n' if problem else ""
    return f"""<div class="menu" role="navigation" aria-label="Faults"><ul>{links}</ul></div>
<form method="POST" action="faults">
<h3>{chosen}</h3>
<p>{escape(summary(FAULTS[chosen]))}</p>
{wrong}<input type="hidden" name="fault" value="{chosen}">
{fields}
<p><input type="submit" value="Script this fault"></p>
</form>"""


def _field(parameter: Parameter, typed: str | None) -> str:
    """Make the field of one parameter, with a label and a hint."""
    name = parameter.name
    usual = "" if parameter.default is None else str(parameter.default)
    value = escape(usual if typed is None else typed)
    told = f'id="{name}" name="{name}" aria-describedby="{name}-hint"' + (" required" * _must_be_filled(parameter))
    if parameter.choices:
        options = "".join(
            f'<option value="{choice}"{" selected" if escape(choice) == value else ""}>{choice}</option>'
            for choice in parameter.choices
        )
        entry = f"<select {told}>{options}</select>"
    elif bool in parameter.types:
        entry = f'<input type="checkbox" {told} value="yes"{" checked" if typed else ""}>'
    elif parameter.long:
        entry = f'<textarea {told} rows="6" spellcheck="false">{value}</textarea>'
    elif int in parameter.types and str not in parameter.types:
        entry = f'<input type="number" {told} value="{value}" step="1">'
    else:
        entry = f'<input type="text" {told} value="{value}" size="30" autocomplete="off">'
    words = re.sub(r"\bNone\b", "empty", parameter.words)
    hint = f'<span class="hint" id="{name}-hint">{escape(words[:1].upper() + words[1:])}</span>'
    return f'<p><label for="{name}">{name}</label> {entry}{hint}</p>'


def _must_be_filled(parameter: Parameter) -> bool:
    return parameter.required and not parameter.long and not parameter.choices
