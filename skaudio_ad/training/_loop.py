"""The one training loop."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from .._checks import check_number

# Maximum number of input values in a step that keeps no gradient. Larger steps are no faster, and a convolution holds
# hundreds of values for every one of its input.
_EVALUATION_VALUES = 1 << 20
# Maximum number of training rows, and of their values, that are looked at after every epoch. A mean of 2048 rows is off
# by 2.2 % of a standard deviation, which is less than the means of the batches that the network is trained with. Where
# rows are large, `_FEWEST_ROWS` are looked at nevertheless.
_SAMPLE_ROWS, _SAMPLE_VALUES, _FEWEST_ROWS = 2048, 1 << 21, 256


@dataclass
class FitHistory:
    """What a fit went through.

    Attributes
    ----------
    loss_curve : list of float
        Mean training loss of every epoch, over its batches, while the weights changed.
    validation_loss_curve : list of float
        Mean validation loss after every epoch; empty without a validation set.
    best_epoch : int
        Epoch, from 0, whose weights the module has now: the lowest monitored loss after it.
    stopped_by : str
        "max_epochs", "early_stopping" or "callback".
    """

    loss_curve: list = field(default_factory=list)
    validation_loss_curve: list = field(default_factory=list)
    best_epoch: int = -1
    stopped_by: str = "max_epochs"


def fit_module(
    module,
    data,
    loss,
    *,
    seed,
    rows=None,
    validation_rows=None,
    max_epochs=100,
    batch_size=512,
    learning_rate=1e-3,
    weight_decay=0.0,
    stopping=None,
    epochs=None,
):
    """Train a module by Adam on slices of one tensor, and leave it with its best weights.

    After every epoch the running statistics of batch normalisation are computed anew, over a sample of at most 2048
    training rows, since averages over past batches belong to past weights. Then the monitored loss is computed in
    evaluation mode, by the weights that are kept if it is the lowest. The statistics of the weights that are kept come
    from all training rows.

    Parameters
    ----------
    module : torch.nn.Module
        Trained in place, left in evaluation mode.

    data : torch.Tensor of shape (n_rows, ...)
        On the module's device. It may be a strided view, such as overlapping windows of frames: only the
        rows of a batch are ever copied.

    loss : callable
        ``loss(module, batch)`` returns the mean loss of a batch, a scalar tensor.

    seed : int
        Of the order of the batches. What `loss` draws itself, such as noise, comes from where `loss` says.

    rows, validation_rows : ndarray of int, default=None
        Rows to train and to validate on. None is all, and none.

    max_epochs : int, default=100

    batch_size : int, default=512
        A last batch of a single row joins the one before it, since batch normalisation needs two.

    learning_rate : float, default=1e-3
        Of Adam; its own default.

    weight_decay : float, default=0.0

    stopping : object with ``update(loss, monitored) -> bool``, default=None
        Such as :class:`Patience` or :class:`Prechelt`. Monitors the validation loss; where no rows are held out,
        the loss of the training rows (the same sample) after the epoch.

    epochs : EpochCallbacks, default=None
        Told of the begin and end of every epoch; may stop the training.

    Returns
    -------
    FitHistory

    Raises
    ------
    ValueError
        If a parameter is out of range, or the loss stops being finite.
    """
    import torch

    check_number(max_epochs, "max_epochs", low=1, integer=True)
    check_number(batch_size, "batch_size", low=1, integer=True)
    check_number(learning_rate, "learning_rate", low=0, closed="neither")
    check_number(weight_decay, "weight_decay", low=0)
    rows = torch.arange(len(data)) if rows is None else torch.as_tensor(rows)
    validation = (
        None if validation_rows is None or len(validation_rows) == 0 else torch.as_tensor(validation_rows)
    )
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(module.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)
    history, best, best_loss = FitHistory(), None, np.inf
    bounds, mixed = _batch_bounds(len(rows), batch_size), _mixed(rows, seed)
    sample = mixed[: _sample_size(data)]
    for epoch in range(max_epochs):
        if epochs is not None:
            epochs.begin()
        module.train()
        order = rows[torch.randperm(len(rows), generator=generator)].to(data.device)
        # Summed on the device: reading the loss of every batch would wait for it.
        total = torch.zeros((), device=data.device)
        for start, stop in bounds:
            batch = data[order[start:stop]]
            optimizer.zero_grad()
            value = loss(module, batch)
            value.backward()
            optimizer.step()
            total += value.detach() * len(batch)
        history.loss_curve.append(_finite(total.item() / len(rows), epoch))
        _update_statistics(module, data, loss, sample)
        module.eval()
        watched = sample if validation is None else validation
        monitored = _finite(_evaluate(module, data, loss, watched), epoch)
        if validation is not None:
            history.validation_loss_curve.append(monitored)
        if monitored < best_loss:
            best_loss, best, history.best_epoch = monitored, _copy_weights(module, best), epoch
        stop_asked = epochs is not None and epochs.end(module, history)
        if stopping is not None and stopping.update(history.loss_curve[-1], monitored):
            history.stopped_by = "early_stopping"
            break
        if stop_asked:
            history.stopped_by = "callback"
            break
    module.load_state_dict(best)
    if len(sample) < len(mixed):
        _update_statistics(module, data, loss, mixed)
        module.eval()
    return history


def _batch_bounds(n_rows, batch_size):
    starts = list(range(0, n_rows, batch_size))
    if len(starts) > 1 and n_rows - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], n_rows]))


def _mixed(rows, seed):
    """Rows in random order: any part of them is like the whole."""
    import torch

    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))]


def _sample_size(data):
    return min(_SAMPLE_ROWS, max(_FEWEST_ROWS, _SAMPLE_VALUES // max(1, data[0].numel())))


def _update_statistics(module, data, loss, rows):
    """Give batch normalisation the statistics of some rows in training mode, under the weights as they are now.

    As ``torch.optim.swa_utils.update_bn`` does, but for modules that a loss calls, and with the variance that training
    mode divides by: a running variance of n values is larger by n / (n - 1), in every layer.
    """
    import torch

    n_values: Counter = Counter()

    def count(norm, inputs):
        n_values[norm] += inputs[0].numel() // norm.num_features

    norms = [part for part in module.modules() if isinstance(part, torch.nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    hooks = [norm.register_forward_pre_hook(count) for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the parts
    # Parts of nearly one size, since each has the same weight; none of a single row, which has no variance.
    n_parts = max(1, min(-(-len(rows) // _evaluated_rows(data)), len(rows) // 2))
    module.train()
    with torch.no_grad():
        for part in rows.to(data.device).tensor_split(n_parts):
            loss(module, data[part])
    for norm, momentum, hook in zip(norms, momenta, hooks):
        hook.remove()
        norm.momentum = momentum
        norm.running_var *= 1 - 1 / n_values[norm]


def _evaluate(module, data, loss, rows):
    import torch

    total = 0.0
    with torch.no_grad():
        for part in rows.to(data.device).split(_evaluated_rows(data)):
            total += loss(module, data[part]).item() * len(part)
    return total / len(rows)


def _evaluated_rows(data):
    return max(1, _EVALUATION_VALUES // max(1, data[0].numel()))


def _copy_weights(module, into):
    """A snapshot of the weights, written over the one before it."""
    state = module.state_dict()
    if into is None:
        return {name: value.detach().clone() for name, value in state.items()}
    for name, value in state.items():
        into[name].copy_(value)
    return into


def _finite(value, epoch):
    if not np.isfinite(value):
        raise ValueError(
            f"training diverged: the loss of epoch {epoch} is {value}. Lower learning_rate, or scale the features "
            "(ClipScaler, StandardScaler)."
        )
    return value
