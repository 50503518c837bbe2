"""Warn of training recordings that spoil a detector: copies, silence and mixed sample rates."""

import warnings
from typing import Any

from .._checks import users_level
from ..audio import AudioClips
from ..audio._as_clips import as_paths
from ..recordings._check import measure_recordings
from ..recordings._findings import find_cheap_problems


def find_paths(X: Any) -> list[str] | None:
    """Return the paths of the clips, or None if the clips are no files."""
    return X.paths if isinstance(X, AudioClips) else as_paths(X)


def warn_of_training_set(paths: list[str]) -> bool:
    """Warn of copies, silence and mixed sample rates among training recordings, in one warning.

    Every file is decoded once more, from its beginning to its end, block by block and without resampling. Files that
    cannot be read are left to the loader.

    Parameters
    ----------
    paths : list of str

    Returns
    -------
    bool
        Whether there are copies.
    """
    measured = measure_recordings(paths, spectra=False)
    findings = find_cheap_problems([row for row in measured if not row.error])
    if findings:
        lines = [finding.describe() for finding in findings]
        ending = "check_recordings (skaudio-ad check) lists all files and finds what else may be wrong."
        warnings.warn("\n".join(["the training set has problems.", *lines, ending]), stacklevel=users_level())
    return any(finding.kind == "copies" for finding in findings)
