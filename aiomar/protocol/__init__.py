"""The sans-I/O core: everything peculiar to OMAR-Online as values and functions of bytes.

Nothing below this package opens a file or a socket, reads a clock, draws a random number or knows asyncio.
"""

from aiomar.protocol._completeness import ContentCheck, content_check
from aiomar.protocol._cookies import SessionCookie, first_cookie
from aiomar.protocol._limits import UploadLimits, check_file_name
from aiomar.protocol._model import (
    PRODUCTION,
    STAGING,
    TEST,
    CookieStyle,
    Environment,
    FileFormat,
    Group,
    HttpRequest,
    Meter,
    Origin,
    ResponseHead,
    Selection,
    Span,
    TimeType,
    UploadReceipt,
    parse_origin,
)
from aiomar.protocol._pages import (
    PAGE_LIMIT,
    PageWords,
    UploadPage,
    is_login_page,
    page_words,
    read_upload_page,
)
from aiomar.protocol._receipts import ReceiptFacts
from aiomar.protocol._requests import build_download, build_login, build_upload, file_name
from aiomar.protocol._spans import check_days_per_file, split
from aiomar.protocol._verdicts import (
    Framing,
    HeadVerdict,
    PageSniffer,
    announced_length,
    framing,
    is_login_location,
    judge_head,
    printable,
    redirect_location,
    retry_after,
    status_error,
    unexpected_redirect,
)

__all__ = [
    "PAGE_LIMIT",
    "PRODUCTION",
    "STAGING",
    "TEST",
    "ContentCheck",
    "CookieStyle",
    "Environment",
    "FileFormat",
    "Framing",
    "Group",
    "HeadVerdict",
    "HttpRequest",
    "Meter",
    "Origin",
    "PageSniffer",
    "PageWords",
    "ReceiptFacts",
    "ResponseHead",
    "Selection",
    "SessionCookie",
    "Span",
    "TimeType",
    "UploadLimits",
    "UploadPage",
    "UploadReceipt",
    "announced_length",
    "build_download",
    "build_login",
    "build_upload",
    "check_days_per_file",
    "check_file_name",
    "content_check",
    "file_name",
    "first_cookie",
    "framing",
    "is_login_location",
    "is_login_page",
    "judge_head",
    "page_words",
    "parse_origin",
    "printable",
    "read_upload_page",
    "redirect_location",
    "retry_after",
    "split",
    "status_error",
    "unexpected_redirect",
]
