"""Detectors to files and back, by skops: loading runs no code but scikit-learn's and this package's."""

import copy
import os
from inspect import isclass

from ._archive import ArchiveError, checked_archive
from ._atomic import atomic_path
from ._checks import check_number

__all__ = ["load_detector", "save_detector", "trusted_types"]

_SUFFIX = ".skops"


def save_detector(estimator, path):
    """Write a fitted estimator or pipeline to a file, without its callbacks and without any `memory`.

    The file is written whole or not at all. Parameters called `memory` are None in it, those of a
    :class:`~sklearn.pipeline.Pipeline` too: a folder of this machine is of no use on another one.

    Parameters
    ----------
    estimator : estimator
        Any of this package's or of scikit-learn's, or a pipeline of them.
    path : str or path-like
        Ends in ``.skops``.

    Raises
    ------
    ValueError
        If `path` has another ending, or the estimator holds what skops cannot save, such as a torch module.
    OSError
        If the file cannot be written. An old file of that name stays.
    """
    import skops.io

    path = os.fspath(path)
    if not path.endswith(_SUFFIX):
        raise ValueError(f"{path}: a detector is saved in a file that ends in {_SUFFIX}.")
    with atomic_path(path) as temporary:
        try:
            skops.io.dump(_for_a_file(estimator, {}), temporary)
        except RuntimeError as error:
            raise ValueError(
                f"{path}: skops cannot save this {type(estimator).__name__} ({error}). A torch module, as a "
                "ModuleEmbedding holds one, is code: pickle the estimator, or save the steps after it alone."
            ) from error


def _for_a_file(value, made):
    """A copy without callbacks and memory of an estimator, and of all that it holds; anything else as it is.

    Callbacks belong to a session, and `load_detector` refuses them. What is there twice is copied once (`made`).
    """
    if id(value) in made:
        return made[id(value)][0]
    copied = value
    if _is_estimator(value):
        copied = copy.copy(value)
        made[id(value)] = copied, value
        vars(copied).update(
            {
                name: None if name == "memory" else _for_a_file(attribute, made)
                for name, attribute in vars(copied).items()
            }
        )
        if hasattr(copied, "set_callbacks"):  # last: a FrozenEstimator passes it on to what it holds
            copied.set_callbacks()
    elif type(value) in (list, tuple):
        items = [_for_a_file(item, made) for item in value]
        if any(new is not old for new, old in zip(items, value)):
            copied = type(value)(items)
    elif type(value) is dict:
        kept = {key: _for_a_file(item, made) for key, item in value.items()}
        if any(kept[key] is not value[key] for key in kept):
            copied = kept
    made[id(value)] = copied, value  # the value stays alive, and its id its own
    return copied


def _is_estimator(value):
    return hasattr(value, "get_params") and not isclass(value)


def load_detector(path, *, max_size=None):
    """Read what :func:`save_detector` or ``skops.io.dump`` wrote.

    No pickle is read and no code of the file is run, here or when the estimator scores: the file holds numbers and
    names of classes, only classes of scikit-learn and this package are made, and every parameter called `memory` is
    set to None.

    Parameters
    ----------
    path : str or path-like
    max_size : int or None, default=None
        Maximum size of what the file unpacks to, in bytes: a small file may unpack to more than the memory of the
        machine. None is ten times the size of the file, and at least 256 MiB. What `save_detector` writes is not
        compressed.

    Returns
    -------
    estimator
        Scores as the saved one did, bit for bit.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no skops file, is damaged, unpacks to more than `max_size`, or holds types that are neither
        scikit-learn's nor this package's: they could run any code. The message names the file and says what to do.
    """
    import skops.io

    path = os.fspath(path)
    if max_size is not None:
        check_number(max_size, "max_size", low=1, integer=True)
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path}: no such file.")
    trusted = trusted_types()
    with open(path, "rb") as file:  # opened once: what is checked is what is loaded
        try:
            archive = checked_archive(file, max_size)
        except ArchiveError as error:
            raise ValueError(f"{path}: {error}.") from error
        try:
            unknown = sorted(set(skops.io.get_untrusted_types(file=archive)) - set(trusted))
            estimator = None if unknown else skops.io.load(archive, trusted=trusted)
        except Exception as error:  # the file is whole, but what it says fits no class of today
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            raise ValueError(
                f"{path}: this version of skaudio_ad cannot rebuild what another one saved ({reason}); train again, "
                "or load it with the version that wrote it."
            ) from error
    if unknown:
        raise ValueError(
            f"{path}: holds types that skaudio_ad does not vouch for: {', '.join(unknown)}. If you trust where "
            "the file comes from, load it with skops.io.load(path, trusted=[...])."
        )
    if not _is_estimator(estimator):
        raise ValueError(
            f"{path}: holds a {type(estimator).__name__} and no estimator; save one with save_detector."
        )
    _forget_memory(estimator)
    return estimator


def _forget_memory(estimator):
    """Set every parameter called `memory` to None, wherever a file may have hidden an estimator.

    joblib reads pickles from a memory, so a file must not choose one.
    """
    import numpy as np

    seen, waiting = {}, [estimator]
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, (str, bytes, int, float, type)):
            continue
        seen[id(value)] = value
        if isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, (list, tuple, set, frozenset)):
            waiting += value
        elif isinstance(value, np.ndarray):
            waiting += value.ravel().tolist() if value.dtype.hasobject else []
        if hasattr(value, "__dict__"):
            attributes = vars(value)
            if attributes.get("memory") is not None:
                value.memory = None
            waiting += attributes.values()


def trusted_types():
    """Names of this package's estimators, as skops writes them.

    Returns
    -------
    list of str
    """
    from . import audio, detectors, embeddings, features, model_selection, thresholds, training

    return sorted(
        f"{cls.__module__}.{cls.__qualname__}"
        for package in (audio, detectors, embeddings, features, model_selection, thresholds, training)
        for cls in vars(package).values()
        if isclass(cls) and hasattr(cls, "get_params")
    )
