"""Tables that the official evaluators of DCASE Task 2 print beside the metrics of Omega."""

import numpy as np
from scipy.stats import t as student_t
from sklearn.utils import Bunch

from ._scores import harmonic_mean_score

DOMAINS = ("source", "target")
#: Maximum false positive rate of the partial AUC.
MAX_FPR = 0.1
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
    row: dict[str, float] = {}
    for name in ("precision", "recall", "f1"):
        for domain in DOMAINS:
            chosen = domains == domain
            n_alarms, n_anomalous = int(np.sum(alarms & chosen)), int(np.sum(anomalous & chosen))
            n_trials = {"precision": n_alarms, "recall": n_anomalous, "f1": (n_alarms + n_anomalous) / 2}[
                name
            ]
            n_hits = int(np.sum(anomalous & alarms & chosen))
            row[f"{name}_{domain}"] = n_hits / n_trials if n_trials else 0.0
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

    Raises
    ------
    ValueError
        If there are fewer than two normal or two anomalous clips.
    """
    if min(np.sum(anomalous), np.sum(~anomalous)) < 2:
        raise ValueError(
            f"the jackknife needs two normal and two anomalous clips, got {np.sum(~anomalous)} and {np.sum(anomalous)}."
        )
    places = np.unique(-anomaly_scores, return_inverse=True)[1].reshape(-1)
    counts = [
        np.bincount(places, weights=kind, minlength=places.max() + 1) for kind in (anomalous, ~anomalous)
    ]
    # Clips of one kind with equal scores give one value, which is computed once.
    kinds, codes = np.unique(2 * places + anomalous, return_inverse=True)
    left_out = np.array([_areas(*_without(counts, code // 2, code % 2 == 1)) for code in kinds])
    values, n_clips = left_out[codes.reshape(-1)], len(anomalous)
    estimates = n_clips * np.array(_areas(*counts)) - (n_clips - 1) * values.mean(axis=0)
    errors = np.sqrt(np.sum((values - values.mean(axis=0)) ** 2, axis=0) * (n_clips - 1) / n_clips)
    widths = student_t.ppf(0.975, n_clips - 1) * errors
    return Bunch(
        auc=float(estimates[0]),
        auc_ci95=float(widths[0]),
        partial_auc=float(estimates[1]),
        partial_auc_ci95=float(widths[1]),
        ci95=float(widths.mean()),
    )


def _without(counts, place, is_anomalous):
    """Return the counts of anomalous and normal clips without one clip."""
    less = [kind.copy() for kind in counts]
    less[0 if is_anomalous else 1][place] -= 1
    return less


def _areas(n_anomalous, n_normal):
    """Return the area under the ROC and its part up to `MAX_FPR`, standardised after McClish.

    Parameters
    ----------
    n_anomalous, n_normal : ndarray of shape (n_scores,)
        Number of clips of every score, from the most anomalous score on.
    """
    hits = np.concatenate([[0], np.cumsum(n_anomalous)]) / n_anomalous.sum()
    alarms = np.concatenate([[0], np.cumsum(n_normal)]) / n_normal.sum()
    inside = alarms <= MAX_FPR
    x, y = np.append(alarms[inside], MAX_FPR), np.append(hits[inside], np.interp(MAX_FPR, alarms, hits))
    least = MAX_FPR**2 / 2
    return np.trapezoid(hits, alarms), 0.5 * (1 + (np.trapezoid(y, x) - least) / (MAX_FPR - least))
