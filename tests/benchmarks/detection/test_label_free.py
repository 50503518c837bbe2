"""How well label-free scorers rank detectors."""

import csv
from functools import partial

import numpy as np
import pytest
import soundfile
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from benchmarks.detection import label_free, machines
from skaudio_ad.detectors import NearestNeighborsDetector
from skaudio_ad.embeddings import MobileNetEmbedding

RATE, LENGTH = 32000, 16000

pytestmark = pytest.mark.filterwarnings("ignore:MobileNetEmbedding with weights=None")


@pytest.fixture(autouse=True)
def few_candidates(monkeypatch):
    """Use two detectors instead of about thirty."""
    monkeypatch.setattr(
        label_free,
        "candidates",
        lambda: {
            "nearest": make_pipeline(NearestNeighborsDetector()),
            "machine": make_pipeline(StandardScaler(), OneClassSVM()),
        },
    )


@pytest.fixture
def random_weights(monkeypatch):
    """Use a network with random weights, which needs no file."""
    network = partial(MobileNetEmbedding, weights=None, random_state=0)
    monkeypatch.setattr(label_free, "MobileNetEmbedding", network)
    monkeypatch.setattr(label_free, "weights_path", lambda variant, *, download: None)


@pytest.fixture
def home(tmp_path):
    """MIMII's four types of machine: seven normal clips and one anomalous one of each machine, half a second."""
    rng = np.random.default_rng(0)
    for machine in machines.MACHINES:
        for machine_id in ("id_00", "id_02", "id_04", "id_06"):
            for kind, n_clips in (("normal", 7), ("abnormal", 1)):
                place = tmp_path / "-6_dB" / machine / machine_id / kind
                place.mkdir(parents=True)
                for number in range(n_clips):
                    sound = rng.uniform(0.01, 0.1) * rng.normal(size=LENGTH)
                    soundfile.write(place / f"{number:08d}.wav", sound, RATE, subtype="FLOAT")
    return tmp_path


def test_candidates_have_an_auc_on_test_clips_and_a_score_on_held_out_normal_clips():
    rng = np.random.default_rng(0)
    y = np.repeat([1, -1], [30, 10])
    X = rng.normal(size=(40, 3)) + 2 * (y == -1)[:, np.newaxis]
    train, test = np.arange(20), np.arange(20, 40)
    table = label_free.judge(X, y, train, test)
    for model, (auc, *values) in zip(label_free.candidates().values(), table):
        model.fit(X[train])
        assert auc == roc_auc_score(y[test] == -1, -model.score_samples(X[test]))
        expected = []
        for inner, outer in KFold(5, shuffle=True, random_state=0).split(train):
            model.fit(X[train[inner]])
            expected.append([scorer(model, X[train[outer]]) for scorer in label_free.SCORERS.values()])
        np.testing.assert_allclose(values, np.mean(expected, axis=0))


def test_a_row_has_the_correlation_and_the_area_of_the_choice_of_each_scorer():
    auc = np.array([0.6, 0.9, 0.7, 0.8])
    right, equal, wrong = auc**2, np.ones(4), np.array([1.0, 0.2, 1.0, 0.5])
    found = label_free.row("some", np.column_stack([auc, right, equal, wrong]))
    assert found["best AUC"] == 0.9
    assert found["mean AUC"] == pytest.approx(0.75)
    first, second, third = label_free.SCORERS
    assert found[f"{first}: rank correlation"] == pytest.approx(1)
    assert found[f"{first}: AUC of its choice"] == 0.9
    # A constant scorer has no correlation, and its AUC is the mean of all.
    assert found[f"{second}: rank correlation"] == 0
    assert found[f"{second}: AUC of its choice"] == pytest.approx(0.75)
    assert found[f"{third}: rank correlation"] == pytest.approx(spearmanr(auc, wrong)[0])
    assert found[f"{third}: AUC of its choice"] == pytest.approx(0.65)
    rows = label_free.summarise([found, found | {"data": "other", "best AUC": 0.7}])
    assert [row["data"] for row in rows] == ["some", "other", "mean of 2", "correlations above 0"]
    assert rows[2]["best AUC"] == "0.80"
    assert rows[3][f"{first}: rank correlation"] == "2"
    assert rows[3][f"{second}: rank correlation"] == "0"


def test_without_the_weights_the_benchmark_says_where_it_looked(home, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("SKAUDIO_AD_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    label_free.main(["--data-home", str(home), "--output", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert "left out: mn04" in said
    assert not (tmp_path / "out").exists()


def test_the_benchmark_goes_from_recordings_to_the_tables_of_the_available_data(
    home, random_weights, tmp_path, capsys
):
    label_free.main([f"--data-home={home}", "--variant=mn01", f"--output={tmp_path / 'out'}"])
    said = capsys.readouterr().out
    assert all(f"{name} is left out" in said for name in ("HLS-CMDS", "ESC-10"))
    tables = sorted((tmp_path / "out").glob("*.csv"))
    assert len(tables) == 3
    for path in tables:
        with open(path, newline="") as file:
            names = [row["data"] for row in csv.DictReader(file)]
        assert names[:4] == [f"MIMII {machine}" for machine in machines.MACHINES]
        assert names[4:] == ["mean of 4", "correlations above 0"]
