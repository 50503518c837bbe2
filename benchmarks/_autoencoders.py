"""What `training` compares: a bare loop over slices, data with structure, and autoencoders as built elsewhere."""

import numpy as np
from sklearn.callback import ProgressBar
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad.detectors import AutoencoderDetector

HIDDEN, BOTTLENECK, LEARNING_RATE = (128, 128), 8, 1e-3


def loss(module, batch):
    """Mean squared error of a reconstruction."""
    import torch

    return torch.nn.functional.mse_loss(module(batch), batch)


def bare_loop(module, data, *, epochs, batch_size, seed):
    """The least that trains: a permutation, slices of it, fused Adam.

    Parameters
    ----------
    module : torch.nn.Module
    data : torch.Tensor of shape (n_rows, n_features)
    epochs, batch_size, seed : int

    Returns
    -------
    float
        Loss of the last batch.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(module.parameters(), lr=LEARNING_RATE, fused=True)
    module.train()
    for _ in range(epochs):
        order = torch.randperm(len(data), generator=generator)
        for start in range(0, len(data), batch_size):
            batch = data[order[start : start + batch_size]]
            optimizer.zero_grad()
            value = loss(module, batch)
            value.backward()
            optimizer.step()
    return value.item()


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
