"""Judge the false-alarm rate of a threshold: guaranteed, estimated or observed, and with which bound."""

from dataclasses import dataclass

import numpy as np

from .._base import FALSE_ALARM_RATE, conformal_rank, group_weights, lower_quantile
from ._conformal import ConformalThreshold
from ._cross_conformal import cross_conformal_bound
from ._selector import ESTIMATED, GUARANTEED, GUARANTEED_ON_AVERAGE, OBSERVED


@dataclass
class Promise:
    """A false-alarm rate, and how strong the promise of this rate is.

    Attributes
    ----------
    false_alarm_rate_, false_alarm_bound_ : float or None
    promise_, promise_reason_ : str or None
    """

    false_alarm_rate_: float | None = None
    false_alarm_bound_: float | None = None
    promise_: str | None = None
    promise_reason_: str | None = None


def judge_promise(selector, normal_scores, way, groups=None, fold_sizes=None):
    """Judge the rate of a fitted selector.

    Parameters
    ----------
    selector : fitted selector
    normal_scores : ndarray of shape (n_normal,)
        Scores of the normal clips that calibrate.
    way : {"held out", "ensemble", "refit"}
        "held out": new clips are scored by the detector that had not seen the clips that calibrate. "ensemble": by the
        models of all folds. "refit": by a detector that was trained again on all clips.
    groups : ndarray of shape (n_normal,), default=None
    fold_sizes : ndarray of shape (n_folds,), default=None
        Number of clips, or groups, that every fold holds out.

    Returns
    -------
    Promise
    """
    rate, said = getattr(selector, "false_alarm_rate_", None), getattr(selector, "promise_", None)
    if said not in (GUARANTEED, GUARANTEED_ON_AVERAGE):
        return Promise(rate, None, said, _selectors_reason(selector, said))
    unit = "clips" if groups is None else "groups"
    if way == "held out":
        over = f"over draws of the {unit} that calibrate"
        reason = f"The detector was not trained on the {unit} that calibrate: "
        if said == GUARANTEED:
            reason += (
                f"with confidence {selector.confidence:g} the rate of this detector is at most {rate:.3g}."
            )
        else:
            reason += f"on average {over} the rate is at most {rate:.3g}."
        return Promise(rate, rate, said, reason)
    if way == "refit":
        return Promise(
            rate,
            None,
            ESTIMATED,
            "The models of the folds gave the scores that calibrate, but the detector was trained again on all normal "
            "clips: nothing is proved about its rate. ensemble=True has a proved bound, and a fraction as cv has a "
            "guarantee.",
        )
    reached = _reached_rate(selector.threshold_, normal_scores, rate, groups)
    bound = cross_conformal_bound(reached, fold_sizes, groups is not None)
    return Promise(
        rate,
        bound,
        ESTIMATED,
        f"The model of each fold compares a clip with the held-out {unit} of that fold (cross-conformal). The expected "
        f"rate is {rate:.3g}. The proved bound is {bound:.3g}, on average over draws of the {unit}.",
    )


def _reached_rate(threshold, normal_scores, rate, groups):
    """The p-value of clips just below the threshold. Equal scores at the threshold raise the p-value."""
    if groups is not None:
        return rate
    # The bound is proved for ranks, and equal scores share a rank.
    return np.count_nonzero(normal_scores <= threshold) / (len(normal_scores) + 1)


def _selectors_reason(selector, said):
    name = type(selector).__name__
    if said == ESTIMATED and isinstance(selector, ConformalThreshold):
        return selector.promise_reason_
    if said == ESTIMATED:
        return (
            f"{name} extrapolates from the scores that calibrate: the rate holds if the assumptions of this selector "
            "hold."
        )
    if said == OBSERVED:
        return f"{name} chose the threshold by these clips: the rate was observed on the same clips."
    return None


def promise_nothing():
    """The promise of a threshold that no clip raises an alarm at, because no clip calibrates."""
    return Promise(
        promise_reason_="There are one or two normal clips or groups, which do not show how much normal clips differ. "
        "No clip raises an alarm until set_threshold is called."
    )


def fall_back(scores, groups=None):
    """Threshold from fewer normal clips than a promise needs.

    Parameters
    ----------
    scores : ndarray of shape (n_normal,)
    groups : ndarray of shape (n_normal,), default=None
        Group of every score. Every group counts once.

    Returns
    -------
    threshold : float
    promise : Promise
    """
    needed = int(np.ceil(1 / FALSE_ALARM_RATE - 1e-6)) - 1
    unit = "clips" if groups is None else "groups"
    reason = (
        f"{group_weights(scores, groups)[1]} normal {unit} calibrate, and a promise of {FALSE_ALARM_RATE} takes "
        f"{needed}. The threshold is the lower end of a prediction interval, which assumes a distribution of scores."
    )
    return lower_quantile(scores, groups=groups), Promise(FALSE_ALARM_RATE, None, ESTIMATED, reason)


def is_too_few(scores, groups=None):
    """Whether there are too few scores, or groups, for a threshold that promises the default rate."""
    return conformal_rank(group_weights(scores, groups)[1], FALSE_ALARM_RATE) < 1
