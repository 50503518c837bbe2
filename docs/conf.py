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
myst_heading_anchors = 3  # headings get the anchors that GitHub gives them: page.md#cache-embeddings
html_theme = "pydata_sphinx_theme"
html_title = "skaudio_ad"
html_static_path = ["_static"]
html_css_files = ["guide.css"]
html_sidebars = {"index": [], "install": [], "results": []}  # pages without a navigation of their own
html_theme_options = {
    "header_links_before_dropdown": 7,
    "navigation_with_keys": False,
    "show_nav_level": 2,  # the navigation on the left shows the pages of every section
    "show_toc_level": 2,  # the list of contents on the right shows the sections of the page
}
html_show_sourcelink = False
suppress_warnings = ["config.cache"]
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "download_all_examples": False,
    "capture_repr": ("_repr_html_",),  # shows data frames, but no repr of a legend or of axes
}
