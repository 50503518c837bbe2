"""What displays of thresholds share: reading them, and the rates of their decisions."""

import textwrap
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils import column_or_1d

from .._checks import check_number
from ..recordings._unwrap import last_step
from ._drawing import MARKERS, check_labels

# Inches of a square picture with a long legend beside it.
WIDE = (9.6, 4.8)
# What selectors say of their rates, in words.
_PROMISES = {
    "guaranteed": "guaranteed {}",
    "guaranteed on average": "guaranteed {} on average",
    "estimated": "estimated {}",
    "observed": "{} where chosen",
}


@dataclass(frozen=True)
class Threshold:
    """A threshold and what is known of it.

    Parameters
    ----------
    name : str
    value : float
        On the scale of ``score_samples``.
    false_alarm_rate : float or None, default=None
        What its selector expects.
    promise : str or None, default=None
        What that is worth: "guaranteed", "guaranteed on average", "estimated" or "observed".
    bound : float or None, default=None
        What is proved where the rate is an estimate.
    """

    name: str
    value: float
    false_alarm_rate: float | None = None
    promise: str | None = None
    bound: float | None = None


def read_thresholds(thresholds, offset=None):
    """Numbers and selectors by name, as a list of `Threshold`.

    Parameters
    ----------
    thresholds : float, selector, dict of them by name, or None
        A single one is called "threshold". Selectors, and whatever else has a ``threshold_``, are fitted.
    offset : float, default=None
        Goes in front of them, as "threshold", unless another one is called that.

    Returns
    -------
    list of Threshold

    Raises
    ------
    TypeError
        If one of them is neither a number nor a selector.
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
    """The estimator's own threshold, if it has one, by the name "threshold", and behind it the `thresholds`.

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
        offset = float(np.asarray(detector.offset_).item())  # OneClassSVM has an array
        # ThresholdedDetector says more than a number.
        said = [
            getattr(detector, f"{name}_", None)
            for name in ("false_alarm_rate", "promise", "false_alarm_bound")
        ]
        own["threshold"] = Threshold("threshold", offset, *said)
    return own | _by_name(thresholds)


def split_scores(y_true, scores):
    """Scores of normal and of anomalous clips, and how many of all have none.

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
    """False-alarm rate and detection rate of every threshold, by its name.

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
    """What the selectors say of their false-alarm rates, in words and by name; nothing of mere numbers.

    Parameters
    ----------
    thresholds : list of Threshold
    show : callable
        Turns a rate into words.

    Returns
    -------
    dict of str to str
        Such as "guaranteed 0.05".
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
    """Mark thresholds, each with a marker and an entry of the legend.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    points : dict of str to tuple of float
        Two rates, by name: the false-alarm rate, and the one that `second` says.
    color : str
    second : str
        Such as "detected".
    promises : dict of str to str
        What :func:`promises` says.
    show : callable
        Turns a rate into words.
    places : dict of str to tuple of float, default=None
        Where to draw them, if not at their rates.
    """
    for index, (name, rates) in enumerate(points.items()):
        # What is promised makes the line long: the name has one of its own then.
        start, promise = (f"{name}:\n   ", f" ({promises[name]})") if name in promises else (f"{name}: ", "")
        ax.plot(
            *(places or points)[name],
            MARKERS[index % len(MARKERS)],
            color=color,
            markerfacecolor="none",  # two thresholds in one place can both be seen
            markeredgewidth=2,
            markersize=9,
            label=wrap(f"{start}false alarms {show(rates[0])}{promise}, {second} {show(rates[1])}"),
            clip_on=False,
        )


def place_legend(ax):
    """The legend inside where it is short, else beside the axes: inside, curves leave a long one no place."""
    handles = ax.get_legend_handles_labels()[0]
    beside = {"loc": "center left", "bbox_to_anchor": (1.02, 0.5)} if len(handles) > 4 else {}
    if beside:
        ax.set_anchor("W")  # all the room that a square leaves is the legend's
    ax.legend(fontsize="small", **beside)


def wrap(text):
    """The text with its lines no longer than a legend has room for."""
    lines = [textwrap.fill(line, 60, subsequent_indent="   ") for line in text.split("\n")]
    return "\n".join(lines)


def fraction(rate):
    """A rate in words: "0.0012", "0.05", "0.61"."""
    return f"{rate:.2g}" if 0 < rate < 0.005 else f"{rate:.2f}"


def percent(rate):
    """A rate in words: "0.12 %", "4.8 %", "61 %"."""
    rate = 100 * rate
    return f"{rate:.2g} %" if rate < 9.95 else f"{rate:.0f} %"
