"""Fixtures shared by all tests."""

import os
import socket
from pathlib import Path

# Each worker uses one thread, because workers with several threads wait for each other on a few cores: a training
# test then takes ten times as long. The variable is set before any library starts its threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import soundfile

from .weights_server import serve


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "processes: starts worker processes of joblib, which import torch for seconds"
    )


def pytest_collection_modifyitems(items):
    """Give each of two workers half of the gallery first, because each worker begins with one half of the tests.

    Tests that share worker processes of joblib run one after the other. joblib ends idle processes after five minutes,
    and new processes would import torch again.
    """
    gallery = [item for item in items if "plot_" in item.name]
    shared = [item for item in items if item.get_closest_marker("processes")]
    others = [item for item in items if item not in {*gallery, *shared}]
    half = len(others) // 2
    items[:] = gallery[::2] + shared + others[:half] + gallery[1::2] + others[half:]


@pytest.fixture(autouse=True)
def fixed_global_generator():
    """Seed NumPy's global generator, so that tests with `random_state=None` always see the same draws."""
    np.random.seed(0)  # noqa: NPY002, because scikit-learn's None means this generator


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


@pytest.fixture
def content():
    """Bytes that begin as a file of torch.save does."""
    return b"PK\x03\x04" + np.random.default_rng(0).bytes(300_000)


@pytest.fixture
def server(content, monkeypatch):
    """A server on this machine. Downloads from it do not wait before they try again."""
    monkeypatch.setattr("skaudio_ad._download._WAIT", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve(content) as server:
        yield server


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of the cache, which does not exist yet. No other place is known."""
    monkeypatch.delenv("SKAUDIO_AD_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "skaudio_ad" / "weights"


@pytest.fixture
def make_backbone(server):
    """Function that describes the file of the server, with changes."""
    from skaudio_ad.embeddings import Backbone

    def make(**changes):
        description = {
            "name": "mine",
            "filename": "mine.pt",
            "url": server.url,
            "family": "mobilenet",
            "settings": {"width": 0.1},
            "embedding_size": 96,
        }
        return Backbone(**(description | changes))

    return make


@pytest.fixture
def unused_port():
    """A port of this machine at which no program listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
