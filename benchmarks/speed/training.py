"""The training loop beside a bare loop, the autoencoder beside PyOD's, and the time of callbacks.

Loop: seconds per epoch of ``fit_module`` and of a bare loop over slices of a permutation with fused Adam. The network
is 640-128-128-8-128-128-640 with batch normalisation. The data are 100 000 windows of 5 frames of 128 bands, in batches
of 512, either in a contiguous tensor or as an overlapping view. ``fit_module`` also sums the losses, checks that the
losses are finite, keeps the weights of the best epoch, and after every epoch computes the statistics of batch
normalisation and the loss of a sample of rows. Target: at most 1.1 times the time of the bare loop.

PyOD: ``pyod.models.auto_encoder.AutoEncoder`` with the same layers, epochs, batch size, learning rate and data. Batch
normalisation is on in both, and dropout and weight decay are 0. According to its code, PyOD's fit does the following:

- Its ``preprocessing`` standardises a row every time that a DataLoader without workers asks for the row. The
  counterpart is a StandardScaler before our detector.
- It drops the last batch if the batch is not full.
- Its Adam is not fused.
- It reads ``loss.item()`` in every batch.
- It scores the training rows by the Euclidean distance to their reconstruction, and sets ``threshold_`` at the ``1 -
  contamination`` quantile of these scores. Our detector also scores the training rows, by the mean squared error
  (``validation_fraction=0``). The order of both scores is the same for the same reconstruction.

Two settings differ, because PyOD and our detector do not allow to set them:

===================================  ===========  =================
Setting                              PyOD         skaudio_ad
===================================  ===========  =================
epsilon of batch normalisation       1e-5         1e-3
momentum of batch normalisation      0.1          0.01
initial weights                      Kaiming      torch's default
===================================  ===========  =================

Callbacks: seconds per epoch of AutoencoderDetector on few rows, so that the time of the callbacks is visible.

The default is one thread, because torch's threads wait busily for each other. Where another program uses a core, a step
on two threads takes ten to a hundred times as long (``OMP_WAIT_POLICY=PASSIVE`` prevents this).

Run: ``python -m benchmarks.speed.training [--rows 100000] [--pyod-rows 20000] [--repeats 5] [--threads 2]``
"""

import argparse
import contextlib
import io

import numpy as np

from skaudio_ad.detectors import AutoencoderDetector
from skaudio_ad.networks import DenseAutoencoder

from .._autoencoders import (
    BOTTLENECK,
    CALLBACKS,
    HIDDEN,
    LEARNING_RATE,
    anomaly_auc,
    epoch_rows,
    loss,
    make_rows,
    our_detector,
    pyod_detector,
)
from .._report import RESULTS, Report, interleave, speed_rows
from ._ratios import missing_packages, ratio_row

SEED, CONTEXT, N_BANDS, BATCH_SIZE = 0, 5, 128, 512


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    import torch

    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.training")
    parser.add_argument("--rows", type=int, default=100_000, help="number of windows for the loops")
    parser.add_argument("--epochs", type=int, default=2, help="number of epochs of a timed loop")
    parser.add_argument("--pyod-rows", type=int, default=20_000, help="number of rows for both autoencoders")
    parser.add_argument("--pyod-epochs", type=int, default=10)
    parser.add_argument("--callback-epochs", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="number of torch's threads")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    report = Report(
        "training",
        data=f"Loops: {options.rows} windows of {CONTEXT} frames of {N_BANDS} normal deviates. PyOD: "
        f"{options.pyod_rows} rows of 640 features around a curved surface of 6 dimensions, and 2000 test rows, half "
        "of them anomalies that join the halves of two normal rows.",
        seed=SEED,
        packages=("pyod",),
        folder=options.output,
    )
    _loops(report, options.rows, options.epochs, options.repeats)
    if missing_packages(["pyod"]):
        print("The table of PyOD is left out: pip install 'skaudio_ad[bench]' installs PyOD.")
    else:
        _pyod(report, options.pyod_rows, options.pyod_epochs, max(1, options.repeats - 2))
    _callbacks(report, options.callback_epochs, options.repeats)
    return report


def ratios(tables):
    """Return the rows of ``python -m benchmarks.speed``."""
    rows = [
        ratio_row(
            tables,
            "Seconds per epoch",
            what=f"epoch of an autoencoder, {kind}",
            ours=f"fit_module, {kind}",
            peer=f"bare loop, {kind}",
            target=1 / 1.1,
        )
        for kind in ("contiguous", "view")
    ]
    title = next((title for title in tables if title.startswith("Autoencoders on")), "")
    rows += [
        ratio_row(
            tables,
            title,
            what=f"fit of an autoencoder{', standardised' if scaled else ''}",
            ours="skaudio_ad",
            peer="PyOD",
            where={"standardised": scaled},
            needs=("pyod",),
        )
        for scaled in (False, True)
    ]
    return rows


def _loops(report, n_rows, epochs, repeats):
    import torch

    frames = torch.randn(n_rows + CONTEXT - 1, N_BANDS, generator=torch.Generator().manual_seed(SEED))
    view = frames.as_strided((n_rows, CONTEXT * N_BANDS), (N_BANDS, 1))
    rows = epoch_rows(
        _module,
        {"contiguous": (view.contiguous(), None), "view": (view, None)},
        losses=(loss, loss),
        epochs=epochs,
        repeats=repeats,
        seed=SEED,
        batch_size=BATCH_SIZE,
        learning_rate=LEARNING_RATE,
    )
    report.table("Seconds per epoch", rows)


def _module():
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        return DenseAutoencoder(
            CONTEXT * N_BANDS,
            HIDDEN,
            BOTTLENECK,
            activation="relu",
            batch_norm=True,
            bottleneck_activation=True,
        )


def _pyod(report, n_rows, epochs, repeats):
    X, _ = make_rows(n_rows, 0, seed=SEED)
    X_test, y_test = make_rows(1000, 1000, seed=SEED + 1)
    rows = []
    for scaled in (False, True):
        settings = {"epochs": epochs, "batch_size": BATCH_SIZE, "scaled": scaled, "seed": SEED}
        fitted = {}
        contenders = {
            "PyOD": lambda f=fitted, s=settings: f.update(PyOD=pyod_detector(**s).fit(X)),
            "skaudio_ad": lambda f=fitted, s=settings: f.update(skaudio_ad=our_detector(**s).fit(X)),
        }
        timings = interleave(contenders, repeats=repeats)
        auc = {
            "PyOD": anomaly_auc(fitted["PyOD"].decision_function(X_test), y_test),
            "skaudio_ad": anomaly_auc(-fitted["skaudio_ad"].score_samples(X_test), y_test),
        }
        for row in speed_rows(timings, unit="s to fit", reference="PyOD", scale=1):
            rows.append({"standardised": scaled, **row, "test AUC": f"{auc[row['contender']]:.3f}"})
    distance = anomaly_auc(np.linalg.norm(X_test - X.mean(axis=0), axis=1), y_test)
    report.table(
        f"Autoencoders on {n_rows} rows, {epochs} epochs",
        rows,
        f"The distance from the mean of the training rows has a test AUC of {distance:.3f}.",
    )


def _callbacks(report, epochs, repeats, n_rows=256):
    X, _ = make_rows(n_rows, 0, seed=SEED)

    def fit(callback):
        detector = AutoencoderDetector(
            hidden_sizes=HIDDEN, max_epochs=epochs, early_stopping=None, random_state=SEED, device="cpu"
        )
        if callback is not None:
            detector.set_callbacks(callback())
        with contextlib.redirect_stdout(io.StringIO()):
            detector.fit(X)

    timings = interleave(
        {k: lambda c=callback: fit(c) for k, callback in CALLBACKS.items()}, repeats=2 * repeats
    )
    rows = [
        {
            "callback": name,
            "best ms per epoch": f"{timing.best / epochs * 1e3:.3f}",
            "overhead, ms per epoch": f"{(timing.best - timings['none'].best) / epochs * 1e3:.3f}",
        }
        for name, timing in timings.items()
    ]
    report.table(
        f"Callbacks over {epochs} epochs of {n_rows} rows",
        rows,
        "ProgressBar writes to a buffer, not to a terminal. Differences of 0.1 ms are noise.",
    )


if __name__ == "__main__":
    main()
