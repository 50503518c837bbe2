"""Colours, checks and parts of pictures that several displays use."""

import os

import numpy as np

from .._clip_errors import shown
from .._labels import as_labels

# Colours that colour-blind readers can tell apart (Okabe and Ito).
NORMAL, ANOMALOUS, THRESHOLD = "#0072B2", "#D55E00", "#000000"
# Colour of held-out clips.
HELD_OUT = "#009E73"
# Light colour of areas that normal clips fill.
NORMAL_AREA = "#BBD9EC"
# Label of every axis of scores.
SCORE_LABEL = "score (higher is more normal)"
# Colour of clips without a label.
UNKNOWN = "#808080"
# Colour of every curve in a picture of several curves.
CURVES = (NORMAL, ANOMALOUS, HELD_OUT, "#CC79A7", "#E69F00", "#56B4E9")
# Line style of every curve, for readers who see no colours.
CURVE_STYLES = ("-", "--", "-.")
# Marker of every threshold.
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
# Maximum number of bars of a histogram. More bars show no more.
_MAX_BINS = 100
# Maximum range of the colours of levels, in dB.
_RANGE = 80
# Ticks of an axis of rates: round numbers in percent.
_RATE_TICKS = (0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1)


def get_axes(ax, size=None):
    """Return the figure and the axes to draw on. Without `ax` a new figure of `size` inches is made by pyplot."""
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=size, layout="constrained")
    return ax.figure, ax


def get_figure(figure, size):
    """Return the figure to draw on. Without `figure` a new figure of `size` inches is made by pyplot."""
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=size, layout="constrained")
    return figure


def check_labels(y_true, n_clips, name="y_true"):
    """Check labels and return them as an array, or None.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,) or None
    n_clips : int
    name : str, default="y_true"
        Name of the labels in error messages.

    Returns
    -------
    ndarray of shape (n_clips,) or None

    Raises
    ------
    ValueError
        If a label is neither 1 nor -1, or the number of labels differs from the number of clips.
    """
    if y_true is None:
        return None
    y_true = np.asarray(y_true)
    if y_true.shape != (n_clips,):
        raise ValueError(f"{name} must have shape ({n_clips},), one label a clip, got {y_true.shape}.")
    return as_labels(y_true, name=name)


def count(n, thing):
    """Return a number with its noun: "1 clip", "2 clips"."""
    return f"{n} {thing}{'' if n == 1 else 's'}"


def file_name(path):
    """Return the name of a file as a text that matplotlib draws as it is.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    str
        Dollar signs are escaped, because matplotlib reads the text between two of them as a formula. So are control
        characters, and bytes that are no UTF-8, because no font has them.
    """
    return shown(os.path.basename(os.fsdecode(path))).replace("$", r"\$")


def histogram_edges(scores, bins, offset=None):
    """Compute edges as ``numpy.histogram_bin_edges`` does, except that "auto" makes at most 100 bins.

    Without the maximum, one far outlier makes millions of bins. Example: the score of noise by a variational
    autoencoder.

    Parameters
    ----------
    scores : ndarray of shape (n_clips,)
    bins : int or str or array-like
    offset : float or None, default=None
        Threshold. If the threshold is among the scores, the edges are shifted until one of them is the threshold.
        Then no bar holds clips of both decisions. A given array of edges is not shifted.

    Returns
    -------
    ndarray of shape (n_bins + 1,) or (n_bins + 2,)
    """
    if isinstance(bins, str) and bins == "auto":
        # Rule of Freedman and Diaconis.
        width = 2 * np.subtract(*np.quantile(scores, [0.75, 0.25])) / len(scores) ** (1 / 3)
        bins = _MAX_BINS if width > 0 and np.ptp(scores) / width > _MAX_BINS else bins
    edges = np.histogram_bin_edges(scores, bins=bins)
    if offset is None or np.ndim(bins) or not scores.min() < offset <= scores.max():
        return edges
    width = edges[1] - edges[0]
    below = np.arange(np.ceil((offset - scores.min()) / width), 0, -1)
    above = np.arange(1, np.floor((scores.max() - offset) / width) + 2)
    return np.concatenate([offset - below * width, [offset], offset + above * width])


def choose_scale(values):
    """Return "log" if all values are positive and the largest is more than three times the smallest, else "linear"."""
    return "log" if values.min() > 0 and values.max() > 3 * values.min() else "linear"


def label_log_axis(axis):
    """Label more than the powers of ten if an axis is logarithmic and spans less than 2.5 decades.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        Axis with its final limits.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    if axis.get_scale() != "log":
        return
    decades = np.ptp(np.log10(axis.get_view_interval()))
    if decades < 2.5:
        axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7) if decades < 1.2 else (1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())


def scale_rates(axis, limits):
    """Stretch an axis of rates by the square root, with round ticks in percent. A rate of 0 can be drawn.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        Axis whose data coordinates are rates.
    limits : tuple of float
        Lowest and highest rate.
    """
    from matplotlib.ticker import NullLocator

    name = axis.axis_name
    functions = (lambda rate: np.sqrt(np.maximum(rate, 0)), np.square)
    getattr(axis.axes, f"set_{name}scale")("function", functions=functions)
    getattr(axis.axes, f"set_{name}lim")(limits)
    rates = [rate for rate in _RATE_TICKS if limits[0] <= rate <= limits[1]]
    axis.set_ticks(rates, [f"{100 * rate:g}" for rate in rates])
    axis.set_minor_locator(NullLocator())


def round_frequencies(band_centers):
    """Choose the frequencies that label an axis of bands: 1, 2 or 5 times a power of ten, at least a tenth apart.

    Parameters
    ----------
    band_centers : ndarray of shape (n_bins,)
        Centre frequencies of the bins, in hertz and ascending.

    Returns
    -------
    ndarray of shape (n_ticks,)
        Frequencies in hertz. If no round frequency lies among the bands, the lowest and the highest centre.
    """
    lowest, highest = band_centers[0], band_centers[-1]
    candidates = np.array([factor * 10.0**power for power in range(6) for factor in (1, 2, 5)])
    chosen: list[float] = []
    # The highest frequencies come first, because the lowest bands of a mel scale are crowded.
    for frequency in candidates[(candidates >= lowest) & (candidates <= highest)][::-1]:
        position = np.interp(frequency, band_centers, np.arange(len(band_centers)))
        previous = np.interp(chosen[-1:], band_centers, np.arange(len(band_centers)))
        if not len(previous) or previous[0] - position >= 0.1 * (len(band_centers) - 1):
            chosen.append(frequency)
    return np.array(chosen[::-1]) if chosen else np.unique([lowest, highest])


def lowest_level(levels):
    """Return the level that gets the first colour: the lowest level, or 80 dB below the loudest level.

    Parameters
    ----------
    levels : ndarray
        Levels in dB. The quietest levels are an arbitrary floor.

    Returns
    -------
    float
    """
    return max(levels.min(), levels.max() - _RANGE)


def format_band(low, high):
    """Format a frequency band with two digits: "0 to 350 Hz", "1.6 to 4.2 kHz".

    Parameters
    ----------
    low, high : float
        Lowest and highest frequency, in hertz.

    Returns
    -------
    str
    """
    factor, unit = (1000, "kHz") if high >= 995 else (1, "Hz")
    # A lowest band that begins at 8 Hz begins at 0 for a reader.
    low = 0 if low < high / 20 else low
    return " to ".join(f"{float(f'{edge / factor:.2g}'):g}" for edge in (low, high)) + f" {unit}"


def draw_frames(ax, values, frame_times, band_centers, **settings):
    """Draw a spectrogram, or another array with frames along its last axis.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    values : ndarray of shape (n_bins, n_frames)
        Frames of NaN are left blank.
    frame_times : ndarray of shape (n_frames,)
        Middles of the frames, in seconds.
    band_centers : ndarray of shape (n_bins,) or None
        Centre frequencies of the bins, in hertz. None if the bins are not frequencies.
    **settings : dict
        Parameters of ``pcolormesh``.

    Returns
    -------
    matplotlib.collections.QuadMesh
    """
    bins = np.arange(len(values))
    image = ax.pcolormesh(frame_times, bins, np.ma.masked_invalid(values), rasterized=True, **settings)
    if band_centers is None:
        ax.set_ylabel("component")
    else:
        frequencies = round_frequencies(band_centers)
        ax.set_yticks(np.interp(frequencies, band_centers, bins), [f"{each:g}" for each in frequencies])
        ax.set_ylabel("frequency (Hz)")
    return image


def draw_local_scores(ax, times, local_scores, *, offset=None, worst_window=None, in_seconds=True):
    """Draw the local scores of a clip over time, with the threshold and the worst moment.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    times : ndarray of shape (n_windows,)
        Middles of the windows, in seconds or in frames.
    local_scores : ndarray of shape (n_windows,)
    offset : float, default=None
        Threshold of the clip.
    worst_window : int, default=None
        Position of the window to mark. By default the window with the lowest score is marked.
    in_seconds : bool, default=True
        True if `times` are seconds, False if `times` are frames.
    """
    ax.plot(times, local_scores, color=NORMAL, linewidth=1)
    worst = int(np.argmin(local_scores)) if worst_window is None else worst_window
    moment = f"{times[worst]:.2f} s" if in_seconds else f"frame {times[worst]:g}"
    ax.plot(times[worst], local_scores[worst], "v", color=ANOMALOUS, label=f"worst, {moment}")
    if offset is not None:
        ax.axhline(offset, color=THRESHOLD, linestyle="--", label="threshold of the clip")
    ax.set(ylabel="local score")
    ax.margins(y=0.15)  # room for the mark of the worst moment
    # The legend is above the axes, because the mark of the worst moment is at the bottom.
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize="small")
