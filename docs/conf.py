"""How the documentation is built; ``nox -s docs`` does it, and every warning is an error."""

from __future__ import annotations

from sphinx.application import Sphinx

import aiomar

project = "aiomar"
author = "the aiomar authors"
release = version = aiomar.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "changes"]  # the changes go into CHANGELOG.md
html_theme = "furo"
html_title = f"aiomar {release}"
html_show_copyright = False  # LICENSE says it

default_role = "py:obj"  # the docstrings write `name` for a name
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # an attribute may be told in the class and stand beside its value
myst_heading_anchors = 3

_BEFORE_NAPOLEON, _AFTER_NAPOLEON = 400, 600


def setup(app: Sphinx) -> None:
    """Keep the words of attributes whole: napoleon takes what stands before a colon for a type."""
    told: dict[str, list[str]] = {}

    def keep(_app: Sphinx, what: str, name: str, _obj: object, _options: object, lines: list[str]) -> None:
        if what in {"attribute", "property"}:
            told[name] = list(lines)

    def give_back(_app: Sphinx, _what: str, name: str, _obj: object, _options: object, lines: list[str]) -> None:
        if name in told:
            lines[:] = told.pop(name)

    app.connect("autodoc-process-docstring", keep, priority=_BEFORE_NAPOLEON)
    app.connect("autodoc-process-docstring", give_back, priority=_AFTER_NAPOLEON)
