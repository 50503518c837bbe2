"""`ExchangeabilityMartingale`: test online whether sounds still come from the source of the calibration scores."""

import hashlib
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state

from .._checks import check_number
from .._typing import RandomState
from ._selector import check_scores

# Number of bits of the fraction of a score that choose its bin. A bin is 1/4096 of the score wide or narrower, and the
# scores within a factor of two have 4096 bins, which bounds the memory.
_FRACTION_BITS = 12
# Stakes of the three bettors, and probability per step that a bettor changes its stake: Vovk et al. (2021).
_STAKES, _JUMP = (-1.0, 0.0, 1.0), 0.01
# Number of decades after which the unit of the capital is changed, so that the capital stays a finite number.
_STEP = 100


class ExchangeabilityMartingale:
    """Bet against the claim that new scores and calibration scores come in random order.

    The martingale grows when the scores drift away from the calibration scores, and when the scores change over time.
    Every new score gets a conformal p-value among the calibration scores and all scores before it. If all scores are
    exchangeable, these p-values are independent and uniform [1]_. Three bettors gamble against this: one bets on low
    p-values, one on high p-values, and one keeps the money (the Simple Jumper [2]_). The capital is a martingale that
    starts at 1. By Ville's inequality, the capital reaches
    ``1 / alpha`` with a probability of at most `alpha`, however
    long the test goes on.

    The Simple Jumper loses slowly while nothing happens, and a change after days would find it without money. Here a
    reserve is handed out over time: after n scores, ``1 / log2(n + 2)`` of the first capital is still kept. Bets that
    begin at different times add up to a martingale that also starts at 1, and the power hardly falls with time.

    Parameters
    ----------
    calibration_scores : array-like of shape (n_calibration,)
        Scores of normal sounds by a detector that was not trained on them, such as those of
        :func:`get_calibration_scores`.
    alpha : float, default=0.01
        Maximum probability of a false alarm, in (0, 1).
    random_state : int, RandomState instance or None, default=0
        Seed of the random numbers that break ties.

    Attributes
    ----------
    is_alarm : bool
        Whether the martingale has reached ``1 / alpha`` since the start or the last :meth:`reset`.
    n_scores : int
        Number of new scores since the start or the last reset.

    Notes
    -----
    **Exchangeable scores.** Windows that overlap share samples, so pass windows that do not overlap. Sounds that vary
    slowly, such as the wind or the load of a machine, break the assumption although nothing is wrong: neighbouring
    scores are then alike. Two things help: calibration scores of hours that cover the variation, and fewer scores, for
    instance one window a minute.

    **Events.** ``update(score, bet=False)`` leaves a score out: nothing is bet, and the score does not count as seen.
    Pass ``bet=False`` while an event goes on, so that a sudden anomaly is no drift. The decision may depend on earlier
    scores, but not on this score. The other scores are then still exchangeable, and the bound holds.

    **Memory.** Scores are counted in fixed bins that are 1/4096 of the score wide or narrower. Scores of one bin are
    ties, which are broken at random, so that the p-values stay exactly uniform. An update takes some microseconds.

    References
    ----------
    .. [1] V. Vovk, I. Nouretdinov and A. Gammerman, "Testing exchangeability on-line", ICML, 2003.
    .. [2] V. Vovk, I. Petej, I. Nouretdinov, E. Ahlberg, L. Carlsson and A. Gammerman, "Retrain or not retrain:
       conformal test martingales for change-point detection", COPA, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad.thresholds import ExchangeabilityMartingale
    >>> rng = np.random.default_rng(0)
    >>> test = ExchangeabilityMartingale(rng.normal(size=500))
    >>> for score in rng.normal(size=1000):
    ...     value = test.update(score)
    >>> test.is_alarm
    False
    >>> for score in rng.normal(-1, size=200):
    ...     value = test.update(score)
    >>> test.is_alarm
    True
    """

    is_alarm: bool

    def __init__(
        self, calibration_scores: npt.ArrayLike, *, alpha: float = 0.01, random_state: RandomState = 0
    ) -> None:
        check_number(alpha, "alpha", low=0, high=1, closed="neither")
        scores = check_scores(calibration_scores, missing=False)
        self.alpha = alpha
        seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
        self._random = np.random.Generator(np.random.PCG64(seed))
        self._calibration = np.unique(_bins(scores), return_counts=True)
        self.reset()

    @property
    def n_calibration(self) -> int:
        """Number of calibration scores."""
        return int(self._calibration[1].sum())

    @property
    def value(self) -> float:
        """Logarithm of the martingale to the base 10. An alarm begins at ``-log10(alpha)``."""
        kept = _reserve(self.n_scores) * 10.0**-self._exponent
        return self._exponent + math.log10(sum(self._capital) + kept)

    def update(self, score: float, bet: bool = True) -> float:
        """Take the next score.

        Parameters
        ----------
        score : float
            Score of a window that does not overlap with the window before. NaN is left out.
        bet : bool, default=True
            False leaves the score out. Decide this before the score is known.

        Returns
        -------
        float
            :attr:`value` after the bet.
        """
        if bet and not math.isnan(score):
            self._bet(self._p_value(int(_bins(np.array([score]))[0])))
        value = self.value
        self.is_alarm = self.is_alarm or value >= -math.log10(self.alpha)
        return value

    def reset(self, calibration_scores: npt.ArrayLike | None = None) -> None:
        """Begin again with a capital of 1, and forget the new scores and the alarm.

        Call this method when the cause of a drift is known: with scores of the new normal state, or after the old state
        has come back.

        Parameters
        ----------
        calibration_scores : array-like of shape (n_calibration,) or None, default=None
            None keeps the calibration scores.
        """
        if calibration_scores is not None:
            scores = check_scores(calibration_scores, missing=False)
            self._calibration = np.unique(_bins(scores), return_counts=True)
        self._keys, self._counts = (part.copy() for part in self._calibration)
        self.n_scores, self.is_alarm = 0, False
        self._capital, self._exponent = [0.0, 0.0, 0.0], 0

    def get_state(self) -> dict[str, Any]:
        """Return the state as values that JSON can hold.

        Returns
        -------
        dict
        """
        return {
            "calibration": self._digest(),
            "n_scores": self.n_scores,
            "is_alarm": self.is_alarm,
            "keys": self._keys.tolist(),
            "counts": self._counts.tolist(),
            "capital": list(self._capital),
            "exponent": self._exponent,
            "random": self._random.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from the state of another martingale with the same calibration scores.

        Parameters
        ----------
        state : dict
            From :meth:`get_state`, also through JSON.

        Raises
        ------
        ValueError
            If the state is no such dict, or belongs to other calibration scores.
        """
        try:
            keys, counts = np.array(state["keys"], np.int64), np.array(state["counts"], np.int64)
            capital = [float(own) for own in state["capital"]]
            n_scores, is_alarm, exponent = (
                int(state["n_scores"]),
                bool(state["is_alarm"]),
                int(state["exponent"]),
            )
            random = np.random.PCG64(0)
            random.state = state["random"]
            belongs = state["calibration"] == self._digest()
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"the state is no state of an ExchangeabilityMartingale ({error!r}); start without it."
            ) from error
        if not belongs:
            raise ValueError("the state belongs to other calibration scores; start without it.")
        if len(capital) != 3 or keys.shape != counts.shape or counts.sum() != self.n_calibration + n_scores:
            raise ValueError("the state of the martingale is damaged; start without it.")
        self._keys, self._counts, self._capital, self._exponent = keys, counts, capital, exponent
        self.n_scores, self.is_alarm, self._random = n_scores, is_alarm, np.random.Generator(random)

    def _p_value(self, key):
        """Count the score, and return its smoothed p-value among all scores so far."""
        place = int(np.searchsorted(self._keys, key))
        if place < len(self._keys) and self._keys[place] == key:
            self._counts[place] += 1
        else:
            self._keys = np.insert(self._keys, place, key)
            self._counts = np.insert(self._counts, place, 1)
        self.n_scores += 1
        below = self._counts[:place].sum() + self._random.random() * self._counts[place]
        return float(below / (self.n_calibration + self.n_scores))

    def _bet(self, p_value):
        handed_out = (_reserve(self.n_scores - 1) - _reserve(self.n_scores)) * 10.0**-self._exponent
        capital = [own + handed_out / 3 for own in self._capital]
        jumped = _JUMP / 3 * sum(capital)
        capital = [
            ((1 - _JUMP) * own + jumped) * (1 + stake * (p_value - 0.5))
            for own, stake in zip(capital, _STAKES)
        ]
        if sum(capital) > 10.0**_STEP:
            capital, self._exponent = [own / 10.0**_STEP for own in capital], self._exponent + _STEP
        elif sum(capital) < 1 and self._exponent > 0:
            capital, self._exponent = [own * 10.0**_STEP for own in capital], self._exponent - _STEP
        self._capital = capital

    def _digest(self):
        return hashlib.sha256(b"".join(part.tobytes() for part in self._calibration)).hexdigest()[:16]


def _reserve(n_scores):
    """Share of the first capital that is still kept after a number of scores."""
    return 1 / math.log2(n_scores + 2)


def _bins(scores: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the bins of scores as integers in the order of the scores. The bins do not depend on other scores."""
    with np.errstate(over="ignore"):  # a score beyond float32 counts as infinite
        bits = scores.astype(np.float32).view(np.uint32).astype(np.int64)
    magnitude = (bits & 0x7FFFFFFF) >> (23 - _FRACTION_BITS)
    return np.where(bits >> 31, -magnitude, magnitude)
