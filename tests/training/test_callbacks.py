"""Epochs as tasks of scikit-learn's callbacks: alone, in a pipeline and in a search."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skaudio_ad import AutoencoderDetector

# Searches that score by labels pass the labels to fit as well.
LABELS = "ignore:.*, which y labels -1"
NO_CALLBACKS = "ignore:The estimator .* does not support callbacks:UserWarning"
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


class Recorder:
    """Notes every task; asks to stop after `stop_after` epochs."""

    def __init__(self, stop_after=None):
        self.stop_after, self.tasks, self.estimators, self.data, self.torn_down = stop_after, [], [], [], 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        self.torn_down += 1

    def on_fit_task_begin(self, estimator, context):
        self.tasks.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.tasks.append(("end", context.task_name, context.task_id))
        self.estimators.append(fitted_estimator)
        self.data.append((X, y))
        epochs = sum(task[:2] == ("end", "epoch") for task in self.tasks)
        return context.task_name == "epoch" and epochs == self.stop_after


class Silent(Recorder):
    """A recorder that wants no fitted estimator."""

    def on_fit_task_end(self, estimator, context):
        self.tasks.append(("end", context.task_name, context.task_id))


def mean_score(estimator, X, y):
    return {"score": float(estimator.score_samples(X).mean())}


def test_a_fit_reports_itself_and_its_epochs_in_order():
    recorder = Recorder()
    detector(max_epochs=3).set_callbacks(recorder).fit(features())
    epochs = [(when, "epoch", i) for i in range(3) for when in ("begin", "end")]
    assert recorder.tasks == [("begin", "fit", 0), *epochs, ("end", "fit", 0)]
    assert recorder.torn_down == 1


def test_a_callback_that_has_enough_stops_the_training():
    fitted = detector(max_epochs=50).set_callbacks(Recorder(stop_after=3)).fit(features())
    assert (fitted.stopped_by_, fitted.n_iter_, len(fitted.loss_curve_)) == ("callback", 3, 3)
    untouched = detector(max_epochs=3).fit(features())
    np.testing.assert_array_equal(fitted.score_samples(features()), untouched.score_samples(features()))


@pytest.mark.parametrize("contamination", ["auto", 0.2])
def test_the_estimator_of_an_epoch_is_the_one_a_fit_of_so_many_epochs_gives_even_later(contamination):
    X, recorder = features(), Recorder()
    detector(contamination=contamination).set_callbacks(recorder).fit(X)
    for n_epochs, at_epoch in enumerate(recorder.estimators[:4], start=1):
        fitted = detector(contamination=contamination, max_epochs=n_epochs).fit(X)
        assert fitted.best_epoch_ == n_epochs - 1
        assert at_epoch.loss_curve_ == fitted.loss_curve_
        assert at_epoch.validation_loss_curve_ == fitted.validation_loss_curve_
        np.testing.assert_array_equal(at_epoch.score_samples(X), fitted.score_samples(X))
        np.testing.assert_array_equal(at_epoch.decision_function(X), fitted.decision_function(X))


@pytest.mark.parametrize("kind", ["fewer features", "other parameters"])
def test_a_second_fit_with_another_network_reports_its_epochs_too(kind):
    recorder = Recorder()
    fitted = detector().set_callbacks(recorder).fit(features())
    X = features()[:, :4] if kind == "fewer features" else features()
    if kind == "other parameters":
        fitted.set_params(hidden_sizes=(5, 4))
    fitted.fit(X)
    assert len(recorder.estimators) == 10
    np.testing.assert_array_equal(recorder.estimators[-1].score_samples(X), fitted.score_samples(X))


def test_scoring_monitor_records_the_auc_of_every_epoch():
    X, y, monitor = features(), labels(), ScoringMonitor(scoring="roc_auc")
    X[y == -1, 3:] *= -1
    settings = {"learning_rate": 3e-3, "batch_size": 8}
    with pytest.warns(UserWarning, match="which y labels -1"):
        detector(**settings).set_callbacks(monitor).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert [row["task_id"] for row in rows] == [0, 1, 2, 3]
    fits = [detector(**settings, max_epochs=n).fit(X[y == 1]) for n in (1, 2, 3, 4)]
    assert [fitted.best_epoch_ for fitted in fits] == [0, 1, 2, 3]
    expected = [roc_auc_score(y, fitted.score_samples(X)) for fitted in fits]
    assert [row["roc_auc"] for row in rows] == pytest.approx(expected)
    assert len(set(expected)) > 1


def test_callbacks_get_the_labels_of_the_clips_that_are_there():
    X, recorder = features(), Recorder()
    X[[2, 7]] = np.nan
    y = np.arange(40)
    with pytest.warns(UserWarning, match="without 2 of 40 clips"):
        detector().set_callbacks(recorder).fit(X, y)
    for seen, seen_labels in recorder.data:
        assert len(seen) == 38
        np.testing.assert_array_equal(seen, X[seen_labels])


def test_callbacks_leave_no_trace_and_no_change():
    X = features()
    plain = detector().fit(X)
    for callback in (ProgressBar(), Recorder(), ScoringMonitor(scoring=mean_score)):
        watched = detector().set_callbacks(callback).fit(X)
        np.testing.assert_array_equal(watched.score_samples(X), plain.score_samples(X))
        assert vars(watched.set_callbacks()).keys() == vars(plain).keys()


def test_a_fitted_detector_with_callbacks_pickles():
    X = features()
    for callback in (ProgressBar(), Silent(), ScoringMonitor(scoring=mean_score)):
        watched = detector().set_callbacks(callback).fit(X)
        again = pickle.loads(pickle.dumps(watched))
        np.testing.assert_array_equal(again.score_samples(X), watched.score_samples(X))


def test_callbacks_are_torn_down_after_a_fit_that_fails_and_the_detector_is_not_fitted():
    recorder = Silent()
    failing = detector(learning_rate=1e30, max_epochs=30).set_callbacks(recorder)
    with pytest.raises(ValueError, match="training diverged"):
        failing.fit(features())
    assert recorder.torn_down == 1
    assert recorder.tasks[0] == ("begin", "fit", 0)
    failing.set_params(learning_rate=1e-3).fit(features())
    assert recorder.torn_down == 2


def test_a_clone_reports_to_the_same_callbacks_as_scikit_learn_has_it():
    recorder = Silent()
    clone(detector(max_epochs=2).set_callbacks(recorder)).fit(features())
    assert recorder.tasks.count(("end", "epoch", 1)) == 1


def test_a_progress_bar_shows_the_fit(capsys):
    detector().set_callbacks(ProgressBar()).fit(features())
    output = capsys.readouterr().out
    assert "AutoencoderDetector - fit" in output
    assert "100%" in output


def test_a_progress_bar_counts_the_epochs_of_the_training():
    class Counting(ProgressBar):
        counts = []

        def on_fit_task_begin(self, estimator, context):
            self.counts.append((context.task_name, context.max_subtasks))
            super().on_fit_task_begin(estimator, context)

    detector(max_epochs=3).set_callbacks(Counting()).fit(features())
    assert Counting.counts == [("fit", 3), *[("epoch", 0)] * 3]


@pytest.mark.filterwarnings(NO_CALLBACKS)
def test_a_progress_bar_of_a_pipeline_shows_the_detector_in_its_place(capsys):
    pipeline = make_pipeline(StandardScaler(), detector()).set_callbacks(
        ProgressBar(max_propagation_depth=None)
    )
    pipeline.fit(features())
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("Pipeline - fit ") for line in lines)
    assert any("fit-final-estimator | AutoencoderDetector - fit" in line for line in lines)
    # The fit removes the callback context from the detector.
    assert "_skl_callbacks" not in vars(pipeline[-1])


def test_a_callback_of_a_detector_in_a_pipeline_sees_and_stops_its_epochs():
    recorder = Recorder(stop_after=2)
    inner = detector(max_epochs=20).set_callbacks(recorder)
    pipeline = make_pipeline(FunctionTransformer(), inner).fit(features())
    assert recorder.tasks.count(("end", "epoch", 0)) == 1
    assert (pipeline[-1].n_iter_, pipeline[-1].stopped_by_) == (2, "callback")


@pytest.fixture(scope="module")
def searched():
    """Logs of a search over two parameters and two folds, in one process and in two."""
    X, y = features(), labels()
    X[y == -1, 3:] *= -1
    logs = {}
    for n_jobs in (1, 2):
        monitor = ScoringMonitor(scoring=mean_score)
        search = GridSearchCV(
            detector(max_epochs=2).set_callbacks(monitor),
            {"bottleneck_size": [1, 3]},
            scoring="roc_auc",
            cv=2,
            n_jobs=n_jobs,
        ).fit(X, y)
        logs[n_jobs] = search, monitor.get_logs(include_lineage=True).data
    return logs


@pytest.mark.processes
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_search_reports_the_epochs_of_every_fit(searched, n_jobs):
    rows = [row for row in searched[n_jobs][1] if row["task_name"] == "epoch"]
    # 2 candidates in 2 folds, and the final fit: each has 2 epochs
    assert len(rows) == 10
    assert len({row["parent_task_id_path"] for row in rows}) == 5
    assert all(np.isfinite(row["score"]) for row in rows)


@pytest.mark.processes
def test_a_search_finds_the_same_in_one_process_and_in_two(searched):
    searches = [searched[n_jobs][0] for n_jobs in (1, 2)]
    np.testing.assert_allclose(
        searches[0].cv_results_["mean_test_score"], searches[1].cv_results_["mean_test_score"], rtol=1e-6
    )
    logged = [
        {row["task_id_path"]: row["score"] for row in searched[n_jobs][1] if row["task_name"] == "epoch"}
        for n_jobs in (1, 2)
    ]
    assert logged[0].keys() == logged[1].keys()
    for path, score in logged[0].items():
        assert score == pytest.approx(logged[1][path], rel=1e-5)


@pytest.mark.processes
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_progress_bar_of_a_search_shows_every_fit(capsys, n_jobs):
    search = GridSearchCV(
        detector(max_epochs=2), {"bottleneck_size": [1, 3]}, scoring="roc_auc", cv=2, n_jobs=n_jobs
    )
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(features(), labels())
    shown = capsys.readouterr().out
    assert "GridSearchCV - fit" in shown
    # 2 candidates in 2 folds and the final fit
    assert shown.count("AutoencoderDetector - fit") >= 5
