"""HTML diagrams of estimators link to the pages that docs/api.md makes."""

import html
import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from skaudio_ad import AudioLoader, MelTransformer, NearestNeighborsDetector, TemporalPooling
from skaudio_ad._doc_links import documentation_url
from skaudio_ad.presets import make_detector

from .instances import instances, public_estimators

ROOT = Path(__file__).parent.parent
ADDRESS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"][
    "Documentation"
]
NAMES = re.findall(r"^ {3}([\w.]+)$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
# autosummary makes a page for every name of a list with ":toctree: generated".
PAGES = {f"{ADDRESS}/generated/skaudio_ad.{name}.html" for name in NAMES}


@pytest.fixture(scope="module")
def by_class():
    """One instance of every public estimator that needs no parameters of other tests."""
    return {type(estimator).__name__: estimator for estimator in instances()}


def test_the_reference_makes_one_page_a_name_in_the_folder_of_the_links():
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert text.count(":toctree: generated\n") == text.count(".. autosummary::\n")


@pytest.mark.parametrize(
    ("package", "estimator"), public_estimators(), ids=lambda part: getattr(part, "__name__", part)
)
def test_every_estimator_links_to_its_page_of_the_reference(package, estimator, by_class):
    instance = by_class.get(estimator.__name__) or estimator.__new__(estimator)
    assert instance._get_doc_link() == f"{ADDRESS}/generated/skaudio_ad.{package}.{estimator.__name__}.html"
    assert instance._get_doc_link() in PAGES


def test_the_diagram_of_a_pipeline_links_every_step_to_its_own_documentation():
    pipeline = make_pipeline(
        AudioLoader(), MelTransformer(), TemporalPooling(), StandardScaler(), NearestNeighborsDetector()
    )
    links = re.findall(r'href="([^"#]*)"', html.unescape(estimator_html_repr(pipeline)))
    ours = {link for link in links if link.startswith(ADDRESS)}
    assert {link.rsplit(".", 2)[1] for link in ours} == {
        "AudioLoader",
        "MelTransformer",
        "TemporalPooling",
        "NearestNeighborsDetector",
    }
    assert ours <= PAGES
    assert any("scikit-learn.org" in link and "StandardScaler" in link for link in links)
    assert make_detector()._repr_html_().count(ADDRESS) > 0


def test_a_class_of_a_user_has_no_link():
    class OwnDetector(NearestNeighborsDetector):
        pass

    assert OwnDetector()._get_doc_link() == ""
    assert clone(NearestNeighborsDetector())._get_doc_link() in PAGES


def test_a_package_that_is_not_installed_has_no_links(monkeypatch):
    def fail(name):
        raise importlib.metadata.PackageNotFoundError(name)

    documentation_url.cache_clear()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(importlib.metadata, "metadata", fail)
            assert NearestNeighborsDetector()._get_doc_link() == ""
    finally:
        documentation_url.cache_clear()
