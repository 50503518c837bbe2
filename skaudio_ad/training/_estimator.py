"""`train_estimator`: the fit of an estimator around one torch module, from its callbacks to its fitted attributes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ._callbacks import EpochCallbacks
from ._device import algorithms
from ._loop import FitHistory, fit_module
from ._seed import draw_seed, drawing_from

if TYPE_CHECKING:
    import torch

    from .._typing import IntArray
    from ._stopping import Patience, Prechelt


@dataclass
class TrainingRows:
    """Rows that a module is trained on.

    Parameters
    ----------
    values : torch.Tensor of shape (n_rows, ...)
        All rows, on the device of the training.
    batch_size : int
        Number of rows in a batch.
    rows, validation_rows : ndarray of int, default=None
        Rows to train on and rows to validate on. By default all rows are trained on and no row is validated on.
    learning_rates, evaluation_batch_size
        As in :func:`fit_module`.
    """

    values: torch.Tensor
    batch_size: int
    rows: IntArray | None = None
    validation_rows: IntArray | None = None
    learning_rates: Callable[[str], float] | None = None
    evaluation_batch_size: int | None = None


def train_estimator(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    device: torch.device,
    prepare: Callable[[int], TrainingRows],
    loss: Callable[..., torch.Tensor],
    attributes: Callable[[torch.nn.Module, FitHistory], dict[str, Any]],
    stopping: Patience | Prechelt | None = None,
    keep_best: bool = False,
    on_best: Callable[[torch.nn.Module, FitHistory], None] | None = None,
) -> None:
    """Train the module of an estimator, report to its callbacks, and set its fitted attributes.

    The estimator has checked its parameters and its input before. The steps are: begin of the callbacks, seed,
    preparation of the rows, initial weights, epochs, fitted attributes, end of the callbacks.

    Parameters
    ----------
    estimator : estimator with callback support and :class:`ModuleStateMixin`
        Has the parameters `max_epochs`, `learning_rate`, `weight_decay`, `deterministic` and `random_state`.
    X, y : array-like
        Clips and labels for callbacks that score.
    device : torch.device
    prepare : callable
        ``prepare(seed)`` sets the attributes that ``estimator._make_module()`` reads, and returns `TrainingRows`.
    loss : callable
        ``loss(module, batch, generator)`` returns the mean loss of a batch, a scalar tensor. The loss draws its random
        numbers from `generator`, on the CPU.
    attributes : callable
        ``attributes(module, history)`` returns the fitted attributes after the last epoch so far.
    stopping : Patience or Prechelt, default=None
        None trains for `max_epochs`.
    keep_best, on_best
        As in :func:`fit_module`.
    """
    import torch

    context = estimator._init_callback_context(max_subtasks=estimator.max_epochs)
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    estimator._forget_module()
    seed = draw_seed(estimator.random_state)
    # The initial weights and the loss draw from the same generator.
    generator = torch.Generator().manual_seed(seed)
    with algorithms(estimator.deterministic):
        data = prepare(seed)
        with drawing_from(generator):
            module = estimator._make_module().to(device)
        history = fit_module(
            module,
            data.values,
            partial(loss, generator=generator),
            seed=seed,
            rows=data.rows,
            validation_rows=data.validation_rows,
            max_epochs=estimator.max_epochs,
            batch_size=data.batch_size,
            learning_rate=estimator.learning_rate,
            weight_decay=estimator.weight_decay,
            stopping=stopping,
            epochs=EpochCallbacks(estimator, context, X, y, attributes=attributes),
            learning_rates=data.learning_rates,
            evaluation_batch_size=data.evaluation_batch_size,
            keep_best=keep_best,
            on_best=on_best,
        )
    vars(estimator).update(attributes(module, history), stopped_by_=history.stopped_by)
    context.call_on_fit_task_end(estimator=estimator, X=X, y=y, reconstruction_attributes=dict)
