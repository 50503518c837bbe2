"""Train the models of the folds, and score clips with all models that are kept."""

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Bunch
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from .._clip_calls import fit_clips, score_clips, score_windows
from .._lazy import take
from ._cross_conformal import split_off_shared_steps

# Relation between the detector that scores new clips and the models that gave the calibration scores.
HELD_OUT, ENSEMBLE, REFIT, NONE = "held out", "ensemble", "refit", "none"


def take_prefit(detector, ensemble, X):
    """Return the same Bunch as :func:`fit_models` for a detector that has been trained on other clips."""
    if ensemble is True:
        raise ValueError(
            'ensemble=True keeps the models of several folds, and cv="prefit" has one model: pass ensemble="auto" or '
            "False."
        )
    try:
        check_is_fitted(detector)
    except NotFittedError as error:
        raise NotFittedError(
            f'cv="prefit" takes a detector that has been trained, but this {type(detector).__name__} has not. Fit the '
            "detector first, and wrap the detector in sklearn.frozen.FrozenEstimator, because a clone loses the fit."
        ) from error
    scores = score_clips(detector, X)
    return Bunch(
        way=HELD_OUT, models=[detector], scores=scores, tested=np.ones(len(scores), bool), folds=None
    )


def fit_models(detector, X, usable, splits, params, *, ensemble, n_jobs):
    """Train a detector for every fold, and one more on all clips unless the models of the folds are kept.

    Parameters
    ----------
    detector : estimator
        It is cloned.
    X : array-like of clips
    usable : ndarray of shape (n_clips,), bool
        Normal clips that can be read.
    splits : list of (ndarray of int, ndarray of int)
        Positions to train on and to score. Without any, no clip calibrates.
    params : dict
        Parameters of ``fit``.
    ensemble : "auto" or bool
    n_jobs : int or None

    Returns
    -------
    Bunch
        ``way`` : one of the four constants of this module.
        ``models`` : the models that score new clips.
        ``scores`` : scores of all clips by models that had not seen them. A clip that several models scored gets the
        mean.
        ``tested`` : mask of the clips that have a score.
        ``folds`` : for an ensemble, the position in ``models`` of the model that had not seen each clip, else None.
    """
    keep = _keeps_models(detector, splits, usable, ensemble)
    if keep:  # all models score the anomalous clips later
        splits = [(train, test[usable[test]]) for train, test in splits]
    made = Parallel(n_jobs=n_jobs if len(splits) > 1 else None)(
        delayed(_fit_and_score)(clone(detector), X, train, test, params, keep or len(splits) == 1)
        for train, test in splits
    )
    total, n_models = np.zeros(len(usable)), np.zeros(len(usable))
    folds = np.full(len(usable), -1)
    for number, ((_, test), (scores, _)) in enumerate(zip(splits, made)):
        total[test] += scores
        n_models[test] += 1
        folds[test] = number
    models = [model for _, model in made]
    if keep:
        way = ENSEMBLE
    elif len(splits) == 1:
        way = HELD_OUT
    else:
        models = [fit_clips(clone(detector), X, np.flatnonzero(usable), params)]
        way = NONE if not splits else HELD_OUT if isinstance(detector, FrozenEstimator) else REFIT
    scores = total / np.maximum(n_models, 1)
    return Bunch(way=way, models=models, scores=scores, tested=n_models > 0, folds=folds if keep else None)


def _fit_and_score(detector, X, train, test, params, keep):
    """Train on the clips at `train`, and score the clips at `test`. Return the scores, and the model if `keep`."""
    detector = fit_clips(detector, X, train, params)
    scores = score_clips(detector, take(X, test)) if len(test) else np.empty(0)
    return scores, detector if keep else None


def _keeps_models(detector, splits, usable, ensemble):
    """Whether the models of the folds score new clips. Raise if ``ensemble=True`` is impossible."""
    if ensemble is False or not splits:
        return False
    times_tested = np.zeros(len(usable), dtype=int)
    for _, test in splits:
        times_tested[test] += 1
    if len(splits) == 1 or isinstance(detector, FrozenEstimator):
        obstacle = "keeps the models of several folds, and there is one model here"
    elif times_tested[usable].max(initial=0) > 1:
        obstacle = (
            "needs folds that test a normal clip once at most, and one clip is tested by "
            f"{times_tested[usable].max()} of them"
        )
    else:
        return True
    if ensemble is True:
        raise ValueError(f'ensemble=True {obstacle}: pass cv=5, or ensemble="auto".')
    return False


def scores_by_all(detectors, X):
    """Scores of every clip by every model, shape (n_models, n_clips). Shared first steps run once."""
    shared, rests = split_off_shared_steps(detectors)
    X = X if shared is None else shared.transform(X)
    return np.array([score_clips(detector, X) for detector in rests])


def mean_windows(detectors, X):
    """Mean over the models of the scores of every frame or window: one array, or a list with an array a clip."""
    shared, rests = split_off_shared_steps(detectors)
    X = X if shared is None else shared.transform(X)
    made = [score_windows(detector, X) for detector in rests]
    if isinstance(made[0], np.ndarray):
        return np.mean(made, axis=0)
    return [np.mean(scores, axis=0) for scores in zip(*made)]
