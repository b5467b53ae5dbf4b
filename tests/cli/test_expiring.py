"""``aiomar check`` and a certificate that will soon expire."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from aiomar.testing import Authority
from tests.cli.conftest import Place, Result

Run = Callable[..., Result]


@pytest.fixture
def options(omar_authority: Authority, place: Place, tmp_path: Path) -> list[str]:
    """Connect with a certificate that ends within ten days."""
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(days=9, hours=12)
    leaf = omar_authority._ca.issue_cert("soon@omar.test", common_name="Soon", not_after=soon)
    both = tmp_path / "soon.pem"
    both.write_bytes(leaf.private_key_and_cert_chain_pem.bytes())
    return [*(option for option in place.options if "pkcs12" not in option), f"--certificate={both}"]


@pytest.mark.parametrize(("min_days", "code"), [(None, 0), ("9", 0), ("10", 5), ("30", 5)])
def test_min_days(aiomar: Run, options: list[str], min_days: str | None, code: int) -> None:
    """Fewer whole days than asked for are exit code 5; the warning is there either way, once."""
    result = aiomar("check", *options, *(["--min-days", min_days] if min_days else []))
    assert result.code == code
    assert result.err.count("aiomar: warning: the client certificate 'CN=Soon") == 1
    assert "days left: 9" in result.err
    assert result.err.count("\n") == (2 if code else 1)
    assert "9 days left" in result.out
    assert "login        good" in result.out


def test_a_number_of_days_that_cannot_be(aiomar: Run, options: list[str]) -> None:
    """It is refused before anything is asked."""
    assert aiomar("check", *options, "--min-days", "-1").code == 2


def test_min_days_as_json(aiomar: Run, options: list[str]) -> None:
    """A record of its own tells that the certificate expires, and the summary has days and code."""
    result = aiomar("check", *options, "--min-days", "10", "--json")
    assert [record["event"] for record in result.records] == [
        "certificate",
        "certificate_expiring",
        "logged_in",
        "summary",
    ]
    record = result.records[1]
    assert record.keys() == {"event", "subject", "not_after", "days_left"}
    assert (record["days_left"], result.summary["days_left"], result.summary["exit_code"]) == (9, 9, 5)


def test_quiet(aiomar: Run, options: list[str]) -> None:
    """With --quiet only an error is told: the days that were asked for."""
    assert aiomar("check", *options, "--quiet").err == ""
    result = aiomar("check", *options, "--quiet", "--min-days", "10")
    assert result.code == 5
    assert result.err == "aiomar: error: the client certificate expires in 9 days, 10 are asked for: get a new one\n"


def test_other_commands_warn_too(aiomar: Run, options: list[str]) -> None:
    """A command at its daily work says it as well, and its exit code stays what it is."""
    words = ("--from", "2026-03-01", "--to", "2026-03-01", "--format", "csv", "--time", "pst", "--into", "data")
    result = aiomar("download", *options, "--meter", "1001", *words)
    assert result.code == 0
    assert result.err.count("aiomar: warning: the client certificate 'CN=Soon") == 1
