"""EAT against numbers that the authors' code computed, and against that code where it is present."""

import numpy as np
import pytest
import torch

from benchmarks.authors import authors_folder, eat, seeded
from skaudio_ad.embeddings import BackboneEmbedding, get_backbone
from skaudio_ad.networks import EAT, EATFrontEnd, for_inference

from .authors_numbers import assert_equals_the_authors

RATE = eat.SAMPLE_RATE


@pytest.fixture(scope="module")
def small():
    return loaded()


def loaded(layers=None):
    network = EAT(**eat.SMALL, layers=layers).eval().requires_grad_(False)
    names = network.state_dict()
    state = {name: value for name, value in eat.small_state().items() if name in names}
    assert network.load_state_dict(state, strict=False).missing_keys == ["fixed_positional_encoder.positions"]
    return network


def spectrograms(seconds):
    return EATFrontEnd()(seeded.seeded_waveforms(seconds * RATE, RATE))


def noise(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def assert_relatively_close(made, expected, tolerance=1e-5):
    assert made.shape == expected.shape
    assert (made - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize("seconds", eat.TARGET_LENGTHS)
def test_it_equals_the_authors(small, seconds):
    made = small(spectrograms(seconds), small.outputs)
    for output in ("clip", "tokens", "logits"):
        assert_equals_the_authors("eat", f"{output}, {seconds} s", made[output].numpy())
    assert_equals_the_authors("eat", f"spectrogram, {seconds} s", spectrograms(seconds).numpy())
    assert made["clip"].std() > 0.5


def test_the_table_of_positions_equals_the_authors():
    assert_equals_the_authors(
        "eat", "positions", EAT(size=96, depth=1, heads=4).fixed_positional_encoder.positions.numpy(), 1e-6
    )


def test_a_block_in_the_middle_equals_the_authors_without_the_blocks_behind_it():
    network = loaded(layers=(2,))
    made = network(spectrograms(5), ("clip",))["clip"]
    assert_equals_the_authors("eat", "clip of block 2, 5 s", made.numpy())
    assert len(network.blocks) == 2


def test_the_network_for_inference_equals_the_network(small):
    inputs = spectrograms(1)
    exact = small(inputs, small.outputs)
    for outputs in (("clip",), small.outputs):
        fast = for_inference(small)(inputs, outputs)
        for name in outputs:
            assert_relatively_close(fast[name], exact[name])


def test_states_of_several_blocks_stand_one_after_the_other(small):
    inputs = spectrograms(1)
    each = {layer: loaded((layer,))(inputs, loaded((layer,)).outputs) for layer in (1, 3)}
    both = loaded((3, 1))
    assert both.embedding_size == 2 * 96
    for outputs in (("clip",), both.outputs):
        made = both(inputs, outputs)
        for name in outputs:
            assert_relatively_close(made[name], torch.cat([each[3][name], each[1][name]], dim=1))
    assert_relatively_close(each[3]["clip"], small(inputs)["clip"])


def test_outputs_are_parts_of_the_tokens(small):
    made = small(noise(2, 128, 85), small.outputs)
    # 85 frames are 5 whole columns of patches; the sixth column has padded frames.
    assert made["tokens"].shape == (2, 96, 1 + 5 * 8)
    grid = made["tokens"][:, :, 1:].unflatten(2, (5, 8)).transpose(2, 3)
    assert torch.equal(made["grid"], grid)
    assert torch.equal(made["clip"], made["tokens"][:, :, 0])
    assert_relatively_close(made["frames"], grid.mean(2))
    assert_relatively_close(made["token_mean"], grid.mean((2, 3)))


@pytest.mark.parametrize(("n_frames", "n_padded"), [(16, 32), (32, 32), (98, 128), (498, 512), (998, 1024)])
def test_spectrograms_are_padded_to_a_multiple_of_32_frames_with_a_logarithm_of_0(small, n_frames, n_padded):
    inputs = noise(1, 128, n_frames)
    padding = torch.full((1, 128, n_padded - n_frames), 4.268 / (2 * 4.569))
    assert_relatively_close(small(inputs)["clip"], small(torch.cat([inputs, padding], dim=2))["clip"])


def test_the_mean_of_a_waveform_makes_no_difference():
    waveforms = seeded.seeded_waveforms(RATE, RATE)
    assert_relatively_close(EATFrontEnd()(waveforms + 0.5), EATFrontEnd()(waveforms), 1e-4)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 128, 15), "at least 16 frames, got 15"),
        ((1, 128, 12_289), "at most 12288 frames"),
        ((1, 64, 100), r"\(n_clips, 128, n_frames\), as EATFrontEnd makes them, got \(1, 64, 100\)"),
    ],
)
def test_spectrograms_of_another_shape_are_refused(small, shape, message):
    with pytest.raises(ValueError, match=message):
        small(torch.zeros(shape))


def test_a_network_without_classes_has_no_logits():
    network = EAT(size=96, depth=1, heads=4)
    with pytest.raises(ValueError, match=r"outputs must be of 'clip', .*, got 'logits'"):
        network(noise(1, 128, 16), "logits")
    assert network.class_layers == network.last_layers == ()


@pytest.mark.parametrize("name", ["eat_base", "eat_base_as2m", "eat_large", "eat_large_as2m"])
def test_names_and_sizes_are_those_of_the_checkpoints(name):
    settings = get_backbone(name).settings
    with torch.device("meta"):
        network = EAT(**settings)
    state = network.state_dict()
    assert len(state) == {12: 150, 24: 294}[settings["depth"]] + (4 if settings["n_classes"] else 0)
    block = {name.removeprefix("blocks.0.") for name in state if name.startswith("blocks.0.")}
    layers = ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
    assert block == {f"{layer}.{values}" for layer in layers for values in ("weight", "bias")}
    assert state["fixed_positional_encoder.positions"].shape == (1, 6144, settings["size"])
    if not settings["n_classes"]:
        millions = sum(parameter.numel() for parameter in network.parameters()) / 1e6
        assert round(millions, 1) == {12: 85.3, 24: 302.6}[settings["depth"]]


# With the authors' code


@pytest.mark.skipif(
    authors_folder("eat") is None, reason="SKAUDIO_AD_AUTHORS names no folder with the code of EAT"
)
@pytest.mark.parametrize(
    ("name", "file_kind", "seconds"),
    [("eat_base", "hub", 10), ("eat_large", "hub", 1), ("sslam_as2m", "framework", 5)],
)
def test_files_as_the_authors_write_them_give_the_authors_embeddings(tmp_path, name, file_kind, seconds):
    backbone = get_backbone(name)
    with torch.device("meta"):
        shapes = EAT(**backbone.settings).state_dict()
    del shapes["fixed_positional_encoder.positions"]
    state = seeded.seeded_state_dict(shapes)
    theirs = eat.network(state, backbone.settings["heads"])
    positions = theirs.modality_encoders["IMAGE"].fixed_positional_encoder.positions.data
    path = write_as_the_authors(
        {**state, "fixed_positional_encoder.positions": positions}, tmp_path, file_kind
    )
    waveforms = seeded.seeded_waveforms(seconds * RATE, RATE)
    states = eat.tokens_of_blocks(theirs, eat.spectrograms(waveforms, eat.TARGET_LENGTHS[seconds]))

    def embed(output, **parameters):
        embedding = BackboneEmbedding(backbone, weights=path, output=output, **parameters)
        return torch.from_numpy(embedding.fit_transform(waveforms.numpy()))

    tokens = embed("tokens")
    assert_relatively_close(tokens, states[-1].transpose(1, 2)[:, :, : tokens.shape[2]])
    assert tokens.shape[2] == 1 + 8 * {1: 6, 5: 31, 10: 62}[seconds]
    middle = embed("clip", layers=[4, 2])
    assert_relatively_close(middle, torch.cat([states[3][:, 0], states[1][:, 0]], dim=1))
    if backbone.settings["n_classes"]:
        assert_relatively_close(embed("logits"), eat.logits(state, states[-1][:, 0]))


def write_as_the_authors(state, folder, file_kind):
    """A file of the hub, or a file of the training framework without the objects that only the framework reads."""
    if file_kind == "hub":
        save_file = pytest.importorskip("safetensors.torch").save_file
        path = folder / "model.safetensors"
        save_file({f"model.{name}": value.contiguous() for name, value in state.items()}, path)
        return path
    path = folder / "checkpoint.pt"
    names = eat.framework_names(state)
    fine_tuned = {
        name if name.startswith(("fc_norm.", "head.")) else f"model.{name}": names[name] for name in names
    }
    torch.save({"cfg": None, "model": fine_tuned, "extra_state": {}}, path)
    return path
