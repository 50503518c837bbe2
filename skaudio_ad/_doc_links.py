"""Links from the HTML diagrams of estimators to the pages of the documentation."""

from functools import cache

_PACKAGE = __name__.partition(".")[0]


class DocLinkMixin:
    """Mixin for estimators: the "?" in the HTML diagram of scikit-learn opens the page of the class.

    The attributes are those that the developer guide of scikit-learn names for other packages, in "Developer API for
    HTML representation". The mixin stands left of ``BaseEstimator``, which links to the pages of scikit-learn.
    """

    _doc_link_module = _PACKAGE

    @property
    def _doc_link_template(self):
        """Address of the page that autosummary makes for a class, or an empty text if the address is unknown."""
        root = documentation_url()
        return f"{root}/generated/{{estimator_module}}.{{estimator_name}}.html" if root else ""


@cache
def documentation_url() -> str:
    """Return the address of the documentation, without a slash at its end, from the metadata of the package.

    Returns
    -------
    str
        Value of "Documentation" in ``[project.urls]`` of ``pyproject.toml``, or an empty text if the package is not
        installed.
    """
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        entries = metadata(_PACKAGE).get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    # An entry is a label, a comma and an address (core metadata specification of Python packages).
    addresses = dict(entry.split(", ", 1) for entry in entries)
    return str(addresses.get("Documentation", "")).rstrip("/")
