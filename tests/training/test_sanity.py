"""The check that an estimator can learn one batch by heart, and estimators that cannot."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad import AutoencoderDetector, RLKLClassifier, SequenceClassifier
from skaudio_ad.training import overfit_batch
from tests.training.sanity import overfit_one_batch


@pytest.mark.parametrize(
    ("shape", "settings", "max_epochs"),
    [((8, 16), {}, 500), ((4, 8, 12), {"learning_rate": 3e-3}, 200)],
    ids=["features", "spectrograms"],
)
def test_the_autoencoder_learns_one_batch_by_heart(rng, shape, settings, max_epochs):
    X = rng.normal(size=shape).astype(np.float32)
    detector = AutoencoderDetector(batch_norm=False, random_state=0, **settings)
    fitted = overfit_one_batch(detector, X, max_epochs=max_epochs)
    error = np.mean((fitted.reconstruct(X) - X) ** 2)
    assert error < 0.05 * np.mean(X**2)


@pytest.mark.parametrize(
    "classifier",
    [
        SequenceClassifier(learning_rate=0.05, random_state=0),
        SequenceClassifier("gru", hidden_size=8, learning_rate=0.05, random_state=0),
        RLKLClassifier(hidden_sizes=(16,), learning_rate=0.05, random_state=0),
    ],
    ids=["linear", "gru", "RLKLClassifier"],
)
def test_a_classifier_learns_clips_of_every_class_by_heart(rng, classifier):
    X, y = rng.normal(size=(40, 16)), np.repeat(["dog", "rain"], 20)
    check = overfit_batch(classifier, X, y, max_epochs=60)
    assert check.passed
    assert check.clips.tolist() == [0, 1, 2, 3, 20, 21, 22, 23]
    assert check.estimator.predict(X[check.clips]).tolist() == y[check.clips].tolist()
    assert str(check).startswith(
        f"{type(classifier).__name__} learns a batch by heart: the loss of 8 clips is "
    )


def test_a_detector_that_hardly_moves_is_caught(rng):
    X = rng.normal(size=(8, 16)).astype(np.float32)
    check = overfit_batch(AutoencoderDetector(learning_rate=1e-12, random_state=0), X, max_epochs=5)
    assert not check.passed
    assert "AutoencoderDetector does not learn a batch by heart: the loss of 8 clips is" in str(check)
    assert "Raise max_epochs or learning_rate" in str(check)


class ByRote(BaseEstimator):
    """The loss falls to `floor` in the second epoch. The estimator has few of the parameters of a detector."""

    def __init__(self, floor=0.0, max_epochs=3, weight_decay=1.0):
        self.floor = floor
        self.max_epochs = max_epochs
        self.weight_decay = weight_decay

    def fit(self, X, y=None):
        self.X_, self.y_ = X, y
        self.loss_curve_ = [2.0] + [self.floor] * (self.max_epochs - 1)
        return self


def test_the_fraction_is_of_the_loss_of_the_first_epoch():
    assert overfit_batch(ByRote(floor=0.19), [0], n_clips=1, fraction=0.1).passed
    check = overfit_batch(ByRote(floor=0.21), [0], n_clips=1, fraction=0.1, max_epochs=7)
    assert not check.passed
    assert check.loss_curve == (2.0, *[0.21] * 6)
    assert "is 2 after the first epoch, and 0.21 after 7 epochs, which should be below 0.2." in str(check)


def test_a_clone_is_fitted_without_what_hinders_and_with_the_labels():
    given = ByRote()
    fitted = overfit_batch(given, [5], [1], n_clips=1, max_epochs=4).estimator
    assert fitted is not given
    assert not hasattr(given, "loss_curve_")
    assert (given.max_epochs, given.weight_decay) == (3, 1.0)
    assert (fitted.max_epochs, fitted.weight_decay) == (4, 0.0)
    assert (fitted.X_, fitted.y_) == ([5], [1])


def test_the_autoencoder_is_not_stopped_and_trains_on_every_clip_in_one_step(rng):
    detector = AutoencoderDetector(
        early_stopping="patience", n_iter_no_change=1, weight_decay=1.0, random_state=0
    )
    fitted = overfit_one_batch(detector, rng.normal(size=(4, 8)), max_epochs=3, fraction=0.99)
    assert fitted.stopped_by_ == "max_epochs"
    assert fitted.held_out_indices_.size == 0
    assert fitted.batch_size >= 4
    assert fitted.weight_decay == 0


class WithoutCurve(ByRote):
    def fit(self, X, y=None):
        return self


@pytest.mark.parametrize(
    ("estimator", "settings", "error", "message"),
    [
        (make_pipeline(StandardScaler(), ByRote()), {}, TypeError, r"got Pipeline.*pipeline\[-1\]"),
        (StandardScaler(), {}, TypeError, "parameter max_epochs, got StandardScaler"),
        (WithoutCurve(), {"n_clips": 1}, TypeError, "WithoutCurve has no loss_curve_ after its fit"),
        (ByRote(), {"n_clips": 2}, ValueError, "n_clips must be at most the number of clips, 1, got 2"),
        (ByRote(), {"n_clips": 0}, ValueError, r"n_clips must lie in \[1, inf\], got 0"),
        (ByRote(), {"n_clips": 1, "max_epochs": 1}, ValueError, r"max_epochs must lie in \[2, inf\], got 1"),
        (ByRote(), {"n_clips": 1, "fraction": 1}, ValueError, r"fraction must lie in \(0, 1\), got 1"),
    ],
)
def test_what_cannot_be_checked_is_refused(estimator, settings, error, message):
    with pytest.raises(error, match=message):
        overfit_batch(estimator, [0], **settings)
