"""`EpochLogger`: to a file and to functions, alone, in a pipeline and in a search."""

import importlib.metadata
import json
import pickle
import shutil
import subprocess
import time
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad import AutoencoderDetector
from skaudio_ad.persistence import load_detector, save_detector
from skaudio_ad.training import EpochLogger
from skaudio_ad.training._logger import _append

COLUMNS = ["run", "estimator", "epoch", "loss", "validation_loss", "seconds"]
# Searches that score by labels pass the labels to fit as well.
LABELS = "ignore:.*, which y labels -1"
NO_CALLBACKS = "ignore:The estimator StandardScaler does not support callbacks:UserWarning"
pytestmark = pytest.mark.filterwarnings(LABELS)


def features(n_clips=40, seed=0):
    X = np.random.default_rng(seed).normal(size=(n_clips, 6)).astype(np.float32)
    X[:, 3:] = X[:, :3]
    return X


def labels(n_clips=40):
    return np.where(np.arange(n_clips) % 4 == 3, -1, 1)


def detector(**settings):
    defaults = {"hidden_sizes": (8,), "bottleneck_size": 3, "max_epochs": 4, "early_stopping": None}
    return AutoencoderDetector(**{**defaults, "random_state": 0, **settings})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.csv"


def runs_beside(path):
    return pd.read_json(path.with_suffix(".jsonl"), lines=True)


def test_a_file_has_the_losses_of_every_epoch_as_the_detector_keeps_them(path):
    start = time.perf_counter()
    fitted = detector().set_callbacks(EpochLogger(path)).fit(features())
    elapsed = time.perf_counter() - start
    epochs = pd.read_csv(path)
    assert epochs.columns.tolist() == COLUMNS
    assert epochs["epoch"].tolist() == [0, 1, 2, 3]
    assert epochs["loss"].tolist() == fitted.loss_curve_
    assert epochs["validation_loss"].tolist() == fitted.validation_loss_curve_
    assert epochs["estimator"].unique().tolist() == ["AutoencoderDetector"]
    assert (epochs["seconds"] > 0).all()
    assert epochs["seconds"].sum() < elapsed


def test_without_held_out_clips_there_is_no_validation_loss(path):
    records = []
    for log in (path, records.append):
        detector(validation_fraction=0).set_callbacks(EpochLogger(log)).fit(features())
    assert pd.read_csv(path)["validation_loss"].isna().all()
    assert [record.keys() for record in records] == [{"epoch", "loss", "seconds"}] * 4


def test_a_validation_loss_of_an_earlier_fit_is_not_taken_for_this_ones(path):
    twice = detector().set_callbacks(EpochLogger(path)).fit(features())
    twice.set_params(validation_fraction=0).fit(features())
    assert pd.read_csv(path)["validation_loss"].isna().tolist() == [False] * 4 + [True] * 4


def test_a_second_fit_is_appended_as_a_run_of_its_own(path):
    logged = detector().set_callbacks(EpochLogger(path)).fit(features())
    first = path.read_bytes()
    logged.fit(features())
    assert path.read_bytes().startswith(first)
    epochs = pd.read_csv(path)
    assert epochs.groupby("run", sort=False)["epoch"].agg(list).tolist() == [[0, 1, 2, 3]] * 2
    assert runs_beside(path)["run"].tolist() == epochs["run"].unique().tolist()


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git program")
def test_a_run_is_described_by_parameters_versions_and_commit(tmp_path, monkeypatch):
    for command in (["init", "-q"], ["commit", "-q", "--no-gpg-sign", "--allow-empty", "-m", "Begin"]):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *command], cwd=tmp_path, check=True
        )
    monkeypatch.chdir(tmp_path)
    before = datetime.now(UTC).replace(microsecond=0)
    fitted = detector(learning_rate=np.float32(0.5), batch_size=np.int64(7)).set_callbacks(EpochLogger())
    fitted.fit(features())
    (run,) = map(json.loads, (tmp_path / "training_log.jsonl").read_text().splitlines())
    assert (run["learning_rate"], run["batch_size"], run["hidden_sizes"]) == (0.5, 7, "(8,)")
    others = fitted.get_params().keys() - {"learning_rate", "batch_size", "hidden_sizes"}
    assert {name: run[name] for name in others} == {name: fitted.get_params()[name] for name in others}
    for package in ("torch", "scikit-learn", "numpy", "skaudio_ad"):
        assert run[package] == importlib.metadata.version(package)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run["git_commit"] == head.stdout.strip()
    assert before <= datetime.fromisoformat(run["started"]) <= datetime.now(UTC)
    assert (run["estimator"], run["task"]) == ("AutoencoderDetector", "AutoencoderDetector fit")


def test_the_tables_of_epochs_and_of_runs_join(path):
    for learning_rate in (1e-3, 1e-2):
        detector(learning_rate=learning_rate).set_callbacks(EpochLogger(path)).fit(features())
    table = pd.read_csv(path).merge(runs_beside(path), on="run", validate="many_to_one")
    assert table["learning_rate"].tolist() == [1e-3] * 4 + [1e-2] * 4


@pytest.mark.parametrize("random_state", [3, np.int64(3)])
def test_the_seed_that_is_logged_repeats_the_run(random_state):
    runs = []
    logger = EpochLogger([].append, log_run=runs.append)
    fitted = detector(random_state=random_state).set_callbacks(logger).fit(features())
    assert (runs[0]["seed"], type(runs[0]["seed"])) == (3, int)
    assert detector(random_state=runs[0]["seed"]).fit(features()).loss_curve_ == fitted.loss_curve_


@pytest.mark.parametrize(
    ("random_state", "seed"),
    [
        (None, "None (not repeatable)"),
        (np.random.RandomState(0), "RandomState instance (not repeatable from this log)"),
    ],
)
def test_a_run_that_cannot_be_repeated_says_so(path, random_state, seed):
    detector(random_state=random_state).set_callbacks(EpochLogger(path)).fit(features())
    assert runs_beside(path)["seed"].tolist() == [seed]


def test_a_function_gets_a_dict_of_numbers_an_epoch_and_the_run_before_them():
    calls = []
    logger = EpochLogger(
        lambda record: calls.append(("epoch", record)), log_run=lambda run: calls.append(("run", run))
    )
    fitted = detector().set_callbacks(logger).fit(features())
    assert [kind for kind, _ in calls] == ["run", *["epoch"] * 4]
    assert all(isinstance(value, (str, int, float, bool, type(None))) for value in calls[0][1].values())
    for epoch, (_, record) in enumerate(calls[1:]):
        assert record == {
            "epoch": epoch,
            "loss": fitted.loss_curve_[epoch],
            "validation_loss": fitted.validation_loss_curve_[epoch],
            "seconds": record["seconds"],
        }
        assert all(type(value) in (int, float) for value in record.values())


def test_a_function_that_returns_true_does_not_stop_the_training():
    fitted = (
        detector().set_callbacks(EpochLogger(lambda record: True, log_run=lambda run: True)).fit(features())
    )
    assert fitted.stopped_by_ == "max_epochs"


class MLflow:
    """The signatures of mlflow 3.17, and what they refuse."""

    def __init__(self):
        self.metrics, self.parameters = [], {}

    def log_metrics(self, metrics, step=None, synchronous=None, run_id=None):
        assert type(step) is int
        self.metrics += [(name, float(value), step) for name, value in metrics.items()]

    def log_params(self, params, synchronous=None, run_id=None):
        for name, value in params.items():
            assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-"), name
            assert len(str(value)) <= 6000
            assert self.parameters.setdefault(name, value) == value, "a parameter is logged once"


def test_the_lines_for_mlflow_in_the_user_guide_log_every_epoch_at_its_step():
    mlflow = MLflow()

    def log(record):
        mlflow.log_metrics(record, step=record["epoch"])

    fitted = detector().set_callbacks(EpochLogger(log, log_run=mlflow.log_params)).fit(features())
    assert [entry[1:] for entry in mlflow.metrics if entry[0] == "loss"] == [
        (loss, epoch) for epoch, loss in enumerate(fitted.loss_curve_)
    ]
    assert mlflow.parameters["learning_rate"] == fitted.learning_rate


class WandB:
    """The signatures of wandb 0.31, and what they refuse; its own config."""

    def __init__(self):
        self.history, self.config = [], self
        self.values = {}

    def log(self, data, step=None, commit=None):
        assert all(isinstance(name, str) for name in data)
        self.history.append(dict(data))

    def update(self, d, allow_val_change=None):
        json.dumps(d)
        assert not self.values.keys() & d.keys(), "a value that changes needs allow_val_change"
        self.values.update(d)


def test_the_lines_for_weights_and_biases_in_the_user_guide_log_every_epoch():
    wandb = WandB()
    logger = EpochLogger(wandb.log, log_run=wandb.config.update)
    fitted = detector().set_callbacks(logger).fit(features())
    assert [record["loss"] for record in wandb.history] == fitted.loss_curve_
    assert wandb.values["seed"] == 0


def test_logging_changes_nothing_and_scores_nothing(path, monkeypatch):
    plain = detector().fit(features())
    learnt, calls = AutoencoderDetector._fitted_attributes, []
    monkeypatch.setattr(
        AutoencoderDetector, "_fitted_attributes", lambda *args: calls.append(1) or learnt(*args)
    )
    logged = detector().set_callbacks(EpochLogger(path)).fit(features())
    # One call, from the fit itself. A callback that asks for the fitted estimator would add calls that score the
    # held-out clips.
    assert len(calls) == 1
    np.testing.assert_array_equal(logged.score_samples(features()), plain.score_samples(features()))
    assert vars(logged.set_callbacks()).keys() == vars(plain).keys()


def test_any_callback_finds_the_losses_so_far_on_the_estimator_itself():
    class Watch:
        seen = []

        def setup(self, estimator, context):
            pass

        teardown = on_fit_task_begin = setup

        def on_fit_task_end(self, estimator, context):
            self.seen.append((list(estimator.loss_curve_), list(estimator.validation_loss_curve_)))

    fitted = detector(max_epochs=3).set_callbacks(Watch()).fit(features())
    both = fitted.loss_curve_, fitted.validation_loss_curve_
    assert Watch.seen == [tuple(curve[:n] for curve in both) for n in (1, 2, 3, 3)]


def test_a_training_that_diverges_leaves_the_epochs_before_and_the_next_one_is_logged(path):
    failing = detector(learning_rate=1e30, max_epochs=30).set_callbacks(EpochLogger(path))
    with pytest.raises(ValueError, match="the loss of epoch") as error:
        failing.fit(features())
    reached = int(str(error.value).split("the loss of epoch ")[1].split()[0])
    assert len(pd.read_csv(path)) == reached
    assert runs_beside(path)["learning_rate"].tolist() == [1e30]
    failing.set_params(learning_rate=1e-3).fit(features())
    assert len(pd.read_csv(path)) == reached + 30


@pytest.mark.filterwarnings(NO_CALLBACKS)
def test_set_on_a_pipeline_it_logs_the_detector_inside(path):
    pipeline = make_pipeline(StandardScaler(), detector()).set_callbacks(EpochLogger(path)).fit(features())
    epochs, runs = pd.read_csv(path), runs_beside(path)
    assert epochs["loss"].tolist() == pipeline[-1].loss_curve_
    assert runs["estimator"].tolist() == ["AutoencoderDetector"]
    assert runs["task"].tolist() == ["Pipeline fit > AutoencoderDetector fit-final-estimator"]
    assert runs["max_epochs"].tolist() == [4]


def test_set_inside_a_pipeline_scikit_learn_says_where_it_belongs(path):
    pipeline = make_pipeline(StandardScaler(), detector().set_callbacks(EpochLogger(path)))
    with pytest.raises(TypeError, match="Register them directly on the meta-estimator"):
        pipeline.fit(features())


def search(n_jobs, logger):
    X, y = features(), labels()
    X[y == -1, 3:] *= -1
    inner = make_pipeline(StandardScaler(), detector(max_epochs=3))
    grid = {"autoencoderdetector__bottleneck_size": [1, 3]}
    return GridSearchCV(inner, grid, scoring="roc_auc", cv=2, n_jobs=n_jobs).set_callbacks(logger).fit(X, y)


@pytest.mark.processes
@pytest.mark.filterwarnings(NO_CALLBACKS)
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_search_logs_every_fit_to_one_file_wherever_it_trains(n_jobs, tmp_path, monkeypatch):
    # Two searches, because worker processes outlive the first search and stay in its working directory.
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        monkeypatch.chdir(folder)
        found = search(n_jobs, EpochLogger("log.csv"))
        epochs, runs = pd.read_csv(folder / "log.csv"), runs_beside(folder / "log.csv")
        assert epochs.columns.tolist() == COLUMNS
        # 2 candidates in 2 folds, and the final fit
        assert epochs.groupby("run")["epoch"].agg(list).tolist() == [[0, 1, 2]] * 5
        assert set(epochs["run"]) == set(runs["run"])
        assert sorted(runs["bottleneck_size"]) == sorted([1, 1, 3, 3, found.best_params_.popitem()[1]])
        final = runs["run"][runs["task"].str.contains("refit-with-best-params")]
        logged = epochs[epochs["run"].isin(final)]
        assert logged["loss"].tolist() == found.best_estimator_[-1].loss_curve_
        assert sorted(path.name for path in folder.iterdir()) == ["log.csv", "log.jsonl"]


@pytest.mark.filterwarnings(NO_CALLBACKS)
def test_a_search_in_one_process_gives_a_function_one_run_after_the_other():
    calls = []
    search(
        1, EpochLogger(lambda record: calls.append(record["epoch"]), log_run=lambda run: calls.append("run"))
    )
    assert calls == ["run", 0, 1, 2] * 5


@pytest.mark.processes
@pytest.mark.filterwarnings(NO_CALLBACKS)
def test_a_search_in_several_processes_refuses_a_function_and_names_the_way_out():
    records = []
    with pytest.raises(ValueError, match="Log a search with n_jobs above 1 to a path"):
        search(2, EpochLogger(records.append))
    assert records == []


@pytest.mark.processes
def test_lines_of_several_processes_stay_whole(path):
    lines = [f"{number}:" + str(number % 10) * 3000 for number in range(300)]
    Parallel(n_jobs=2)(delayed(_append)(path, line) for line in lines)
    assert sorted(path.read_text().splitlines()) == sorted(lines)


def test_a_clone_logs_to_the_same_file(path):
    original = detector().set_callbacks(EpochLogger(path)).fit(features())
    clone(original).fit(features())
    assert len(runs_beside(path)) == 2


def test_a_detector_that_logs_to_a_file_pickles_and_its_copy_logs_on(path):
    fitted = detector().set_callbacks(EpochLogger(path)).fit(features())
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.score_samples(features()), fitted.score_samples(features()))
    again.fit(features())
    assert len(runs_beside(path)) == 2


def test_a_detector_that_logs_to_functions_pickles_without_them(tmp_path):
    fitted = detector().set_callbacks(EpochLogger(lambda record: None, log_run=lambda run: None))
    again = pickle.loads(pickle.dumps(fitted.fit(features())))
    np.testing.assert_array_equal(again.score_samples(features()), fitted.score_samples(features()))
    with pytest.raises(RuntimeError, match="give a loaded estimator a new one with set_callbacks"):
        again.fit(features())
    again.set_callbacks().fit(features())
    save_detector(fitted, tmp_path / "detector.skops")
    assert load_detector(tmp_path / "detector.skops").loss_curve_ == fitted.loss_curve_


def test_a_file_of_something_else_is_refused_and_left_alone(path):
    path.write_text("path,score\na.wav,1.5\n")
    with pytest.raises(
        ValueError, match=r"log\.csv: epochs are appended only .* got 'path,score'. Log to another"
    ):
        detector().set_callbacks(EpochLogger(path)).fit(features())
    assert path.read_text() == "path,score\na.wav,1.5\n"


def test_an_empty_file_gets_a_header(path):
    path.touch()
    detector().set_callbacks(EpochLogger(str(path))).fit(features())
    assert pd.read_csv(path).columns.tolist() == COLUMNS


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"log": 3}, TypeError, "log must be a path or a function, got 3"),
        ({"log": None}, TypeError, "log must be a path or a function, got None"),
        ({"log": "log.txt"}, ValueError, r"log must be a path that ends in \.csv, got 'log\.txt'"),
        ({"log": "missing/log.csv"}, FileNotFoundError, "missing/log.csv"),
        ({"log": "log.csv", "log_run": print}, TypeError, "beside a function log, or None"),
        (
            {"log": print, "log_run": "runs.json"},
            TypeError,
            "log_run must be a function.*got log_run='runs.json'",
        ),
    ],
)
def test_parameters_that_make_no_sense_are_refused_before_the_training(
    parameters, error, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        detector().set_callbacks(EpochLogger(**parameters)).fit(features())
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""
