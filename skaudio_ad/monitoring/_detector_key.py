"""A checksum that tells whether a state, a calibration or a memory belongs to a detector."""

import hashlib
from inspect import isclass, isroutine
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags

# Parameters that change no score.
_WITHOUT_EFFECT = frozenset({"memory", "n_jobs", "verbose", "callbacks", "on_error", "_sklearn_version"})
# Number of hexadecimal digits of a key.
_LENGTH = 32


def detector_key(detector: BaseEstimator) -> str:
    """Compute a checksum of what a fitted detector has learnt and of its parameters.

    A saved and loaded detector has the key of the original. Two detectors with one key give the same scores.

    Parameters
    ----------
    detector : estimator
        Fitted detector or pipeline.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    digest = hashlib.sha256()
    _add(digest, detector, set())
    return digest.hexdigest()[:_LENGTH]


def _add(digest, value, above):
    """Add a value to a digest. `above` holds the ids of the values that contain this value."""
    if isinstance(value, (bool, np.bool_, str, bytes, type(None))):
        _say(digest, type(value).__name__.rstrip("_"), str(value))
    elif isinstance(value, (int, np.integer)):
        _say(digest, "int", int(value))
    elif isinstance(value, (float, np.floating)):
        _say(digest, "float", float(value).hex())
    elif id(value) in above:
        _say(digest, "cycle")
    else:
        _add_parts(digest, value, above | {id(value)})


def _add_parts(digest, value, above):
    if hasattr(value, "detach"):  # a tensor of torch
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        _say(digest, "array", value.shape, value.dtype.str)
        if value.dtype.hasobject:
            _add(digest, value.ravel().tolist(), above)
        else:
            digest.update(np.ascontiguousarray(value).data if value.size else b"")
    elif isclass(value) or isroutine(value):
        _say(digest, getattr(value, "__qualname__", type(value).__name__))
    elif isinstance(value, (list, tuple)):
        _say(digest, "list", len(value))
        for item in value:
            _add(digest, item, above)
    elif isinstance(value, (set, frozenset)):
        _add(digest, sorted(map(repr, value)), above)
    else:
        _say(digest, type(value).__name__)
        state = value if isinstance(value, dict) else _state(value)
        for name, item in sorted(state.items(), key=lambda pair: repr(pair[0])):
            if name not in _WITHOUT_EFFECT:
                _say(digest, repr(name))
                _add(digest, item, above)


def _state(value: Any) -> dict[str, Any]:
    """Return what an object has learnt."""
    if hasattr(value, "state_dict"):  # a network
        return dict(value.state_dict())
    if isinstance(value, BaseEstimator):
        if not get_tags(value).requires_fit:
            # A loader or a pretrained network. Other attributes, such as a network in memory, come and go.
            return dict(value.get_params(deep=False))
        return dict(value.__getstate__())
    if isinstance(value, np.random.RandomState):
        return dict(value.get_state(legacy=False))
    return dict(getattr(value, "__dict__", {"repr": repr(value)}))


def _say(digest, *words):
    digest.update(("\0".join(map(str, words)) + "\1").encode("utf-8", "surrogateescape"))
