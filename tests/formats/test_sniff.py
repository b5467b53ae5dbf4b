"""What a file is, by its first bytes."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomar import TimeType
from aiomar.formats import Kind, sniff
from aiomar.protocol import PageSniffer
from aiomar.testing import _data

DAY = dt.date(2026, 1, 31)


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (b"", Kind.EMPTY),
        (b"\r\n \xef\xbb\xbf\t", Kind.EMPTY),
        (b"\xd8\x00\x01\x001001", Kind.MDEF),
        (b"\xd8\x00\x01\x00", Kind.MDEF),
        (b"\xd8\x00\x0a\x00", Kind.UNKNOWN),
        (b"\xd8\x00", Kind.UNKNOWN),
        (b"METER,DATE\r\n", Kind.CSV),
        (b"\xef\xbb\xbfMETER,DATE\r", Kind.CSV),
        (b"caf\xe9,1\n", Kind.CSV),
        (b"<1,2\n", Kind.CSV),
        (b"METER\r\n", Kind.UNKNOWN),
        (b"a,\0b", Kind.UNKNOWN),
        (b"\x89PNG\r\n\x1a\n,", Kind.UNKNOWN),
        (b"<html>", Kind.PAGE),
        (b"\r\n\t <!DOCTYPE html>, and more", Kind.PAGE),
        (b"\xef\xbb\xbf<?xml", Kind.PAGE),
        ("\ufeff<html>".encode("utf-16-le"), Kind.PAGE),
        ("\ufeff \n<html>".encode("utf-16-be"), Kind.PAGE),
        (_data.mdef(["1001"], DAY, DAY, TimeType.PST)[:512], Kind.MDEF),
        (_data.csv(["1001"], DAY, DAY, TimeType.PST)[:512], Kind.CSV),
    ],
)
def test_sniff(first: bytes, kind: Kind) -> None:
    """Each kind, and what comes near it."""
    assert sniff(first) is kind


PARTS = st.sampled_from(
    [b" ", b"\n", b"\0", b"<", b"h", b"!", b"?", b"1", b",", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"]
)


@given(st.lists(PARTS, max_size=8).map(b"".join) | st.binary(max_size=8))
def test_a_page_is_what_the_protocol_calls_one(first: bytes) -> None:
    """The reader of files and the client agree on it."""
    assert (sniff(first) is Kind.PAGE) == (PageSniffer().feed(first) is True)
