"""FISHER against numbers of its authors' code, and against that code where it is on the machine."""

import dataclasses

import numpy as np
import pytest
import torch

from benchmarks.authors import fisher as authors
from benchmarks.authors.seeded import seeded_state_dict, seeded_waveforms
from skaudio_ad.embeddings import BACKBONES, get_backbone
from skaudio_ad.embeddings.families import FISHER as FAMILY
from skaudio_ad.networks import FISHER, for_inference

from .authors_numbers import assert_equals_the_authors

SIZE, DEPTH = authors.SMALL_SIZE, authors.SMALL_DEPTH


def small(case="16k", layers=None):
    """The small network of the recorded numbers, without the file of the authors, and its spectrograms."""
    sample_rate, flatten = authors.CASES[case]
    variant = dataclasses.replace(
        BACKBONES["fisher_tiny"],
        settings={"size": SIZE, "depth": DEPTH, "band_width": 50, "flatten": flatten, "layers": layers},
        sample_rate=sample_rate,
    )
    network = FAMILY.build_network(variant).eval()
    # The seed of a tensor comes from its name in the authors' files.
    names = {name: authors.name_in_file(name) for name in network.state_dict()}
    shapes = {names[name]: value for name, value in network.state_dict().items()}
    seeded = seeded_state_dict(shapes)
    state = {name: seeded[names[name]] for name in names}
    state["fixed_positional_encoder.positions"] = network.fixed_positional_encoder.positions
    network.load_state_dict(state, strict=True)
    waveforms = seeded_waveforms(round(1.1 * sample_rate), sample_rate).numpy()
    prepared = np.stack([FAMILY.prepare_clip(waveform, variant) for waveform in waveforms])
    return network.requires_grad_(False), FAMILY.build_front_end(variant)(torch.from_numpy(prepared))


def tokens_of(grid, network):
    """Patches as the authors order them, (n_clips, n_bands, n_patches, size), from our grid."""
    bands = grid.unflatten(2, (network.n_bands, -1))  # (n_clips, size, n_bands, rows, columns)
    order = (0, 2, 3, 4, 1) if network.flatten == "time" else (0, 2, 4, 3, 1)
    return bands.permute(order).flatten(2, 3)


@pytest.mark.parametrize("fast", [False, True], ids=["plain", "for_inference"])
@pytest.mark.parametrize("case", authors.CASES)
def test_it_equals_the_recorded_numbers_of_the_authors(case, fast):
    network, spectrograms = small(case)
    if fast:
        network = for_inference(network)
    made = network(spectrograms, network.outputs)
    brief = network(spectrograms, "clip")["clip"]
    for clip in (made["clip"], brief):
        assert_equals_the_authors("fisher", f"clip_{case}", clip)
    if case == "2k":  # the grid has no rows of zeros alone, and the authors' tokens have
        assert made["grid"].shape[2] == 2
        return
    tokens = torch.cat(
        [made["clip"].unflatten(1, (network.n_bands, 1, -1)), tokens_of(made["grid"], network)], dim=2
    )
    assert_equals_the_authors("fisher", f"tokens_{case}", tokens)


def test_the_table_of_positions_equals_the_authors():
    assert_equals_the_authors("fisher", "positions", small()[0].fixed_positional_encoder.positions)


def test_layers_are_states_of_the_authors_blocks_one_after_the_other():
    network, spectrograms = small(layers=(3, 1))
    made = network(spectrograms, network.outputs)
    last, first = made["clip"].chunk(2, dim=1)
    assert_equals_the_authors("fisher", "clip_16k", last)
    tokens = tokens_of(made["grid"][:, SIZE:], network)
    tokens = torch.cat([first.unflatten(1, (4, 1, -1)), tokens], dim=2)
    assert_equals_the_authors("fisher", "tokens_16k_block1", tokens)
    assert torch.equal(network(spectrograms, "clip")["clip"][:, 4 * SIZE :], first)
    assert made["frames"].shape == (2, 2 * 4 * SIZE, 6)


def test_means_over_rows_and_times_are_those_of_the_patches_of_a_band():
    network, spectrograms = small("22k")
    made = network(spectrograms, ("grid", "frames", "token_mean"))
    bands = made["grid"].double().numpy().reshape(2, SIZE, network.n_bands, 3, 6)
    frames = bands.mean(axis=3).transpose(0, 2, 1, 3).reshape(2, -1, 6)
    np.testing.assert_allclose(made["frames"], frames, atol=1e-6)
    np.testing.assert_allclose(made["token_mean"], frames.mean(axis=2), atol=1e-6)


def test_frames_and_frequencies_after_the_last_whole_patches_are_not_seen():
    network, spectrograms = small()  # 108 frames and 201 frequencies
    clip = network(spectrograms, "clip")["clip"]
    changed = spectrograms.clone()
    for band in range(4):
        changed[:, 50 * band + 48 : 50 * band + 50] = 0
    changed[:, 200:] = 0
    changed[:, :, 96:] = 0
    assert torch.equal(network(changed, "clip")["clip"], clip)
    changed[:, 197:] = 0
    assert not torch.equal(network(changed, "clip")["clip"], clip)


def test_the_network_takes_as_many_frames_as_the_table_has_positions():
    # Bands of 800 frequencies have 50 rows of patches, so 128 columns take all 6400 positions.
    network = FISHER(64_000, size=64, depth=1, band_width=800).requires_grad_(False)
    assert (network.max_frames, network.grid_size) == (128 * 16 + 15, (50, 128))
    longest = network._tokens(torch.zeros(1, 801, network.max_frames))
    assert longest.shape == (1, 1 + 6400, 64)
    with pytest.raises(ValueError, match=r"at most 2063 frames .*, got 2064\. Cut the waveform into windows"):
        network(torch.zeros(1, 801, 2064))


@pytest.mark.parametrize("shape", [(1, 200, 40), (201, 40), (1, 1, 201, 40)])
def test_spectrograms_of_another_shape_are_refused(shape):
    with pytest.raises(
        ValueError,
        match=r"\(n_clips, 201, n_frames\), as LogSpectrogram at the sample rate of this network makes them",
    ):
        small()[0](torch.zeros(shape))


def test_a_spectrogram_shorter_than_a_patch_and_an_unknown_output_are_refused():
    network = small()[0]
    with pytest.raises(ValueError, match="at least 16 frames, got 15"):
        network(torch.zeros(1, 201, 15))
    with pytest.raises(ValueError, match=r"outputs must be of 'clip', .*, got 'logits'"):
        network(torch.zeros(1, 201, 16), "logits")


def test_training_reaches_every_weight_and_no_position():
    network = small()[0].requires_grad_(True).train()
    network(small()[1], "clip")["clip"].square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert "fixed_positional_encoder.positions" not in dict(network.named_parameters())


# The authors state 5.5, 10 and 22 million. The sizes here are exact, without the table of positions.
@pytest.mark.parametrize(
    ("name", "millions"), [("fisher_tiny", 5.39), ("fisher_mini", 9.54), ("fisher_small", 21.4)]
)
def test_the_published_sizes_have_the_published_numbers_of_weights(name, millions):
    with torch.device("meta"):
        network = FAMILY.build_network(get_backbone(name))
    assert sum(values.numel() for values in network.parameters()) / 1e6 == pytest.approx(millions, rel=2e-3)
    assert len(network.state_dict()) == 150
    bytes_of_file = 4 * sum(values.numel() for values in network.state_dict().values())
    assert bytes_of_file / 1e6 == pytest.approx(get_backbone(name).megabytes, abs=0.1)
