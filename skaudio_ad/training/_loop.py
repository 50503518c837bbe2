"""The one training loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .._checks import check_number

if TYPE_CHECKING:
    import torch

    from .._typing import IntArray
    from ._callbacks import EpochCallbacks

# Maximum number of input values in a batch without gradients. Larger batches are not faster, and a convolution holds
# hundreds of values for every input value.
_EVALUATION_VALUES = 1 << 20
# Maximum number of training rows, and of values in these rows, in the sample that is evaluated after every epoch. The
# standard error of a mean of 2048 rows is 2.2 % of a standard deviation, less than that of a batch of the training. If
# rows are large, the sample has at least `_FEWEST_ROWS` rows.
_SAMPLE_ROWS, _SAMPLE_VALUES, _FEWEST_ROWS = 2048, 1 << 21, 256


@dataclass
class FitHistory:
    """Losses and end of a training.

    Attributes
    ----------
    loss_curve : list of float
        Mean loss over the batches of every epoch, while the weights change.
    validation_loss_curve : list of float
        Mean validation loss after every epoch. The list is empty without a validation set.
    best_epoch : int
        Epoch whose weights the module has now, counted from 0: the epoch with the lowest monitored loss.
    stopped_by : str
        Reason for the end of the training: "max_epochs", "early_stopping" or "callback". With ``keep_best=True`` also
        "diverged" or "interrupted".
    """

    loss_curve: list[float] = field(default_factory=list)
    validation_loss_curve: list[float] = field(default_factory=list)
    best_epoch: int = -1
    stopped_by: str = "max_epochs"


def fit_module(
    module: torch.nn.Module,
    data: torch.Tensor,
    loss: Callable[[Any, torch.Tensor], torch.Tensor],
    *,
    seed: int,
    rows: IntArray | None = None,
    validation_rows: IntArray | None = None,
    max_epochs: int = 100,
    batch_size: int = 512,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    stopping: Any = None,
    epochs: EpochCallbacks | None = None,
    learning_rates: Callable[[str], float] | None = None,
    evaluation_batch_size: int | None = None,
    keep_best: bool = False,
    on_best: Callable[[torch.nn.Module, FitHistory], None] | None = None,
) -> FitHistory:
    """Train a module with Adam on batches of one tensor, and load the weights of the best epoch.

    Only parameters with ``requires_grad`` are trained. After every epoch, the running statistics of batch normalisation
    are computed again over a sample of at most 2048 training rows, because averages over past batches belong to past
    weights. A batch normalisation that the module keeps in evaluation mode keeps its statistics. Then the monitored
    loss is computed in evaluation mode. The weights with the lowest monitored loss are kept, and their statistics come
    from all training rows.

    Parameters
    ----------
    module : torch.nn.Module
        The module is trained in place and left in evaluation mode.

    data : torch.Tensor of shape (n_rows, ...)
        The tensor is on the device of the module. A strided view, such as overlapping windows of frames, is possible:
        only the rows of a batch are copied.

    loss : callable
        ``loss(module, batch)`` returns the mean loss of a batch, a scalar tensor.

    seed : int
        Seed of the order of the batches. `loss` chooses the generator of its own random numbers, such as noise.

    rows, validation_rows : ndarray of int, default=None
        Rows to train on and rows to validate on. By default all rows are trained on and no row is validated on.

    max_epochs : int, default=100

    batch_size : int, default=512
        Number of rows in a batch. A last batch of a single row joins the batch before, because batch normalisation
        needs two rows.

    learning_rate : float, default=1e-3
        Learning rate of Adam. The default is the default of Adam.

    weight_decay : float, default=0.0

    stopping : object with ``update(loss, monitored) -> bool``, default=None
        Such as :class:`Patience` or :class:`Prechelt`. The monitored loss is the validation loss. Without validation
        rows, the monitored loss is the loss of the sample of training rows after the epoch.

    epochs : EpochCallbacks, default=None
        Reports the begin and the end of every epoch, and may stop the training.

    learning_rates : callable, default=None
        ``learning_rates(name)`` returns the learning rate of the parameter of that name. By default all parameters have
        `learning_rate`.

    evaluation_batch_size : int, default=None
        Number of rows in a batch without gradients. None chooses the number by the size of a row, which is wrong if
        rows stand for larger data that `loss` computes.

    keep_best : bool, default=False
        Whether a loss that becomes infinite or NaN, or a KeyboardInterrupt, ends the training with the weights of the
        best epoch so far. Without a complete epoch the error is raised in any case.

    on_best : callable, default=None
        ``on_best(module, history)`` is called after every epoch with the lowest monitored loss so far.

    Returns
    -------
    FitHistory

    Raises
    ------
    ValueError
        If a parameter is out of range, or the loss becomes infinite or NaN.
    """
    import torch

    check_number(max_epochs, "max_epochs", low=1, integer=True)
    check_number(batch_size, "batch_size", low=1, integer=True)
    check_number(learning_rate, "learning_rate", low=0, closed="neither")
    check_number(weight_decay, "weight_decay", low=0)
    trained = torch.arange(len(data)) if rows is None else torch.as_tensor(rows)
    validation = (
        None if validation_rows is None or len(validation_rows) == 0 else torch.as_tensor(validation_rows)
    )
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(
        _parameter_groups(module, learning_rates), lr=learning_rate, weight_decay=weight_decay, fused=True
    )
    history, best_loss = FitHistory(), np.inf
    best: Any = None
    bounds, mixed = _batch_bounds(len(trained), batch_size), _mixed(trained, seed)
    sample = mixed[: _sample_size(data)]
    evaluated = _evaluated_rows(data) if evaluation_batch_size is None else evaluation_batch_size
    try:
        for epoch in range(max_epochs):
            if epochs is not None:
                epochs.begin()
            module.train()
            order = trained[torch.randperm(len(trained), generator=generator)].to(data.device)
            # The sum stays on the device, because reading the loss of every batch would wait for the device.
            total = torch.zeros((), device=data.device)
            for start, stop in bounds:
                batch = data[order[start:stop]]
                optimizer.zero_grad()
                value = loss(module, batch)
                value.backward()
                optimizer.step()
                total += value.detach() * len(batch)
            epoch_loss = _finite(total.item() / len(trained), epoch)
            _update_statistics(module, data, loss, sample, evaluated)
            module.eval()
            watched = sample if validation is None else validation
            monitored = _finite(_evaluate(module, data, loss, watched, evaluated), epoch)
            history.loss_curve.append(epoch_loss)
            if validation is not None:
                history.validation_loss_curve.append(monitored)
            if monitored < best_loss:
                best_loss, best, history.best_epoch = monitored, _copy_weights(module, best), epoch
                if on_best is not None:
                    on_best(module, history)
            stop_asked = epochs is not None and epochs.end(module, history)
            if stopping is not None and stopping.update(history.loss_curve[-1], monitored):
                history.stopped_by = "early_stopping"
                break
            if stop_asked:
                history.stopped_by = "callback"
                break
    except (DivergenceError, KeyboardInterrupt) as error:
        if not keep_best or best is None:
            raise
        history.stopped_by = "diverged" if isinstance(error, DivergenceError) else "interrupted"
    module.load_state_dict(best, strict=False)
    if len(sample) < len(mixed):
        _update_statistics(module, data, loss, mixed, evaluated)
    module.eval()
    return history


class DivergenceError(ValueError):
    """The loss of a training is infinite or NaN."""


def _parameter_groups(module, learning_rates):
    """Return the parameters to train, as the optimiser takes them: one group for every learning rate."""
    groups: dict[float | None, list[Any]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            rate = None if learning_rates is None else learning_rates(name)
            groups.setdefault(rate, []).append(parameter)
    return [
        {"params": parameters, **({} if rate is None else {"lr": rate})}
        for rate, parameters in groups.items()
    ]


def _batch_bounds(n_rows, batch_size):
    starts = list(range(0, n_rows, batch_size))
    if len(starts) > 1 and n_rows - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], n_rows]))


def _mixed(rows, seed):
    """Return the rows in random order, so that every part of them is a fair sample."""
    import torch

    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))]


def _sample_size(data):
    return min(_SAMPLE_ROWS, max(_FEWEST_ROWS, _SAMPLE_VALUES // max(1, data[0].numel())))


def _update_statistics(module, data, loss, rows, n_evaluated):
    """Compute the statistics of batch normalisation again, over some rows and with the present weights.

    ``torch.optim.swa_utils.update_bn`` does the same, with two differences. Here the loss calls the module. And here
    the variance is the one by which training mode divides: a running variance of n values is larger by n / (n - 1).
    """
    import torch

    n_values: Counter = Counter()

    def count(norm, inputs):
        n_values[norm] += inputs[0].numel() // norm.num_features

    module.train()
    norms: list[Any] = [
        part
        for part in module.modules()
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm) and part.training
    ]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    hooks = [norm.register_forward_pre_hook(count) for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a simple average over the parts
    # The parts have nearly one size, because every part has the same weight. No part has a single row, because a single
    # row has no variance.
    n_parts = max(1, min(-(-len(rows) // n_evaluated), len(rows) // 2))
    with torch.no_grad():
        for part in rows.to(data.device).tensor_split(n_parts):
            loss(module, data[part])
    for norm, momentum, hook in zip(norms, momenta, hooks):
        hook.remove()
        norm.momentum = momentum
        norm.running_var *= 1 - 1 / n_values[norm]


def _evaluate(module, data, loss, rows, n_evaluated):
    import torch

    total = 0.0
    with torch.no_grad():
        for part in rows.to(data.device).split(n_evaluated):
            total += loss(module, data[part]).item() * len(part)
    return total / len(rows)


def _evaluated_rows(data):
    return max(1, _EVALUATION_VALUES // max(1, data[0].numel()))


def _copy_weights(module, into):
    """Copy the weights over the copy of the best epoch before. Parameters that are not trained need no copy."""
    frozen = {name for name, parameter in module.named_parameters() if not parameter.requires_grad}
    state = {name: value for name, value in module.state_dict().items() if name not in frozen}
    if into is None:
        return {name: value.detach().clone() for name, value in state.items()}
    for name, value in state.items():
        into[name].copy_(value)
    return into


def _finite(value, epoch):
    if not np.isfinite(value):
        raise DivergenceError(
            f"training diverged: the loss of epoch {epoch} is {value}. Lower learning_rate, or scale the features "
            "(ClipScaler, StandardScaler)."
        )
    return value
