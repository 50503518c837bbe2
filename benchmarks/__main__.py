"""Run every benchmark, one process each: ``python -m benchmarks``.

Processes of their own, so that none inherits another's threads, caches or memory.
"""

import subprocess
import sys

NAMES = (
    "mel",
    "decoding",
    "memory",
    "training",
    "vae",
    "sequences",
    "neighbors",
    "embeddings",
    "jobs",
    "heart_lung",
    "dog_bark",
    "machines",
    "pretrained",
    "label_free",
    "thresholds",
    "fuzz",
    "promises",
)


def main():
    """Run the benchmarks in turn.

    Returns
    -------
    int
        The number that failed.
    """
    n_failed = 0
    for name in NAMES:
        print(f"== benchmarks.{name}", flush=True)
        n_failed += subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode != 0
    return n_failed


if __name__ == "__main__":
    sys.exit(main())
