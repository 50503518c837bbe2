"""A detector of bands names the frequencies of the least normal band."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skaudio_ad import BandMemoryDetector, MelTransformer, MobileNetEmbedding
from skaudio_ad.recordings import Moment, ScoredRecording
from skaudio_ad.recordings._unwrap import find_band_edges
from skaudio_ad.report._bands import band_distances, name_bands
from skaudio_ad.report._excerpt import Levels
from skaudio_ad.report._keep import ReportedClip
from skaudio_ad.report._map import MapMaker
from skaudio_ad.report._nearest import Space

EDGES = np.array([[0, 500], [500, 2000], [2000, 8000]])


@pytest.fixture
def grids(rng):
    """Grids of 12 normal clips: 6 channels, 3 bands, 4 frames. The first band scatters more than the others."""
    scatter = np.array([1.0, 0.1, 0.1])[:, np.newaxis]
    return np.ones((12, 6, 3, 4)) + 0.3 * scatter * rng.normal(size=(12, 6, 3, 4))


def test_the_band_with_the_most_unusual_distance_is_named_for_the_recording_and_its_moments(grids):
    detector = BandMemoryDetector().fit(grids[:10])
    space = Space(detector)
    faulty = grids[10:11].copy()
    faulty[0, :3, 1] += 0.3
    distances = band_distances(space, faulty)
    np.testing.assert_allclose(distances, -detector.score_bands(faulty)[0])
    assert np.argmax(distances) == 0  # the distance alone would name the band that always scatters
    clip = ReportedClip(ScoredRecording("a.wav"), moments=[Moment(0, 1, -1)], bands=distances)
    name_bands([clip], detector, EDGES, [space([grid]) for grid in grids[:10]])
    assert (clip.recording.low_hz, clip.recording.high_hz) == (500, 2000)
    assert (clip.moments[0].low_hz, clip.moments[0].high_hz) == (500, 2000)


def test_a_grid_of_a_mobilenet_has_bands_around_every_32nd_band_of_the_mel_scale():
    edges = find_band_edges(make_pipeline(MobileNetEmbedding("mini", output="grid")), 4)
    # Kaldi's mel scale from 0 to 15 kHz: the band k of 128 is centred on (k + 1) / 129 of the scale.
    expected = 700 * np.expm1(np.log1p(15000 / 700) * (np.array([-0.5, 16, 48, 80, 127.5]) + 1) / 129)
    np.testing.assert_allclose(edges[:, 0], expected[:-1], atol=1)
    np.testing.assert_allclose(edges[:, 1], expected[1:], atol=1)
    assert find_band_edges(make_pipeline(MelTransformer()), 4) is None


def test_the_layer_marks_the_named_band():
    levels = Levels(np.zeros((4, 5), dtype=np.float32), np.arange(5.0), np.array([100.0, 1000, 3000, 6000]))
    recording = ScoredRecording("a.wav", low_hz=2000, high_hz=8000)
    opacity, note = MapMaker(None, None, None)(recording, None, levels, [])
    np.testing.assert_array_equal(opacity.any(axis=1), [False, False, True, True])
    assert "band that sounds least normal to the detector" in note
