"""`ScoreTable`: a table of paths in, the table with scores and decisions out."""

import copy
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._path_tables import PathTableFunction
from ..recordings import score_recordings

_DECISIONS = {"normal": 1, "anomalous": -1, "error": 0}


class ScoreTable(PathTableFunction):
    """Function that scores a table of paths: what ``batch_function`` of a :class:`DetectorPipeline` returns.

    Parameters
    ----------
    pipeline : DetectorPipeline
        Fitted pipeline. The function takes a copy of the object, and shares its steps.
    path_column, error_column : str

    Raises
    ------
    ValueError, TypeError, NotFittedError
        As for ``batch_function``.
    """

    def __init__(self, pipeline: Any, path_column: str, error_column: str) -> None:
        super().__init__(path_column, ["score", "decision", "p_value"], error_column)
        check_is_fitted(pipeline)
        self._pipeline = copy.copy(pipeline)
        score_recordings(self._pipeline, [])  # the steps are checked here, before any worker starts

    def _compute(self, paths):
        scored = list(score_recordings(self._pipeline, paths))
        columns = [
            np.array([recording.score for recording in scored], dtype=np.float64),
            np.array([_DECISIONS[recording.decision] for recording in scored], dtype=np.int64),
            np.array([recording.p_value for recording in scored], dtype=np.float64),
        ]
        return columns, [recording.error for recording in scored]
