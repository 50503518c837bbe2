"""Warn of training recordings that spoil a detector: copies, silence and mixed sample rates."""

import hashlib
import os
import warnings
from collections import Counter
from typing import Any

import numpy as np
import soundfile

from .._checks import users_level
from ..audio import AudioClips, AudioReadError, read_audio
from ..audio._as_clips import as_paths

# Number of recordings that a warning names.
_N_NAMED = 3
# Maximum fraction of recordings with a copy that passes without a warning, as for NearestNeighborsDetector.
_FEW_COPIES = 0.05


def find_paths(X: Any) -> list[str] | None:
    """Return the paths of the clips, or None if the clips are no files."""
    return X.paths if isinstance(X, AudioClips) else as_paths(X)


def warn_of_training_set(X: Any, loader: Any) -> bool:
    """Warn of copies, silence and mixed sample rates among training clips.

    Files are decoded once more, without resampling, which takes a small part of the time of an embedding. Files that
    cannot be read are left to the loader.

    Parameters
    ----------
    X : list of paths, AudioClips, or array-like of waveforms
    loader : AudioLoader or None
        Its `offset`, `duration` and `channel` say which part of a file is used.

    Returns
    -------
    bool
        Whether there was a warning of copies.
    """
    paths = find_paths(X)
    names, rates, digests, is_silent = [], [], [], []
    cut = {name: getattr(loader, name) for name in ("offset", "duration", "channel") if hasattr(loader, name)}
    clips = X if isinstance(X, (list, tuple, AudioClips)) else np.asarray(X)
    for index, item in enumerate(clips if paths is None else paths):
        if paths is None:
            samples, rate = np.asarray(item), None
        else:
            try:
                samples, rate = read_audio(item, **cut)
            except (AudioReadError, OSError, soundfile.SoundFileError):
                continue
        names.append(f"clip {index}" if paths is None else os.path.basename(item))
        rates.append(rate)
        digests.append(hashlib.sha256(np.asarray(samples).tobytes()).digest())
        is_silent.append(not np.any(samples))
    _warn_of_rates(names, rates)
    silent = [name for name, silence in zip(names, is_silent) if silence]
    if silent:
        _warn(
            f"{len(silent)} of {len(names)} training recordings are silent: {_some(silent)}. The detector learns "
            "that silence is normal. Leave them out."
        )
    return _warn_of_copies(names, digests, is_silent)


def _warn_of_rates(names, rates):
    counts = Counter(rates)
    if len(counts) > 1:
        usual = counts.most_common(1)[0][0]
        others = [name for name, rate in zip(names, rates) if rate != usual]
        listed = ", ".join(f"{n} at {rate} Hz" for rate, n in counts.most_common())
        _warn(
            f"the training recordings have several sample rates: {listed}, the rarer ones being {_some(others)}. "
            "Recordings of a lower rate lack high frequencies, so the detector may learn the rate and not the sound. "
            "Record or resample all at one rate."
        )


def _warn_of_copies(names, digests, is_silent):
    counts = Counter(digests)
    copies = [
        name for name, digest, silence in zip(names, digests, is_silent) if counts[digest] > 1 and not silence
    ]
    if len(copies) <= _FEW_COPIES * len(names):
        return False
    _warn(
        f"{len(copies)} of {len(names)} training recordings have a copy among the others: {_some(copies)}. A clip "
        "whose copy was trained on scores too well, so that the threshold may be too strict and new normal clips raise "
        "alarms. Leave the copies out."
    )
    return True


def _some(names):
    return ", ".join(names[:_N_NAMED]) + (", ..." if len(names) > _N_NAMED else "")


def _warn(message):
    warnings.warn(message, UserWarning, stacklevel=users_level())
