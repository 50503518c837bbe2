"""The check that a detector can learn one batch by heart, and detectors that cannot."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from skaudio_ad import AutoencoderDetector
from tests.training.sanity import overfit_one_batch


@pytest.mark.parametrize("shape", [(8, 16), (4, 8, 12)], ids=["features", "spectrograms"])
def test_the_autoencoder_learns_one_batch_by_heart(rng, shape):
    X = rng.normal(size=shape).astype(np.float32)
    fitted = overfit_one_batch(AutoencoderDetector(batch_norm=False, random_state=0), X)
    error = np.mean((fitted.reconstruct(X) - X) ** 2)
    assert error < 0.05 * np.mean(X**2)


def test_a_detector_that_hardly_moves_is_caught(rng):
    X = rng.normal(size=(8, 16)).astype(np.float32)
    with pytest.raises(
        AssertionError, match="AutoencoderDetector does not learn one batch by heart: its loss is"
    ):
        overfit_one_batch(AutoencoderDetector(learning_rate=1e-12, random_state=0), X)


class ByRote(BaseEstimator):
    """Its loss falls to `floor` in the second epoch; it has few of a detector's parameters."""

    def __init__(self, floor=0.0, max_epochs=3, weight_decay=1.0):
        self.floor = floor
        self.max_epochs = max_epochs
        self.weight_decay = weight_decay

    def fit(self, X, y=None):
        self.X_, self.y_ = X, y
        self.loss_curve_ = [2.0] + [self.floor] * (self.max_epochs - 1)
        return self


def test_the_fraction_is_of_the_loss_of_the_first_epoch():
    overfit_one_batch(ByRote(floor=0.19), [0], fraction=0.1)
    with pytest.raises(AssertionError, match=r"2 after the first epoch and 0\.21 after 7, .* below 0\.2\."):
        overfit_one_batch(ByRote(floor=0.21), [0], fraction=0.1, max_epochs=7)


def test_a_clone_is_fitted_without_what_hinders_and_with_the_labels():
    given = ByRote()
    fitted = overfit_one_batch(given, [0], [1], max_epochs=4)
    assert fitted is not given
    assert not hasattr(given, "loss_curve_")
    assert (given.max_epochs, given.weight_decay) == (3, 1.0)
    assert (fitted.max_epochs, fitted.weight_decay) == (4, 0.0)
    assert (fitted.X_, fitted.y_) == ([0], [1])


def test_the_autoencoder_is_not_stopped_and_trains_on_every_clip_in_one_step(rng):
    detector = AutoencoderDetector(
        early_stopping="patience", n_iter_no_change=1, weight_decay=1.0, random_state=0
    )
    fitted = overfit_one_batch(detector, rng.normal(size=(4, 8)), max_epochs=3, fraction=10.0)
    assert fitted.stopped_by_ == "max_epochs"
    assert fitted.held_out_indices_.size == 0
    assert fitted.batch_size >= 4
    assert fitted.weight_decay == 0
