"""Every example of the pages for people runs, and does what its page says."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("sybil", reason="Sybil is not installed: the examples of the pages run on one Python only")

from tests.documents.examples import ExampleError, has_examples, run, skips
from tests.documents.pages import PAGES, places
from tests.documents.sandbox import Sandbox

NOT_RUN = {
    "CONTRIBUTING.md": ["installs packages, and runs the tests that this is one of"],
    "README.md": [
        "installs packages; CI runs this line as printed",
        "runs the tests that this is one of; CI runs this line as printed",
    ],
    "docs/how-to/cluster.md": [
        "starts a cluster; a test of its own runs it on the cluster of the tests",
        "needs Dask; a test of its own runs it with the two others",
        "needs a cluster; a test of its own runs it on the cluster of the tests",
    ],
    "docs/install.md": ["installs packages; the session package of nox does it with the wheel"],
    "docs/explanation/speed.md": ["takes twenty minutes", "takes ten minutes"],
    "docs/how-to/windows-certificate.md": ["PowerShell"],
    "docs/tutorial.md": ["installs packages; CI runs this line as printed"],
}
"""Page → why examples of it are not run; who adds one has looked for a way to write it so that it runs."""

BAD = {
    "a command that fails": ("```sh\ntrue\naiomar \\\nverify no\n```", "page.md:3: `aiomar \\ verify no` ended with 2"),
    "a failure that does not come": ("```sh\n\ntrue  # ends with 3\n```", "page.md:3: should end with 3"),
    "another code": ("```sh\naiomar verify nowhere  # ends with 3\n```", "page.md:2: `aiomar verify"),
    "no such tool": ("\n\n```sh\nsudo ls\n```", "page.md:4: `sudo ls` ended with 127"),
    "other output": ("```console\n$ echo 12\n12\n$ echo 1\n2\n```", "page.md:4: shows\n2\nand there was\n1"),
    "other output below": ("```sh\necho 1\n```\n\n```text\n2\n```", "page.md:6: shows\n2\n"),
    "other printed output": ("```python\nprint(1)\n```\n\n```text\n2\n```", "page.md:6: shows\n2\n"),
    "no command": ("```console\n12\n```", "page.md:2: no line of this console begins with $"),
    "an error in Python": ("\n```python\n1\nawait client.nonesuch()\n```", "page.md:4: AttributeError"),
    "an error of syntax": ("```python\nfor\n```", "page.md:1: SyntaxError"),
    "a test that fails": ("```python\ndef test_it():\n    assert 1 == 2\n```", "page.md:2: `pytest"),
    "a foreign host": ("```sh\naiomar check --environment production\n```", "must not leave this machine"),
    "a foreign host in Python": (
        '```python\nimport socket\nsocket.getaddrinfo("omar-online.caiso.com", 443)\n```',
        "page.md:3: PermissionError: an example asks for the host",
    ),
    "no profile": ('```toml\n[default]\npkcs12 = "nowhere.p12"\n```', "page.md:1: ConfigError"),
    "no layout": ("```toml\nmeter = 1\ndate = 2\nvalue = 3\nnonesuch = 4\n```", "page.md:1: ConfigError"),
    "no JSON": ("```json\n{\n```", "page.md:1: JSONDecodeError"),
    "no INI": ("```ini\n1\n```", "page.md:1: MissingSectionHeaderError"),
    "an unknown language": ("```cobol\n1\n```", "page.md:1: a block of cobol"),
    "no language": ("```\n1\n```", "page.md:1: a block of no language"),
    "an unknown directive": ("```{code-cell}\n1\n```", "page.md:1: a block of {code-cell}"),
    "an invisible one": ("\n<!--- invisible-code-block: python\n1 / 0\n-->", "page.md:3: ZeroDivisionError"),
}  # fmt: skip


@pytest.mark.parametrize("page", places([page for page in PAGES if has_examples(page)]))
def test_every_example_runs(page: Path, place: Sandbox) -> None:
    """In the order of the page, in one sandbox."""
    run(page, place)


def test_what_is_not_run() -> None:
    """Each has its reason, and stands in the list above."""
    found = {page.relative_to(PAGES[0].parent).as_posix(): skips(page) for page in PAGES}
    assert {page: reasons for page, reasons in found.items() if reasons} == NOT_RUN


def test_a_bad_example_is_seen(place: Sandbox, tmp_path: Path) -> None:
    """And told with its page and line."""
    page = tmp_path / "page.md"
    for text, words in BAD.values():
        page.write_text(text + "\n", encoding="utf-8")
        with pytest.raises(ExampleError) as told:
            run(page, place)
        assert words in str(told.value)


def test_blocks_share_what_they_leave(place: Sandbox, tmp_path: Path) -> None:
    """Names, variables and the directory go on from block to block, and a file that is named is there."""
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\nexport A=1 && mkdir there && cd there\n```\n"
        '```python\n# one.py\nimport os\nprint(os.environ["A"], os.path.basename(os.getcwd()))\nb = 2\n```\n'
        "```text\n1 there\n```\n"
        "```python\nawait asyncio.sleep(0)\nprint(b)\n```\n```text\n2\n```\n"
        "```console\n$ python one.py\n… there\n```\n",
        encoding="utf-8",
    )
    run(page, place)
