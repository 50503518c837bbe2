"""Types of the public surface, for annotations and for type checkers."""

import os
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

#: Path of a file or a folder.
PathLike: TypeAlias = str | os.PathLike[str]
#: Clips in any form that a step accepts: an array, a list of arrays or paths, a pandas Series, `AudioClips`.
Clips: TypeAlias = npt.ArrayLike | Sequence[Any]
#: One label per clip: 1 is normal, -1 is anomalous.
Labels: TypeAlias = npt.ArrayLike
#: Clips as one array, or as a list of arrays where the clips differ in length.
ClipArrays: TypeAlias = npt.NDArray[np.floating[Any]] | list[npt.NDArray[np.floating[Any]]]
#: Scores, distances, errors.
FloatArray: TypeAlias = npt.NDArray[np.float64]
#: Features and embeddings.
Float32Array: TypeAlias = npt.NDArray[np.float32]
#: Decisions and positions.
IntArray: TypeAlias = npt.NDArray[np.int_]
#: Seed or generator, as scikit-learn takes them.
RandomState: TypeAlias = int | np.random.RandomState | None
#: Threshold of a detector: "auto" (from held-out clips), or the fraction of training clips to call anomalous.
Contamination: TypeAlias = float | Literal["auto"]
