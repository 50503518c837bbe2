"""Save and load detectors with skops. Loading runs only code of scikit-learn and of this package."""

import copy
import os
from inspect import isclass
from typing import TYPE_CHECKING, Any

from ._archive import ArchiveError, checked_archive
from ._atomic import atomic_path
from ._checks import check_number
from ._typing import PathLike

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["load_detector", "save_detector", "trusted_types"]

_SUFFIX = ".skops"


def save_detector(estimator: "BaseEstimator", path: PathLike) -> None:
    """Write a fitted estimator or pipeline to a file, without its callbacks and without any `memory`.

    The file is written atomically: an error leaves the old file. In the file every parameter called `memory` is None,
    also that of a :class:`~sklearn.pipeline.Pipeline`, because a folder of this machine is of no use on another one.

    Parameters
    ----------
    estimator : estimator
        Estimator of this package or of scikit-learn, or a pipeline of such estimators.
    path : str or path-like
        Path that ends in ``.skops``.

    Raises
    ------
    ValueError
        If `path` has another ending, or skops cannot save an object in the estimator, such as a torch module.
    OSError
        If the file cannot be written. An old file of this name stays.
    """
    import skops.io

    path = os.fspath(path)
    if not path.endswith(_SUFFIX):
        raise ValueError(f"{path}: a detector is saved in a file that ends in {_SUFFIX}; change the ending.")
    with atomic_path(path) as temporary:
        try:
            skops.io.dump(_copy_for_file(estimator, {}), temporary)
        except RuntimeError as error:
            raise ValueError(
                f"{path}: skops cannot save this {type(estimator).__name__} ({error}). A torch module, such as the one "
                "of a ModuleEmbedding, is code: pickle the estimator, or save only the steps after the module."
            ) from error


def _copy_for_file(value, made):
    """Copy an estimator and its content without callbacks and `memory`. Other values are returned unchanged.

    Callbacks belong to a session, and `load_detector` refuses callbacks. `made` holds every copy by the id of the
    original value, so that a value is copied once.
    """
    if id(value) in made:
        return made[id(value)][0]
    copied = value
    if _is_estimator(value):
        copied = copy.copy(value)
        made[id(value)] = copied, value
        vars(copied).update(
            {
                name: None if name == "memory" else _copy_for_file(attribute, made)
                for name, attribute in vars(copied).items()
            }
        )
        if hasattr(
            copied, "set_callbacks"
        ):  # last, because a FrozenEstimator calls it on its copied estimator
            copied.set_callbacks()
    elif type(value) in (list, tuple):
        items = [_copy_for_file(item, made) for item in value]
        if any(new is not old for new, old in zip(items, value)):
            copied = type(value)(items)
    elif type(value) is dict:
        kept = {key: _copy_for_file(item, made) for key, item in value.items()}
        if any(kept[key] is not value[key] for key in kept):
            copied = kept
    made[id(value)] = copied, value  # a reference to the value, so that no other value gets its id
    return copied


def _is_estimator(value):
    return hasattr(value, "get_params") and not isclass(value)


def load_detector(path: PathLike, *, max_size: int | None = None) -> Any:
    """Read a file of :func:`save_detector` or ``skops.io.dump``.

    No pickle is read, and no code from the file runs, neither here nor when the estimator scores. The file holds
    numbers and names of classes. Only classes of scikit-learn and of this package are created. Every parameter called
    `memory` is set to None.

    Parameters
    ----------
    path : str or path-like
    max_size : int or None, default=None
        Maximum unpacked size of the file, in bytes, because a small file may unpack to more than the memory of the
        machine. None is ten times the size of the file, and at least 256 MiB. Files of `save_detector` are not
        compressed.

    Returns
    -------
    estimator
        Estimator whose scores equal those of the saved estimator bit for bit.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is no skops file, is damaged, unpacks to more than `max_size`, or holds types of other packages than
        scikit-learn and this package, because such types could run any code. The message names the file and says how to
        fix the problem.
    """
    import skops.io

    path = os.fspath(path)
    if max_size is not None:
        check_number(max_size, "max_size", low=1, integer=True)
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path}: no such file.")
    trusted = trusted_types()
    with open(path, "rb") as file:  # opened once, so that the checked content is loaded
        try:
            archive = checked_archive(file, max_size)
        except ArchiveError as error:
            raise ValueError(f"{path}: {error}.") from error
        try:
            unknown = sorted(set(skops.io.get_untrusted_types(file=archive)) - set(trusted))
            estimator = None if unknown else skops.io.load(archive, trusted=trusted)
        except Exception as error:  # an undamaged file may not fit the classes of this version
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            raise ValueError(
                f"{path}: this version of skaudio_ad cannot rebuild a detector that another version saved ({reason}); "
                "train again, or load the file with the version that wrote it."
            ) from error
    if unknown:
        raise ValueError(
            f"{path}: holds types that skaudio_ad does not trust: {', '.join(unknown)}. If you trust the source of "
            "the file, load the file with skops.io.load(path, trusted=[...])."
        )
    if not _is_estimator(estimator):
        raise ValueError(
            f"{path}: holds a {type(estimator).__name__} and no estimator; save an estimator with save_detector."
        )
    _clear_memory(estimator)
    return estimator


def _clear_memory(estimator):
    """Set every parameter called `memory` to None, in all estimators at any depth.

    joblib reads pickles from a memory, so a file must not choose its memory.
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


def trusted_types() -> list[str]:
    """Return the names of the estimators of this package in the notation of skops.

    Returns
    -------
    list of str
    """
    from . import audio, detectors, embeddings, features, model_selection, presets, thresholds, training

    return sorted(
        f"{cls.__module__}.{cls.__qualname__}"
        for package in (
            audio,
            detectors,
            embeddings,
            features,
            model_selection,
            presets,
            thresholds,
            training,
        )
        for cls in vars(package).values()
        if isclass(cls) and hasattr(cls, "get_params")
    )
