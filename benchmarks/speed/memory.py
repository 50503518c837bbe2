"""Memory of many files on their way to features: pooled log-mel, lazy and not lazy, and embeddings.

The clips are white noise of 1 s at 16 kHz, in 16-bit wav files in a temporary folder. The features are the mean and
deviation of the 128 log-mel bands of a clip, or embeddings of the smallest MobileNet with random weights, because the
benchmark measures the memory per clip and not the memory of the network. Every variant runs in its own process. The
process imports everything and sends a few clips through the pipeline. It then notes its resident memory, transforms all
clips, and reads the peak. The growth is the peak minus the noted memory. Where the system cannot reset the peak (not
Linux), the peak includes the imports, and the growth is a lower bound.

Target: with ``lazy=True`` and for embeddings, the growth minus the size of the output is below 300 MB for any number of
clips.

Run: ``python -m benchmarks.speed.memory [--clips 20000] [--embedded 10000]``
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from .._peak_memory import peak, reset_peak
from .._report import RESULTS, Report

RATE = 16000
SEED = 0
# Maximum growth minus output, in MB.
TARGET = 300


def write_noise(folder, n_clips):
    """Write clips of different noise.

    Parameters
    ----------
    folder : path-like
    n_clips : int

    Returns
    -------
    list of str
        Paths of the clips.
    """
    import soundfile

    generator = np.random.default_rng(SEED)
    noise = 0.1 * generator.standard_normal(10 * RATE, dtype=np.float32)
    paths = [str(Path(folder) / f"{index:06d}.wav") for index in range(n_clips)]
    for path, start in zip(paths, generator.integers(len(noise) - RATE, size=n_clips)):
        soundfile.write(path, noise[start : start + RATE], RATE)
    return paths


def _pipeline(variant):
    from sklearn.pipeline import make_pipeline

    from skaudio_ad.audio import AudioLoader
    from skaudio_ad.features import MelTransformer, TemporalPooling

    if variant in ("lazy=True", "lazy=False"):
        mel = MelTransformer(RATE, lazy=variant == "lazy=True")
        return make_pipeline(AudioLoader(RATE), mel, TemporalPooling())
    from skaudio_ad.embeddings import MobileNetEmbedding

    warnings.filterwarnings("ignore", message=".* has random weights")
    return make_pipeline(AudioLoader(32_000), MobileNetEmbedding("mn01", weights=None))


def measure(folder, variant):
    """Send all clips in a folder through a pipeline and watch the memory of this process.

    Parameters
    ----------
    folder : path-like
    variant : {"lazy=True", "lazy=False", "embedding"}

    Returns
    -------
    dict
        Time in seconds; output, peak and growth in MB; and the sum of the output, which must agree between variants.
    """
    from skaudio_ad.audio import find_audio_files

    paths = find_audio_files(folder)
    pipeline = _pipeline(variant)
    pipeline.fit_transform(paths[:50])
    before = reset_peak()
    start = time.perf_counter()
    output = pipeline.fit_transform(paths)
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "output": output.nbytes / 1e6,
        "peak": peak(),
        "growth": peak() - before,
        "sum": float(output.sum(dtype=np.float64)),
    }


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.memory")
    parser.add_argument("--clips", type=int, default=20000)
    parser.add_argument("--output", default=RESULTS)
    parser.add_argument("--embedded", type=int, default=10000, help="number of clips to embed")
    parser.add_argument("--measure", nargs=2, metavar=("FOLDER", "VARIANT"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        print(json.dumps(measure(*options.measure)))
        return
    report = Report(
        "memory",
        data=f"{options.clips} clips of 1 s of noise at {RATE} Hz, 16-bit wav files.",
        seed=SEED,
        folder=options.output,
    )
    with tempfile.TemporaryDirectory() as folder:
        write_noise(folder, options.clips)
        rows = [
            _row("MelTransformer", variant, folder, options.clips) for variant in ("lazy=True", "lazy=False")
        ]
    embedded = []
    for n_clips in (options.embedded // 10, options.embedded):
        with tempfile.TemporaryDirectory() as folder:
            write_noise(folder, n_clips)
            embedded.append({"clips": n_clips, **_row("features", "embedding", folder, n_clips)})
    report.table(
        "Peak memory of files to pooled log-mel features",
        rows,
        f"Target: growth less output below {TARGET} MB with lazy=True. The sums of the outputs agree up to the "
        "precision of float32.",
    )
    report.table(
        "Peak memory of files to embeddings",
        embedded,
        f"mn01 with random weights. Target: growth less output below {TARGET} MB for any number of clips.",
    )


def _row(name, variant, folder, n_clips):
    command = [sys.executable, "-m", "benchmarks.speed.memory", "--measure", folder, variant]
    process = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2]
    )
    result = json.loads(process.stdout)
    return {
        name: variant,
        "output, MB": f"{result['output']:.1f}",
        "peak of the process, MB": f"{result['peak']:.0f}",
        "growth of peak, MB": f"{result['growth']:.0f}",
        "growth less output, MB": f"{result['growth'] - result['output']:.0f}",
        "seconds": f"{result['seconds']:.1f}",
        "clips per second": f"{n_clips / result['seconds']:.0f}",
        "sum of the output": f"{result['sum']:.6g}",
    }


if __name__ == "__main__":
    main()
