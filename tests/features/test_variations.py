"""Each variation of the Augmenter against its definition."""

import librosa
import numpy as np
import pytest

from skaudio_ad import AudioClips, Augmenter


def varied(X, *args, seed=0, **kwargs):
    return Augmenter(*args, random_state=seed, **kwargs).fit_transform(X)


@pytest.mark.parametrize("snr", [(0.0, 0.0), (20.0, 20.0), (-5.0, 5.0)])
def test_noise_has_a_signal_to_noise_ratio_in_the_range(rng, snr):
    X = 10.0 ** rng.uniform(-4, 0, (30, 1)) * rng.standard_normal((30, 4000))
    noise = varied(X, "noise", snr=snr) - X
    measured = 10 * np.log10((X**2).mean(axis=1) / (noise**2).mean(axis=1))
    assert measured.min() >= snr[0] - 0.01
    assert measured.max() <= snr[1] + 0.01
    assert np.ptp(measured) >= 0.5 * (snr[1] - snr[0])
    correlation = np.corrcoef(noise[0][1:], noise[0][:-1])[0, 1]
    assert abs(correlation) < 0.08  # the noise is white


def test_noise_on_silence_is_silence():
    assert not varied(np.zeros((1, 100)), "noise").any()


def shift_of(x, moved):
    """Return all rolls that turn x into moved."""
    return [s for s in range(-(x.shape[-1] // 2), x.shape[-1] // 2 + 1) if (np.roll(x, s, -1) == moved).all()]


@pytest.mark.parametrize("max_shift", [0.1, 0.5])
def test_a_roll_keeps_every_sample_and_stays_within_the_maximum_shift(rng, max_shift):
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
def test_a_mask_is_one_stripe_of_the_mean_and_stays_within_the_maximum_width(rng, method, axis, max_mask):
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
        # There must be one other clip and one w with mixed = (1 - w) x + w other.
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


def test_mixup_accepts_clips_of_another_length():
    X = [np.zeros(10), np.ones(4)]
    mixed = [varied(X, "mixup", mixup_alpha=5.0, seed=seed) for seed in range(8)]
    longer = np.array([clips[0] for clips in mixed])
    assert longer.max() > 0.1
    np.testing.assert_allclose(longer, longer[:, :1] * np.ones(10))  # the short clip is repeated, not padded


def test_a_pitch_shift_stays_within_the_maximum_shift():
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
    # If the noise comes first, the gap of the shift is silent. If the noise comes last, the gap holds noise.
    first = varied(X, ("noise", "time_shift"))
    last = varied(X, ("time_shift", "noise"))
    assert (first == 0).sum() > 100
    assert (last == 0).sum() == 0
