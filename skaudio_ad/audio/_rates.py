"""Sample rates of files, from their headers: mixed rates in training, and lower rates than those of the training."""

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._clip_errors import shown
from .._typing import IntArray
from ._open import Header, read_header


def read_sample_rates(paths: Sequence[str]) -> IntArray:
    """Read the sample rate of every file from its header.

    Parameters
    ----------
    paths : list of str

    Returns
    -------
    ndarray of shape (n_files,), int
        Samples per second, in hertz. 0 for a file whose header cannot be read.
    """
    return rates_of([read_header(path) for path in paths])


def rates_of(headers: Sequence[Header | None]) -> IntArray:
    """Return the sample rates in headers.

    Parameters
    ----------
    headers : list of Header or None

    Returns
    -------
    ndarray of shape (n_files,), int
        Samples per second, in hertz. 0 for a file whose header cannot be read.
    """
    return np.array([0 if header is None else header.sample_rate for header in headers], dtype=int)


def warn_of_mixed_rates(paths: Sequence[str], rates: IntArray, sample_rate: int) -> None:
    """Warn if training files have different bandwidths, because their sample rates differ.

    Parameters
    ----------
    paths : list of str
    rates : ndarray of shape (n_files,), int
        Sample rates of the files, in hertz. 0 where unknown.
    sample_rate : int
        Sample rate that all files are resampled to, in hertz. Rates above `sample_rate` are all the same.
    """
    used = np.minimum(rates, sample_rate)
    lowest, highest = used[used > 0].min(initial=sample_rate), used.max(initial=0)
    if lowest >= highest:
        return
    counts = Counter(rates[rates > 0].tolist())
    example = paths[int(np.flatnonzero(used == lowest)[0])]
    warnings.warn(
        f"the training files have different sample rates ("
        f"{', '.join(f'{n} with {rate} Hz' for rate, n in sorted(counts.items()))}). A file with a lower rate lacks "
        f"the sound above half its rate, as {shown(example)} does above {lowest / 2:g} Hz. Record all files at one "
        "rate, or train one detector for each rate.",
        stacklevel=3,
    )


def find_lower_rates(paths: Sequence[str], trained_on: Any, sample_rate: int) -> dict[str, int]:
    """Find files with a lower sample rate than all training files.

    Parameters
    ----------
    paths : list of str
    trained_on : ndarray of shape (n_rates,), int
        Sample rates of the training files in rising order, in hertz. At least one.
    sample_rate : int
        Sample rate that all files are resampled to, in hertz.

    Returns
    -------
    dict of str to int
        Sample rate of every such file, by path.
    """
    rates = read_sample_rates(paths).tolist()
    lowest = min(int(trained_on[0]), sample_rate)
    return {path: rate for path, rate in zip(paths, rates) if 0 < rate < lowest}


def describe_lower_rates(lower: dict[str, int], n_files: int, trained_on: Any) -> str:
    """Describe files with a lower sample rate than all training files.

    Parameters
    ----------
    lower : dict of str to int
        Result of :func:`find_lower_rates`, not empty.
    n_files : int
        Number of all files.
    trained_on : ndarray of shape (n_rates,), int

    Returns
    -------
    str
    """
    path = min(lower, key=lambda name: lower[name])
    files = "the file has" if n_files == 1 else f"{len(lower)} of {n_files} files have"
    return (
        f"{files} a lower sample rate than the training files ({trained_on[0]} Hz). {shown(path)} has {lower[path]} Hz "
        f"and lacks the sound above {lower[path] / 2:g} Hz, so its score is no sign of a fault. Record at "
        f"{trained_on[0]} Hz, or train a detector on files with this rate."
    )
