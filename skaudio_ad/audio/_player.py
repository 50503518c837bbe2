"""Show clips in a notebook: the name, a player and a spectrogram of each, as HTML without other files."""

import base64
import copy
import html
import math
import warnings

import numpy as np

from .._clip_errors import explain, shown
from .._lazy import is_missing
from ._browser import check_format, encode_sound, spectrogram_png

# Maximum number of players, because a saved notebook keeps the sounds.
N_PLAYERS = 4
# Maximum duration of a sound, in seconds.
_LONGEST = 20.0
# Number of rows and maximum number of columns of a spectrogram.
_N_BANDS, _N_COLUMNS = 96, 600
# Duration of a window of the Fourier transform, in seconds.
_WINDOW = 0.064
# Range of levels of a spectrogram, in dB, as in the displays of the package.
_RANGE_DB = 80.0
# Minimum level of the brightest colour, in dB, so that silence is dark.
_QUIETEST_DB = -100.0
# Frequencies that may have a label, in hertz.
_ROUND = (62.5, 125, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000)
# Minimum distance of two labels, as a fraction of the height of a spectrogram.
_LABEL_GAP = 0.12


def show_clips(clips):
    """Return the HTML that a notebook shows for clips.

    Parameters
    ----------
    clips : AudioClips

    Returns
    -------
    str
    """
    n_shown = min(len(clips), N_PLAYERS // clips.n_channels)
    rows = "".join(_show_clip(clips, index) for index in range(n_shown))
    more = ""
    if n_shown < len(clips):
        more = (
            f"<p>These are the first {n_shown} clips. Index the clips to see others: "
            f"<code>clips[{n_shown}:{min(len(clips), 2 * n_shown)}]</code>.</p>"
        )
    return f"<div><p>{html.escape(repr(clips))}</p>{rows}{more}</div>"


def _show_clip(clips, index):
    name = html.escape(shown(clips.name(index)))
    try:
        # The copy has its own list of failures, so that a look at the clips does not count as the warning about a file.
        own = copy.copy(clips)
        own.failures, own._unreadable = {}, set()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            clip, duration = _take_excerpt(own, index)
        if is_missing(clip):
            reason = next(iter(own.failures.values()), "has no samples: it is NaN throughout.")
            return _row(name, "", f"<p>{html.escape(shown(reason))}</p>")
        return _show_samples(name, clip, clips, duration)
    except Exception as error:  # any error: the other clips are shown all the same
        reason = explain(error).removeprefix(f"{clips.name(index)}: ")
        return _row(name, "", f"<p>{html.escape(shown(reason))}</p>")


def _take_excerpt(clips, index):
    """Return the first seconds of a clip, and the duration of the whole clip in seconds or None."""
    part = clips._start(index, _LONGEST)
    if part is None or clips.sample_rate is None:
        clip = clips[index]
        return clip, None if clips.sample_rate is None else clip.shape[-1] / clips.sample_rate
    return part


def _show_samples(name, clip, clips, duration):
    sample_rate = clips.sample_rate
    if sample_rate is None:
        return _row(
            name, f"{clip.shape[-1]} samples", "<p>The sample rate is unknown, so there is no player.</p>"
        )
    n_kept = math.ceil(_LONGEST * sample_rate)
    length = "" if duration is None else f"{duration:.4g} s"
    if duration is None or duration > _LONGEST:
        length = f"first {_LONGEST:g} s" + (f" of {length}" if length else "")
    waveforms = np.atleast_2d(clip)[:, :n_kept]
    names = (
        [""] if len(waveforms) == 1 else [f"channel {index + 1} of {len(waveforms)}" for index in range(2)]
    )
    players = "".join(
        (f"<p>{each}</p>" if each else "") + _player(name, waveform, sample_rate)
        for each, waveform in zip(names, waveforms)
    )
    return _row(name, length, players)


def _row(name, length, content):
    heading = f'<div><b style="overflow-wrap:anywhere">{name}</b> {length}</div>'
    return f'<div style="margin:0.8em 0">{heading}{content}</div>'


def _player(name, waveform, sample_rate):
    sound, media_type, _ = encode_sound(waveform, sample_rate, _format())
    levels, centers = mel_levels(waveform, sample_rate)
    high = max(float(levels.max()), _QUIETEST_DB)
    picture = spectrogram_png(levels, high - _RANGE_DB, high)
    seconds = len(waveform) / sample_rate
    labels = "".join(
        f'<span style="position:absolute;right:0;bottom:{100 * place:.1f}%;transform:translateY(50%)">{text} </span>'
        for place, text in _frequency_labels(centers)
    )
    return (
        f'<audio controls preload="none" style="width:30em;max-width:100%" aria-label="{name}" '
        f'src="{_data_url(sound, media_type)}"></audio>'
        '<div style="display:flex;max-width:34em;font-size:0.8em">'
        f'<div style="position:relative;flex:0 0 4em;height:8em;margin-right:0.3em">{labels}</div>'
        '<div style="flex:1">'
        f'<img alt="Spectrogram of {name}, 0 to {seconds:.3g} s, {centers[0]:.0f} to {centers[-1]:.0f} Hz" '
        f'style="display:block;width:100%;height:8em;margin:0" src="{_data_url(picture, "image/png")}">'
        '<div style="display:flex;justify-content:space-between"><span>0 s</span> '
        f"<span>{seconds:.3g} s</span></div></div></div>"
    )


def _format():
    try:
        check_format("mp3")
    except ValueError:  # an old libsndfile writes no mp3
        return "flac"
    return "mp3"


def _data_url(content, media_type):
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def mel_levels(waveform, sample_rate):
    """Compute a small spectrogram: the mean power of bands of equal width on the mel scale, in dB.

    Parameters
    ----------
    waveform : ndarray of shape (n_samples,)
    sample_rate : int
        Samples per second, in hertz.

    Returns
    -------
    levels : ndarray of shape (n_bands, n_columns)
        Levels in dB relative to a power of 1. The lowest band is first.
    centers : ndarray of shape (n_bands,)
        Middles of the bands, in hertz.
    """
    n_fft = max(16, 2 ** round(math.log2(_WINDOW * sample_rate)))
    n_columns = int(np.clip(2 * len(waveform) // n_fft, 1, _N_COLUMNS))
    padded = np.pad(np.asarray(waveform, dtype=np.float64), n_fft // 2)
    starts = np.linspace(0, len(padded) - n_fft, n_columns).round().astype(int)
    window = np.hanning(n_fft)
    spectrum = np.fft.rfft(padded[starts[:, np.newaxis] + np.arange(n_fft)] * window, axis=1)
    power = np.abs(spectrum) ** 2 / np.sum(window) ** 2
    # Bands as narrow as a bin are exact too, because the power up to any frequency is interpolated between bins.
    total = np.concatenate([np.zeros((n_columns, 1)), np.cumsum(power, axis=1)], axis=1)
    edges = _hertz(np.linspace(0, _mel(sample_rate / 2), _N_BANDS + 1))
    positions = np.clip(edges / (sample_rate / n_fft) + 0.5, 0, power.shape[1])
    below, fraction = np.floor(positions).astype(int), positions % 1
    above = np.minimum(below + 1, power.shape[1])
    up_to = total[:, below] * (1 - fraction) + total[:, above] * fraction
    levels = 10 * np.log10(np.maximum(np.diff(up_to, axis=1) / np.diff(positions), 1e-20))
    return levels.T, (edges[1:] + edges[:-1]) / 2


def _mel(frequency):
    """Mel scale of O'Shaughnessy, "Speech Communication: Human and Machine", 1987."""
    return 2595 * np.log10(1 + frequency / 700)


def _hertz(mel):
    return 700 * (10 ** (mel / 2595) - 1)


def _frequency_labels(centers):
    """Places of round frequencies, as fractions of the height from the bottom, and their texts."""
    labels, lowest = [], _LABEL_GAP / 2
    for frequency in _ROUND:
        place = float(
            np.interp(frequency, centers, (np.arange(len(centers)) + 0.5) / len(centers), left=-1, right=2)
        )
        if lowest <= place <= 1 - _LABEL_GAP / 2:
            labels.append((place, f"{frequency / 1000:g} kHz" if frequency >= 1000 else f"{frequency:g} Hz"))
            lowest = place + _LABEL_GAP
    return labels
