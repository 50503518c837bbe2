"""`DetectorPipeline`: a pipeline from recordings to decisions that knows the groups of the recordings."""

import warnings
from typing import Any, Self

from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import available_if

from .._path_groups import groups_from_paths
from .._typing import Clips, IntArray, Labels
from ..audio import AudioLoader
from ._domains import with_domains
from ._training_set import find_paths, warn_of_training_set


def _last_has(name):
    return lambda self: hasattr(self.steps[-1][1], name)


class DetectorPipeline(Pipeline):
    """Pipeline whose last step is a detector. `fit` takes the groups of the clips, or reads them from the paths.

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
    ) -> None:
        super().__init__(steps, transform_input=transform_input, memory=memory, verbose=verbose)
        self.groups = groups

    def fit(
        self,
        X: Clips,
        y: Labels | None = None,
        *,
        groups: Labels | None = None,
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
            If the groups cannot be read from the paths, domains are given to a detector that takes none, or a step
            raises.

        Warns
        -----
        UserWarning
            If the first step is an :class:`AudioLoader`, `X` holds paths, and recordings are silent, are copies of
            others, or have several sample rates. The warning names the files. :func:`check_recordings` tells more.
        """
        params = self._with_groups(X, groups, with_domains(self, domains, params))
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
        domains: Labels | None = None,
        **params: Any,
    ) -> IntArray:
        """Fit all steps, and decide for every training clip as the last step does.

        Parameters
        ----------
        X, y, groups, domains, **params
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_clips,), int
            1 is normal, -1 anomalous.
        """
        params = self._with_groups(X, groups, with_domains(self, domains, params))
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

    def _with_groups(self, X, groups, params):
        """The parameters of `fit`, with the groups under the name that a Pipeline takes."""
        if groups is None and self.groups is not None:
            paths = find_paths(X)
            if paths is None:
                raise ValueError(
                    f"groups={self.groups!r} reads the groups of recordings from their paths, but X holds no paths. "
                    "Pass paths, or pass groups= to fit."
                )
            try:
                groups = groups_from_paths(self.groups, paths)
            except ValueError as error:
                raise ValueError(f"groups={self.groups!r}: {error}") from None
        if groups is None:
            return params
        routed = get_config()["enable_metadata_routing"]
        return params | {"groups" if routed else f"{self.steps[-1][0]}__groups": groups}
