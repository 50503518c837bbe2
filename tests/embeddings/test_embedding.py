"""Clips to embeddings: shapes, values, windows, company, names."""

import contextlib
import inspect
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone

import skaudio_ad.embeddings._backbone_engine as backbone_engines
from skaudio_ad import (
    AudioClips,
    AudioLoader,
    MobileNetEmbedding,
    PaSSTEmbedding,
)
from skaudio_ad.networks import MobileNet, PaSST, describe

from .small_backbones import (
    BACKBONE,
    ESTIMATOR,
    FAMILIES,
    OUTPUTS,
    SAMPLE_RATE,
    WITH_TIME,
    WITHOUT_TIME,
    assert_equal_up_to_rounding,
    noise,
)

# Outputs


@pytest.mark.parametrize(("family", "output"), OUTPUTS)
def test_an_output_is_the_networks_own_for_every_clip(make, direct, family, output):
    clips = noise(1.5, 1.5, 1.5)
    embedded = make(family, output).fit(clips).transform(clips)
    # 150 frames of a spectrogram.
    shape = {
        ("mobilenet", "clip"): (96,),
        ("mobilenet", "clip_stats"): (192,),
        ("mobilenet", "multilevel"): (184,),
        ("mobilenet", "block5"): (2 * 8 * 16,),
        ("mobilenet", "block15"): (2 * 16 * 4,),
        ("mobilenet", "frames"): (96, 5),
        ("mobilenet", "grid"): (96, 4, 5),
        ("passt", "frames"): (768, 14),
        ("passt", "grid"): (768, 12, 14),
        ("passt", "tokens"): (768, 2 + 12 * 14),
    }.get((family, output), (527,) if output == "logits" else (768,))
    assert isinstance(embedded, np.ndarray)
    assert embedded.dtype == np.float32
    assert embedded.shape == (3, *shape)
    assert_equal_up_to_rounding(embedded, [direct(family, output, clip) for clip in clips])
    assert np.abs(embedded[0] - embedded[1]).max() > 1e-2 * np.abs(embedded).max()


@pytest.mark.parametrize("family", FAMILIES)
def test_frames_are_the_mean_of_the_grid_over_frequency(make, family):
    clips = noise(2.0)
    frames, grid = (make(family, output).fit_transform(clips) for output in ("frames", "grid"))
    assert_equal_up_to_rounding(frames, grid.mean(axis=2))


def test_the_embedding_of_passt_is_the_mean_of_its_two_tokens(make):
    clips = noise(1.0)
    clip, c, d = (
        make("passt", output).fit_transform(clips) for output in ("clip", "class_token", "distillation_token")
    )
    assert_equal_up_to_rounding(clip, (c + d) / 2)
    tokens = make("passt", "tokens").fit_transform(clips)
    np.testing.assert_allclose(tokens[..., :2], np.stack([c, d], axis=-1), atol=1e-5 * np.abs(c).max())


def test_clips_of_different_lengths_give_a_list_where_the_output_has_time(make, direct):
    clips = noise(1.0, 0.5, 1.0)
    embedded = make("mobilenet", "frames").fit(clips).transform(clips)
    assert isinstance(embedded, list)
    assert_equal_up_to_rounding(embedded, [direct("mobilenet", "frames", clip) for clip in clips])
    assert make("mobilenet", "clip").fit(clips).transform(clips).shape == (3, 96)


# Windows


@pytest.mark.parametrize(
    ("family", "output"), [(family, output) for family, output in OUTPUTS if output in WITHOUT_TIME[family]]
)
def test_a_longer_clip_is_the_mean_over_windows_of_the_mirrored_clip(make, direct, family, output):
    [clip] = noise(1.6)
    mirrored = np.concatenate([clip[16000:0:-1], clip, clip[-2:-16002:-1]])  # half a window at both ends
    starts = range(0, len(mirrored) - 32000 + 1, 16000)
    expected = np.mean([direct(family, output, mirrored[i : i + 32000]) for i in starts], axis=0)
    embedded = make(family, output, window=1.0, hop=0.5).fit_transform([clip])
    assert_equal_up_to_rounding(embedded, [expected])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_clip_of_just_one_window_is_embedded_as_it_is(make, direct, family):
    [clip] = noise(1.0)
    embedded = make(family, window=1.0, hop=0.5).fit_transform([clip])
    assert_equal_up_to_rounding(embedded, [direct(family, "clip", clip)])


@pytest.mark.parametrize(
    ("family", "output"), [(family, output) for family in FAMILIES for output in WITH_TIME[family]]
)
def test_outputs_with_time_are_those_of_windows_end_to_end(make, direct, family, output):
    [clip] = noise(2.4)
    parts = [clip[:32000], clip[32000:64000], clip[64000:]]
    expected = np.concatenate([direct(family, output, part) for part in parts], axis=-1)
    assert_equal_up_to_rounding(make(family, output, window=1.0, hop=1.0).fit_transform([clip]), [expected])


@pytest.mark.filterwarnings("ignore")  # of the authors' package and of those it imports
def test_a_clip_longer_than_a_window_is_embedded_as_the_authors_package_does(network, make):
    passt = pytest.importorskip("hear21passt.models.passt")
    preprocess = pytest.importorskip("hear21passt.models.preprocess")
    wrapper = pytest.importorskip("hear21passt.wrapper")
    with contextlib.redirect_stdout(io.StringIO()), torch.random.fork_rng():
        theirs = passt.PaSST(img_size=(128, 998), stride=10, depth=2, distilled=True)
        theirs.load_state_dict(network["passt"].state_dict(), strict=True)
        mel = preprocess.AugmentMelSTFT(fmax=15000, fmax_aug_range=1)
        # Their times, in milliseconds, are divided by ten, because windows of ten seconds take long on a CPU.
        defaults = inspect.signature(wrapper.PasstBasicWrapper).parameters
        tenths = {name: defaults[name].default / 10 for name in ("max_model_window", "scene_hop")}
        model = wrapper.PasstBasicWrapper(mel, theirs, mode="embed_only", **tenths).eval()
        clips = noise(1.3, 0.4)
        with torch.no_grad():
            expected = [model.get_scene_embeddings(torch.from_numpy(clip)[None])[0].numpy() for clip in clips]
    embedding = make("passt")
    embedding.set_params(window=embedding.window / 10)
    assert_equal_up_to_rounding(embedding.fit_transform(clips), expected)


def click(clip, seconds):
    clicked = clip.copy()
    clicked[round(seconds * SAMPLE_RATE)] += 1.0
    return clicked


@pytest.mark.parametrize(("window", "seconds"), [(10.0, (0.2, 1.43, 2.28)), (1.0, (0.5, 1.31, 2.2))])
def test_a_click_shows_in_the_frame_of_passt_whose_time_is_the_nearest(make, window, seconds):
    clip = 0.01 * noise(2.5)[0]
    clips = [clip, *(click(clip, second) for second in seconds)]
    embedding = make("passt", "frames", window=window, hop=window)
    quiet, *clicked = embedding.fit_transform(clips)
    times = embedding.frames_to_seconds(np.arange(quiet.shape[-1]))
    for second, frames in zip(seconds, clicked):
        change = np.linalg.norm(frames - quiet, axis=0)
        assert change.argmax() == np.abs(times - second).argmin()


@pytest.mark.filterwarnings("ignore:.*has random weights:UserWarning")
def test_clicks_show_in_the_frames_of_mobilenet_around_their_time():
    # The frames see seconds, and random weights shift single clicks a little: on average over clicks everywhere
    # between two frames they must not.
    clip = 0.01 * noise(5.0)[0]
    seconds = np.arange(1.6, 3.2, 0.08)
    embedding = MobileNetEmbedding("mn04", weights=None, output="frames", random_state=0)
    quiet, *clicked = embedding.fit_transform([clip, *(click(clip, second) for second in seconds)])
    times = embedding.frames_to_seconds(np.arange(quiet.shape[-1]))
    power = [np.square(frames - quiet).sum(axis=0) for frames in clicked]
    shift = [np.average(times, weights=p) - second for p, second in zip(power, seconds)]
    assert abs(np.mean(shift)) < 0.05  # half a frame is 0.16


def test_a_click_shows_in_no_frame_of_another_window(make):
    clip = 0.01 * noise(5.0)[0]
    embedding = make("mobilenet", "frames", window=2.0, hop=2.0)
    for second in (0.05, 1.97, 2.03, 3.97, 4.5):
        quiet, clicked = embedding.fit_transform([clip, click(clip, second)])
        times = embedding.frames_to_seconds(np.flatnonzero(np.abs(clicked - quiet).max(axis=0) > 1e-4))
        assert set(np.floor(times / 2)) == {second // 2}


def test_the_clock_of_the_frames(make):
    mobilenet, passt = (make(family, "frames", window=2.0) for family in FAMILIES)
    # 200 frames of a spectrogram a window: 7 of MobileNet, every 0.32 s from 0; 19 of PaSST, every 0.1 s.
    np.testing.assert_allclose(mobilenet.frames_to_seconds([0, 1, 6, 7, 8, 14]), [0, 0.32, 1.92, 2, 2.32, 4])
    np.testing.assert_allclose(passt.frames_to_seconds([0, 1, 18, 19]), [0.075, 0.175, 1.875, 2.075])
    np.testing.assert_allclose(mobilenet.frames_to_seconds([0.5, 6.25, 6.75]), [0.16, 2.0, 1.92])
    coarse = PaSSTEmbedding("passt_s_s16", output="frames")
    np.testing.assert_allclose(coarse.frames_to_seconds([1, 62]), [0.235, 10.075])
    assert mobilenet.n_edge_frames == 0


# Company, memory, precision


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("output", ["clip", "frames"])
def test_a_clip_is_embedded_alike_in_any_company(make, family, output):
    clips = noise(1.0, 1.6, 0.4, 1.0, 0.004)
    embedding = make(family, output, window=1.0, hop=0.5, batch_size=3).fit(clips)
    alone = [embedding.transform([clip])[0] for clip in clips]
    assert_equal_up_to_rounding(embedding.transform(clips), alone)
    order = [3, 1, 0, 4, 2]
    assert_equal_up_to_rounding(embedding.transform([clips[i] for i in order]), [alone[i] for i in order])
    for batch_size in (1, 8):
        other = clone(embedding).set_params(batch_size=batch_size)
        assert_equal_up_to_rounding(other.fit(clips).transform(clips), alone)


def test_arrays_lists_clips_and_files_give_the_same(make, write_wavs):
    paths = write_wavs([9000, 9000, 9000], sample_rate=SAMPLE_RATE)
    clips = list(AudioClips(paths, SAMPLE_RATE))
    embedding = make().fit(paths)
    expected = embedding.transform(clips)
    for X in (
        np.stack(clips),
        np.stack(clips).astype(np.float64),
        np.stack(clips).tolist(),
        paths,
        [Path(path) for path in paths],
        AudioClips(paths, SAMPLE_RATE),
        AudioLoader(SAMPLE_RATE).fit_transform(paths),
        AudioClips(clips, None),  # of an unknown rate, as steps before this one make of arrays
    ):
        np.testing.assert_array_equal(embedding.transform(X), expected)


def test_no_more_windows_than_a_batch_are_stacked_however_long_a_clip_is(make, monkeypatch):
    shapes = []
    embed = backbone_engines.LoadedBackbone.embed

    def spy(loaded, waveforms, *arguments):
        shapes.append(waveforms.shape)
        return embed(loaded, waveforms, *arguments)

    monkeypatch.setattr(backbone_engines.LoadedBackbone, "embed", spy)
    clips = noise(1.0, 30.0, 1.0, 0.5)
    make(window=1.0, hop=0.5, batch_size=4).fit(clips).transform(clips)
    # 61 windows of the long clip, and one of each other; all of one length share their batches.
    assert shapes == [(4, 32000)] * 15 + [(3, 32000), (1, 16000)]


@pytest.mark.parametrize(("family", "output"), OUTPUTS)
def test_bfloat16_gives_about_the_numbers_of_float32_as_float32(make, family, output):
    clips = noise(1.0)
    exact, rough = (
        make(family, output, precision=precision).fit_transform(clips)
        for precision in ("float32", "bfloat16")
    )
    assert rough.dtype == np.float32
    if output == "block5":  # bfloat16 begins after this block
        np.testing.assert_array_equal(rough, exact)
        return
    # Random weights of the narrowest MobileNet add up their rounding more than those of a trained network.
    assert 1e-5 < np.linalg.norm(exact - rough) / np.linalg.norm(exact) < (0.01 if family == "passt" else 0.1)


# Names


@pytest.mark.parametrize(
    ("family", "output"), [(family, output) for family, output in OUTPUTS if output in WITHOUT_TIME[family]]
)
def test_vectors_have_names_and_come_as_a_table_if_asked_for(make, family, output):
    clips = noise(0.3, 0.3)
    before = torch.get_rng_state()
    embedding = make(family, output).set_output(transform="pandas")
    frame = embedding.fit_transform(clips)
    name = BACKBONE[family].name
    line = "_" if output.startswith("block") else ""
    assert list(frame.columns) == [f"{name}_{output}{line}{i}" for i in range(frame.shape[1])]
    assert list(embedding.get_feature_names_out()) == list(frame.columns)
    np.testing.assert_array_equal(frame.to_numpy(), make(family, output).fit_transform(clips))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("family", "output"), [(family, output) for family in FAMILIES for output in WITH_TIME[family]]
)
def test_outputs_with_time_name_their_channels_and_stay_arrays(make, family, output):
    embedding = make(family, output).set_output(transform="pandas")
    made = embedding.fit_transform(noise(0.3, 0.3))
    assert isinstance(made, np.ndarray)
    assert embedding.get_feature_names_out().tolist() == [f"x{i}" for i in range(made.shape[1])]


@pytest.mark.parametrize(("family", "window"), [("mobilenet", 10.0), ("mobilenet", 2.0), ("passt", 5.0)])
def test_a_backbone_is_described_without_its_weights(family, window):
    table = ESTIMATOR[family](BACKBONE[family], window=window).describe()
    module = MobileNet(0.1) if family == "mobilenet" else PaSST(stride=10, depth=2)
    expected = describe(module, round(100 * window), depth=2)
    assert (table.parameters, table.multiply_accumulates) == (
        sum(parameter.numel() for parameter in module.parameters()),
        expected.multiply_accumulates,
    )
    assert str(table).count("\n") == str(expected).count("\n")
