"""Report the versions, the machine and the commit that a result depends on."""

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch

import skaudio_ad
from skaudio_ad import _versions
from skaudio_ad._versions import environment, show_versions

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git program")


def git(folder, *arguments):
    command = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Make a checkout with one commit and enter the checkout."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "train.py").write_text("fit()")
    git(folder, "add", "train.py")
    git(folder, "commit", "--quiet", "--no-gpg-sign", "-m", "Train")
    monkeypatch.chdir(folder)
    return folder


def test_the_environment_holds_strings_and_matches_python_and_torch():
    facts = environment()
    assert all(isinstance(name, str) and isinstance(value, str) and value for name, value in facts.items())
    assert facts["python"] == sys.version.split()[0]
    assert platform.system() in facts["system"]
    assert facts["cores"] == str(os.cpu_count())
    assert facts["threads"] == str(torch.get_num_threads())
    assert facts["cuda"] == str(torch.version.cuda or "none")
    assert (facts["gpus"] == "none") == (not torch.cuda.is_available())


def test_the_environment_holds_the_version_of_every_dependency():
    with open(Path(skaudio_ad.__file__).parents[1] / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    needed, extras = project["dependencies"], project["optional-dependencies"]
    names = {re.match(r"[\w-]+", requirement).group() for requirement in needed}
    assert set(_versions.PACKAGES) == names | {"skaudio_ad"}
    facts = environment()
    assert {name: facts[name] for name in names} == {name: importlib.metadata.version(name) for name in names}
    assert facts["skaudio_ad"] == skaudio_ad.__version__
    optional = {
        re.match(r"[\w-]+", requirement).group() for extra in extras.values() for requirement in extra
    }
    assert set(_versions.OPTIONAL) <= optional
    assert set(_versions.OPTIONAL) <= set(facts)


def test_a_missing_package_is_not_installed(monkeypatch):
    monkeypatch.setattr(_versions, "PACKAGES", ("skaudio_ad", "no-such-package"))
    assert environment()["no-such-package"] == "not installed"


def test_the_environment_names_every_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"GPU {index}")
    assert environment()["gpus"] == "GPU 0, GPU 1"


@needs_git
def test_the_commit_of_the_working_directory_ends_in_dirty_if_files_have_changed(repository):
    commit = git(repository, "rev-parse", "HEAD")
    git(repository, "tag", "v1")
    (repository / "new.txt").write_text("results, which git does not know")
    assert environment()["git_commit"] == commit
    (repository / "train.py").write_text("fit(better=True)")
    assert environment()["git_commit"] == f"{commit}-dirty"


@needs_git
def test_reading_the_commit_does_not_change_the_checkout(repository):
    os.utime(repository / "train.py", (0, 0))  # without the option, git would update its index here
    index = (repository / ".git" / "index").read_bytes()
    environment()
    assert (repository / ".git" / "index").read_bytes() == index


@needs_git
def test_the_commit_of_the_package_comes_only_from_a_repository_that_tracks_the_package(
    repository, monkeypatch
):
    package = repository / "environment" / "skaudio_ad"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.setattr(_versions, "__file__", str(package / "_versions.py"))
    assert environment()["skaudio_ad_git_commit"] == "none"
    git(repository, "add", "environment")
    git(repository, "commit", "--quiet", "--no-gpg-sign", "-m", "Hold it")
    assert environment()["skaudio_ad_git_commit"] == git(repository, "rev-parse", "HEAD")


@needs_git
def test_outside_a_repository_there_is_no_commit_and_before_the_first_it_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    assert environment()["git_commit"] == "none"
    git(tmp_path, "init", "--quiet")
    assert re.fullmatch(r"unknown \(fatal: .*\)", environment()["git_commit"])


def test_without_git_the_commit_is_unknown(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert re.fullmatch(r"unknown \(.*'git'.*\)", environment()["git_commit"])


def test_show_versions_prints_the_whole_environment(capsys):
    show_versions()
    shown = capsys.readouterr().out
    for name, value in environment().items():
        assert value in shown, name
    lines = [line.split() for line in shown.splitlines()]
    assert ["torch", importlib.metadata.version("torch")] in lines


def test_importing_show_versions_does_not_import_torch():
    code = "import sys, skaudio_ad; skaudio_ad.show_versions; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert skaudio_ad.show_versions is show_versions
