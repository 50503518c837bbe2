"""Files to scores: fit a detector on normal recordings and score new ones, beside code without the package.

The files are fans of make_machine_sounds (wav, 16 kHz). Every contender gets paths, fits on the normal files, and
scores the new files. A timed call does both, so that it covers decoding, resampling, features and the detector. All
contenders have one thread of torch and BLAS. The package also decodes ahead in threads.

- "log-mel": mean and deviation of 128 log-mel bands, StandardScaler, distance to the nearest training clip. The peer is
  a loop over ``librosa.load`` and ``librosa.feature.melspectrogram``, and scikit-learn's NearestNeighbors. The scores
  of both are the same up to rounding, and the table says how far apart they are.
- "mini": embeddings of the packaged backbone and the nearest training clip. The peer is a loop over ``librosa.load``
  and the network as authors of such networks run it: torch's convolutions, batch normalisation after each
  convolution, one clip at a time. Scores agree up to rounding here as well.
- "make_detector": the default detector of the package beside PyOD's detector for audio, ``EmbeddingOD.for_audio``, each
  in its three lines. The methods differ, so the table says nothing about scores. The detector of the package also
  calibrates a threshold by cross-validation.

Run: ``python -m benchmarks.speed.end_to_end [--files 100] [--new 100] [--seconds 10] [--repeats 3]``, about 4 minutes.
"""

import argparse
import contextlib
import io
import tempfile
import warnings

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad.audio import AudioLoader
from skaudio_ad.detectors import NearestNeighborsDetector
from skaudio_ad.embeddings import MobileNetEmbedding
from skaudio_ad.features import MelTransformer, TemporalPooling
from skaudio_ad.presets import make_detector
from skaudio_ad.training import inference

from .._report import RESULTS, Report, interleave, one_thread, speed_rows
from ._ratios import missing_packages, ratio_row
from .decoding import load_librosa
from .latency import FILE_RATE, RATE, Eager, side_by_side, write_files
from .mel import librosa_log_mel

SEED = 0
PEERS = {"log-mel": "librosa and scikit-learn", "mini": "librosa, eager network and scikit-learn"}
PYOD = "PyOD, EmbeddingOD.for_audio"
OURS = "skaudio_ad"


def nearest_distances(known, new):
    """Return negative distances to the nearest training row after a StandardScaler, with scikit-learn, (n_new,)."""
    scaler = StandardScaler().fit(known)
    search = NearestNeighbors(n_neighbors=1).fit(scaler.transform(known))
    return -search.kneighbors(scaler.transform(new))[0][:, 0]


def librosa_statistics(paths):
    """Return mean and deviation of log-mel bands of files with librosa, (n_files, 2 * n_mels)."""
    spectrograms = [librosa_log_mel(load_librosa(path)) for path in paths]
    return np.array([np.concatenate([clip.mean(axis=1), clip.std(axis=1)]) for clip in spectrograms])


def eager_embeddings(network, paths):
    """Return embeddings of files by librosa and a network that runs one clip at a time, (n_files, n_features)."""
    import librosa
    import torch

    rows = []
    with inference():
        for path in paths:
            clip = librosa.load(path, sr=RATE)[0]
            spectrogram = network.front_end(torch.from_numpy(clip)[None])
            rows.append(side_by_side(network(spectrogram, "clip"))[0])
    return np.array(rows)


def pairs(known, new):
    """Return the contenders of the tables whose scores must agree.

    Parameters
    ----------
    known, new : list of str
        Paths of the training files and of the files to score.

    Returns
    -------
    dict of {str: dict of {str: callable}}
        Contenders by table. Every contender returns scores, (n_new,).
    """
    embedding = MobileNetEmbedding("mini", device="cpu")
    network = Eager(embedding._engine().load().runtime, "mini")
    pipelines = {
        "log-mel": [AudioLoader(FILE_RATE), MelTransformer(), TemporalPooling(("mean", "std"))],
        "mini": [AudioLoader(RATE), embedding],
    }
    features = {"log-mel": librosa_statistics, "mini": lambda paths: eager_embeddings(network, paths)}

    def ours(steps):
        detector = make_pipeline(*steps, StandardScaler(), NearestNeighborsDetector(metric="euclidean"))
        return lambda: detector.fit(known).score_samples(new)

    return {
        name: {
            PEERS[name]: lambda f=features[name]: nearest_distances(f(known), f(new)),
            OURS: ours(steps),
        }
        for name, steps in pipelines.items()
    }


def three_lines(known, new):
    """Return the contenders whose methods differ: the default detector, and PyOD's if it is installed."""
    contenders = {OURS: lambda: make_detector(device="cpu", random_state=SEED).fit(known).score_samples(new)}
    if not missing_packages(["pyod"]):
        contenders[PYOD] = lambda: pyod_scores(known, new)
    return contenders


def pyod_scores(known, new):
    """Return negative anomaly scores of PyOD's detector for audio, (n_new,)."""
    from pyod.models.embedding import EmbeddingOD

    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")  # librosa warns of the short windows of its chroma features
        return -EmbeddingOD.for_audio().fit(known).decision_function(new)


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.end_to_end")
    parser.add_argument("--files", type=int, default=100, help="number of training files")
    parser.add_argument("--new", type=int, default=100, help="number of files to score")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a file")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    report = Report(
        "end_to_end",
        data=f"{options.files} training files and {options.new} files to score, fans of make_machine_sounds, wav, "
        f"{options.seconds:g} s at {FILE_RATE} Hz. All contenders run on one thread of torch and BLAS.",
        seed=SEED,
        packages=("pyod",),
        folder=options.output,
    )
    unit = {"unit": "ms per file", "n_items": options.files + options.new}
    with tempfile.TemporaryDirectory() as folder, one_thread():
        paths = write_files(folder, options.files + options.new, options.seconds)
        known, new = paths[: options.files], paths[options.files :]
        for name, contenders in pairs(known, new).items():
            timings = interleave(contenders, repeats=options.repeats)
            scores = {key: contender() for key, contender in contenders.items()}
            rows = speed_rows(timings, reference=PEERS[name], **unit)
            expected = scores[PEERS[name]]
            difference = np.abs(scores[OURS] - expected).max() / np.std(expected)
            report.table(
                f"Files to scores, {name}",
                rows,
                f"Largest difference of two scores, in standard deviations of the scores: {difference:.1e}.",
            )
        contenders = three_lines(known, new)
        timings = interleave(contenders, repeats=options.repeats)
        report.table("Files to scores, make_detector", speed_rows(timings, reference=OURS, **unit))
    return report


def ratios(tables):
    """Return the rows of ``python -m benchmarks.speed``."""
    rows = [
        ratio_row(tables, f"Files to scores, {name}", what=f"fit and score, {name}", ours=OURS, peer=peer)
        for name, peer in PEERS.items()
    ]
    what = "fit and score, make_detector"
    return [
        *rows,
        ratio_row(tables, "Files to scores, make_detector", what=what, ours=OURS, peer=PYOD, needs=("pyod",)),
    ]


if __name__ == "__main__":
    main()
