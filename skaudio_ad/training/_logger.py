"""`EpochLogger`: losses, hyperparameters, seed and versions of every training, to a file or a tracker."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from numbers import Integral
from typing import Any

import numpy as np

from .._typing import PathLike
from .._versions import environment

_COLUMNS = ("run", "estimator", "epoch", "loss", "validation_loss", "seconds")


class EpochLogger:
    """Log every epoch of every training, and the settings that are needed to repeat the training.

    Pass this callback to ``set_callbacks`` of a detector, or of the outermost pipeline or search around a detector.
    Every fit inside is then logged as a separate run.

    Parameters
    ----------
    log : path-like or callable, default="training_log.csv"
        Either a path that ends in ``.csv``. The file gets one row for every epoch: ``run``, ``estimator``, ``epoch``
        (from 0), ``loss``, ``validation_loss`` (empty without held-out clips) and ``seconds``. A second file with the
        ending ``.jsonl`` gets one JSON object for every run, with the contents of `run` below. All processes of a
        search append to both files, so the files should be on a local disk.

        Or a function, called as ``log(record)`` after every epoch with a dict of numbers: ``epoch``,
        ``loss``, ``validation_loss`` (missing without held-out clips) and ``seconds``.

    log_run : callable, default=None
        Called as ``log_run(run)`` before the first epoch of every run. `log` must be a function too. The values of the
        dict `run` are strings, numbers, booleans and None. Its keys are:

        - ``run``, the unique name of the run, and ``task``, the place of the run in the pipeline or the search;
        - ``started``, the time in UTC, and ``estimator``, the name of the class;
        - ``seed``: the integer `random_state` that repeats the run, or the reason why the run cannot be repeated;
        - the names of the parameters of the estimator;
        - versions, machine and commit, as :func:`skaudio_ad.show_versions` shows them.

    Notes
    -----
    A function is called in the process that called `fit`. Pickling an estimator leaves the function out, because most
    functions depend on a connection or a list of that process. A search with ``n_jobs`` above 1 trains in other
    processes and raises an error: log such a search to a path. Records of runs in parallel threads arrive in mixed
    order.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import AutoencoderDetector
    >>> from skaudio_ad.training import EpochLogger
    >>> epochs, runs = [], []
    >>> detector = AutoencoderDetector(max_epochs=3, random_state=0)
    >>> detector.set_callbacks(EpochLogger(epochs.append, log_run=runs.append))
    AutoencoderDetector(max_epochs=3, random_state=0)
    >>> detector.fit(np.random.default_rng(0).normal(size=(20, 6))).n_iter_
    3
    >>> [record["loss"] for record in epochs] == detector.loss_curve_
    True
    >>> runs[0]["learning_rate"], runs[0]["seed"]
    (0.001, 0)
    """

    # None: scikit-learn passes the callback to estimators at any depth.
    max_propagation_depth = None

    def __init__(
        self,
        log: PathLike | Callable[[dict[str, Any]], Any] = "training_log.csv",
        *,
        log_run: Callable[[dict[str, Any]], Any] | None = None,
    ):
        self.log = log
        self.log_run = log_run

    def setup(self, estimator: Any, context: Any) -> None:
        """Check the parameters and create the files before other processes write to the files."""
        if self.log_run is not None and not (callable(self.log_run) and callable(self.log)):
            raise TypeError(
                "log_run must be a function, beside a function log, or None, "
                f"got log_run={self.log_run!r} and log={self.log!r}."
            )
        # The paths are absolute, because the processes of a search may have another working directory.
        self._paths: Any = None if callable(self.log) else _start_files(self.log)
        self._environment = environment()

    def teardown(self, estimator: Any, context: Any) -> None:
        """Do nothing, because no file stays open."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Log the run before the first epoch."""
        if context.task_name != "epoch" or context.task_id != 0:
            return
        run = self._describe(estimator, context.parent)
        if self._paths is not None:
            _append(self._paths[1], json.dumps(run))
        elif self.log_run is not None:
            self.log_run(run)

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Log an epoch."""
        if context.task_name != "epoch":
            return
        record = {"epoch": context.task_id, "loss": estimator.loss_curve_[-1]}
        if estimator.validation_loss_curve_:
            record["validation_loss"] = estimator.validation_loss_curve_[-1]
        record["seconds"] = (datetime.now(UTC) - context.init_time).total_seconds()
        if callable(self.log):
            self.log(record)
        else:
            row = {"run": _name(context.parent), "estimator": type(estimator).__name__, **record}
            _append(self._paths[0], ",".join(str(row.get(column, "")) for column in _COLUMNS))

    def _describe(self, estimator, fit):
        import torch

        steps = [f"{step.estimator_name} {step.source_task_name or step.task_name}" for step in _lineage(fit)]
        return {
            "run": _name(fit),
            "task": " > ".join(steps),
            "started": fit.init_time.isoformat(timespec="seconds"),
            "estimator": type(estimator).__name__,
            "seed": _seed(estimator),
            **{name: _plain(value) for name, value in estimator.get_params().items()},
            **self._environment,
            # The processes of a search have fewer threads than the process that called fit.
            "threads": str(torch.get_num_threads()),
        }

    def __getstate__(self):
        return {name: _left_behind if callable(value) else value for name, value in vars(self).items()}


def _left_behind(record):
    raise RuntimeError(
        "EpochLogger left its function behind when it was pickled, to train in another process or to be "
        "saved. Log a search with n_jobs above 1 to a path; give a loaded estimator a new one with set_callbacks."
    )


def _lineage(context):
    """Tasks from the outermost fit down to this task."""
    lineage = [context]
    while lineage[0].parent is not None:
        lineage.insert(0, lineage[0].parent)
    return lineage


def _name(fit):
    """Name of a run: start time and random digits of the outermost fit, and the task numbers below that fit."""
    root, *steps = _lineage(fit)
    parts = [f"{root.init_time:%Y%m%d-%H%M%S}", root.root_uuid.hex[:8]]
    return "-".join([*parts, *(str(step.task_id) for step in steps)])


def _seed(estimator):
    random_state = getattr(estimator, "random_state", None)
    if random_state is None:
        return "None (not repeatable)"
    if isinstance(random_state, Integral):
        return int(random_state)
    return f"{type(random_state).__name__} instance (not repeatable from this log)"


def _plain(value):
    """Convert a value to a type that trackers, JSON and tables take. Other values become their repr."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if value is None or isinstance(value, (bool, int, float, str)) else repr(value)


def _start_files(log):
    """Create the file of epochs with its header, and return the absolute paths of the files of epochs and of runs."""
    if not isinstance(log, (str, os.PathLike)):
        raise TypeError(f"log must be a path or a function, got {log!r}.")
    root, suffix = os.path.splitext(os.path.abspath(log))
    if suffix != ".csv":
        raise ValueError(f"log must be a path that ends in .csv, got {os.fspath(log)!r}.")
    header = ",".join(_COLUMNS)
    with open(root + suffix, "a+", encoding="utf-8") as file:
        file.seek(0)
        first = file.readline().rstrip("\n")
    if not first:
        _append(root + suffix, header)
    elif first != header:
        raise ValueError(
            f"{root + suffix}: epochs are appended only to a file whose first line is {header!r}, "
            f"got {first!r}. Log to another file."
        )
    return root + suffix, root + ".jsonl"


def _append(path, line):
    # One unbuffered write to a file opened for appending keeps the lines of different processes separate.
    with open(path, "ab", buffering=0) as file:
        file.write(f"{line}\n".encode())
