"""How `make docs` builds this folder. It is written to be read on GitHub too."""

from typing import Any

import pullit

project = "pullit"
author = "the pullit authors"
version = release = pullit.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx_copybutton"]
# No intersphinx: it needs the network.

# Boxes for what crashes or blocks, written as GitHub shows them too: > [!WARNING]
myst_enable_extensions = ["alert"]

# Links to a heading, as GitHub has them.
myst_heading_anchors = 3

# Types as they are written. Where overloads or names that are private would be shown, the
# page states the signature; tests/test_docs.py compares the two.
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_type_aliases = {
    **{name: f"pullit.{name}" for name in ("Seq", "Seq2", "Yield", "Yield2")},
    "Engine": "Engine",
}
python_use_unqualified_type_names = True
# One line for each parameter, so that a typed signature fits a phone.
maximum_signature_line_length = 50
# Show a default as it is written, not the repr of what it is.
autodoc_preserve_defaults = True
# `name` in a docstring links to its entry.
default_role = "py:obj"
# What `make docs` need not complain of.
nitpick_ignore = [
    ("py:obj", "yield_"),  # in docstrings: a parameter of every producer
    ("py:obj", "stop"),  # in docstrings: half of what pull returns
    ("myst", "../benchmarks/"),  # a folder, which GitHub shows and the built pages do not have
]

nitpick_ignore_regex = [
    ("py:class", r"(pullit\._\w+\.)?[ABKTV]"),  # type variables
    ("py:class", r"(collections\.abc\.|types\.)?(Callable|Iterable|FrameType|TracebackType)"),
]

# Copied from an example: what was typed, without prompts and output.
copybutton_prompt_text = r">>> |\.\.\. ?"
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"pullit {version}"
html_static_path = ["static"]
html_css_files = ["pullit.css"]
html_copy_source = html_show_sourcelink = False  # the sources are in the repository


def module_of(_: object, module: str, name: str) -> str | None:
    """Return where a public name is written, for its link to the source."""
    first = name.partition(".")[0]
    if module != "pullit" or not hasattr(pullit, first):
        return None
    return f"pullit.{pullit._later.get(first, '_errors')}"


def setup(app: Any) -> None:
    app.connect("viewcode-follow-imported", module_of)
