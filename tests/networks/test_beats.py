"""BEATs against numbers that the authors' code computed, and against that code where it is present."""

import math

import numpy as np
import pytest
import torch

from benchmarks.authors import authors_folder, beats, seeded
from skaudio_ad.embeddings import Backbone, BEATsEmbedding, get_backbone
from skaudio_ad.networks import BEATs, BEATsFrontEnd, describe, for_inference
from skaudio_ad.networks._beats import RelativePositions, beats_state_dict

from .authors_numbers import assert_equals_the_authors

RATE = beats.SAMPLE_RATE


@pytest.fixture(scope="module")
def small():
    return loaded()


def loaded(layers=None):
    network = BEATs(**beats.SMALL, layers=layers).eval().requires_grad_(False)
    state = beats_state_dict(beats.authors_state(**beats.SMALL))
    network.load_state_dict({name: state[name] for name in network.state_dict()}, strict=True)
    return network


def spectrograms(seconds):
    return BEATsFrontEnd()(seeded.seeded_waveforms(seconds * RATE, RATE, beats.CLIPS[seconds]))


def noise(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def assert_relatively_close(made, expected, tolerance=1e-5):
    assert made.shape == expected.shape
    assert (made - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize("seconds", beats.CLIPS)
def test_it_equals_the_authors(small, seconds):
    inputs = spectrograms(seconds)
    assert_equals_the_authors("beats", f"spectrogram, {seconds} s", inputs.numpy())
    made = small(inputs, small.outputs)
    for output in ("clip", "tokens", "logits"):
        assert_equals_the_authors("beats", f"{output}, {seconds} s", made[output].numpy())
    assert_equals_the_authors("beats", f"OpenBEATs' tokens, {seconds} s", made["tokens"].numpy())
    assert made["clip"].std() > 0.3


def test_a_block_in_the_middle_equals_the_authors_without_the_blocks_behind_it():
    network = loaded(layers=(2,))
    made = network(spectrograms(1), ("tokens",))["tokens"]
    assert_equals_the_authors("beats", "tokens of block 2, 1 s", made.numpy())
    assert len(network.stages) == 2
    assert network.class_layers == ()


def test_the_network_for_inference_equals_the_network(small):
    inputs = spectrograms(1)
    exact, fast = small(inputs, small.outputs), for_inference(small)(inputs, small.outputs)
    for name in small.outputs:
        assert_relatively_close(fast[name], exact[name])


@pytest.mark.parametrize("capability", ["AVX2", "AVX512"])
def test_linear_layers_of_tokens_take_onednn_with_avx_512_only(small, monkeypatch, capability):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    fast = for_inference(small)
    assert fast.stages[0].fc1.one_dnn == (capability == "AVX512")
    inputs = noise(1, 128, 48)
    assert_relatively_close(fast(inputs)["clip"], small(inputs)["clip"])


def test_bfloat16_keeps_clip_embeddings_within_a_hundredth(small):
    inputs = spectrograms(1)
    exact = small(inputs)["clip"]
    made = for_inference(small, precision="bfloat16")(inputs)["clip"]
    assert made.dtype == torch.float32
    error = (made - exact).norm() / exact.norm()
    assert 0 < error < 0.01, error


def test_outputs_are_parts_of_the_tokens(small):
    made = small(noise(2, 128, 85), small.outputs)
    # 85 frames are 5 whole columns of patches, and 5 frames that are left out.
    assert made["tokens"].shape == (2, 96, 5 * 8)
    grid = made["tokens"].unflatten(2, (5, 8)).transpose(2, 3)
    assert torch.equal(made["grid"], grid)
    assert_relatively_close(made["clip"], grid.mean((2, 3)))
    assert_relatively_close(made["frames"], grid.mean(2))
    assert_relatively_close(made["bands"], torch.cat([grid[:, :, band].mean(2) for band in range(8)], dim=1))


def test_states_of_several_blocks_stand_one_after_the_other(small):
    inputs = spectrograms(1)
    outputs = [name for name in small.outputs if name != "logits"]
    each = {layer: loaded((layer,))(inputs, outputs) for layer in (1, 3)}
    both = loaded((3, 1))
    made = both(inputs, outputs)
    assert both.embedding_size == 2 * 96
    for name in outputs:
        assert_relatively_close(made[name], torch.cat([each[3][name], each[1][name]], dim=1))
    assert_relatively_close(each[3]["clip"], small(inputs)["clip"])


def test_buckets_of_distances_follow_the_formula():
    positions = RelativePositions(1)
    positions.weight.data = torch.arange(320.0)[:, None]
    n_tokens = 1000
    bias = positions(torch.zeros(1, n_tokens, 4))[0]

    def bucket(distance):
        apart = abs(distance)
        if apart >= 80:
            apart = min(159, 80 + math.floor(80 * math.log(apart / 80) / math.log(10)))
        return apart + (160 if distance > 0 else 0)

    for query, key in ((0, 0), (0, 79), (0, 80), (5, 90), (0, 777), (0, 778), (999, 0), (500, 420), (3, 2)):
        assert bias[query, key] == bucket(key - query)


def test_a_click_shows_in_the_column_of_its_time():
    network = loaded(layers=(1,))
    inputs = torch.zeros(1, 128, 320)
    clicked = inputs.clone()
    clicked[:, :, 163] = 10
    change = (network(clicked, "frames")["frames"] - network(inputs, "frames")["frames"]).abs().sum((0, 1))
    assert change.argmax() == 163 // 16


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 128, 15), "at least 16 frames, got 15"),
        ((1, 64, 100), r"\(n_clips, 128, n_frames\), as BEATsFrontEnd makes them, got \(1, 64, 100\)"),
    ],
)
def test_spectrograms_of_another_shape_are_refused(small, shape, message):
    with pytest.raises(ValueError, match=message):
        small(torch.zeros(shape))


def test_the_shortest_waveform_has_one_column_of_patches(small):
    n_samples = BEATsFrontEnd.min_samples
    assert small(BEATsFrontEnd()(torch.zeros(1, n_samples)), "frames")["frames"].shape[2] == 1
    with pytest.raises(ValueError, match="at least 16 frames, got 15"):
        small(BEATsFrontEnd()(torch.zeros(1, n_samples - 1)))


def test_a_network_without_classes_has_no_logits():
    network = BEATs(size=32, depth=1, heads=2)
    with pytest.raises(ValueError, match=r"outputs must be of 'clip', .*, got 'logits'"):
        network(noise(1, 128, 16), "logits")
    assert network.class_layers == network.last_layers == ()


@pytest.mark.parametrize(
    ("name", "n_tensors", "millions"),
    [("beats_iter3", 250, 90.31), ("beats_iter3_cpt1", 252, 90.71), ("openbeats_large_i1", 490, 311.4)],
)
def test_sizes_are_those_of_the_checkpoints(name, n_tensors, millions):
    settings = get_backbone(name).settings
    with torch.device("meta"):
        network = BEATs(**settings)
    # The authors' files hold the table of positions in every block, and the convolution in two parts.
    assert len(network.state_dict()) + settings["depth"] == n_tensors
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    assert round(n_parameters / 1e6, 1) == round(millions, 1)


def test_it_is_described_with_its_attention_and_its_convolution(small):
    table = describe(small, n_frames=160, depth=None)
    n_tokens, size, depth = 80, 96, 3
    products = depth * (12 * size**2 * n_tokens + 2 * n_tokens**2 * size)
    around = n_tokens * (256 * 512 + 512 * size + size // 16 * 128 * size) + 5 * size
    assert table.multiply_accumulates == products + around


# With the authors' code


@pytest.mark.skipif(
    authors_folder("beats") is None, reason="SKAUDIO_AD_AUTHORS names no folder with the code of BEATs"
)
def test_files_as_the_authors_write_them_give_the_authors_embeddings(tmp_path):
    sizes = {"size": 768, "depth": 12, "heads": 12, "n_classes": 527}
    state = beats.authors_state(**sizes)
    theirs = beats.network(state, **sizes)
    from skaudio_ad.embeddings.families._audioset_ids import AUDIOSET_IDS

    order = np.random.default_rng(0).permutation(527)
    labels = {number: AUDIOSET_IDS[index] for number, index in enumerate(order)}
    path = tmp_path / "BEATs_iter3_finetuned_on_AS2M_cpt1.pt"
    torch.save({"cfg": beats.configuration(**sizes), "model": state, "label_dict": labels}, path)
    waveforms = seeded.seeded_waveforms(3 * RATE, RATE)
    states = beats.tokens_of_blocks(theirs, waveforms)
    expected = torch.empty(2, 527, dtype=torch.float64)
    expected[:, torch.from_numpy(order)] = beats.logits(theirs, waveforms)

    def embed(output, **parameters):
        embedding = BEATsEmbedding("beats_iter3_cpt1", weights=path, output=output, **parameters)
        return torch.from_numpy(embedding.fit_transform(waveforms.numpy()))

    assert_relatively_close(embed("tokens"), states[-1].transpose(1, 2))
    assert_relatively_close(embed("clip", layers=[5, 2]), torch.cat([states[4], states[1]], 2).mean(1))
    assert_relatively_close(embed("logits"), expected.float())


@pytest.mark.skipif(
    authors_folder("openbeats") is None,
    reason="SKAUDIO_AD_AUTHORS names no folder with the code of OpenBEATs",
)
def test_files_of_openbeats_give_the_authors_embeddings(tmp_path):
    sizes = {"size": 1024, "depth": 24, "heads": 16}
    backbone = Backbone(
        name="two",
        filename="two.pt",
        family="beats",
        settings={**sizes, "depth": 2, "n_classes": 0},
        embedding_size=1024,
    )
    state = beats.authors_state(**{**sizes, "depth": 2})
    theirs = beats.open_network(state, **{**sizes, "depth": 2})
    waveforms = seeded.seeded_waveforms(2 * RATE, RATE)
    expected = beats.tokens_of_blocks(theirs, waveforms)[-1].transpose(1, 2)
    for number, content in enumerate(
        (
            {"cfg": beats.configuration(**{**sizes, "depth": 2}), "model": theirs.state_dict()},
            {f"encoder.{name}": value for name, value in theirs.state_dict().items()},
        )
    ):
        torch.save(content, tmp_path / f"{number}.pt")
        embedding = BEATsEmbedding(backbone, weights=tmp_path / f"{number}.pt", output="tokens")
        assert_relatively_close(torch.from_numpy(embedding.fit_transform(waveforms.numpy())), expected)
