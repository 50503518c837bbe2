"""Conformal p-values from weighted calibration scores."""

import numpy as np


def sort_and_accumulate(scores, weights):
    """Sort the scores, and sum the weights up to each score.

    Parameters
    ----------
    scores, weights : ndarray of shape (n_scores,)

    Returns
    -------
    sorted_scores, weight_up_to : ndarray of shape (n_scores,)
    """
    order = np.argsort(scores, kind="stable")
    return scores[order], np.cumsum(weights[order])


def weight_at_or_below(sorted_scores, weight_up_to, scores):
    """Total weight of the calibration scores at or below each of `scores`.

    Parameters
    ----------
    sorted_scores, weight_up_to : ndarray of shape (n_calibration,)
        From :func:`sort_and_accumulate`.
    scores : ndarray of shape (n_clips,)

    Returns
    -------
    ndarray of shape (n_clips,), float64
    """
    return np.append(0.0, weight_up_to)[np.searchsorted(sorted_scores, scores, side="right")]


def weighted_p_values(calibration_scores, weights, scores):
    """``(1 + weight of the calibration scores at or below the score) / (1 + weight of all of them)``.

    Parameters
    ----------
    calibration_scores, weights : ndarray of shape (n_calibration,)
        A clip weighs 1, or 1 / (number of clips of its group).
    scores : ndarray of shape (n_clips,)

    Returns
    -------
    ndarray of shape (n_clips,), float64
        NaN where the score is NaN.
    """
    below = weight_at_or_below(*sort_and_accumulate(calibration_scores, weights), scores)
    return np.where(np.isnan(scores), np.nan, (1 + below) / (1 + np.rint(weights.sum())))
