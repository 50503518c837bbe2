"""Find the nearest normal recordings in the space in which the detector compares recordings."""

import os
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .._typing import Float32Array
from ..detectors import BandMemoryDetector
from ..recordings._unwrap import split_detector

# Number of distances that are computed at once.
_BLOCK = 1 << 22


class Space:
    """Map the input of a detector to the vectors that the detector compares, one for a recording.

    The steps before the innermost detector, such as whitening, are applied, and a time axis is averaged. If the
    detector compares directions (``metric="cosine"``), the vectors have the length 1. For a
    :class:`NearestNeighborsDetector` on one embedding a recording, the Euclidean distance of two vectors therefore has
    the order of the distance of the detector.

    Parameters
    ----------
    detector : fitted detector or None
        Last step of a pipeline. None maps the input without any step.
    """

    def __init__(self, detector: Any) -> None:
        self.steps, self.detector = split_detector(detector)

    def __call__(self, features: Any) -> Float32Array:
        """Return the vector of one recording.

        Parameters
        ----------
        features : array-like of one clip
            Input of the detector.

        Returns
        -------
        ndarray of shape (n_values,), float32
        """
        for step in self.steps:
            features = step.transform(features)
        vector = np.asarray(features[0], dtype=np.float32)
        if vector.ndim > 1:
            vector = vector.mean(axis=-1)
        if getattr(self.detector, "metric", None) == "cosine":
            # A BandMemoryDetector compares the directions of every band.
            lengths = np.linalg.norm(
                vector, axis=0 if isinstance(self.detector, BandMemoryDetector) else None
            )
            vector = vector / np.maximum(lengths, np.finfo(np.float32).tiny)
        return vector.ravel()


def find_nearest(
    vectors: Sequence[tuple[str, Hashable, Float32Array] | None],
    normal: Sequence[tuple[str, Hashable, Float32Array] | None],
    n_nearest: int,
) -> list[list[tuple[int, float]]]:
    """Find the nearest normal recordings of every recording.

    Parameters
    ----------
    vectors : list of (str, hashable, ndarray) or None
        Path, machine and vector of every recording. None if the recording could not be scored.
    normal : list of (str, hashable, ndarray) or None
        The same of every normal recording. Only normal recordings of the same machine are compared.
    n_nearest : int

    Returns
    -------
    list of list of (int, float)
        Position in `normal` and Euclidean distance of the nearest recordings of every recording, nearest first. A
        recording is never its own nearest recording.
    """
    nearest: list[list[tuple[int, float]]] = [[] for _ in vectors]
    machines = {row[1] for row in vectors if row is not None}
    for machine in machines:
        own = [i for i, row in enumerate(vectors) if row is not None and row[1] == machine]
        known = [i for i, row in enumerate(normal) if row is not None and row[1] == machine]
        if not known:
            continue
        bank = np.stack([normal[i][2] for i in known]).astype(np.float64)  # type: ignore[index]
        places = [os.path.realpath(normal[i][0]) for i in known]  # type: ignore[index]
        size = max(1, _BLOCK // len(bank))
        for start in range(0, len(own), size):
            part = own[start : start + size]
            rows = np.stack([vectors[i][2] for i in part]).astype(np.float64)  # type: ignore[index]
            for i, row, distances in zip(part, rows, _squares(rows, bank)):
                path = os.path.realpath(vectors[i][0])  # type: ignore[index]
                order = np.argsort(distances, kind="stable")[: n_nearest + places.count(path)]
                others = [j for j in order.tolist() if places[j] != path]
                # The differences are exact, and the squares of close vectors are not.
                exact = [(known[j], float(np.linalg.norm(row - bank[j]))) for j in others[:n_nearest]]
                nearest[i] = sorted(exact, key=lambda found: found[1])
    return nearest


def _squares(rows: npt.NDArray[np.float64], bank: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    center = bank.mean(axis=0)  # large common values would spoil the squares
    rows, bank = rows - center, bank - center
    return (rows**2).sum(axis=1)[:, None] - 2 * rows @ bank.T + (bank**2).sum(axis=1)
