"""`make_detector`: pipelines from recordings to calibrated decisions, on small networks with random weights."""

import pickle
import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
import soundfile
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import GridSearchCV

from skaudio_ad import (
    AudioClips,
    ECHOEmbedding,
    MelTransformer,
    MobileNetEmbedding,
    TemporalPooling,
    make_detector,
)
from skaudio_ad.persistence import load_detector, save_detector
from skaudio_ad.presets import HEADS
from skaudio_ad.recordings import score_recordings
from skaudio_ad.thresholds import check_shift, get_calibration_scores

from ..embeddings.small_backbones import BACKBONE, SAMPLE_RATE, noise

pytestmark = pytest.mark.filterwarnings("ignore:.* with weights=None has random weights:UserWarning")
TINY = BACKBONE["mobilenet"]


def small(head="nearest", **settings):
    return make_detector(
        TINY, head=head, weights=None, random_state=0, **{"output": "multilevel", **settings}
    )


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Paths of 24 recordings of noise in four folders, and of two recordings of tones."""
    root = tmp_path_factory.mktemp("recordings")
    paths = []
    for number, clip in enumerate(noise(*[0.2] * 24)):
        folder = root / f"machine_{number % 4}"
        folder.mkdir(exist_ok=True)
        paths.append(str(folder / f"id_{number % 6:02}_{number}.wav"))
        soundfile.write(paths[-1], clip, SAMPLE_RATE, subtype="FLOAT")
    for number in range(2):
        tone = 0.3 * np.sin(np.arange(6400) * (0.2 + number))
        paths.append(str(root / f"tone_{number}.wav"))
        soundfile.write(paths[-1], tone, SAMPLE_RATE, subtype="FLOAT")
    return paths


@pytest.fixture(scope="module")
def fitted(recordings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return small().fit(recordings[:22])


# --- what it is made of


def test_the_default_is_a_packaged_backbone_and_a_whitened_nearest_neighbour_with_a_conformal_threshold():
    pipeline = make_detector()
    assert list(pipeline.named_steps) == ["load", "level", "embed", "detector"]
    assert pipeline["load"].sample_rate == 32000
    assert (pipeline["level"].method, pipeline["embed"].variant, pipeline["embed"].output) == (
        "rms",
        "mini",
        ("block13", "block15"),
    )
    detector = pipeline["detector"]
    assert [type(step).__name__ for step in detector.detector] == [
        "ShrinkageWhitener",
        "NearestNeighborsDetector",
    ]
    assert list(detector.detector.named_steps) == ["whiten", "head"]
    assert (detector.selector.alpha, detector.selector.too_few, detector.cv) == (0.05, "estimate", "auto")
    for part in (
        "AudioLoader",
        "LevelNormalizer",
        "MobileNetEmbedding",
        "ShrinkageWhitener",
        "ConformalThreshold",
    ):
        assert part in repr(pipeline)
        assert part in pipeline._repr_html_()


def test_settings_reach_the_steps(tmp_path):
    pipeline = make_detector(
        "passt_s_swa",
        false_alarms=0.1,
        groups="folder",
        level=None,
        window=5.0,
        duration=3.0,
        on_error="skip",
        memory=str(tmp_path),
        n_jobs=2,
        random_state=7,
        precision="bfloat16",
    )
    assert list(pipeline.named_steps) == ["load", "embed", "detector"]
    assert (pipeline["load"].duration, pipeline["load"].on_error) == (3.0, "skip")
    embed = pipeline["embed"]
    assert (embed.variant, embed.output, embed.window, embed.n_jobs) == ("passt_s_swa", "clip", 5.0, 2)
    assert (embed.memory, embed.precision) == (str(tmp_path), "bfloat16")
    assert (pipeline["detector"].selector.alpha, pipeline["detector"].random_state, pipeline.groups) == (
        0.1,
        7,
        "folder",
    )


def test_auto_names_the_best_fast_backbone_on_the_disk(monkeypatch):
    here = ["passt_s_kd", "fisher_small", "fisher_tiny", "mn10", "mini"]
    monkeypatch.setattr("skaudio_ad.presets._make_detector.available_backbones", lambda **_: here)
    times = {"passt_s_kd": 90.0, "fisher_small": 10.1, "fisher_tiny": 9.9, "mn10": 1.0, "mini": 0.5}
    monkeypatch.setattr("skaudio_ad.presets._make_detector.relative_time", times.get)
    assert make_detector("auto")["embed"].variant == "mn10"
    assert make_detector("auto", sample_rate=48_000)["embed"].variant == "fisher_tiny"
    del times["mn10"]  # a backbone that was not timed may be slow
    assert make_detector("auto")["embed"].variant == "mini"
    here.remove("fisher_tiny")
    with pytest.raises(ValueError, match=r"'fisher_small' may be slow: name .* backbone='fisher_small'"):
        make_detector("auto", sample_rate=48_000)
    here.remove("fisher_small")
    with pytest.raises(ValueError, match=r"any sample rate, and the weights of none are on this machine"):
        make_detector("auto", sample_rate=48_000)


def test_any_transformer_of_waveforms_is_a_backbone_and_any_detector_is_a_head():
    pipeline = make_detector(MobileNetEmbedding("mn04", output="frames"), head=IsolationForest())
    assert (pipeline["load"].sample_rate, pipeline["embed"].output) == (32000, "frames")
    assert isinstance(pipeline["detector"].detector, IsolationForest)
    assert make_detector(MelTransformer(8000))["load"].sample_rate == 8000


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"backbone": "mini2"}, ValueError, "backbone must be one of 'mini'|backbone must be one of 'mn01'"),
        (
            {"backbone": 3},
            TypeError,
            "backbone must be a name, 'auto', a Backbone or a transformer of wave.*got 3",
        ),
        (
            {"backbone": MelTransformer(), "window": 5.0},
            ValueError,
            "window cannot be set here, because backbone is an estimator, MelTransformer: set the parameters",
        ),
        (
            {"backbone": ECHOEmbedding(weights=None)},
            ValueError,
            r"ECHOEmbedding\(weights=None\) takes any sample rate: set its sample_rate, in hertz",
        ),
        ({"backbone": TemporalPooling()}, ValueError, r"backbone TemporalPooling\(\) has no sample_rate"),
        (
            {"head": "knn"},
            ValueError,
            "head must be one of 'nearest', '5-nearest', 'mahalanobis', .*got 'knn'",
        ),
        ({"head": MelTransformer()}, TypeError, r"or a detector with score_samples, got MelTransformer\(\)"),
        ({"false_alarms": 0}, ValueError, r"false_alarms must lie in \(0, 1\), got 0"),
        ({"level": "loud"}, ValueError, "level must be one of 'rms', 'peak', None, got 'loud'"),
    ],
)
def test_bad_settings_raise_an_error_that_names_the_known_values(settings, error, message):
    with pytest.raises(error, match=message):
        make_detector(**settings)


# --- what it does


def test_noise_is_normal_and_a_tone_is_anomalous(fitted, recordings):
    assert fitted.predict(recordings[24:]).tolist() == [-1, -1]
    assert (fitted.predict(recordings[:22]) == 1).mean() > 0.8
    detector = fitted["detector"]
    assert (detector.promise_, detector.false_alarm_rate_) == ("estimated", pytest.approx(1 / 23))
    assert len(detector.detectors_) == 22


@pytest.mark.parametrize("head", HEADS)
def test_every_head_fits_and_finds_a_tone(head, recordings):
    pipeline = small(head).fit(recordings[:24])
    scores = pipeline.score_samples(recordings)
    assert np.isfinite(scores).all()
    assert scores[24:].max() < np.median(scores[:24])


@pytest.mark.parametrize("n_clips", [1, 2, 3, 5, 18])
def test_few_recordings_give_a_detector_with_an_honest_promise(n_clips, recordings):
    pipeline = small()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pipeline.fit(recordings[:n_clips])
    assert np.isfinite(pipeline.score_samples(recordings)).all()
    detector = pipeline["detector"]
    told = any("no threshold can be set" in str(warning.message) for warning in caught)
    assert told == (n_clips < 3)
    if n_clips < 3:
        assert detector.promise_ is None
    else:
        assert detector.promise_ == "estimated"
        assert f"{n_clips} normal clips calibrate, and a promise of 0.05 takes 19" in detector.promise_reason_


def test_paths_arrays_clips_and_a_column_give_the_same_scores(fitted, recordings):
    # A training clip has the score of a tie, which rounding decides. Therefore other clips are compared.
    expected = fitted.score_samples(recordings[22:])
    waves = [soundfile.read(path, dtype="float32")[0] for path in recordings[22:]]
    for X in (np.stack(waves), AudioClips(recordings[22:], SAMPLE_RATE), pd.Series(recordings[22:]), waves):
        np.testing.assert_allclose(fitted.score_samples(X), expected, rtol=1e-5)
    column = small().fit(pd.Series(recordings[:22], index=range(5, 27)))
    np.testing.assert_array_equal(column.score_samples(recordings[22:]), expected)


@pytest.mark.filterwarnings("ignore:the training set has problems:UserWarning")
@pytest.mark.parametrize("routed", [False, True])
def test_groups_come_from_the_call_or_from_the_paths(routed, recordings):
    with sklearn.config_context(enable_metadata_routing=routed):
        given = small().fit(recordings[:24], groups=np.arange(24) % 4)
        by_folder = small(groups="folder").fit(recordings[:24])
        by_name = small(groups="^(id_[0-9]+)_").fit(recordings[:24])
    np.testing.assert_array_equal(given["detector"].calibration_groups_, np.arange(24) % 4)
    np.testing.assert_array_equal(by_folder["detector"].calibration_groups_, np.arange(24) % 4)
    np.testing.assert_array_equal(by_name["detector"].calibration_groups_, np.arange(24) % 6)
    assert small().fit(recordings[:24])["detector"].calibration_groups_ is None


def test_groups_without_paths_or_without_a_match_raise_an_error(recordings):
    with pytest.raises(
        ValueError, match=r"groups='folder' reads .* but X holds no paths\. Pass paths, or pass"
    ):
        small(groups="folder").fit(np.ones((4, 6400)))
    with pytest.raises(
        ValueError, match=r"groups='\^\(x\)': '\^\(x\)' finds no group in the name of 24 of 24"
    ):
        small(groups="^(x)").fit(recordings[:24])


def test_a_search_sets_the_output_and_the_head(recordings):
    search = GridSearchCV(
        small(output="frames"),
        {"embed__output": ["clip", "multilevel"], "detector__detector__head__n_neighbors": [1, 2]},
        cv=2,
        scoring=lambda estimator, X, y=None: float(np.mean(estimator.predict(X) == 1)),
        error_score="raise",
    ).fit(recordings[:12])
    assert search.best_estimator_["embed"].output in ("clip", "multilevel")


def test_it_is_cloned_and_pickled(fitted, recordings):
    assert repr(clone(fitted)) == repr(small())
    expected = fitted.score_samples(recordings[22:])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).score_samples(recordings[22:]), expected)


def test_a_detector_on_the_packaged_backbone_is_saved_and_loads_without_a_network(
    recordings, tmp_path, monkeypatch
):
    monkeypatch.setenv("SKAUDIO_AD_OFFLINE", "1")
    pipeline = make_detector(groups="^(id_[0-9]+)_", random_state=0).fit(recordings[:12])
    save_detector(pipeline, tmp_path / "detector.skops")
    again = load_detector(tmp_path / "detector.skops")
    np.testing.assert_array_equal(
        again.score_samples(recordings[22:]), pipeline.score_samples(recordings[22:])
    )
    assert again["detector"].promise_reason_ == pipeline["detector"].promise_reason_
    assert again.groups == pipeline.groups


def test_recordings_are_scored_one_by_one_and_shifts_are_found(fitted, recordings):
    scored = list(score_recordings(fitted, recordings[22:]))
    assert [recording.decision for recording in scored[2:]] == ["anomalous", "anomalous"]
    np.testing.assert_allclose(
        [recording.score for recording in scored], fitted.score_samples(recordings[22:]), rtol=1e-5
    )
    assert all(len(recording.times) == 0 for recording in scored)  # vectors say nothing about time
    calibration = get_calibration_scores(fitted)
    assert check_shift(calibration, np.repeat(fitted.score_samples(recordings[24:]), 10)).shifted


def test_frames_say_when(recordings):
    pipeline = small(output="frames").fit(recordings[:24])
    (scored,) = score_recordings(pipeline, recordings[:1])
    assert len(scored.times) == len(scored.local_scores) > 0


def test_data_frames_pass_through(fitted, recordings):
    pipeline = small().set_output(transform="pandas").fit(recordings[:22])
    assert list(pipeline[:-1].transform(recordings[:2]).columns[:1]) == ["tiny_multilevel0"]
    expected = fitted.score_samples(recordings[22:])
    np.testing.assert_allclose(pipeline.score_samples(recordings[22:]), expected, rtol=1e-5)


# --- what spoils a training set


def test_copies_silence_and_mixed_rates_are_named(recordings, tmp_path):
    silent, slow = str(tmp_path / "silent.wav"), str(tmp_path / "slow.wav")
    copy = shutil.copy(recordings[0], tmp_path / "copy.wav")
    soundfile.write(silent, np.zeros(6400), SAMPLE_RATE)
    soundfile.write(slow, noise(0.2, seed=1)[0], 16000)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        small().fit([copy, *recordings[1:20], *recordings[:4], silent, slow])
    told = [str(w.message) for w in caught if "training" in str(w.message)]
    assert len(told) == 1, told  # the loader and the models of the folds do not repeat the warning
    _, silence, copies, rates, ending = told[0].splitlines()
    assert silence.startswith("silent: 1 of 26 recordings: ")
    assert f"{silent} (digital silence)" in silence
    assert copies.startswith("copies: 4 of 25 recordings: ")
    assert f"{recordings[0]} (same samples as {copy}), {recordings[1]} (listed more than once)" in copies
    assert f"{slow} (16000 Hz)" in rates
    assert "skaudio-ad check" in ending


def test_clean_recordings_raise_no_warning(recordings):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*random weights")
        small().fit(recordings[:24])


def test_a_broken_recording_is_left_out_or_named(recordings, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"broken\.wav"):
        small().fit([*recordings[:22], str(broken)])
    with pytest.warns(UserWarning, match=r"left out .*broken\.wav|1 of 23 clips could not be read"):
        pipeline = small(on_error="skip").fit([*recordings[:22], str(broken)])
    assert len(pipeline["detector"].calibration_scores_) == 22
    assert pipeline.predict([recordings[0], str(broken)])[1] == -1
