"""Where profiles come from, which files are refused, and which commands do without."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from aiomar import ConfigError
from aiomar.cli._options import Connection
from aiomar.cli._profiles import ProfileFile, find_profile, profile_files, user_file
from aiomar.cli._settings import configure
from aiomar.testing import Authority, Credentials
from tests.cli.conftest import Place, Result

Run = Callable[..., Result]

posix = pytest.mark.skipif(os.name != "posix", reason="rights are numbers there")


@pytest.fixture
def plain(omar_authority: Authority, tmp_path: Path) -> Credentials:
    """Files of a client without a passphrase, in the working directory."""
    return omar_authority.write(tmp_path)


def profiles(path: Path, **environments: str) -> Path:
    """Write a file of profiles that have a server and a certificate."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tables = (
        f'[{name}]\nenvironment = "{server}"\npkcs12 = "{Path("client.p12").absolute()}"\n'
        for name, server in environments.items()
    )
    path.write_text("".join(tables), encoding="utf-8")
    path.chmod(0o600)
    return path


def server(environ: dict[str, str], profile: str | None = None) -> str:
    """Give the server that a command would talk to."""
    return configure(Connection(profile=profile), environ=environ, ask=None).environment.name


def test_the_first_file_that_has_it_gives_it_whole(plain: Credentials) -> None:
    """The working directory comes before the user's own file, profile by profile, and none inherits from another."""
    profiles(Path("aiomar.toml"), default="test", night="test")
    profiles(user_file(), night="production", staging="staging")
    assert server({}) == "test"
    assert server({}, "night") == "test"
    assert server({}, "staging") == "staging"
    assert server({"AIOMAR_PROFILE": "staging"}) == "staging"
    assert server({"AIOMAR_PROFILE": "staging"}, "night") == "test"
    Path("aiomar.toml").unlink()
    assert server({}, "night") == "production"
    with pytest.raises(ConfigError, match="no server is given"):
        server({})


@pytest.mark.parametrize(("environ", "option"), [({}, "nigth"), ({"AIOMAR_PROFILE": "nigth"}, None)])
def test_a_profile_that_is_nowhere(environ: dict[str, str], option: str | None, plain: Credentials) -> None:
    """The error names what asked for it, both files, and what they have."""
    profiles(Path("aiomar.toml"), night="test")
    with pytest.raises(ConfigError) as caught:
        server(environ, option)
    said = str(caught.value)
    assert said.startswith(f"{'--profile' if option else 'AIOMAR_PROFILE'} names the profile 'nigth', but ")
    assert f"{Path('aiomar.toml').absolute()} has only night and {user_file()} does not exist" in said


def test_the_same_file_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever works in the configuration directory has one file, and not two."""
    user_file().parent.mkdir(parents=True)
    monkeypatch.chdir(user_file().parent)
    assert len(profile_files()) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'environment = "test"\n[night]\n', "'environment' above its first table"),
        (b"[night\n", "cannot be read as TOML"),
        (b"\xff\xfe[\x00", "cannot be read as TOML"),
        (b'[default]\npassphrase = "hunter2"\n', "unknown keys"),
        (b"[default]\nconcurrency = true\n", "must be of type int"),
        (b'[default]\nstate_dir = ""\n', "is empty"),
        (b'[default]\npkcs12 = "~nobody-of-that-name/me.p12"\n', "cannot be a path"),
    ],
)
def test_a_broken_file(content: bytes, said: str) -> None:
    """A command that connects ends with it, also where another file has the profile; no value is repeated."""
    Path("aiomar.toml").write_bytes(content)
    Path("aiomar.toml").chmod(0o600)
    profiles(user_file(), default="test")
    with pytest.raises(ConfigError, match=said) as caught:
        server({})
    assert "hunter2" not in str(caught.value)


def test_a_file_from_windows(plain: Credentials) -> None:
    """A byte order mark and CRLF are as good as none; ~ is the user's home."""
    text = '\ufeff[default]\r\nenvironment = "test"\r\npkcs12 = "client.p12"\r\nstate_dir = "~/state"\r\n'
    Path("aiomar.toml").write_bytes(text.encode())
    config = configure(Connection(), environ={}, ask=None)
    assert (config.environment.name, config.state_dir) == ("test", str(Path.home() / "state"))


@posix
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o664, 0o666])
def test_a_file_that_others_may_write_is_refused(mode: int, plain: Credentials) -> None:
    """It could redirect data; the error says how to mend it, and mending it helps."""
    file = profiles(Path("aiomar.toml"), default="test")
    file.chmod(mode)
    with pytest.raises(ConfigError, match="could redirect your data, as others may write it: run chmod go-w"):
        server({})
    file.chmod(stat.S_IMODE(file.stat().st_mode) & ~0o022)
    assert server({}) == "test"


@posix
@pytest.mark.skipif(getattr(os, "geteuid", int)() != 0, reason="only root gives files away")
@pytest.mark.parametrize("link", [True, False])
def test_a_file_or_link_of_somebody_else_is_refused(plain: Credentials, *, link: bool) -> None:
    """Whoever owns a file may write it, whatever its rights say now, and may point a link elsewhere."""
    file = profiles(Path("aiomar.toml" if not link else "elsewhere.toml"), default="test")
    if link:
        Path("aiomar.toml").symlink_to(file)
        assert server({}) == "test"
    os.chown("aiomar.toml", 12_345, 12_345, follow_symlinks=False)
    with pytest.raises(ConfigError, match="belongs to somebody else"):
        server({})


@posix
@pytest.mark.parametrize("kind", ["directory", "pipe", "dangling link"])
def test_what_is_no_file(kind: str) -> None:
    """It is said, and a pipe is not waited for."""
    place = Path("aiomar.toml")
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "directory":
        place.mkdir()
    else:
        place.symlink_to("nowhere")
    with pytest.raises(ConfigError, match="is not a file"):
        server({})


def test_nobody_asks_for_what_is_not_there() -> None:
    """Without a name and without a default profile there is none, and no error."""
    assert find_profile([ProfileFile(path=Path("x"), there=False)], "default", None) is None


@pytest.mark.parametrize("words", [("inspect", "a.csv"), ("submissions", "list"), ("config", "path"), ("--version",)])
@pytest.mark.parametrize("variable", ["", "nowhere"])
def test_commands_that_need_no_connection(
    words: tuple[str, ...], variable: str, aiomar: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They do without a profile that is broken or missing."""
    monkeypatch.setenv("AIOMAR_PROFILE", variable)
    Path("a.csv").write_bytes(b"a,b\n1,2\n")
    assert aiomar(*words).code == 0
    Path("aiomar.toml").write_text("[default", encoding="utf-8")
    assert aiomar(*words).code == 0


def test_a_profile_that_is_left_out_is_told(aiomar: Run) -> None:
    """Where it might have named the records, a line says so; an option that names it wants it, and so does a change."""
    Path("aiomar.toml").write_text("[default", encoding="utf-8")
    result = aiomar("submissions", "list")
    assert (result.code, result.out) == (0, "")
    assert result.err.startswith("the profile is left out: ")
    assert aiomar("submissions", "list", "--profile", "default").code == 2
    assert aiomar("submissions", "prune", "--older-than", "1d").code == 2
    assert aiomar("submissions", "prune", "--older-than", "1d", "--state-dir", "state").code == 0


def test_a_default_profile_says_where_data_go(aiomar: Run, place: Place) -> None:
    """Whoever named no server is told on stderr which one it is, and why; whoever named one is not."""
    origins = [option for option in place.options if "origin" in option]
    others = [option for option in place.options if "origin" not in option]
    server = place.server.environment
    Path("aiomar.toml").write_text(
        f'[default]\nupload_origin = "{server.upload_origin}"\ndownload_origin = "{server.download_origin}"\n',
        encoding="utf-8",
    )
    Path("aiomar.toml").chmod(0o600)
    told = f"server custom ({server.upload_origin}), from [default] of {Path('aiomar.toml').absolute()}\n"
    assert aiomar("check", *others).err == told
    assert aiomar("check", *others, "--profile", "default").err == ""
    assert aiomar("check", *others, *origins).err == ""
