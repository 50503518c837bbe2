"""Dog barks: the preset beside classical detectors, and classifiers of its two losses per clip."""

import csv

import numpy as np
import pytest
import soundfile
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score
from sklearn.svm import OneClassSVM

from benchmarks import _evaluation
from benchmarks.detection import dog_bark
from skaudio_ad import MelTransformer
from skaudio_ad.datasets import load_esc10

RATE, LENGTH = 22050, 11025
NUMBERS = (0, 10, 11, 20, 38, 21, 40, 41, 1, 12)  # numbers of ESC-10's classes in ESC-50, dog bark first
# There are few clips, and the networks train only briefly.
pytestmark = [
    pytest.mark.filterwarnings("ignore:ESC-10 has 40 clips"),
    pytest.mark.filterwarnings("ignore:the posterior collapsed"),
]


@pytest.fixture(autouse=True)
def _no_bootstrap(monkeypatch):
    """Use few resamples, because these tests do not check the intervals."""
    monkeypatch.setattr(_evaluation, "bootstrap_interval", lambda metric, y, scores: (0.0, 1.0))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """ESC-10 as a part of ESC-50: every fold has three barks and one clip of every other class, of 0.5 s each."""
    folder = tmp_path_factory.mktemp("esc") / "ESC-50-master" / "audio"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for fold in range(1, 6):
        for number in NUMBERS:
            for take in "ABC" if number == 0 else "A":
                sound = 0.1 * rng.normal(size=LENGTH)
                if number == 0:
                    sound *= np.exp(-np.arange(LENGTH) / 1000)
                soundfile.write(folder / f"{fold}-{100 + number}-{take}-{number}.wav", sound, RATE)
    return folder.parent.parent


@pytest.fixture(scope="module")
def clips():
    """Random features of 15 barks and 45 other clips, with labels and folds."""
    rng = np.random.default_rng(1)
    y = np.where(np.arange(60) % 4 == 0, 1, -1)
    X = {f"{seconds} s": rng.random((60, 16, 20), dtype=np.float32) for seconds in (1, 2, 3)}
    X["statistics"] = rng.normal(size=(60, 6)) + 0.5 * y[:, np.newaxis]
    X["level"] = rng.normal(-20, 3, size=(60, 1))
    return X, y, 1 + np.arange(60) // 12


def test_the_features_come_from_one_two_and_three_seconds_and_from_the_whole_clip(home):
    paths = load_esc10("dog bark", data_home=home).paths[:2]
    X = dog_bark.features(paths)
    sound = soundfile.read(paths[0])[0]
    mel = MelTransformer(RATE, n_fft=2048, hop_length=512)

    def padded(seconds):
        return mel.transform([np.pad(sound, (0, seconds * RATE - LENGTH)).astype(np.float32)])[0]

    mel.fit([sound])
    for seconds, n_frames in ((1, 44), (2, 87), (3, 130)):
        expected = padded(seconds)
        expected = (expected - expected.min()) / np.ptp(expected)
        assert X[f"{seconds} s"].shape == (2, 128, n_frames)
        np.testing.assert_allclose(X[f"{seconds} s"][0], expected, atol=1e-5)
    whole = padded(5)
    expected = np.concatenate([whole.mean(axis=1), whole.std(axis=1), whole.max(axis=1)])
    np.testing.assert_allclose(X["statistics"][0], expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(X["level"][0], 10 * np.log10(np.mean(sound**2) / 10), atol=1e-3)


def test_the_nearest_clip_is_found_by_euclidean_distance():
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(9, 3)), rng.normal(size=(4, 3))
    scores = dog_bark.NearestClip().fit(train).score_samples(test)
    np.testing.assert_allclose(scores, -cdist(test, train).min(axis=1))


@pytest.fixture(scope="module")
def one_class_rows(clips):
    """The rows of the detectors with one seed."""
    return dog_bark.one_class_rows(*clips, n_seeds=1, max_epochs=1)


def test_detectors_train_on_the_barks_of_four_folds_and_are_tested_on_all_other_clips(clips, one_class_rows):
    X, y, fold = clips
    found = {row["detector"]: row["mean AUC (range)"] for row in one_class_rows}
    train = np.flatnonzero((y == 1) & (fold < 5))
    test = np.setdiff1d(np.arange(60), train)
    statistics = X["statistics"]
    statistics = (statistics - statistics[train].mean(axis=0)) / statistics[train].std(axis=0)
    expected = {
        "nearest bark": -cdist(statistics, statistics[train]).min(axis=1),
        "OneClassSVM": OneClassSVM().fit(statistics[train]).score_samples(statistics),
        "loudness": -np.abs(X["level"] - X["level"][train].mean())[:, 0],
    }
    for name, scores in expected.items():
        assert found[name] == f"{roc_auc_score(y[test], scores[test]):.3f}", name


def test_a_variational_autoencoder_has_an_auc_of_each_loss_and_of_the_distance(clips, one_class_rows):
    X, y, fold = clips
    found = {
        row["score"]: row["mean AUC (range)"] for row in one_class_rows if row["detector"] == "dense VAE"
    }
    assert list(found) == ["RL", "KL", "distance in the plane"]
    train = (y == 1) & (fold < 5)
    _, model = dog_bark.vaes(0, max_epochs=1)["dense VAE"]
    latent = model.fit(X["statistics"][train])[-1].n_active_latents_
    assert latent > 0  # else KL would not be a score
    rl, kl = model.transform(X["statistics"][~train]).T
    distance = -model.score_samples(X["statistics"][~train])
    for name, errors in {"RL": rl, "KL": kl, "distance in the plane": distance}.items():
        assert found[name] == f"{roc_auc_score(y[~train] == -1, errors):.3f}"


def test_the_published_size_runs_once_and_the_others_with_every_seed(clips):
    X, y, fold = clips
    X = {name: values[:, :8, :8] if name.endswith(" s") else values for name, values in X.items()}
    rows = dog_bark.one_class_rows(X, y, fold, n_seeds=2, published=True, max_epochs=1)
    several = {row["detector"]: "(" in row["mean AUC (range)"] for row in rows}
    lengths = ("1 s", "2 s", "3 s")
    assert [name for name in several if not several[name]] == [
        f"convolutional VAE, published size, {length}" for length in lengths
    ]
    models = dog_bark.vaes(0, published=True)
    assert models["convolutional VAE, published size, 3 s"][1][-1].get_params()["filters"][0] == 512
    assert models["convolutional VAE, 3 s"][1][-1].get_params()["filters"][0] == 32
    assert [models[name][1][-1].batch_size for name in ("dense VAE", "dense VAE, batch_size=8")] == [64, 8]


class Witness:
    """Model that transforms every clip to the sum of its training data."""

    def fit(self, X):
        self.seen = X[:, 0]
        return self

    def transform(self, X):
        return np.column_stack([np.isin(X[:, 0], self.seen), np.full(len(X), self.seen.sum())])


def test_the_losses_of_a_clip_come_from_a_model_of_the_barks_of_the_other_folds():
    y, fold = np.tile([1, 1, -1], 5), np.repeat([1, 2, 3, 4, 5], 3)
    X = 2.0 ** np.arange(15)[:, np.newaxis]  # so that a sum identifies its clips
    seen, total = dog_bark.out_of_fold(Witness(), X, y, fold).T
    assert not seen.any()
    expected = [X[(fold != own) & (y == 1), 0].sum() for own in fold]
    np.testing.assert_array_equal(total, expected)


def test_a_classifier_is_tested_on_the_held_out_fold(clips):
    X, y, fold = clips
    features = X["statistics"][:, :2]
    model = LogisticRegression(class_weight="balanced")
    said, logit = np.empty(60), np.empty(60)
    for own in np.unique(fold):
        model.fit(features[fold != own], y[fold != own])
        said[fold == own] = model.predict(features[fold == own])
        proba = model.predict_proba(features[fold == own])
        logit[fold == own] = np.log(proba[:, 1] / proba[:, 0])
    expected = accuracy_score(y, said), balanced_accuracy_score(y, said), roc_auc_score(y, logit)
    assert dog_bark.judge(model, features, y, fold) == pytest.approx(expected)


def test_the_table_compares_the_classifiers_with_the_constant_answer(clips):
    X, y, fold = clips
    rows = dog_bark.classification_rows(X, y, fold, n_seeds=1, max_epochs=1)
    columns = ("accuracy", "balanced accuracy", "AUC")
    assert [rows[0][column] for column in columns] == ["0.750", "0.500", "0.500"]
    sources = ["convolutional VAE, 3 s", "dense VAE", "dense VAE, batch_size=8"]
    classifiers = ["RLKLClassifier, identity", "RLKLClassifier, relu", "LogisticRegression"]
    assert [(row["(RL, KL) of"], row["classifier"]) for row in rows[1:]] == [
        (source, classifier) for source in sources for classifier in classifiers
    ]


def test_without_the_data_set_the_benchmark_says_so(tmp_path, capsys):
    dog_bark.main(["--data-home", str(tmp_path), "--output", str(tmp_path / "out")])
    assert "left out" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_the_benchmark_goes_from_recordings_to_both_tables(home, tmp_path):
    dog_bark.main([f"--data-home={home}", "--seeds=1", "--epochs=1", f"--output={tmp_path}"])
    n_rows = {}
    for table in ("one_class_detectors", "classifiers_of_rl_kl_over_five_folds"):
        with open(tmp_path / f"dog_bark-{table}.csv", newline="") as file:
            n_rows[table] = len(list(csv.DictReader(file)))
    assert n_rows == {"one_class_detectors": 5 * 3 + 5, "classifiers_of_rl_kl_over_five_folds": 1 + 3 * 3}
    text = (tmp_path / "dog_bark.md").read_text()
    assert "15 barks and 45 other clips" in text
    assert "12 barks for training and 3 barks for the test" in text
