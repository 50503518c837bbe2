"""Time from the path of one recording to its score, with a detector that is loaded: median and 99th percentile.

The recordings are fans of make_machine_sounds (wav, 16 kHz, 10 s). The detector is that of ``make_detector("mini")``,
fitted on 24 of them. It scores one recording in a call. All runtimes that are installed take turns, so that other
programs slow down all of them. "eager" is the network as its authors run it: torch's convolutions, batch
normalisation after each convolution, channels first.

The table of the steps times each step alone, on the output of the step before. The calls of scikit-learn between the
steps are in the time of the whole detector only.

Targets, on two idle cores: a median of 9 ms, and a 99th percentile of at most twice the median.

Where other programs use the cores, ``--clock cpu`` with ``OMP_NUM_THREADS=1`` prints seconds of the processor. Only the
ratios of such a run mean something.

Run: ``python -m benchmarks.speed.latency [--clips 200] [--clock wall]``, about half a minute.
"""

import argparse
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile
import soxr

from skaudio_ad.audio import read_audio
from skaudio_ad.datasets import make_machine_sounds
from skaudio_ad.embeddings import find_weights, get_backbone, load_state_dict
from skaudio_ad.embeddings._registry import get_family
from skaudio_ad.presets import make_detector
from skaudio_ad.training import draw_seed, drawing_from, inference

from .._report import RESULTS, Report
from ._ratios import plain_row, ratio_row

SEED = 0
FILE_RATE = 16_000  # of the files, in hertz
RATE = 32_000  # of the backbone, in hertz
# Number of clips in training: five models score, because one model for every clip is only for 30 clips or fewer.
N_TRAINING = 100
N_FILES = 20  # number of files that are scored in turn
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
# Number of clips that are scored before the clock starts, by every contender.
N_WARM_UP = 5
# Number of rounds in which the detectors take turns. The turns are long, because a process keeps two networks in
# memory, and loads a third anew.
N_ROUNDS = 4


class Eager:
    """Runtime of a MobileNet as its authors run it.

    Parameters
    ----------
    runtime : callable
        Runtime whose front end is used.
    backbone : str
        Name of the backbone.
    """

    def __init__(self, runtime, backbone):
        variant = get_backbone(backbone)
        self.front_end = runtime.front_end
        with drawing_from(draw_seed(SEED)):  # the random weights of an embedding with this seed
            self.network = get_family(variant.family).build_network(variant).eval()
        if find_weights(variant) is not None:
            self.network.load_state_dict(load_state_dict(variant))

    def __call__(self, spectrograms, output):
        import torch

        names = (output,) if isinstance(output, str) else tuple(output)
        made = self.network(spectrograms, names)
        return torch.cat([made[name] for name in names], dim=1).numpy()


def side_by_side(outputs):
    """Put the outputs of a network into one array."""
    return outputs if isinstance(outputs, np.ndarray) else np.concatenate(outputs, axis=1)


def write_files(folder, n_files, seconds):
    """Write fans as wav files, and return their paths.

    Parameters
    ----------
    folder : path-like
    n_files : int
    seconds : float

    Returns
    -------
    list of str
    """
    clips = make_machine_sounds(n_files, 0, duration=seconds, sample_rate=FILE_RATE, random_state=SEED)
    paths = []
    for index, clip in enumerate(clips.waveforms):
        paths.append(str(Path(folder) / f"{index:03d}.wav"))
        soundfile.write(paths[-1], 0.5 * clip / np.abs(clip).max(), FILE_RATE)
    return paths


def runtimes():
    """Return the names of the runtimes that are installed, torch first."""
    others = [name for name in ("onnxruntime", "openvino") if find_spec("onnx") and find_spec(name)]
    return ["torch", *others]


def timed_steps(detector, runtime, path, clock):
    """Score one file step by step.

    Parameters
    ----------
    detector : DetectorPipeline
    runtime : callable
        Runtime that computes the embedding.
    path : str
    clock : callable

    Returns
    -------
    score : float
    seconds : dict of {str: float}
        Time of every step.
    """
    import torch

    output = detector["embed"].output
    steps = {
        "decode": lambda path: read_audio(path)[0],
        "resample": lambda clip: soxr.resample(clip, FILE_RATE, RATE, quality="HQ"),
        "level": lambda clip: detector["level"].transform(clip[None])[0],
        "front end": lambda clip: runtime.front_end(torch.from_numpy(clip)[None]),
        "network": lambda spectrogram: side_by_side(runtime(spectrogram, output)),
        "score": lambda embedding: detector["detector"].score_samples(embedding)[0],
    }
    made, seconds = path, {}
    with inference():
        for name, step in steps.items():
            start = clock()
            made = step(made)
            seconds[name] = clock() - start
    return float(made), seconds


def row_of(seconds, reference):
    """Return the columns of a table: median, 99th percentile, and ratio of the medians.

    Parameters
    ----------
    seconds, reference : list of float

    Returns
    -------
    dict
    """
    median = np.median(seconds)
    return {
        "median, ms": f"{median * 1e3:.3g}",
        "99th percentile, ms": f"{np.quantile(seconds, 0.99) * 1e3:.3g}",
        "relative to the reference": f"{median / np.median(reference):.2f}",
    }


def measure(detectors, paths, n_clips, clock):
    """Time detectors in turn, as a whole and step by step.

    Parameters
    ----------
    detectors : dict of {str: DetectorPipeline}
        Fitted detectors by the name of their runtime. All have the same parts otherwise.
    paths : list of str
    n_clips : int
        Number of clips that count. The files are scored in turn.
    clock : callable

    Returns
    -------
    whole : dict of {str: list of float}
        Seconds of every clip, by runtime.
    steps : dict of {str: list of float}
        The same for every step; the network once for every runtime.
    scores : dict of {str: list of float}
        Scores of every clip, by runtime and for the eager network.
    """
    networks = {name: detector["embed"]._engine().load().runtime for name, detector in detectors.items()}
    first = next(iter(detectors.values()))
    networks = {"eager": Eager(next(iter(networks.values())), first["embed"].variant), **networks}
    whole, steps, scores = {}, {}, {}
    for _ in range(N_ROUNDS):
        for name, detector in detectors.items():
            for index in range(-N_WARM_UP, n_clips // N_ROUNDS):
                start = clock()
                score = detector.score_samples([paths[index % len(paths)]])[0]
                if index >= 0:
                    whole.setdefault(name, []).append(clock() - start)
                    scores.setdefault(name, []).append(score)
    for index in range(-N_WARM_UP, n_clips):
        for name, runtime in networks.items():
            score, seconds = timed_steps(first, runtime, paths[index % len(paths)], clock)
            if index >= 0:
                steps.setdefault(f"network, {name}", []).append(seconds.pop("network"))
                for step, value in seconds.items():
                    steps.setdefault(step, []).append(value)
                if index < n_clips // N_ROUNDS:
                    scores.setdefault(f"{name}, in steps", []).append(score)
    return whole, steps, scores


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.latency")
    parser.add_argument("--clips", type=int, default=200, help="number of clips that are timed")
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="seconds of the wall or of the processor"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a clip")
    parser.add_argument("--backbone", default="mini", help="MobileNet of the detector")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    report = Report(
        "latency",
        data=f"{N_FILES} fans of make_machine_sounds, wav, {options.seconds:g} s at {FILE_RATE} Hz, one at a time; "
        f"{options.clips} clips after {N_WARM_UP} that do not count. Clock: {options.clock}.",
        seed=SEED,
        packages=[name for name in ("onnxruntime", "openvino") if name in runtimes()],
        folder=options.output,
    )
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(folder, N_TRAINING + N_FILES, options.seconds)
        detectors = {
            name: make_detector(options.backbone, runtime=name, device="cpu", random_state=SEED).fit(
                paths[:N_TRAINING]
            )
            for name in runtimes()
        }
        whole, steps, scores = measure(detectors, paths[N_TRAINING:], options.clips, CLOCKS[options.clock])
    report.table(
        "Path to score",
        [{"runtime": name, **row_of(seconds, whole["torch"])} for name, seconds in whole.items()],
        "The reference is torch.",
    )
    differences = {
        name: np.max(np.abs(np.subtract(values, scores["torch"][: len(values)]))) / np.std(scores["torch"])
        for name, values in scores.items()
    }
    report.table(
        "Steps",
        [{"step": name, **row_of(seconds, steps["network, eager"])} for name, seconds in steps.items()],
        "The reference is the eager network. Largest difference of a score from torch's, in standard deviations of the "
        f"scores: {max(differences.values()):.1e}.",
    )
    return report


def ratios(tables):
    """Return the rows of ``python -m benchmarks.speed``."""
    rows = [
        ratio_row(
            tables,
            "Steps",
            what="network for one clip",
            ours=f"network, {name}",
            peer="network, eager",
            needs=needs,
        )
        for name, needs in (
            ("torch", ()),
            ("onnxruntime", ("onnx", "onnxruntime")),
            ("openvino", ("onnx", "openvino")),
        )
    ]
    whole = {row["runtime"]: float(row["median, ms"]) for row in tables.get("Path to score", [])}
    steps = {row["step"]: float(row["median, ms"]) for row in tables.get("Steps", [])}
    with_eager = sum(
        value for name, value in steps.items() if name == "network, eager" or "network" not in name
    )
    rows += [
        plain_row(
            "path of one clip to its score",
            f"detector, {name}",
            "the same steps with the eager network",
            unit="ms",
            times=(milliseconds, with_eager),
        )
        for name, milliseconds in whole.items()
    ]
    return rows


if __name__ == "__main__":
    main()
