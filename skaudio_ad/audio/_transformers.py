"""Transformers from clips to clips: loading and level normalisation. Both are lazy."""

import numpy as np
from sklearn.base import BaseEstimator

from .._checks import check_number, check_option
from .._clip_errors import ClipError
from .._output import TableOutputMixin, bin_names
from ._as_clips import as_clips, as_paths
from ._clips import AudioClips
from ._decode import check_cut, fit_length

_ON_ERROR = ("raise", "skip")


class _ClipTransformer(TableOutputMixin, BaseEstimator):
    """Stateless transformer of clips: `fit` checks, `transform` works."""

    def get_feature_names_out(self, input_features=None):
        """Names of what `transform` returns: none, clips have samples and no columns.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str of shape (0,)
            So that the names of a whole pipeline can be asked for.
        """
        return bin_names(0)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


class AudioLoader(_ClipTransformer):
    """Turn paths into `AudioClips`: mono, at one sample rate, decoded only when a later step asks.

    Parameters
    ----------
    sample_rate : int, default=16000
        Samples per second of the clips, in hertz; files at another rate are resampled (soxr, high
        quality). The default is that of the DCASE Task 2 and MIMII recordings.

    duration : float or None, default=None
        Length of the clips, in seconds: longer recordings are cut. None keeps them whole.

    offset : float, default=0.0
        Seconds to skip at the start of every recording.

    channel : "mix" or int, default="mix"
        The mean of all channels, or the index of one.

    pad : {"none", "zeros", "repeat", "reflect"}, default="none"
        What becomes of a recording shorter than `duration`: left short, or filled up at its end with
        silence, with itself again, or with its mirror image.

    on_error : {"raise", "skip"}, default="raise"
        What to do about a file that cannot be read, or that a later step cannot use, such as one shorter than a
        detector's window. "raise" stops with an error that names it. "skip" warns, notes it in the clips'
        ``failures`` and puts a clip of NaN in its place: rows stay aligned with the input, features of it are
        NaN, and detectors leave it out of training, give it a score of NaN and never call it normal. Clips that
        are all of one length, and all too short for a detector, are an error in either case.

    See Also
    --------
    skaudio_ad.audio.find_audio_files : The recordings in a folder.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import AudioLoader
    >>> AudioLoader(sample_rate=16000, duration=0.5).fit_transform([np.ones(16000)])[0].shape
    (8000,)
    """

    def __init__(
        self, sample_rate=16000, *, duration=None, offset=0.0, channel="mix", pad="none", on_error="raise"
    ):
        self.sample_rate = sample_rate
        self.duration = duration
        self.offset = offset
        self.channel = channel
        self.pad = pad
        self.on_error = on_error

    def fit(self, X, y=None):
        """Check parameters and input; nothing is decoded.

        Parameters
        ----------
        X : list of paths, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or AudioClips
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range or X holds no clips.
        """
        self._load(X, reset=True)
        return self

    def transform(self, X):
        """Return the clips, to be decoded on access.

        Parameters
        ----------
        X : list of paths, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or AudioClips
            Arrays are taken to be at `sample_rate`.

        Returns
        -------
        AudioClips of length n_clips
        """
        return self._load(X, reset=False)

    def _load(self, X, reset):
        check_number(self.sample_rate, "sample_rate", low=1, integer=True)
        check_cut(offset=self.offset, duration=self.duration, channel=self.channel, pad=self.pad)
        check_option(self.on_error, "on_error", _ON_ERROR)
        cut = {"offset": self.offset, "duration": self.duration, "pad": self.pad}
        paths = as_paths(X) if not isinstance(X, (str, AudioClips)) else None
        if paths is not None:
            return AudioClips(paths, self.sample_rate, channel=self.channel, on_error=self.on_error, **cut)
        return _cut_clips(as_clips(self, X, sample_rate=self.sample_rate, reset=reset), **cut)


def _cut_clips(clips, *, offset, duration, pad):
    """Cut and pad clips that are decoded already, lazily.

    Parameters
    ----------
    clips : AudioClips
    offset, duration : float
        In seconds.
    pad : {"none", "zeros", "repeat", "reflect"}

    Returns
    -------
    AudioClips
    """
    if offset == 0 and duration is None:
        return clips
    return clips.map(_FitLength(clips.sample_rate, offset, duration, pad))


class _FitLength:
    """`fit_length` after an offset, as a function of the samples alone, that pickles."""

    def __init__(self, sample_rate, offset, duration, pad):
        self.sample_rate, self.offset, self.duration, self.pad = sample_rate, offset, duration, pad

    def __call__(self, samples):
        start = round(self.offset * self.sample_rate)
        if start >= len(samples):
            raise ClipError(
                f"a clip of {len(samples) / self.sample_rate:g} s has nothing left after offset={self.offset:g} s."
            )
        return fit_length(samples[start:], self.sample_rate, duration=self.duration, pad=self.pad)


class LevelNormalizer(_ClipTransformer):
    """Bring every clip to the same level, so that a recording's gain cannot give it away.

    Each clip is scaled by its own level alone; nothing is learnt. Silence has no level and stays silence.

    Parameters
    ----------
    method : {"rms", "peak"}, default="rms"
        The level that is made equal: root mean square, or the largest absolute sample.

    target_level : float, default=-20.0
        The level of the result, in dB relative to full scale (an amplitude of 1). The default is the
        alignment level of SMPTE RP 155. Samples beyond full scale are kept, not clipped.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import LevelNormalizer
    >>> quiet = [np.array([0.001, -0.001])]
    >>> LevelNormalizer(method="peak", target_level=0).fit_transform(quiet)[0]
    array([ 1., -1.], dtype=float32)
    """

    def __init__(self, method="rms", target_level=-20.0):
        self.method = method
        self.target_level = target_level

    def fit(self, X, y=None):
        """Check parameters and input; nothing is learnt.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples) or list of 1-D ndarray
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range or X holds no clips.
        """
        self._normalize(X, reset=True)
        return self

    def transform(self, X):
        """Return the clips at the target level, computed on access.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples) or list of 1-D ndarray

        Returns
        -------
        AudioClips of length n_clips
        """
        return self._normalize(X, reset=False)

    def _normalize(self, X, reset):
        check_option(self.method, "method", ("rms", "peak"))
        check_number(self.target_level, "target_level")
        clips = as_clips(self, X, sample_rate=None, reset=reset)
        return clips.map(_Rescale(self.method, 10 ** (self.target_level / 20)))


class _Rescale:
    """Scale one clip to an amplitude; a class because it must pickle."""

    def __init__(self, method, amplitude):
        self.method, self.amplitude = method, amplitude

    def __call__(self, clip):
        # float64: the squares of a very quiet clip vanish in float32.
        level = (
            np.sqrt(np.mean(np.square(clip, dtype=np.float64)))
            if self.method == "rms"
            else np.abs(clip).max()
        )
        return clip if level == 0 else (clip * (self.amplitude / level)).astype(np.float32)
