import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline

from skaudio_ad import AudioClips, AudioLoader, Augmenter, ClipScaler, MelTransformer, TemporalPooling
from skaudio_ad.audio import _clips, read_audio

FOR_WAVEFORMS = ("time_shift", "time_roll", "mixup", "noise", "pitch_shift")
FOR_SPECTROGRAMS = ("time_shift", "time_roll", "mixup", "time_mask", "frequency_mask")


def varied(X, *args, seed=0, **kwargs):
    return Augmenter(*args, random_state=seed, **kwargs).fit_transform(X)


# --- only training clips are varied


@pytest.mark.parametrize("method", FOR_WAVEFORMS)
def test_only_training_waveforms_are_varied(waves, method):
    augmenter = Augmenter(method, random_state=0)
    training = augmenter.fit_transform(waves)
    assert training.shape == waves.shape
    assert (training != waves).any(axis=1).sum() >= 5  # a drawn shift may be 0
    np.testing.assert_array_equal(augmenter.transform(waves), waves)


@pytest.mark.parametrize("method", FOR_SPECTROGRAMS)
def test_only_training_spectrograms_are_varied(spectrograms, method):
    augmenter = Augmenter(method, max_mask=0.4, random_state=0)
    training = augmenter.fit_transform(spectrograms)
    assert training.shape == spectrograms.shape
    assert (training != spectrograms).any(axis=(1, 2)).sum() >= 4
    np.testing.assert_array_equal(augmenter.transform(spectrograms), spectrograms)


class Spy(TransformerMixin, BaseEstimator):
    """Transformer that returns its input and keeps the last one."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        self.seen = np.asarray(X)
        return X


def test_in_a_pipeline_the_detector_trains_on_variations_and_scores_unchanged_clips(waves):
    spy = Spy()
    pipeline = make_pipeline(
        Augmenter(("time_roll", "noise"), random_state=0),
        spy,
        MelTransformer(n_mels=8),
        TemporalPooling(),
        IsolationForest(n_estimators=5, random_state=0),
    ).fit(waves)
    np.testing.assert_array_equal(spy.seen, varied(waves, ("time_roll", "noise")))
    assert (spy.seen != waves).all(axis=1).any()
    for score in (pipeline.score_samples, pipeline.decision_function, pipeline.predict):
        score(waves)
        np.testing.assert_array_equal(spy.seen, waves)


# --- seeds


def test_the_seed_decides_the_variation(waves):
    np.testing.assert_array_equal(varied(waves, seed=3), varied(waves, seed=3))
    assert (varied(waves, seed=3) != varied(waves, seed=4)).any()


def test_a_generator_gives_new_variations_in_every_fit(waves):
    augmenter = Augmenter(random_state=np.random.RandomState(0))
    assert (augmenter.fit_transform(waves) != augmenter.fit_transform(waves)).any()


def test_the_global_generator_stays_unchanged(waves):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    varied(waves, FOR_WAVEFORMS)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_variation_of_a_clip_does_not_depend_on_the_order_of_access(waves):
    lazy = varied(AudioClips(waves, 16000), FOR_WAVEFORMS)
    together = np.asarray(lazy)
    np.testing.assert_array_equal(lazy[4], together[4])
    np.testing.assert_array_equal(lazy[[5, 1]][0], together[5])
    np.testing.assert_array_equal(together, varied(waves, FOR_WAVEFORMS))
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickle.dumps(lazy))), together)


# --- kinds of input


def test_copies_are_appended_to_the_unchanged_clips(waves):
    training = varied(waves, "noise", n_copies=2)
    assert training.shape == (18, 4000)
    np.testing.assert_array_equal(training[:6], waves)
    for copy in (training[6:12], training[12:]):
        np.testing.assert_array_less(0.5, [np.corrcoef(a, b)[0, 1] for a, b in zip(copy, waves)])
        assert (copy != waves).any(axis=1).all()
    assert (training[6:12] != training[12:]).any(axis=1).all()


def test_clips_stay_lazy_and_keep_their_rate(write_wavs, monkeypatch):
    decoded = []

    def read(path, *args, **kwargs):
        decoded.append(path)
        return read_audio(path, *args, **kwargs)

    monkeypatch.setattr(_clips, "read_audio", read)
    paths = write_wavs([800] * 5, sample_rate=8000)
    clips = varied(AudioLoader(8000).fit_transform(paths), n_copies=1)
    assert isinstance(clips, AudioClips)
    assert (len(clips), clips.sample_rate) == (10, 8000)
    assert decoded == []
    assert clips[7].shape == (800,)
    assert decoded == [paths[2]]
    np.testing.assert_array_equal(np.sort(clips[7]), np.sort(clips[2]))


def test_lazy_spectrograms_stay_lazy(write_wavs):
    lazy = MelTransformer(lazy=True).fit_transform([*write_wavs([16000] * 2), "missing.wav"])
    augmented = varied(lazy, "frequency_mask")
    assert len(augmented) == 3
    assert augmented[0].shape == (128, 32)
    with pytest.raises(ValueError, match=r"missing\.wav: no such file"):
        augmented[2]


@pytest.mark.parametrize("kind", [list, tuple])
def test_clips_of_different_lengths_are_a_list(rng, kind):
    X = kind(rng.standard_normal(n).astype(np.float32) for n in (30, 20))
    rolled = varied(X)
    for x, moved in zip(X, rolled):
        np.testing.assert_array_equal(np.sort(moved), np.sort(x))
    for x, same in zip(X, Augmenter().fit(X).transform(X)):
        np.testing.assert_array_equal(same, x)


@pytest.mark.parametrize("method", FOR_SPECTROGRAMS)
def test_a_missing_clip_stays_missing_and_changes_no_other_clip(spectrograms, method):
    spectrograms[1] = np.nan
    training = varied(spectrograms, method, n_copies=5)
    assert np.isnan(training).all(axis=(1, 2)).tolist() == [i % 6 == 1 for i in range(36)]
    assert np.isnan(training).any(axis=(1, 2)).tolist() == [i % 6 == 1 for i in range(36)]


@pytest.mark.parametrize("method", ["noise", "pitch_shift"])
def test_a_method_for_waveforms_refuses_spectrograms_and_says_how_to_fix_it(spectrograms, method):
    for X in (spectrograms, list(spectrograms), MelTransformer(lazy=True).fit_transform(np.zeros((2, 2000)))):
        with pytest.raises(
            ValueError,
            match=f"{method} cannot be applied to spectrograms: put the Augmenter before MelTransformer",
        ):
            varied(X, ("time_roll", method))


@pytest.mark.parametrize("method", ["time_mask", "frequency_mask"])
def test_a_method_for_spectrograms_refuses_waveforms_and_says_how_to_fix_it(waves, method):
    for X in (waves, list(waves), AudioClips(waves, 16000)):
        with pytest.raises(
            ValueError,
            match=f"{method} cannot be applied to waveforms: put the Augmenter after MelTransformer",
        ):
            varied(X, ("time_roll", method))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"methods": "reverb"}, "methods must be one of 'time_shift', 'time_roll', .*, got 'reverb'"),
        ({"max_shift": 1.5}, r"max_shift must lie in \[0, 1\], got 1\.5"),
        ({"snr": (30, 10)}, r"snr must be a pair \(lowest, highest\) in dB, got \(30, 10\)"),
        ({"snr": (1, 2, 3)}, r"snr must be a pair"),
        ({"max_semitones": -1}, r"max_semitones must lie in \[0, inf\], got -1"),
        ({"max_mask": 1.0}, r"max_mask must lie in \[0, 1\), got 1\.0"),
        ({"mixup_alpha": 0}, r"mixup_alpha must lie in \(0, inf\), got 0"),
        ({"n_copies": -1}, r"n_copies must lie in \[0, inf\], got -1"),
    ],
)
def test_a_parameter_out_of_range_is_refused_in_fit(waves, settings, message):
    with pytest.raises(ValueError, match=message):
        Augmenter(**settings).fit(waves)


def test_a_short_clip_can_be_shifted_in_pitch_without_a_warning(rng):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert varied(rng.standard_normal((2, 300)), "pitch_shift").shape == (2, 300)


def test_lazy_variations_stay_varied_after_later_steps():
    noise = np.random.default_rng(0).normal(0, 0.1, size=(3, 8000)).astype(np.float32)
    lazy = MelTransformer(lazy=True).fit_transform(AudioClips(list(noise), 16000))
    varied = Augmenter("time_roll", n_copies=1, random_state=0).fit_transform(lazy)
    scaled = ClipScaler("minmax", "dataset").fit_transform(varied)
    array = np.asarray(varied)
    expected = (array - array.min()) / (array.max() - array.min())
    assert len(scaled) == 6
    np.testing.assert_allclose(np.asarray(scaled), expected, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(scaled[[4, 0]]), np.asarray(scaled)[[4, 0]])
    assert not np.allclose(array[:3], array[3:])
