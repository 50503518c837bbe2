"""The file with the best weights of a fine-tuning so far."""

import json
import os
from typing import Any

import numpy as np

from .._atomic import atomic_path
from .._checksums import WeightsError
from .._typing import PathLike

# Name of the metadata in the file.
_FACTS = "skaudio_ad"


def check_checkpoint(path: Any) -> None:
    """Raise unless `path` is None or names a file that can be written, ending in ".safetensors"."""
    if path is None:
        return
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"checkpoint must be the path of a file or None, got {path!r}.")
    path = os.fspath(path)
    folder = os.path.dirname(os.path.abspath(path))
    if not path.endswith(".safetensors"):
        raise ValueError(f'checkpoint must end in ".safetensors", got {path!r}.')
    if not os.path.isdir(folder):
        raise ValueError(f"checkpoint must be a file in a folder that exists, got {path!r}: make {folder!r}.")


def write_checkpoint(path: PathLike, weights: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
    """Write arrays and facts, atomically: a process that is killed leaves the old file.

    Parameters
    ----------
    path : str or path-like
    weights : dict of {str: ndarray}
    facts : dict
        Plain values, as JSON has them.
    """
    from safetensors.numpy import save_file

    with atomic_path(path) as temporary:
        save_file(
            {name: np.ascontiguousarray(array) for name, array in weights.items()},
            temporary,
            metadata={_FACTS: json.dumps(facts)},
        )


def read_checkpoint(path: PathLike) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read arrays and facts of :func:`write_checkpoint`.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    weights : dict of {str: ndarray}
    facts : dict

    Raises
    ------
    WeightsError
        If the file is missing, damaged or no checkpoint of a fine-tuning.
    """
    from safetensors import safe_open

    path = os.fspath(path)
    if not os.path.isfile(path):
        raise WeightsError(
            f"{path}: no such file. A fit with checkpoint={path!r} writes it after its first epoch."
        )
    try:
        with safe_open(path, framework="numpy") as file:
            facts = json.loads((file.metadata() or {})[_FACTS])
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118
    except Exception as error:  # safetensors has an exception of its own, and raises others too
        raise WeightsError(
            f"{path}: no checkpoint of a FineTunedEmbedding ({type(error).__name__}: {error})."
        ) from error
