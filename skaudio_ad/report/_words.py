"""Say in words how a clip differs from its nearest normal clips."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

# Number of normal clips below which their range says little.
_FEW = 3


class _Words(NamedTuple):
    """Words for one quality, and the smallest difference that counts.

    Parameters
    ----------
    more, less : str
        Comparatives, such as "louder" and "quieter".
    alike : str
        Positive form, such as "loud".
    decimals : int
        Number of decimals in texts.
    relative : float
        Just noticeable difference as a fraction of the smaller value.
    absolute : float
        Smallest just noticeable difference, in the unit of the quality.
    floor : float
        Value below which no differences are heard, in the unit of the quality.
    """

    more: str
    less: str
    alike: str
    decimals: int
    relative: float
    absolute: float
    floor: float = 0.0


# Just noticeable differences of the qualities.
#
# - Loudness: 1 dB of level, about the just noticeable difference of broadband noise (Fastl and Zwicker,
#   "Psychoacoustics", 2007, chapter 7). 10 dB double the loudness. The smallest difference is an assumption.
# - Sharpness: 0.08 acum (You and Jeon, "Just noticeable differences in sound quality metrics for refrigerator noise",
#   Noise Control Engineering Journal 56, 414, 2008).
# - Roughness: 17 % (Fastl and Zwicker, chapter 11), and 0.04 asper at least (You and Jeon).
# - Brightness and boominess: 10 %, an assumption, because no value for noise is published.
# - Impulsiveness: 1 dB of the adjustment of NT ACOU 112, which is 1.8 (P - 5) dB. The adjustment is 0 for a
#   prominence P of 5 or less.
_QUALITIES = {
    "loudness": _Words("louder", "quieter", "loud", 2, 2**0.1 - 1, 0.05),
    "sharpness": _Words("sharper", "less sharp", "sharp", 2, 0.0, 0.08),
    "roughness": _Words("rougher", "smoother", "rough", 2, 0.17, 0.04),
    "brightness": _Words("brighter", "darker", "bright", 0, 0.1, 20.0),
    "boominess": _Words("boomier", "less boomy", "boomy", 1, 0.1, 0.3),
    "impulsiveness": _Words("more impulsive", "less impulsive", "impulsive", 1, 0.0, 1 / 1.8, 5.0),
}


def describe(
    names: Sequence[str], units: Sequence[str], values: npt.ArrayLike, normal_values: npt.ArrayLike
) -> dict[str, Any]:
    """Say in words how a clip differs from its nearest normal clips.

    A quality stands out if the value lies outside the range of the normal clips, by more than the just noticeable
    difference. The sentence names the qualities that stand out, and begins with the one that is the most just
    noticeable differences away.

    Parameters
    ----------
    names : sequence of str, of length n_qualities
        Names of the qualities, as in ``SoundQualities.names``. Other names get the words "higher" and "lower", and
        10 % is their just noticeable difference.
    units : sequence of str, of length n_qualities
        Units of the qualities. A quality without a unit has an empty string.
    values : array-like of shape (n_qualities,)
        Qualities of the clip. NaN is a quality that is not known.
    normal_values : array-like of shape (n_normals, n_qualities)
        Qualities of the nearest normal clips. NaN is a quality that is not known.

    Returns
    -------
    dict
        - "sentence": str.
        - "qualities": list of a dict for every quality: "name", "unit", "value", "low", "median", "high" (of the normal
          clips) and "text". Numbers that are not known are None.
        - "note": str, what the comparison is worth.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    own = np.asarray(values, dtype=np.float64)
    normals = np.asarray(normal_values, dtype=np.float64)
    if normals.size == 0:
        normals = normals.reshape(0, len(names))
    if any(shape != (len(names),) for shape in ((len(units),), own.shape, normals.shape[1:])):
        raise ValueError(
            f"{len(names)} names need as many units and values, and normal values of shape (n_normals, {len(names)}), "
            f"got {len(units)} units, values of shape {own.shape} and normal values of shape {normals.shape}."
        )
    normals = normals[np.isfinite(normals).any(axis=1)]
    comparisons = [
        _Comparison(name, unit, value, column[np.isfinite(column)])
        for name, unit, value, column in zip(names, units, own, normals.T, strict=True)
    ]
    return {
        "sentence": _sentence(comparisons, len(normals)),
        "qualities": [comparison.row() for comparison in comparisons],
        "note": _note(len(normals)),
    }


class _Comparison:
    """One quality of a clip beside the same quality of normal clips."""

    def __init__(self, name, unit, value, normals):
        self.name, self.unit, self.value, self.normals = name, unit, value, normals
        self.words = _QUALITIES.get(name) or _Words(
            f"higher in {name}", f"lower in {name}", f"high in {name}", 2, 0.1, 0.0
        )
        self.known = math.isfinite(value)
        self.comparable = self.known and len(normals) > 0

    @property
    def steps(self):
        """Number of just noticeable differences above the range of the normal clips, negative below the range."""
        if not self.comparable:
            return 0.0
        value, low, high = np.maximum([self.value, self.normals.min(), self.normals.max()], self.words.floor)
        excess = max(value - high, 0) - max(low - value, 0)
        if excess == 0:
            return 0.0
        smaller = min(value, high) if excess > 0 else min(value, low)
        noticeable = max(self.words.absolute, self.words.relative * smaller)
        return float(excess / noticeable) if noticeable else math.copysign(math.inf, excess)

    @property
    def stands_out(self):
        return abs(self.steps) > 1

    @property
    def comparative(self):
        return self.words.more if self.steps > 0 else self.words.less

    @property
    def figures(self):
        """Value and range, such as "2.10 acum against 1.20 to 1.40"."""
        low, high = self._shown(self.normals.min()), self._shown(self.normals.max())
        spread = low if low == high else f"{low} to {high}"
        return f"{self._with_unit(self.value)} against {spread}"

    def row(self):
        """Return the entry of the quality for the page."""
        low, median, high = np.percentile(self.normals, [0, 50, 100]) if len(self.normals) else [math.nan] * 3
        return {
            "name": self.name,
            "unit": self.unit,
            "value": _finite(self.value),
            "low": _finite(low),
            "median": _finite(median),
            "high": _finite(high),
            "text": self._text(),
        }

    def _text(self):
        if not self.known:
            return "not known"
        if not self.comparable:
            return self._with_unit(self.value)
        normals = _nearest(len(self.normals))
        if self.stands_out:
            return f"{self.comparative} than {normals} ({self.figures})"
        return f"about as {self.words.alike} as {normals} ({self.figures})"

    def _with_unit(self, value):
        return f"{self._shown(value)} {self.unit}".rstrip()

    def _shown(self, value):
        return f"{value:.{self.words.decimals}f}"


def _sentence(comparisons, n_normals):
    if not any(comparison.known for comparison in comparisons):
        return "The qualities of this clip are not known."
    if not any(comparison.comparable for comparison in comparisons):
        return "There is no normal recording to compare this clip with."
    out = sorted((c for c in comparisons if c.stands_out), key=lambda c: -abs(c.steps))
    if not out:
        compared = [c.name for c in comparisons if c.comparable]
        return f"This clip does not differ noticeably from {_nearest(n_normals)} in {_join(compared)}."
    first, *others = out
    phrases = [f"{first.comparative} than {_nearest(n_normals)} ({first.figures})"]
    phrases += [f"{other.comparative} ({other.figures})" for other in others]
    return f"This clip is {_join(phrases)}."


def _note(n_normals):
    if n_normals == 0:
        return ""
    text = (
        "A quality counts as different if the value lies outside the range of the normal recordings by more than a "
        "listener just notices. The detector does not score these qualities, so an anomalous clip may have none that "
        "differs, and a normal clip may have one. Recordings are not calibrated, so the values compare clips of one "
        "set-up."
    )
    if n_normals < _FEW:
        clips = "one normal recording" if n_normals == 1 else f"{n_normals} normal recordings"
        text = f"The range comes from only {clips}, so many normal sounds lie outside the range. {text}"
    return text


def _nearest(n_normals):
    return "its nearest normal recording" if n_normals == 1 else f"its {n_normals} nearest normal recordings"


def _join(phrases):
    """Join phrases to a list in words: "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(phrases[:-1]), phrases[-1]] if len(phrases) > 1 else phrases)


def _finite(value):
    return float(value) if math.isfinite(value) else None
