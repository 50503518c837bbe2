import numpy as np
import pytest
from sklearn.base import BaseEstimator

from skaudio_ad._input_checks import check_features
from skaudio_ad._lazy import LazySequence


@pytest.fixture
def estimator():
    return BaseEstimator()


def test_the_error_for_nan_among_numbers_names_the_clip(estimator):
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


def test_clips_need_the_number_of_bins_of_fit(estimator):
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
def test_the_error_for_a_bad_spectrogram_in_a_list_names_the_spectrogram(estimator, clip, message):
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


def test_the_error_for_a_wrong_number_of_dimensions_gives_the_right_shapes(estimator):
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
