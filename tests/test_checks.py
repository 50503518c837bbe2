import numpy as np
import pytest
from sklearn.base import BaseEstimator

from skaudio_ad._checks import check_number, check_option
from skaudio_ad._input_checks import check_features
from skaudio_ad._lazy import LazySequence


@pytest.fixture
def estimator():
    return BaseEstimator()


@pytest.mark.parametrize(
    ("closed", "accepted"),
    [("both", [0, 0.5, 1]), ("left", [0, 0.5]), ("right", [0.5, 1]), ("neither", [0.5])],
)
def test_exactly_the_numbers_of_the_interval_are_accepted(closed, accepted):
    def is_accepted(value):
        try:
            check_number(value, "x", low=0, high=1, closed=closed)
        except ValueError:
            return False
        return True

    assert [v for v in (-0.1, 0, 0.5, 1, 1.1, float("nan")) if is_accepted(v)] == accepted


@pytest.mark.parametrize(
    ("bounds", "interval"),
    [
        ({"low": 1}, r"\[1, inf\]"),
        ({"low": 1, "high": 9, "closed": "left"}, r"\[1, 9\)"),
        ({"low": 1, "high": 9, "closed": "right"}, r"\(1, 9\]"),
        ({"low": 1, "closed": "neither"}, r"\(1, inf\)"),
    ],
)
def test_a_number_outside_is_refused_with_its_name_the_interval_and_the_value(bounds, interval):
    with pytest.raises(ValueError, match=rf"^n_mels must lie in {interval}, got -2\.$"):
        check_number(-2, "n_mels", **bounds)


@pytest.mark.parametrize(
    ("value", "options", "wanted"),
    [
        ("3", {}, "a number"),
        (True, {}, "a number"),
        (None, {}, "a number"),
        (2.0, {"integer": True}, "an integer"),
        (np.bool_(True), {"integer": True, "none": True}, "an integer or None"),
        ([1], {"none": True}, "a number or None"),
    ],
)
def test_what_is_no_number_is_refused_with_what_would_be(value, options, wanted):
    with pytest.raises(TypeError, match=rf"^hop_length must be {wanted}, got "):
        check_number(value, "hop_length", **options)


def test_numbers_of_numpy_are_numbers():
    check_number(np.int64(3), "x", low=3, integer=True)
    check_number(np.float32(0.5), "x", high=1)
    check_number(None, "x", low=0, none=True)
    with pytest.raises(ValueError, match="x must lie in"):
        check_number(np.int64(2), "x", low=3, integer=True)


def test_an_unknown_option_is_refused_with_the_known_ones():
    check_option(None, "norm", ("slaney", None))
    with pytest.raises(ValueError, match=r"^norm must be one of 'slaney', None, got 'l2'\.$"):
        check_option("l2", "norm", ("slaney", None))


def test_nan_among_numbers_is_refused_and_its_clip_named(estimator):
    X = np.zeros((4, 3, 5))
    X[2, 1, 4] = np.nan
    with pytest.raises(ValueError, match=r"NaN among numbers, first in clip 2\..*could not be read"):
        check_features(estimator, X, reset=True)


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 5)])
def test_a_clip_that_is_nan_throughout_passes(estimator, shape):
    X = np.zeros(shape)
    X[1] = np.nan
    np.testing.assert_array_equal(check_features(estimator, X, reset=True), X)


def test_infinity_is_refused(estimator):
    with pytest.raises(ValueError, match="infinity"):
        check_features(estimator, np.array([[1.0, np.inf]]), reset=True)


def test_the_bins_of_fit_are_asked_for_afterwards(estimator):
    check_features(estimator, np.zeros((2, 3, 5)), reset=True)
    assert estimator.n_features_in_ == 3
    check_features(estimator, np.zeros((2, 3, 9)), reset=False)
    with pytest.raises(ValueError, match=r"4 features.*expecting 3"):
        check_features(estimator, np.zeros((2, 4, 5)), reset=False)
    with pytest.raises(ValueError, match="clip 1 has 4 bins, but BaseEstimator expects 3"):
        check_features(estimator, [np.zeros((3, 5)), np.zeros((4, 5))], reset=False)
    with pytest.raises(ValueError, match="clip 0 has 4 bins, but BaseEstimator expects 3"):
        check_features(estimator, LazySequence(np.zeros((2, 4, 5))), reset=False)


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (np.zeros((3, 0)), r"clip 1 is empty, its shape is \(3, 0\)"),
        (np.zeros((3, 5, 2)), r"clip 1 must be \(n_bins, n_frames\), got shape \(3, 5, 2\)"),
        (np.array([[0.0, np.nan]] * 3), "clip 1 contains NaN or infinity"),
        (np.full((3, 2), np.inf), "clip 1 contains NaN or infinity"),
        (np.zeros((2, 5)), "clip 1 has 2 bins, but BaseEstimator expects 3"),
    ],
)
def test_a_spectrogram_in_a_list_that_breaks_a_rule_is_named(estimator, clip, message):
    with pytest.raises(ValueError, match=message):
        check_features(estimator, [np.zeros((3, 5)), clip], reset=True)


def test_spectrograms_of_different_lengths_are_a_list(estimator):
    X = [np.zeros((3, 5)), np.ones((3, 2)), np.full((3, 1), np.nan)]
    checked = check_features(estimator, X, reset=True)
    assert [item.shape for item in checked] == [(3, 5), (3, 2), (3, 1)]
    assert estimator.n_features_in_ == 3


def test_a_lazy_sequence_passes_unchanged(estimator):
    X = LazySequence(np.zeros((2, 3, 5)))
    assert check_features(estimator, X, reset=True) is X
    assert estimator.n_features_in_ == 3


@pytest.mark.parametrize("X", [[], (), LazySequence([])], ids=repr)
def test_no_clips_at_all_are_refused(estimator, X):
    with pytest.raises(ValueError, match="BaseEstimator got no clips: X has 0 samples, at least 1"):
        check_features(estimator, X, reset=True)


def test_the_wrong_number_of_dimensions_is_refused_with_the_right_ones(estimator):
    with pytest.raises(
        ValueError, match=r"takes X of shape \(n_clips, n_bins, n_frames\), got \(4, 3\)\. Time is"
    ):
        check_features(estimator, np.zeros((4, 3)), reset=True, ndims=(3,))
    with pytest.raises(ValueError, match=r"\(n_clips, n_features\) or .*got \(2, 3, 4, 5\)"):
        check_features(estimator, np.zeros((2, 3, 4, 5)), reset=True)
    with pytest.raises(
        ValueError, match=r"takes X of shape \(n_clips, n_features\), got a list of spectrograms"
    ):
        check_features(estimator, [np.zeros((3, 5))], reset=True, ndims=(2,))
