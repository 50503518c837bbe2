"""`ROCThreshold` and `FBetaThreshold`: selectors that use labelled anomalies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from .._checks import check_number, check_option
from .._typing import Labels
from ._selector import OBSERVED, ThresholdSelector

if TYPE_CHECKING:
    from typing import Self

Criterion = Literal["closest", "youden", "tpr", "fpr"]

# Default rates. The detection rate is that of the GRU autoencoder of machine sounds, the false-alarm rate that of DCASE
# Task 2.
_DEFAULT_RATES = {"tpr": 0.8, "fpr": 0.1}


class _LabelledSelector(ThresholdSelector):
    """Base of selectors that choose among all thresholds with different decisions about the clips at hand."""

    def fit(self, scores: npt.ArrayLike, y: Labels | None = None) -> Self:
        """Select the threshold.

        Parameters
        ----------
        scores : array-like of shape (n_clips,)
            On the scale of ``score_samples``: higher is more normal. They must come from a detector that was not
            trained on these clips.
        y : array-like of shape (n_clips,)
            1 for normal, -1 for anomalous clips. Both kinds are needed.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, a score is NaN or infinite, or y lacks one kind of clips.
        """
        return super().fit(scores, y)

    def _select(self, normal, anomalous):
        if not len(anomalous):
            raise ValueError(
                f"{type(self).__name__} needs anomalous clips: pass y with -1 for them. Without any, "
                "ConformalThreshold selects on normal clips alone."
            )
        thresholds = _candidates(np.concatenate([normal, anomalous]))
        # A clip is anomalous only below the threshold.
        n_alarms = np.searchsorted(np.sort(normal), thresholds, side="left")
        n_detected = np.searchsorted(np.sort(anomalous), thresholds, side="left")
        best = self._choose(n_alarms, len(normal), n_detected, len(anomalous))
        self.threshold_ = float(thresholds[best])
        self.false_alarm_rate_ = float(n_alarms[best] / len(normal))
        self.detection_rate_ = float(n_detected[best] / len(anomalous))
        self.promise_ = OBSERVED
        self.promise_reason_ = (
            "The rates were observed on the clips that the threshold was chosen on, so they are too good."
        )

    def _choose(self, n_alarms, n_normal, n_detected, n_anomalous):
        """Position of the best candidate. Both counts increase along the candidates."""
        raise NotImplementedError

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _candidates(scores):
    """Increasing thresholds, one for every way to cut the sorted scores in two.

    A threshold lies in the middle between two scores, so that both kinds of clips get the same margin.
    """
    scores = np.unique(scores)
    lower, upper = scores[:-1], scores[1:]
    middle = lower / 2 + upper / 2
    middle = np.where(middle > lower, middle, upper)  # two neighbouring floats have no middle
    return np.concatenate([scores[:1], middle, [np.nextafter(scores[-1], np.inf)]])


class ROCThreshold(_LabelledSelector):
    """A threshold at a point of the receiver operating characteristic. Anomalies are the positive class.

    Parameters
    ----------
    criterion : {"closest", "youden", "tpr", "fpr"}, default="closest"
        Criterion of the best point.

        - "closest": smallest Euclidean distance to (0, 1), where no alarm is false and all anomalies are detected.
        - "youden": largest difference between detection rate and false-alarm rate [1]_.
        - "tpr": fewest false alarms with a detection rate of at least `value`.
        - "fpr": highest detection rate with a false-alarm rate of at most `value`.

    value : float, default=None
        Rate for the criteria "tpr" and "fpr". For "tpr" in (0, 1], 0.8 by default. For "fpr" in [0, 1), 0.1 by default.
        The other criteria take no value.

    Attributes
    ----------
    threshold_ : float
        On the scale of ``score_samples``. A clip with a lower score is anomalous. The threshold is half-way
        between two scores. Of several equally good thresholds it is the lowest, which raises the fewest false alarms.

    false_alarm_rate_ : float
        Fraction of the normal clips below the threshold.

    detection_rate_ : float
        Fraction of the anomalous clips below the threshold.

    promise_ : str
        "observed": both rates come from the clips that the threshold was chosen on, so they are too good. Measure the
        rates on other clips.

    promise_reason_ : str
        The reason for ``promise_``, in a sentence.

    Notes
    -----
    With few anomalies, "tpr" places the threshold among the anomalies even if a wide gap lies between all anomalies
    and the normal clips. With five anomalies and a rate of 0.8 the threshold lies between the fourth and the fifth.

    References
    ----------
    .. [1] W. J. Youden, "Index for rating diagnostic tests", Cancer, 1950.

    Examples
    --------
    >>> from skaudio_ad import ROCThreshold
    >>> selector = ROCThreshold().fit([1.0, 2.0, 3.0, -1.0, -2.0, 2.5], [1, 1, 1, -1, -1, -1])
    >>> selector.threshold_, selector.false_alarm_rate_
    (0.0, 0.0)
    """

    detection_rate_: float

    def __init__(self, criterion: Criterion = "closest", *, value: float | None = None) -> None:
        self.criterion = criterion
        self.value = value

    def _check_parameters(self):
        check_option(self.criterion, "criterion", ("closest", "youden", "tpr", "fpr"))
        if self.criterion in _DEFAULT_RATES:
            closed = "right" if self.criterion == "tpr" else "left"
            check_number(self.value, "value", low=0, high=1, closed=closed, none=True)
        elif self.value is not None:
            raise ValueError(
                f'value is the rate of criterion="tpr" or "fpr"; criterion={self.criterion!r} takes none, got '
                f"{self.value!r}."
            )

    def _choose(self, n_alarms, n_normal, n_detected, n_anomalous):
        false_alarms, detected = n_alarms / n_normal, n_detected / n_anomalous
        # Of equally good candidates argmin and argmax give the first, which has the fewest false alarms.
        if self.criterion == "closest":
            return np.argmin(
                np.round(false_alarms**2 + (1 - detected) ** 2, 12)
            )  # rounding errors must not separate equal values
        if self.criterion == "youden":
            return np.argmax(np.round(detected - false_alarms, 12))
        value = _DEFAULT_RATES[self.criterion] if self.value is None else self.value
        if self.criterion == "tpr":
            return np.argmax(detected >= value - 1e-9)
        return np.argmax(np.where(false_alarms <= value + 1e-9, detected, -1.0))


class FBetaThreshold(_LabelledSelector):
    """The threshold with the largest F-beta score. Anomalies are the positive class.

    Parameters
    ----------
    beta : float, default=1.0
        Weight of recall (the detection rate) relative to precision. 1 is the usual F1 score. 2 accepts more false
        alarms to miss fewer anomalies.

    Attributes
    ----------
    threshold_ : float
        On the scale of ``score_samples``. A clip with a lower score is anomalous. The threshold is half-way
        between two scores. Of several equally good thresholds it is the lowest, which raises the fewest false alarms.

    fbeta_ : float
        F-beta score of the threshold on the clips of `fit`.

    false_alarm_rate_ : float
        Fraction of the normal clips below the threshold.

    detection_rate_ : float
        Fraction of the anomalous clips below the threshold.

    promise_ : str
        "observed": all rates come from the clips that the threshold was chosen on, so they are too good. Measure the
        rates on other clips.

    promise_reason_ : str
        The reason for ``promise_``, in a sentence.

    Notes
    -----
    Precision depends on the fraction of anomalous clips, and therefore the threshold does too. If far fewer of the new
    clips are anomalous, the threshold raises too many false alarms. :class:`ROCThreshold` does not depend on this
    fraction.

    Examples
    --------
    >>> from skaudio_ad import FBetaThreshold
    >>> selector = FBetaThreshold().fit([1.0, 2.0, 3.0, -1.0, -2.0, 2.5], [1, 1, 1, -1, -1, -1])
    >>> selector.threshold_, selector.fbeta_
    (0.0, 0.8)
    """

    fbeta_: float
    detection_rate_: float

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = beta

    def _check_parameters(self):
        check_number(self.beta, "beta", low=0, high=np.inf, closed="neither")

    def _choose(self, n_alarms, n_normal, n_detected, n_anomalous):
        weight = self.beta**2
        scores = (1 + weight) * n_detected / (n_detected + n_alarms + weight * n_anomalous)
        best = np.argmax(scores)
        self.fbeta_ = float(scores[best])
        return best
