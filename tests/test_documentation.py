"""Every code block in README and docs runs, and every example in a docstring gives the printed result."""

import doctest
import importlib
import os
import pkgutil
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import skaudio_ad
from skaudio_ad.cli import main
from skaudio_ad.datasets import make_machine_sounds

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("plot_*.py"))
ON_DATA = [path for path in EXAMPLES if "SKAUDIO_AD_DATA" in path.read_text(encoding="utf-8")]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
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


def _blocks(page, *languages):
    return [
        code for language, code in _BLOCK.findall(page.read_text(encoding="utf-8")) if language in languages
    ]


def test_every_block_has_a_language_that_the_tests_know():
    for page in PAGES:
        languages = {language for language, _ in _BLOCK.findall(page.read_text(encoding="utf-8"))}
        assert languages <= {"python", "shell", "text"}, page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_blocks_of_a_page_run_in_order(page, recordings, monkeypatch, tmp_path):
    blocks = _blocks(page, "python")
    monkeypatch.chdir(tmp_path)
    for name in ("normal", "new"):
        os.symlink(recordings / name, tmp_path / name)
    namespace = {"__name__": "__page__"}
    monkeypatch.setenv("MPLBACKEND", "agg")
    for number, code in enumerate(blocks):
        exec(compile(code, f"{page.name}, block {number}", "exec"), namespace)
    if page.name in ("README.md", "user_guide.md"):
        assert blocks


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
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


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_of_the_gallery_runs_without_data(example, tmp_path):
    _run_example(example, tmp_path, data=None)


@pytest.mark.real_data
@pytest.mark.parametrize("example", ON_DATA, ids=lambda path: path.stem)
def test_an_example_of_the_gallery_runs_on_real_data(example, tmp_path, data_home):
    _run_example(example, tmp_path, data=str(data_home))


def _run_example(example, folder, data):
    environment = {k: v for k, v in os.environ.items() if k != "SKAUDIO_AD_DATA"} | {"MPLBACKEND": "agg"}
    if data is not None:
        environment["SKAUDIO_AD_DATA"] = data
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning:skaudio_ad", str(example)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    if "heart" in example.stem:
        assert ("\nheart: 195 recordings" in done.stdout) == (data is not None)
