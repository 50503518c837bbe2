"""Tables that the official evaluators of DCASE Task 2 print beside the metrics of Omega."""

import numpy as np
from scipy.stats import t as student_t
from sklearn.utils import Bunch

from ._scores import anomaly_auc_score, harmonic_mean_score, partial_auc_score

DOMAINS = ("source", "target")
_COLUMNS = ("auc", "partial_auc", "precision", "recall", "f1")


def arithmetic_mean(values):
    """Return the arithmetic mean as float."""
    return float(np.mean(values))


def decision_metrics(anomalous, alarms, domains):
    """Compute precision, recall and F1 of the clips of each domain. A ratio with the denominator 0 is 0.

    Parameters
    ----------
    anomalous, alarms : ndarray of bool of shape (n_clips,)
    domains : ndarray of str of shape (n_clips,)

    Returns
    -------
    dict of {str: float}
    """
    row = {}
    for name in ("precision", "recall", "f1"):
        for domain in DOMAINS:
            chosen = domains == domain
            n_alarms, n_anomalous = np.count_nonzero(alarms & chosen), np.count_nonzero(anomalous & chosen)
            n_trials = {"precision": n_alarms, "recall": n_anomalous, "f1": (n_alarms + n_anomalous) / 2}[
                name
            ]
            row[f"{name}_{domain}"] = np.count_nonzero(anomalous & alarms & chosen) / max(n_trials, 0.5)
    return row


def mean_tables(sections, year):
    """Compute the means of every metric, of every machine and of all machines.

    Parameters
    ----------
    sections : list of dict
        Rows with `machine`, `section` and the metrics.
    year : int

    Returns
    -------
    dict of {str: list of dict}
        `machine_means` and `overall_means`.
    """
    kinds = {"arithmetic": arithmetic_mean} | ({} if year == 2020 else {"harmonic": harmonic_mean_score})
    domains = ("all",) if year == 2020 else ("all", *DOMAINS)
    means = [(name, mean, domain) for name, mean in kinds.items() for domain in domains]

    def row(sections, name, mean, domain):
        columns = _columns(sections, domain).items()
        return {"mean": name, "domain": domain} | {column: mean(values) for column, values in columns}

    of_machine: dict = {}
    for section in sections:
        of_machine.setdefault(section["machine"], []).append(section)
    machine_means = [
        {"machine": name} | row(own, *mean) for name, own in of_machine.items() for mean in means
    ]
    # In 2020 every machine has the same weight, as in Omega.
    overall_means = [row(machine_means if year == 2020 else sections, *mean) for mean in means]
    return {"machine_means": machine_means, "overall_means": overall_means}


def _columns(sections, domain):
    """Return the values of every metric of some sections: of one domain, or of all domains."""
    suffixes = DOMAINS if domain == "all" else (domain,)
    columns = {}
    for name in _COLUMNS:
        names = [f"{name}_{suffix}" for suffix in suffixes if f"{name}_{suffix}" in sections[0]]
        names = names or [name] * (name in sections[0])
        if names:
            columns[name] = [row[full] for row in sections for full in names]
    return columns


def jackknife_intervals(anomalous, anomaly_scores):
    """Estimate AUC and partial AUC of all clips by leaving out one clip at a time.

    Parameters
    ----------
    anomalous : ndarray of bool of shape (n_clips,)
    anomaly_scores : ndarray of shape (n_clips,)
        Higher is more anomalous.

    Returns
    -------
    Bunch
        `auc`, `auc_ci95`, `partial_auc`, `partial_auc_ci95` and `ci95`, floats.
    """
    # Clips of one kind are interchangeable if no clip of the other kind has a score between theirs, or the same score.
    groups = np.empty((len(anomalous), 3), dtype=np.int64)
    for kind in (False, True):
        others, own = np.sort(anomaly_scores[anomalous != kind]), anomalous == kind
        groups[own, 0] = kind
        groups[own, 1] = np.searchsorted(others, anomaly_scores[own], side="left")
        groups[own, 2] = np.searchsorted(others, anomaly_scores[own], side="right")
    _, first, group = np.unique(groups, axis=0, return_index=True, return_inverse=True)
    group = group.reshape(-1)
    result = {}
    for name, metric in (("auc", anomaly_auc_score), ("partial_auc", partial_auc_score)):
        y_true, scores, n_clips = np.where(anomalous, -1, 1), -anomaly_scores, len(anomalous)
        left_out = [metric(np.delete(y_true, clip), np.delete(scores, clip)) for clip in first]
        values = np.array(left_out)[group]
        estimate = n_clips * metric(y_true, scores) - (n_clips - 1) * values.mean()
        error = np.sqrt(np.sum((values - values.mean()) ** 2) * (n_clips - 1) / n_clips)
        result |= {name: float(estimate), f"{name}_ci95": float(student_t.ppf(0.975, n_clips - 1) * error)}
    return Bunch(**result, ci95=(result["auc_ci95"] + result["partial_auc_ci95"]) / 2)
