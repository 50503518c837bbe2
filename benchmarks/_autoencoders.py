"""What `training`, `vae` and `sequences` compare: bare loops over slices, data with structure, PyOD's autoencoders."""

import numpy as np
from sklearn.callback import ProgressBar
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad.detectors import AutoencoderDetector, VAEDetector
from skaudio_ad.training import fit_module

from ._report import interleave, speed_rows

HIDDEN, BOTTLENECK, LEARNING_RATE = (128, 128), 8, 1e-3
VAE_HIDDEN = (128, 64, 32)  # PyOD's default, and so ours


def loss(module, batch):
    """Mean squared error of a reconstruction."""
    import torch

    return torch.nn.functional.mse_loss(module(batch), batch)


def bare_loop(
    module,
    data,
    *,
    epochs,
    batch_size,
    seed,
    loss=loss,
    rows=None,
    learning_rate=LEARNING_RATE,
    weight_decay=0.0,
):
    """The least that trains: a permutation, slices of it, fused Adam.

    Parameters
    ----------
    module : torch.nn.Module
    data : torch.Tensor of shape (n_rows, ...)
    epochs, batch_size, seed : int
    loss : callable, default=loss
        ``loss(module, batch)``, as for ``fit_module``.
    rows : ndarray of int, default=None
        Rows to train on. None is all.
    learning_rate, weight_decay : float
        Of Adam.

    Returns
    -------
    float
        Loss of the last batch.
    """
    import torch

    rows = torch.arange(len(data)) if rows is None else torch.as_tensor(rows)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(module.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)
    module.train()
    for _ in range(epochs):
        order = rows[torch.randperm(len(rows), generator=generator)]
        for start in range(0, len(rows), batch_size):
            batch = data[order[start : start + batch_size]]
            optimizer.zero_grad()
            value = loss(module, batch)
            value.backward()
            optimizer.step()
    return value.item()


def epoch_rows(make_module, data, *, losses, epochs, repeats, **settings):
    """Rows of a table: seconds per epoch of ``fit_module`` and of a bare loop.

    Parameters
    ----------
    make_module : callable
        Returns a new module, the same every time.
    data : dict of {str: (torch.Tensor, ndarray of int or None)}
        Tensors to train on by kind, and the rows of them. The first kind's bare loop is the reference of the speeds.
    losses : (callable, callable)
        Of the bare loop, and of ``fit_module``.
    epochs, repeats : int
    **settings
        Of both: seed, batch_size, learning_rate, weight_decay.

    Returns
    -------
    list of dict
    """
    bare_loss, our_loss = losses
    contenders = {}
    for kind, (tensor, rows) in data.items():
        contenders[f"bare loop, {kind}"] = lambda tensor=tensor, rows=rows: bare_loop(
            make_module(), tensor, rows=rows, loss=bare_loss, epochs=epochs, **settings
        )
        contenders[f"fit_module, {kind}"] = lambda tensor=tensor, rows=rows: fit_module(
            make_module(), tensor, rows=rows, loss=our_loss, max_epochs=epochs, **settings
        )
    timings = interleave(contenders, repeats=repeats)
    table = speed_rows(timings, unit="s per epoch", n_items=epochs, reference=next(iter(timings)), scale=1)
    for row in table:
        same_data = timings[row["contender"].replace("fit_module", "bare loop")]
        row["time relative to the bare loop on the same tensor"] = (
            f"{timings[row['contender']].best / same_data.best:.3f}"
        )
    return table


def make_rows(n_normal, n_anomalous, *, n_features=640, seed):
    """Rows on a curved surface of 6 dimensions with noise; anomalies join halves of two normal rows.

    Every feature of an anomaly is distributed as in normal rows: only how the halves go together is wrong, so
    that an untrained model, or the distance from the mean, tells nothing.

    Parameters
    ----------
    n_normal, n_anomalous : int
    n_features : int, default=640
    seed : int

    Returns
    -------
    X : ndarray of shape (n_normal + n_anomalous, n_features), float32
        Normal rows first.
    y : ndarray of shape (n_normal + n_anomalous,)
        1 normal, -1 anomalous.
    """
    surface = np.random.default_rng(0)  # the same for training and test rows
    inner, outer = surface.normal(size=(6, 24)), surface.normal(size=(24, n_features)) / np.sqrt(24)
    generator = np.random.default_rng(seed)

    def rows(n):
        latent = generator.normal(size=(n, 6))
        return np.tanh(latent @ inner / 2) @ outer + generator.normal(size=(n, n_features))

    anomalous = np.hstack([rows(n_anomalous)[:, : n_features // 2], rows(n_anomalous)[:, n_features // 2 :]])
    X = np.concatenate([rows(n_normal), anomalous]).astype(np.float32)
    return X, np.repeat([1, -1], [n_normal, n_anomalous])


def our_detector(*, epochs, batch_size, scaled, seed):
    """An AutoencoderDetector that does what PyOD's does: no clips held out, no early stopping."""
    detector = AutoencoderDetector(
        hidden_sizes=HIDDEN,
        bottleneck_size=BOTTLENECK,
        max_epochs=epochs,
        batch_size=batch_size,
        learning_rate=LEARNING_RATE,
        early_stopping=None,
        validation_fraction=0,
        random_state=seed,
        device="cpu",
    )
    return make_pipeline(StandardScaler(), detector) if scaled else detector


def pyod_detector(*, epochs, batch_size, scaled, seed):
    """PyOD's AutoEncoder of the same architecture; `scaled` is its `preprocessing`."""
    from pyod.models.auto_encoder import AutoEncoder

    return AutoEncoder(
        preprocessing=scaled,
        lr=LEARNING_RATE,
        epoch_num=epochs,
        batch_size=batch_size,
        optimizer_params={"weight_decay": 0.0},
        hidden_neuron_list=[*HIDDEN, BOTTLENECK],
        batch_norm=True,
        dropout_rate=0,
        device="cpu",
        verbose=0,
        random_state=seed,
    )


def our_vae(*, kl_weight, epochs, batch_size, seed):
    """A dense VAEDetector that does what PyOD's does: no clips held out, no early stopping."""
    return VAEDetector(
        hidden_sizes=VAE_HIDDEN,
        latent_size=BOTTLENECK,
        reconstruction_weight=1.0,
        kl_weight=kl_weight,
        max_epochs=epochs,
        batch_size=batch_size,
        learning_rate=LEARNING_RATE,
        weight_decay=0.0,
        early_stopping=None,
        validation_fraction=0,
        random_state=seed,
        device="cpu",
    )


def pyod_vae(*, kl_weight, epochs, batch_size, seed, initial_weights="pyod"):
    """PyOD's VAE of the same architecture and loss.

    `initial_weights` "torch" draws them as torch's layers do by default, and so ours, in place of PyOD's way.
    """
    from pyod.models.vae import VAE
    from torch import nn

    class TorchInitialisedVAE(VAE):
        def build_model(self):
            super().build_model()
            for layer in self.model.modules():
                if isinstance(layer, nn.Linear):
                    layer.reset_parameters()

    return {"pyod": VAE, "torch": TorchInitialisedVAE}[initial_weights](
        preprocessing=False,
        lr=LEARNING_RATE,
        epoch_num=epochs,
        batch_size=batch_size,
        optimizer_params={"weight_decay": 0.0},
        # The KL divergence is clamped to [0, capacity]: at its default, 0, beta weights a constant.
        beta=kl_weight if kl_weight else 1.0,
        capacity=float("inf") if kl_weight else 0.0,
        encoder_neuron_list=list(VAE_HIDDEN),
        decoder_neuron_list=list(reversed(VAE_HIDDEN)),
        latent_dim=BOTTLENECK,
        batch_norm=True,
        dropout_rate=0,
        device="cpu",
        verbose=0,
        random_state=seed,
    )


def anomaly_auc(scores, y):
    """Area under the ROC curve of anomaly scores, higher = more anomalous."""
    return roc_auc_score(np.asarray(y) == -1, scores)


class NoOperation:
    """A callback that does nothing: what telling of an epoch costs by itself."""

    def setup(self, estimator, context):
        """Do nothing."""

    def teardown(self, estimator, context):
        """Do nothing."""

    def on_fit_task_begin(self, estimator, context):
        """Do nothing."""

    def on_fit_task_end(self, estimator, context):
        """Do nothing."""


CALLBACKS = {"none": None, "no operation": NoOperation, "ProgressBar": ProgressBar}
