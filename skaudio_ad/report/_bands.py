"""The frequency band that sounds least normal to a detector of bands."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .._typing import FloatArray
from ..detectors import BandMemoryDetector

# Maximum number of normal recordings whose bands are compared with each other. More do not change a median.
_MAX_NORMAL = 1000


def band_distances(space: Any, features: Any) -> FloatArray | None:
    """Return the distance of every band of a recording, or None if the detector scores no bands.

    Parameters
    ----------
    space : Space
    features : array-like of one clip
        Input of the detector.

    Returns
    -------
    ndarray of shape (n_bands,) or None
    """
    if not isinstance(space.detector, BandMemoryDetector):
        return None
    for step in space.steps:
        features = step.transform(features)
    return 0.0 - space.detector.score_bands(features)[0]


def name_bands(
    clips: Sequence[Any],
    detector: BandMemoryDetector,
    edges: npt.NDArray[np.float64],
    normal: Sequence[FloatArray],
) -> None:
    """Set the frequencies of the band that sounds least normal, for every recording and its moments.

    A band counts by its distance minus the distance that is usual in this band, because some bands of normal recordings
    differ more than others.

    Parameters
    ----------
    clips : list of ReportedClip
    detector : BandMemoryDetector
    edges : ndarray of shape (n_bands, 2)
        In hertz.
    normal : list of ndarray of shape (n_channels * n_bands,)
        Vectors of normal recordings in the space in which the detector compares recordings. Without normal recordings
        the usual distance is the median of `clips`.
    """
    known = [clip for clip in clips if clip.bands is not None]
    if not known:
        return
    usual = _usual_distances(detector, np.array(normal[:_MAX_NORMAL])) if len(normal) > 1 else None
    if usual is None:
        usual = np.median([clip.bands for clip in known], axis=0)
    for clip in known:
        low, high = edges[int(np.argmax(clip.bands - usual))].tolist()
        clip.recording = replace(clip.recording, low_hz=low, high_hz=high)
        clip.moments = [replace(moment, low_hz=low, high_hz=high) for moment in clip.moments]


def _usual_distances(detector, vectors):
    """Median over normal recordings of the distance of every band to the nearest other normal recording."""
    bands = vectors.reshape(len(vectors), -1, detector.n_bands_).astype(np.float64)
    usual = []
    for band in range(detector.n_bands_):
        rows = bands[:, :, band] - bands[:, :, band].mean(axis=0)
        lengths = np.square(rows).sum(axis=1)
        squares = np.maximum(lengths[:, np.newaxis] + lengths - 2 * rows @ rows.T, 0)
        np.fill_diagonal(squares, np.inf)
        nearest = squares.min(axis=1)
        # Rows of length 1 have the cosine distance (1 - cos) / 2, which is a quarter of the squared distance.
        usual.append(np.median(nearest / 4 if detector.metric == "cosine" else np.sqrt(nearest)))
    return np.array(usual)
