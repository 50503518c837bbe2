"""scikit-learn's own checks on every estimator."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from .instances import instances

_AUGMENTS = "fit_transform augments the training clips, transform leaves clips to be scored alone: that is the contract"
_KNOWS_ITS_OWN = (
    "a training clip is its own nearest neighbour: predict calls none anomalous, fit_predict leaves it out"
)
_NO_SINGLE_THRESHOLD = "every machine has a threshold of its own, so there is no offset_"
_FITS_ITS_STEPS = "a Pipeline fits its steps, which are parameters: scikit-learn's own fails these checks too"
_HOLDS_OUT = "fit_predict decides about a training clip by models that were not trained on it, predict by the final one"
_LEAVES_OUT = (
    "the threshold and fit_predict go by leave-one-out scores: predict calls fewer training clips anomalous"
)

_EXPECTED = {
    "Augmenter": {
        "check_transformer_general": _AUGMENTS,
        "check_transformer_data_not_an_array": _AUGMENTS,
    },
    "BandMemoryDetector": {
        "check_outliers_train": _KNOWS_ITS_OWN,
        "check_outliers_fit_predict": _KNOWS_ITS_OWN,
    },
    "DetectorPipeline": {
        "check_dont_overwrite_parameters": _FITS_ITS_STEPS,
        "check_estimators_overwrite_params": _FITS_ITS_STEPS,
        "check_outliers_train": _KNOWS_ITS_OWN,
        "check_outliers_fit_predict": _KNOWS_ITS_OWN,
    },
    "FleetDetectorOfOneMachine": {"check_outliers_train": _NO_SINGLE_THRESHOLD},
    "MahalanobisDetector": {
        "check_outliers_train": _LEAVES_OUT,
        "check_outliers_fit_predict": _LEAVES_OUT,
    },
    "NearestNeighborsDetector": {
        "check_outliers_train": _KNOWS_ITS_OWN,
        "check_outliers_fit_predict": _KNOWS_ITS_OWN,
    },
    "ScoreEnsemble": {
        "check_outliers_train": _LEAVES_OUT,
        "check_outliers_fit_predict": _LEAVES_OUT,
    },
    "ThresholdedDetectorWithoutLabels": {"check_outliers_fit_predict": _HOLDS_OUT},
}


@parametrize_with_checks(
    list(instances()), expected_failed_checks=lambda e: _EXPECTED.get(type(e).__name__, {})
)
@pytest.mark.filterwarnings("ignore:Empty filters detected:UserWarning")
@pytest.mark.filterwarnings("ignore:[A-Za-z]+Embedding with weights=None has random weights:UserWarning")
def test_estimator_meets_scikit_learns_contract(estimator, check):
    check(estimator)
