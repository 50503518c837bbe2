"""What every family of backbones does alike. A new family adds its entry to ``family_cases.py``."""

import pickle
from dataclasses import replace

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

import skaudio_ad.embeddings._backbone_engine as backbone_engines
import skaudio_ad.embeddings._registry as registry
from skaudio_ad import AudioClips, AudioLoader, NearestNeighborsDetector
from skaudio_ad.audio import AudioReadWarning
from skaudio_ad.embeddings import WeightsError
from skaudio_ad.embeddings._backbone_engine import LoadedBackbone
from skaudio_ad.persistence import load_detector, save_detector

from .family_kit import FAMILIES, LAYERED, OF_ANY_RATE, Kit
from .small_backbones import assert_equal_up_to_rounding


@pytest.fixture(scope="module", params=FAMILIES)
def kit(request, tmp_path_factory):
    kit = Kit(request.param, tmp_path_factory.mktemp(request.param))
    with pytest.MonkeyPatch.context() as patch:
        # A saved detector names its backbone, and a file may not describe one.
        patch.setitem(registry._BACKBONES, kit.backbone.name, kit.backbone)
        yield kit
    backbone_engines._build.cache_clear()


of_layers = pytest.mark.parametrize("kit", LAYERED, indirect=True)
of_any_rate = pytest.mark.parametrize("kit", OF_ANY_RATE, indirect=True)


# Outputs


def test_every_output_is_the_networks_own_for_one_clip_at_a_time(kit):
    clips = kit.noise(0.6, 0.6)
    expected = [kit.direct(kit.outputs(), clip) for clip in clips]
    for output in kit.outputs():
        made = kit.embedding(output).fit(clips).transform(clips)
        assert made.dtype == np.float32
        assert_equal_up_to_rounding(made, [one[output] for one in expected])
        assert np.abs(made[0] - made[1]).max() > 1e-3 * np.abs(made).max(), output


def test_an_output_has_the_axes_the_features_and_the_names_that_the_family_states(kit):
    clips = kit.noise(0.6, 0.6)
    for output in kit.family.outputs:
        if output.name not in kit.outputs():
            continue
        embedding = kit.embedding(output.name).set_output(transform="pandas")
        made = embedding.fit_transform(clips)
        n_features = kit.family.n_features(kit.backbone, output.name)
        assert made.ndim == 1 + len(output.axes)
        assert made.shape[:2] == (2, n_features)
        names = embedding.get_feature_names_out().tolist()
        line = "_" if output.name[-1].isdigit() else ""
        start = f"{kit.backbone.name}_{output.name}{line}" if output.is_vector else "x"
        assert names == [f"{start}{i}" for i in range(n_features)]
        assert list(getattr(made, "columns", names)) == names
    assert kit.family.n_features(kit.backbone, "clip") == kit.direct("clip", clips[0]).size


def test_a_list_of_outputs_has_their_columns_one_after_the_other(kit):
    clips = kit.noise(0.7)
    outputs = list(kit.outputs(vectors=True)[::-1])
    made = kit.embedding(outputs).fit_transform(clips)
    expected = kit.direct(outputs, clips[0])
    assert_equal_up_to_rounding(made, [np.concatenate([expected[name] for name in outputs])])


def test_frames_are_the_mean_of_the_grid_over_its_bands(kit):
    if not {"frames", "grid"} <= set(kit.outputs()):
        pytest.skip(f"{kit.family.title} has no grid")
    [clip] = kit.noise(0.6)
    made = kit.direct(("frames", "grid"), clip)
    frames, grid = made["frames"], made["grid"]
    assert grid.shape[-1] == frames.shape[-1]
    # A family with a sequence for every band of the spectrogram has frames of every band, one after the other.
    size, _, n_frames = grid.shape
    bands = grid.reshape(size, len(frames) // size, -1, n_frames).mean(axis=2)
    expected = bands.swapaxes(0, 1).reshape(-1, n_frames)
    assert_equal_up_to_rounding(frames[None], expected[None])


def test_a_backbone_is_described_without_its_weights(kit):
    table = kit.embedding(weights="pretrained", window=1.0).describe()
    assert table.parameters == sum(parameter.numel() for parameter in kit.network.parameters())
    assert table.multiply_accumulates > 0
    longer = kit.embedding(weights="pretrained", window=2.0).describe()
    assert longer.multiply_accumulates > 1.5 * table.multiply_accumulates
    assert longer.parameters == table.parameters


# Company


@pytest.mark.parametrize("output", ["clip", "frames"])
def test_a_clip_is_embedded_alike_in_any_company(kit, output):
    clips = kit.noise(0.4, 1.2, 0.4, 0.4, 0.3, 0.001)
    clips[2] = 30 * clips[2]
    clips[3] = np.zeros_like(clips[3])
    hop = None if output == "frames" else 0.6
    embedding = kit.embedding(output, window=1.0, hop=hop, batch_size=3).fit(clips)
    alone = [embedding.transform([clip])[0] for clip in clips]
    assert all(np.isfinite(one).all() for one in alone)
    for batch_size, order in ((3, (5, 3, 1, 0, 4, 2)), (6, (2, 3, 0, 5, 1, 4))):
        embedding.set_params(batch_size=batch_size)
        made = embedding.transform([clips[i] for i in order])
        for index, one in zip(order, made, strict=True):
            assert_equal_up_to_rounding([one], [alone[index]])


def test_threads_embed_as_one_does(kit):
    clips = kit.noise(0.5, 0.7, 0.5, 0.6)
    embedding = kit.embedding(batch_size=1).fit(clips)
    expected = embedding.transform(clips)
    with joblib.parallel_config("threading"):
        assert_equal_up_to_rounding(embedding.set_params(n_jobs=2).transform(clips), expected)


# Lengths


def test_a_clip_shorter_than_the_network_takes_gets_silence_after_it(kit):
    shortest = kit.shortest()
    for n_samples in sorted({1, 2, max(1, shortest - 1), shortest}):
        clip = np.full(n_samples, 0.25, dtype=np.float32)
        for output in {"clip", "frames"} & set(kit.outputs()):
            made = kit.embedding(output).transform([clip])
            assert made.shape[-1] >= 1
            assert np.isfinite(made).all()
            assert_equal_up_to_rounding(made, [kit.direct(output, clip)])


def test_the_network_does_not_take_a_clip_that_is_one_sample_shorter_than_the_family_states(kit):
    if kit.shortest() > 1:
        with pytest.raises((ValueError, RuntimeError)):
            kit.of_window("clip", np.zeros(kit.shortest() - 1))


def test_a_longer_clip_is_the_mean_over_the_windows_of_the_family(kit):
    [clip] = kit.noise(1.3)
    outputs = list(kit.outputs(vectors=True))
    made = [kit.of_window(outputs, window) for window in kit.averaged_windows(clip, 1.0)]
    assert len(made) > 1
    expected = np.concatenate([np.mean([one[name] for one in made], axis=0) for name in outputs])
    assert_equal_up_to_rounding(kit.embedding(outputs, window=1.0).transform([clip]), [expected])


def test_outputs_with_time_are_those_of_windows_end_to_end(kit):
    [clip] = kit.noise(1.6)
    outputs = kit.outputs(vectors=False)
    made = [kit.of_window(outputs, window) for window in kit.adjacent_windows(clip, 1.0)]
    assert len(made) == 2
    for output in outputs:
        expected = np.concatenate([one[output] for one in made], axis=-1)
        assert_equal_up_to_rounding(kit.embedding(output, window=1.0).transform([clip]), [expected])


def test_a_window_longer_than_the_network_takes_is_refused(kit):
    longest = kit.family.longest_window
    if np.isinf(longest):
        pytest.skip(f"{kit.family.title} takes windows of any length")
    with pytest.raises(ValueError, match=rf"window must lie in \[1, {longest}\], got"):
        kit.embedding(window=longest + 0.5).fit(kit.noise(0.1))
    assert np.isfinite(kit.direct("clip", kit.noise(longest)[0])).all()


# Time and frequency


def test_a_click_shows_in_the_frame_whose_time_is_the_nearest(kit):
    if kit.name == "mobilenet":
        pytest.skip("a frame of a MobileNet sees seconds; test_embedding.py averages over many clicks")
    quiet = 0.01 * kit.noise(1.7)[0]
    embedding = kit.embedding("frames", window=1.0).fit([quiet])
    n_frames = embedding.transform([quiet]).shape[-1]
    seconds = embedding.frames_to_seconds(np.arange(n_frames))
    assert (np.diff(seconds) > 0).all()
    clock = kit.family.clock(kit.backbone, kit.family.window_lengths(kit.backbone, 1.0)[0])
    chosen = [1, clock.per_window - 2, clock.per_window + 1]
    clicks = [seconds[frame] + share * clock.step for frame in chosen for share in (-0.3, 0.3)]
    clips = [quiet]
    for click in clicks:
        clips.append(quiet.copy())
        clips[-1][round(click * kit.rate)] += 1.0
    frames = embedding.transform(clips)
    change = np.linalg.norm(frames[1:] - frames[0], axis=1)
    assert change.argmax(axis=1).tolist() == [frame for frame in chosen for _ in range(2)]


def test_the_clock_counts_the_frames_that_the_network_makes(kit):
    for n_samples in (kit.shortest(), round(0.63 * kit.rate), round(1.2345 * kit.rate)):
        n_samples = max(n_samples, kit.shortest())
        frames = kit.direct("frames", kit.noise(n_samples / kit.rate)[0])
        assert kit.family.clock(kit.backbone, n_samples).per_window == frames.shape[-1]


def test_bands_of_the_grid_rise_and_lie_below_half_the_sample_rate(kit):
    if "grid" not in kit.outputs():
        pytest.skip(f"{kit.family.title} has no grid")
    edges = kit.embedding("grid").band_edges()
    assert edges.shape == (kit.direct("grid", kit.noise(0.7)[0]).shape[1], 2)
    assert (edges[:, 0] < edges[:, 1]).all()
    assert (np.diff(edges, axis=0) > 0).all()
    assert edges.min() >= 0
    assert edges.max() <= kit.rate / 2


def test_a_tone_shows_in_its_band_of_the_grid(kit):
    if kit.name == "mobilenet" or "grid" not in kit.outputs():
        pytest.skip("bands of a MobileNet see all frequencies, and some families have no grid")
    quiet = 0.1 * kit.noise(0.5)[0]
    embedding = kit.embedding("grid").fit([quiet])
    seconds = np.arange(len(quiet)) / kit.rate
    middles = embedding.band_edges().mean(axis=1)
    tones = [quiet + 0.2 * np.sin(2 * np.pi * middle * seconds) for middle in middles]
    grids = embedding.transform([quiet, *tones])
    change = grids[1:] - grids[0]
    # Attention carries a part of the change to all bands alike.
    change = np.linalg.norm(change - change.mean(axis=2, keepdims=True), axis=(1, 3))
    assert change.argmax(axis=1).tolist() == list(range(len(middles)))


# Sample rates


def test_clips_at_another_rate_are_refused_with_both_rates(kit):
    embedding = kit.embedding().fit(kit.noise(0.3))
    assert embedding.sample_rate_ == kit.rate
    clips = AudioClips(kit.noise(0.3), kit.rate // 2)
    for method in (embedding.fit, clone(embedding).transform):
        with pytest.raises(
            ValueError,
            match=rf"at sample_rate={kit.rate} Hz.*at {kit.rate // 2} Hz.*AudioLoader\(sample_rate=",
        ):
            method(clips)


@of_any_rate
def test_a_network_of_any_rate_keeps_the_rate_of_fit(kit, tmp_path, monkeypatch):
    free = replace(kit.backbone, name="free", sample_rate=None)
    monkeypatch.setitem(registry._BACKBONES, "free", free)
    for rate in (kit.rate, 2 * kit.rate):
        clips = AudioClips(kit.noise(1.0, 1.1), rate)
        embedding = kit.embedding(backbone="free", memory=tmp_path / "kept").fit(clips)
        assert embedding.sample_rate_ == rate
        here = replace(kit.backbone, sample_rate=rate)
        expected = kit.embedding(backbone=here).fit_transform(clips)
        np.testing.assert_array_equal(embedding.transform(clips), expected)
        assert (
            expected.shape[1] == kit.family.n_features(here, "clip") == len(embedding.get_feature_names_out())
        )
        with pytest.raises(ValueError, match=rf"at sample_rate={rate} Hz.*at {3 * rate} Hz"):
            embedding.transform(AudioClips(kit.noise(0.5), 3 * rate))
        pipeline = make_pipeline(embedding, NearestNeighborsDetector()).fit(clips)
        save_detector(pipeline, tmp_path / "saved.skops")
        again = load_detector(tmp_path / "saved.skops")
        assert again[0].sample_rate_ == rate
        np.testing.assert_array_equal(again.score_samples(clips), pipeline.score_samples(clips))


@of_any_rate
def test_a_network_of_any_rate_must_know_the_rate(kit):
    free = kit.embedding(backbone=replace(kit.backbone, sample_rate=None))
    with pytest.raises(
        ValueError, match="takes any sample rate, and X does not say its rate: set sample_rate"
    ):
        free.fit(kit.noise(0.3))
    for method in (free.transform, free.frames_to_seconds):
        with pytest.raises(NotFittedError, match="takes any sample rate and must know which"):
            method(kit.noise(0.3))
    given = clone(free).set_params(sample_rate=kit.rate)
    np.testing.assert_array_equal(given.transform(kit.noise(0.3)), kit.embedding().transform(kit.noise(0.3)))


# Clips that are missing


@pytest.mark.parametrize("output", ["clip", "frames"])
def test_a_clip_that_could_not_be_read_is_nan_in_its_place(kit, write_wavs, tmp_path, output):
    paths = write_wavs([round(0.4 * kit.rate)] * 2, sample_rate=kit.rate)
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    loader = AudioLoader(kit.rate, on_error="skip")
    embedding = kit.embedding(output, memory=tmp_path / "kept").fit(paths)
    for _ in range(2):  # the second time from the cache
        with pytest.warns(AudioReadWarning, match="left out"):
            made = embedding.transform(loader.fit_transform([paths[0], str(tmp_path / "bad.wav"), paths[1]]))
        assert np.isnan(made[1]).all()
        assert np.isfinite([made[0], made[2]]).all()
        assert made[1].shape[0] == made[0].shape[0]


# Cache, copies and files


def test_a_cache_serves_later_calls_and_the_network_is_not_asked(kit, tmp_path, monkeypatch):
    clips = kit.noise(0.4, 0.5)
    outputs = list(kit.outputs(vectors=True))[:2]
    embedding = kit.embedding(outputs, memory=tmp_path / "kept")
    first = embedding.transform(clips)
    assert_equal_up_to_rounding(first, kit.embedding(outputs).transform(clips))
    monkeypatch.setattr(LoadedBackbone, "embed", lambda *arguments: pytest.fail("was asked"))
    np.testing.assert_array_equal(embedding.transform(clips[::-1]), first[::-1])
    np.testing.assert_array_equal(
        clone(embedding).set_params(output=outputs[0]).transform(clips),
        first[:, : kit.family.n_features(kit.backbone, outputs[0])],
    )


def test_a_cache_tells_networks_apart(kit):
    keys = [
        kit.embedding(weights=None)._engine().key,
        kit.embedding(weights=None, random_state=1)._engine().key,
    ]
    keys += [kit.embedding()._engine().key, kit.embedding(precision="bfloat16")._engine().key]
    if kit.name in LAYERED:
        keys += [kit.embedding(layers=layers)._engine().key for layers in (1, 2, [1, 2], [2, 1])]
    if kit.name in OF_ANY_RATE:
        other = replace(kit.backbone, sample_rate=2 * kit.rate)
        keys.append(kit.embedding(backbone=other)._engine().key)
    assert len(set(keys)) == len(keys)


def test_copies_and_saved_detectors_embed_alike(kit, tmp_path):
    clips = AudioClips(kit.noise(0.4, 0.5, 0.6, 0.7), kit.rate)
    layers = {"layers": [2, 1]} if kit.name in LAYERED else {}
    embedding = kit.embedding(backbone=kit.backbone.name, **layers).fit(clips)
    expected = embedding.transform(clips)
    assert len(pickle.dumps(embedding)) < 3000
    for copy in (pickle.loads(pickle.dumps(embedding)), clone(embedding)):
        np.testing.assert_array_equal(copy.transform(clips), expected)
    pipeline = make_pipeline(embedding, NearestNeighborsDetector()).fit(clips)
    save_detector(pipeline, tmp_path / "saved.skops")
    again = load_detector(tmp_path / "saved.skops")
    assert again[0].weights_digest_ == embedding.weights_digest_
    assert again[0].get_params() == embedding.get_params() | {"weights": str(kit.path)}
    np.testing.assert_array_equal(again.score_samples(clips), pipeline.score_samples(clips))


def test_other_weights_than_in_fit_are_refused(kit, tmp_path):
    clips = kit.noise(0.3)
    embedding = kit.embedding().fit(clips)
    state = {name: value.clone() for name, value in kit.network.state_dict().items()}
    next(value for value in state.values() if value.is_floating_point()).add_(0.1)
    torch.save(state, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match=r"other\.pt: has other weights .* or fit again"):
        embedding.set_params(weights=tmp_path / "other.pt").transform(clips)


# Blocks


def _states(kit, clip):
    """States after every block, (n_sequences, n_tokens, size)."""
    states = []
    handles = [
        block.register_forward_hook(lambda module, inputs, made: states.append(made))
        for block in kit.network.stages
    ]
    try:
        # An output that needs every token.
        kit.direct(kit.outputs(vectors=False)[0], clip)
    finally:
        for handle in handles:
            handle.remove()
    return [state.numpy() for state in states]


# Clip embedding of the states of one block, (n_sequences, n_tokens, size), by the name of the family.
_CLIP_OF_STATES = {
    "beats": lambda states: states.mean(axis=1),
    "ced": lambda states: states.mean(axis=1),
    "dasheng": lambda states: states.mean(axis=1),
    "eat": lambda states: states[:, 0],
    "echo": lambda states: states[:, 0],
    "fisher": lambda states: states[:, 0],
}


@of_layers
def test_layers_give_the_states_of_the_blocks_of_the_whole_network(kit):
    [clip] = kit.noise(1.0)
    states = [_CLIP_OF_STATES[kit.name](state).ravel() for state in _states(kit, clip)]
    assert len(states) == kit.depth
    for layers, numbers in ((1, (1,)), (2, (2,)), ([1], (1,)), ([2, 1], (2, 1)), ((1, 2), (1, 2))):
        embedding = kit.embedding(layers=layers)
        made = embedding.fit([clip]).transform([clip])
        assert_equal_up_to_rounding(made, [np.concatenate([states[number - 1] for number in numbers])])
        names = embedding.get_feature_names_out()
        assert len(names) == made.shape[1] == len(set(names))
        assert names[0] == f"{kit.backbone.name}{''.join(f'_layer{n}' for n in numbers)}_clip0"


@of_layers
def test_outputs_of_layers_are_those_of_each_layer_one_after_the_other(kit):
    [clip] = kit.noise(1.0)
    known = [name for name in kit.outputs() if name != "logits"]
    for output in known:
        each = [kit.embedding(output, layers=layer).transform([clip]) for layer in (2, 1)]
        assert_equal_up_to_rounding(
            kit.embedding(output, layers=[2, 1]).transform([clip]), np.concatenate(each, axis=1)
        )


@of_layers
def test_blocks_behind_the_highest_layer_are_neither_built_nor_read(kit):
    for layers in ((1,), (2, 1)):
        assert len(kit.family.build_network(kit.with_settings(layers=layers)).stages) == max(layers)


@of_layers
@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        (9, ValueError, "layers must be numbers from 1 to [23], the number of blocks of .*, got"),
        (0, ValueError, "every number in layers must lie in"),
        ([1, 1], ValueError, "layers must be None or different numbers of blocks in a tuple"),
        ([], ValueError, "layers must be None or different numbers of blocks in a tuple"),
        (1.5, TypeError, "every number in layers must be an integer"),
        ("1", TypeError, "every number in layers must be"),
        ([[1], [2]], TypeError, "every number in layers must be"),
        (np.array([1, 2]), TypeError, "every number in layers must be"),
        (True, TypeError, "every number in layers must be"),
    ],
)
def test_layers_that_cannot_be_are_refused_with_the_rule(kit, layers, error, message):
    with pytest.raises(error, match=message):
        kit.embedding(layers=layers).fit(kit.noise(0.3))


@of_layers
def test_layers_have_no_classes(kit):
    with pytest.raises(ValueError, match=r'output="logits" needs layers=None|output must be one of '):
        kit.embedding("logits", layers=1).fit(kit.noise(0.3))


@pytest.mark.parametrize("kit", sorted(set(FAMILIES) - set(LAYERED)), indirect=True)
def test_layers_are_refused_where_a_family_has_none(kit):
    embedding = kit.embedding()
    embedding.layers = 1  # no parameter of this estimator
    with pytest.raises(ValueError, match="layers must be None for"):
        embedding.fit(kit.noise(0.3))
