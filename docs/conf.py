"""Sphinx: how the pages of this folder become a site. Build it with `make docs`."""

import sys
from pathlib import Path

from anysky import __version__

sys.path.append(str(Path(__file__).parent / "_ext"))

project = "anysky"
author = "the anysky authors"
project_copyright = "the anysky authors"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "anysky_directives",
]
exclude_patterns = ["_build"]
# `name` in a docstring is a link where the reference has that name.
default_role = "py:obj"
# Every full name in anysky has to be in the reference. Not there are type variables, private
# names, and names from elsewhere or without their module, which mypy and pyright check.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(?!anysky\.).*"),
    (r"py:.*", r"anysky\..*\.([A-Z]|[A-Z]_co|_\w+)"),
]

html_theme = "furo"
html_title = "anysky"
html_copy_source = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Each thing is described where it is defined, not once more where it is passed on.
autodoc_default_options = {"members": True, "ignore-module-all": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_preprocess_types = False
