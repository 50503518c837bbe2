"""Types of the public surface, for annotations and for type checkers."""

import os
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

#: Path of a file or a folder.
PathLike: TypeAlias = str | os.PathLike[str]
#: Clips in any form that a step takes: an array, a list of arrays or of paths, a pandas Series, `AudioClips`.
Clips: TypeAlias = npt.ArrayLike | Sequence[Any]
#: One label a clip: 1 for normal, -1 for anomalous clips.
Labels: TypeAlias = npt.ArrayLike
#: Clips as arrays: one array, or a list where the clips differ in length.
ClipArrays: TypeAlias = npt.NDArray[np.floating[Any]] | list[npt.NDArray[np.floating[Any]]]
#: Scores, distances, errors.
FloatArray: TypeAlias = npt.NDArray[np.float64]
#: Features and embeddings.
Float32Array: TypeAlias = npt.NDArray[np.float32]
#: Decisions and positions.
IntArray: TypeAlias = npt.NDArray[np.int_]
#: Seed or generator, as scikit-learn takes them.
RandomState: TypeAlias = int | np.random.RandomState | None
#: Threshold of a detector: by held-out clips, or a fraction of the training clips.
Contamination: TypeAlias = float | Literal["auto"]
