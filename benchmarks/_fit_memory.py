"""Memory that ``fit`` adds to the peak of its own process, beside the memory of the spectrograms.

The process imports everything, fits a few clips, makes the spectrograms and notes its resident memory. It then fits,
and reads the peak. The peak covers all of fit: the checks, the bank of windows, training, the held-out loss of every
epoch, and the scores of the held-out clips. The growth is the peak minus the noted memory, and the noted memory
includes the spectrograms. Networks are small and train for one epoch, so that the activations of a batch and the states
of Adam stay small beside the spectrograms. Activations and states depend on the network and on the batch, not on the
number of clips. Where the system cannot reset the peak (not Linux), the peak includes the imports, and the growth is a
lower bound.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from ._peak_memory import peak, reset_peak

N_BINS, SEED = 128, 0
KINDS = ("array", "list")
SMALL = {
    "SequencePredictorDetector": {"hidden_size": 8, "batch_size": 512},
    "SequenceAutoencoderDetector": {"hidden_size": 8, "batch_size": 512},
    "VAEDetector": {"filters": (4,), "kernel_sizes": 3, "strides": 4, "latent_size": 2, "batch_size": 8},
}


def memory_rows(names, *, n_clips, n_frames):
    """Return the rows of a table: growth of the peak in the fit of some detectors.

    Parameters
    ----------
    names : sequence of str
        Names of detectors, keys of `SMALL`.
    n_clips, n_frames : int

    Returns
    -------
    list of dict
    """
    return [_row(name, kind, n_clips, n_frames) for name in names for kind in KINDS]


def measure(name, kind, n_clips, n_frames):
    """Fit one detector and watch the memory of this process.

    Parameters
    ----------
    name : str
        A key of `SMALL`.
    kind : {"array", "list"}
        Type of the spectrograms: one float32 array or a list.
    n_clips, n_frames : int

    Returns
    -------
    dict
        Size of the spectrograms and growth, in MB.
    """
    import torch

    import skaudio_ad

    torch.set_num_threads(1)
    detector = getattr(skaudio_ad, name)(**SMALL[name], max_epochs=1, random_state=SEED, device="cpu")
    X = _spectrograms(kind, 10, n_frames)
    detector.fit(X)
    X = _spectrograms(kind, n_clips, n_frames)
    before = reset_peak()
    detector.fit(X)
    return {"spectrograms": sum(clip.nbytes for clip in X) / 1e6, "growth": peak() - before}


def _spectrograms(kind, n_clips, n_frames):
    shape = (n_clips, N_BINS, n_frames)
    array = np.random.default_rng(SEED).standard_normal(shape, dtype=np.float32)
    return array if kind == "array" else list(array)


def _row(name, kind, n_clips, n_frames):
    command = [sys.executable, "-m", "benchmarks._fit_memory", name, kind, str(n_clips), str(n_frames)]
    process = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[1]
    )
    result = json.loads(process.stdout)
    relative = result["growth"] / result["spectrograms"]
    return {
        "detector": name,
        "X": kind,
        "spectrograms, MB": f"{result['spectrograms']:.1f}",
        "growth of peak in fit, MB": f"{result['growth']:.1f}",
        "growth relative to spectrograms": f"{relative:.2f}",
        "spectrograms and growth relative to spectrograms": f"{1 + relative:.2f}",
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
