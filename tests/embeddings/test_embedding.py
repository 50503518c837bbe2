"""Clips to embeddings: what single families do, and what does not depend on the family.

``test_every_family.py`` tests what all families do alike.
"""

import contextlib
import inspect
import io
from pathlib import Path

import numpy as np
import pytest
import torch

import skaudio_ad.embeddings._backbone_engine as backbone_engines
from skaudio_ad import (
    AudioClips,
    AudioLoader,
    MobileNetEmbedding,
    PaSSTEmbedding,
)

from .small_backbones import (
    FAMILIES,
    SAMPLE_RATE,
    assert_equal_up_to_rounding,
    noise,
)

# Outputs


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
