"""`ROCThreshold` and `FBetaThreshold`: selectors for those who have anomalies."""

import numpy as np

from .._checks import check_number, check_option
from ._selector import OBSERVED, ThresholdSelector

# The rates where none is given: detections of the GRU autoencoder of machine sounds, false alarms of DCASE Task 2.
_DEFAULT_RATES = {"tpr": 0.8, "fpr": 0.1}


class _LabelledSelector(ThresholdSelector):
    """Chooses among all the thresholds that decide differently about the clips at hand."""

    def fit(self, scores, y=None):
        """Select the threshold.

        Parameters
        ----------
        scores : array-like of shape (n_clips,)
            On the scale of ``score_samples``: higher is more normal. They must come from a detector that was not
            trained on these clips.
        y : array-like of shape (n_clips,)
            1 for normal, -1 for anomalous clips: some of both.

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
        # Only what lies below a threshold is anomalous.
        n_alarms = np.searchsorted(np.sort(normal), thresholds, side="left")
        n_detected = np.searchsorted(np.sort(anomalous), thresholds, side="left")
        best = self._choose(n_alarms, len(normal), n_detected, len(anomalous))
        self.threshold_ = float(thresholds[best])
        self.false_alarm_rate_ = float(n_alarms[best] / len(normal))
        self.detection_rate_ = float(n_detected[best] / len(anomalous))
        self.promise_ = OBSERVED
        self.promise_reason_ = (
            "The rates are those of the clips that the threshold was chosen on, and flatter the threshold."
        )

    def _choose(self, n_alarms, n_normal, n_detected, n_anomalous):
        """Position of the best candidate; both counts rise along the candidates."""
        raise NotImplementedError

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _candidates(scores):
    """Rising thresholds, one for every way to cut the scores in two.

    In the middle between two scores: both kinds get the same margin.
    """
    scores = np.unique(scores)
    lower, upper = scores[:-1], scores[1:]
    middle = lower / 2 + upper / 2
    middle = np.where(middle > lower, middle, upper)  # two neighbouring floats have no middle
    return np.concatenate([scores[:1], middle, [np.nextafter(scores[-1], np.inf)]])


class ROCThreshold(_LabelledSelector):
    """A point of the receiver operating characteristic, the anomaly being the positive class.

    Parameters
    ----------
    criterion : {"closest", "youden", "tpr", "fpr"}, default="closest"
        "closest" is the point at the smallest Euclidean distance to (0, 1), no false alarm and all detected.
        "youden" has the largest difference between detection rate and false-alarm rate [1]_. "tpr" detects the
        fraction `value` of the anomalies, or the next one that can be had above it, with the fewest false alarms.
        "fpr" detects the most with the fraction `value` of false alarms or less.

    value : float, default=None
        The rate, for "tpr" in (0, 1], 0.8 by default, for "fpr" in [0, 1), 0.1 by default. The other criteria take
        none.

    Attributes
    ----------
    threshold_ : float
        On the scale of ``score_samples``: below it a clip is anomalous. Half-way between two scores; the lowest of
        several that are equally good, which raises the fewest false alarms.

    false_alarm_rate_ : float
        Fraction of the normal clips below the threshold.

    detection_rate_ : float
        Fraction of the anomalous clips below the threshold.

    promise_ : str
        "observed": both rates are those of the clips that the threshold was chosen on, and flatter it. Judge it on
        other clips.

    promise_reason_ : str
        Why, in a sentence.

    Notes
    -----
    With few anomalies "tpr" cuts among them, at 0.8 between the fourth and the fifth of five, even where a wide gap
    lies between all of them and the normal clips.

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

    def __init__(self, criterion="closest", *, value=None):
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
        # Of several that are equally good argmin and argmax give the first, which has the fewest false alarms.
        if self.criterion == "closest":
            return np.argmin(
                np.round(false_alarms**2 + (1 - detected) ** 2, 12)
            )  # rounding errors must not part equals
        if self.criterion == "youden":
            return np.argmax(np.round(detected - false_alarms, 12))
        value = _DEFAULT_RATES[self.criterion] if self.value is None else self.value
        if self.criterion == "tpr":
            return np.argmax(detected >= value - 1e-9)
        return np.argmax(np.where(false_alarms <= value + 1e-9, detected, -1.0))


class FBetaThreshold(_LabelledSelector):
    """The threshold with the largest F-beta score, the anomaly being the positive class.

    Parameters
    ----------
    beta : float, default=1.0
        How many times as much recall (the detection rate) counts as precision. 1 is the F1 score, the usual one; 2
        prefers false alarms to missed anomalies.

    Attributes
    ----------
    threshold_ : float
        On the scale of ``score_samples``: below it a clip is anomalous. Half-way between two scores; the lowest of
        several that are equally good, which raises the fewest false alarms.

    fbeta_ : float
        The score that it reaches.

    false_alarm_rate_ : float
        Fraction of the normal clips below the threshold.

    detection_rate_ : float
        Fraction of the anomalous clips below the threshold.

    promise_ : str
        "observed": all of them are those of the clips that the threshold was chosen on, and flatter it. Judge it on
        other clips.

    promise_reason_ : str
        Why, in a sentence.

    Notes
    -----
    Precision, and with it the choice, depends on how many of the clips are anomalous. Where far fewer will be, it
    raises too many false alarms; :class:`ROCThreshold` does not depend on it.

    Examples
    --------
    >>> from skaudio_ad import FBetaThreshold
    >>> selector = FBetaThreshold().fit([1.0, 2.0, 3.0, -1.0, -2.0, 2.5], [1, 1, 1, -1, -1, -1])
    >>> selector.threshold_, selector.fbeta_
    (0.0, 0.8)
    """

    def __init__(self, beta=1.0):
        self.beta = beta

    def _check_parameters(self):
        check_number(self.beta, "beta", low=0, high=np.inf, closed="neither")

    def _choose(self, n_alarms, n_normal, n_detected, n_anomalous):
        weight = self.beta**2
        scores = (1 + weight) * n_detected / (n_detected + n_alarms + weight * n_anomalous)
        best = np.argmax(scores)
        self.fbeta_ = float(scores[best])
        return best
