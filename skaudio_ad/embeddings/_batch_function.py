"""`batch_function` of embeddings: a table of paths in, the table with a column of embeddings out."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from .._checksums import WeightsError
from .._clip_errors import explain, without_advice
from .._path_tables import PathTableFunction
from ..audio import AudioClips, AudioLoader


class BatchFunctionMixin:
    """Mixin of embeddings that embed tables of paths."""

    def batch_function(
        self,
        *,
        preprocessing: Any = None,
        path_column: str = "path",
        vector_column: str = "vector",
        error_column: str = "error",
    ) -> Callable[[Any], Any]:
        """Make a function that embeds a table of paths, for Dask, Ray Data, Spark and Daft.

        The function can be pickled and is small, because the weights are not part of it. Every process loads the
        weights at its first call, and keeps them for the next ones. Only :class:`ModuleEmbedding` sends its module
        along.

        A row whose file cannot be embedded does not stop the work: its vector is NaN, and the column of errors holds
        the reason. A fault that concerns all rows raises, such as missing weights or a missing column.

        Parameters
        ----------
        preprocessing : AudioLoader, Pipeline or None, default=None
            Step from paths to clips, such as ``make_pipeline(AudioLoader(32000, duration=10.0), LevelNormalizer())``. A
            pipeline begins with an :class:`AudioLoader`. Its `on_error` has no effect. None loads whole files at the
            sample rate of the network.

        path_column : str, default="path"
            Column of the table that holds the paths.

        vector_column : str, default="vector"
            New column for the embeddings.

        error_column : str, default="error"
            New column for what is wrong with a row, "" if all is well.

        Returns
        -------
        callable
            Takes a pandas DataFrame, a dict of arrays, or a Table or RecordBatch of pyarrow, and returns a table of the
            same kind with the same rows and two more columns. The vectors are those of :meth:`transform`, float32, up
            to rounding: an array of shape (n_rows, n_features) in a dict, an array of shape (n_features,) in every cell
            of a DataFrame, a list of fixed size in pyarrow. The function raises a ValueError if the column of paths is
            missing or a new column is there already, and a TypeError for other tables.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, `output` keeps time, `preprocessing` has another sample rate than the
            network or does not begin with an AudioLoader, or two columns have one name.
        ImportError
            If an optional package is needed and missing.
        WeightsError
            If the weights cannot be found or downloaded.

        Examples
        --------
        >>> from skaudio_ad.embeddings import MobileNetEmbedding
        >>> embed = MobileNetEmbedding("mini").batch_function()
        >>> table = embed({"path": ["gone.wav", None]})
        >>> table["vector"].shape
        (2, 384)
        >>> [str(error) for error in table["error"]]
        ['no such file; check the path and the folder it is relative to.', 'the path is missing.']
        """
        return EmbedTable(self, preprocessing, path_column, vector_column, error_column)


class _RecordingClips(AudioClips):
    """Clips of files that lists failures and does not warn: the column of errors holds them.

    A filter of warnings would not do, because filters belong to the process, and workers may be threads.
    """

    def note_left_out(self, path, reason):
        self.failures.setdefault(path, reason)


class EmbedTable(PathTableFunction):
    """Function that embeds a table of paths: what ``batch_function`` of an embedding returns.

    The function can be pickled and is small, because the weights are not part of it. Every process loads the weights
    at its first call.

    Parameters
    ----------
    embedding : BaseEmbedding
        The function takes a copy.
    preprocessing : AudioLoader, Pipeline or None
    path_column, vector_column, error_column : str

    Raises
    ------
    ValueError, TypeError, WeightsError, ImportError
        As for ``batch_function``.
    """

    def __init__(
        self,
        embedding: Any,
        preprocessing: AudioLoader | Pipeline | None,
        path_column: str,
        vector_column: str,
        error_column: str,
    ) -> None:
        super().__init__(path_column, [vector_column], error_column)
        outputs = embedding._names(embedding.output)
        if outputs[0] not in embedding._vectors:
            raise ValueError(
                f"batch_function writes one vector for every clip, but output={embedding.output!r} keeps time. Use one "
                f"of {', '.join(map(repr, embedding._vectors))}, or call stream() in the worker."
            )
        self._embedding = copy.copy(embedding)
        # The framework starts the processes, and several workers cannot share one bar.
        self._embedding.n_jobs, self._embedding.verbose = 1, False
        if preprocessing is None:
            preprocessing = AudioLoader(embedding._rate())
        steps = (
            [step for _, step in preprocessing.steps]
            if isinstance(preprocessing, Pipeline)
            else [preprocessing]
        )
        if not isinstance(steps[0], AudioLoader):
            raise TypeError(
                "preprocessing must be an AudioLoader, a Pipeline that begins with an AudioLoader, or None, got "
                f"{preprocessing!r}."
            )
        loading = steps[0].get_params(deep=False)
        loading.pop("on_error")  # a file that cannot be read is an entry in the column of errors
        self._loading = loading
        self._steps = [step for step in steps[1:] if step not in (None, "passthrough")]
        # All parameters, the rate and the channels are checked here, before any worker starts.
        clips = self._clips([""])
        self._embedding._embed(clips, embedding.output)
        self._embedding.n_channels_ = clips.n_channels
        self._embedding.weights_digest_ = self._embedding._engine().digest

    def _compute(self, paths):
        if not paths:
            return [np.empty((0, len(self._embedding.get_feature_names_out())), np.float32)], []
        # Without the network no row can be embedded, so this error is not an error of a row.
        self._embedding._engine().load()
        try:
            return self._embed(paths)
        except (WeightsError, ImportError):
            raise
        except Exception as error:  # anything that one clip causes, such as too little memory
            if len(paths) > 1:
                parts = [self._compute([path]) for path in paths]
                return [np.concatenate([vectors for (vectors,), _ in parts])], [e for _, (e,) in parts]
            width = len(self._embedding.get_feature_names_out())
            return [np.full((1, width), np.nan, np.float32)], [explain(error) or type(error).__name__]

    def _embed(self, paths):
        clips = self._clips(paths)
        vectors = np.stack(list(self._embedding.stream(clips))).astype(np.float32, copy=False)
        errors = [without_advice(clips.failures.get(path, "")) for path in paths]
        for row in np.flatnonzero(~np.isfinite(vectors).all(axis=1)):
            errors[row] = errors[row] or "the embedding is not finite."
            vectors[row] = np.nan
        return [vectors], errors

    def _clips(self, paths) -> Any:
        loading = dict(self._loading)
        clips: Any = _RecordingClips(paths, loading.pop("sample_rate"), on_error="skip", **loading)
        for step in self._steps:
            clips = step.transform(clips)
        return clips
