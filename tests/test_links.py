"""Links between pages, and references in docstrings, lead somewhere. No test of this file needs a network."""

import importlib
import inspect
import re

import pytest

from .instances import SUBPACKAGES
from .pages import find_anchors, find_links, find_toctree_entries
from .test_documentation import PAGES, ROOT

DOCS = ROOT / "docs"
PACKAGES = ["skaudio_ad", "skaudio_ad.persistence", *(f"skaudio_ad.{name}" for name in SUBPACKAGES)]
_ROLE = re.compile(r":(?:class|func|meth|data|mod|attr|obj|exc):`~?\.?([\w.]+)`")
# Libraries whose names docstrings give in full.
_OTHERS = {"copy", "joblib", "numpy", "sklearn", "torch"}
_PAGE = re.compile(r"\bdocs/[\w/]+\.(?:md|csv|png)\b")


def fault_of(link, page):
    """Say why a link of a page leads nowhere, or return None."""
    target, _, anchor = link.partition("#")
    path = (page.parent / target).resolve() if target else page
    if path.is_relative_to(DOCS / "auto_examples"):  # the gallery makes a page of every example
        place = path.relative_to(DOCS / "auto_examples").with_suffix("")
        path = DOCS / "examples" / ("README.txt" if place.name == "index" else f"{place}.py")
    if path.suffix == ".rst" and path.parent == DOCS / "generated":
        name = path.stem.removeprefix("skaudio_ad.")
        return (
            None if name in (DOCS / "api.md").read_text(encoding="utf-8").split() else f"api.md lacks {name}"
        )
    if not path.exists():
        return f"{path} does not exist"
    if page.is_relative_to(DOCS) and not path.is_relative_to(DOCS):
        return f"{path} is outside docs, where Sphinx finds no page"
    if anchor and anchor not in find_anchors(path):
        return f"{path} has no heading {anchor!r}"
    return None


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "SECURITY.md", ROOT / "CHANGELOG.md"], ids=lambda page: page.name
)
def test_every_link_to_a_page_and_to_a_heading_leads_somewhere(page):
    links = [link for link in find_links(page.read_text(encoding="utf-8")) if ":" not in link]
    faults = {link: fault_of(link, page) for link in links}
    assert not {link: fault for link, fault in faults.items() if fault}


def test_a_link_to_a_missing_page_or_heading_is_found():
    page = DOCS / "index.md"
    assert fault_of("quickstart.md", page) is None
    assert fault_of("thresholds.md#draw-the-threshold", page) is None
    assert "does not exist" in fault_of("gone.md", page)
    assert "no heading" in fault_of("thresholds.md#gone", page)
    assert "outside docs" in fault_of("../README.md", page)
    assert find_links("`[a](b)` [c](d.md#e) ![f](g.png)\n```text\n[h](i)\n```\n") == ["d.md#e", "g.png"]


def test_every_page_is_in_one_toctree_below_the_first_page():
    reached, waiting = [], [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        reached.append(page)
        children = [
            page.parent / f"{entry}.md" for entry in find_toctree_entries(page.read_text(encoding="utf-8"))
        ]
        waiting += [child for child in children if child.is_file()]
    assert sorted(reached) == sorted(page for page in PAGES if page.is_relative_to(DOCS))


def _docstrings():
    """Yield the docstrings of all public classes and functions, and of their public methods."""
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in getattr(module, "__all__", ()):
            owner = getattr(module, name)
            members = inspect.getmembers(owner) if inspect.isclass(owner) else []
            for key, member in [
                (name, owner),
                *((f"{name}.{key}", it) for key, it in members if key[0] != "_"),
            ]:
                if str(getattr(member, "__module__", "")).startswith("skaudio_ad"):
                    yield f"{package}.{key}", owner, member.__doc__ or ""


def _is_public(name, owner):
    """Whether a name of a role is one of the class, of the package, or of a subpackage."""
    parts = name.removeprefix("skaudio_ad.").split(".")
    starts = [owner, *map(importlib.import_module, PACKAGES)]
    return any(_has(start, parts) for start in starts)


def _has(start, parts):
    for part in parts:
        if not hasattr(start, part):
            return False
        start = getattr(start, part)
    return True


def test_every_reference_in_a_docstring_names_something_public_and_every_page_exists():
    faults, n_names = [], 0
    for place, owner, text in _docstrings():
        names = [name for name in _ROLE.findall(text) if name.split(".")[0] not in _OTHERS]
        n_names += len(names)
        faults += [f"{place}: {name}" for name in names if not _is_public(name, owner)]
        faults += [f"{place}: {page}" for page in _PAGE.findall(text) if not (ROOT / page).exists()]
    assert not faults
    assert n_names > 100


def test_the_guide_names_every_display_and_every_detector():
    text = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md") if page.name != "api.md")
    inspection, detectors = (
        importlib.import_module(f"skaudio_ad.{name}") for name in ("inspection", "detectors")
    )
    assert not [name for name in (*inspection.__all__, *detectors.__all__) if f"`{name}" not in text]
