"""Choose a detector without training it on anomalies: normal-only fits, splits and scorers."""

from ._label_free import inlier_variance_scorer, pseudo_anomaly_scorer
from ._normal_only import NormalOnly
from ._scorers import ANOMALY_SCORERS, get_anomaly_scorer, make_anomaly_scorer
from ._split import NormalOnlySplit
from ._train_test_split import normal_only_train_test_split

__all__ = [
    "ANOMALY_SCORERS",
    "NormalOnly",
    "NormalOnlySplit",
    "get_anomaly_scorer",
    "inlier_variance_scorer",
    "make_anomaly_scorer",
    "normal_only_train_test_split",
    "pseudo_anomaly_scorer",
]
