import pickle
import warnings

import librosa
import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline

from skaudio_ad import AudioClips, AudioLoader, Augmenter, ClipScaler, MelTransformer, TemporalPooling
from skaudio_ad.audio import _clips, read_audio

FOR_WAVEFORMS = ("time_shift", "time_roll", "mixup", "noise", "pitch_shift")
FOR_SPECTROGRAMS = ("time_shift", "time_roll", "mixup", "time_mask", "frequency_mask")


@pytest.fixture
def waves(rng):
    return rng.uniform(-0.5, 0.5, (6, 4000)).astype(np.float32)


@pytest.fixture
def spectrograms(rng):
    return rng.uniform(-80, 0, (6, 20, 50)).astype(np.float32)


def varied(X, *args, seed=0, **kwargs):
    return Augmenter(*args, random_state=seed, **kwargs).fit_transform(X)


# --- training clips vary, clips to be scored do not


@pytest.mark.parametrize("method", FOR_WAVEFORMS)
def test_training_waveforms_vary_and_others_do_not(waves, method):
    augmenter = Augmenter(method, random_state=0)
    training = augmenter.fit_transform(waves)
    assert training.shape == waves.shape
    assert (training != waves).any(axis=1).sum() >= 5  # a draw of nothing is possible
    np.testing.assert_array_equal(augmenter.transform(waves), waves)


@pytest.mark.parametrize("method", FOR_SPECTROGRAMS)
def test_training_spectrograms_vary_and_others_do_not(spectrograms, method):
    augmenter = Augmenter(method, max_mask=0.4, random_state=0)
    training = augmenter.fit_transform(spectrograms)
    assert training.shape == spectrograms.shape
    assert (training != spectrograms).any(axis=(1, 2)).sum() >= 4
    np.testing.assert_array_equal(augmenter.transform(spectrograms), spectrograms)


class Spy(TransformerMixin, BaseEstimator):
    """Passes everything on and keeps what it saw last."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        self.seen = np.asarray(X)
        return X


def test_in_a_pipeline_the_detector_is_trained_on_variations_and_scores_the_clips_themselves(waves):
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


def test_a_random_state_moves_on_between_fits(waves):
    augmenter = Augmenter(random_state=np.random.RandomState(0))
    assert (augmenter.fit_transform(waves) != augmenter.fit_transform(waves)).any()


def test_the_global_generator_is_left_as_it_was(waves):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    varied(waves, FOR_WAVEFORMS)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_a_clip_varies_the_same_way_whenever_it_is_computed(waves):
    lazy = varied(AudioClips(waves, 16000), FOR_WAVEFORMS)
    together = np.asarray(lazy)
    np.testing.assert_array_equal(lazy[4], together[4])
    np.testing.assert_array_equal(lazy[[5, 1]][0], together[5])
    np.testing.assert_array_equal(together, varied(waves, FOR_WAVEFORMS))
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickle.dumps(lazy))), together)


# --- each method against its definition


@pytest.mark.parametrize("snr", [(0.0, 0.0), (20.0, 20.0), (-5.0, 5.0)])
def test_noise_reaches_the_ratio_asked_for(rng, snr):
    X = 10.0 ** rng.uniform(-4, 0, (30, 1)) * rng.standard_normal((30, 4000))
    noise = varied(X, "noise", snr=snr) - X
    measured = 10 * np.log10((X**2).mean(axis=1) / (noise**2).mean(axis=1))
    assert measured.min() >= snr[0] - 0.01
    assert measured.max() <= snr[1] + 0.01
    assert np.ptp(measured) >= 0.5 * (snr[1] - snr[0])
    correlation = np.corrcoef(noise[0][1:], noise[0][:-1])[0, 1]
    assert abs(correlation) < 0.08  # white


def test_noise_on_silence_is_silence():
    assert not varied(np.zeros((1, 100)), "noise").any()


def shift_of(x, moved):
    """The rolls that turn x into moved."""
    return [s for s in range(-(x.shape[-1] // 2), x.shape[-1] // 2 + 1) if (np.roll(x, s, -1) == moved).all()]


@pytest.mark.parametrize("max_shift", [0.1, 0.5])
def test_a_roll_keeps_every_sample_and_moves_no_further_than_allowed(rng, max_shift):
    X = rng.standard_normal((60, 50)).astype(np.float32)
    rolled = varied(X, "time_roll", max_shift=max_shift)
    np.testing.assert_array_equal(np.sort(rolled, axis=1), np.sort(X, axis=1))
    shifts = [shift_of(x, moved)[0] for x, moved in zip(X, rolled)]
    limit = int(max_shift * 50)
    assert -limit <= min(shifts) < -limit / 2
    assert limit / 2 < max(shifts) <= limit


def test_a_spectrogram_is_rolled_along_time_alone(spectrograms):
    for x, moved in zip(spectrograms, varied(spectrograms, "time_roll")):
        assert shift_of(x, moved)


def test_a_shift_fills_the_gap_with_silence(rng, spectrograms):
    X = rng.uniform(0.1, 1, (40, 50)).astype(np.float32)
    waves_and_spectrograms = [*zip(X, varied(X, "time_shift", max_shift=0.3))]
    waves_and_spectrograms += [*zip(spectrograms, varied(spectrograms, "time_shift", max_shift=0.3))]
    directions = set()
    for x, moved in waves_and_spectrograms:
        silence = 0 if x.ndim == 1 else x.min()
        candidates = []
        for shift in range(-15, 16):
            expected = np.full_like(x, silence)
            if shift < 0:
                expected[..., :shift] = x[..., -shift:]
            else:
                expected[..., shift:] = x[..., : x.shape[-1] - shift]
            if (expected == moved).all():
                candidates.append(shift)
        assert len(candidates) == 1
        directions.add(np.sign(candidates[0]))
    assert {-1, 1} <= directions


@pytest.mark.parametrize(("method", "axis"), [("time_mask", 1), ("frequency_mask", 0)])
@pytest.mark.parametrize("max_mask", [0.1, 0.4])
def test_a_mask_is_one_stripe_of_the_mean_no_wider_than_allowed(rng, method, axis, max_mask):
    X = rng.uniform(-80, 0, (80, 20, 50)).astype(np.float32)
    widths = []
    for x, masked in zip(X, varied(X, method, max_mask=max_mask)):
        changed = (masked != x).any(axis=1 - axis)
        assert (masked != x).all(axis=1 - axis).tolist() == changed.tolist()
        np.testing.assert_allclose(np.compress(changed, masked, axis), x.mean(), rtol=1e-5)
        positions = np.flatnonzero(changed)
        widths.append(len(positions))
        assert positions.tolist() == list(range(positions[0], positions[-1] + 1)) if widths[-1] else True
    limit = int(max_mask * X.shape[1 + axis])
    assert max(widths) == limit
    assert min(widths) == 0


@pytest.mark.parametrize("shape", [(30, 40), (30, 4, 40)])
def test_mixup_blends_in_less_than_half_of_one_other_clip(rng, shape):
    X = rng.standard_normal(shape).astype(np.float32)
    weights = []
    for x, mixed in zip(X, varied(X, "mixup", mixup_alpha=1.0)):
        # mixed = (1 - w) x + w other, for one other clip and one w.
        fits = []
        for other in X:
            direction = (other - x).ravel()
            w = direction @ (mixed - x).ravel() / max(direction @ direction, 1e-12)
            if np.allclose((1 - w) * x + w * other, mixed, atol=1e-4):
                fits.append(w)
        assert fits
        weights.append(max(fits))
    assert min(weights) >= 0
    assert 0.3 < max(weights) <= 0.5
    assert len(set(np.round(weights, 6))) > 20


def test_mixup_takes_clips_of_another_length():
    X = [np.zeros(10), np.ones(4)]
    mixed = [varied(X, "mixup", mixup_alpha=5.0, seed=seed) for seed in range(8)]
    longer = np.array([clips[0] for clips in mixed])
    assert longer.max() > 0.1
    np.testing.assert_allclose(longer, longer[:, :1] * np.ones(10))  # the short one is repeated, not padded


def test_a_pitch_shift_moves_a_tone_by_no_more_than_allowed():
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000).astype(np.float32)
    shifted = varied(np.tile(tone, (12, 1)), "pitch_shift", max_semitones=3.0)
    assert shifted.shape == (12, 16000)
    frequencies = np.fft.rfftfreq(16000, 1 / 16000)
    peaks = frequencies[np.abs(np.fft.rfft(shifted * np.hanning(16000))).argmax(axis=1)]
    semitones = 12 * np.log2(peaks / 1000)
    assert np.abs(semitones).max() <= 3.05
    assert semitones.min() < -1
    assert semitones.max() > 1


def test_the_rate_of_clips_decides_a_pitch_shift(waves, monkeypatch):
    rates = []
    monkeypatch.setattr(librosa.effects, "pitch_shift", lambda y, *, sr, **_: rates.append(sr) or y)
    np.asarray(varied(AudioClips(waves[:2], 8000), "pitch_shift"))
    varied(waves[:2], "pitch_shift", sample_rate=22050)
    assert rates == [8000, 8000, 22050, 22050]


def test_methods_are_applied_in_their_order():
    X = np.ones((10, 1000))
    # Noise first: the gap of the shift is silent. Noise last: it is not.
    first = varied(X, ("noise", "time_shift"))
    last = varied(X, ("time_shift", "noise"))
    assert (first == 0).sum() > 100
    assert (last == 0).sum() == 0


# --- kinds of input


def test_copies_are_appended_to_the_clips_themselves(waves):
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
def test_a_missing_clip_stays_missing_and_enters_no_other(spectrograms, method):
    spectrograms[1] = np.nan
    training = varied(spectrograms, method, n_copies=5)
    assert np.isnan(training).all(axis=(1, 2)).tolist() == [i % 6 == 1 for i in range(36)]
    assert np.isnan(training).any(axis=(1, 2)).tolist() == [i % 6 == 1 for i in range(36)]


@pytest.mark.parametrize("method", ["noise", "pitch_shift"])
def test_a_method_for_waveforms_refuses_spectrograms_with_the_way_out(spectrograms, method):
    for X in (spectrograms, list(spectrograms), MelTransformer(lazy=True).fit_transform(np.zeros((2, 2000)))):
        with pytest.raises(
            ValueError,
            match=f"{method} cannot be applied to spectrograms: put the Augmenter before MelTransformer",
        ):
            varied(X, ("time_roll", method))


@pytest.mark.parametrize("method", ["time_mask", "frequency_mask"])
def test_a_method_for_spectrograms_refuses_waveforms_with_the_way_out(waves, method):
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


def test_lazy_variations_stay_varied_through_the_steps_after_them():
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
