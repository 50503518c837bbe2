"""The nearest normal recordings agree with the distances of the detectors and of SciPy."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad import BandMemoryDetector, NearestNeighborsDetector, ThresholdedDetector
from skaudio_ad.report._nearest import Space, find_nearest


def _rows(space, X, name="n", machine=0):
    return [(f"{name}{index}", machine, space(x[np.newaxis])) for index, x in enumerate(X)]


def test_the_distances_are_those_of_scipy_also_far_from_zero(rng):
    normal, new = rng.normal(size=(2, 30, 5)) + 1e4
    space = Space(None)
    nearest = find_nearest(_rows(space, new, "x"), _rows(space, normal), 4)
    distances = cdist(new.astype("f4").astype("f8"), normal.astype("f4").astype("f8"))
    for found, expected in zip(nearest, distances):
        assert [index for index, _ in found] == np.argsort(expected)[:4].tolist()
        np.testing.assert_allclose([distance for _, distance in found], np.sort(expected)[:4], rtol=1e-9)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_the_order_is_that_of_the_neighbours_of_the_detector_after_its_own_steps(rng, metric):
    normal, new = rng.normal(size=(2, 20, 6)) * np.arange(1, 7)
    head = make_pipeline(StandardScaler(), NearestNeighborsDetector(metric=metric))
    detector = ThresholdedDetector(head, cv=2, ensemble=False).fit(normal)
    space = Space(detector)
    nearest = find_nearest(_rows(space, new, "x"), _rows(space, normal), 3)
    fitted = detector.detector_
    _, expected = fitted[-1].kneighbors(fitted[:-1].transform(new), 3)
    assert [[index for index, _ in found] for found in nearest] == expected.tolist()


def test_the_first_neighbour_is_that_of_a_detector_of_bands(rng):
    normal, new = rng.normal(size=(2, 15, 4, 3, 5)) + 0.5
    detector = BandMemoryDetector().fit(normal)
    space = Space(detector)
    nearest = find_nearest(_rows(space, new, "x"), _rows(space, normal), 1)
    means, news = normal.mean(axis=-1), new.mean(axis=-1)
    distances = sum(cdist(news[:, :, band], means[:, :, band], "cosine") for band in range(3)) / 3
    assert [found[0][0] for found in nearest] == distances.argmin(axis=1).tolist()
    # Half a cosine distance is the distance of the detector. The length of the difference is its root.
    np.testing.assert_allclose([found[0][1] ** 2 / 6 for found in nearest], distances.min(axis=1), rtol=1e-4)


def test_a_time_axis_is_averaged_and_recordings_of_other_machines_are_left_out(rng):
    normal = rng.normal(size=(6, 4, 9))
    space = Space(NearestNeighborsDetector())
    np.testing.assert_allclose(space([normal[0]]), normal[0].mean(axis=1), rtol=1e-5)
    rows = _rows(space, normal[:3], "a", "fan") + _rows(space, normal[3:], "b", "pump")
    nearest = find_nearest([*_rows(space, normal[:1], "x", "pump"), None], rows, 9)
    assert sorted(index for index, _ in nearest[0]) == [3, 4, 5]
    assert nearest[1] == []
