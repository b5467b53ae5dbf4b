"""The pages for people: start, upload form, download form.

The documents show the form of SUB 3.2.1 and nothing else of these; their addresses, their words and the fields of the
download form are **our own**.  A person's request becomes exactly what the documents ask of a program: the upload form
is SUB 3.2.1, and the download form is answered with a redirect to the address of DL 3.1.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final
from urllib.parse import parse_qsl, quote

from aiomar.protocol import Environment, FileFormat
from aiomar.testing import _html
from aiomar.testing._reading import MAX_NAME, Refusal, read_query

START: Final = "/"
UPLOAD_FORM: Final = "/upload.jsp"
DOWNLOAD_FORM: Final = "/download.jsp"
STYLE: Final = "/omar.css"

_PROGRAMS = {"MDEF": "/getMDEF.jsp", "CSV": "/getSQMDCsvForDownload.jsp"}
_SHOWN = 8
"""Ids that are listed on the start page."""
_SUGGESTED = 200
"""Ids that the download form suggests."""

_START = """<p>Your certificate has logged you in. What would you like to do?</p>
<dl>
<dt><a href="{upload}">Submit a file</a></dt>
<dd>Choose a meter data file, send it, and get a receipt with its file id.</dd>
<dt><a href="{download}">Get meter data</a></dt>
<dd>Choose a meter or a group, the days, the clock and the format.</dd>
</dl>
<h2>What there is</h2>
<table>
<tr><th class="formgray" scope="row">Meters</th><td>{meters}</td></tr>
<tr><th class="formgray" scope="row">Groups</th><td>{groups}</td></tr>
</table>"""

_UPLOAD = f"""<form method="POST" action="uploadProcess.jsp" enctype="multipart/form-data" accept-charset="UTF-8">
<p><label for="datafile">Upload File</label>
<input type="file" id="datafile" name="datafile" size="50" accept=".csv,.dat" required aria-describedby="rules">
<input type="submit" value="Upload"></p>
</form>
<ul id="rules">
<li>One meter data file at a time, of less than 500KB.</li>
<li>Its name ends in .csv or .dat and has {MAX_NAME} characters at most, the ending included.</li>
<li>Uploaded is not loaded: OMAR-Online takes about an hour to check a file.</li>
</ul>"""

_DOWNLOAD = """{problem}<form method="GET" action="download.jsp">
<fieldset><legend>Whose data</legend>
{kinds}
<p><label for="selectedMeters">Id of the meter or group</label>
<input type="text" id="selectedMeters" name="selectedMeters" value="{id}" size="20" list="ids" autocomplete="off"
required></p>
<datalist id="ids">{ids}</datalist>
</fieldset>
<fieldset><legend>Days</legend>
<p><label for="startDate">First day</label>
<input type="date" id="startDate" name="startDate" value="{first}" required></p>
<p><label for="endDate">Last day</label>
<input type="date" id="endDate" name="endDate" value="{last}" required></p>
</fieldset>
<fieldset><legend>Clock</legend>
{clocks}
</fieldset>
<fieldset><legend>Format</legend>
{formats}
</fieldset>
<p><input type="submit" value="Download"></p>
</form>"""

_CHOICES = {
    "groupOrMeter": {"meter": "A meter", "group": "A group"},
    "timeType": {"PST": "PST: Pacific standard time, all year", "DST": "DST: clock time, with daylight saving"},
    "fileFormat": {"MDEF": "MDEF (.dat)", "CSV": "CSV (.csv)"},
}
# Neither clock is chosen beforehand: data on the wrong one look right.
_BLANK = {"groupOrMeter": "meter", "fileFormat": "MDEF"}


class Pages:
    """What is on the pages.

    Args:
        meters: the ids of meters that have data.
        groups: those of groups.
        environment: where both ports are, to link from one to the other.
    """

    def __init__(self, meters: Iterable[str], groups: Iterable[str], environment: Environment) -> None:
        self._meters, self._groups = tuple(meters), tuple(groups)
        self._upload = environment.upload_origin + UPLOAD_FORM
        self._download = environment.download_origin + DOWNLOAD_FORM
        self._links = {
            environment.upload_origin + START: "Start",
            self._upload: "Submit a file",
            self._download: "Get meter data",
        }

    def framed(self, page: bytes, heading: str) -> bytes:
        """Put the frame of all pages for people around a page."""
        return _html.framed(page, heading, self._links)

    def start(self) -> bytes:
        """Make the page where a person begins."""
        body = _START.format(
            upload=escape(self._upload),
            download=escape(self._download),
            meters=_some(self._meters),
            groups=_some(self._groups),
        )
        return self.framed(_html.page("OMAR-Online", body), "Metering data")

    def upload_form(self) -> bytes:
        """Make the form of SUB 3.2.1."""
        return self.framed(_html.page("OMAR-Online: Submit a file", _UPLOAD), "Submit a file")

    def download_form(self, query: str, problem: str = "") -> bytes:
        """Make the download form, with what was filled in and what is wrong with it."""
        typed = {**_BLANK, **dict(parse_qsl(query))}
        radios = {name: _radios(name, choices, typed.get(name)) for name, choices in _CHOICES.items()}
        suggested = [*self._groups, *self._meters][:_SUGGESTED]
        body = _DOWNLOAD.format(
            problem=f'<p class="error" role="alert">{escape(problem)}</p>\n' if problem else "",
            kinds=radios["groupOrMeter"],
            clocks=radios["timeType"],
            formats=radios["fileFormat"],
            id=escape(typed.get("selectedMeters", "")),
            ids="".join(f'<option value="{escape(identifier)}">' for identifier in suggested),
            first=escape(typed.get("startDate", "")),
            last=escape(typed.get("endDate", "")),
        )
        return self.framed(_html.page("OMAR-Online: Get meter data", body), "Get meter data")


def download_target(query: str) -> str:
    """Turn what was filled in into the request of DL 3.1.

    Args:
        query: the fields of the download form, as a browser sends them.

    Raises:
        Refusal: something is missing or wrong, in words for the person.
    """
    typed = dict(parse_qsl(query, keep_blank_values=True))
    for name, words in (("groupOrMeter", "meter or group"), ("timeType", "the clock"), ("fileFormat", "the format")):
        if typed.get(name) not in _CHOICES[name]:
            raise Refusal(f"Choose {words}.")
    identifier = typed.get("selectedMeters", "").strip()
    if not identifier:
        raise Refusal("Fill in the id of the meter or group.")
    first, last = (_day(typed.get(name, ""), words) for name, words in (("startDate", "first"), ("endDate", "last")))
    if last < first:
        raise Refusal("The last day is before the first day.")
    parameters = {
        "requestedFormat": "download",
        "datasourceType": "SQMD",
        "groupOrMeter": typed["groupOrMeter"],
        "selectedMeters": identifier,
        "startDate": f"{first:%m/%d}/{first.year:04}",
        "endDate": f"{last:%m/%d}/{last.year:04}",
        "timeType": typed["timeType"],
        "fileFormat": typed["fileFormat"],
        "group": identifier if typed["groupOrMeter"] == "group" else "",
    }
    asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
    read_query("GET", asked, FileFormat(typed["fileFormat"]))  # what the program would refuse is refused here
    return f"{_PROGRAMS[typed['fileFormat']]}?{asked}"


def _day(text: str, words: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise Refusal(f"Fill in the {words} day, as YYYY-MM-DD.") from error


def _some(ids: Sequence[str]) -> str:
    """List ids; of many, the first ones and the last."""
    if len(ids) <= _SHOWN:
        return escape(", ".join(ids)) or "none"
    return escape(f"{', '.join(ids[: _SHOWN - 2])}, … {ids[-1]} ({len(ids):,})")


def _radios(name: str, choices: Mapping[str, str], chosen: str | None) -> str:
    return "\n".join(
        f'<p class="choice"><input type="radio" id="{name}-{value}" name="{name}" value="{value}"'
        f'{" checked" if value == chosen else ""} required> <label for="{name}-{value}">{escape(words)}</label></p>'
        for value, words in choices.items()
    )
