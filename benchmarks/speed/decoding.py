"""Decoding to 16 kHz mono beside librosa.load and bare soundfile with soxr, and decoding ahead in threads.

Decoding: 10 s stereo recordings at 44.1 kHz in wav (16 bit), flac, ogg (Vorbis) and mp3, one file after another in one
thread. ``librosa.load`` resamples with its default, soxr_hq, and the other contenders use the same quality ("HQ"). The
bare version reads, averages the channels and resamples. ``read_audio`` also checks for truncated, empty and non-finite
recordings. All files have been read before, so they come from the page cache.

End to end: ``AudioLoader`` and ``MelTransformer`` decode and transform ahead in threads. The other contenders are the
same functions in a plain loop, and a loop of librosa's functions (load, melspectrogram, power_to_db).

Run: ``python -m benchmarks.speed.decoding [--files 8] [--repeats 7]``
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr
from sklearn.pipeline import make_pipeline
from threadpoolctl import ThreadpoolController

from skaudio_ad.audio import AudioLoader, read_audio
from skaudio_ad.datasets import make_machine_sounds
from skaudio_ad.features import MelTransformer

from .._report import RESULTS, Report, interleave, speed_rows
from ._ratios import ratio_row
from .mel import librosa_log_mel

FILE_RATE, RATE = 44100, 16000
FORMATS = ("wav", "flac", "ogg", "mp3")
SEED = 0


def load_skaudio_ad(path):
    """Decode with ``read_audio``, (n_samples,)."""
    return read_audio(path, RATE)[0]


def load_librosa(path):
    """Decode with ``librosa.load``, (n_samples,)."""
    import librosa

    return librosa.load(path, sr=RATE)[0]


def load_bare(path):
    """Only decode, average the channels and resample, (n_samples,)."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(axis=1), rate, RATE, quality="HQ")


def write_files(folder, n_files, seconds):
    """Write the stereo recordings in every format.

    Parameters
    ----------
    folder : path-like
    n_files : int
        Number of files of each format.
    seconds : float
        Length of a recording.

    Returns
    -------
    dict of {str: list of str}
        Paths by format.
    """
    sounds = make_machine_sounds(2 * n_files, 0, duration=seconds, sample_rate=FILE_RATE, random_state=SEED)
    paths = {name: [str(Path(folder) / f"{i}.{name}") for i in range(n_files)] for name in FORMATS}
    for name in FORMATS:
        for i, path in enumerate(paths[name]):
            soundfile.write(path, sounds.waveforms[2 * i : 2 * i + 2].T, FILE_RATE)
    return paths


def main(arguments=None):
    """Run the benchmark with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.decoding")
    parser.add_argument("--files", type=int, default=8, help="number of files of each format")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a recording")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    report = Report(
        "decoding",
        data=f"{options.files} stereo recordings of {options.seconds:g} s at {FILE_RATE} Hz in each of "
        f"{', '.join(FORMATS)}, from make_machine_sounds (fan).",
        seed=SEED,
        folder=options.output,
    )
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(folder, options.files, options.seconds)
        rows = [row for name in FORMATS for row in _decoding_rows(name, paths[name], options.repeats)]
        report.table(f"Decoding to {RATE} Hz mono in one thread", rows)
        rows = [
            row for name in ("wav", "mp3") for row in _end_to_end_rows(name, paths[name], options.repeats)
        ]
        report.table(
            "Files to log-mel end to end",
            rows,
            "BLAS runs on one thread in every contender.",
        )
    return report


def ratios(tables):
    """Return the rows of ``python -m benchmarks.speed``."""
    rows = [
        ratio_row(
            tables,
            f"Decoding to {RATE} Hz mono in one thread",
            what=f"{name} to samples",
            ours="read_audio",
            peer=peer,
            where={"format": name},
        )
        for name in FORMATS
        for peer in ("librosa.load", "soundfile + soxr")
    ]
    rows += [
        ratio_row(
            tables,
            "Files to log-mel end to end",
            what=f"{name} to log-mel, all cores",
            ours="skaudio_ad, AudioLoader + MelTransformer",
            peer="librosa, loop",
            where={"format": name},
        )
        for name in ("wav", "mp3")
    ]
    return rows


def _decoding_rows(name, paths, repeats):
    functions = {"librosa.load": load_librosa, "read_audio": load_skaudio_ad, "soundfile + soxr": load_bare}
    timings = interleave(
        {key: lambda f=function: [f(path) for path in paths] for key, function in functions.items()},
        repeats=repeats,
    )
    rows = _rows(name, timings, len(paths), "librosa.load")
    for row in rows:
        load = functions[row["contender"]]
        difference = max(np.abs(load(path) - load_librosa(path)).max() for path in paths)
        row["largest difference from librosa"] = f"{difference:.1e}"
    return rows


def _end_to_end_rows(name, paths, repeats):
    function = MelTransformer()._function()
    pipeline = make_pipeline(AudioLoader(RATE), MelTransformer())
    blas = ThreadpoolController()

    def limited(work):
        def run():
            with blas.limit(limits=1):
                return work()

        return run

    contenders = {
        "librosa, loop": lambda: np.stack([librosa_log_mel(load_librosa(path)) for path in paths]),
        "skaudio_ad, loop": lambda: np.stack([function(load_skaudio_ad(path)) for path in paths]),
        "skaudio_ad, AudioLoader + MelTransformer": lambda: pipeline.fit_transform(paths),
    }
    timings = interleave({key: limited(work) for key, work in contenders.items()}, repeats=repeats)
    return _rows(name, timings, len(paths), "librosa, loop")


def _rows(name, timings, n_files, reference):
    rows = speed_rows(timings, unit="ms per clip", n_items=n_files, reference=reference)
    return [
        {"format": name, **row, "clips per second": f"{n_files / timings[row['contender']].best:.0f}"}
        for row in rows
    ]


if __name__ == "__main__":
    main()
