"""The difference of two channels against its formula."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skaudio_ad import AudioLoader, ChannelResidual, NearestNeighborsDetector, NormalOnly, NormalOnlySplit
from skaudio_ad._lazy import LazySequence
from skaudio_ad.datasets import make_machine_sounds
from skaudio_ad.model_selection import get_anomaly_scorer


def expected(clip, alpha):
    half = len(clip) // 2
    return np.array([clip[i] - alpha * clip[half + i] for i in range(half)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("shape", [(6,), (6, 5), (6, 3, 5)])
def test_the_far_half_is_subtracted_from_the_near_half(rng, shape, dtype):
    X = (rng.normal(size=(4, *shape)) * 10).astype(dtype)
    made = ChannelResidual(0.3).fit(X).transform(X)
    np.testing.assert_allclose(made, [expected(clip, 0.3) for clip in X], rtol=1e-6, atol=1e-6)
    assert made.dtype == (np.float32 if dtype == np.int64 else dtype)
    if len(shape) > 1:
        listed = ChannelResidual(0.3).fit_transform([X[0], X[1][..., :2]])
        np.testing.assert_allclose(listed[1], expected(X[1][..., :2], 0.3), rtol=1e-6, atol=1e-6)


def test_lazy_sequences_stay_lazy(rng):
    X = rng.normal(size=(3, 4, 5)).astype(np.float32)
    made = ChannelResidual(1.0).fit_transform(LazySequence(X))
    assert isinstance(made, LazySequence)
    np.testing.assert_array_equal(made[2], X[2, :2] - X[2, 2:])


def test_a_clip_of_nan_stays_nan_and_others_do_not_change(rng):
    X = rng.normal(size=(3, 4))
    alone = ChannelResidual().fit(X).transform(X[:1])
    X[1] = np.nan
    made = ChannelResidual().fit(X).transform(X)
    np.testing.assert_array_equal(made[:1], alone)
    assert np.isnan(made).all(axis=1).tolist() == [False, True, False]


def test_an_odd_number_of_features_is_refused():
    with pytest.raises(ValueError, match=r"odd number, n_features=3: embed clips of AudioLoader"):
        ChannelResidual().fit(np.ones((2, 3)))
    with pytest.raises(ValueError, match="odd number, n_features=5"):
        ChannelResidual().fit([np.ones((5, 2, 2))])
    with pytest.raises(ValueError, match=r"alpha must lie in \[0, inf\], got -1"):
        ChannelResidual(-1).fit(np.ones((2, 4)))


def test_names_of_other_features_are_refused():
    residual = ChannelResidual().fit(np.ones((2, 4)))
    assert residual.get_feature_names_out().tolist() == ["x0", "x1"]
    assert residual.get_feature_names_out(["near_a", "b", "far_a", "b"]).tolist() == [
        "residual_a",
        "residual_b",
    ]
    with pytest.raises(ValueError, match="must name 4 features, got 2 names"):
        residual.get_feature_names_out(["a", "b"])


def band_powers_of_two_microphones():
    """Powers of a machine in loud common noise in 32 bands. The far microphone hears the machine 20 dB weaker."""
    made = make_machine_sounds(40, 20, machine="fan", snr=np.inf, severity=1.0, duration=1.0, random_state=0)
    machine = made.waveforms / made.waveforms.std(axis=1, keepdims=True)
    # The noise is loud, and its level differs from clip to clip, as traffic does.
    rng = np.random.default_rng(1)
    noise = rng.normal(size=machine.shape) * rng.uniform(1.0, 6.0, size=(len(machine), 1))
    channels = AudioLoader(16000, channel="near-far").fit_transform(
        np.stack([machine + noise, 0.1 * machine + noise], axis=1) / 10
    )
    power = np.abs(np.fft.rfft(np.asarray(channels))[..., :8000]) ** 2
    return power.reshape(*power.shape[:2], 32, -1).mean(axis=-1).reshape(len(power), -1), made.target


def test_a_search_over_alpha_finds_a_weight_that_detects_better_than_the_near_microphone_alone():
    X, target = band_powers_of_two_microphones()
    pipeline = Pipeline([("residual", ChannelResidual()), ("detector", NearestNeighborsDetector())])
    search = GridSearchCV(
        NormalOnly(pipeline),
        {"estimator__residual__alpha": [0.0, 0.5, 1.0]},
        scoring=get_anomaly_scorer("anomaly_auc"),
        cv=NormalOnlySplit(3),
    ).fit(X, target)
    near, half, whole = search.cv_results_["mean_test_score"]
    assert whole > half > near
    assert whole > near + 0.1
    assert search.best_estimator_.estimator_["residual"].alpha == 1.0
