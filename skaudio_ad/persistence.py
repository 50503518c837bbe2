"""Detectors to files and back, by skops: loading runs no code but scikit-learn's and this package's."""

import copy
import os
from inspect import isclass

from sklearn.pipeline import Pipeline

__all__ = ["load_detector", "save_detector", "trusted_types"]

_SUFFIX = ".skops"


def save_detector(estimator, path):
    """Write a fitted estimator or pipeline to a file, without its callbacks.

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
    """
    import skops.io

    path = os.fspath(path)
    if not path.endswith(_SUFFIX):
        raise ValueError(f"{path}: a detector is saved in a file that ends in {_SUFFIX}.")
    # Through a temporary file: an interrupted save must not leave half a detector behind.
    partial = f"{path}.part"
    try:
        skops.io.dump(_without_callbacks(estimator), partial)
    except RuntimeError as error:
        raise ValueError(
            f"{path}: skops cannot save this {type(estimator).__name__} ({error}). A torch module, as a "
            "ModuleEmbedding holds one, is code: pickle the estimator, or save the steps after it alone."
        ) from error
    os.replace(partial, path)


def _without_callbacks(estimator):
    """A shallow copy that reports to no one: callbacks belong to a session, and `load_detector` refuses them."""
    estimator = copy.copy(estimator)
    if isinstance(estimator, Pipeline):
        estimator.steps = [(name, _without_callbacks(step)) for name, step in estimator.steps]
    for name, value in vars(estimator).items():
        if hasattr(value, "get_params") and not isclass(value):  # what a meta-estimator holds
            setattr(estimator, name, _without_callbacks(value))
    if hasattr(estimator, "set_callbacks"):  # last: a FrozenEstimator passes it on to what it holds
        estimator.set_callbacks()
    return estimator


def load_detector(path):
    """Read what :func:`save_detector` or ``skops.io.dump`` wrote.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    estimator
        Scores as the saved one did, bit for bit.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no skops file, or holds types that are neither scikit-learn's nor this package's: they could
        run any code.
    """
    import zipfile

    import skops.io

    path = os.fspath(path)
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path}: no such file.")
    no_skops = f"{path}: no detector saved by skaudio_ad or skops (it is no skops file)."
    if not zipfile.is_zipfile(path):
        raise ValueError(no_skops)
    with zipfile.ZipFile(path) as archive:
        if "schema.json" not in archive.namelist():
            raise ValueError(no_skops)
    trusted = trusted_types()
    unknown = sorted(set(skops.io.get_untrusted_types(file=path)) - set(trusted))
    if unknown:
        raise ValueError(
            f"{path}: holds types that skaudio_ad does not vouch for: {', '.join(unknown)}. If you trust where "
            "the file comes from, load it with skops.io.load(path, trusted=[...])."
        )
    try:
        return skops.io.load(path, trusted=trusted)
    except (AttributeError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(
            f"{path}: this version of skaudio_ad cannot rebuild what another one saved ({error}); train again, or "
            "load it with the version that wrote it."
        ) from error


def trusted_types():
    """Names of this package's estimators, as skops writes them.

    Returns
    -------
    list of str
    """
    from . import audio, detectors, embeddings, features, model_selection, thresholds

    return sorted(
        f"{cls.__module__}.{cls.__qualname__}"
        for package in (audio, detectors, embeddings, features, model_selection, thresholds)
        for cls in vars(package).values()
        if isclass(cls) and hasattr(cls, "get_params")
    )
