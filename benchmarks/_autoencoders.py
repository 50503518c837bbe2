"""Shared by `training`, `vae` and `sequences`: bare loops over slices, data with structure, PyOD's autoencoders."""

import numpy as np
from sklearn.callback import ProgressBar
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad.detectors import AutoencoderDetector, VAEDetector
from skaudio_ad.training import fit_module

from ._report import interleave, speed_rows

HIDDEN, BOTTLENECK, LEARNING_RATE = (128, 128), 8, 1e-3
VAE_HIDDEN = (128, 64, 32)  # PyOD's default


def loss(module, batch):
    """Return the mean squared error of a reconstruction."""
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
    """Train with the smallest possible loop: slices of a permutation, fused Adam.

    Parameters
    ----------
    module : torch.nn.Module
    data : torch.Tensor of shape (n_rows, ...)
    epochs, batch_size, seed : int
    loss : callable, default=loss
        Function ``loss(module, batch)``, as for ``fit_module``.
    rows : ndarray of int, default=None
        Positions of the rows to train on. None means all rows.
    learning_rate, weight_decay : float
        Parameters of Adam.

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
    """Return the rows of a table: seconds per epoch of ``fit_module`` and of a bare loop.

    Parameters
    ----------
    make_module : callable
        Function that returns a new module, always with the same weights.
    data : dict of {str: (torch.Tensor, ndarray of int or None)}
        For every kind a tensor and the positions of its rows to train on. The bare loop of the first kind is the
        reference of the speeds.
    losses : (callable, callable)
        Loss of the bare loop, and loss of ``fit_module``.
    epochs, repeats : int
    **settings
        Settings of both: seed, batch_size, learning_rate, weight_decay.

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
    """Make rows on a curved surface of 6 dimensions with noise. Anomalies join halves of two normal rows.

    Every feature of an anomaly has the same distribution as in normal rows, and only the combination of the halves is
    anomalous. Therefore an untrained model, or the distance from the mean, does not find the anomalies.

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
        1 is normal, -1 is anomalous.
    """
    surface = np.random.default_rng(0)  # training and test rows share the surface
    inner, outer = surface.normal(size=(6, 24)), surface.normal(size=(24, n_features)) / np.sqrt(24)
    generator = np.random.default_rng(seed)

    def rows(n):
        latent = generator.normal(size=(n, 6))
        return np.tanh(latent @ inner / 2) @ outer + generator.normal(size=(n, n_features))

    anomalous = np.hstack([rows(n_anomalous)[:, : n_features // 2], rows(n_anomalous)[:, n_features // 2 :]])
    X = np.concatenate([rows(n_normal), anomalous]).astype(np.float32)
    return X, np.repeat([1, -1], [n_normal, n_anomalous])


def our_detector(*, epochs, batch_size, scaled, seed):
    """Return an AutoencoderDetector with PyOD's settings: no held-out clips, no early stopping."""
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
    """Return PyOD's AutoEncoder of the same architecture. `scaled` is its `preprocessing`."""
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
    """Return a dense VAEDetector with PyOD's settings: no held-out clips, no early stopping."""
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
    """Return PyOD's VAE of the same architecture and loss.

    With `initial_weights` "torch" the initial weights are torch's default, as in our detector. With "pyod" they are
    PyOD's.
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
        # PyOD clamps the KL divergence to [0, capacity]. At the default capacity of 0, beta has no effect.
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
    """Return the area under the ROC curve of anomaly scores. Higher scores are more anomalous."""
    return roc_auc_score(np.asarray(y) == -1, scores)


class NoOperation:
    """Callback that does nothing, to measure the time of the calls alone."""

    def setup(self, estimator, context):
        """Do nothing."""

    def teardown(self, estimator, context):
        """Do nothing."""

    def on_fit_task_begin(self, estimator, context):
        """Do nothing."""

    def on_fit_task_end(self, estimator, context):
        """Do nothing."""


CALLBACKS = {"none": None, "no operation": NoOperation, "ProgressBar": ProgressBar}
