"""FISHER against numbers of its authors' code, and against that code where it is on the machine."""

import dataclasses

import pytest
import torch

from benchmarks.authors import fisher as authors
from benchmarks.authors.seeded import seeded_state_dict, seeded_waveforms
from skaudio_ad.embeddings import BACKBONES
from skaudio_ad.embeddings.families import FISHER as FAMILY
from skaudio_ad.networks import for_inference

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
    waveforms = seeded_waveforms(round(1.1 * sample_rate), sample_rate)
    return network.requires_grad_(False), FAMILY.build_front_end(variant)(waveforms)


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
