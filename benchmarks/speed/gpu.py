"""Embeddings and training epochs on a GPU, beside the networks as their authors run them and beside the CPU.

Embeddings: from waveforms in the memory of the machine to clip embeddings in the memory of the machine, so that both
copies are in the times. "eager" is the MobileNet as its authors run it: torch's convolutions and batch normalisation
after each convolution. All contenders have the same front end and the same weights.

Training: seconds per epoch of ``fit_module`` on the GPU and on the CPU. The network and the rows are those of
``benchmarks.speed.training``.

Without a GPU the benchmark says so and ends.

Run: ``python -m benchmarks.speed.gpu [--clips 64] [--repeats 5]``, about a minute.
"""

import argparse

import numpy as np

from skaudio_ad.datasets import make_machine_sounds
from skaudio_ad.embeddings import get_backbone
from skaudio_ad.embeddings._backbone_engine import backbone_engine
from skaudio_ad.training import fit_module

from .._autoencoders import LEARNING_RATE, loss, make_rows
from .._report import RESULTS, Report, interleave, speed_rows
from . import training
from ._ratios import NO_GPU, ratio_row
from .embeddings import RATE, compare, weights_of
from .latency import Eager

SEED = 0
PRECISIONS = ("float32", "bfloat16")


def embedding_contenders(variant, waveforms, device):
    """Return functions that embed waveforms on a device. The first function is the plain network.

    Parameters
    ----------
    variant : str or Backbone
        A MobileNet.
    waveforms : ndarray of shape (n_clips, n_samples), float32
    device : str

    Returns
    -------
    dict of {str: callable}
        Each returns an array of shape (n_clips, n_features).
    """
    import torch

    from skaudio_ad.training import inference

    backbone = get_backbone(variant)
    loaded = {
        precision: backbone_engine(
            backbone,
            weights_of(variant),
            runtime="torch",
            precision=precision,
            device=device,
            random_state=SEED,
        ).load()
        for precision in PRECISIONS
    }
    network = Eager(loaded["float32"].runtime, variant)
    network.network.to(device)

    def eager():
        with inference():
            spectrograms = network.front_end(torch.from_numpy(waveforms).to(device))
            return network.network(spectrograms, ("clip",))["clip"].cpu().numpy()

    ours = {
        f"torch, {precision}": lambda one=one: one.embed(waveforms, "clip")
        for precision, one in loaded.items()
    }
    return {"eager": eager, **ours}


def training_contenders(n_rows, epochs, devices):
    """Return functions that train the autoencoder of the benchmark of training, one for every device."""
    import torch

    data = torch.from_numpy(make_rows(n_rows, 0, seed=SEED)[0])

    def train(device):
        rows = data.to(device)
        settings = {"batch_size": training.BATCH_SIZE, "learning_rate": LEARNING_RATE, "seed": SEED}
        return fit_module(training._module().to(device), rows, loss, max_epochs=epochs, **settings)

    return {device: lambda device=device: train(device) for device in devices}


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    import torch

    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.gpu")
    parser.add_argument("--clips", type=int, default=64, help="number of clips in one call")
    parser.add_argument("--variants", nargs="+", default=["mn10", "mini"], help="variants of MobileNet")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a clip")
    parser.add_argument("--rows", type=int, default=100_000, help="number of rows for training")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print(NO_GPU)
        return None
    report = Report(
        "gpu",
        data=f"{options.clips} fans of make_machine_sounds, {options.seconds:g} s at {RATE} Hz. Training: "
        f"{options.rows} rows of 640 features. GPU: {torch.cuda.get_device_name()}.",
        seed=SEED,
        folder=options.output,
    )
    clips = make_machine_sounds(
        options.clips, 0, duration=options.seconds, sample_rate=RATE, random_state=SEED
    )
    for variant in options.variants:
        contenders = embedding_contenders(variant, clips.waveforms.astype(np.float32), "cuda")
        report.table(f"{variant} on the GPU", compare(contenders, options.clips, options.repeats))
    timings = interleave(training_contenders(options.rows, 2, ["cpu", "cuda"]), repeats=options.repeats)
    report.table("Training", speed_rows(timings, unit="s per epoch", n_items=2, reference="cpu", scale=1))
    return report


def ratios(tables):
    """Return the rows of ``python -m benchmarks.speed``."""
    titles = [title for title in tables if title.endswith("on the GPU")]
    rows = [
        ratio_row(tables, title, what=f"waveforms to embeddings of {title}", ours=f"torch, {p}", peer="eager")
        for title in titles
        for p in PRECISIONS
    ]
    return [*rows, ratio_row(tables, "Training", what="epoch of an autoencoder", ours="cuda", peer="cpu")]


if __name__ == "__main__":
    main()
