"""Transformers from clips to clips: loading and level normalisation. Both compute clips on access."""

import warnings
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from .._checks import check_number, check_option
from .._clip_errors import ClipError
from .._output import TableOutputMixin, bin_names
from .._typing import Clips, FloatArray, IntArray
from ._as_clips import as_clips, as_pairs, as_paths
from ._channels import Channel, pair_of
from ._clips import AudioClips
from ._decode import check_cut, fit_length
from ._durations import find_durations
from ._open import read_header
from ._rates import describe_lower_rates, find_lower_rates, rates_of, warn_of_mixed_rates

_ON_ERROR = ("raise", "skip")


class _ClipTransformer(TableOutputMixin, BaseEstimator):
    """Stateless transformer of clips: `fit` only checks parameters and input."""

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return an empty array, because clips have samples and no named columns.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str of shape (0,)
            Empty array. ``get_feature_names_out`` of a whole pipeline needs this method.
        """
        return bin_names(0)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


class AudioLoader(_ClipTransformer):
    """Turn paths into `AudioClips`: clips at one sample rate, decoded when a later step needs them.

    The loader decides what happens to files that cannot be used. ``on_error="skip"`` leaves them out, whichever step
    finds the fault: the loader, a transformer or a detector. The ``failures`` of the clips list the files that were
    left out, with the reasons.

    Parameters
    ----------
    sample_rate : int, default=16000
        Samples per second of the clips, in hertz. Files at another rate are resampled (soxr, high quality).
        The default is the rate of the DCASE Task 2 and MIMII recordings.

    duration : float or None, default=None
        Length of the clips, in seconds. Longer recordings are cut. None keeps whole recordings.

    offset : float, default=0.0
        Seconds to skip at the start of every recording.

    channel : "mix", int, "near-far" or pair of int, default="mix"
        "mix" is the mean of all channels, an int the index of one channel. Clips are mono then.

        A pair of indices keeps both channels, for recordings of two microphones: clips have the shape (2, n_samples).
        "near-far" is the pair (0, 1), because in the recordings of DCASE 2026 Task 2 channel 0 is near the machine and
        channel 1 far from it. :class:`LevelNormalizer` and the embeddings take such clips, and
        :class:`ChannelResidual` subtracts the embeddings. A file that lacks one of the channels cannot be used.

        For a pair, arrays have the shape (n_clips, n_channels, n_samples), or X is a list of (n_channels, n_samples_i).
        For "mix" and an int, arrays are mono already.

    pad : {"none", "zeros", "repeat", "reflect"}, default="none"
        How to pad a recording shorter than `duration` at its end: not at all, with silence, with repetitions of
        the recording, or with its mirror image.

    on_error : {"raise", "skip"}, default="raise"
        What to do about a file that cannot be read, or that a later step cannot use, such as a file shorter than the
        window of a detector.

        - "raise" stops with an error that names the file.
        - "skip" warns, adds the file to the ``failures`` of the clips, and puts a clip of NaN in the place of the
          file. Rows stay aligned with the input, and the features of the clip are NaN. Detectors leave the clip out
          of training, give the clip a score of NaN, and never call the clip normal.

        If all clips have one length and are too short for a detector, the detector raises an error in either case.

    Attributes
    ----------
    sample_rates_ : ndarray of shape (n_rates,), int
        Sample rates of the training files in rising order, in hertz, from their headers. Absent where `fit` got no
        paths. `transform` warns about files with a lower rate than all training files, because such files lack the
        upper part of the sound.

    durations_ : ndarray of shape (2,)
        Shortest and longest duration of the training clips, in seconds, after `offset` and `duration`, from the headers
        of the files. Absent where `fit` got no paths, or a header does not tell its duration. Windows of long
        recordings are compared with these durations (:func:`score_recording`).

    See Also
    --------
    skaudio_ad.audio.find_audio_files : List the recordings in a folder.
    skaudio_ad.audio.segment : Cut long recordings into clips of one duration.
    skaudio_ad.audio.AudioClips : Lazy sequence of clips that `transform` returns.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import AudioLoader
    >>> AudioLoader(sample_rate=16000, duration=0.5).fit_transform([np.ones(16000)])[0].shape
    (8000,)
    """

    sample_rates_: IntArray
    durations_: FloatArray

    def __init__(
        self,
        sample_rate: int = 16000,
        *,
        duration: float | None = None,
        offset: float = 0.0,
        channel: Channel = "mix",
        pad: Literal["none", "zeros", "repeat", "reflect"] = "none",
        on_error: Literal["raise", "skip"] = "raise",
    ) -> None:
        self.sample_rate = sample_rate
        self.duration = duration
        self.offset = offset
        self.channel = channel
        self.pad = pad
        self.on_error = on_error

    def fit(self, X: Clips, y: Any = None) -> Self:
        """Check parameters and input, and note the sample rates and durations of files. No file is decoded.

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
        clips = self._load(X, reset=True)
        self.__dict__.pop("sample_rates_", None)
        self.__dict__.pop("durations_", None)
        if clips.paths is not None:
            headers = [read_header(path) for path in clips.paths]
            rates = rates_of(headers)
            warn_of_mixed_rates(clips.paths, rates, self.sample_rate)
            self.sample_rates_ = np.unique(rates[rates > 0])
            # Clips of files that the caller made have a cut of their own, which the loader does not know.
            durations = None if isinstance(X, AudioClips) else find_durations(headers, **self._get_cut())
            if durations is not None:
                self.durations_ = durations
        return self

    def transform(self, X: Clips) -> AudioClips:
        """Return the clips, which are decoded on access.

        Parameters
        ----------
        X : list of paths, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or AudioClips
            Clips. Arrays must be at `sample_rate`.

        Returns
        -------
        AudioClips of length n_clips
        """
        clips = self._load(X, reset=False)
        trained_on = getattr(self, "sample_rates_", ())
        if clips.paths is not None and len(trained_on):
            lower = find_lower_rates(clips.paths, trained_on, self.sample_rate)
            if lower:
                warnings.warn(describe_lower_rates(lower, len(clips), trained_on), stacklevel=2)
        return clips

    def _load(self, X, reset):
        check_number(self.sample_rate, "sample_rate", low=1, integer=True)
        check_cut(offset=self.offset, duration=self.duration, channel=self.channel, pad=self.pad)
        check_option(self.on_error, "on_error", _ON_ERROR)
        cut = self._get_cut()
        paths = as_paths(X) if not isinstance(X, (str, AudioClips)) else None
        if paths is not None:
            return AudioClips(paths, self.sample_rate, channel=self.channel, on_error=self.on_error, **cut)
        if pair_of(self.channel) is None:
            clips = as_clips(self, X, sample_rate=self.sample_rate, reset=reset)
        else:
            clips = as_pairs(self, X, sample_rate=self.sample_rate, channel=self.channel)
        return _cut_clips(clips, **cut)

    def _get_cut(self) -> dict[str, Any]:
        return {"offset": self.offset, "duration": self.duration, "pad": self.pad}


def _cut_clips(clips, *, offset, duration, pad):
    """Cut and pad clips in memory, on access.

    Parameters
    ----------
    clips : AudioClips
    offset : float
        Seconds to skip at the start of every clip.
    duration : float or None
        Seconds to keep. None keeps the whole clip.
    pad : {"none", "zeros", "repeat", "reflect"}

    Returns
    -------
    AudioClips
    """
    if offset == 0 and duration is None:
        return clips
    return clips.map(_FitLength(clips.sample_rate, offset, duration, pad))


class _FitLength:
    """Function of the samples alone: `fit_length` after an offset. A class, because the function must pickle."""

    def __init__(self, sample_rate, offset, duration, pad):
        self.sample_rate, self.offset, self.duration, self.pad = sample_rate, offset, duration, pad

    def __call__(self, samples):
        start = round(self.offset * self.sample_rate)
        n_samples = samples.shape[-1]
        if start >= n_samples:
            raise ClipError(
                f"a clip of {n_samples / self.sample_rate:g} s has nothing left after offset={self.offset:g} s."
            )
        return fit_length(samples[..., start:], self.sample_rate, duration=self.duration, pad=self.pad)


class LevelNormalizer(_ClipTransformer):
    """Scale every clip to the same level, so that detectors cannot use the gain of a recording.

    Every clip is scaled by its own level alone, and nothing is learnt. Silence has no level and stays silence.

    Clips of two channels get one gain for both, from the level of the first channel (near the machine). The ratio of
    the two levels stays, because a subtraction of the channels needs the ratio. The first channel is the same as in a
    pipeline of that channel alone. Where the first channel is silent, the clip stays as it is.

    Parameters
    ----------
    method : {"rms", "peak"}, default="rms"
        Level that becomes equal: the root mean square, or the largest absolute sample.

    target_level : float, default=-20.0
        Level of the result, in dB relative to full scale (an amplitude of 1). The default is the
        alignment level of SMPTE RP 155. Samples beyond full scale are not clipped.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import LevelNormalizer
    >>> quiet = [np.array([0.001, -0.001])]
    >>> LevelNormalizer(method="peak", target_level=0).fit_transform(quiet)[0]
    array([ 1., -1.], dtype=float32)
    """

    def __init__(self, method: Literal["rms", "peak"] = "rms", target_level: float = -20.0) -> None:
        self.method = method
        self.target_level = target_level

    def fit(self, X: Clips, y: Any = None) -> Self:
        """Check parameters and input. Nothing is learnt.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples) or list of 1-D ndarray
            `AudioClips` may have two channels.
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

    def transform(self, X: Clips) -> AudioClips:
        """Return the clips at the target level. The clips are computed on access.

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
        clips = as_clips(self, X, sample_rate=None, reset=reset, pairs=True)
        return clips.map(_Rescale(self.method, 10 ** (self.target_level / 20)))


class _Rescale:
    """Function that scales one clip to an amplitude. A class, because the function must pickle."""

    def __init__(self, method, amplitude):
        self.method, self.amplitude = method, amplitude

    def __call__(self, clip):
        first = clip if clip.ndim == 1 else clip[0]
        # The squares are float64, because the squares of a very quiet clip underflow in float32.
        level = (
            np.sqrt(np.mean(np.square(first, dtype=np.float64)))
            if self.method == "rms"
            else np.abs(first).max()
        )
        return clip if level == 0 else (clip * (self.amplitude / level)).astype(np.float32)
