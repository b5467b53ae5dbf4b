"""Where an OMAR-Online is: https origins and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from aiomar.errors import ConfigError
from aiomar.protocol import PRODUCTION, STAGING, TEST, CookieStyle, Environment, Origin, ResponseHead, parse_origin


@pytest.mark.clause("SUB 2", "DL 2", "SUB 3.1", "DL 3.1")
def test_the_documents_environments() -> None:
    """Uploads are on port 443, downloads on 444 (for staging and test one of the two is inferred)."""
    assert [
        (item.name, item.upload_origin, item.download_origin, item.cookie_style) for item in (PRODUCTION, STAGING, TEST)
    ] == [
        (name, f"https://{host}.caiso.com", f"https://{host}.caiso.com:444", CookieStyle.AUTO)
        for name, host in (
            ("production", "omar-online"),
            ("staging", "omar-onlinestage"),
            ("test", "omar-onlinetest"),
        )
    ]


@pytest.mark.parametrize(
    ("text", "host", "port", "shown"),
    [
        ("https://host", "host", 443, "https://host"),
        ("https://host/", "host", 443, "https://host"),
        ("https://host:", "host", 443, "https://host"),
        ("https://host:443", "host", 443, "https://host"),
        ("https://host:444/", "host", 444, "https://host:444"),
        ("HTTPS://Omar.Example:65535", "omar.example", 65_535, "https://omar.example:65535"),
        ("https://127.0.0.1:1", "127.0.0.1", 1, "https://127.0.0.1:1"),
        ("https://[::1]", "::1", 443, "https://[::1]"),
        ("https://[2001:DB8::1]:444", "2001:db8::1", 444, "https://[2001:db8::1]:444"),
        ("https://xn--bcher-kva.example", "xn--bcher-kva.example", 443, "https://xn--bcher-kva.example"),
        ("https://host.example.", "host.example.", 443, "https://host.example."),
        ("https://my_host", "my_host", 443, "https://my_host"),
    ],
)
def test_good_origins(text: str, host: str, port: int, shown: str) -> None:
    """Scheme, host and port; the port of https is not shown."""
    origin = parse_origin(text)
    assert origin == Origin(host=host, port=port)
    assert (str(origin), origin.netloc) == (shown, shown.removeprefix("https://"))
    assert parse_origin(str(origin)) == origin


BAD = [
    "",
    "host",
    "host:444",
    "//host",
    "http://host",
    "ftp://host",
    "file:///etc/passwd",
    "https:host",
    "https:/host",
    "https:///host",
    "https://",
    "https://:444",
    "https://host/path",
    "https://host//",
    "https://host;a",
    "https://host?",
    "https://host?a=b",
    "https://host/?",
    "https://host#",
    "https://host/#a",
    "https://host:0",
    "https://host:65536",
    "https://host:99999999",
    "https://host:-1",
    "https://host:+1",
    "https://host:4_4",
    "https://host:٤٤٤",
    "https://host:444:444",
    "https://::1",
    "https://[::1",
    "https://[::1]x",
    "https://[1.2.3.4]",
    "https://[v1.x]",
    "https://[fe80::1%25eth0]",
    "https://ho st",
    " https://host",
    "https://host\n",
    "https://ho\tst",
    "https://host\x00",
    "https://ho\xa0st",
    "https://bücher.example",
    "https://ho%73t",
    "https://a\\b",
    "https://a,b",
    "https://-host",
    "https://*",
    "https://ho\u017ft",
]


@pytest.mark.parametrize("text", [*BAD, None, b"https://host", 5], ids=ascii)
def test_bad_origins(text: object) -> None:
    """Another scheme, a path, a query, a fragment, no host, a port that is none, odd characters."""
    with pytest.raises(ConfigError) as caught:
        parse_origin(text)
    assert str(caught.value).isascii()
    with pytest.raises(ConfigError):
        Environment("lab", text, "https://host")  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        Environment("lab", "https://host", text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "https://user:s3cret@host",
        "https://s3cret@host",
        "https://:s3cret@host:444",
        "https://user:s3cret@host:99999",
        "https://user:s3/cret@host",
        "https://user:x@s3cret@host",
        "https://user:s3cret@ho st",
        "https://user:s3cret\n@host",
        "http://user:s3cret@host",
        "user:s3cret@host",
        "https://user:s3cret@",
    ],
)
def test_a_password_in_an_origin_is_refused_and_not_shown(text: str) -> None:
    """User information is no part of an origin, and the message does not repeat it, however it is written."""
    with pytest.raises(ConfigError) as caught:
        parse_origin(text)
    assert "s3" not in str(caught.value)
    assert "cret" not in str(caught.value)


@given(st.one_of(st.text(), st.text("htps:/[]@.1a? ", max_size=20).map(lambda text: f"https://{text}")))
def test_any_text_is_an_origin_or_a_config_error(text: str) -> None:
    """What is read is ASCII, and reading it again gives the same."""
    try:
        origin = parse_origin(text)
    except ConfigError:
        return
    assert str(origin).isascii()
    assert parse_origin(str(origin)) == origin
    assert 0 < origin.port < 65_536


@pytest.mark.parametrize("name", ["", "  ", None, 5])
def test_an_environment_has_a_name(name: object) -> None:
    """People and logs need one."""
    with pytest.raises(ConfigError):
        Environment(name, "https://host", "https://host")  # type: ignore[arg-type]


def test_a_cookie_style_is_one_of_three() -> None:
    """A text is not a style."""
    with pytest.raises(ConfigError):
        Environment("lab", "https://host", "https://host", cookie_style="plain")  # type: ignore[arg-type]


def test_headers_are_found_in_any_case_and_in_order() -> None:
    """Names of headers have no case; the order of the wire is kept, and a repr shows none of them."""
    head = ResponseHead(200, CIMultiDict([("SET-COOKIE", "a=1"), ("X", "y"), ("set-cookie", "a=2")]))
    assert head.all("Set-Cookie") == ["a=1", "a=2"]
    assert head.first("set-Cookie") == "a=1"
    assert head.first("Cookie") is None
    assert "a=1" not in repr(head)
