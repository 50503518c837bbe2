"""Checks of the parameters and of the clips of a `ScoreEnsemble`."""

import numpy as np

from .._base import check_contamination
from .._checks import check_option
from .._clip_calls import missing_rows
from .._lazy import is_missing
from .._splits import is_number_or_name, make_splitter
from ._combine_scores import COMBINATIONS
from ._named_detectors import pairs_of


def check_parameters(ensemble):
    """Raise unless the parameters fit together. Return the pairs of detectors that are not dropped."""
    detectors = _check_detectors(ensemble.detectors, ensemble._get_param_names())
    check_option(ensemble.calibrate, "calibrate", tuple(COMBINATIONS))
    allowed = COMBINATIONS[ensemble.calibrate]
    if ensemble.combine not in allowed:
        other = ' Pass calibrate="p-value" for this combination.' * (
            ensemble.combine in COMBINATIONS["p-value"]
        )
        raise ValueError(
            f"calibrate={ensemble.calibrate!r} allows combine to be one of {', '.join(map(repr, allowed))}, got "
            f"{ensemble.combine!r}.{other}"
        )
    check_contamination(ensemble.contamination)
    if isinstance(ensemble.cv, str) and ensemble.cv in ("auto", "prefit"):
        raise ValueError(
            'cv must be an integer of 2 or more, "loo", a fraction in (0, 1), a splitter or an iterable of splits, '
            f"got {ensemble.cv!r}."
        )
    if is_number_or_name(ensemble.cv) or ensemble.cv is None:
        make_splitter(ensemble.cv, ensemble.random_state)
    return detectors


def _check_detectors(detectors, reserved):
    """Raise unless `detectors` are pairs of a name and a detector. Return those that are not dropped."""
    pairs = pairs_of(detectors)
    if not pairs:
        raise ValueError(
            f'detectors must be a list of (name, detector), such as [("nearest", NearestNeighborsDetector())], got '
            f"{detectors!r}."
        )
    names = [name for name, _ in pairs]
    for name, detector in pairs:
        if names.count(name) > 1:
            raise ValueError(
                f"every detector needs a name of its own, got {name!r} {names.count(name)} times."
            )
        if "__" in name or name in reserved or not name:
            raise ValueError(
                f'a detector cannot be named {name!r}: a name must not be empty, contain "__" or be a parameter of '
                "ScoreEnsemble."
            )
        is_class = isinstance(detector, type)
        lacking = [method for method in ("fit", "score_samples") if not hasattr(detector, method)]
        if (is_class or lacking) and detector != "drop":
            raise TypeError(
                f"detector {name!r} must be an estimator with fit and score_samples, got {detector!r}"
                + (", a class: make an instance." if is_class else f", which has no {lacking[0]}.")
            )
    kept = [(name, detector) for name, detector in pairs if not _is_dropped(detector)]
    if not kept:
        raise ValueError(f"all of {len(pairs)} detectors are dropped: keep at least one.")
    return kept


def _is_dropped(detector):
    return isinstance(detector, str) and detector == "drop"


def find_missing(X):
    """Clips that are NaN throughout, as far as they can be seen without computing any, bool (n_clips,)."""
    if isinstance(X, (list, tuple)) and all(isinstance(clip, np.ndarray) and clip.ndim > 1 for clip in X):
        return np.array([clip.dtype.kind == "f" and is_missing(clip) for clip in X], dtype=bool)
    return missing_rows(X)
