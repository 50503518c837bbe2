"""Add normal rows to the bank of a fitted `NearestNeighborsDetector` or `BandMemoryDetector`."""

from typing import Any

import numpy as np

from .._input_checks import check_features
from ._clip_rows import check_kind, check_squares, training_rows
from ._indexes import FaissSearch
from ._neighbor_rows import prepare, prepare_bank


def why_fixed(detector):
    """Say why a bank cannot take further rows, or return "" for a bank that can.

    Added rows must give the scores of a bank that had the rows from the start.

    Parameters
    ----------
    detector : NearestNeighborsDetector or BandMemoryDetector
        Where the detector is fitted, the parameters of `fit` count.

    Returns
    -------
    str
    """
    settings = getattr(detector, "_settings", None) or detector.get_params(deep=False)
    if settings["normalization"] is not None:
        return (
            f"normalization={settings['normalization']!r} divides distances by the density of the training clips, "
            "which each new clip changes"
        )
    if settings.get("coreset_size") is not None:
        return (
            f"coreset_size={settings['coreset_size']!r} chooses the rows of the bank among all training rows"
        )
    if getattr(detector, "domains_", None) is not None:
        return "the detector was fitted with domains, and every domain has a bank of its own"
    return ""


def can_grow(detector):
    """Whether `partial_fit` exists, for ``available_if``. Raise an AttributeError that gives the reason if not."""
    if reason := why_fixed(detector):
        raise AttributeError(f"clips cannot be added, because {reason}. Call fit with all clips.")
    return True


def grow_bank(detector, X, y):
    """Add the rows of X to the bank of a fitted `NearestNeighborsDetector`. An error leaves the detector unchanged.

    Parameters
    ----------
    detector : NearestNeighborsDetector
    X : array-like of clips
    y : array-like of shape (n_clips,) or None
    """
    clips: Any = check_features(detector, X, reset=False)
    name, n_features, metric = type(detector).__name__, detector.n_features_in_, detector._settings["metric"]
    check_kind(name, clips, detector._takes_frames)
    rows, lengths, positions = training_rows(clips, y, n_features, name, 0)
    bank, center = join_banks(detector._bank, rows, metric)
    search = None
    if detector._settings.get("index", "exact") == "faiss":
        search = FaissSearch(bank, metric, center)
    # Detectors of older versions do not know how many clips `fit` got.
    n_before = getattr(detector, "_n_clips_seen", int(detector._positions.max()) + 1)
    known = getattr(detector, "_added_positions", np.empty(0, dtype=int))
    detector._bank, detector._center, detector._faiss_search = bank, center, search
    detector._n_rows = len(bank)
    detector._added_positions = np.append(known, n_before + positions)
    detector._n_clips_seen = n_before + len(clips)
    detector.n_samples_fit_ += len(lengths)


def join_banks(bank, rows, metric):
    """Make the bank that old and new rows together give.

    Parameters
    ----------
    bank : ndarray of shape (n_old, n_features + 1)
        From :func:`prepare_bank`.
    rows : ndarray of shape (n_new, n_features)
        Finite.
    metric : {"cosine", "euclidean"}

    Returns
    -------
    bank : ndarray of shape (n_old + n_new, n_features + 1)
        In the higher precision of the two.
    center : ndarray of shape (n_features + 1,) or None
    """
    dtype = np.result_type(bank, rows)
    joined = np.empty((len(bank) + len(rows), bank.shape[1]), dtype=dtype)
    joined[: len(bank)] = bank
    if metric == "cosine":  # rows of length 1 need no second rounding
        joined[len(bank) :] = prepare(rows, metric, dtype)
        return joined, None
    check_squares(rows, dtype)
    joined[len(bank) :, :-1] = rows
    return joined, prepare_bank(joined, metric)
