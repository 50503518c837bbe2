"""Run every benchmark, one process each: ``python -m benchmarks``.

Each benchmark has its own process, so that no benchmark inherits the threads, caches or memory of another.
"""

import subprocess
import sys

NAMES = (
    "speed.mel",
    "speed.decoding",
    "speed.memory",
    "speed.training",
    "speed.vae",
    "speed.sequences",
    "speed.neighbors",
    "speed.coreset",
    "speed.embeddings",
    "speed.encoders",
    "speed.latency",
    "speed.jobs",
    "speed.end_to_end",
    "speed.gpu",
    "speed.scaling",
    "detection.heart_lung",
    "detection.dog_bark",
    "detection.machines",
    "detection.pretrained",
    "detection.overview",
    "detection.heads",
    "detection.fleet",
    "detection.head_grid",
    "detection.fine_tuning",
    "detection.label_free",
    "detection.thresholds",
    "monitor",
    "monitor.kills",
    "fuzz",
    "promises",
)


def main():
    """Run the benchmarks in turn.

    Returns
    -------
    int
        Number of benchmarks that failed.
    """
    n_failed = 0
    for name in NAMES:
        print(f"== benchmarks.{name}", flush=True)
        n_failed += subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode != 0
    return n_failed


if __name__ == "__main__":
    sys.exit(main())
