"""The faults that aiomar must bear, the numbers that must hold, the tests that show both, and the page about them.

A test carries a row by its mark, ``@pytest.mark.fault(6, 7)``, and a gate by ``@pytest.mark.gate("G1")``.  What follows
from the marks is written by ``nox -s conformance``; the figures are measured, by ``nox -s faults -- --write-faults``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "faults.md"
FIGURES = {"ci": "## Figures of the short run", "long": "## Figures of the long run"}
"""Headings of what is measured; everything above the first of them follows from the marks."""


@attrs.frozen
class Row:
    """One fault: what happens, what comes of it, and which operations are repeated by themselves.

    D is a download, A a login, U an upload.
    """

    number: int
    fault: str
    result: str
    repeated: str = "no"
    short: str = ""
    """What is not measured."""


@attrs.frozen
class Goal:
    """One gate: what must hold, over how many cases in the short and in the long run."""

    id: str
    asks: str
    ci: str
    long: str
    instead: str = ""
    """Why no test carries it, or where else it is held; empty when a test must."""


@attrs.frozen
class Figure:
    """What a run of a gate gave."""

    gate: str
    what: str
    done: int
    bad: int
    failed: int
    seconds: float


ROWS = (
    # Network
    Row(1, "the host's name is not found", "`ConnectError`", "D, A, U"),
    Row(2, "the connection is refused", "`ConnectError`", "D, A, U"),
    Row(3, "the server does not answer the connection", "`DeadlineError` (connect)", "D, A, U"),
    Row(4, "reset before the status line", "D: `TransportError`; U: `OutcomeUnknownError`", "D"),
    Row(5, "the server has closed an idle connection", "D: repeated; U: sent once, on a connection of its own", "D"),
    Row(6, "cut in a body with a length", "`TruncatedBodyError` (received, expected)", "D"),
    Row(7, "cut in a chunked body", "`TruncatedBodyError`", "D"),
    Row(8, "cut in a body that ends with the connection", "`TruncatedBodyError` unless the content is proof"),
    Row(9, "silence in the middle of a body", "`DeadlineError` (read)", "D"),
    Row(10, "a few bytes a second", "`DeadlineError` (rate)", "D once"),
    Row(11, "a very late first byte", "`DeadlineError` (first_byte)", "D"),
    Row(12, "a healthy transfer of more than five minutes", "saved", "–"),
    Row(13, "the peer's machine is gone", "`DeadlineError` (first_byte, read)", "D"),
    Row(14, "proxy variables in the environment", "ignored", "–"),
    # TLS and certificates
    Row(15, "the server's certificate: expired, untrusted, another name", "`CertificateRejectedError` (server)"),
    Row(16, "our certificate refused or missing, TLS 1.2", "`CertificateRejectedError` (client)"),
    Row(17, "our certificate refused, TLS 1.3", "`CertificateRejectedError` (client)", "D, A once if uncertain"),
    Row(18, "our certificate expired or not yet valid", "`IdentityError`; nothing sent"),
    Row(19, "the certificate is asked for after the handshake, TLS 1.3", "given", "–"),
    Row(20, "the same by renegotiation, TLS 1.2", "given", "–"),
    Row(21, "a server without secure renegotiation", "`ConnectError` naming the setting"),
    Row(22, "a server of TLS 1.0", "`ConnectError` naming the setting; with it, a warning each time"),
    Row(23, "a server with static RSA only", "`ConnectError` naming the setting; the peer is always verified"),
    Row(24, "a client key of 1024 bits", "`IdentityError` (weak_key); nothing sent"),
    Row(25, "PKCS#12: wrong passphrase, truncated, empty", "`IdentityError` (passphrase, format)"),
    Row(26, "PKCS#12 in an old cipher that OpenSSL was told to leave out", "`IdentityError` naming the variable"),
    Row(27, "PKCS#12 without a key", "`IdentityError` (no_key)"),
    Row(28, "a passphrase that is not UTF-8", "`IdentityError`"),
    Row(29, "an encrypted key without a passphrase", "`IdentityError` (passphrase); nobody is asked on the terminal"),
    Row(30, "key and certificate do not belong together", "`IdentityError` (mismatch)"),
    Row(31, "the peer never ends its side of TLS", "closing is bounded", "–"),
    # HTTP
    Row(
        32, "301, 302, 303 for a download", "a new login when it points there, else `UnexpectedRedirectError`", "D once"
    ),
    Row(33, "307, 308 for an upload", "`OutcomeUnknownError`; the body goes out once"),
    Row(34, "a redirect to another host, to http, to a file", "`UnexpectedRedirectError`; nothing goes there"),
    Row(35, "a page in place of data", "a new login, then `UnexpectedPageError`; never saved", "D once"),
    Row(36, "401, 403", "D, U: `StatusError`; A: `LoginError`"),
    Row(37, "400, 404", "`StatusError`"),
    Row(38, "408, 429, 502, 503, 504", "D: `StatusError`; U: 5xx `OutcomeUnknownError`, 429 `StatusError`", "D, A"),
    Row(39, "500", "D: `StatusError`; U: `OutcomeUnknownError`", "D once"),
    Row(40, "any text as Retry-After", "bounded, nonsense ignored", "D"),
    Row(41, "two lengths, length and chunks, a bad chunk, a header of 9 KB", "`TransportError`", "D once"),
    Row(42, "an empty reply, a garbage status line", "`TransportError`", "D; what is no HTTP, once"),
    Row(43, "a truncated gzip body", "`ResponseError`: no coding was asked for, nothing is decoded"),
    Row(44, "a decompression bomb", "`ResponseError`: nothing is decoded"),
    Row(45, "an endless body", "`ResponseTooLargeError`"),
    Row(46, "200 with no bytes", "`EmptyBodyError`", "D once"),
    Row(47, "203, 204, 206", "`StatusError`"),
    Row(
        48,
        "a slow reader and a server that closes fast",
        "saved",
        "D",
        short="One chunk of megabytes may come out of aiohttp as cut when its reader lags: a file is asked for again, "
        "a stream that has begun ends with `TruncatedBodyError`.",
    ),
    # Session and cookies
    Row(49, "two session cookies", "the first one is sent", "–"),
    Row(50, "no cookie from the login", "`LoginError`"),
    Row(51, "the session ends under fifty downloads", "one new login; each download repeated once", "D once"),
    Row(52, "the login page again after a fresh login", "`LoginError`; the breaker opens"),
    Row(
        53, "the session ends before an upload", "sent again once, and only with another cookie; else unknown", "U once"
    ),
    Row(54, "cookie attributes and quotes of RFC 2109", "the value goes back as it came", "–"),
    Row(55, "a cookie with 8-bit bytes or an illegal name", "`LoginError`"),
    Row(56, "an address in place of a host's name", "the cookie is sent all the same", "–"),
    Row(57, "a cookie that has already expired", "`LoginError`: no session"),
    # Pages that answer an upload
    Row(58, "“Error in File Processing”", "`SubmissionRejectedError`; ledger: rejected"),
    Row(59, "a receipt in another layout", "read, or `OutcomeUnknownError`; ledger: unknown"),
    Row(60, "the page as the document prints it", "read", "–"),
    Row(61, "a receipt that is cut", "`OutcomeUnknownError` with what could be read; ledger: unknown"),
    Row(62, "a receipt for another name or size", "`ReceiptMismatchError`; ledger: unknown"),
    Row(63, "a receipt and a refusal in one page", "`OutcomeUnknownError`; ledger: unknown"),
    Row(64, "a page made to be slow to parse", "D: `UnexpectedPageError`; U: `OutcomeUnknownError`; the loop goes on"),
    # Disk and process
    Row(65, "no space, over quota or a broken disk at write, sync, close", "`DiskError` (errno)"),
    Row(66, "a short write", "the rest is written", "–"),
    Row(67, "a directory that is missing, read-only, a file; a name too long", "`DestinationError`; nothing sent"),
    Row(68, "the final path exists", "`DestinationError` unless `overwrite=True`"),
    Row(
        69,
        "two downloads to one path",
        "`DestinationError` for the second",
        short="Not measured: names that differ in case only, on macOS and Windows.",
    ),
    Row(70, "a symbolic link in the way", "`DestinationError`; its target is untouched"),
    Row(
        71,
        "Windows: the destination is open elsewhere",
        "`DiskError`; the old file stays",
        short="Not measured on Windows: the refusal of the rename is made here.",
    ),
    Row(72, "SIGKILL", "D: nothing torn; U: unknown at the next start"),
    Row(73, "power loss", "the old file or the whole new one", "–"),
    Row(74, "cancelled anywhere", "`CancelledError`, after the commit is decided"),
    Row(75, "one client in two processes or two loops", "`UsageError`"),
    # Clock, input, hostile server
    Row(76, "the clock steps; days of 23 and 25 hours", "no deadline moves; 92, 96 or 100 intervals", "–"),
    Row(77, "files, names, dates and ids that break a rule", "`LimitError`; nothing sent"),
    Row(78, "hostile names in what the server says", "text, escaped and bounded; never a path", "–"),
)

GOALS = (
    Goal("G1", "faulty downloads leave no corrupt or partial file", "10,000", "200,000"),
    Goal("G2", "of those, what the faults leave time for succeeds", "≥ 99.9 %", "≥ 99.9 %"),
    Goal(
        "G3", "no cut of a body that ends with the connection passes, but for those named", "2 × 4,096", "+ 1 MiB files"
    ),
    Goal("G4", "no truncated gzip body passes", "every offset", "every offset"),
    Goal("G5", "no page is saved as data", "60 pages, both formats", "the same"),
    Goal(
        "G6",
        "SIGKILL in downloads: no torn file, no orphan after the sweep",
        "500",
        "10,000",
        "Has a session of its own, `nox -s kill` (200 kills, or as many as `--kills` says); 20 kills are in the plain "
        "suite: `client/test_kill.py`.",
    ),
    Goal("G7", "SIGKILL in uploads: no receipt lost, no submission doubled", "300", "5,000"),
    Goal("G8", "power loss at each call leaves no bad state", "every call", "+ 1,000 schedules"),
    Goal("G9", "what an upload says is what the server has: ok 1, failed 0, unknown 0 or 1", "5,000", "100,000"),
    Goal("G10", "no byte of an upload goes out twice for one call", "0", "0"),
    Goal(
        "G11",
        "every call to the file system and every socket fails once, at each of its turns",
        "every call",
        "+ 20,000 pairs",
    ),
    Goal("G12", "cancelled at every await: never swallowed, surfaces at once", "every await", "+ twice"),
    Goal("G13", "nothing outside the public error tree comes out", "0", "0"),
    Goal("G14", "every row has a test", "78", "78", "In the plain suite: `test_faults.py::test_every_row_has_a_test`."),
    Goal("G15", "fuzzed pages: no crash, no hang, nothing uncaught", "100,000", "10,000,000"),
    Goal("G16", "the loop stalls less than 50 ms with hostile pages and hashing", "0", "0"),
    Goal("G17", "no secret in logs, representations, tracebacks, pickles, files, environments", "0", "0"),
    Goal("G18", "no key in plain on any file system", "1,000 starts", "10,000 starts"),
    Goal("G19", "no request to another origin", "0", "0"),
    Goal("G20", "in an outage, requests on the wire for each call", "≤ 1.3", "≤ 1.3"),
    Goal("G21", "of 1,000 clients that fail together, the busiest 100 ms after the first second", "< 10 %", "–"),
    Goal("G22", "a session that ends under 50 downloads: logins", "exactly 1", "10,000 rounds"),
    Goal(
        "G23", "random sequences of login, expiry, download, upload, cancel, kill, close", "2,000 × 50", "100,000 × 50"
    ),
    Goal("G24", "soak with 5 % faults: memory, descriptors, tasks, threads do not grow", "a smoke", "8 h"),
    Goal("G25", "a download of 1 GiB: memory above the baseline", "< 32 MiB", "< 32 MiB"),
    Goal("G26", "closing with 16 stuck transfers and mute TLS peers", "< 5.5 s, 0 descriptors", "the same"),
    Goal(
        "G27",
        "formats of certificates and keys: every one typed, nobody asked on a terminal",
        "all",
        "+ cryptography's versions",
    ),
    Goal("G28", "TLS and certificate refusals against two kinds of servers", "all", "+ Python's versions"),
    Goal("G29", "days of 23 and 25 hours: intervals", "20 dates × 2", "–"),
    Goal(
        "G30",
        "mutations of retry, commit and classification are noticed",
        "≥ 85 %",
        "≥ 90 %",
        "Not built: each mutant needs a run of the tests of three packages, which is hours.",
    ),
    Goal(
        "G31",
        "the gates, again and again",
        "20 times",
        "100 times",
        "By hand: `nox -s faults` in a loop; 20 in a row were green before 0.1.0, beside other work.",
    ),
)
NUMBERS = frozenset(row.number for row in ROWS)
GATES = frozenset(goal.id for goal in GOALS)


def number(gate: str) -> int:
    """Give the place of a gate, or of the first of several, in the order of gates."""
    return int(gate.partition(",")[0].removeprefix("G"))


def untested(rows: Mapping[int, Iterable[str]]) -> list[int]:
    """Name the rows that no test carries."""
    return [row.number for row in ROWS if not list(rows.get(row.number, ()))]


def unsettled(gates: Mapping[str, Iterable[str]]) -> list[str]:
    """Name the gates that neither have a test nor say why not, and those that have both."""
    return [goal.id for goal in GOALS if bool(list(gates.get(goal.id, ()))) == bool(goal.instead)]


def derived(rows: Mapping[int, Iterable[str]], gates: Mapping[str, Iterable[str]]) -> str:
    """Write what follows from the marks: the faults, the gates, and their tests."""
    faults = [
        f"| {row.number} | {row.fault} | {row.result} | {row.repeated} | "
        f"{'<br>'.join(filter(None, [_list(rows.get(row.number, ())), row.short]))} |"
        for row in ROWS
    ]
    numbers = [
        f"| {goal.id} | {goal.asks} | {goal.ci} | {goal.long} | {_list(gates.get(goal.id, ())) or goal.instead} |"
        for goal in GOALS
    ]
    return "\n".join(
        [
            "# Faults",
            "",
            "What can go wrong between a client and OMAR-Online, what comes of it, and the tests that show it.",
            "Whatever happens, a final path holds what it held before or the whole new file, and no partial file",
            "stays after a failure that the program lived to see. D is a download, A a login, U an upload; *repeated*",
            "names those that are sent again by themselves.",
            "",
            "This page is written by `nox -s conformance` from the marks of the tests; a test fails when a row has",
            "none, or when the page is stale. Its figures are measured, by `nox -s faults -- --write-faults`.",
            "",
            "## Rows",
            "",
            "| row | fault | result | repeated | tests |",
            "| --- | --- | --- | --- | --- |",
            *faults,
            "",
            "## Gates",
            "",
            "Numbers that must hold: in the short run (`nox -s faults`, the same chance each time) and in the long one",
            "(`nox -s faults_long`, a new chance each time, which it prints).",
            "",
            "| gate | what must hold | asked of a short run | of a long run | tests |",
            "| --- | --- | --- | --- | --- |",
            *numbers,
            "",
            "",
        ]
    )


def figures(rows: Iterable[Figure]) -> str:
    """Write what a run measured."""
    return "\n".join(
        [
            "| gate | what | cases | bad | processor seconds, without those of children that were killed |",
            "| --- | --- | --- | --- | --- |",
            *(f"| {row.gate} | {row.what} | {row.done:,} | {row.bad:,} | {row.seconds:.1f} |" for row in rows),
        ]
    )


def sections(page: str) -> tuple[str, dict[str, str]]:
    """Split the page into what follows from the marks, and what each scale measured."""
    first, *rest = re.split(rf"^({'|'.join(map(re.escape, FIGURES.values()))})$", page, flags=re.MULTILINE)
    found = dict(zip(rest[::2], rest[1::2], strict=True))
    return first, {scale: found.get(heading, "").strip() for scale, heading in FIGURES.items()}


def measured(page: str, scale: str) -> set[str]:
    """Name the gates of which the page has a figure."""
    found = re.findall(r"^\| (G[^|]*) \|", sections(page)[1][scale], re.MULTILINE)
    return {gate for gates in found for gate in gates.split(", ")}


def _read() -> str:
    return PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""


def _write(first: str, found: Mapping[str, str]) -> None:
    parts = [f"{heading}\n\n{found[scale] or 'Not run yet.'}\n" for scale, heading in FIGURES.items()]
    PAGE.write_text(first + "\n".join(parts), encoding="utf-8")


def write_derived(rows: Mapping[int, Iterable[str]], gates: Mapping[str, Iterable[str]]) -> None:
    """Write the first half of the page anew, and leave the figures as they are."""
    _write(derived(rows, gates), sections(_read())[1])


def write_figures(rows: Iterable[Figure], scale: str) -> None:
    """Write the figures of one scale anew, and leave the rest as it is."""
    first, found = sections(_read())
    _write(first, {**found, scale: figures(rows)})


def _list(names: Iterable[str]) -> str:
    return "<br>".join(f"`{name}`" for name in sorted(set(names)))
