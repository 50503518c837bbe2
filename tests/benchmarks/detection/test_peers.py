"""PyOD as configurations of the benchmark. A small stand-in for PyOD tests the adapter where PyOD is not installed."""

import random
import sys
from importlib.metadata import PackageNotFoundError
from types import ModuleType

import numpy as np
import pytest
import torch

from benchmarks.detection import _peers
from skaudio_ad.datasets import make_machine_sounds

X_TRAIN, X_TEST = np.random.default_rng(0).normal(size=(20, 3)), np.random.default_rng(1).normal(size=(6, 3))


class StandIn:
    """Detector with the methods of PyOD. Its scores depend on the batch, and its training on global generators."""

    def __init__(self, **settings):
        self.settings = settings

    def fit(self, X):
        self.X, self.drawn = X, [random.random(), np.random.random(), torch.rand(1).item()]  # noqa: NPY002
        self.threshold_ = 1.5
        return self

    def decision_function(self, X):
        return np.arange(len(X)) + np.asarray(X)[:, 0]


@pytest.fixture
def stand_in(monkeypatch):
    for module, kind in _peers.MODELS.values():
        made = ModuleType(f"pyod.models.{module}")
        setattr(made, kind, StandIn)
        monkeypatch.setitem(sys.modules, made.__name__, made)


def test_scores_are_higher_for_normal_clips_and_so_is_the_threshold(stand_in):
    detector = _peers.PyODDetector("KNN").fit(X_TRAIN)
    np.testing.assert_array_equal(detector.score_samples(X_TEST), -(np.arange(6) + X_TEST[:, 0]))
    assert detector.threshold_ == -1.5
    np.testing.assert_array_equal(detector.predict([[0, 0, 0], [0, 0, 0], [1, 0, 0]]), [1, 1, -1])


@pytest.mark.parametrize("model", ["ECOD", "VAE"])
def test_detectors_that_depend_on_the_batch_score_one_clip_at_a_time(stand_in, model):
    scores = _peers.PyODDetector(model).fit(X_TRAIN).score_samples(X_TEST)
    np.testing.assert_array_equal(scores, -X_TEST[:, 0])


def test_training_depends_on_the_seed_alone_and_leaves_the_global_generators_alone(stand_in):
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002
    torch.manual_seed(7)
    expected = [random.random(), np.random.random(), torch.rand(1).item()]  # noqa: NPY002
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002
    torch.manual_seed(7)
    first, second, other = (_peers.PyODDetector("VAE", seed).fit(X_TRAIN) for seed in (3, 3, 4))
    assert first.model_.drawn == second.model_.drawn != other.model_.drawn
    assert [random.random(), np.random.random(), torch.rand(1).item()] == expected  # noqa: NPY002


def test_a_batch_is_not_larger_than_the_training_set(stand_in):
    assert _peers.PyODDetector("AutoEncoder").fit(X_TRAIN).model_.settings["batch_size"] == 20
    many = np.tile(X_TRAIN, (5, 1))
    assert _peers.PyODDetector("AutoEncoder").fit(many).model_.settings["batch_size"] == 32


def test_the_audio_autoencoder_gets_paths_as_text(stand_in, tmp_path):
    detector = _peers.PyODDetector("AudioAE", 0).fit(np.array([tmp_path / "a.wav", tmp_path / "b.wav"]))
    trained = detector.model_.X
    assert trained == [str(tmp_path / "a.wav"), str(tmp_path / "b.wav")]


def test_without_pyod_every_configuration_is_left_out_with_the_way_to_install_it(monkeypatch):
    def version(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(_peers, "version", version)
    assert _peers.configurations() == []
    assert len(_peers.left_out()) > 12
    assert set(_peers.left_out().values()) == {'pyod is not installed: pip install "skaudio_ad[bench]"'}


def test_an_old_pyod_runs_on_our_features_only(monkeypatch):
    monkeypatch.setattr(_peers, "version", lambda name: "2.0.5")
    assert {own.features for own in _peers.configurations()} == {"mini"}
    assert "pyod 2.0.5 has no audio encoder" in _peers.left_out()["pyod74/PyOD for_audio balanced"]


def test_a_missing_class_of_pyod_is_an_error_that_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyod.models.knn", ModuleType("pyod.models.knn"))
    with pytest.raises(
        ImportError, match=r'pyod\.models\.knn\.KNN cannot be imported.*pip install "pyod>=3\.6"'
    ):
        _peers.PyODDetector("KNN").fit(X_TRAIN)


@pytest.mark.filterwarnings("ignore")  # PyOD's own
def test_the_nearest_neighbours_of_pyod_have_the_distances_of_scikit_learn():
    pytest.importorskip("pyod")
    from sklearn.neighbors import NearestNeighbors

    scores = _peers.PyODDetector("KNN").fit(X_TRAIN).score_samples(X_TEST)
    distances, _ = NearestNeighbors(n_neighbors=5).fit(X_TRAIN).kneighbors(X_TEST)
    np.testing.assert_allclose(scores, -distances[:, -1])


@pytest.mark.filterwarnings("ignore")  # PyOD's own
@pytest.mark.parametrize("model", [name for name in _peers.MODELS if name not in ("AudioAE", "LUNAR")])
def test_every_detector_of_pyod_finds_a_clip_far_away_and_scores_it_in_any_batch(model):
    pytest.importorskip("pyod")
    detector = _peers.PyODDetector(model, 0).fit(X_TRAIN)
    together = detector.score_samples(np.vstack([X_TEST, np.full((1, 3), 50.0)]))
    assert np.argmin(together) == 6
    np.testing.assert_allclose(together[:6], detector.score_samples(X_TEST), rtol=1e-5)


@pytest.mark.filterwarnings("ignore")  # PyOD's own
def test_the_audio_path_on_our_features_equals_three_lines_of_pyod(tmp_path):
    pytest.importorskip("pyod", minversion="3.6")
    from pyod.models.embedding import EmbeddingOD

    paths = make_machine_sounds(12, 2, machine="fan", duration=1.0, output_dir=tmp_path, random_state=0).paths
    pyod = EmbeddingOD.for_audio().fit(paths[:10])
    X = _peers.PyODFeatures().fit_transform(paths)
    assert X.shape == (14, 74)
    ours = _peers.PyODDetector("for_audio balanced", 0).fit(X[:10])
    np.testing.assert_allclose(-ours.score_samples(X[10:]), pyod.decision_function(paths[10:]), rtol=1e-5)
    levelled = _peers.PyODFeatures("rms").fit_transform(paths[:2])
    assert not np.allclose(levelled, X[:2])
