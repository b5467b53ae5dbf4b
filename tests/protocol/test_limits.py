"""The rules that are held before anything is sent."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiomar.errors import ConfigError, LimitError
from aiomar.protocol import UploadLimits, check_file_name

ALLOWED = [chr(code) for code in range(0x20, 0x7F) if chr(code) not in '"\\/:']
FORBIDDEN = [*'"\\/:', "\x00", "\t", "\n", "\r", "\x1f", "\x7f", "\x80", "\xa0", "é", "\u2028", "😀", "\udcff"]


def _broken(name: str, limits: UploadLimits | None = None) -> LimitError:
    with pytest.raises(LimitError) as caught:
        (limits or UploadLimits()).check_name(name)
    assert caught.value.value == name
    assert str(caught.value).isascii()
    return caught.value


@pytest.mark.clause("SUB 3.2.2")
@pytest.mark.parametrize("length", [4, 5, 39, 40])
def test_names_up_to_40_characters(length: int) -> None:
    """Forty characters with the extension are allowed."""
    UploadLimits().check_name("a" * (length - 4) + ".csv")


@pytest.mark.fault(77)
@pytest.mark.clause("SUB 3.2.2")
@pytest.mark.parametrize("length", [41, 42, 400])
def test_names_beyond_40_characters(length: int) -> None:
    """Forty-one are not."""
    error = _broken("a" * (length - 4) + ".csv")
    assert (error.rule, error.limit) == ("name_length", 40)


@pytest.mark.clause("SUB 3.2.2")
@pytest.mark.parametrize("size", [1, 499_999, 511_999])
def test_sizes_below_the_limit(size: int) -> None:
    """A file must be smaller than 500 times 1,024 bytes."""
    UploadLimits().check_size("a.csv", size)


@pytest.mark.fault(77)
@pytest.mark.clause("SUB 3.2.2")
@pytest.mark.parametrize("size", [0, 512_000, 512_001, 10**9])
def test_sizes_at_and_beyond_the_limit(size: int) -> None:
    """A file of the limit's size is too large, and an empty one is no file."""
    with pytest.raises(LimitError) as caught:
        UploadLimits().check_size("a.csv", size)
    assert (caught.value.rule, caught.value.value, caught.value.limit) == ("size", size, 512_000)


@pytest.mark.clause("SUB 3.2.2")
def test_a_lower_limit_is_a_value() -> None:
    """A site that counts in thousands sets 500,000."""
    limits = UploadLimits(max_bytes=500_000)
    limits.check_size("a.csv", 499_999)
    with pytest.raises(LimitError):
        limits.check_size("a.csv", 500_000)
    assert _broken("abcdefg.csv", UploadLimits(max_name=10)).limit == 10
    assert _broken("a.dat", UploadLimits(extensions=(".csv",))).rule == "extension"


@pytest.mark.clause("SUB 3.2.2")
@pytest.mark.parametrize("name", ["a.csv", "a.CSV", "a.cSv", "a.dat", "a.DAT", "a.b.csv", ".csv", "a..dat"])
def test_both_extensions_in_any_case(name: str) -> None:
    """Case does not matter."""
    UploadLimits().check_name(name)


@pytest.mark.fault(77)
@pytest.mark.clause("SUB 3.2.2")
@pytest.mark.parametrize("name", ["a", "a.txt", "acsv", "a.csv ", "a.csv.gz", "a.cs", "csv", ".", "a.csv."])
def test_other_extensions(name: str) -> None:
    """The name must end in the extension."""
    assert _broken(name).rule == "extension"


@pytest.mark.parametrize("character", ALLOWED)
def test_characters_that_are_sent_as_they_are(character: str) -> None:
    """Printable ASCII but four characters."""
    UploadLimits().check_name(f"a{character}b.csv")


@pytest.mark.fault(77)
@pytest.mark.parametrize("character", FORBIDDEN, ids=ascii)
@pytest.mark.parametrize("name", ["a{}b.csv", "{}.csv", "a.csv{}"])
def test_characters_that_cannot_be_sent(character: str, name: str) -> None:
    """What would end the quoted name, look like a path, or is no printable ASCII, wherever it stands."""
    assert _broken(name.format(character)).rule == "name_characters"


def test_an_empty_name_is_no_name() -> None:
    """There is nothing to send."""
    assert _broken("").rule == "name_characters"


@given(st.text(max_size=60))
def test_any_name_is_allowed_or_a_limit_error(name: str) -> None:
    """What passes is exactly what the rules allow."""
    fits = (
        len(name) <= 40
        and name.lower().endswith((".csv", ".dat"))
        and all(" " <= character <= "~" and character not in '"\\/:' for character in name)
    )
    if fits:
        UploadLimits().check_name(name)
    else:
        assert _broken(name).rule in {"name_characters", "name_length", "extension"}


@pytest.mark.parametrize("number", [0, -1, True, 1.5, "5", None])
def test_limits_are_whole_numbers(number: object) -> None:
    """A limit that cannot be one is found when it is set."""
    with pytest.raises(ConfigError):
        UploadLimits(max_bytes=number)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        UploadLimits(max_name=number)  # type: ignore[arg-type]


@pytest.mark.parametrize("extensions", [(), ("csv",), (".",), ("",), ".csv", (".csv", 5)])
def test_extensions_begin_with_a_dot(extensions: object) -> None:
    """A single text is not a tuple of texts."""
    with pytest.raises(ConfigError):
        UploadLimits(extensions=extensions)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a", "a b.csv", "...", ".a", "ä.csv", "a:b", 'a"b', "a" * 300, "\u2028"])
def test_names_of_downloads(name: str) -> None:
    """One component of a path, whatever it holds otherwise."""
    check_file_name(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "/a", "a\\b", "a/", *(f"a{c}" for c in "\x00\n\x1f\x7f\x85"), "a\udcff", None, b"a"],
    ids=ascii,
)
def test_names_of_downloads_that_are_none(name: object) -> None:
    """Empty, a directory's name, a separator, a control character, no text."""
    with pytest.raises(LimitError) as caught:
        check_file_name(name)
    assert caught.value.rule == "name_characters"


def test_the_four_characters_are_the_only_ones() -> None:
    """The table above is whole."""
    assert len(ALLOWED) == len(string.printable) - len(string.whitespace) + 1 - 4
