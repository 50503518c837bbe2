"""Dasheng against the authors' code."""

import numpy as np
import pytest
import torch

from benchmarks.authors import authors_folder
from benchmarks.authors import dasheng as authors
from benchmarks.authors.seeded import seeded_waveforms
from skaudio_ad import DashengEmbedding
from skaudio_ad.embeddings import BACKBONES
from skaudio_ad.embeddings.families._ced import plain_state_dict
from skaudio_ad.networks import CEDFrontEnd, Dasheng, for_inference

from .authors_numbers import assert_equals_the_authors


@pytest.fixture(scope="module")
def small():
    """The network whose outputs are recorded."""
    network = Dasheng(**authors.SMALL).eval()
    network.load_state_dict(plain_state_dict(authors.seeded_weights(authors.SMALL)), strict=True)
    return network


@pytest.mark.parametrize("fast", [False, True])
def test_it_computes_what_the_authors_network_computes(small, fast):
    network = for_inference(small) if fast else small
    with torch.no_grad():
        made = network(CEDFrontEnd()(seeded_waveforms(authors.N_SAMPLES, 16_000)), small.outputs)
    assert set(made) == {"clip", "frames"}
    for output, values in made.items():
        assert_equals_the_authors("dasheng", output, values)
        assert values.std() > 0.5


@pytest.mark.parametrize("variant", ["dasheng_base", "dasheng_base_audioset"])
def test_a_file_of_the_authors_gives_the_authors_outputs(variant, tmp_path):
    if authors_folder("dasheng") is None:
        pytest.skip("SKAUDIO_AD_AUTHORS names no folder with a checkout of Dasheng")
    pytest.importorskip("einops")
    pytest.importorskip("torchaudio")
    backbone = BACKBONES[variant]
    theirs = authors.network(authors.seeded_weights(backbone.settings), **backbone.settings)
    state = theirs.state_dict()
    # The self-supervised files hold the settings too, and the fine-tuned file is a state dict.
    torch.save(
        state if backbone.settings["n_classes"] else {"model": state, "config": {}}, tmp_path / "weights.pt"
    )
    waveforms = seeded_waveforms(20_000, 16_000)
    expected = authors.run(theirs, waveforms)
    for output in expected:
        made = DashengEmbedding(variant, weights=tmp_path / "weights.pt", output=output).transform(
            waveforms.numpy()
        )
        assert made.shape == expected[output].shape
        assert np.abs(made - expected[output]).max() < 1e-5 * np.abs(expected[output]).max()


@pytest.mark.parametrize(
    ("variant", "n_tensors", "millions"),
    [
        ("dasheng_base", 155, 85.4),
        ("dasheng_06b", 395, 630),
        ("dasheng_12b", 491, 1134),
        ("dasheng_base_audioset", 159, 85.8),
    ],
)
def test_names_and_sizes_are_those_of_the_checkpoints(variant, n_tensors, millions):
    # The files on Zenodo have two tensors more, which are constants of the front end.
    with torch.device("meta"):
        network = Dasheng(**BACKBONES[variant].settings)
    assert len(network.state_dict()) == n_tensors
    assert network.time_pos_embed.shape[3] == 252
    assert sum(each.numel() for each in network.parameters()) / 1e6 == pytest.approx(millions, rel=0.005)
    assert ("logits" in network.outputs) == (variant == "dasheng_base_audioset")


def test_a_frame_is_a_patch_of_four_frames_of_the_spectrogram(small):
    with torch.no_grad():
        assert small(torch.zeros(1, 64, 1011), "frames")["frames"].shape == (1, 12, 252)
        assert small(torch.zeros(1, 64, 7), "frames")["frames"].shape == (1, 12, 1)
    with pytest.raises(ValueError, match="at least 4 frames, got 3"):
        small(torch.zeros(1, 64, 3))
    with pytest.raises(ValueError, match="at most 1011 frames"):
        small(torch.zeros(1, 64, 1012))
