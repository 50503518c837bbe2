"""FISHEREmbedding: files of the authors, sample rates, and the authors' code where it is on the machine."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.authors import authors_folder
from benchmarks.authors import fisher as authors
from benchmarks.authors.seeded import seeded_waveforms
from skaudio_ad import AudioClips, FineTunedEmbedding, FISHEREmbedding
from skaudio_ad.embeddings import BACKBONES, Family, WeightsError, get_family
from skaudio_ad.embeddings._identify import read_as

from ..networks.authors_numbers import assert_equals_the_authors
from .family_cases import SMALL

FISHER: Family = get_family("fisher")


def at_rate(sample_rate, **settings):
    """The small backbone at another sample rate, with other settings."""
    small = SMALL["fisher"]
    return replace(small, sample_rate=sample_rate, settings={**small.settings, **settings})


def authors_file(**config):
    """An empty file as the authors write it, with values of its configuration that are not the usual ones."""
    shapes = {
        "modality_encoders.IMAGE.extra_tokens": (1, 1, 64),
        "modality_encoders.IMAGE.local_encoder.proj.weight": (64, 1, 16, 16),
        "modality_encoders.IMAGE.fixed_positional_encoder.positions": (1, 6400, 64),
        "blocks.0.norm1.weight": (64,),
        "blocks.1.norm1.weight": (64,),
    }
    state = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    image = config.pop("image", {})
    return {"cfg": {"model": {**config, "modalities": {"image": image}}}, "model": state}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"band_width": 100}, r"band_width 100\), and 'small_fisher' needs band_width 50"),
        ({"image": {"flatten": "time"}}, r"flatten time\), and 'small_fisher' needs flatten freq"),
        ({"layer_norm_first": True}, "layer_norm_first True in its configuration"),
        ({"num_heads": 2}, "num_heads 2 in its configuration. Only networks with num_heads 1 are known"),
        ({"image": {"patch_size": 8}}, "modalities.image.patch_size 8 in its configuration"),
    ],
)
def test_a_file_whose_configuration_is_another_one_is_refused(config, said):
    with pytest.raises(ValueError, match=said):
        read_as(authors_file(**config), SMALL["fisher"])


def test_a_file_with_the_usual_configuration_loses_its_prefix():
    usual = {"band_width": 50, "num_heads": 1, "layer_norm_first": False, "image": {"flatten": "freq"}}
    for content in (authors_file(**usual), authors_file(), authors_file()["model"]):
        state = read_as(content, SMALL["fisher"])
        assert sorted(state) == [
            "blocks.0.norm1.weight",
            "blocks.1.norm1.weight",
            "extra_tokens",
            "fixed_positional_encoder.positions",
            "local_encoder.proj.weight",
        ]
    one = read_as(authors_file(), at_rate(16_000, layers=(1,)))
    assert "blocks.1.norm1.weight" not in one


def test_a_backbone_of_ones_own_takes_a_network_with_wider_bands():
    wide = at_rate(16_000, band_width=100)
    read_as(authors_file(band_width=100), wide)
    network = FISHER.build_network(wide)
    assert (network.n_bands, network.grid_size[0]) == (2, 12)


# The numbers of bands are those of the comparison of encoders SIREN: (n_fft // 2 + 1) // 50, and at least one.
@pytest.mark.parametrize(
    ("sample_rate", "n_bands", "n_rows"),
    [
        (400, 1, 1),
        (2000, 1, 2),
        (8000, 2, 6),
        (16_000, 4, 12),
        (22_050, 5, 15),
        (44_100, 11, 33),
        (48_000, 12, 36),
    ],
)
def test_a_higher_sample_rate_has_more_bands(sample_rate, n_bands, n_rows):
    backbone = at_rate(sample_rate)
    embedding = FISHEREmbedding(backbone, weights=None, output="grid", layers=1)
    edges = embedding.band_edges()
    assert len(edges) == n_rows
    assert edges[0].tolist() == pytest.approx(
        [0, min(15.5 * sample_rate / (25 * sample_rate // 1000), sample_rate / 2)]
    )
    assert FISHER.n_features(backbone, "clip") == 64 * n_bands
    clip = np.random.default_rng(0).normal(scale=0.1, size=sample_rate).astype(np.float32)
    assert embedding.transform([clip])[0].shape == (64, n_rows, 6)


def test_a_row_of_the_grid_has_the_frequencies_of_its_patches():
    edges = FISHEREmbedding(at_rate(16_000), output="grid").band_edges()
    # 40 Hz a bin. Rows begin with the bins 0, 16, 32, 50, ...
    assert edges[:4].tolist() == [[0, 620], [620, 1260], [1260, 1900], [1980, 2620]]
    assert edges[-1].tolist() == [7260, 7900]


def test_a_long_clip_equals_the_mean_of_the_pieces_that_the_authors_code_embeds(tmp_path):
    small = at_rate(2000, size=authors.SMALL_SIZE, depth=authors.SMALL_DEPTH)
    table = FISHER.build_network(small).fixed_positional_encoder.positions
    torch.save(
        authors.checkpoint(authors.SMALL_SIZE, authors.SMALL_DEPTH, table=table), tmp_path / "model.pt"
    )
    embedding = FISHEREmbedding(small, weights=tmp_path / "model.pt")
    made = embedding.fit_transform([authors.long_waveform().numpy()])[0]
    assert_equals_the_authors("fisher", "long_2k", made)


def test_windows_have_whole_patches_and_lie_on_frames():
    # At 8 kHz a frame has 200 samples and begins 80 samples after the one before.
    assert FISHER.window_lengths(at_rate(8000), 10.24) == (1023 * 80 + 200, 1024 * 80)
    assert FISHER.window_lengths(at_rate(8000), 1.0) == (111 * 80 + 200, 112 * 80)
    prepared = FISHER.prepare_clip(np.arange(1000, dtype=np.float32), at_rate(8000))
    assert len(prepared) == 10 * 80 + 200
    assert prepared[0] == -499.5


def test_a_rate_without_a_whole_window_is_refused():
    with pytest.raises(ValueError, match=r"sample_rate of FISHER must lie in \[100, inf\], got 50"):
        FISHEREmbedding(at_rate(50), weights=None).fit([np.zeros(100, np.float32)])


def test_a_token_size_that_no_heads_fit_is_refused():
    with pytest.raises(ValueError, match="size must be a multiple of 64, the size of a head, got 100"):
        at_rate(16_000, size=100)


@pytest.mark.filterwarnings("ignore:.*random weights")
def test_it_can_be_fine_tuned_at_any_rate():
    clips = AudioClips([seeded_waveforms(4000, 8000, 1, seed)[0].numpy() for seed in range(4)], 8000)
    backbone = replace(SMALL["fisher"], sample_rate=None)
    embedding = FISHEREmbedding(backbone, weights=None, window=1.0, sample_rate=8000)
    tuned = FineTunedEmbedding(
        embedding, objective="self", trainable=1, max_epochs=1, windows_per_clip=1, random_state=0
    )
    made = tuned.fit(clips).transform(clips)
    assert made.shape == (4, 2 * 64)
    assert np.abs(made - embedding.fit(clips).transform(clips)).max() > 0


@pytest.mark.skipif(authors_folder("fisher") is None, reason="the authors' code is not on this machine")
@pytest.mark.parametrize(
    ("name", "sample_rate"), [("fisher_tiny", 16_000), ("fisher_mini", 48_000), ("fisher_small", 16_000)]
)
def test_a_full_network_equals_the_authors_with_a_file_in_their_format(name, sample_rate, tmp_path):
    content = authors.checkpoint(BACKBONES[name].settings["size"], 12)
    waveforms = seeded_waveforms(round(2.3 * sample_rate), sample_rate)
    expected, states = authors.run(authors.network(content), waveforms, sample_rate)
    torch.save(content, tmp_path / "model.pt")
    clips = AudioClips(list(waveforms.numpy()), sample_rate)
    embedding = FISHEREmbedding(name, weights=tmp_path / "model.pt", output=["clip", "token_mean"])
    clip, token_mean = np.split(embedding.fit(clips).transform(clips), 2, axis=1)
    for made, value in ((clip, expected), (token_mean, states[-1][:, :, 1:].mean(axis=2).reshape(2, -1))):
        error = np.abs(made - value).max() / np.abs(value).max()
        print(f"{name} {sample_rate}: {error:.1e}")
        assert error <= 1e-5


def test_a_file_of_objects_names_the_object_and_runs_nothing(tmp_path):
    content = authors_file()
    content["model"] = {name: torch.zeros(value.shape) for name, value in content["model"].items()}
    content["cfg"] = {"model": Configuration()}
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(
        WeightsError, match=r"model\.pt: .*Python object .*Configuration.*write its tensors alone"
    ):
        FISHEREmbedding(at_rate(16_000), weights=tmp_path / "model.pt").fit([np.zeros(4000, np.float32)])


class Configuration:
    """A stand-in for the class of a configuration that a training program pickles."""
