"""Fixtures of the tests of the weights store, and small networks with their files of weights."""

import os
import socket
from pathlib import Path

import numpy as np
import pytest
import torch

import skaudio_ad.embeddings._download
from skaudio_ad.embeddings import BACKBONES, Backbone
from skaudio_ad.networks import AudioSetFrontEnd, MobileNet, PaSST

from .small_backbones import BACKBONE, ESTIMATOR
from .weights_server import serve


@pytest.fixture
def content():
    """Bytes that begin as a file of torch.save does."""
    return b"PK\x03\x04" + np.random.default_rng(0).bytes(300_000)


@pytest.fixture
def server(content, monkeypatch):
    """A server on this machine; retries wait for nothing."""
    monkeypatch.setattr(skaudio_ad.embeddings._download, "_WAIT", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve(content) as server:
        yield server


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of the cache, not made yet; no other place is known."""
    monkeypatch.delenv("SKAUDIO_AD_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "skaudio_ad" / "weights"


@pytest.fixture
def make_backbone(server):
    """Function that describes the file of the server, with changes."""

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
    """A port of this machine at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def network():
    """The networks that the files hold, as they were before anything was done for speed."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = {"mobilenet": MobileNet(0.1), "passt": PaSST(stride=10, depth=2)}
    return {family: module.eval() for family, module in made.items()}


@pytest.fixture(scope="session")
def folder(network, tmp_path_factory):
    """Folder with the weights of both."""
    folder = tmp_path_factory.mktemp("weights")
    for family, module in network.items():
        torch.save(module.state_dict(), folder / BACKBONE[family].filename)
    return folder


@pytest.fixture(scope="session")
def make(folder):
    """Function that makes an embedding of either family with the weights of the folder."""

    def make(family="mobilenet", output="clip", **parameters):
        return ESTIMATOR[family](BACKBONE[family], weights=folder, output=output, **parameters)

    return make


@pytest.fixture(scope="session")
def direct(network):
    """Function that asks front end and network themselves, one stretch at a time."""
    front_end = AudioSetFrontEnd()

    def direct(family, output, clip):
        with torch.no_grad():
            spectrogram = front_end(torch.from_numpy(np.ascontiguousarray(clip, dtype=np.float32))[None])
            return network[family](spectrogram, (output,))[output][0].numpy()

    return direct


@pytest.fixture
def real_weights():
    """The folder of real weights that some tests read."""
    folder = Path(os.environ.get("SKAUDIO_AD_WEIGHTS", "")).expanduser()
    if not os.environ.get("SKAUDIO_AD_WEIGHTS") or not (folder / BACKBONES["mn04"].filename).is_file():
        pytest.skip(f"SKAUDIO_AD_WEIGHTS names no folder with {BACKBONES['mn04'].filename}")
    return folder


@pytest.fixture
def class_table(tmp_path, monkeypatch):
    """A table of classes that are called by their number, where the store looks for it."""
    rows = [f'{i},/m/{i},"class {i}, so called"' for i in range(527)]
    (tmp_path / "class_labels_indices.csv").write_text("index,mid,display_name\n" + "\n".join(rows) + "\n")
    monkeypatch.setenv("SKAUDIO_AD_WEIGHTS", str(tmp_path))
