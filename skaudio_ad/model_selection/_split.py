"""Splits of labelled clips whose training folds hold only normal clips."""

import warnings
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import BaseCrossValidator, PredefinedSplit, check_cv
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.metadata_routing import get_routing_for_object

from .._checks import check_option
from .._labels import as_labels
from .._typing import Clips, IntArray, Labels, RandomState


class NormalOnlySplit(BaseCrossValidator):
    """Cross-validation whose training folds hold no anomaly, and whose test folds hold the anomalies.

    `cv` splits only the normal clips. The anomalies are then added to the test folds. Use this class wherever
    scikit-learn takes a `cv`. A search fits its best candidate again on all clips. Therefore also put
    :class:`NormalOnly` around the pipeline, so that this last fit has no anomalies.

    Parameters
    ----------
    cv : int, splitter or list of (train, test) index arrays, default=5
        Splits of the normal clips. An int is ``KFold`` without shuffling, as in scikit-learn. Without shuffling,
        similar recordings that follow one another stay in one fold. A splitter gets only the normal clips. A list of
        splits and ``PredefinedSplit`` refer to all clips: anomalies are removed from these splits, and then distributed
        by `anomalies`.

    anomalies : {"every", "spread"}, default="every"
        "every" tests every anomaly in every fold, so that each fold has enough anomalies for a metric. "spread" tests
        every anomaly in one fold, and gives all folds similar numbers of anomalies. The test folds are then a
        partition, which ``cross_val_predict`` needs.

    group_role : {"apart", "strata"}, default="apart"
        Use of the `groups` that `split` gets. "apart" is for ``GroupKFold`` and other splitters that keep groups
        together: recordings of one machine or device are never on both sides of a split. An anomaly is tested only in
        folds that do not train on normal clips of its group. "strata" passes the groups to `cv` as labels: with
        ``StratifiedKFold`` every fold then has the same mixture of machines. The labels 1 and -1 cannot be strata,
        because `cv` gets only normal clips.

    Warns
    -----
    UserWarning
        Issued by `split` if an anomaly is never tested, because every fold trains on normal clips of its group, or if
        there are anomalies but a fold tests none.

    See Also
    --------
    NormalOnly : Meta-estimator that keeps anomalies out of the fit itself.
    normal_only_train_test_split : One split into three parts.

    Notes
    -----
    The value "spread" distributes the anomalies in random order. The seed is the ``random_state`` of `cv` if that is an
    int, else 0. Anomalies of one kind often follow one another, and the random order puts such anomalies into different
    folds. The folds are the same at every call.

    If all clips are normal, or `y` is None, the splits are the splits of `cv`, and no test fold has an anomaly. Use
    this for criteria that need no anomaly.

    The training folds have no anomaly for choosing by labels either. To cross-validate a search by labels, or a
    threshold selected by labels, use ``StratifiedKFold`` as the outer splitter, because its training folds hold
    anomalies. Use this class as the inner splitter, and :class:`NormalOnly` around the pipeline to keep anomalies out
    of the fits.

    A metric that needs both kinds of clip has no training score, because training folds have no anomalies. Pass
    ``return_train_score=False`` to the halving searches. ``learning_curve`` warns, and its training scores are NaN.

    Halving with ``resource="n_samples"`` also takes only a part of each test fold, and this part may have no anomalies.
    Start with enough clips (`min_resources`), or use a parameter as the resource, such as the number of epochs or
    trees.

    ``cross_val_predict`` supports ``predict`` and ``decision_function``, whose thresholds differ between folds. For
    ``score_samples`` use ``cross_validate(..., return_estimator=True, return_indices=True)``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import KFold
    >>> from skaudio_ad import NormalOnlySplit
    >>> y = np.array([1, 1, 1, 1, -1, -1])
    >>> X = np.zeros((6, 1))
    >>> for train, test in NormalOnlySplit(2).split(X, y):
    ...     print(train, test)
    [2 3] [0 1 4 5]
    [0 1] [2 3 4 5]
    >>> for train, test in NormalOnlySplit(KFold(2), anomalies="spread").split(X, y):
    ...     print(train, test)
    [2 3] [0 1 4]
    [0 1] [2 3 5]
    """

    # scikit-learn's way for developers to request metadata: `split` always requests groups.
    __metadata_request__split = {"groups": True}

    def __init__(
        self,
        cv: Any = 5,
        *,
        anomalies: Literal["every", "spread"] = "every",
        group_role: Literal["apart", "strata"] = "apart",
    ) -> None:
        self.cv = cv
        self.anomalies = anomalies
        self.group_role = group_role

    @property
    def random_state(self) -> RandomState:
        """Seed of `cv`. The halving searches read this and `shuffle` to check that all calls give the same splits."""
        return getattr(self.cv, "random_state", 0)

    @property
    def shuffle(self) -> bool:
        """Whether `cv` shuffles."""
        return getattr(self.cv, "shuffle", True)

    def get_n_splits(
        self, X: Clips | None = None, y: Labels | None = None, groups: npt.ArrayLike | None = None
    ) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X : array-like of clips, default=None
            Clips. Pass the parameters that `cv` needs: ``KFold`` needs none, ``LeaveOneOut`` needs the labels, and
            ``LeaveOneGroupOut`` needs the labels and the groups.
        y : array-like of shape (n_clips,), default=None
            1 for normal, -1 for anomalous clips.
        groups : array-like of shape (n_clips,), default=None

        Returns
        -------
        int
        """
        cv, of_all_clips = self._splitter()
        known = next((given for given in (y, X, groups) if given is not None), None)
        if of_all_clips or known is None:
            return cv.get_n_splits()
        return cv.get_n_splits(*self._normal(labels_of(known, y), groups)[1:])

    def split(
        self, X: Clips, y: Labels | None = None, groups: npt.ArrayLike | None = None
    ) -> Iterator[tuple[IntArray, IntArray]]:
        """Generate the splits.

        Parameters
        ----------
        X : array-like of clips
            Only the number of clips is used.
        y : array-like of shape (n_clips,), default=None
            1 for normal, -1 for anomalous clips. None means that all are normal.
        groups : array-like of shape (n_clips,), default=None
            Group of every clip, used as `group_role` says.

        Yields
        ------
        train : ndarray of int
            Positions of normal clips.
        test : ndarray of int
            Positions of normal clips and of anomalies.

        Raises
        ------
        ValueError
            If a label is neither 1 nor -1, lengths differ, no clip is normal, or `cv` trains on no normal clip.
        """
        check_option(self.anomalies, "anomalies", ("every", "spread"))
        check_option(self.group_role, "group_role", ("apart", "strata"))
        cv, of_all_clips = self._splitter()
        labels = labels_of(X, y)
        check_consistent_length(labels, groups)
        group_of = None if groups is None else column_or_1d(groups)
        normal, *clips = self._normal(labels, group_of)
        if of_all_clips:
            check_consistent_length(labels, getattr(cv, "test_fold", None))  # an attribute of PredefinedSplit
            normal_mask = labels == 1
            folds = [
                (_only(train, normal_mask), _only(test, normal_mask)) for train, test in cv.split(labels)
            ]
        else:
            folds = [(normal[train], normal[test]) for train, test in cv.split(*clips)]
        for index, (train, _) in enumerate(folds):
            if len(train) == 0:
                raise ValueError(f"cv={self.cv!r} leaves no normal clip to train on in fold {index}.")
        keeps_apart = self.group_role == "apart" and (of_all_clips or _looks_at_groups(cv))
        tested = self._distribute(folds, np.flatnonzero(labels == -1), group_of if keeps_apart else None)
        for (train, test), anomalies in zip(folds, tested):
            yield train, np.sort(np.concatenate([test, anomalies]))

    def _splitter(self):
        """Return the splitter, and whether its indices refer to all clips instead of the normal clips."""
        if isinstance(self.cv, Iterator):
            raise ValueError(
                "cv must not be an iterator, because an iterator gives its splits only once. Pass list(cv)."
            )
        of_all_clips = not hasattr(self.cv, "split") or isinstance(self.cv, PredefinedSplit)
        is_number = self.cv is None or isinstance(self.cv, (int, np.integer))
        return check_cv(self.cv), of_all_clips and not is_number

    def _normal(self, y, groups):
        """Return the positions of the normal clips, and X, y and groups for `cv`."""
        normal = np.flatnonzero(y == 1)
        if len(normal) == 0:
            raise ValueError(f"none of the {len(y)} clips is normal (1), so there is no clip to train on.")
        groups = None if groups is None else column_or_1d(groups)[normal]
        if self.group_role == "strata":
            if groups is None:
                raise ValueError(
                    'group_role="strata" needs groups, the stratum of every clip. Pass groups to split.'
                )
            return normal, np.zeros((len(normal), 1)), groups, None
        return normal, np.zeros((len(normal), 1)), y[normal], groups

    def _distribute(self, folds, anomalies, groups):
        """Return the positions of the anomalies that each fold tests. `groups` may exclude folds."""
        allowed = np.ones((len(folds), len(anomalies)), dtype=bool)
        if groups is not None:
            for row, (train, _) in zip(allowed, folds):
                row[:] = ~np.isin(groups[anomalies], groups[train])
        never = np.flatnonzero(~allowed.any(axis=0))
        if len(never):
            warnings.warn(
                f"{len(never)} of {len(anomalies)} anomalies are never tested, because every fold trains on normal "
                f"clips of their groups. The first is of the group {groups[anomalies].tolist()[never[0]]!r}. "
                "GroupKFold leaves out every group once.",
                stacklevel=3,
            )
        if self.anomalies == "spread":
            allowed = _one_fold_each(allowed, self.random_state)
        without = np.flatnonzero(~allowed.any(axis=1))
        if len(anomalies) and len(without):
            way_out = 'anomalies="every"' if groups is None else "other groups"
            warnings.warn(
                f"the folds {without.tolist()} of {len(folds)} have no anomaly to test ({len(anomalies)} anomalies "
                f"in all). A metric that needs both kinds of clip fails in these folds. Use fewer folds, or {way_out}.",
                stacklevel=3,
            )
        return [anomalies[row] for row in allowed]


def n_clips_of(X):
    """Return the number of clips in X."""
    if hasattr(X, "shape"):
        return X.shape[0]
    return len(X if hasattr(X, "__len__") else np.asarray(X))


def labels_of(X, y):
    """Return 1 or -1 for every clip of X. y=None means that all clips are normal."""
    if y is None:
        return np.ones(n_clips_of(X), dtype=np.int64)
    y = as_labels(y, name="y")
    check_consistent_length(X, y)
    return y


def _only(positions, keep):
    positions = np.asarray(positions)
    positions = np.flatnonzero(positions) if positions.dtype.kind == "b" else positions.astype(int)
    return positions[keep[positions]]


def _looks_at_groups(cv):
    """Return whether `cv` uses groups. scikit-learn's other splitters warn that they ignore groups."""
    knows = hasattr(cv, "get_metadata_routing")
    return not knows or bool(get_routing_for_object(cv).consumes("split", ["groups"]))


def _one_fold_each(allowed, seed):
    """Choose one fold per anomaly: among the allowed folds the one with the fewest anomalies so far."""
    chosen = np.zeros_like(allowed)
    rng = np.random.default_rng(seed if isinstance(seed, (int, np.integer)) else 0)
    for anomaly in rng.permutation(allowed.shape[1]):
        folds = np.flatnonzero(allowed[:, anomaly])
        if len(folds):
            chosen[folds[np.argmin(chosen[folds].sum(axis=1))], anomaly] = True
    return chosen
