"""Splits of labelled clips in which nothing but normal clips is trained on."""

import warnings
from collections.abc import Iterator

import numpy as np
from sklearn.model_selection import BaseCrossValidator, PredefinedSplit, check_cv
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.metadata_routing import get_routing_for_object

from .._checks import check_option
from .._labels import as_labels


class NormalOnlySplit(BaseCrossValidator):
    """Cross-validation whose training folds hold no anomaly, and whose test folds hold all of them.

    The normal clips are split by `cv`, which never sees the anomalies; these are then added to the test folds. It
    goes wherever scikit-learn takes a `cv`. A search trains its best candidate again on all clips that it was given:
    put :class:`NormalOnly` around the pipeline as well, so that this last fit is without anomalies too.

    Parameters
    ----------
    cv : int, splitter or list of (train, test) index arrays, default=5
        How to split the normal clips. An int is ``KFold`` without shuffling, as everywhere in scikit-learn: right
        where recordings that follow one another are alike. A splitter is given the normal clips alone. A list of
        splits and ``PredefinedSplit``, which were made for all clips, keep their meaning: anomalies are taken out of
        them, and dealt out as below.

    anomalies : {"every", "spread"}, default="every"
        "every" tests every anomaly in every fold, so that each fold has enough of them for a metric. "spread" tests
        every anomaly in one fold, and gives all folds as many as can be: the test folds are then a partition, which
        ``cross_val_predict`` asks for.

    group_role : {"apart", "strata"}, default="apart"
        What the `groups` given to `split` are for. "apart", for ``GroupKFold`` and other splitters that keep
        groups together: recordings of one machine or device are never on both sides. It holds for anomalies too: one
        is tested only where no normal clip of its group is trained on. "strata" hands the groups to `cv` as its
        labels: with ``StratifiedKFold`` every fold has the same mixture of machines. The labels 1 and -1 are no
        strata, since all that is split is normal.

    Warns
    -----
    UserWarning
        From `split`: if an anomaly is never tested because normal clips of its group are trained on in every fold, or
        a fold has no anomaly to test though there are some.

    See Also
    --------
    NormalOnly : Keeps anomalies out of the fit itself.
    normal_only_train_test_split : One split into three parts.

    Notes
    -----
    The order in which "spread" deals out is drawn with the ``random_state`` of `cv` where that is an int, else with 0:
    the anomalies of one kind, which often follow one another, come into different folds, the same ones at every call.

    Where all clips are normal, or `y` is None, which means the same, these are the splits of `cv`, with no anomaly in
    any test fold: for criteria that need none.

    What is fitted gets no anomaly to choose by either. Where a search by labels, or a threshold selected by labels, is
    itself cross-validated, split outside with ``StratifiedKFold``, which hands anomalies on, and inside with this
    class; a :class:`NormalOnly` around the pipeline keeps them out of the fits.

    A training fold without anomalies has no training score in a metric that needs both kinds: give the halving
    searches ``return_train_score=False``; ``learning_curve`` warns, and its training scores are NaN.

    Halving with ``resource="n_samples"`` takes a part of each test fold too, which may be without anomalies: start
    with enough clips (`min_resources`), or let the resource be a parameter, such as the number of epochs or trees.

    ``cross_val_predict`` knows ``predict`` and ``decision_function``, whose threshold is each fold's own. For
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

    # The developer's way to say what a splitter asks of metadata routing: groups, wherever they are passed.
    __metadata_request__split = {"groups": True}

    def __init__(self, cv=5, *, anomalies="every", group_role="apart"):
        self.cv = cv
        self.anomalies = anomalies
        self.group_role = group_role

    @property
    def random_state(self):
        """Of `cv`: by this and `shuffle` the halving searches tell whether two calls give the same splits."""
        return getattr(self.cv, "random_state", 0)

    @property
    def shuffle(self):
        """Of `cv`."""
        return getattr(self.cv, "shuffle", True)

    def get_n_splits(self, X=None, y=None, groups=None):
        """Number of splits.

        Parameters
        ----------
        X : array-like of clips, default=None
            What `cv` needs of these three: ``KFold`` nothing, ``LeaveOneOut`` the labels, ``LeaveOneGroupOut`` the
            labels and the groups.
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

    def split(self, X, y=None, groups=None):
        """Generate the splits.

        Parameters
        ----------
        X : array-like of clips
            Only their number counts.
        y : array-like of shape (n_clips,), default=None
            1 for normal, -1 for anomalous clips. None means that all are normal.
        groups : array-like of shape (n_clips,), default=None
            For `group_role`.

        Yields
        ------
        train : ndarray of int
            Positions of normal clips.
        test : ndarray of int
            Positions of normal clips, and of anomalies.

        Raises
        ------
        ValueError
            If a label is neither 1 nor -1, lengths differ, no clip is normal, or `cv` trains on no normal clip.
        """
        check_option(self.anomalies, "anomalies", ("every", "spread"))
        check_option(self.group_role, "group_role", ("apart", "strata"))
        cv, of_all_clips = self._splitter()
        y = labels_of(X, y)
        check_consistent_length(y, groups)
        groups = None if groups is None else column_or_1d(groups)
        normal, *clips = self._normal(y, groups)
        if of_all_clips:
            check_consistent_length(y, getattr(cv, "test_fold", None))  # of PredefinedSplit
            folds = [(_only(train, y == 1), _only(test, y == 1)) for train, test in cv.split(y)]
        else:
            folds = [(normal[train], normal[test]) for train, test in cv.split(*clips)]
        for index, (train, _) in enumerate(folds):
            if len(train) == 0:
                raise ValueError(f"cv={self.cv!r} leaves no normal clip to train on in fold {index}.")
        keeps_apart = self.group_role == "apart" and (of_all_clips or _looks_at_groups(cv))
        tested = self._deal(folds, np.flatnonzero(y == -1), groups if keeps_apart else None)
        for (train, test), anomalies in zip(folds, tested):
            yield train, np.sort(np.concatenate([test, anomalies]))

    def _splitter(self):
        """The splitter of the normal clips, and whether its indices are those of all clips instead."""
        if isinstance(self.cv, Iterator):
            raise ValueError("cv is an iterator, which gives its splits only once: pass list(cv).")
        of_all_clips = not hasattr(self.cv, "split") or isinstance(self.cv, PredefinedSplit)
        is_number = self.cv is None or isinstance(self.cv, (int, np.integer))
        return check_cv(self.cv), of_all_clips and not is_number

    def _normal(self, y, groups):
        """Positions of the normal clips, and what `cv` gets in place of X, y and groups."""
        normal = np.flatnonzero(y == 1)
        if len(normal) == 0:
            raise ValueError(f"none of the {len(y)} clips is normal (1): there is nothing to train on.")
        groups = None if groups is None else column_or_1d(groups)[normal]
        if self.group_role == "strata":
            if groups is None:
                raise ValueError('group_role="strata" needs groups, the label of every clip to stratify by.')
            return normal, np.zeros((len(normal), 1)), groups, None
        return normal, np.zeros((len(normal), 1)), y[normal], groups

    def _deal(self, folds, anomalies, groups):
        """Positions of the anomalies that each fold tests, where `groups` allows it."""
        allowed = np.ones((len(folds), len(anomalies)), dtype=bool)
        if groups is not None:
            for row, (train, _) in zip(allowed, folds):
                row[:] = ~np.isin(groups[anomalies], groups[train])
        never = np.flatnonzero(~allowed.any(axis=0))
        if len(never):
            warnings.warn(
                f"{len(never)} of {len(anomalies)} anomalies are never tested, the first of the group "
                f"{groups[anomalies].tolist()[never[0]]!r}: every fold trains on normal clips of their groups. "
                "GroupKFold leaves out every group once.",
                stacklevel=3,
            )
        if self.anomalies == "spread":
            allowed = _one_fold_each(allowed, self.random_state)
        without = np.flatnonzero(~allowed.any(axis=1))
        if len(anomalies) and len(without):
            way_out = 'anomalies="every"' if groups is None else "other groups"
            warnings.warn(
                f"the folds {without.tolist()} of {len(folds)} have no anomaly to test, of {len(anomalies)} in all: "
                f"a metric that needs both kinds fails there. Use fewer folds, or {way_out}.",
                stacklevel=3,
            )
        return [anomalies[row] for row in allowed]


def n_clips_of(X):
    """Number of clips in whatever holds some."""
    if hasattr(X, "shape"):
        return X.shape[0]
    return len(X if hasattr(X, "__len__") else np.asarray(X))


def labels_of(X, y):
    """1 and -1 for every clip of X; y=None means that all are normal."""
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
    """Whether `cv` looks at groups at all: scikit-learn's others warn that they ignore them."""
    knows = hasattr(cv, "get_metadata_routing")
    return not knows or bool(get_routing_for_object(cv).consumes("split", ["groups"]))


def _one_fold_each(allowed, seed):
    """Of the folds that may test an anomaly, the one that has the fewest so far."""
    chosen = np.zeros_like(allowed)
    rng = np.random.default_rng(seed if isinstance(seed, (int, np.integer)) else 0)
    for anomaly in rng.permutation(allowed.shape[1]):
        folds = np.flatnonzero(allowed[:, anomaly])
        if len(folds):
            chosen[folds[np.argmin(chosen[folds].sum(axis=1))], anomaly] = True
    return chosen
