"""The pages of the embedded site, in the look of a JSP application of its time.

Only `receipt` and the words "Error in File Processing" come from a document (SUB 3.3.1, 3.3.2); the rest is plausible.
"""

from __future__ import annotations

from html import escape

_PAGE = """<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN">
<html>
<head>
<title>{title}</title>
<link rel="stylesheet" type="text/css" href="omar.css">
</head>
<body bgcolor="#FFFFFF">
{body}
</body>
</html>
"""

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

_LOGIN = """<form name="login" method="POST" action="fr_top.jsp">
<table border="0" cellpadding="2">
<tr><td colspan="2">Your session has ended. Please log in.</td></tr>
<tr><td>User</td><td><input type="text" name="user" size="20"></td></tr>
<tr><td>Password</td><td><input type="password" name="password" size="20"></td></tr>
<tr><td colspan="2"><input type="submit" value="Login"></td></tr>
</table>
</form>"""


def page(title: str, body: str) -> bytes:
    """Make a whole page; `body` is HTML already."""
    return _PAGE.format(title=escape(title), body=body).encode()


def login() -> bytes:
    """Make the page that stands in place of everything when there is no session."""
    return page("OMAR-Online Login", _LOGIN)


def welcome() -> bytes:
    """Make the page of ``fr_top.jsp`` for a certificate that was accepted."""
    return page(
        "OMAR-Online", '<table width="100%"><tr><td class="banner">OMAR-Online: Metering Data</td></tr></table>'
    )


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
