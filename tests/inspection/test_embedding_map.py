"""The map shows the principal components of the embeddings, and its points hold the sounds of their files."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad import AudioLoader, MelTransformer, NearestNeighborsDetector, TemporalPooling
from skaudio_ad.inspection import EmbeddingMapDisplay, _embedding_map_html

from .artists import axes, legend_texts, scatters

RATE = 16000
# Markup, a quote and a control character, as a Linux file name may hold them.
NAMES = ("a<b onclick=alert(1)>.wav", '"b"&amp;.wav', "c\x1b[2J.wav")


def embeddings(n_clips=20, seed=0):
    return np.random.default_rng(seed).normal(size=(n_clips, 5)) * [5, 2, 1, 1, 1]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """One-second tones of 500, 1000 and 2000 Hz."""
    folder = tmp_path_factory.mktemp("map")
    paths = [str(folder / name) for name in NAMES]
    for path, frequency in zip(paths, (500, 1000, 2000)):
        tone = 0.1 * np.sin(2 * np.pi * frequency * np.arange(RATE) / RATE)
        with open(path, "wb") as file:
            soundfile.write(file, tone, RATE, format="WAV")
    return paths


class Points(HTMLParser):
    """Collect the points, the sounds and the text of a map."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.points, self.text, self._script = set(), [], "", None
        self.sounds = {}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.add(tag)
        self._script = attrs.get("type", "code") if tag == "script" else None
        if "point" in attrs.get("class", "").split():
            self.points.append(attrs)

    def handle_data(self, data):
        if self._script == "application/json":
            self.sounds = json.loads(data)
        elif self._script is None:
            self.text += data


def test_the_map_shows_the_principal_components_and_their_share_of_the_variance():
    X = embeddings()
    ax = axes()
    display = EmbeddingMapDisplay.from_embeddings(X, ax=ax)
    left, values, _ = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    expected = (left * values)[:, :2]
    drawn = np.asarray(ax.collections[0].get_offsets())
    np.testing.assert_allclose(np.abs(drawn), np.abs(expected), atol=1e-9)
    shares = values**2 / np.sum(values**2)
    assert ax.get_xlabel() == f"PC 1 ({100 * shares[0]:.0f} % of variance)"
    assert ax.get_ylabel() == f"PC 2 ({100 * shares[1]:.0f} % of variance)"
    assert ax.get_aspect() == 1
    assert display.transformer_.n_components == 2


def test_any_transformer_to_two_columns_makes_the_map():
    X = embeddings()
    tsne = TSNE(perplexity=5, max_iter=250, random_state=0)
    display = EmbeddingMapDisplay.from_embeddings(X, transformer=tsne, ax=axes())
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("TSNE 1", "TSNE 2")
    assert display.ax_.get_aspect() == "auto"
    scaled = make_pipeline(StandardScaler(), PCA(2))
    display = EmbeddingMapDisplay.from_embeddings(X, transformer=scaled, ax=axes())
    assert display.ax_.get_xlabel().startswith("PC 1 (")
    with pytest.raises(ValueError, match=r"two columns, got shape \(20, 3\): set its n_components to 2"):
        EmbeddingMapDisplay.from_embeddings(X, transformer=PCA(3))


def test_kinds_of_clips_have_colours_and_shapes():
    y = np.array([1] * 12 + [-1] * 5 + [0] * 3)
    ax = axes()
    display = EmbeddingMapDisplay.from_embeddings(embeddings(), y, ax=ax)
    groups = scatters(ax)
    assert list(groups) == ["unlabelled (3)", "normal (12)", "anomalous (5)"]
    np.testing.assert_array_equal(groups["anomalous (5)"].get_offsets(), display.positions[12:17])
    assert len({str(group.get_paths()[0].vertices) for group in groups.values()}) == 3
    assert legend_texts(ax) == list(groups)


def test_groups_have_colours_and_anomalous_clips_of_a_group_are_triangles():
    y, groups = [1, 1, -1, 1], ["fan", "pump", "fan", "pump"]
    ax = axes()
    EmbeddingMapDisplay.from_embeddings(embeddings(4), y, groups=groups, ax=ax)
    drawn = scatters(ax)
    assert list(drawn) == ["fan, normal (1)", "pump, normal (2)", "fan, anomalous (1)"]
    colors = [group.get_facecolor().tolist() for group in drawn.values()]
    assert colors[0] == colors[2] != colors[1]


def test_clips_that_could_not_be_read_are_left_out_and_the_title_shows_their_number():
    X = embeddings()
    X[3] = np.nan
    ax = axes()
    display = EmbeddingMapDisplay.from_embeddings(X, ax=ax)
    assert len(ax.collections[0].get_offsets()) == 19
    assert ax.get_title() == "1 clip that could not be read left out"
    page = Points(display.to_html())
    assert len(page.points) == 19
    assert "1 clip that could not be read left out." in page.text


def test_embeddings_in_time_are_averaged_over_time():
    X = [row[:, None] + np.array([-1, 0, 1]) for row in embeddings()]
    one, two = (EmbeddingMapDisplay.from_embeddings(each, ax=axes()) for each in (X, embeddings()))
    np.testing.assert_allclose(one.positions, two.positions, atol=1e-9)


def test_points_of_a_pipeline_play_their_recordings(recordings):
    pipeline = make_pipeline(
        AudioLoader(RATE), MelTransformer(n_mels=20), TemporalPooling(), NearestNeighborsDetector()
    ).fit(recordings)
    display = EmbeddingMapDisplay.from_estimator(pipeline, recordings, [1, 1, -1], ax=axes())
    np.testing.assert_allclose(
        display.positions, PCA(2).fit_transform(pipeline[:-1].transform(recordings)), atol=1e-4
    )
    page = Points(display._repr_html_())
    assert [point["aria-label"] for point in page.points] == [
        "a<b onclick=alert(1)>.wav, normal",
        '"b"&amp;.wav, normal',
        r"c\x1b[2J.wav, anomalous",
    ]
    assert {point["role"] for point in page.points} == {"button"}
    assert [point["tabindex"] for point in page.points] == ["0", "-1", "-1"]
    assert "b" not in page.tags
    for clip, frequency in enumerate((500, 1000, 2000)):
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(page.sounds[str(clip)])))
        spectrum = np.abs(np.fft.rfft(samples))
        assert np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()] == pytest.approx(frequency, abs=2)


def test_the_map_of_a_notebook_has_the_order_of_the_picture(recordings):
    positions = [[0, 0], [1, 2], [2, 1]]
    page = Points(EmbeddingMapDisplay(positions, paths=recordings).to_html())
    x, y = (np.array([float(point[f"data-{axis}"]) for point in page.points]) for axis in "xy")
    assert x.argsort().tolist() == [0, 1, 2]
    assert y.argsort().tolist() == [1, 2, 0]  # pixels count downwards


def test_sounds_beyond_the_limit_are_left_out_and_the_page_says_so(recordings):
    display = EmbeddingMapDisplay(np.eye(3)[:, :2], [1, 1, -1], recordings)
    whole = Points(display.to_html())
    limit = 1.5 * len(whole.sounds["2"])
    page = Points(display.to_html(max_megabytes=limit / 1e6))
    assert list(page.sounds) == ["2"]  # the anomalous clip comes first
    assert "2 of 3 sounds are left out" in page.text
    assert [point["role"] for point in page.points] == ["img", "img", "button"]
    short = Points(display.to_html(max_duration=0.1))
    assert len(short.sounds["0"]) < 0.5 * len(whole.sounds["0"])


def test_a_recording_that_cannot_be_played_keeps_its_point(recordings, tmp_path):
    missing = str(tmp_path / "missing.wav")
    page = Points(EmbeddingMapDisplay(np.eye(2), paths=[recordings[0], missing]).to_html())
    assert list(page.sounds) == ["0"]
    assert len(page.points) == 2
    assert re.search(r"1 recording cannot be played\. The first reason: .*missing\.wav", page.text)


def test_more_points_than_a_browser_takes_are_thinned_and_the_page_says_so(monkeypatch):
    monkeypatch.setattr(_embedding_map_html, "_MAX_POINTS", 50)
    positions = np.random.default_rng(0).normal(size=(60, 2))
    page = Points(EmbeddingMapDisplay(positions).to_html())
    assert len(page.points) == 50
    assert "50 of 60 clips are shown" in page.text


def test_a_notebook_shows_the_map_instead_of_the_picture_of_pyplot():
    import matplotlib.pyplot as plt

    own, given = EmbeddingMapDisplay(np.eye(2)).plot(), plt.figure()
    on_given = EmbeddingMapDisplay(np.eye(2)).plot(ax=given.subplots())
    for display in (own, on_given):
        display._repr_html_()
    assert not plt.fignum_exists(own.figure_.number)
    assert plt.fignum_exists(given.number)


def test_what_cannot_be_drawn_raises_an_error_that_says_how_to_fix_it():
    X = embeddings(4)
    for arguments, settings, message in [
        ((X[:1],), {}, "at least two clips with embeddings, got 1"),
        ((X[:, :1],), {}, "at least two features"),
        ((X, [1, 1]), {}, "y_true must have one entry a clip: got 2 for 4"),
        ((X, [1, 1, 2, 1]), {}, r"got the labels \[1, 2\]"),
        ((X, None, ["a.wav"]), {}, "paths must have one entry a clip: got 1 for 4"),
        ((np.full((3, 2), np.inf),), {}, "contains infinity"),
    ]:
        with pytest.raises(ValueError, match=message):
            EmbeddingMapDisplay.from_embeddings(*arguments, **settings)
    with pytest.raises(ValueError, match="at most 6 groups can be told apart here, got 7"):
        EmbeddingMapDisplay(np.zeros((7, 2)), [1] * 7, groups=range(7))
    with pytest.raises(ValueError, match="max_duration must lie in"):
        EmbeddingMapDisplay(X[:, :2]).to_html(max_duration=0)
