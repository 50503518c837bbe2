"""Small networks with their files of weights."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from skaudio_ad.embeddings import BACKBONES
from skaudio_ad.networks import AudioSetFrontEnd, MobileNet, PaSST

from .small_backbones import BACKBONE, ESTIMATOR


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
