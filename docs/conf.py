"""Sphinx configuration; ``make docs`` builds the pages."""

from importlib.metadata import version as get_version

from sphinx_gallery.sorting import ExplicitOrder

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
    # The first example of a section is the one to read first.
    "subsection_order": ExplicitOrder(
        [f"examples/{task}" for task in ("embeddings", "thresholds", "listening", "systems")]
    ),
    "within_subsection_order": ExplicitOrder(
        [
            "plot_pretrained_embeddings.py",
            "plot_embedding_map.py",
            "plot_embedding_classifiers.py",
            "plot_fine_tuning.py",
            "plot_normal_only_grid_search.py",
            "plot_report.py",
            "plot_heart_lung_autoencoder.py",
            "plot_dog_bark_vae.py",
            "plot_rl_kl_classifiers.py",
            "plot_lstm_next_frame.py",
        ]
    ),
    # Names in the code of an example link to the reference, and a page of the reference lists its examples.
    "reference_url": {"skaudio_ad": None},
    "doc_module": ("skaudio_ad",),
    "backreferences_dir": "generated/backreferences",
    "remove_config_comments": True,
    "download_all_examples": False,
    "capture_repr": ("_repr_html_",),  # shows data frames, but no repr of a legend or of axes
}
# Settings of `make linkcheck`. Addresses of the placeholder domain and of a local server are no links to check.
linkcheck_ignore = [r"https?://example\.org/.*", r"https?://(localhost|127\.0\.0\.1).*"]
linkcheck_timeout = 20
linkcheck_retries = 2
linkcheck_workers = 4
linkcheck_rate_limit_timeout = 60
# Anchors of pages on GitHub are made by scripts, so that no plain request finds them.
linkcheck_anchors_ignore_for_url = [r"https://github\.com/.*"]
