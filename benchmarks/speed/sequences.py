"""Training of the sequence detectors beside a bare loop, and the memory that their fit adds.

Speed: seconds per epoch of ``fit_module`` and of a bare loop over slices of a permutation with fused Adam. The settings
are those of system C and the defaults of the detectors:

===========================  =======================================  ==========================  ==========
Detector                     Network                                  Windows                     Batch size
===========================  =======================================  ==========================  ==========
SequencePredictorDetector    2-layer LSTM, hidden size 256            10 frames predict the next  32
SequenceAutoencoderDetector  2-layer GRU each way, hidden size 256    10 frames                   64
===========================  =======================================  ==========================  ==========

Both loops train the same network from the same weights, on the same windows in the same order. The windows are either
views of the spectrograms, as in the detectors, whose values are gathered batch by batch, or a contiguous tensor, which
holds every frame ten times. ``fit_module`` also sums the losses, checks that the losses are finite, and keeps the
weights of the best epoch. Target: at most 1.1 times the time of the bare loop on the same views.

Memory: see ``benchmarks/_fit_memory.py``. The networks have a hidden size of 8. Target: spectrograms and growth
together are below twice the spectrograms, for spectrograms in one float32 array. From a list, whose clips may differ in
length, fit makes one copy.

The default is one thread, as in ``benchmarks.speed.training``.

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
    """Return the mean squared error of the last frame of every window, predicted from the frames before."""
    import torch

    return torch.nn.functional.mse_loss(module(windows[:, :-1]), windows[:, -1:])


BARE_LOSSES = {SequencePredictorDetector: prediction_loss, SequenceAutoencoderDetector: loss}


def make_network(detector):
    """Return the network of a detector for spectrograms of `N_BINS` bins, always with the same weights."""
    settings = {name: getattr(detector, name) for name in ("cell", "n_layers", "hidden_size")}
    with drawing_from(SEED):
        if isinstance(detector, SequencePredictorDetector):
            return SequencePredictor(N_BINS, n_predicted_frames=1, **settings)
        return SequenceAutoencoder(N_BINS, **settings)


def make_windows(detector, X):
    """Return the windows on which both loops train.

    Parameters
    ----------
    detector : SequencePredictorDetector or SequenceAutoencoderDetector
    X : ndarray of shape (n_clips, n_bins, n_frames), float32

    Returns
    -------
    dict of {str: (torch.Tensor of shape (n_rows, length, n_bins), ndarray of int or None)}
        For every kind a tensor of rows, and the positions of the rows that are windows. None means all rows.
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
    parser.add_argument("--clips", type=int, default=8, help="number of clips for the loops")
    parser.add_argument("--frames", type=int, default=313, help="number of frames of a clip")
    parser.add_argument(
        "--hidden-size", type=int, default=256, help="hidden size of the networks for the loops"
    )
    parser.add_argument("--memory-clips", type=int, default=640)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="number of torch's threads")
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
            f"{len(windows)} windows of {windows.shape[1]} frames. The windows cut out take "
            f"{windows.nbytes / X.nbytes:.1f} times the memory of the spectrograms. Target: fit_module takes at most "
            "1.1 times the time of the bare loop."
        )
        report.table(f"{detector_type.__name__}, seconds per epoch", rows, notes)
    report.table(
        "Peak memory of fit",
        memory_rows(
            [detector_type.__name__ for detector_type in BARE_LOSSES],
            n_clips=options.memory_clips,
            n_frames=options.frames,
        ),
        "Target: below 2 in the last column for an array. Fit copies the frames of a list. The networks have a hidden "
        "size of 8 and batches of 512 windows. The memory of the windows does not depend on these values.",
    )


if __name__ == "__main__":
    main()
