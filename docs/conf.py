"""How `make docs` builds this folder. It is written to be read on GitHub too."""

import pullit

project = "pullit"
author = "the pullit authors"
version = release = pullit.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]  # no intersphinx: it needs the network

# Links to a heading, as GitHub has them.
myst_heading_anchors = 3

# Without types a signature fits a phone, and zip has one rather than seven.
autodoc_typehints = "none"
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

html_theme = "furo"
html_title = "pullit"
html_static_path = ["static"]
html_css_files = ["pullit.css"]
html_copy_source = html_show_sourcelink = False  # the sources are in the repository
