"""What EAT does beyond the other families: stages of training, files of the training framework, padding, windows."""

from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
import pytest
import torch

from benchmarks.authors import eat
from skaudio_ad import EATEmbedding, FineTunedEmbedding
from skaudio_ad.embeddings import BACKBONES, WeightsError

from .family_cases import SMALL
from .family_kit import Kit

RATE = 16_000
FINE_TUNED = SMALL["eat"]
SETTINGS = {**FINE_TUNED.settings, "n_classes": 0}
SELF_SUPERVISED = replace(
    FINE_TUNED,
    name="self_supervised",
    settings=SETTINGS,
    outputs=("clip", "frames", "grid", "tokens", "token_mean"),
)


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    return Kit("eat", tmp_path_factory.mktemp("eat"))


def without_classes(state):
    return {name: value for name, value in state.items() if not name.startswith(("fc_norm.", "head."))}


def saved(content, folder, name="checkpoint.pt"):
    torch.save(content, folder / name)
    return folder / name


def test_a_pretrained_file_of_the_training_framework_is_read_without_what_the_pretraining_needs(
    kit, tmp_path
):
    model = eat.framework_names(without_classes(kit.network.state_dict()))
    decoder = {"modality_encoders.IMAGE.decoder.blocks.0.0.weight": torch.zeros(3)}
    path = saved({"cfg": None, "model": {**model, **decoder, "_ema": {"blocks.0": torch.zeros(3)}}}, tmp_path)
    [clip] = kit.noise(0.7)
    made = EATEmbedding(SELF_SUPERVISED, weights=path).fit_transform([clip])
    np.testing.assert_allclose(made[0], kit.direct("clip", clip), atol=1e-5)


def test_a_file_of_the_training_framework_with_its_objects_is_refused_and_the_way_to_save_it_is_named(
    kit, tmp_path
):
    model = eat.framework_names(without_classes(kit.network.state_dict()))
    path = saved({"cfg": PurePosixPath("data"), "model": model}, tmp_path)
    with pytest.raises(WeightsError, match=r"checkpoint\.pt: .*weights_only=True.*torch\.save\("):
        EATEmbedding(SELF_SUPERVISED, weights=path).fit(kit.noise(0.2))


def test_a_fine_tuned_file_is_refused_for_a_self_supervised_variant_and_the_reverse(kit, tmp_path):
    clips = kit.noise(0.2)
    with pytest.raises(
        WeightsError,
        match=r"a file of EAT \(size 24, depth 2, n_classes 5\).*'self_supervised' needs n_classes 0",
    ):
        EATEmbedding(SELF_SUPERVISED, weights=kit.path).fit(clips)
    path = saved(without_classes(kit.network.state_dict()), tmp_path)
    with pytest.raises(WeightsError, match=r"n_classes 0\).*'small_eat' needs n_classes 5"):
        EATEmbedding(FINE_TUNED, weights=path).fit(clips)
    # Layers do not turn a fine-tuned file into a self-supervised one.
    with pytest.raises(WeightsError, match="needs n_classes 0"):
        EATEmbedding(SELF_SUPERVISED, weights=kit.path, layers=1).fit(clips)


def test_a_file_with_another_table_of_positions_is_refused(kit, tmp_path):
    state = kit.network.state_dict()
    state["fixed_positional_encoder.positions"] = state["fixed_positional_encoder.positions"][:, :512]
    with pytest.raises(WeightsError, match=r"positions' of shape \(1, 512, 24\) and not \(1, 6144, 24\)"):
        EATEmbedding(FINE_TUNED, weights=saved(state, tmp_path)).fit(kit.noise(0.2))


def test_the_embedding_of_a_window_depends_on_its_own_length_alone(kit):
    short, long = kit.noise(0.5, 3.0)
    embedding = EATEmbedding(FINE_TUNED, weights=kit.path)
    alone = embedding.transform([short])[0]
    for batch in ([short, long, short], [long, short], [short, short]):
        made = embedding.transform(batch)
        index = next(number for number, clip in enumerate(batch) if clip is short)
        np.testing.assert_allclose(made[index], alone, rtol=0, atol=1e-6)


def test_outputs_with_time_have_no_padded_columns(kit):
    made = EATEmbedding(FINE_TUNED, weights=kit.path, output="grid").transform(kit.noise(10.0))[0]
    assert made.shape == (24, 8, 62)
    tokens = EATEmbedding(FINE_TUNED, weights=kit.path, output="tokens").transform(kit.noise(10.0))[0]
    np.testing.assert_allclose(
        tokens[:, 1:].reshape(24, 62, 8).swapaxes(1, 2), made, rtol=0, atol=1e-6 * np.abs(made).max()
    )


def test_a_long_clip_is_cut_every_ten_seconds_and_the_last_window_ends_with_the_clip(kit):
    [clip] = kit.noise(23.0)
    windows = [clip[start * RATE : (start + 10) * RATE] for start in (0, 10, 13)]
    expected = np.mean([kit.direct("clip", window) for window in windows], axis=0)
    made = EATEmbedding(FINE_TUNED, weights=kit.path).transform([clip])[0]
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    longest = EATEmbedding(FINE_TUNED, weights=kit.path, window=122.88)
    np.testing.assert_allclose(longest.transform([clip])[0], kit.direct("clip", clip), rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match=r"window must lie in \[1, 122\.88\]"):
        EATEmbedding(FINE_TUNED, weights=kit.path, window=123.0).transform([clip])


def test_the_longest_window_fits_into_the_table_of_positions():
    n_samples = round(122.88 * RATE)
    assert -(-(1 + (n_samples - 400) // 160) // 32) * 32 == 768 * 16


def test_a_tone_shows_in_the_band_of_the_grid_that_holds_it(kit):
    edges = EATEmbedding(FINE_TUNED, weights=kit.path).band_edges()
    assert edges.shape == (8, 2)
    assert (edges[1:, 0] == edges[:-1, 1]).all()
    bank = kit.front_end
    for low, high in edges[1:]:
        seconds = np.arange(8000) / RATE
        tone = torch.from_numpy(np.sin(2 * np.pi * (low + high) / 2 * seconds).astype(np.float32))[None]
        loudest = int(bank(tone)[0].mean(1).argmax()) // 16
        assert edges[loudest, 0] <= (low + high) / 2 < edges[loudest, 1]


def test_published_variants_have_logits_if_they_are_fine_tuned():
    for backbone in BACKBONES.values():
        if backbone.family == "eat":
            fine_tuned = backbone.name.endswith("_as2m")
            assert backbone.settings["n_classes"] == (527 if fine_tuned else 0)
            assert (backbone.mean_average_precision is not None) == fine_tuned
            with pytest.raises(ValueError, match=r"layers=None|has no classes"):
                EATEmbedding(backbone, weights=None, output="logits", layers=3).fit([np.zeros(4000)])


def test_a_size_that_heads_or_positions_do_not_divide_is_refused():
    backbone = replace(FINE_TUNED, settings={**FINE_TUNED.settings, "heads": 5})
    with pytest.raises(ValueError, match=r"size must be a multiple of 4.*and of heads, got 24 with 5 heads"):
        EATEmbedding(backbone, weights=None).fit([np.zeros(4000)])


@pytest.mark.parametrize("layers", [None, [2, 1]])
@pytest.mark.filterwarnings("ignore:FineTunedEmbedding")
def test_it_is_fine_tuned(kit, layers):
    clips = kit.noise(0.3, 0.3, 0.3, 0.3)
    embedding = EATEmbedding(FINE_TUNED, weights=kit.path, layers=layers)
    tuned = FineTunedEmbedding(
        embedding,
        trainable=1,
        projection_size=3,
        max_epochs=1,
        windows_per_clip=1,
        batch_size=4,
        validation_fraction=0,
        random_state=0,
        output="projection",
    ).fit(clips, ["a", "b", "a", "b"])
    assert tuned.transform(clips).shape == (4, 3)
    assert not np.allclose(
        tuned.set_params(output="embedding").transform(clips), embedding.transform(clips), atol=1e-7
    )
