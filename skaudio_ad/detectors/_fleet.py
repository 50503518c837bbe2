"""`FleetDetector`: one detector for every machine of a fleet."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, OutlierMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from .._checks import check_option, users_level
from .._clip_calls import end_of_pipeline, make_indexable, missing_rows, score_clips, score_windows
from .._doc_links import DocLinkMixin
from .._input_checks import check_groups
from .._lazy import take
from .._typing import Clips, FloatArray, IntArray, Labels

if TYPE_CHECKING:
    from typing import Self

# Maximum number of known machines that an error names.
_SHOWN = 10


def _detector_has(name):
    return lambda self: hasattr(end_of_pipeline(self._example), name)


class FleetDetector(DocLinkMixin, MetaEstimatorMixin, OutlierMixin, BaseEstimator):
    """One detector for every machine of a fleet.

    `fit` trains a clone of `detector` on the normal clips of each machine. A clip is scored by the detector of its own
    machine. Where machines sound different, another machine's normal sound is then no excuse for an anomaly, and every
    machine has a threshold of its own. A detector of a machine has fewer training clips than one detector for all.

    Parameters
    ----------
    detector : estimator
        Any detector with ``fit`` and ``score_samples``: one of this package or of scikit-learn, a
        :class:`ThresholdedDetector`, a Pipeline with whitening. The detector is cloned.

    unknown : {"raise", "merged"}, default="raise"
        What happens to a clip of a machine that `fit` never saw, or if no machines are passed. "raise" is an error.
        "merged" trains one more detector on the clips of all machines. This detector scores such clips.

    n_jobs : int, default=None
        Number of machines that are trained at the same time, as in :class:`joblib.Parallel`.

    Attributes
    ----------
    machines_ : ndarray of shape (n_machines,)
        Sorted labels of the machines.

    detectors_ : list of estimator
        Fitted detector of every machine, in the order of ``machines_``.

    merged_ : estimator or None
        Detector of all machines together. None with ``unknown="raise"``.

    n_features_in_, feature_names_in_ : int, ndarray of str
        Taken from the detectors, where they have them.

    Notes
    -----
    The scores of two machines are on different scales: compare `decision_function` or `p_values` and not
    `score_samples`. Even `decision_function` is a distance from the threshold of one machine. Only `p_values` have the
    same meaning for all machines.

    In a Pipeline of scikit-learn, ``predict`` and ``decision_function`` pass `machines` on if metadata routing is
    enabled. ``score_samples`` of such a Pipeline takes no metadata. :class:`DetectorPipeline` passes `machines` in all
    methods, and can read the machines from the paths of recordings.

    A row of NaN stands for a clip that could not be read. Such a clip scores NaN and is never called normal.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import FleetDetector, NearestNeighborsDetector
    >>> rng = np.random.default_rng(0)
    >>> machines = np.repeat(["fan", "pump"], 50)
    >>> X = rng.normal(size=(100, 8)) + 5 * (machines == "pump")[:, np.newaxis]
    >>> fleet = FleetDetector(NearestNeighborsDetector()).fit(X, machines=machines)
    >>> fleet.predict(X[:1], machines=["fan"]).tolist()
    [1]
    >>> fleet.predict(X[:1], machines=["pump"]).tolist()  # a fan's sound is no normal sound of a pump
    [-1]
    """

    # scikit-learn has no request of `score_samples`.
    __metadata_request__fit = {"machines": True}
    __metadata_request__predict = {"machines": True}
    __metadata_request__decision_function = {"machines": True}

    machines_: Any
    detectors_: list[Any]
    merged_: Any

    def __init__(
        self, detector: Any, *, unknown: Literal["raise", "merged"] = "raise", n_jobs: int | None = None
    ) -> None:
        self.detector = detector
        self.unknown = unknown
        self.n_jobs = n_jobs

    def fit(
        self, X: Clips, y: Labels | None = None, *, machines: Labels | None = None, **params: Any
    ) -> Self:
        """Train a detector on the clips of every machine.

        Parameters
        ----------
        X : array-like of clips, as the detector takes them
        y : array-like of shape (n_clips,), default=None
            As the detector takes it.
        machines : array-like of shape (n_clips,)
            Machine of every clip: text or numbers. Required, although scikit-learn's signature needs a default.
        **params : dict
            Further parameters of the detector's ``fit``, such as ``groups``. A parameter with one entry a clip is split
            with the clips.

        Returns
        -------
        self : object

        Raises
        ------
        TypeError
            If the detector has no ``score_samples``, or labels of machines are of several types.
        ValueError
            If a clip has no machine, or the detector of a machine cannot be trained, for example with too few clips.
            The error names the machine.
        """
        self._fit(X, y, machines, params, "fit")
        return self

    def fit_predict(
        self, X: Clips, y: Labels | None = None, *, machines: Labels | None = None, **params: Any
    ) -> IntArray:
        """Fit, and decide for every training clip as the detectors do in ``fit_predict``.

        Parameters
        ----------
        X, y, machines, **params
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_clips,), int
            1 is normal, -1 anomalous.
        """
        return self._fit(X, y, machines, params, "fit_predict")

    def score_samples(self, X: Clips, *, machines: Labels | None = None) -> FloatArray:
        """Score every clip by the detector of its machine. Higher is more normal.

        Parameters
        ----------
        X : array-like of clips, as in `fit`
        machines : array-like of shape (n_clips,), default=None
            Machine of every clip. None is allowed with ``unknown="merged"``: the merged detector scores all clips.

        Returns
        -------
        ndarray of shape (n_clips,), float64
            Scores of different machines are on different scales. NaN for a clip that could not be read.

        Raises
        ------
        ValueError
            If machines are missing or unknown, and `unknown` was "raise" in `fit`.
        """
        return self._by_machine(X, machines, "score_samples")

    @available_if(_detector_has("decision_function"))
    def decision_function(self, X: Clips, *, machines: Labels | None = None) -> FloatArray:
        """Score relative to the threshold of the machine.

        Parameters
        ----------
        X, machines
            As in `score_samples`.

        Returns
        -------
        ndarray of shape (n_clips,), float64
            Negative is anomalous. The scale is that of the machine. NaN for a clip that could not be read.
        """
        return self._by_machine(X, machines, "decision_function")

    @available_if(_detector_has("predict"))
    def predict(self, X: Clips, *, machines: Labels | None = None) -> IntArray:
        """Decide for every clip by the detector of its machine.

        Parameters
        ----------
        X, machines
            As in `score_samples`.

        Returns
        -------
        ndarray of shape (n_clips,), int
            1 is normal, -1 anomalous; -1 for a clip that could not be read.
        """
        return np.where(self._by_machine(X, machines, "predict") == 1, 1, -1)

    @available_if(_detector_has("p_values"))
    def p_values(self, X: Clips, *, machines: Labels | None = None) -> FloatArray:
        """Conformal p-values among the normal clips of the machine. They can be compared between machines.

        Parameters
        ----------
        X, machines
            As in `score_samples`.

        Returns
        -------
        ndarray of shape (n_clips,), float64
            NaN for a clip that could not be read.
        """
        return self._by_machine(X, machines, "p_values")

    @available_if(_detector_has("score_frames"))
    def score_frames(self, X: Clips, *, machines: Labels | None = None) -> list[FloatArray]:
        """Score every frame or window of every clip by the detector of its machine.

        Parameters
        ----------
        X, machines
            As in `score_samples`.

        Returns
        -------
        list of ndarray of shape (n_windows_i,)
            Higher is more normal.
        """
        (X,) = make_indexable(X)
        made: list[Any] = [None] * _n_clips(X)
        for detector, positions in self._parts(machines, len(made)):
            for position, scores in zip(positions, score_windows(detector, take(X, positions))):
                made[position] = scores
        return made

    @available_if(_detector_has("window_centers"))
    def window_centers(self, n_windows: int) -> FloatArray:
        """Centres of the windows of `score_frames`, in frames from the start of the clip.

        Parameters
        ----------
        n_windows : int

        Returns
        -------
        ndarray of shape (n_windows,)
        """
        check_is_fitted(self, "detectors_")
        return end_of_pipeline(self._example).window_centers(n_windows)

    def detector_of(self, machine: Any) -> Any:
        """Return the fitted detector that scores the clips of a machine.

        Parameters
        ----------
        machine : str, number or None
            None means that the machine is not known.

        Returns
        -------
        estimator
            Detector of the machine. With ``unknown="merged"``, the merged detector for a machine that `fit` never saw.

        Raises
        ------
        ValueError
            If the machine is missing or unknown, and `unknown` was "raise" in `fit`.
        """
        check_is_fitted(self, "detectors_")
        known = self.machines_.tolist()
        if machine in known:
            return self.detectors_[known.index(machine)]
        if self.merged_ is not None:
            return self.merged_
        if machine is None:
            raise ValueError(
                "the machine of every clip is needed: pass machines=, with one label a clip, or train with "
                'unknown="merged".'
            )
        more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
        raise ValueError(
            f"the machine {machine!r} is not one that was trained on: {', '.join(map(repr, known[:_SHOWN]))}{more}. "
            'Fit with normal clips of this machine, or with unknown="merged".'
        )

    @property
    def n_features_in_(self) -> int:
        """Number of features that the detectors were trained on."""
        return self._example.n_features_in_

    @property
    def feature_names_in_(self) -> Any:
        """Names of the features that the detectors were trained on."""
        return self._example.feature_names_in_

    def get_metadata_routing(self) -> MetadataRouter:
        """Tell which step gets which parameters of `fit`.

        Returns
        -------
        MetadataRouter
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(
            detector=self.detector, method_mapping=MethodMapping().add(caller="fit", callee="fit")
        )

    @property
    def _example(self):
        """The detector of the first machine, or the unfitted one."""
        return getattr(self, "detectors_", [self.detector])[0]

    def _fit(self, X, y, machines, params, method):
        check_option(self.unknown, "unknown", ("raise", "merged"))
        if isinstance(self.detector, type) or not hasattr(self.detector, "score_samples"):
            raise TypeError(f"detector must be an estimator with score_samples, got {self.detector!r}.")
        if machines is None:
            raise ValueError(
                "FleetDetector trains one detector a machine: pass machines= to fit, with one label a clip. "
                "DetectorPipeline(machines=...) reads them from the paths of recordings."
            )
        if get_config()["enable_metadata_routing"]:
            params = process_routing(self, "fit", machines=machines, **params)["detector"].fit
        X, y = make_indexable(X, y)
        n_clips = _n_clips(X)
        labels = _check_machines(machines, n_clips)
        known = sorted(set(labels))
        parts = [(f"machine {name!r}", np.flatnonzero([label == name for label in labels])) for name in known]
        if self.unknown == "merged":
            parts.append(("all machines together", np.arange(n_clips)))
        made = Parallel(n_jobs=self.n_jobs)(
            delayed(_fit_part)(clone(self.detector), name, positions, X, y, params, n_clips, method)
            for name, positions in parts
        )
        for (name, _), (_, _, caught) in zip(parts, made):
            for message, category in caught:
                warnings.warn(f"{message} ({name})", category, stacklevel=users_level())
        detectors = [detector for detector, _, _ in made]
        self.machines_ = np.array(known)
        self.merged_ = detectors.pop() if self.unknown == "merged" else None
        self.detectors_ = detectors
        decisions = np.full(n_clips, -1)
        for (_, positions), (_, decided, _) in zip(parts[: len(known)], made):
            decisions[positions] = decided
        return decisions

    def _parts(self, machines, n_clips):
        """Yield detectors, and the positions of the clips that they score."""
        check_is_fitted(self, "detectors_")
        if machines is None:
            yield self.detector_of(None), np.arange(n_clips)
            return
        labels = _check_machines(machines, n_clips)
        # All machines are looked up before the first clip is scored.
        detectors = {label: self.detector_of(label) for label in dict.fromkeys(labels)}
        for label, detector in detectors.items():
            yield detector, np.flatnonzero([other == label for other in labels])

    def _by_machine(self, X, machines, method):
        (X,) = make_indexable(X)
        values = np.full(_n_clips(X), np.nan)
        for detector, positions in self._parts(machines, len(values)):
            values[positions] = score_clips(detector, take(X, positions), method)
        return values

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.detector)
        tags.input_tags = copy.deepcopy(inner.input_tags)
        tags.non_deterministic = inner.non_deterministic
        return tags


def _n_clips(X):
    return len(missing_rows(X))


def _check_machines(machines, n_clips):
    """Labels of the machines as a list of text or numbers of one type."""
    labels: list[Any] = np.asarray(check_groups(machines, n_clips, "machine")).tolist()
    types = sorted({type(label).__name__ for label in labels})
    if len(types) > 1:
        raise TypeError(f"machines must be labels of one type, got {' and '.join(types)}: use text for all.")
    return labels


def _fit_part(detector, name, positions, X, y, params, n_clips, method):
    """Fit the detector of one machine. Return the detector, its decisions and its warnings."""
    params = {
        key: take(value, positions) if np.shape(value)[:1] == (n_clips,) else value
        for key, value in params.items()
    }
    part, labels = take(X, positions), None if y is None else take(y, positions)
    with warnings.catch_warnings(record=True) as caught:
        try:
            if method == "fit":
                detector.fit(part, labels, **params)
                decisions = -1
            elif hasattr(detector, "fit_predict"):
                decisions = detector.fit_predict(part, labels, **params)
            else:
                decisions = detector.fit(part, labels, **params).predict(part)
        except (ValueError, TypeError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{name}: {error}") from error
    return detector, decisions, [(str(entry.message), entry.category) for entry in caught]
