"""The ways that files take through the package, each in a process of its own, and what becomes of every file.

``python -m benchmarks._fuzz_routes ROUTE FOLDER DETECTOR OUTPUT`` writes OUTPUT, a JSON file, as it goes.
"""

import csv
import json
import os
import signal
import sys
import threading
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .memory import _peak, _reset_peak

SCORED, REFUSED = "scored", "refused"
# Number of seconds after which one file has hung.
LIMIT = 20
# Maximum address space of a route, in bytes: a header that is believed must not stop the whole machine.
_SPACE = 8 << 30


def score_by_python(pipeline, paths, note):
    """All files at once, leaving out those that cannot be used."""
    pipeline = _with_on_error(pipeline, "skip")
    for path, score in zip(paths, pipeline.score_samples(paths)):
        note(path, REFUSED if np.isnan(score) else SCORED)


def score_one_by_one(pipeline, paths, note):
    """One file after the other, each of which may raise an error that names it."""
    from skaudio_ad._clip_errors import shown

    pipeline = _with_on_error(pipeline, "raise")
    for path in paths:
        try:
            with _limit():
                score = pipeline.score_samples([path])[0]
            note(path, REFUSED if np.isnan(score) else SCORED)
        except TimeoutError:
            note(path, "hung")
        except ValueError as error:
            named = shown(path) in str(error) and not isinstance(error, UnicodeError)
            note(path, REFUSED if named else f"crash: {error!r:.200}")
        except Exception as error:
            note(path, f"crash: {error!r:.200}")


def score_recordings(pipeline, paths, note):
    """Through the function that ``skaudio-ad score`` calls."""
    from skaudio_ad.inspection import score_recordings

    for recording in score_recordings(pipeline, paths):
        note(recording.path, REFUSED if recording.decision == "error" else SCORED)


PYTHON = {
    'Python, on_error="skip"': score_by_python,
    'Python, on_error="raise"': score_one_by_one,
    "score_recordings": score_recordings,
}


SHELL = ("skaudio-ad score", "skaudio-ad fit --on-error skip")


def read_table(path, paths):
    """What a CSV table of ``skaudio-ad score`` says of files that were given in this order.

    Parameters
    ----------
    path : path-like
    paths : list of str

    Returns
    -------
    dict of {str: str}
        Of the files that have a row.
    """
    if not os.path.exists(path):
        return {}
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    return {p: REFUSED if row["decision"] == "error" else SCORED for p, row in zip(paths, rows)}


def _with_on_error(pipeline, on_error):
    from sklearn.pipeline import Pipeline

    (name, loader), *others = pipeline.steps
    return Pipeline([(name, type(loader)(**{**loader.get_params(), "on_error": on_error})), *others])


@contextmanager
def _limit():
    """Raise TimeoutError in a block that takes too long, where the system can."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LIMIT, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def main(route, folder, detector, output):
    """Send all files of a folder through one route."""
    from skaudio_ad.audio import find_audio_files
    from skaudio_ad.cli import main as program
    from skaudio_ad.persistence import load_detector

    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_SPACE, _SPACE))
    except (ImportError, ValueError, OSError):
        pass
    warnings.simplefilter("ignore")
    pipeline = load_detector(detector)
    training = find_audio_files(Path(detector).parent / "training")
    score_recordings(pipeline, training, lambda *_: None)  # imports and caches
    done, lock = {"files": {}, "growth": 0.0}, threading.Lock()

    def watch():
        while True:
            time.sleep(0.2)
            with lock:
                save()

    def save():
        done["growth"] = _peak() - before
        Path(f"{output}.part").write_text(json.dumps({**done, "files": dict(done["files"])}))
        os.replace(f"{output}.part", output)

    before = _reset_peak()
    threading.Thread(target=watch, daemon=True).start()
    try:
        if route in PYTHON:
            paths = json.loads(Path(output).with_name("paths.json").read_text())
            PYTHON[route](pipeline, paths, done["files"].__setitem__)
        else:
            program(_arguments(route, folder, detector, Path(output)), prog_name="skaudio-ad")
    finally:
        with lock:
            save()


def _arguments(route, folder, detector, output):
    """The command line of a route through the shell."""
    if route == SHELL[0]:
        return ["score", detector, folder, "--csv", str(output.with_suffix(".csv"))]
    training = str(Path(detector).parent / "training")
    settings = ["--on-error", "skip", "--max-epochs", "1", "--output", str(output.with_suffix(".skops"))]
    return ["fit", folder, training, *settings]


if __name__ == "__main__":
    main(*sys.argv[1:])
