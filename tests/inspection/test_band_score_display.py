"""The boxes are quantiles of the normal clips, and the frequencies are those of the network."""

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skaudio_ad import BandMemoryDetector, MobileNetEmbedding, PaSSTEmbedding, ThresholdedDetector
from skaudio_ad.inspection import BandScoreDisplay
from skaudio_ad.inspection._drawing import file_name, format_band
from skaudio_ad.networks import AudioSetFrontEnd

from .artists import axes, legend_texts, line

EDGES = [[8, 352], [352, 1581], [1581, 4235]]


def grids(n_clips, seed=0):
    return np.random.default_rng(seed).normal(3, size=(n_clips, 8, 3, 5))


@pytest.fixture(scope="module")
def faulty():
    made = grids(2, seed=2)
    made[0, :4, 1] -= 6
    return made


class Embedding(FunctionTransformer):
    """Step that knows the frequencies of its bands."""

    def band_edges(self):
        return np.array(EDGES)


def test_boxes_hold_the_middle_of_the_normal_clips_and_markers_are_the_scores():
    normal = np.random.default_rng(0).normal(-1, 0.1, size=(101, 3))
    ax = axes()
    BandScoreDisplay.from_predictions([-1.0, -3.0, -1.1], normal, names=["new.wav"], ax=ax)
    ordered = np.sort(normal, axis=0)
    boxes = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.containers[0]]
    np.testing.assert_allclose(boxes, np.column_stack([ordered[5], ordered[95]]))
    assert line(ax, "new.wav").get_xydata().tolist() == [[-1.0, 0], [-3.0, 1], [-1.1, 2]]
    ranges, medians = (c.get_segments() for c in ax.collections)
    np.testing.assert_allclose([[a[0], b[0]] for a, b in ranges], np.column_stack([ordered[0], ordered[-1]]))
    np.testing.assert_allclose([a[0] for a, _ in medians], ordered[50])
    assert legend_texts(ax) == ["new.wav", "middle 90 % of 101 normal clips"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["band 0", "band 1", "band 2"]
    assert ax.get_ylim()[0] < ax.get_ylim()[1]  # the highest band is on top


@pytest.mark.parametrize("is_thresholded", [False, True])
def test_the_bands_of_a_pipeline_are_scored_and_named_by_their_frequencies(faulty, is_thresholded):
    detector = BandMemoryDetector()
    inner = make_pipeline(Embedding(), detector)
    estimator = ThresholdedDetector(inner, cv=0.5, random_state=0) if is_thresholded else inner
    estimator.fit(grids(60))
    normal = grids(20, seed=1)
    display = BandScoreDisplay.from_estimator(estimator, faulty[:1], normal, ax=axes())
    model = estimator.detector_[-1] if is_thresholded else estimator[-1]
    np.testing.assert_allclose(display.band_scores, model.score_bands(faulty[:1]))
    np.testing.assert_allclose(display.normal_scores, model.score_bands(normal))
    assert display.band_scores[0].argmin() == 1
    assert display.band_scores[0, 1] < display.normal_scores[:, 1].min()
    labels = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert labels == ["0 to 350 Hz", "0.35 to 1.6 kHz", "1.6 to 4.2 kHz"]


def test_normal_clips_that_could_not_be_read_are_left_out():
    ax = axes()
    display = BandScoreDisplay([[0, 1]], [[0, 1], [np.nan, np.nan]]).plot(ax=ax)
    assert len(display.normal_scores) == 1
    assert ax.get_title() == "1 normal clip that could not be read left out"


@pytest.mark.parametrize(
    ("edges", "text"),
    [((0, 500), "0 to 500 Hz"), ((500, 2000), "0.5 to 2 kHz"), ((8000, 16000), "8 to 16 kHz")],
    ids=str,
)
def test_bands_are_named_in_hertz_or_kilohertz(edges, text):
    assert format_band(*edges) == text


def test_the_bands_of_a_network_are_those_that_a_tone_changes_most():
    embedding, noise = MobileNetEmbedding("mini", output="grid"), np.random.default_rng(0).normal(size=32000)
    places = [(band, share) for band in range(4) for share in (0.2, 0.8)][1:]  # 17 Hz are too low to tell
    clips = 0.05 * np.array([noise] * (1 + len(places)))
    for clip, (band, share) in zip(clips[1:], places):
        low, high = embedding.band_edges()[band]
        frequency = low * (high / low) ** share
        clip += 0.02 * np.sin(2 * np.pi * frequency * np.arange(32000) / 32000)
    quiet, *tones = embedding.fit_transform(clips)
    changes = [np.linalg.norm(tone - quiet, axis=0).mean(axis=1) for tone in tones]
    assert np.argmax(changes, axis=1).tolist() == [band for band, _ in places]


def test_the_bands_of_passt_are_the_frequencies_of_its_patches():
    edges = PaSSTEmbedding(output="grid").band_edges()
    assert edges.shape == (12, 2)  # PaSST with a stride of 10 has 12 patches over frequency
    peaks = AudioSetFrontEnd().mel_bank.numpy().argmax(axis=1) * 32000 / 1024
    inside = [(peaks > low) & (peaks < high) for low, high in edges[3:]]  # lower peaks are rounded to 31 Hz
    expected = [(np.arange(128) >= first) & (np.arange(128) < first + 16) for first in range(30, 120, 10)]
    assert np.mean(np.equal(inside, expected)) > 0.995


def test_what_cannot_be_drawn_raises_an_error_that_says_how_to_fix_it():
    with pytest.raises(ValueError, match="GaussianMixture does not score frequency bands: use a BandMemory"):
        BandScoreDisplay.from_estimator(GaussianMixture(), grids(1), grids(2))
    with pytest.raises(ValueError, match="one to 6 clips can be drawn, got 7"):
        BandScoreDisplay(np.zeros((7, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"shape \(n_normal, 2\)"):
        BandScoreDisplay(np.zeros((1, 2)), np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"band_edges must have shape \(2, 2\)"):
        BandScoreDisplay(np.zeros((1, 2)), np.zeros((3, 2)), [1, 2, 3])
    with pytest.raises(ValueError, match="clip 0 are not finite"):
        BandScoreDisplay([[np.nan, 1]], np.zeros((3, 2)))
    with pytest.raises(ValueError, match="no clip with finite scores"):
        BandScoreDisplay([[0, 1]], np.full((3, 2), np.nan))
    with pytest.raises(ValueError, match="names must have one entry a clip"):
        BandScoreDisplay([[0, 1]], np.zeros((3, 2)), names=["a", "b"])


def test_a_file_name_is_drawn_as_it_is():
    figure = axes().figure
    name = file_name(b"folder/pump_$x^{$_a\x1b\xff.wav")
    text = figure.text(0, 0, name)
    figure.canvas.draw()  # a formula with an open brace is an error
    assert text.get_text() == r"pump_\$x^{\$_a\x1b\xff.wav"
