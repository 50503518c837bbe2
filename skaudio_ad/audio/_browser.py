"""Encode sounds and spectrograms for a web browser: a sound file and a PNG picture, as bytes."""

import io
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from PIL import Image

from .._checks import check_number, check_option

# Media type of every format. All current browsers play mp3 and wav, and all but old ones play flac.
_MEDIA_TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac"}
# Names of the subtypes of soundfile. 16 bits are enough, because a sound has a peak of -1 dBFS.
_SUBTYPES = {"mp3": "MPEG_LAYER_III", "wav": "PCM_16", "flac": "PCM_16"}
# Sample rates that an mp3 can have, in hertz.
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
# Lowest and highest sample rate that all current browsers play, in hertz (Web Audio: 8000 to 96000 at least).
_LOWEST_RATE, _HIGHEST_RATE = 8000, 48000
# Peak of an encoded sound, in dBFS. The decoder of an mp3 overshoots the original by a few tenths of a decibel.
PEAK_DB = -1.0


def check_format(format: str) -> None:
    """Raise unless a sound can be encoded in this format.

    Parameters
    ----------
    format : str

    Raises
    ------
    ValueError
        If the format is unknown, or the installed libsndfile cannot write it.
    """
    check_option(format, "audio_format", tuple(_MEDIA_TYPES))
    if not soundfile.check_format(format.upper(), _SUBTYPES[format]):
        raise ValueError(
            f"this libsndfile ({soundfile.__libsndfile_version__}) cannot write {format}, which takes version 1.1 or "
            'later. Update the package soundfile, or use audio_format="flac".'
        )


def encode_sound(
    samples: npt.ArrayLike, sample_rate: int, format: str = "mp3"
) -> tuple[bytes, str, float | None]:
    """Encode a waveform as a sound file that browsers play, with a peak of -1 dBFS.

    Quiet recordings are raised to the peak, because many machine sounds are hardly audible as they were recorded.

    Parameters
    ----------
    samples : array-like of shape (n_samples,)
        Finite samples.
    sample_rate : int
        Samples per second, in hertz. A sound is resampled if browsers or the format do not know the rate: mp3 has
        nine rates from 8000 to 48000 Hz, and the other formats get 8000 to 48000 Hz.
    format : {"mp3", "wav", "flac"}, default="mp3"
        "mp3" is the smallest. "wav" and "flac" keep 16 bits of every sample.

    Returns
    -------
    content : bytes
    media_type : str
        Such as "audio/mpeg".
    peak_db : float or None
        Peak of `samples` in dB relative to 1, so that relative levels can be restored. None if all samples are zero.

    Raises
    ------
    ValueError
        If `samples` has another shape, no sample or NaN, or the format cannot be written.
    """
    check_format(format)
    check_number(sample_rate, "sample_rate", low=1, integer=True)
    waveform = np.asarray(samples, dtype=np.float32)
    if waveform.ndim != 1 or not len(waveform):
        raise ValueError(
            f"samples must have shape (n_samples,) with one sample or more, got {waveform.shape}."
        )
    if not np.isfinite(waveform).all():
        raise ValueError("samples must be finite, got NaN or infinity. Mend the recording.")
    rate = _playable_rate(sample_rate, format)
    loudest = float(np.abs(waveform).max())
    if loudest:
        waveform = waveform / loudest  # before resampling, so that samples of 1e30 do not overflow
    if rate != sample_rate:
        resampled = soxr.resample(waveform, sample_rate, rate, quality="HQ")
        waveform = resampled if len(resampled) else waveform[:1]  # a few samples may become none
        waveform = waveform / max(1.0, float(np.abs(waveform).max()))
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", samplerate=rate, channels=1, format=format.upper(), subtype=_SUBTYPES[format]
    ) as sound:
        sound.write(waveform * np.float32(10 ** (PEAK_DB / 20)))
    return file.getvalue(), _MEDIA_TYPES[format], 20 * math.log10(loudest) if loudest else None


def _playable_rate(sample_rate, format):
    """Return the lowest rate of the format that keeps the bandwidth, or else the highest rate."""
    if format != "mp3":
        return min(max(sample_rate, _LOWEST_RATE), _HIGHEST_RATE)
    return next((rate for rate in _MP3_RATES if rate >= sample_rate), _MP3_RATES[-1])


def spectrogram_png(levels_db: npt.ArrayLike, low_db: float, high_db: float) -> bytes:
    """Draw a spectrogram as a PNG picture with one pixel a value, lowest frequency at the bottom.

    Parameters
    ----------
    levels_db : array-like of shape (n_bands, n_frames)
        Levels in dB, lowest band first.
    low_db, high_db : float
        Levels that get the first and the last colour. Levels beyond get the same colours.

    Returns
    -------
    bytes
        Picture of 8 bits a pixel. Pixel value 0 stands for `low_db` and 255 for `high_db`. The palette is "magma",
        which grows lighter with the level, so that colour-blind readers can use the picture.
    """
    levels = np.asarray(levels_db, dtype=np.float64)
    span = max(high_db - low_db, 1e-9)
    pixels = np.clip(np.rint((levels - low_db) / span * 255), 0, 255).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(pixels[::-1]))
    picture.putpalette(_palette())
    return _png(picture)


def overlay_png(strength: npt.ArrayLike, color: tuple[int, int, int] = (0, 229, 255)) -> bytes:
    """Draw a transparent picture of one colour that is laid over a spectrogram of the same size.

    Parameters
    ----------
    strength : array-like of shape (n_bands, n_frames)
        Opacity from 0 to 1, lowest band first.
    color : tuple of int, default=(0, 229, 255)
        Red, green and blue, 0 to 255. The default is a cyan, which "magma" does not contain.

    Returns
    -------
    bytes
        PNG picture with an alpha channel.
    """
    opacity = np.clip(np.rint(np.asarray(strength, dtype=np.float64) * 255), 0, 255).astype(np.uint8)
    pixels = np.empty((*opacity.shape, 4), dtype=np.uint8)
    pixels[..., :3], pixels[..., 3] = color, opacity
    return _png(Image.fromarray(np.ascontiguousarray(pixels[::-1])))


def _png(picture):
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _palette() -> Any:
    import matplotlib as mpl

    colors = mpl.colormaps["magma"](np.arange(256))[:, :3]
    return np.rint(colors * 255).astype(np.uint8).tobytes()
