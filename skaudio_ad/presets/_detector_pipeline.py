"""`DetectorPipeline`: a pipeline from recordings to decisions that knows the groups of the recordings."""

import warnings
from collections.abc import Callable
from typing import Any, Self

from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import available_if

from .._clip_calls import score_clips
from .._doc_links import DocLinkMixin
from .._path_groups import groups_from_paths, labels_from_paths
from .._typing import Clips, FloatArray, IntArray, Labels
from ..audio import AudioLoader
from ..detectors import FleetDetector
from ._domains import with_domains
from ._score_table import ScoreTable
from ._training_set import find_paths, warn_of_training_set


def _last_has(name):
    return lambda self: hasattr(self.steps[-1][1], name)


class DetectorPipeline(DocLinkMixin, Pipeline):
    """Pipeline whose last step is a detector. `fit` takes the groups of the clips, or reads them from the paths.

    If the last step is a :class:`FleetDetector`, `fit` and all methods that score take the machines of the clips, or
    read them from the paths.

    :func:`make_detector` makes such pipelines. Everything else is as in :class:`~sklearn.pipeline.Pipeline`. The steps
    before the last one should be frozen: they run once, and the last step alone, such as a
    :class:`ThresholdedDetector`, is cross-validated.

    Parameters
    ----------
    steps : list of (str, estimator)
        As for a Pipeline.

    transform_input : list of str or None, default=None
        As for a Pipeline.

    memory : str, path-like, joblib.Memory or None, default=None
        As for a Pipeline. Embeddings have a memory of their own, which keeps the embedding of every clip.

    verbose : bool, default=False
        Whether the time of every step is printed.

    groups : str or None, default=None
        Where `fit` finds the groups of the recordings, if it gets none. "folder": recordings of one folder are a group.
        Other text is a regular expression with one group in parentheses, searched in the name of the file:
        ``"^(id_[0-9]+)_"``. None means that every recording is a group of its own.

    machines : str or None, default=None
        Where `fit` and the methods that score find the machine of a recording, if they get none: "folder" or a regular
        expression, as for `groups`. The last step is then a :class:`FleetDetector`.

    Attributes
    ----------
    named_steps : Bunch
        Steps by name.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.svm import OneClassSVM
    >>> from skaudio_ad import ShrinkageWhitener, ThresholdedDetector
    >>> from skaudio_ad.presets import DetectorPipeline
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> detector = ThresholdedDetector(OneClassSVM(), random_state=0)
    >>> pipeline = DetectorPipeline([("whiten", ShrinkageWhitener()), ("detector", detector)])
    >>> groups = np.arange(60) // 2  # two clips of every machine
    >>> pipeline.fit(X, groups=groups)[-1].calibration_groups_.max()
    np.int64(29)
    """

    def __init__(
        self,
        steps: list[Any],
        *,
        transform_input: list[str] | None = None,
        memory: Any = None,
        verbose: bool = False,
        groups: str | None = None,
        machines: str | None = None,
    ) -> None:
        super().__init__(steps, transform_input=transform_input, memory=memory, verbose=verbose)
        self.groups = groups
        self.machines = machines

    def fit(
        self,
        X: Clips,
        y: Labels | None = None,
        *,
        groups: Labels | None = None,
        machines: Labels | None = None,
        domains: Labels | None = None,
        **params: Any,
    ) -> Self:
        """Fit all steps.

        Parameters
        ----------
        X : array-like of clips, as the first step takes them
        y : array-like of shape (n_clips,), default=None
            As the last step takes it.
        groups : array-like of shape (n_clips,), default=None
            Machine, patient or recording of every clip, for the last step. None reads the groups from the paths if the
            parameter `groups` says how.
        machines : array-like of shape (n_clips,), default=None
            Machine of every clip, for a :class:`FleetDetector` as the last step. None reads the machines from the paths
            if the parameter `machines` says how.
        domains : array-like of shape (n_clips,), default=None
            Domain of every clip, such as "source" and "target", for the detector at the end of the last step.
        **params : dict
            Further parameters, as for a Pipeline.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the groups or machines cannot be read from the paths, machines are given although the last step is no
            FleetDetector, domains are given to a detector that takes none, or a step raises.

        Warns
        -----
        UserWarning
            If the first step is an :class:`AudioLoader`, `X` holds paths, and recordings are silent, are copies of
            others, or have several sample rates. The warning names the files. :func:`check_recordings` tells more.
        """
        params = self._with_labels(X, groups, machines, with_domains(self, domains, params))
        with warnings.catch_warnings():
            self._check_training_set(X)
            return super().fit(X, y, **params)

    @available_if(_last_has("fit_predict"))
    def fit_predict(
        self,
        X: Clips,
        y: Labels | None = None,
        *,
        groups: Labels | None = None,
        machines: Labels | None = None,
        domains: Labels | None = None,
        **params: Any,
    ) -> IntArray:
        """Fit all steps, and decide for every training clip as the last step does.

        Parameters
        ----------
        X, y, groups, machines, domains, **params
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_clips,), int
            1 is normal, -1 anomalous.
        """
        params = self._with_labels(X, groups, machines, with_domains(self, domains, params))
        with warnings.catch_warnings():
            self._check_training_set(X)
            return super().fit_predict(X, y, **params)

    def _check_training_set(self, X):
        """Warn of what spoils a training set, once. The loader and the models of the folds would warn again."""
        paths = find_paths(X) if isinstance(self.steps[0][1], AudioLoader) else None
        if paths is None:
            return
        has_copies = warn_of_training_set(paths)
        warnings.filterwarnings("ignore", "the training files have different sample rates")
        if has_copies:
            warnings.filterwarnings("ignore", ".* training clips have a copy among the others")

    @available_if(_last_has("score_samples"))
    def score_samples(self, X: Clips, *, machines: Labels | None = None) -> FloatArray:
        """Score every clip. Higher is more normal.

        Parameters
        ----------
        X : array-like of clips, as the first step takes them
        machines : array-like of shape (n_clips,), default=None
            Machine of every clip, as in `fit`.

        Returns
        -------
        ndarray of shape (n_clips,), float64
            NaN for a clip that could not be read. Scores of a :class:`FleetDetector` have a scale for every machine.

        Raises
        ------
        ValueError
            If a machine is missing or unknown to the :class:`FleetDetector`.
        """
        return self._score(X, machines, "score_samples", super().score_samples)

    @available_if(_last_has("decision_function"))
    def decision_function(self, X: Clips, *, machines: Labels | None = None, **params: Any) -> FloatArray:
        """Score relative to the threshold, with a :class:`FleetDetector` the threshold of the machine.

        Parameters
        ----------
        X, machines
            As in `score_samples`.
        **params : dict
            As for a Pipeline.

        Returns
        -------
        ndarray of shape (n_clips,), float64
            Negative is anomalous.
        """
        return self._score(X, machines, "decision_function", super().decision_function, params)

    @available_if(_last_has("predict"))
    def predict(self, X: Clips, *, machines: Labels | None = None, **params: Any) -> IntArray:
        """Decide for every clip.

        Parameters
        ----------
        X, machines, **params
            As in `decision_function`.

        Returns
        -------
        ndarray of shape (n_clips,), int
            1 is normal, -1 anomalous.
        """
        return self._score(X, machines, "predict", super().predict, params)

    @available_if(_last_has("p_values"))
    def p_values(self, X: Clips, *, machines: Labels | None = None) -> FloatArray:
        """Conformal p-values of the last step, such as a :class:`ThresholdedDetector`.

        Parameters
        ----------
        X, machines
            As in `score_samples`.

        Returns
        -------
        ndarray of shape (n_clips,), float64
            NaN for a clip that could not be read.
        """
        return self._score(X, machines, "p_values", lambda X: score_clips(self, X, "p_values"))

    def batch_function(
        self, *, path_column: str = "path", error_column: str = "error"
    ) -> Callable[[Any], Any]:
        """Make a function that scores a table of paths, for Dask, Ray Data, Spark and Daft.

        The function can be pickled. It holds the fitted detector, and not the weights of the network, which every
        process loads once. A row that cannot be scored does not stop the work, as in
        :meth:`BaseEmbedding.batch_function <skaudio_ad.embeddings.MobileNetEmbedding.batch_function>`.

        Parameters
        ----------
        path_column : str, default="path"
            Column of the table that holds the paths.

        error_column : str, default="error"
            New column for what is wrong with a row, "" if all is well.

        Returns
        -------
        callable
            Takes a pandas DataFrame, a dict of arrays, or a Table or RecordBatch of pyarrow, and returns a table of the
            same kind with new columns: "score" (higher is more normal, NaN if there is an error), "decision" (1 is
            normal, -1 is anomalous, 0 is an error), "p_value" (NaN if the detector has no calibration scores) and the
            column of errors. Values are those of :func:`skaudio_ad.recordings.score_recordings`.

        Raises
        ------
        ValueError, TypeError
            If the pipeline does not begin with an :class:`AudioLoader`, or two columns have one name.
        NotFittedError
            If the pipeline is not fitted.
        """
        return ScoreTable(self, path_column, error_column)

    def _score(self, X, machines, method, without_machines, params=None):
        machines = self._find_machines(X, machines)
        if machines is None:
            return without_machines(X, **(params or {}))
        for _, step in self.steps[:-1]:
            if step is not None and step != "passthrough":
                X = step.transform(X)
        return getattr(self.steps[-1][1], method)(X, machines=machines)

    def _find_machines(self, X, machines):
        """Machines of the clips, from the argument or the paths, or None."""
        if machines is None and self.machines is not None:
            machines = self._read_labels("machines", labels_from_paths, X)
        if machines is not None and not isinstance(self.steps[-1][1], FleetDetector):
            raise ValueError(
                f"machines= needs a FleetDetector as the last step, but that is a {type(self.steps[-1][1]).__name__}: "
                "put FleetDetector(...) around it, or pass no machines."
            )
        return machines

    def _read_labels(self, name, read, X):
        """Groups or machines from the paths of recordings, as the parameter `name` says."""
        value, paths = getattr(self, name), find_paths(X)
        if paths is None:
            raise ValueError(
                f"{name}={value!r} reads the {name} of recordings from their paths, but X holds no paths. Pass paths, "
                f"or pass {name}= to the method."
            )
        try:
            return read(value, paths)
        except ValueError as error:
            raise ValueError(f"{name}={value!r}: {error}") from None

    def _with_labels(self, X, groups, machines, params):
        """The parameters of `fit`, with groups and machines under the names that a Pipeline takes."""
        if groups is None and self.groups is not None:
            groups = self._read_labels("groups", groups_from_paths, X)
        given = {"groups": groups, "machines": self._find_machines(X, machines)}
        prefix = "" if get_config()["enable_metadata_routing"] else f"{self.steps[-1][0]}__"
        return params | {f"{prefix}{name}": value for name, value in given.items() if value is not None}
