"""Every code block in README and docs runs, and every example in a docstring gives the printed result."""

import doctest
import importlib
import os
import pkgutil
import re
import runpy
import shlex
import warnings
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from click.testing import CliRunner

import skaudio_ad
from skaudio_ad import datasets
from skaudio_ad.cli import main
from skaudio_ad.datasets import make_machine_sounds
from skaudio_ad.training import fit_module

from .pages import find_blocks

ROOT = Path(__file__).parent.parent
# Folders of docs that Sphinx writes.
_MADE_BY_SPHINX = {"_build", "auto_examples", "generated"}
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(
        page
        for page in (ROOT / "docs").rglob("*.md")
        if not _MADE_BY_SPHINX & set(page.relative_to(ROOT / "docs").parts)
    ),
]
EXAMPLES = sorted((ROOT / "docs" / "examples").rglob("plot_*.py"))
ON_DATA = [path for path in EXAMPLES if "SKAUDIO_AD_DATA" in path.read_text(encoding="utf-8")]
# Maximum number of epochs in the pages of the gallery.
EPOCHS = 1
# Maximum numbers of recordings of every label ("1" and "-1") in the pages of the gallery. The pages train on six
# normal recordings of every machine of MIMII.
_PART_OF_ESC10 = {"of every": ("category", "fold"), "1": 2, "-1": 2}
_PART_OF_MIMII = {"of every": ("machine_id",), "1": 7, "-1": 3}
MODULES = [
    name for _, name, _ in pkgutil.walk_packages(skaudio_ad.__path__, "skaudio_ad.") if "networks" not in name
]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Make a folder with ``normal/`` and ``new/``, which the pages need."""
    folder = tmp_path_factory.mktemp("pages")
    make_machine_sounds(12, 4, machine="valve", duration=1.0, output_dir=folder, random_state=0)
    (folder / "anomalous").rename(folder / "new")
    return folder


def _name(page):
    return page.relative_to(ROOT).as_posix()


def _blocks(page, *languages):
    return [code for language, code in find_blocks(page.read_text(encoding="utf-8")) if language in languages]


def test_every_block_has_a_language_that_the_tests_know():
    for page in PAGES:
        languages = {language for language, _ in find_blocks(page.read_text(encoding="utf-8"))}
        assert languages <= {"python", "shell", "text"}, page


def test_blocks_inside_directives_and_lists_are_found():
    text = "````{container} card\n```python\nprint(1)\n```\n````\n\n1. A step:\n\n   ```text\n   a\n   ```\n"
    assert find_blocks(text) == [("python", "print(1)\n"), ("text", "   a\n")]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_the_python_blocks_of_a_page_run_in_order(page, recordings, monkeypatch, tmp_path):
    blocks = _blocks(page, "python")
    monkeypatch.chdir(tmp_path)
    for name in ("normal", "new"):
        os.symlink(recordings / name, tmp_path / name)
    namespace = {"__name__": "__page__"}
    monkeypatch.setenv("MPLBACKEND", "agg")
    for number, code in enumerate(blocks):
        exec(compile(code, f"{page.name}, block {number}", "exec"), namespace)
    plt.close("all")
    if page.name in ("README.md", "quickstart.md"):
        assert blocks


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_the_shell_lines_of_a_page_run(page, recordings, tmp_path, monkeypatch):
    # The program runs in this process, because each process of its own loads torch for seconds.
    monkeypatch.chdir(tmp_path)
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    extras = set(re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    for name in ("normal", "new"):
        os.symlink(recordings / name, tmp_path / name)
    for line in "\n".join(_blocks(page, "shell")).splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] == "skaudio-ad":
            result = CliRunner().invoke(main, words[1:], catch_exceptions=False)
            assert result.exit_code == 0, f"{line}: {result.output}"
        elif words[0] == "make":
            assert set(words[1:]) <= targets, line
        else:
            assert words[:2] == ["pip", "install"], (
                f"{line!r}: no test knows this command. Add one to this file."
            )
            assert set(re.findall(r"\[(\w+)\]", line)) <= extras, line


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_give_the_printed_result(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


@pytest.fixture
def few_epochs(monkeypatch):
    """Train every network for few epochs, because the tests only ask whether every line of a page runs.

    `make docs` runs the pages as they are.
    """

    def fit_briefly(*arguments, max_epochs, **settings):
        return fit_module(*arguments, max_epochs=min(max_epochs, EPOCHS), **settings)

    monkeypatch.setattr("skaudio_ad.training._estimator.fit_module", fit_briefly)


@pytest.fixture
def few_recordings(monkeypatch):
    """Load a part of every class, fold and machine, because the tests only ask whether every line of a page runs.

    `make docs` runs the pages on all recordings.
    """

    def thin(load, keep):
        def load_a_part(*arguments, **settings):
            data = load(*arguments, **settings)
            columns = [data.target, *(data.metadata[name] for name in keep["of every"])]
            cells = np.unique(np.column_stack([np.asarray(column).astype(str) for column in columns]), axis=0)
            assert len(cells) > 1
            chosen = np.zeros(len(data.target), dtype=bool)
            for cell in cells:
                members = np.all([np.asarray(c).astype(str) == v for c, v in zip(columns, cell)], axis=0)
                chosen[np.flatnonzero(members)[: keep[cell[0]]]] = True
            return data.subset(chosen)

        return load_a_part

    monkeypatch.setattr(datasets, "load_esc10", thin(datasets.load_esc10, _PART_OF_ESC10))
    monkeypatch.setattr(datasets, "load_mimii", thin(datasets.load_mimii, _PART_OF_MIMII))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_of_the_gallery_runs_without_data(example, run_example, monkeypatch):
    monkeypatch.delenv("SKAUDIO_AD_DATA", raising=False)
    run_example(example)


@pytest.mark.real_data
@pytest.mark.parametrize("example", ON_DATA, ids=lambda path: path.stem)
def test_an_example_of_the_gallery_runs_on_real_data(example, run_example, data_home):
    run_example(example)


@pytest.fixture
def run_example(few_epochs, few_recordings, monkeypatch, tmp_path, capsys):
    """Return a function that runs a page in this process, because a process of its own loads torch for seconds."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)

    def run(example):
        with warnings.catch_warnings(), joblib.parallel_config("threading"):
            warnings.resetwarnings()
            warnings.filterwarnings("error", category=UserWarning, module="skaudio_ad")
            runpy.run_path(str(example), run_name="__main__")
        plt.close("all")
        if "heart" in example.stem:
            on_data = "SKAUDIO_AD_DATA" in os.environ
            assert ("\nheart: 195 recordings" in capsys.readouterr().out) == on_data

    return run
