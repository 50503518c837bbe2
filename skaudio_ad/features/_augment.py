"""`Augmenter`: variations of the training clips."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from .._checks import check_number, check_option
from .._input_checks import check_features
from .._lazy import LazySequence, collect
from .._output import TableOutputMixin, bin_names
from .._typing import Clips, RandomState
from ..audio import AudioClips, as_clips
from ._variations import VariedClips

_EITHER = ("time_shift", "time_roll", "mixup")
_WAVEFORMS = ("noise", "pitch_shift")
_SPECTROGRAMS = ("time_mask", "frequency_mask")


class Augmenter(TableOutputMixin, BaseEstimator):
    """Augment training clips: `fit_transform` varies clips, `transform` returns clips unchanged.

    In a `Pipeline`, ``fit`` calls `fit_transform`, and all other methods call `transform`. So the clips that a
    detector scores are never augmented. The input is waveforms (2-D arrays, lists of 1-D arrays, `AudioClips`)
    or spectrograms (3-D arrays, lists of 2-D arrays).

    Parameters
    ----------
    methods : str or tuple of str, default="time_roll"
        Variations, applied in this order.

        - For both kinds of input: "time_shift" (the clip moves, and silence fills the gap), "time_roll" (the clip
          moves, and its end comes in at its start), "mixup" (the clip is blended with another clip).
        - For waveforms: "noise", "pitch_shift".
        - For spectrograms: "time_mask", "frequency_mask" (a stripe is set to the mean of the clip).

    max_shift : float, default=0.5
        Maximum shift of "time_shift" and "time_roll", as a fraction of the clip.

    snr : tuple of float, default=(10.0, 30.0)
        Range of the signal-to-noise ratio of "noise", in dB. The noise is white.

    max_semitones : float, default=1.0
        Maximum shift of "pitch_shift", up or down, in semitones.

    max_mask : float, default=0.1
        Maximum width of a masked stripe, as a fraction of the frames or bins.

    mixup_alpha : float, default=0.2
        Parameter alpha of "mixup" (Zhang et al. 2018). With w drawn from Beta(alpha, alpha), the weight of the other
        clip is the smaller of w and 1 - w.

    n_copies : int, default=0
        0 replaces every clip by one variation. k > 0 keeps the clips and appends k variations of each clip, which
        makes a small training set larger. Labels passed to `fit` are not repeated.

    sample_rate : int, default=16000
        Samples per second, in hertz. Only "pitch_shift" of plain arrays uses this rate.

    random_state : int, RandomState instance or None, default=None
        Seed of the variations.

    Notes
    -----
    The default variations are small and not tuned on any data set. A variation must still sound normal, and only
    the user can judge whether it does. For example, a pitch shift that makes a fan sound like a faster fan may hide a
    fault.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import Augmenter
    >>> X = np.arange(8.0).reshape(1, 8)
    >>> augmenter = Augmenter("time_roll", random_state=0)
    >>> augmenter.fit_transform(X).tolist()
    [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 0.0]]
    >>> augmenter.transform(X).tolist()
    [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]]
    """

    def __init__(
        self,
        methods: str | Sequence[str] = "time_roll",
        *,
        max_shift: float = 0.5,
        snr: tuple[float, float] = (10.0, 30.0),
        max_semitones: float = 1.0,
        max_mask: float = 0.1,
        mixup_alpha: float = 0.2,
        n_copies: int = 0,
        sample_rate: int = 16000,
        random_state: RandomState = None,
    ) -> None:
        self.methods = methods
        self.max_shift = max_shift
        self.snr = snr
        self.max_semitones = max_semitones
        self.max_mask = max_mask
        self.mixup_alpha = mixup_alpha
        self.n_copies = n_copies
        self.sample_rate = sample_rate
        self.random_state = random_state

    def fit(self, X: Clips, y: Any = None) -> Self:
        """Check parameters and input. Nothing is learnt.

        Parameters
        ----------
        X : waveforms or spectrograms
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a method is unknown or does not fit the kind of input, or a parameter is out of range.
        """
        self._check(X, reset=True)
        return self

    def transform(self, X: Clips) -> Any:
        """Return X unchanged, because clips to be scored are never augmented.

        Parameters
        ----------
        X : waveforms or spectrograms

        Returns
        -------
        ndarray, list or AudioClips
        """
        return self._check(X, reset=False)

    def fit_transform(self, X: Clips, y: Any = None, **fit_params: Any) -> Any:
        """Return variations of the training clips.

        Parameters
        ----------
        X : waveforms or spectrograms
        y : None
            Ignored.
        **fit_params : dict
            Ignored.

        Returns
        -------
        ndarray, list or AudioClips
            ``n_clips`` or ``n_clips * (1 + n_copies)`` clips. `AudioClips` stay lazy.
        """
        items = self._check(X, reset=True)
        random_state = check_random_state(self.random_state)
        n_varied = len(items) * max(1, self.n_copies)
        # Every clip has its own seed, so that its variation does not depend on the order of computation.
        seeds = random_state.randint(np.iinfo(np.int32).max, size=n_varied)
        sources = np.arange(n_varied) % len(items)
        if self.n_copies:
            sources = np.concatenate([np.arange(len(items)), sources])
            seeds = np.concatenate([np.full(len(items), -1), seeds])
        varied = VariedClips(items, sources, seeds, self._methods(), self.get_params(deep=False))
        if isinstance(items, AudioClips):
            clips = AudioClips(varied, items.sample_rate)
            clips.failures = items.failures
            return clips
        return varied if isinstance(items, LazySequence) else collect(varied)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of the bins of spectrograms, unchanged.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the bins. None means x0, x1, ... where `fit` has seen an array.

        Returns
        -------
        ndarray of str
        """
        if input_features is None:
            return bin_names(getattr(self, "n_features_in_", 0))
        return np.asarray(input_features, dtype=object)

    def _is_table(self, made):
        return False  # 2-D arrays are waveforms

    def _methods(self):
        return (self.methods,) if isinstance(self.methods, str) else tuple(self.methods)

    def _check(self, X, *, reset):
        known = _EITHER + _WAVEFORMS + _SPECTROGRAMS
        for method in self._methods():
            check_option(method, "methods", known)
        check_number(self.max_shift, "max_shift", low=0, high=1)
        check_number(self.max_semitones, "max_semitones", low=0)
        check_number(self.max_mask, "max_mask", low=0, high=1, closed="left")
        check_number(self.mixup_alpha, "mixup_alpha", low=0, closed="neither")
        check_number(self.n_copies, "n_copies", low=0, integer=True)
        if len(self.snr) != 2 or not self.snr[0] <= self.snr[1]:
            raise ValueError(f"snr must be a pair (lowest, highest) in dB, got {self.snr!r}.")
        waveforms = isinstance(X, AudioClips) or not _is_spectrograms(X)
        wrong = set(self._methods()) & set(_SPECTROGRAMS if waveforms else _WAVEFORMS)
        if wrong:
            kind, place = ("waveforms", "after") if waveforms else ("spectrograms", "before")
            raise ValueError(
                f"{', '.join(sorted(wrong))} cannot be applied to {kind}: put the Augmenter {place} MelTransformer."
            )
        if waveforms and isinstance(X, (AudioClips, list, tuple)):
            clips = as_clips(self, X, sample_rate=None, reset=reset)
            return clips if isinstance(X, AudioClips) else [clips[i] for i in range(len(clips))]
        return check_features(self, X, reset=reset)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _is_spectrograms(X):
    if isinstance(X, LazySequence):
        return True
    if isinstance(X, (list, tuple)):
        return len(X) > 0 and np.ndim(X[0]) == 2
    return getattr(X, "ndim", 2) == 3
