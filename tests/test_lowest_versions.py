"""The constraints of ``make test-oldest`` name every dependency of the package."""

import tomllib
from pathlib import Path

from .lowest_versions import lowest_versions

PROJECT = Path(__file__).parent.parent / "pyproject.toml"


def test_a_lower_bound_becomes_an_exact_version():
    assert lowest_versions(["numpy>=2", "torch>=2.11,<2.15", "joblib"]) == ["numpy==2", "torch==2.11"]


def test_every_dependency_has_a_lower_bound():
    dependencies = tomllib.loads(PROJECT.read_text())["project"]["dependencies"]
    assert len(lowest_versions(dependencies)) == len(dependencies)
