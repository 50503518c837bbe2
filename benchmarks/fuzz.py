"""Damaged and unusual files, through every way into the package: crashes, hangs, lost files and wrong scores.

The files are sounds of machines in fourteen formats. They are left intact, truncated at random places, bit-flipped,
given false headers (billions of samples, 1 Hz, chunks of 4 GB) or odd names (not UTF-8, line ends, control characters,
"=1+1", emoji). Others hold no audio or only a few samples, or are not regular files. All files go through ``skaudio-ad
score``, ``skaudio-ad fit --on-error skip``, ``score_recordings``, and a pipeline in Python with ``on_error="skip"``
(all files at once) and ``on_error="raise"`` (one by one). Each of these routes has its own process. The detector is
fast: nearest neighbours of pooled log-mel spectrograms.

A route crashes if it ends early, shows a traceback, or raises an error that does not name the file. A row is missing if
a file has no row. "Truncated, scored" counts files that lack samples which their format says they should hold. Files of
unknown length are counted separately (headers of programs that write to a pipe, mp3 without a Xing header), because a
truncation of such files cannot be detected. Formats with a checksum of their samples (flac, ogg) detect flipped bits.
In wav or mp3 a flipped bit is another sound. Growth is the peak of the process minus its memory with everything
imported.

Targets: no crash, no hang, no missing row, no truncated file scored, growth below 500 MB.

Run: ``python -m benchmarks.fuzz [--files 1000] [--seed 0]``
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from ._fuzz_files import CHECKED, RATE, SHARES, encode, make_files, make_sounds
from ._fuzz_routes import PYTHON, REFUSED, SCORED, SHELL, read_table
from ._report import RESULTS, Report

N_TRAINING = 24
# Maximum growth of the peak, in MB.
TARGET = 500


def prepare(folder, n_files, seed):
    """Make the files, training recordings and a detector.

    Parameters
    ----------
    folder : path-like
        Folder to which "files", "training", "paths.json" and "detector.skops" are written.
    n_files, seed : int

    Returns
    -------
    cases : list of Case
    pipeline : sklearn.pipeline.Pipeline
        Fitted pipeline.
    """
    from sklearn.pipeline import make_pipeline

    from skaudio_ad import AudioLoader, MelTransformer, NearestNeighborsDetector, TemporalPooling
    from skaudio_ad.persistence import save_detector

    folder = Path(folder)
    for name in ("files", "training"):
        (folder / name).mkdir()
    paths = [folder / "training" / f"{index:02d}.wav" for index in range(N_TRAINING)]
    for path, sound in zip(paths, make_sounds(N_TRAINING, seed + 1)):
        path.write_bytes(encode(sound, "wav, 16 bit"))
    pipeline = make_pipeline(
        AudioLoader(RATE), MelTransformer(RATE, n_mels=32), TemporalPooling(), NearestNeighborsDetector()
    ).fit(paths)
    save_detector(pipeline, folder / "detector.skops")
    cases = make_files(folder / "files", n_files, seed)
    (folder / "paths.json").write_text(json.dumps([case.path for case in cases]))
    return cases, pipeline


def run_route(route, folder, limit):
    """Send all files through one route, in a separate process.

    Parameters
    ----------
    route : str
    folder : path-like
        Folder that :func:`prepare` has filled.
    limit : float
        Number of seconds after which the process counts as hung.

    Returns
    -------
    files : dict of {str: str}
        Result of every file whose result is known.
    facts : dict
        "ended" is the exit code of the process. "hung" says whether it hung. "growth" is in MB. "said" is its stderr.
        "trained" is the number of recordings on which `fit` trained.
    """
    from skaudio_ad.audio import find_audio_files

    folder = Path(folder)
    output = folder / "route.json"
    output.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks._fuzz_routes", route, str(folder / "files")]
    command += [str(folder / "detector.skops"), str(output)]
    with open(folder / "stdout", "wb") as stdout, open(folder / "stderr", "wb") as stderr:
        process = subprocess.Popen(
            command,
            stdout=stdout,
            stderr=stderr,
            stdin=subprocess.DEVNULL,
            cwd=Path(__file__).resolve().parents[1],
        )
        try:
            ended = process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            ended = None
    done = json.loads(output.read_text()) if output.exists() else {"files": {}, "growth": float("nan")}
    files = done["files"]
    if route == SHELL[0]:
        files = read_table(output.with_suffix(".csv"), find_audio_files(folder / "files"))
    trained = re.search(rb"trained on (\d+) recordings", (folder / "stdout").read_bytes())
    said = (folder / "stderr").read_text(encoding="utf-8", errors="replace")
    return files, {
        "ended": ended,
        "hung": ended is None,
        "growth": done["growth"],
        "said": said,
        "trained": int(trained[1]) - N_TRAINING if trained else 0,
    }


def judge(route, cases, files, facts):
    """Return one row of the table of routes.

    Parameters
    ----------
    route : str
    cases : list of Case
    files : dict of {str: str}
    facts : dict

    Returns
    -------
    dict
    """
    # The program lists the recordings of a folder, and leaves out folders inside.
    expected = [case for case in cases if route in PYTHON or not Path(case.path).is_dir()]
    crashes = sum(result.startswith("crash") for result in files.values())
    hangs = sum(result == "hung" for result in files.values()) + facts["hung"]
    is_fit = route == SHELL[1]
    missing = 0 if is_fit else sum(case.path not in files for case in expected)
    stopped = (
        facts["ended"] not in (0, 1) or "Traceback" in facts["said"] or missing or (is_fit and facts["ended"])
    )
    return {
        "route": route,
        "files": len(expected),
        "crashes": crashes + bool(stopped and not facts["hung"]),
        "hangs": hangs,
        "rows missing": "-" if is_fit else missing,
        "truncated, scored": "-"
        if is_fit
        else sum(case.kind == "truncated" and files.get(case.path) == SCORED for case in expected),
        "scored": facts["trained"] if is_fit else sum(result == SCORED for result in files.values()),
        "peak growth, MB": f"{facts['growth']:.0f}",
    }


def count_kinds(cases, files):
    """Return the rows of the table of kinds: number of scored files of every kind.

    Parameters
    ----------
    cases : list of Case
    files : dict of {str: str}

    Returns
    -------
    list of dict
    """

    def kind_of(case):
        if case.kind == "bit flips":
            return "bit flips, checksum" if case.format in CHECKED else "bit flips, no checksum"
        return case.kind

    counts = Counter((kind_of(case), files.get(case.path, "no row")) for case in cases)
    kinds = dict.fromkeys(
        name
        for kind in SHARES
        for name in (("bit flips, checksum", "bit flips, no checksum") if kind == "bit flips" else (kind,))
    )
    return [
        {
            "kind of file": kind,
            "files": sum(n for (name, _), n in counts.items() if name == kind),
            "scored": counts[kind, SCORED],
            "refused": counts[kind, REFUSED],
        }
        for kind in kinds
    ]


def main(arguments=None):
    """Run the campaign with command-line arguments; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=600.0, help="maximum number of seconds of a route")
    parser.add_argument("--output", default=RESULTS)
    options = parser.parse_args(arguments)
    report = Report(
        "fuzz",
        data=f"{options.files} files made of 8 sounds of 1 s (4 s in Ogg) from make_machine_sounds.",
        seed=options.seed,
        folder=options.output,
    )
    rows, notes, of_recordings = [], [], {}
    with tempfile.TemporaryDirectory() as folder:
        cases, _ = prepare(folder, options.files, options.seed)
        for route in (*SHELL, *PYTHON):
            files, facts = run_route(route, folder, options.limit)
            rows.append(judge(route, cases, files, facts))
            notes += [f"{route}: {result}" for result in files.values() if result.startswith("crash")][:3]
            if rows[-1]["crashes"] or rows[-1]["hangs"]:
                notes.append(f"{route} ended with {facts['ended']}: {facts['said'].strip()[-300:]!a}")
            if route == "score_recordings":
                of_recordings = files
        kinds = count_kinds(cases, of_recordings)
        silent = [
            case for case in cases if case.kind == "truncated" and of_recordings.get(case.path) == SCORED
        ]
    notes += [f"Truncated and scored: {Path(case.path).name!a} ({case.format})." for case in silent[:20]]
    target = (
        f"Targets: 0 crashes, hangs, missing rows and scored truncated files, and growth below {TARGET} MB."
    )
    report.table("Routes", rows, "\n\n".join([target, *notes]))
    report.table(
        "Kinds of files through score_recordings",
        kinds,
        "Some files with a false header can be scored, because a wrong sample rate does not shorten a sound.",
    )


if __name__ == "__main__":
    main()
