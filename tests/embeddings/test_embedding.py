"""Clips to embeddings: shapes, values, windows, company, missing and bad clips, tags."""

import contextlib
import io
import os
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skaudio_ad.embeddings._networks as networks
from skaudio_ad import (
    AudioClips,
    AudioLoader,
    LevelNormalizer,
    MobileNetEmbedding,
    NearestNeighborsDetector,
    PaSSTEmbedding,
)
from skaudio_ad.audio import AudioReadWarning
from skaudio_ad.datasets import load_esc10, load_mimii, make_machine_sounds
from skaudio_ad.embeddings import BACKBONES, Backbone, WeightsError
from skaudio_ad.networks import AudioSetFrontEnd, MobileNet, PaSST

SAMPLE_RATE = 32000
FAMILIES = ("mobilenet", "passt")
# Two blocks instead of twelve, and the narrowest MobileNet: all that these tests are about, in milliseconds.
BACKBONE = {
    "mobilenet": Backbone(name="tiny", filename="tiny.pt", family="mobilenet", width=0.1, embedding_size=96),
    "passt": Backbone(
        name="small", filename="small.pt", family="passt", stride=10, depth=2, embedding_size=768
    ),
}
ESTIMATOR = {"mobilenet": MobileNetEmbedding, "passt": PaSSTEmbedding}
WITHOUT_TIME = {
    "mobilenet": ("clip", "multilevel", "logits"),
    "passt": ("clip", "class_token", "distillation_token", "patch_mean", "logits"),
}
WITH_TIME = {"mobilenet": ("frames", "grid"), "passt": ("frames", "grid", "tokens")}
OUTPUTS = [(family, output) for family in FAMILIES for output in WITHOUT_TIME[family] + WITH_TIME[family]]
MIN_SAMPLES = {"mobilenet": 514, "passt": 4801}


def noise(*seconds, seed=0):
    """Noise of as many lengths, each with a colour of its own."""
    rng = np.random.default_rng(seed)
    return [
        np.convolve(rng.normal(scale=0.1, size=round(s * SAMPLE_RATE)), rng.normal(size=9), "same").astype(
            np.float32
        )
        for s in seconds
    ]


def assert_equal_up_to_rounding(actual, expected):
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(b).max())


@pytest.fixture(scope="module")
def network():
    """The networks that the files hold, as they were before anything was done for speed."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = {"mobilenet": MobileNet(0.1), "passt": PaSST(stride=10, depth=2)}
    return {family: module.eval() for family, module in made.items()}


@pytest.fixture(scope="module")
def folder(network, tmp_path_factory):
    """Folder with the weights of both."""
    folder = tmp_path_factory.mktemp("weights")
    for family, module in network.items():
        torch.save(module.state_dict(), folder / BACKBONE[family].filename)
    return folder


@pytest.fixture(scope="module")
def make(folder):
    """Function that makes an embedding of either family with the weights of the folder."""

    def make(family="mobilenet", output="clip", **parameters):
        return ESTIMATOR[family](BACKBONE[family], weights=folder, output=output, **parameters)

    return make


@pytest.fixture(scope="module")
def direct(network):
    """Function that asks front end and network themselves, one stretch at a time."""
    front_end = AudioSetFrontEnd()

    def direct(family, output, clip):
        with torch.no_grad():
            spectrogram = front_end(torch.from_numpy(np.ascontiguousarray(clip, dtype=np.float32))[None])
            return network[family](spectrogram, (output,))[output][0].numpy()

    return direct


@pytest.fixture
def real_weights():
    """The folder of real weights that some tests read."""
    folder = Path(os.environ.get("SKAUDIO_AD_WEIGHTS", "")).expanduser()
    if not os.environ.get("SKAUDIO_AD_WEIGHTS") or not (folder / BACKBONES["mn04"].filename).is_file():
        pytest.skip(f"SKAUDIO_AD_WEIGHTS names no folder with {BACKBONES['mn04'].filename}")
    return folder


# Outputs


@pytest.mark.parametrize(("family", "output"), OUTPUTS)
def test_an_output_is_the_networks_own_for_every_clip(make, direct, family, output):
    clips = noise(1.5, 1.5, 1.5)
    embedded = make(family, output).fit(clips).transform(clips)
    # 150 frames of a spectrogram.
    shape = {
        ("mobilenet", "clip"): (96,),
        ("mobilenet", "multilevel"): (184,),
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
    [clip] = noise(2.6)
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
def test_a_clip_of_thirteen_seconds_is_embedded_as_the_authors_package_does(network, make):
    passt = pytest.importorskip("hear21passt.models.passt")
    preprocess = pytest.importorskip("hear21passt.models.preprocess")
    wrapper = pytest.importorskip("hear21passt.wrapper")
    with contextlib.redirect_stdout(io.StringIO()), torch.random.fork_rng():
        theirs = passt.PaSST(img_size=(128, 998), stride=10, depth=2, distilled=True)
        theirs.load_state_dict(network["passt"].state_dict(), strict=True)
        mel = preprocess.AugmentMelSTFT(fmax=15000, fmax_aug_range=1)
        model = wrapper.PasstBasicWrapper(mel, theirs, mode="embed_only").eval()
        clips = noise(13.0, 4.0)
        with torch.no_grad():
            expected = [model.get_scene_embeddings(torch.from_numpy(clip)[None])[0].numpy() for clip in clips]
    assert_equal_up_to_rounding(make("passt").fit(clips).transform(clips), expected)


def click(clip, seconds):
    clicked = clip.copy()
    clicked[round(seconds * SAMPLE_RATE)] += 1.0
    return clicked


@pytest.mark.parametrize(
    ("window", "seconds"), [(10.0, (0.2, 1.43, 2.78, 4.6)), (2.0, (0.5, 1.7, 2.31, 4.4))]
)
def test_a_click_shows_in_the_frame_of_passt_whose_time_is_the_nearest(make, window, seconds):
    clip = 0.01 * noise(5.0)[0]
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
    clips = noise(1.0, 2.3, 0.4, 1.0, 0.004, 1.0, 1.7)
    embedding = make(family, output, window=1.0, hop=0.5, batch_size=3).fit(clips)
    alone = [embedding.transform([clip])[0] for clip in clips]
    assert_equal_up_to_rounding(embedding.transform(clips), alone)
    order = [5, 1, 3, 0, 6, 4, 2]
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
    embed = networks.LoadedBackbone.embed

    def spy(loaded, waveforms, *arguments):
        shapes.append(waveforms.shape)
        return embed(loaded, waveforms, *arguments)

    monkeypatch.setattr(networks.LoadedBackbone, "embed", spy)
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
    # Random weights of the narrowest MobileNet add up their rounding more than those of a trained network.
    assert 1e-5 < np.linalg.norm(exact - rough) / np.linalg.norm(exact) < (0.01 if family == "passt" else 0.1)


# Short, missing and bad clips


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("output", ["clip", "frames"])
@pytest.mark.parametrize("n_samples", [1, 2, 513])
def test_a_clip_shorter_than_the_backbone_takes_gets_silence_after_it(
    make, direct, family, output, n_samples
):
    clip = np.full(n_samples, 0.5, dtype=np.float32)
    padded = np.concatenate([clip, np.zeros(MIN_SAMPLES[family] - n_samples, dtype=np.float32)])
    embedded = make(family, output).fit_transform([clip])
    assert_equal_up_to_rounding(embedded, [direct(family, output, padded)])


@pytest.mark.parametrize("output", ["clip", "frames"])
@pytest.mark.parametrize("missing", [(0,), (3,), (1, 2), (0, 1, 2, 3)])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_clip_that_could_not_be_read_is_nan_in_its_place(make, write_wavs, family, output, missing):
    paths = write_wavs([9000] * 4, sample_rate=SAMPLE_RATE)
    embedding = make(family, output, batch_size=2).fit(paths)
    expected = embedding.transform(paths)
    for index in missing:
        Path(paths[index]).write_bytes(b"no audio")
    with pytest.warns(AudioReadWarning, match="left out"):
        embedded = embedding.transform(AudioLoader(SAMPLE_RATE, on_error="skip").fit_transform(paths))
    assert embedded.shape[:2] == expected.shape[:2]
    for index in range(4):
        if index in missing:
            assert np.isnan(embedded[index]).all()
        else:
            assert_equal_up_to_rounding(embedded[[index]], expected[[index]])


def test_a_missing_clip_among_clips_of_different_lengths_is_nan_in_its_place(make, write_wavs):
    paths = write_wavs([9000, 32000, 20000, 9000], sample_rate=SAMPLE_RATE)
    embedding = make("mobilenet", "frames", window=1.0, hop=1.0).fit(paths)
    expected = embedding.transform(paths)
    Path(paths[1]).write_bytes(b"no audio")
    with pytest.warns(AudioReadWarning, match="left out"):
        embedded = embedding.transform(AudioLoader(SAMPLE_RATE, on_error="skip").fit_transform(paths))
    assert np.isnan(embedded[1]).all()
    assert embedded[1].shape[0] == 96
    assert_equal_up_to_rounding([embedded[i] for i in (0, 2, 3)], [expected[i] for i in (0, 2, 3)])


@pytest.mark.parametrize("method", ["fit", "transform", "predict_tags"])
def test_clips_at_another_rate_are_refused_with_both_rates_and_the_way_out(make, method):
    clips = AudioClips(noise(1.0), 16000)
    with pytest.raises(
        ValueError, match=r"at sample_rate=32000 Hz.*at 16000 Hz.*AudioLoader\(sample_rate=32000\)\."
    ):
        getattr(make(), method)(clips)


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([], "no clips"),
        ([np.ones(600), np.empty(0)], "clip 1 is empty"),
        ([np.ones(600), np.r_[np.ones(600), np.nan]], "clip 1 contains NaN or infinity"),
        ([np.ones(600), np.full(600, np.inf)], "clip 1 contains NaN or infinity"),
        (np.r_[np.ones((1, 600)), np.full((1, 600), np.nan)], "NaN"),
        ([np.ones((2, 600))], r"clip 0 has shape \(2, 600\), a clip is mono"),
        (np.ones((2, 600), dtype=np.int16), "holds int16 samples"),
        ("clip.wav", "single path"),
    ],
)
def test_bad_clips_are_refused_by_name(make, clips, message):
    with pytest.raises(ValueError, match=message):
        make().transform(clips)


def nothing(clip):
    return clip[:0]


def one_nan(clip):
    return np.where(np.arange(len(clip)) == 3, np.nan, clip)


def too_loud(clip):
    return np.float32(np.inf) * np.ones_like(clip)


@pytest.mark.parametrize("function", [nothing, one_nan, too_loud])
@pytest.mark.parametrize("output", ["clip", "frames", "logits"])
def test_what_an_earlier_step_spoilt_is_refused_by_name_and_not_taken_for_missing(
    make, write_wavs, function, output
):
    paths = write_wavs([9000, 9000], sample_rate=SAMPLE_RATE)
    clips = AudioClips(paths, SAMPLE_RATE)
    with pytest.raises(ValueError, match=rf"{paths[0]}: is empty, or contains NaN or infinity"):
        make("mobilenet", output).transform(clips.map(function))


# Weights and parameters


@pytest.mark.parametrize("family", FAMILIES)
def test_random_weights_warn_and_repeat_with_their_seed(family):
    clips = noise(0.5)
    before = torch.get_rng_state()

    def embed(seed):
        networks._build.cache_clear()
        embedding = ESTIMATOR[family](BACKBONE[family], weights=None, random_state=seed)
        with pytest.warns(
            UserWarning, match=r"weights=None has random weights: .* no meaning\. Use weights="
        ):
            embedding.fit(clips)
        assert embedding.weights_digest_ is None
        return embedding.transform(clips)

    np.testing.assert_array_equal(embed(1), embed(1))
    assert np.abs(embed(1) - embed(2)).max() > 1e-2
    assert torch.equal(torch.get_rng_state(), before)


def test_two_estimators_share_one_network(make, folder, monkeypatch):
    networks._build.cache_clear()
    reads = []
    read = networks.load_state_dict
    monkeypatch.setattr(
        networks, "load_state_dict", lambda backbone, *, path: reads.append(path) or read(backbone, path=path)
    )
    clips = noise(0.1)
    first = make().fit(clips)
    second = make("mobilenet", "frames", batch_size=1, precision="bfloat16").fit(clips)
    clone(first).set_params(weights=folder / "tiny.pt").fit(clips)
    for embedding in (first, second, pickle.loads(pickle.dumps(first))):
        embedding.transform(clips)
    assert reads == [str(folder / "tiny.pt")]


def test_the_weights_of_fit_are_the_only_ones_that_transform_takes(tmp_path):
    clips = noise(0.1)
    path = tmp_path / "mine.pt"
    torch.save(MobileNet(0.1).state_dict(), path)
    embedding = MobileNetEmbedding(BACKBONE["mobilenet"], weights=path).fit(clips)
    assert embedding.weights_digest_ == networks.weights_digest(path)
    assert embedding.transform(clips).shape == (1, 96)
    time = path.stat().st_mtime_ns
    torch.save(MobileNet(0.1).state_dict(), path)
    os.utime(path, ns=(time, time + 1_000_000_000))
    for method in (embedding.transform, embedding.predict_tags):
        with pytest.raises(WeightsError, match=r"mine\.pt: has other weights .* or fit again"):
            method(clips)
    assert embedding.fit(clips).transform(clips).shape == (1, 96)


def test_weights_that_are_not_there_or_of_another_network_are_refused_by_their_path(folder, tmp_path):
    clips = noise(0.1)
    with pytest.raises(WeightsError, match=r"must name a folder or file that exists, got '.*none\.pt'"):
        MobileNetEmbedding("mn01", weights=tmp_path / "none.pt").fit(clips)
    with pytest.raises(WeightsError, match=r"tiny\.pt: no weights of mn04"):
        MobileNetEmbedding("mn04", weights=folder / "tiny.pt").fit(clips)
    (tmp_path / "page.pt").write_text("<html>")
    with pytest.raises(WeightsError, match=r"page\.pt: not a file that torch\.load"):
        MobileNetEmbedding("mn04", weights=tmp_path / "page.pt").fit(clips)


def test_a_copy_is_small_and_embeds_alike_in_another_process_too(make):
    clips = noise(0.3, 0.2)
    embedding = make().fit(clips)
    expected = embedding.transform(clips)
    assert len(pickle.dumps(embedding)) < 2000
    for copy in (pickle.loads(pickle.dumps(embedding)), clone(embedding).fit(clips)):
        np.testing.assert_array_equal(copy.transform(clips), expected)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        elsewhere = pool.submit(embedding.transform, clips).result()
    assert_equal_up_to_rounding(elsewhere, expected)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"variant": "mn11"}, ValueError, "must be one of 'mn01', .*'mn40_ext'.* got 'mn11'"),
        ({"variant": "passt_s_swa"}, ValueError, "must be one of 'mn01', .* got 'passt_s_swa'"),
        ({"variant": BACKBONE["passt"]}, ValueError, "must be of the family 'mobilenet'"),
        ({"variant": None}, TypeError, "must be a name or a Backbone, got None"),
        ({"weights": 3}, TypeError, 'weights must be "pretrained", a path or None, got 3'),
        ({"output": "tokens"}, ValueError, "output must be one of 'clip', .* got 'tokens'"),
        ({"window": 0.5}, ValueError, r"window must lie in \[1, inf\), got 0\.5"),
        ({"window": np.inf}, ValueError, r"window must lie in \[1, inf\), got inf"),
        ({"window": np.nan}, ValueError, r"window must lie in \[1, inf\), got nan"),
        ({"window": "10"}, TypeError, "window must be a number"),
        ({"hop": 0}, ValueError, r"hop must lie in \(0, 10\.0\], got 0"),
        ({"hop": 10.1}, ValueError, r"hop must lie in \(0, 10\.0\], got 10\.1"),
        ({"hop": None}, TypeError, "hop must be a number"),
        ({"batch_size": 0}, ValueError, r"batch_size must lie in \[1, inf\), got 0|batch_size must lie in"),
        ({"batch_size": 2.0}, TypeError, "batch_size must be an integer"),
        (
            {"precision": "float16"},
            ValueError,
            "precision must be one of 'float32', 'bfloat16', got 'float16'",
        ),
        ({"random_state": "seed"}, TypeError, "random_state must be an integer or None"),
        ({"random_state": -1}, ValueError, "random_state must lie in"),
        ({"device": "tpu"}, ValueError, "device must be"),
    ],
)
def test_a_parameter_out_of_range_is_named_with_the_rule(make, parameters, error, message):
    clips = noise(0.1)
    for method in ("fit", "transform", "predict_tags"):
        with pytest.raises(error, match=message):
            getattr(make().set_params(**parameters), method)(clips)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"variant": "mn10"}, ValueError, "must be one of 'passt_s_swa', .* got 'mn10'"),
        ({"output": "multilevel"}, ValueError, "output must be one of .*'tokens'.* got 'multilevel'"),
        ({"window": 10.5}, ValueError, r"window must lie in \[1, 10\.0\], got 10\.5"),
    ],
)
def test_passt_refuses_what_it_does_not_take(make, parameters, error, message):
    with pytest.raises(error, match=message):
        make("passt").set_params(**parameters).fit(noise(0.1))


@pytest.mark.parametrize("top", [0, 2.5, None])
def test_a_number_of_tags_out_of_range_is_named(make, top):
    with pytest.raises((TypeError, ValueError), match="top must"):
        make().predict_tags(noise(0.1), top=top)


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
    assert list(frame.columns) == [f"{name}_{output}{i}" for i in range(frame.shape[1])]
    assert list(embedding.get_feature_names_out()) == list(frame.columns)
    np.testing.assert_array_equal(frame.to_numpy(), make(family, output).fit_transform(clips))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("family", "output"), [(family, output) for family in FAMILIES for output in WITH_TIME[family]]
)
def test_outputs_with_time_have_no_names_of_columns(make, family, output):
    assert not hasattr(make(family, output), "get_feature_names_out")
    assert not hasattr(make(family, output), "set_output")


# Tags


@pytest.fixture
def class_table(tmp_path, monkeypatch):
    """A table of classes that are called by their number, where the store looks for it."""
    rows = [f'{i},/m/{i},"class {i}, so called"' for i in range(527)]
    (tmp_path / "class_labels_indices.csv").write_text("index,mid,display_name\n" + "\n".join(rows) + "\n")
    monkeypatch.setenv("SKAUDIO_AD_WEIGHTS", str(tmp_path))


@pytest.mark.parametrize("family", FAMILIES)
def test_tags_are_the_classes_of_the_largest_logits_with_their_probabilities(
    make, direct, class_table, family
):
    clips = noise(1.0, 0.4)
    for tags, clip in zip(make(family).predict_tags(clips, top=7), clips):
        logits = direct(family, "logits", clip).astype(np.float64)
        best = np.argsort(logits)[::-1][:7]
        assert [name for name, _ in tags] == [f"class {i}, so called" for i in best]
        np.testing.assert_allclose([p for _, p in tags], 1 / (1 + np.exp(-logits[best])), rtol=1e-4)
    assert [len(tags) for tags in make(family, "frames").predict_tags(clips)] == [5, 5]


def test_a_clip_that_could_not_be_read_has_no_tags(make, class_table, write_wavs):
    paths = write_wavs([9000] * 3, sample_rate=SAMPLE_RATE)
    Path(paths[1]).write_bytes(b"no audio")
    with pytest.warns(AudioReadWarning, match="left out"):
        tags = make().predict_tags(AudioLoader(SAMPLE_RATE, on_error="skip").fit_transform(paths))
    assert [len(clip) for clip in tags] == [5, 0, 5]


# In pipelines, and with real weights


def test_files_go_through_a_pipeline_to_scores(make, tmp_path):
    make_machine_sounds(6, 3, machine="valve", duration=1.0, output_dir=tmp_path, random_state=0)
    normal, anomalous = (
        sorted(map(str, (tmp_path / kind).glob("*.wav"))) for kind in ("normal", "anomalous")
    )
    pipeline = make_pipeline(AudioLoader(SAMPLE_RATE), make(), StandardScaler(), NearestNeighborsDetector())
    scores = pipeline.fit(normal).score_samples(normal + anomalous)
    assert scores.shape == (9,)
    assert np.isfinite(scores).all()
    assert scores[6:].max() < scores[:6].min()  # a training clip is its own nearest neighbour


def test_clips_of_normalised_level_go_through_a_pipeline_from_arrays(make):
    X = np.stack(noise(0.5, 0.5, 0.5))
    levelled = make_pipeline(LevelNormalizer(), make())
    assert_equal_up_to_rounding(levelled.fit_transform(4 * X), levelled.fit_transform(X))


@pytest.mark.real_data
def test_the_published_weights_separate_faulty_sliders(data_home, real_weights):
    sounds = load_mimii("slider", data_home=data_home)
    target, machine = sounds.target, sounds.metadata["machine_id"]
    train = np.zeros(len(target), dtype=bool)
    for identifier in np.unique(machine):
        train[np.flatnonzero((machine == identifier) & (target == 1))[:6]] = True
    pipeline = make_pipeline(
        AudioLoader(SAMPLE_RATE),
        LevelNormalizer(),
        MobileNetEmbedding("mn04"),
        StandardScaler(),
        NearestNeighborsDetector(metric="euclidean"),
    )
    paths = np.array(sounds.paths)
    pipeline.fit(list(paths[train]))
    assert roc_auc_score(target[~train], pipeline.score_samples(list(paths[~train]))) > 0.9


@pytest.mark.real_data
@pytest.mark.xfail(strict=True, reason="rounding the weights of the first blocks costs 4 to 10 %")
def test_bfloat16_embeds_recordings_within_a_hundredth_with_the_published_weights(data_home, real_weights):
    paths = load_esc10("Rain", data_home=data_home).paths[::100]
    exact, rough = (
        MobileNetEmbedding("mn04", precision=precision).fit_transform(paths)
        for precision in ("float32", "bfloat16")
    )
    assert (np.linalg.norm(exact - rough, axis=1) < 0.01 * np.linalg.norm(exact, axis=1)).all()


HEARD = {
    "Dog bark": {"Dog", "Bark"},
    "Rooster": {"Chicken, rooster", "Crowing, cock-a-doodle-doo"},
    "Rain": {"Rain", "Rain on surface", "Raindrop"},
    "Chainsaw": {"Chainsaw"},
    "Helicopter": {"Helicopter"},
    "Baby cry": {"Baby cry, infant cry", "Crying, sobbing"},
}


@pytest.mark.real_data
def test_the_published_weights_hear_what_is_to_be_heard(data_home, real_weights):
    n_heard = {}
    for category, classes in HEARD.items():
        sounds = load_esc10(category, data_home=data_home)
        paths = np.array(sounds.paths)[sounds.target == 1][::8]
        tags = MobileNetEmbedding("mn04").predict_tags(list(paths), top=5)
        assert len(tags) == 5
        n_heard[category] = sum(bool(classes & {name for name, _ in clip}) for clip in tags)
    # Of 30. Chainsaws and helicopters are often taken for other engines: 25 and 26 of all 40 are named.
    assert sum(n_heard.values()) >= 21
    assert min(n_heard.values()) >= 2
