"""The frequency band that sounds least normal in a window."""

from typing import Any

import numpy as np

from ..detectors import BandMemoryDetector
from ..detectors._neighbor_search import NeighborSearch
from ._unwrap import find_band_edges, split_detector


class WindowBands:
    """Find the frequency band of a window that sounds least normal.

    A band counts by its distance minus the distance that is usual in this band: the median distance of a training clip
    to the other training clips. Some bands of normal sounds differ more than others.

    Parameters
    ----------
    middle : Pipeline or None
        Steps between the loader and the detector.
    detector : fitted detector
        Last step of the pipeline.
    """

    def __init__(self, middle: Any, detector: Any) -> None:
        self._steps, inner = split_detector(detector)
        is_ensemble = len(getattr(detector, "detectors_", ())) > 1
        knows_bands = isinstance(inner, BandMemoryDetector) and not is_ensemble
        self._edges = find_band_edges(middle, inner.n_bands_) if knows_bands else None
        self._detector = inner
        self._usual = 0.0 if self._edges is None else _usual_distances(inner)

    def find(self, features: Any) -> list[tuple[float | None, float | None]]:
        """Find the band of every window.

        Parameters
        ----------
        features : array-like of n_windows clips
            Input of the detector.

        Returns
        -------
        list of (float, float) or of (None, None)
            Lowest and highest frequency of the band, in hertz. None if the detector does not score bands of known
            frequencies.
        """
        if self._edges is None:
            return [(None, None)] * len(features)
        for step in self._steps:
            features = step.transform(features)
        distances = 0.0 - self._detector.score_bands(features)
        worst = np.argmax(np.nan_to_num(distances - self._usual, nan=-np.inf), axis=1)
        return [tuple(self._edges[band].tolist()) for band in worst]


def _usual_distances(detector):
    """Median distance of every band of a training clip to the nearest other training clip, (n_bands,)."""
    # A normalised distance is relative to the distances of the training clips already.
    if detector.normalization is not None or detector.n_samples_fit_ < 2:
        return 0.0
    members = np.arange(detector.n_samples_fit_)
    searches = [
        NeighborSearch(bank, detector.metric, center)
        for bank, center in zip(detector._banks, detector._centers)
    ]
    return np.array([np.median(search.leave_one_out(1, members)) for search in searches])
