"""Warnings about training sets in which distances to the other clips set no sensible threshold."""

import warnings

import numpy as np

from .._checks import users_level

# Largest fraction of training clips with a copy that passes without a warning. With a larger fraction the threshold,
# which is set for one false alarm in twenty, lies at the distance of copies.
_FEW_COPIES = 0.05


def warn_of_one_clip():
    """Warn that a single training clip sets no threshold."""
    warnings.warn(
        "one training clip has no other to be compared with: no threshold can be set, and no clip raises an "
        "alarm. score_samples works. Pass more clips.",
        UserWarning,
        stacklevel=users_level(),
    )


def warn_of_copies(is_copy):
    """Warn if many training clips have a copy.

    Parameters
    ----------
    is_copy : ndarray of bool of shape (n_clips,)
    """
    n_copies, n_clips = np.count_nonzero(is_copy), len(is_copy)
    if n_copies > _FEW_COPIES * n_clips:
        warnings.warn(
            f"{n_copies} of {n_clips} training clips have a copy among the others, at a distance of 0. "
            "The threshold therefore lies at the distance of copies, and most new normal clips will raise an "
            "alarm. Remove the copies first; numpy.unique(X, axis=0) keeps one of each row.",
            UserWarning,
            stacklevel=users_level(),
        )
