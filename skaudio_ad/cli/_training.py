"""Train a pipeline with progress bars, and collect facts about the training set."""

import warnings
from collections import Counter

from .._lazy import gather
from ..recordings._check import measure_recordings
from ..recordings._findings import find_cheap_problems
from ._terminal import progress_bar, say, track

# Number of files and folders in the command that tells more.
_SHOWN = 3
# Number of characters of a checksum that tell whether a recording was in the training set.
DIGEST_LENGTH = 16
# Warnings of the library about what `examine` has reported, or what `fit` says in its own words.
_KNOWN_WARNINGS = (
    ".*training clips have a copy among the others",
    "the training files have different sample rates",
    "one or two normal clips or groups do not show",
    ".* say nothing about the covariance",
    "one training clip has no other to be compared with",
)


def fit_embeddings(pipeline, paths, groups=None, machines=None):
    """Fit a pipeline with an embedding step, and show the embedded recordings on a progress bar.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Pipeline of :func:`make_detector`. Every step is fitted once, as ``pipeline.fit`` does.
    paths : list of str
    groups, machines : list of str or None, default=None

    Returns
    -------
    sklearn.pipeline.Pipeline
        `pipeline`, fitted.
    """
    clips = paths
    with known_warnings_ignored():
        for _, step in pipeline.steps[:-1]:
            if hasattr(step, "stream"):
                rows = track(step.fit(clips).stream(clips), "embedding", len(paths))
                clips = gather(rows, len(paths), clips)
            else:
                clips = step.fit_transform(clips)
        given = {"groups": groups, "machines": machines}
        pipeline.steps[-1][1].fit(
            clips, **{name: value for name, value in given.items() if value is not None}
        )
    return pipeline


def fit_with_progress(pipeline, X, groups=None):
    """Fit a pipeline and show the epochs on a progress bar.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
    X : list of str
    groups : list of str or None, default=None
        Groups of the recordings. The last step holds out whole groups.

    Returns
    -------
    sklearn.pipeline.Pipeline
        `pipeline`, fitted.
    """
    parameters = {} if groups is None else {f"{pipeline.steps[-1][0]}__groups": groups}
    with progress_bar("training") as advance, known_warnings_ignored():
        # scikit-learn warns that the steps before the detector do not support callbacks. These steps have no epochs.
        warnings.filterwarnings("ignore", message="The estimator .* does not support callbacks")
        pipeline.set_callbacks(_EpochBar(advance))
        try:
            return pipeline.fit(X, **parameters)
        finally:
            pipeline.set_callbacks()


class _EpochBar:
    """Callback of scikit-learn that counts every epoch on a progress bar."""

    # None: scikit-learn passes the callback to estimators at any depth.
    max_propagation_depth = None

    def __init__(self, advance):
        self.advance = advance

    def setup(self, estimator, context):
        """Do nothing, because there is nothing to open."""

    def teardown(self, estimator, context):
        """Do nothing, because there is nothing to close."""

    def on_fit_task_begin(self, estimator, context):
        """Do nothing, because an epoch is counted at its end."""

    def on_fit_task_end(self, estimator, context):
        """Count an epoch."""
        if context.task_name == "epoch":
            self.advance(context.parent.max_subtasks)


class known_warnings_ignored(warnings.catch_warnings):
    """Ignore warnings of the library that `fit` replaces by its own messages."""

    def __enter__(self):
        entered = super().__enter__()
        for message in _KNOWN_WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        return entered


def examine(paths):
    """Decode the training recordings once, and find silence, copies and mixed sample rates.

    Parameters
    ----------
    paths : list of str

    Returns
    -------
    facts : dict
        Number and minutes of the readable recordings, their sample rates and checksums.
    findings : list of Finding
    """
    measured = track(measure_recordings(paths, spectra=False), "checking", len(paths))
    readable = [row for row in measured if not row.error]
    rates = Counter(row.sample_rate for row in readable)
    facts = {
        "n_recordings": len(readable),
        "minutes": sum(row.duration for row in readable) / 60,
        "sample_rates": {str(rate): rates[rate] for rate in sorted(rates)},
        "digests": sorted({row.digest[:DIGEST_LENGTH] for row in readable}),
    }
    return facts, find_cheap_problems(readable)


def warn_of_findings(findings, recordings):
    """Print a warning for every finding, and at the end the command that tells more.

    Parameters
    ----------
    findings : list of Finding
    recordings : sequence of pathlib.Path
        Arguments of the command.
    """
    for finding in findings:
        say(f"Warning: {finding.describe()}", err=True)
    if findings:
        named = " ".join(map(_quoted, recordings[:_SHOWN])) + (" ..." if len(recordings) > _SHOWN else "")
        say(f"To see all files and what else may be wrong: skaudio-ad check {named}", err=True)


def _quoted(path):
    import shlex

    return shlex.quote(str(path))
