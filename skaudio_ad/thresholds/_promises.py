"""What a threshold's rate of false alarms is worth, given how the scores came about that it was selected from."""

from dataclasses import dataclass

import numpy as np

from .._base import FALSE_ALARM_RATE, conformal_rank, group_weights, lower_quantile
from ._cross_conformal import cross_conformal_bound
from ._selector import ESTIMATED, GUARANTEED, GUARANTEED_ON_AVERAGE, OBSERVED


@dataclass
class Promise:
    """A rate of false alarms and what it is worth.

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
    """What the fitted selector's rate is worth.

    Parameters
    ----------
    selector : fitted selector
    normal_scores : ndarray of shape (n_normal,)
        Of the normal clips that calibrate.
    way : {"held out", "ensemble", "refit"}
        Whether the detector is one that had not seen these clips, the models of all folds, or one trained again.
    groups : ndarray of shape (n_normal,), default=None
    fold_sizes : ndarray of shape (n_folds,), default=None
        Units that every fold holds out.

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
            "The scores that calibrate are those of the folds' models, and the detector was trained again on all "
            "normal clips: nothing is proved of its rate. ensemble=True has a proved bound, a fraction as cv a "
            "guarantee.",
        )
    reached = _reached_rate(selector.threshold_, normal_scores, rate, groups)
    bound = cross_conformal_bound(reached, fold_sizes, groups is not None)
    return Promise(
        rate,
        bound,
        ESTIMATED,
        f"A clip is compared with each fold's held-out {unit} by that fold's model (cross-conformal): {rate:.3g} is "
        f"what is expected, and at most {bound:.3g} is what is proved, on average over draws of the {unit}.",
    )


def _reached_rate(threshold, normal_scores, rate, groups):
    """The p-value that clips just below the threshold have; with equal scores at the threshold, more."""
    if groups is not None:
        return rate
    # Equal scores share a rank, and the bound is one of ranks.
    return np.count_nonzero(normal_scores <= threshold) / (len(normal_scores) + 1)


def _selectors_reason(selector, said):
    name = type(selector).__name__
    if said == ESTIMATED:
        return f"{name} extrapolates from the scores that calibrate: its rate holds if its assumptions do."
    if said == OBSERVED:
        return f"{name} chose the threshold by these clips: its rate is what was observed on them."
    return None


def fall_back(scores, groups=None):
    """A threshold from fewer normal clips than a promise takes.

    Parameters
    ----------
    scores : ndarray of shape (n_normal,)
    groups : ndarray of shape (n_normal,), default=None
        Group of every score; every group counts once.

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
    """Whether no threshold from so many scores, or groups, can promise the default rate."""
    return conformal_rank(group_weights(scores, groups)[1], FALSE_ALARM_RATE) < 1
