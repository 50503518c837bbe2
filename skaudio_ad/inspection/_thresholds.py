"""Read thresholds, compute the rates of their decisions, and draw them, for several displays."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils import column_or_1d

from .._checks import check_number
from ..recordings._unwrap import last_step
from ._drawing import MARKERS, check_labels

#: Thresholds to mark: a number or a fitted selector, or several of them by name.
Thresholds: TypeAlias = Mapping[str, Any] | float | BaseEstimator | None

# Size in inches of a square picture with a long legend beside the axes.
WIDE = (9.6, 4.8)
# Text of a promised rate for every value of `promise_`.
_PROMISES = {
    "guaranteed": "guaranteed {}",
    "guaranteed on average": "guaranteed {} on average",
    "estimated": "estimated {}",
    "observed": "{} where chosen",
}


@dataclass(frozen=True)
class Threshold:
    """A threshold with its promised false-alarm rate.

    Parameters
    ----------
    name : str
    value : float
        Threshold on the scale of ``score_samples``.
    false_alarm_rate : float or None, default=None
        False-alarm rate that the selector expects.
    promise : str or None, default=None
        How reliable the rate is: "guaranteed", "guaranteed on average", "estimated" or "observed".
    bound : float or None, default=None
        Proved upper bound of the false-alarm rate, if the rate is an estimate.
    """

    name: str
    value: float
    false_alarm_rate: float | None = None
    promise: str | None = None
    bound: float | None = None


def read_thresholds(thresholds, offset=None):
    """Turn numbers and selectors into a list of `Threshold`.

    Parameters
    ----------
    thresholds : float, selector, dict of them by name, or None
        A single threshold gets the name "threshold". Selectors must be fitted: the attribute ``threshold_`` is read.
    offset : float, default=None
        Threshold that becomes the first one, with the name "threshold". A threshold of this name in `thresholds`
        replaces `offset`.

    Returns
    -------
    list of Threshold

    Raises
    ------
    TypeError
        If a threshold is neither a number nor a selector.
    NotFittedError
        If a selector is not fitted.
    """
    first = {} if offset is None else {"threshold": offset}
    return [_read_threshold(name, given) for name, given in (first | _by_name(thresholds)).items()]


def _by_name(thresholds):
    if thresholds is None or isinstance(thresholds, dict):
        return {str(name): given for name, given in (thresholds or {}).items()}
    return {"threshold": thresholds}


def _read_threshold(name, given):
    if isinstance(given, Threshold):
        return given
    value = getattr(given, "threshold_", given)
    if value is given and hasattr(given, "fit"):
        raise NotFittedError(
            f"the threshold {name!r} is {given!r:.100}, which has no threshold_: fit the selector first, on scores of "
            "clips that the detector was not trained on."
        )
    check_number(value, f"the threshold {name!r}", low=-np.inf, high=np.inf, closed="neither")
    rate, promise = getattr(given, "false_alarm_rate_", None), getattr(given, "promise_", None)
    return Threshold(name, float(value), rate, promise)


def add_own_threshold(estimator, thresholds):
    """Return the threshold of the estimator with the name "threshold", followed by the `thresholds`.

    Estimators without ``offset_`` add no threshold.

    Parameters
    ----------
    estimator : fitted detector or Pipeline
    thresholds : float, selector, dict of them by name, or None

    Returns
    -------
    dict of str to Threshold, float or selector
    """
    detector = last_step(estimator)
    own = {}
    if hasattr(detector, "offset_"):
        offset = float(np.asarray(detector.offset_).item())  # OneClassSVM stores an array
        # A ThresholdedDetector also has the promise of its selector.
        promised = [
            getattr(detector, f"{name}_", None)
            for name in ("false_alarm_rate", "promise", "false_alarm_bound")
        ]
        own["threshold"] = Threshold("threshold", offset, *promised)
    return own | _by_name(thresholds)


def split_scores(y_true, scores):
    """Split scores into those of normal and of anomalous clips, and count the clips without a score.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,)
        1 normal, -1 anomalous.
    scores : array-like of shape (n_clips,)
        NaN for a clip that could not be read.

    Returns
    -------
    normal : ndarray of shape (n_normal,)
    anomalous : ndarray of shape (n_anomalous,)
    n_left_out : int
    """
    scores = column_or_1d(scores, dtype=np.float64)
    scored = ~np.isnan(scores)
    if np.isinf(scores).any():
        raise ValueError(
            f"scores must be finite, got infinity for clip {np.flatnonzero(np.isinf(scores))[0]}."
        )
    y_true = check_labels(np.asarray(y_true), len(scores))
    return scores[scored & (y_true == 1)], scores[scored & (y_true == -1)], np.count_nonzero(~scored)


def rate_points(normal, anomalous, thresholds):
    """Compute the false-alarm rate and the detection rate of every threshold, by name.

    Parameters
    ----------
    normal : ndarray of shape (n_normal,)
    anomalous : ndarray of shape (n_anomalous,)
    thresholds : list of Threshold

    Returns
    -------
    dict of str to tuple of float
    """
    return {
        threshold.name: (
            float((normal < threshold.value).mean()),
            float((anomalous < threshold.value).mean()),
        )
        for threshold in thresholds
    }


def promises(thresholds, show):
    """Describe the promised false-alarm rates of selectors, by name. Thresholds that are numbers are left out.

    Parameters
    ----------
    thresholds : list of Threshold
    show : callable
        Function that turns a rate into a text.

    Returns
    -------
    dict of str to str
        Texts such as "guaranteed 0.05".
    """
    words = {}
    for threshold in thresholds:
        if threshold.promise is not None:
            pattern = _PROMISES.get(threshold.promise, f"{threshold.promise} {{}}")
            words[threshold.name] = pattern.format(show(threshold.false_alarm_rate))
            if threshold.bound is not None and threshold.bound > threshold.false_alarm_rate:
                words[threshold.name] += f", proved at most {show(threshold.bound)}"
    return words


def draw_points(ax, points, color, second, promises, show, places=None):
    """Mark every threshold with a marker and an entry of the legend.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    points : dict of str to tuple of float
        Two rates by name: the false-alarm rate, and the rate that `second` names.
    color : str
    second : str
        Name of the second rate, such as "detected".
    promises : dict of str to str
        Result of :func:`promises`.
    show : callable
        Function that turns a rate into a text.
    places : dict of str to tuple of float, default=None
        Positions of the markers. By default a marker is drawn at its two rates.
    """
    for index, (name, rates) in enumerate(points.items()):
        # The name gets a line of its own if there is a promise, because the promise makes the line long.
        start, promise = (f"{name}:\n   ", f" ({promises[name]})") if name in promises else (f"{name}: ", "")
        ax.plot(
            *(places or points)[name],
            MARKERS[index % len(MARKERS)],
            color=color,
            markerfacecolor="none",  # hollow, so that two thresholds at one place can both be seen
            markeredgewidth=2,
            markersize=9,
            label=wrap(f"{start}false alarms {show(rates[0])}{promise}, {second} {show(rates[1])}"),
            clip_on=False,
        )


def place_legend(ax):
    """Place a legend of up to four entries inside the axes, and a longer legend beside the axes.

    Curves leave no room for a long legend inside.
    """
    handles = ax.get_legend_handles_labels()[0]
    beside = {"loc": "center left", "bbox_to_anchor": (1.02, 0.5)} if len(handles) > 4 else {}
    if beside:
        ax.set_anchor("W")  # the legend gets all the room beside the square axes
    ax.legend(fontsize="small", **beside)


def wrap(text):
    """Break the lines of a text at 60 characters, the room of a legend."""
    lines = [textwrap.fill(line, 60, subsequent_indent="   ") for line in text.split("\n")]
    return "\n".join(lines)


def fraction(rate):
    """Format a rate: "0.0012", "0.05", "0.61"."""
    return f"{rate:.2g}" if 0 < rate < 0.005 else f"{rate:.2f}"


def percent(rate):
    """Format a rate in percent: "0.12 %", "4.8 %", "61 %"."""
    rate = 100 * rate
    return f"{rate:.2g} %" if rate < 9.95 else f"{rate:.0f} %"
