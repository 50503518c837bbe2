"""Metrics of anomaly detection: functions of labels (1 normal, -1 anomalous) and scores (higher is more normal)."""

from ._bootstrap import bootstrap_interval
from ._dcase import dcase_scores
from ._dcase_submission import read_submission, write_submission
from ._scores import (
    anomaly_auc_score,
    anomaly_average_precision_score,
    anomaly_fbeta_score,
    harmonic_mean_score,
    partial_auc_score,
    separation_ratio,
    tpr_at_fpr_score,
)

__all__ = [
    "anomaly_auc_score",
    "anomaly_average_precision_score",
    "anomaly_fbeta_score",
    "bootstrap_interval",
    "dcase_scores",
    "harmonic_mean_score",
    "partial_auc_score",
    "read_submission",
    "separation_ratio",
    "tpr_at_fpr_score",
    "write_submission",
]
