"""The one training loop, early stopping, seeding, devices and logging."""

from ._callbacks import EpochCallbacks
from ._device import algorithms, inference, resolve_device
from ._estimator import TrainingRows, train_estimator
from ._logger import EpochLogger
from ._loop import FitHistory, fit_module
from ._overfit import OverfitCheck, overfit_batch
from ._seed import draw_seed, drawing_from, split_normal
from ._state import ModuleStateMixin
from ._stopping import Patience, Prechelt, generalisation_loss, make_stopping, training_progress

__all__ = [
    "EpochCallbacks",
    "EpochLogger",
    "FitHistory",
    "ModuleStateMixin",
    "OverfitCheck",
    "Patience",
    "Prechelt",
    "TrainingRows",
    "algorithms",
    "draw_seed",
    "drawing_from",
    "fit_module",
    "generalisation_loss",
    "inference",
    "make_stopping",
    "overfit_batch",
    "resolve_device",
    "split_normal",
    "train_estimator",
    "training_progress",
]
