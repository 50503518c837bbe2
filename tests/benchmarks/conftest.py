"""What all tests of benchmarks share."""

import pytest

from benchmarks._report import one_thread


@pytest.fixture(autouse=True)
def _one_thread():
    """Tiny networks gain nothing from threads, which wait busily for each other where tests run in parallel."""
    with one_thread():
        yield
