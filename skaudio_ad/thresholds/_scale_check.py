"""Check that the models of the folds score on the same scale as a detector trained on all clips."""

import warnings

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from .._clip_calls import end_of_pipeline, fit_clips, score_clips
from .._lazy import take

# Number of models that are trained to compare scales. Five models compare a quarter of the clips.
_N_MODELS = 5
# Share of the clips that each of these models leaves out. With a small share, the scale of such a model is nearly that
# of a detector trained on all clips.
_LEFT_OUT = 0.05
# Maximum shift of the median clip, in deviations of the held-out scores. In simulations nearest neighbours, isolation
# forests and densities of few features stay below 0.3. Where the false-alarm rate is off by a factor of two, the shift
# is 0.5 or more.
_LARGEST_SHIFT = 0.4
# Minimum share of the clips that are shifted to the same side. Scores of a forest differ between seeds, but to both
# sides.
_AGREEING = 0.9


def warn_of_another_scale(detector, X, scores, positions, params, *, groups, random_state):
    """Warn if the scores of the folds' models lie on another scale than the scores of the final detector.

    The final detector has seen every clip and cannot be compared directly. Therefore a few more models are trained,
    each on 19 of 20 clips, and score the clips that they have not seen.

    Parameters
    ----------
    detector : estimator
        It is cloned.
    X : array-like of clips
    scores : ndarray of shape (n_clips,)
        Scores by the models of the folds.
    positions : ndarray of int
        Normal clips with a score.
    params : dict
        Parameters of ``fit``.
    groups : ndarray of shape (n_clips,) or None
        Clips of a group are left out together.
    random_state : int, RandomState instance or None
    """
    positions = positions[np.isfinite(scores[positions])]
    members = positions if groups is None else groups[positions]
    units = check_random_state(random_state).permutation(np.unique(members))
    n_left_out = max(1, round(_LEFT_OUT * len(units)))
    shifts = []
    for start in range(0, min(len(units), _N_MODELS * n_left_out), n_left_out):
        is_left_out = np.isin(members, units[start : start + n_left_out])
        if is_left_out.all():
            return
        model = fit_clips(clone(detector), X, positions[~is_left_out], params)
        left_out = positions[is_left_out]
        shifts.append(score_clips(model, take(X, left_out)) - scores[left_out])
    of_clips = np.concatenate(shifts)
    shift, spread = np.median(of_clips), _deviation(scores[positions])
    agreeing = np.mean(np.sign(of_clips) == np.sign(shift))
    if abs(shift) > _LARGEST_SHIFT * spread and agreeing >= _AGREEING:
        side, what = ("lower", "fewer") if shift > 0 else ("higher", "more")
        warnings.warn(
            f"the models of the folds score clips on another scale than a {type(end_of_pipeline(detector)).__name__} "
            f"trained on nearly all clips: {abs(shift):.3g} {side}, where scores vary by {spread:.3g}. The threshold "
            f"raises {what} alarms than promised, false ones and others. Pass ensemble=True, or a fraction as cv.",
            stacklevel=4,
        )


def _deviation(scores):
    """Standard deviation estimated by the median distance from the median. A few far scores do not change it."""
    return 1.4826 * np.median(np.abs(scores - np.median(scores)))
