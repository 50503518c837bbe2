"""The summary of the page: counts, the promise of the threshold, the scores, and how well they fit the labels."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import roc_curve
from sklearn.pipeline import Pipeline

from .._typing import IntArray
from .._versions import package_versions
from ..detectors import FleetDetector
from ..inspection._drawing import histogram_edges
from ..metrics import anomaly_auc_score, bootstrap_interval
from ..recordings import ScoredRecording
from ..recordings._summary import (
    count_anomalies,
    describe_promise,
    false_alarm_rate,
    find_calibration_scores,
    find_shift,
)
from ..recordings._unwrap import inner_pipeline, last_step
from ..thresholds import ThresholdedDetector

# Confidence of the interval of the AUC.
_CONFIDENCE = 0.95


def make_summary(
    pipeline: Any, recordings: Sequence[ScoredRecording], labels: IntArray | None, notes: Sequence[str]
) -> dict[str, Any]:
    """Make the summary of the page.

    Parameters
    ----------
    pipeline : fitted estimator
    recordings : list of ScoredRecording
    labels : ndarray of shape (n_recordings,) or None
        1 for normal, -1 for anomalous, 0 for unknown.
    notes : list of str
        What the page cannot show, and why.

    Returns
    -------
    dict
        Numbers, texts, lists and dicts. A number may be NaN.
    """
    decisions = [recording.decision for recording in recordings]
    detector = last_step(pipeline)
    # The scores of two machines are on different scales.
    is_fleet = isinstance(detector, FleetDetector)
    values = np.array([each.margin if is_fleet else each.score for each in recordings], dtype=np.float64)
    auc, roc = _compare(values, decisions, labels)
    threshold = 0.0 if is_fleet else _offset(detector)
    shift = None if is_fleet else find_shift(pipeline, [recording.score for recording in recordings])
    counted = count_anomalies(pipeline, decisions)
    lines = [counted] if counted else []
    if is_fleet:
        lines += [
            describe_promise(pipeline),
            "The histogram and the curve show margins: scores minus thresholds.",
        ]
    if decisions.count("error") == len(decisions):
        lines.append("None of the recordings could be scored. The list gives the reason for each.")
    return {
        "counts": {
            "recordings": len(recordings),
            "anomalous": decisions.count("anomalous"),
            "normal": decisions.count("normal"),
            "errors": decisions.count("error"),
        },
        "threshold": threshold,
        "promise": None if is_fleet else _promise(detector),
        "shift": None if shift is None else {"shifted": bool(shift.shifted), "text": shift.summary},
        "lines": lines,
        "auc": auc,
        "detector": describe_detector(pipeline),
        "versions": package_versions(),
        "notes": list(notes),
        "histogram": _histogram(
            values, labels, threshold, None if is_fleet else find_calibration_scores(pipeline)
        ),
        "roc": roc,
    }


def describe_detector(pipeline: Any) -> str:
    """Describe the steps of a detector in one line.

    Parameters
    ----------
    pipeline : fitted estimator

    Returns
    -------
    str
    """
    pipeline = inner_pipeline(pipeline)
    steps = [step for _, step in pipeline.steps] if isinstance(pipeline, Pipeline) else [pipeline]
    return ", ".join(map(_describe_step, steps))


def _describe_step(step):
    if isinstance(step, Pipeline):
        return " and ".join(_describe_step(part) for _, part in step.steps)
    name = type(step).__name__
    if isinstance(step, (ThresholdedDetector, FleetDetector)):
        models = getattr(step, "detectors_", None) or [step.detector_]
        return f"{name} of {_describe_step(models[0])}"
    variant = getattr(step, "variant", None)
    return f"{name}({variant!r})" if isinstance(variant, str) else name


def _offset(detector):
    offset = getattr(detector, "offset_", None)
    return float(offset) if offset is not None and np.ndim(offset) == 0 and math.isfinite(offset) else None


def _promise(detector):
    rate, kind = false_alarm_rate(detector)
    reason = getattr(detector, "promise_reason_", None)
    if rate is None and not reason:
        return None
    reason = (
        reason
        or "The detector set the threshold by the scores of normal recordings that it was not trained on."
    )
    return {"rate": rate, "kind": kind or "none", "reason": reason}


def _histogram(values, labels, threshold, calibration):
    """Return the number of recordings per bin, for every label. None without a score."""
    finite = np.isfinite(values)
    if not finite.any():
        return None
    known = values[finite] if calibration is None else np.concatenate([values[finite], calibration])
    edges = histogram_edges(known, "auto", threshold)
    groups = {name: finite & _has_label(labels, label) for name, label in (("normal", 1), ("anomalous", -1))}
    groups["unlabelled"] = finite & ~groups["normal"] & ~groups["anomalous"]
    counts = {name: np.histogram(values[chosen], edges)[0].tolist() for name, chosen in groups.items()}
    return {
        "edges": edges.tolist(),
        **counts,
        "calibration": None if calibration is None else np.histogram(calibration, edges)[0].tolist(),
    }


def _has_label(labels, label):
    return False if labels is None else labels == label


def _compare(values, decisions, labels):
    """Return the AUC in words and the ROC curve, or None for both without labels of both kinds."""
    if labels is None:
        return None, None
    used = np.isfinite(values) & (labels != 0)
    y_true, scores = labels[used], values[used]
    if not ((y_true == 1).any() and (y_true == -1).any()):
        return None, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a draw of few recordings may be constant
        low, high = bootstrap_interval(anomaly_auc_score, y_true, scores, confidence=_CONFIDENCE)
    auc = anomaly_auc_score(y_true, scores)
    left_out = len(values) - int(used.sum())
    n_normal, n_anomalous = np.count_nonzero(y_true == 1), np.count_nonzero(y_true == -1)
    text = (
        f"AUC {auc:.3f}, {_CONFIDENCE:.0%} interval {low:.3f} to {high:.3f}, from {n_normal} normal and {n_anomalous} "
        "anomalous recordings"
    )
    if left_out:
        text += f"; {left_out} without a label or a score are left out"
    false_alarms, detections, _ = roc_curve(y_true == -1, -scores)
    alarms = np.array([decision == "anomalous" for decision in decisions])[used]
    at = [float(alarms[y_true == 1].mean()), float(alarms[y_true == -1].mean())]
    return {"text": f"{text}."}, {"fpr": false_alarms.tolist(), "tpr": detections.tolist(), "at": at}
