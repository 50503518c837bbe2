"""Metrics of anomaly detection: functions of labels (1 normal, -1 anomalous) and scores (higher = more normal)."""

from ._scores import anomaly_auc_score, bootstrap_interval, partial_auc_score

__all__ = ["anomaly_auc_score", "bootstrap_interval", "partial_auc_score"]
