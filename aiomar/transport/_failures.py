"""Foreign exceptions as ours: one table, read from top to bottom.

What a failure means depends on the phase as much as on its type: a connection that ends without an answer is an
accident once the server has ever answered, and on the very first exchange most likely a refused certificate, because
TLS 1.3 refuses after the handshake and some servers do so without a word.
"""

from __future__ import annotations

import errno
import re
import ssl

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from aiomar.errors import CertificateRejectedError, ConnectError, DeadlineError, Hint, TransportError
from aiomar.protocol import Origin, printable
from aiomar.transport._seam import Phase, Timeouts

# Alerts that speak of the certificate we showed (RFC 8446, 6.2), in OpenSSL's spelling for either TLS version.
_CERTIFICATE_ALERT = re.compile(
    r"ALERT_(?:BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_REVOKED|CERTIFICATE_EXPIRED|CERTIFICATE_UNKNOWN"
    r"|CERTIFICATE_REQUIRED|NO_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|DECRYPT_ERROR)"
)
# What an old server may need, by what TLS says without it.
_CONCESSIONS = tuple(
    (re.compile(words), concession)
    for words, concession in (
        ("UNSAFE_LEGACY_RENEGOTIATION", "LegacyTls(unsafe_renegotiation=True)"),
        ("UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|VERSION_TOO_LOW|NO_PROTOCOLS", "LegacyTls(tls_1_0=True)"),
        ("DH_KEY_TOO_SMALL|INSUFFICIENT_SECURITY|DIGEST_CHECK_FAILED", "LegacyTls(security_level=1)"),
        ("HANDSHAKE_FAILURE|NO_SHARED_CIPHER|UNSUPPORTED_EXTENSION|BAD_ECPOINT", "LegacyTls()"),
    )
)
# The peer went away: with a reset, or with the end of TCP in the middle of TLS.
_CUT = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
# The same where aiohttp kept only the number, or not even that.
_CUT_NUMBERS = frozenset({None, errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ENOTCONN})
_FORBIDDEN, _PROXY_WANTS_LOGIN = 403, 407


def translate(  # noqa: PLR0911 - a table, read from top to bottom
    error: BaseException, *, origin: Origin, phase: Phase, answered: bool
) -> TransportError:
    """Give our error for a foreign one.

    Args:
        error: what aiohttp, `ssl` or the system raised.
        origin: where to.
        phase: how far the exchange had come.
        answered: whether this client's certificate has ever got an answer.
    """
    place = str(origin)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = printable(str(error.certificate_error), 200)
        return CertificateRejectedError(
            f"the server certificate of {place} cannot be trusted ({reason}): "
            "give its authority in Trust(ca_file=…) (--ca-file) or its name in Trust(server_hostname=…)",
            side="server",
        )
    tls = _tls_error(error)
    if tls is not None:
        return _from_tls(tls, place, phase)
    # Before there is a connection, only a proxy can send HTTP, or fail to.
    if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError) or (
        phase == "connect" and not isinstance(error, aiohttp.ClientConnectorError)
    ):
        return _from_proxy(error, place)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return ConnectError(f"the name of {place} cannot be resolved: check the network and the environment's origins")
    if _is_cut(error) and not answered:
        return CertificateRejectedError(
            f"{place} closed the connection without an answer, as servers do that refuse a client certificate: "
            "check that the certificate is registered there",
            side="client",
            certain=False,
            hint=Hint.RETRY,
        )
    if phase == "connect":
        return ConnectError(f"no connection to {place} ({_brief(error)}): check the network, then try again")
    if isinstance(error, aiohttp.ClientResponseError | HttpProcessingError):
        return _malformed(f"the answer of {place} is not proper HTTP ({_brief(error)}): try again")
    return TransportError(f"the connection to {place} was lost ({_brief(error)}): try again")


def _from_proxy(error: BaseException, place: str) -> ConnectError:
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return ConnectError(
            f"the proxy on the way to {place} cannot be reached ({_brief(error)}): check proxy= (--proxy)"
        )
    if not isinstance(error, aiohttp.ClientHttpProxyError):
        return ConnectError(f"the proxy made no connection to {place} ({_brief(error)}): check proxy= (--proxy)")
    if error.status == _PROXY_WANTS_LOGIN:
        return ConnectError(
            f"the proxy wants a name and a password before it connects to {place}, and aiomar gives none: have it let "
            "this machine through, or give proxy= (--proxy) one that logs in to it",
            hint=Hint.ASK_A_PERSON,
        )
    return ConnectError(
        f"the proxy made no connection to {place}, it answered {error.status}: check proxy= (--proxy), and that the "
        "proxy may connect there",
        hint=Hint.ASK_A_PERSON if error.status == _FORBIDDEN else None,
    )


def bare(error: BaseException) -> BaseException:
    """Take the frames off a foreign error and all that led to it: their local variables hold headers and content."""
    part: BaseException | None = error
    while part is not None and part.__traceback__ is not None:
        part.__traceback__ = None
        part = part.__cause__ or part.__context__
    return error


def _malformed(message: str) -> TransportError:
    error = TransportError(message)
    error._malformed = True  # noqa: SLF001 - for `RetryPolicy`; a class of its own would promise more than this
    return error


def nothing_came(error: BaseException) -> bool:
    """Whether a connection was lost before the first byte of an answer, as far as aiohttp tells."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return isinstance(error.message, str)  # else it holds the head as far as it came
    return isinstance(error, aiohttp.ClientOSError | ConnectionResetError | BrokenPipeError)


def no_connection_in_time(origin: Origin, timeouts: Timeouts) -> DeadlineError:
    """Say that name look-up, TCP and TLS took too long together."""
    return DeadlineError(
        f"no connection to {origin} within {timeouts.connect:g} s: check the network, then try again", phase="connect"
    )


def no_answer_in_time(origin: Origin, timeouts: Timeouts) -> DeadlineError:
    """Say that the head of an answer took too long."""
    return DeadlineError(
        f"{origin} sent no answer within {timeouts.first_byte:g} s: try again, or raise Timeouts.first_byte",
        phase="first_byte",
    )


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    """Find the TLS error under a foreign one: aiohttp keeps it as an attribute or as a cause."""
    for candidate in (getattr(error, "os_error", None), error.__cause__, error):
        # Some of aiohttp's own errors are an `ssl.SSLError` too, but an empty one.
        if isinstance(candidate, ssl.SSLError) and not isinstance(candidate, (aiohttp.ClientError, *_CUT)):
            return candidate
    return None


def _from_tls(error: ssl.SSLError, place: str, phase: Phase) -> TransportError:
    reason = f"{error.reason or ''} {error}".upper().replace(" ", "_")
    words = printable(str(error.reason or error), 120)
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return CertificateRejectedError(
            f"the server certificate of {place} cannot be trusted ({words}): "
            "give its authority in Trust(ca_file=…) (--ca-file)",
            side="server",
        )
    if _CERTIFICATE_ALERT.search(reason):
        return CertificateRejectedError(
            f"{place} refuses the client certificate ({words}): check that it is the right one and is registered there",
            side="client",
        )
    concession = next((needed for said, needed in _CONCESSIONS if said.search(reason)), None)
    if concession is not None:
        return ConnectError(
            f"{place} and this machine have no TLS version or cipher in common ({words}): "
            f"if the server is old, opt in by Trust(legacy={concession})",
            hint=Hint.NEVER,
        )
    if phase == "connect":
        return ConnectError(f"{place} does not speak TLS as it should ({words}): check the environment's origins")
    return TransportError(f"the TLS connection to {place} broke ({words}): try again")


def _is_cut(error: BaseException) -> bool:
    """Whether the peer just went away before the head of an answer, in the handshake or after it."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return isinstance(error.os_error, _CUT) or error.os_error.errno == errno.ECONNRESET
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return True
    return isinstance(error, _CUT) or (isinstance(error, aiohttp.ClientOSError) and error.errno in _CUT_NUMBERS)


def _brief(error: BaseException) -> str:
    """Describe a foreign error without its repr, which may show headers and cookies."""
    inner = getattr(error, "os_error", None) or error
    if isinstance(inner, aiohttp.ClientResponseError):
        return type(inner).__name__
    number = getattr(inner, "errno", None)
    name = errno.errorcode.get(number, "") if isinstance(number, int) else ""
    return f"{type(inner).__name__}{f' {name}' if name else ''}"
