"""Fixtures of all tests of benchmarks."""

import pytest

from benchmarks._report import one_thread


@pytest.fixture(autouse=True)
def _one_thread():
    """Use one thread, because tiny networks are not faster with several threads, which wait in parallel tests."""
    with one_thread():
        yield
