"""The answers of the embedded site as HTML, in the look of a JSP application of its time.

Only `receipt` and the words "Error in File Processing" come from a document (SUB 3.3.1, 3.3.2); the rest is plausible.
These pages are the same for a program and for a person, but for the frame that `framed` puts around them for a person.
What only people need is in `_pages.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files

STYLE = (files("aiomar.testing") / "omar.css").read_bytes()
"""The style sheet of all pages, which stands beside each of them."""

# The empty icon keeps a browser from asking for one.
_PAGE = """<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd">
<html lang="en">
<head>
<title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<link rel="stylesheet" type="text/css" href="omar.css">
</head>
<body bgcolor="#FFFFFF">
{body}
</body>
</html>
"""
_BODY = b'<body bgcolor="#FFFFFF">\n'
_END = b"\n</body>"

_RECEIPT = """<table>
<tr>
<td class="formgray">{name} Meter file uploaded
and Saved As {file_id}_{name}</td>
</tr>
<tr>
<td class="formgray">File Size : {size}</td>
</tr>
<tr>
<td class="formgray">File Id: {file_id}
(save this file id for future reference and file
status inquiries)</td>
</tr>
</table>"""

# The form is what a client may know a login page by.  A person is logged in by the certificate: the button leads to the
# start page, and fields without a name are never sent, whatever is typed there.
_LOGIN = """<form name="login" method="POST" action="fr_top.jsp">
<table border="0" cellpadding="2">
<tr><td colspan="2">Your session has ended. Please log in.</td></tr>
<tr><td><label for="user">User</label></td>
<td><input type="text" id="user" size="20" autocomplete="off"></td></tr>
<tr><td><label for="password">Password</label></td>
<td><input type="password" id="password" size="20" autocomplete="off"></td></tr>
<tr><td colspan="2">Leave both empty: your certificate logs you in.</td></tr>
<tr><td colspan="2"><input type="submit" value="Login" formaction="/" formmethod="get"></td></tr>
</table>
</form>"""

_WELCOME = """<table width="100%"><tr><td class="banner">OMAR-Online: Metering Data</td></tr></table>
<p><a href="/">Go to the start page</a></p>"""


def page(title: str, body: str) -> bytes:
    """Make a whole page; `body` is HTML already."""
    # Told to be in ISO-8859-1, and the name of a file may be in anything.
    return _PAGE.format(title=escape(title), body=body).encode("ascii", "xmlcharrefreplace")


def framed(page: bytes, heading: str, links: Mapping[str, str]) -> bytes:
    """Put a banner, links (address → words) and a heading around a page's body, for a person."""
    items = "".join(f'<li><a href="{escape(address)}">{escape(words)}</a></li>' for address, words in links.items())
    before = f"""<div class="banner" role="banner">OMAR-Online: Metering Data</div>
<div class="menu" role="navigation"><ul>{items}</ul></div>
<div class="main" role="main">
<h1>{escape(heading)}</h1>
"""
    after = """
</div>
<div class="note" role="contentinfo">The embedded server of aiomar, for tests. It is not CAISO's, and its pages are its
own.</div>"""
    return page.replace(_BODY, _BODY + before.encode(), 1).replace(_END, after.encode() + _END, 1)


def login() -> bytes:
    """Make the page that stands in place of everything when there is no session."""
    return page("OMAR-Online Login", _LOGIN)


def welcome() -> bytes:
    """Make the page of ``fr_top.jsp`` for a certificate that was accepted."""
    return page("OMAR-Online", _WELCOME)


def receipt(name: str, size: int, file_id: int) -> bytes:
    """Make the answer to a file that was taken, as in SUB 3.3.1 with its tags mended."""
    return page("OMAR-Online Upload", _RECEIPT.format(name=escape(name), size=size, file_id=file_id))


def refused(reason: str) -> bytes:
    """Make the answer to a file that was not taken (SUB 3.3.2)."""
    body = f'<h3>Error in File Processing</h3>\n<p class="formgray">{escape(reason)}</p>'
    return page("OMAR-Online Upload", body)


def error(title: str, reason: str) -> bytes:
    """Make an error page of the download side, whose look no document shows."""
    return page(f"OMAR-Online: {title}", f'<h3>{escape(title)}</h3>\n<p class="formgray">{escape(reason)}</p>')
