"""How the page looks: one style sheet, and the pattern of every state.

A state is told by colour and by shape, as bars of another height or number on the tint of a full day: the shapes hold
at a width of three pixels, on paper, and for eyes that do not tell red from green.  The colours are those of Okabe and
Ito.  Policy: nothing is fetched, no script runs, and the style sheet is known by its hash, so that nothing that came in
with an id could restyle the page either.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

ROW: Final = 16
"""Pixels from one row of a map to the next; the style sheet and the drawing have to agree on it."""
CELL: Final = 14
"""Pixels of a row that are drawn on."""
AXIS: Final = 52
"""Pixels above the first row, for months, days and changes of daylight saving."""

_Bars = tuple[tuple[float, float], ...]
BARS: Final[Mapping[str, _Bars]] = {
    "not_asked": ((6, 2),),
    "estimated": ((10, 4),),
    "flagged": ((2, 2), (10, 2)),
    "short": ((5, 9),),
    "missing": ((0, CELL),),
    "long": ((0, 6),),
    "duplicate": ((4.5, 1.5), (8, 1.5)),
    "conflict": ((0, 3), (5.5, 3), (11, 3)),
}
"""Class of a cell → its bars, from the top: where each begins, and how high it is."""
_LEVELS: Final = {1: (11, 3), 2: (9, 5), 3: (7, 7), 4: (5, 9), 5: (3, 11)}
"""Of a band: share of missing intervals in steps → its bar."""
_STRONG: Final = 4
_ODD: Final = (0, 2)
"""The bar that says that something else is not as expected."""

_LIGHT: Final = {
    "bg": "#ffffff",
    "card": "#f4f6f8",
    "fg": "#1a1f24",
    "dim": "#525c66",
    "line": "#cfd6dd",
    "link": "#0a58a8",
    "good": "#00664a",
    "bad": "#a63a00",
    "full": "#bfe1d6",
    "empty": "#eceff2",
    "not_asked": "#9aa4ae",
    "estimated": "#2f8fd0",
    "flagged": "#8a7400",
    "short": "#e08e00",
    "missing": "#c24a00",
    "long": "#a8498a",
    "duplicate": "#0067a8",
    "conflict": "#101418",
    "odd": "#5a7d94",
    "change": "#5b3fa8",
}
_DARK: Final = {
    "bg": "#12161a",
    "card": "#1b2127",
    "fg": "#e7ebef",
    "dim": "#a9b3bd",
    "line": "#3a434c",
    "link": "#7ab8f5",
    "good": "#58d3aa",
    "bad": "#ff9a5c",
    "full": "#2c594e",
    "empty": "#22292f",
    "not_asked": "#66717c",
    "estimated": "#6cc0f5",
    "flagged": "#efe04a",
    "short": "#f0a92b",
    "missing": "#f0702a",
    "long": "#e08cc4",
    "duplicate": "#4da3ee",
    "conflict": "#ffffff",
    "odd": "#8fb3c9",
    "change": "#b9a3ff",
}
_SHEET: Final = """
*{box-sizing:border-box}
html{color-scheme:light dark;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1280px;margin:0 auto;padding:20px 16px 48px}
h1{font-size:26px;line-height:1.25;margin:0 0 4px}
h2{font-size:19px;line-height:1.3;margin:36px 0 8px}
h3{font-size:15px;margin:16px 0 4px}
p{margin:6px 0;max-width:78ch;overflow-wrap:anywhere}
a{color:var(--link)}
code{font-size:13px;background:var(--card);padding:1px 4px;border-radius:3px}
.kind{color:var(--dim);margin:0 0 4px;font-size:14px}
.dim{color:var(--dim)}
.verdict{border-left:5px solid var(--bad);padding:2px 0 2px 14px;margin:0 0 18px}
.verdict.good{border-color:var(--good);color:inherit}
.verdict p{font-size:16px}
.facts{display:grid;grid-template-columns:repeat(4,1fr);margin:0;background:var(--card);border:1px solid var(--line);
border-radius:6px}
.facts div{padding:8px 12px;min-width:0}
dt{color:var(--dim);font-size:13px}
dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
.facts dd{font-weight:600}
.legend{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,285px),1fr));gap:4px 20px;padding:0;
margin:8px 0 14px;list-style:none;font-size:13.5px;line-height:1.4}
.legend li{display:flex;gap:9px;align-items:flex-start;min-width:0}
.legend svg{flex:none;margin-top:2px}
.box{overflow-x:auto;border:1px solid var(--line);border-radius:6px;margin:8px 0}
.box:focus-visible,summary:focus-visible,a:focus-visible{outline:2px solid var(--link);outline-offset:1px}
.map{display:flex;padding:0 10px 8px 0;width:fit-content;max-width:100%}
.map svg{flex:none;display:block}
.labels{position:sticky;left:0;z-index:1;flex:none;max-width:230px;min-width:64px;margin:0;padding:$AXISpx 10px 0 10px;
list-style:none;background:var(--bg);border-right:1px solid var(--line);font-size:12.5px;line-height:$ROWpx;
font-variant-numeric:tabular-nums}
.labels li{height:$ROWpx;display:flex;gap:7px;white-space:nowrap}
.labels li.first{margin-top:6px}
.labels b,.labels a{overflow:hidden;text-overflow:ellipsis;font-weight:500;min-width:0}
.labels .again{color:var(--dim)}
.labels span{color:var(--dim);flex:none;margin-left:auto}
.box svg text,figure svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--dim)}
svg text.change{fill:var(--change)}
svg text.change,svg text.strong{font-weight:600}
svg text.strong{fill:var(--fg)}
.full{fill:var(--full)}
.empty{fill:var(--empty)}
.month{stroke:var(--bg);stroke-width:1}
.grid{stroke:var(--line);stroke-width:1;fill:none}
.mark{stroke:var(--change);stroke-width:1;stroke-dasharray:3 2}
.band{fill:var(--estimated);opacity:.25}
.mean{stroke:var(--duplicate);stroke-width:2;fill:none;stroke-linejoin:round}
.clear{fill:transparent}
.dot{fill:var(--duplicate)}
.ring{fill:var(--bg);stroke:var(--missing);stroke-width:1.5}
.axis{stroke:var(--dim);stroke-width:1;fill:none}
table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
caption{text-align:left;padding:7px 12px;color:var(--dim);font-size:13px}
th,td{padding:5px 12px;text-align:left;border-top:1px solid var(--line);vertical-align:top;font-weight:400}
thead th{color:var(--dim);font-size:13px;white-space:nowrap;background:var(--card)}
tbody th{font-weight:500;white-space:nowrap}
td{white-space:nowrap}
td.n,th.n{text-align:right}
.wide{display:inline-block;width:max-content;max-width:440px;overflow-wrap:anywhere;white-space:normal}
details{border:1px solid var(--line);border-radius:6px;margin:6px 0}
details>.box{border-width:1px 0 0;border-radius:0;margin:0;width:auto}
summary{cursor:pointer;padding:7px 12px;font-size:14px;overflow-wrap:anywhere}
figcaption b,summary b{font-weight:600}
.bad{color:var(--bad);font-weight:600}
.good{color:var(--good)}
.panels{display:flex;flex-wrap:wrap;gap:16px;margin:8px 0}
figure{margin:0;flex:1 1 330px;max-width:440px;min-width:0}
figure.broad{flex-basis:100%;max-width:none}
figure svg{display:block;width:100%;height:auto}
figure .box svg{width:auto}
figcaption{font-size:13.5px}
footer{margin-top:40px;color:var(--dim);font-size:13px}
.hidden{position:absolute;width:0;height:0;overflow:hidden}
@media (max-width:760px){.facts{grid-template-columns:1fr 1fr}}
@media (max-width:600px){main{padding:14px 12px 36px}h1{font-size:22px}.labels{max-width:46vw;padding-left:6px;
padding-right:6px}th,td{padding:5px 8px}}
@page{size:landscape}
@media print{*{print-color-adjust:exact;-webkit-print-color-adjust:exact}main{max-width:none;padding:0}
.box{overflow:visible;border-color:transparent}tr,figure{break-inside:avoid}h2{break-after:avoid}}
"""


def style_sheet() -> str:
    """Give the style sheet, all of it."""
    states = "".join(f".{name}{{fill:url(#p-{name})}}" for name in (*BARS, *_bands()))
    states += "".join(f".i-{name}{{fill:var(--{name})}}" for name in (*BARS, "odd"))
    sheet = _SHEET.replace("$ROW", str(ROW)).replace("$AXIS", str(AXIS))
    dark = f"@media (prefers-color-scheme:dark){{{_root(_DARK)}}}"
    # Paper is white, whatever the screen is.
    return f"{_root(_LIGHT)}{dark}@media print{{{_root(_LIGHT)}}}{sheet}{states}"


def policy(sheet: str) -> str:
    """Say what the page may do: show itself with this style sheet, and nothing else."""
    known = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{known}'; base-uri 'none'; form-action 'none'"


def patterns() -> str:
    """Give the pattern of every state, once for all maps of the page."""
    made = []
    for name, bars in BARS.items():
        ground = "empty" if name == "not_asked" else "full"
        drawn = "".join(_bar(name, *bar) for bar in bars)
        made.append(_pattern(name, ground, drawn))
    made += [_pattern(name, "full", drawn) for name, drawn in _bands().items()]
    return f'<svg class="hidden" width="0" height="0" aria-hidden="true"><defs>{"".join(made)}</defs></svg>\n'


def _bands() -> dict[str, str]:
    """Give the bars of a day of a band, by class: ``q0`` to ``q5``, and an ``o`` where something else is odd."""
    made: dict[str, str] = {}
    for level in range(len(_LEVELS) + 1):
        drawn = _bar("missing" if level >= _STRONG else "short", *_LEVELS[level]) if level else ""
        made |= {f"q{level}": drawn, f"q{level}o": drawn + _bar("odd", *_ODD)}
    return made


def _bar(ink: str, top: float, height: float) -> str:
    return f'<rect class="i-{ink}" y="{top}" width="4" height="{height}"/>'


def _pattern(name: str, ground: str, drawn: str) -> str:
    return (
        f'<pattern id="p-{name}" width="4" height="{ROW}" patternUnits="userSpaceOnUse">'
        f'<rect class="{ground}" width="4" height="{ROW}"/>{drawn}</pattern>'
    )


def _root(colours: Mapping[str, str]) -> str:
    return ":root{" + ";".join(f"--{name}:{value}" for name, value in colours.items()) + "}"
