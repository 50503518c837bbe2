"""Training of the variational autoencoder beside a bare loop and beside PyOD's, and the memory that its fit adds.

Loop: seconds per epoch of ``fit_module`` with VAEDetector's loss and of a bare loop over slices of a permutation with
fused Adam. Both loops train the same convolutional network from the same weights, in batches of 64 spectrograms in the
same order. The network has either an eighth of system B's filters, or system B's own filters (512 256 128 64 32) on a
few clips, which form one batch. Target: at most 1.1 times the time of the bare loop.

Memory: see ``benchmarks/_fit_memory.py``. The network has one convolution of 4 filters, and batches have 8 clips.
Target: spectrograms and growth together are below twice the spectrograms, for spectrograms in one float32 array. From a
list, fit makes one copy. With large networks the activations of a batch need far more memory.

PyOD: ``pyod.models.vae.VAE`` and VAEDetector on the same 2-D data, with the same layers, latent size, epochs, batch
size, learning rate and loss. The loss is the mean squared error plus ``kl_weight`` times the KL divergence. PyOD clamps
the KL divergence to at most its `capacity`, which is 0 by default. By default the loss therefore has no KL divergence
for any `beta`, and nothing keeps the posterior near N(0, I). This benchmark switches the KL divergence on by
``capacity=inf`` and ``beta=kl_weight``, and off by PyOD's defaults. With a KL weight of 2 / n_features the loss is, up
to a factor, the negative ELBO of data with noise of variance 1, which these data have. With a KL weight of 1 the
posterior collapses, and VAEDetector warns.

In both, batch normalisation is on before every ReLU, dropout is off (PyOD's default is 0.2) and weight decay is 0.
Adam's epsilon and the limits of the log-variance are equal. The output is linear and nothing is standardised. Four
settings differ, and cannot be set:

- PyOD scores by the Euclidean distance to a reconstruction from one random sample of the posterior, so that its scores
  change from call to call. Our detector uses the mean of the posterior. ``score_by="reconstruction"`` is the
  counterpart.
- PyOD draws initial weights by Kaiming's method. Our detector uses torch's default. "AUC, torch's initial weights" is
  PyOD's AUC with torch's default.
- PyOD drops the last batch if the batch is not full, and our detector trains on it. PyOD's Adam is not fused. PyOD
  reads ``loss.item()`` in every batch, and takes rows one by one through a DataLoader without workers. PyOD trains the
  biases that batch normalisation cancels, and our detector fixes them at 0.
- Both score the training rows in fit (our detector with ``validation_fraction=0``). Our detector scores in float64.

The default is one thread, as in ``benchmarks.speed.training``.

Run: ``python -m benchmarks.speed.vae [--clips 192] [--pyod-rows 20000] [--memory-clips 1000] [--repeats 5]
[--threads 2]``
"""

import argparse
import warnings

import numpy as np

from skaudio_ad.detectors import VAEDetector
from skaudio_ad.networks import convolutional_vae
from skaudio_ad.training import drawing_from

from .._autoencoders import anomaly_auc, epoch_rows, make_rows, our_vae, pyod_vae
from .._fit_memory import N_BINS, memory_rows
from .._report import RESULTS, Report, interleave, speed_rows

SEED, PYOD_BATCH_SIZE = 0, 512
FEWER_FILTERS = (64, 32, 16, 8, 4)
SCORES = ("reconstruction", "elbo", "kl", "mahalanobis")


def vae_loss(module, batch, *, reconstruction_weight, kl_weight):
    """Return ``reconstruction_weight`` times the mean squared error, plus ``kl_weight`` times the KL divergence."""
    import torch

    output, mean, log_variance = module(batch)
    kl = 0.5 * (log_variance.exp() - log_variance - 1 + mean**2).sum(dim=1).mean()
    return reconstruction_weight * torch.nn.functional.mse_loss(output, batch) + kl_weight * kl


def make_network(detector, n_frames):
    """Return the network of a detector for spectrograms of `N_BINS` bins, always with the same weights."""
    with drawing_from(SEED):
        return convolutional_vae(
            n_bins=N_BINS,
            n_frames=n_frames,
            filters=detector.filters,
            kernel_sizes=[(detector.kernel_sizes,) * 2 for _ in detector.filters],
            strides=[(stride, stride) for stride in detector.strides],
            latent_size=detector.latent_size,
            batch_norm=detector.batch_norm,
            output_activation=detector.output_activation,
        )


def loop_rows(detector, X, *, repeats):
    """Return the rows of a table: seconds per epoch of ``fit_module`` and of a bare loop.

    Parameters
    ----------
    detector : VAEDetector
        Detector whose parameters are used for the training.
    X : ndarray of shape (n_clips, n_bins, n_frames), float32
    repeats : int

    Returns
    -------
    list of dict
    """
    import torch

    weights = {name: getattr(detector, name) for name in ("reconstruction_weight", "kl_weight")}
    return epoch_rows(
        lambda: make_network(detector, X.shape[2]),
        {"spectrograms": (torch.from_numpy(X), None)},
        losses=(lambda module, batch: vae_loss(module, batch, **weights), detector._loss),
        epochs=1,
        repeats=repeats,
        seed=SEED,
        batch_size=detector.batch_size,
        learning_rate=detector.learning_rate,
        weight_decay=detector.weight_decay,
    )


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    import torch

    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.vae")
    parser.add_argument("--clips", type=int, default=192, help="number of clips with fewer filters")
    parser.add_argument(
        "--system-b-clips", type=int, default=8, help="number of clips with system B's filters"
    )
    parser.add_argument("--frames", type=int, default=130, help="number of frames of a clip")
    parser.add_argument("--memory-clips", type=int, default=1000)
    parser.add_argument("--pyod-rows", type=int, default=20_000)
    parser.add_argument("--pyod-epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="number of torch's threads")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    report = Report(
        "vae",
        data=f"Loops and memory: spectrograms of {N_BINS} bins and {options.frames} frames of noise. "
        f"PyOD: {options.pyod_rows} rows of 640 features around a curved surface of 6 dimensions with noise of "
        "variance 1, and 2000 test rows, half of them anomalies that join the halves of two normal rows.",
        seed=SEED,
        packages=("pyod",),
        folder=options.output,
    )
    _loops(report, options)
    report.table(
        "Peak memory of fit",
        memory_rows(["VAEDetector"], n_clips=options.memory_clips, n_frames=options.frames),
        "Target: below 2 in the last column for an array. Fit copies the spectrograms of a list. The network has one "
        "convolution of 4 filters, and batches have 8 clips.",
    )
    _pyod(report, options.pyod_rows, options.pyod_epochs, max(1, options.repeats - 2))


def _loops(report, options):
    X = np.random.default_rng(SEED).random((options.clips, N_BINS, options.frames), dtype=np.float32)
    systems = {
        "filters / 8": (FEWER_FILTERS, X),
        "system B": (VAEDetector().filters, X[: options.system_b_clips]),
    }
    table = []
    for name, (filters, clips) in systems.items():
        rows = loop_rows(VAEDetector(filters=filters), clips, repeats=options.repeats)
        table += [{"network": name, "clips": len(clips), **row} for row in rows]
    report.table(
        "Seconds per epoch", table, "Target: fit_module takes at most 1.1 times the time of the bare loop."
    )


def _pyod(report, n_rows, epochs, repeats):
    X, _ = make_rows(n_rows, 0, seed=SEED)
    X_test, y_test = make_rows(1000, 1000, seed=SEED + 1)
    table = []
    for name, kl_weight in {"0": 0.0, f"2 / {X.shape[1]}": 2 / X.shape[1], "1": 1.0}.items():
        settings = {"kl_weight": kl_weight, "epochs": epochs, "batch_size": PYOD_BATCH_SIZE, "seed": SEED}
        fitted = {}
        contenders = {
            "PyOD": lambda f=fitted, s=settings: f.update(PyOD=pyod_vae(**s).fit(X)),
            "skaudio_ad": lambda f=fitted, s=settings: f.update(skaudio_ad=our_vae(**s).fit(X)),
        }
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="the posterior collapsed")  # expected at a weight of 1
            timings = interleave(contenders, repeats=repeats)
        same_start = pyod_vae(**settings, initial_weights="torch").fit(X)
        columns = {
            "PyOD": _pyod_columns(fitted["PyOD"], same_start, X_test, y_test),
            "skaudio_ad": _our_columns(fitted["skaudio_ad"], X_test, y_test),
        }
        for row in speed_rows(timings, unit="s to fit", reference="PyOD", scale=1):
            table.append({"KL weight": name, **row, **columns[row["contender"]]})
    report.table(
        f"Variational autoencoders on {n_rows} rows, {epochs} epochs",
        table,
        "KL is the mean over the normal test rows, in nats. An AUC of KL below 0.5 means that anomalies look normal, "
        "because a row joined of two halves lies nearer to the middle of the latent space.",
    )


def _our_columns(detector, X, y):
    columns = {"KL": f"{detector.transform(X[y == 1])[:, 1].mean():.3g}"}
    rl, kl = detector.transform(X).T
    offset = np.column_stack([rl, kl]) - detector.rl_kl_location_
    losses = {
        "elbo": detector.reconstruction_weight * rl + detector.kl_weight * kl,
        "reconstruction": rl,
        "kl": kl,
        "mahalanobis": np.einsum("ij,jk,ik->i", offset, detector.rl_kl_precision_, offset),
    }
    for score_by in SCORES:
        columns[f"AUC, {score_by}"] = f"{anomaly_auc(losses[score_by], y):.3f}"
    return {**columns, "AUC, torch's initial weights": columns["AUC, reconstruction"]}


def _pyod_columns(detector, same_start, X, y):
    import torch

    with torch.no_grad():
        mean, log_variance = detector.model.encode(torch.from_numpy(X[y == 1]))
    kl = 0.5 * (log_variance.exp() - log_variance - 1 + mean**2).sum(dim=1).mean().item()
    return {
        "KL": f"{kl:.3g}",
        **{f"AUC, {score_by}": "" for score_by in SCORES},
        "AUC, reconstruction": f"{anomaly_auc(detector.decision_function(X), y):.3f}",
        "AUC, torch's initial weights": f"{anomaly_auc(same_start.decision_function(X), y):.3f}",
    }


if __name__ == "__main__":
    main()
