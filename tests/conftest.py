"""Fixtures shared by all tests."""

import os
from pathlib import Path

# Each worker uses one thread, because workers with several threads wait for each other on a few cores: a training
# test then takes ten times as long. The variable is set before any library starts its threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import soundfile


def pytest_collection_modifyitems(items):
    """Put the worked examples first. Each takes half a minute, and at the end only one worker would be busy."""
    items.sort(key=lambda item: "plot_" not in item.name)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def data_home():
    """Return the folder of recordings that the ``real_data`` tests read."""
    if not os.environ.get("SKAUDIO_AD_DATA"):
        pytest.skip("SKAUDIO_AD_DATA names no folder of recordings")
    home = Path(os.environ["SKAUDIO_AD_DATA"]).expanduser()
    if not home.is_dir():
        pytest.skip(f"SKAUDIO_AD_DATA names a folder that does not exist: {home}")
    return home


@pytest.fixture
def write_wavs(tmp_path, rng):
    """Return a function that writes wavs of noise, one for every number of samples, and returns their paths."""

    def write(n_samples, sample_rate=16000):
        paths = []
        for index, n in enumerate(n_samples):
            path = tmp_path / f"clip_{index}.wav"
            # FLOAT keeps every sample as it was written.
            soundfile.write(path, rng.uniform(-0.5, 0.5, n).astype(np.float32), sample_rate, subtype="FLOAT")
            paths.append(str(path))
        return paths

    return write
