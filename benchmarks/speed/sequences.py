"""The sequence detectors' training beside a bare loop, and the memory that their fit adds.

Speed: seconds per epoch of ``fit_module`` and of a bare loop over slices of a permutation with fused Adam, for
SequencePredictorDetector (2-layer LSTM, hidden 256, 10 frames predict the next one, batches of 32) and
SequenceAutoencoderDetector (2-layer GRU each way, hidden 256, windows of 10 frames, batches of 64), system C's
settings and the detectors' defaults. Both loops train the same network from the same weights on the same windows in
the same order: once the detectors' own, views of the spectrograms, whose values are gathered batch by batch, and once
windows cut out into a contiguous tensor, which holds every frame ten times. ``fit_module`` also sums the losses,
checks that they are finite and keeps the weights of the best epoch. Target: at most 1.1 times the bare loop's time on
the same views.

Memory: see ``benchmarks/_fit_memory.py``. Networks with a hidden size of 8. Target: spectrograms and growth together
under twice the spectrograms, for spectrograms in one float32 array. From a list, whose clips may differ in length, fit
makes one copy.

One thread by default, as in ``benchmarks.speed.training``.

Run: ``python -m benchmarks.speed.sequences [--clips 8] [--memory-clips 640] [--repeats 5] [--threads 2]``
"""

import argparse

import numpy as np

from skaudio_ad.detectors import SequenceAutoencoderDetector, SequencePredictorDetector
from skaudio_ad.detectors._frames import FrameBank
from skaudio_ad.networks import SequenceAutoencoder, SequencePredictor
from skaudio_ad.training import drawing_from

from .._autoencoders import epoch_rows, loss
from .._fit_memory import N_BINS, memory_rows
from .._report import RESULTS, Report

SEED = 0


def prediction_loss(module, windows):
    """Mean squared error of the last frame of every window, predicted from those before it."""
    import torch

    return torch.nn.functional.mse_loss(module(windows[:, :-1]), windows[:, -1:])


BARE_LOSSES = {SequencePredictorDetector: prediction_loss, SequenceAutoencoderDetector: loss}


def make_network(detector):
    """The network of a detector for spectrograms of `N_BINS` bins, with the same weights every time."""
    settings = {name: getattr(detector, name) for name in ("cell", "n_layers", "hidden_size")}
    with drawing_from(SEED):
        if isinstance(detector, SequencePredictorDetector):
            return SequencePredictor(N_BINS, n_predicted_frames=1, **settings)
        return SequenceAutoencoder(N_BINS, **settings)


def make_windows(detector, X):
    """What both loops train on.

    Parameters
    ----------
    detector : SequencePredictorDetector or SequenceAutoencoderDetector
    X : ndarray of shape (n_clips, n_bins, n_frames), float32

    Returns
    -------
    dict of {str: (torch.Tensor of shape (n_rows, length, n_bins), ndarray of int or None)}
        By kind: windows, and which rows of the tensor are windows; None is all.
    """
    import torch

    length = getattr(detector, "window_length", None) or detector.n_context_frames + 1
    bank = FrameBank(X, length, torch.device("cpu"), copy=False)
    rows = bank.rows_of(np.arange(len(X)))
    return {"views": (bank.windows, rows), "windows cut out": (bank.windows[rows].contiguous(), None)}


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    import torch

    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.sequences")
    parser.add_argument("--clips", type=int, default=8, help="clips for the loops")
    parser.add_argument("--frames", type=int, default=313, help="frames of a clip")
    parser.add_argument("--hidden-size", type=int, default=256, help="of the networks for the loops")
    parser.add_argument("--memory-clips", type=int, default=640)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="torch's")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    report = Report(
        "sequences",
        data=f"Spectrograms of {N_BINS} bins and {options.frames} frames of noise: {options.clips} for the "
        f"loops, {options.memory_clips} for the memory.",
        seed=SEED,
        folder=options.output,
    )
    X = np.random.default_rng(SEED).standard_normal((options.clips, N_BINS, options.frames), dtype=np.float32)
    for detector_type, bare_loss in BARE_LOSSES.items():
        detector = detector_type(hidden_size=options.hidden_size)
        data = make_windows(detector, X)
        windows, _ = data["windows cut out"]
        rows = epoch_rows(
            lambda detector=detector: make_network(detector),
            data,
            losses=(bare_loss, detector._loss),
            epochs=1,
            repeats=options.repeats,
            seed=SEED,
            batch_size=detector.batch_size,
            learning_rate=detector.learning_rate,
        )
        notes = (
            f"{len(windows)} windows of {windows.shape[1]} frames; cut out they take "
            f"{windows.nbytes / X.nbytes:.1f} times the memory of the spectrograms. Target: fit_module at most 1.1 "
            "times the bare loop's time."
        )
        report.table(f"{detector_type.__name__}, seconds per epoch", rows, notes)
    report.table(
        "Peak memory of fit",
        memory_rows(
            [detector_type.__name__ for detector_type in BARE_LOSSES],
            n_clips=options.memory_clips,
            n_frames=options.frames,
        ),
        "Target: under 2 in the last column for an array. Fit copies the frames of a list. Networks with a hidden size "
        "of 8 and batches of 512 windows; the memory of the windows depends on neither.",
    )


if __name__ == "__main__":
    main()
