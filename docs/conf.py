"""How Sphinx makes the guide: see docs/development.md."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import fastmlp

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for the modules beside this file

import api_pages  # noqa: E402

project = "fastmlp"
author = "the fastmlp developers"
project_copyright = "2026, the fastmlp developers"
version = release = fastmlp.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
smartquotes = False  # quotation marks are code, mostly
exclude_patterns = ["_build", "gallery"]

html_theme = "furo"
html_title = f"fastmlp {release}"
html_copy_source = False
html_show_sourcelink = False
html_css_files = ["guide.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0063a1", "color-brand-content": "#0063a1"},
    "dark_css_variables": {"color-brand-primary": "#66bdf2", "color-brand-content": "#66bdf2"},
}
pygments_style = "friendly"
pygments_dark_style = "github-dark"
copybutton_exclude = ".linenos, .gp, .go"  # prompts and outputs of doctests

myst_enable_extensions = ["colon_fence", "dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 3

# The one file of MathJax that draws without fonts: formulas need no network.
mathjax_folder = Path(import_module("sphinx-mathjax-offline").__file__ or "").parent
html_static_path = ["_static", str(mathjax_folder / "static/mathjax/tex-svg.js")]
mathjax_path = "tex-svg.js"

# Docstrings tell types in words; with annotations beside them signatures would not fit a line.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autosummary_generate = False
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "examples",
    "backreferences_dir": "examples/backreferences",
    "doc_module": ("fastmlp",),
    "reference_url": {"fastmlp": None},
    "image_scrapers": ("gallery_pictures.scrape",),
    "capture_repr": ("_repr_html_",),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "remove_config_comments": True,
    "thumbnail_size": (440, 308),
    "within_subsection_order": "FileNameSortKey",
    "min_reported_time": 1e9,
    "write_computation_times": False,
}

api_pages.write(HERE / "api")


def keep_text(*event: Any) -> None:
    """Keep docstrings from saying what they do not mean in reST: initials are no lists, nor is |z| a name."""
    lines, is_example = event[-1], False
    for i, line in enumerate(lines):
        is_example = bool(line.strip()) and (is_example or line.lstrip().startswith(">>>"))
        if not is_example:
            parts = re.sub(r"^(\s*[A-Z])\. ", r"\1\. ", line).split("``")
            parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]  # the others are literal
            lines[i] = "``".join(parts)


def shorten(*event: Any) -> tuple[str, str] | None:
    """Write a default that each object has its own of, such as an empty list, as an ellipsis."""
    signature, returned = event[-2:]
    return signature and (signature.replace("<factory>", "..."), returned)


def setup(app: Any) -> None:
    """Connect to Sphinx; numpydoc reads docstrings at the usual priority, 500."""
    app.connect("autodoc-process-docstring", keep_text, priority=400)
    app.connect("autodoc-process-signature", shorten)
