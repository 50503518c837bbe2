"""Sphinx configuration; ``make docs`` builds the pages."""

from importlib.metadata import version as get_version

project = "skaudio_ad"
author = "The skaudio_ad developers"
version = release = get_version("skaudio_ad")
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
autosummary_generate = True
templates_path = ["_templates"]
numpydoc_show_class_members = False
exclude_patterns = ["_build", "_templates", "examples"]
html_theme = "pydata_sphinx_theme"
html_title = "skaudio_ad"
html_sidebars = {"index": [], "user_guide": [], "selecting": []}
html_theme_options = {"show_prev_next": False}
suppress_warnings = ["config.cache"]
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "download_all_examples": False,
    "capture_repr": ("_repr_html_",),  # shows data frames, but no repr of a legend or of axes
}
