"""How the documentation is built; ``nox -s docs`` does it, and every warning is an error."""

from __future__ import annotations

import aiomar

project = "aiomar"
author = "the aiomar authors"
release = version = aiomar.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"aiomar {release}"

default_role = "py:obj"  # the docstrings write `name` for a name
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # an attribute may be told in the class and stand beside its value
myst_heading_anchors = 3
