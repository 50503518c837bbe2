"""The form of all addresses in pages, examples and docstrings. `make linkcheck` asks the servers."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("docs", "skaudio_ad", "benchmarks")
SKIPPED = {"auto_examples", "generated", "_build", "results"}
FILES = [
    *sorted(ROOT.glob("*.md")),
    ROOT / "CITATION.cff",
    ROOT / "pyproject.toml",
    *sorted(
        path
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md", ".txt"}
        and path.name != "conf.py"  # patterns of addresses
        and not SKIPPED & set(path.relative_to(ROOT).parts)
    ),
]
# An address ends before white space, a bracket, a quote or a brace of an f-string.
_ADDRESS = re.compile(r"https?://[^\s)>\]}\"'`\\{,;|]+")


def addresses(text):
    """Return the addresses of a text, without the full stop or colon of the sentence."""
    return [found.rstrip(".:*") for found in _ADDRESS.findall(text)]


def faults(address):
    """Return what is wrong with the form of an address."""
    found = []
    if address.startswith("http://") and not re.match(r"http://(127\.0\.0\.1|localhost)", address):
        found.append("does not use https")
    if not re.match(r"https?://[\w.-]+\.\w+|http://(localhost|127)", address):
        found.append("has no complete domain")
    if "arxiv.org" in address and not re.fullmatch(
        r"https://arxiv\.org/abs/\d{2}(0[1-9]|1[0-2])\.\d{4,5}(v\d+)?", address
    ):
        found.append("is no address of an abstract on arXiv, such as https://arxiv.org/abs/2110.05069")
    if "doi.org" in address and not re.fullmatch(r"https://doi\.org/10\.\d{4,9}/\S+", address):
        found.append("is no DOI, such as https://doi.org/10.1145/2733373.2806390")
    return found


def test_every_address_is_well_formed():
    wrong = [
        f"{path.relative_to(ROOT)}: {address} {fault}"
        for path in FILES
        for address in addresses(path.read_text(encoding="utf-8"))
        for fault in faults(address)
    ]
    assert wrong == []


def test_every_number_of_arxiv_has_a_month_and_four_or_five_digits():
    for path in FILES:
        for number in re.findall(r"arXiv:\s?([^\s,;:)\]]+)", path.read_text(encoding="utf-8")):
            assert re.fullmatch(r"\d{2}(0[1-9]|1[0-2])\.\d{4,5}(v\d+)?", number.rstrip(".")), (
                f"{path}: {number}"
            )


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("http://zenodo.org/records/1", "https"),
        ("https://zenodo/records/1", "domain"),
        ("https://arxiv.org/abs/2113.05069", "arXiv"),
        ("https://arxiv.org/pdf/2110.05069", "arXiv"),
        ("https://doi.org/10.11/a", "DOI"),
    ],
)
def test_a_bad_address_is_found(address, fault):
    text = f"See {address}."
    assert addresses(text) == [address]
    assert fault in " ".join(faults(address))
