"""Colours, checks and parts of pictures that the displays share."""

import numpy as np
from sklearn.pipeline import Pipeline

from .._labels import as_labels
from ..model_selection import NormalOnly

# Colour-blind safe (Okabe and Ito): normal, anomalous, threshold.
NORMAL, ANOMALOUS, THRESHOLD = "#0072B2", "#D55E00", "#000000"
# One a curve, where several share a picture.
CURVES = (NORMAL, ANOMALOUS, "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# For those who see no colours.
CURVE_STYLES = ("-", "--", "-.")
# One a threshold.
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
# Bars beyond which a histogram shows no more than with so many.
_MOST_BINS = 100


def get_axes(ax, size=None):
    """The figure and the axes to draw on: of a new figure of pyplot, `size` in inches, where none are given."""
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=size, layout="constrained")
    return ax.figure, ax


def get_figure(figure, size):
    """The figure to draw on: a new one of pyplot where none is given."""
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=size, layout="constrained")
    return figure


def unwrap(estimator):
    """The estimator itself, or the one that a search or `NormalOnly` has around it, fitted where that is."""
    while True:
        if isinstance(estimator, NormalOnly):
            estimator = getattr(estimator, "estimator_", estimator.estimator)
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return estimator


def last_step(estimator):
    """The estimator itself, or the last one of the pipeline, which a search or `NormalOnly` may have around it."""
    estimator = unwrap(estimator)
    while isinstance(estimator, Pipeline):
        estimator = unwrap(estimator.steps[-1][1])
    return estimator


def check_labels(y_true, n_clips, name="y_true"):
    """Labels as an array, or None.

    Parameters
    ----------
    y_true : array-like of shape (n_clips,) or None
    n_clips : int
    name : str, default="y_true"
        What to call the labels in a message.

    Returns
    -------
    ndarray of shape (n_clips,) or None

    Raises
    ------
    ValueError
        If there is a label other than 1 and -1, or not one for every clip.
    """
    if y_true is None:
        return None
    y_true = np.asarray(y_true)
    if y_true.shape != (n_clips,):
        raise ValueError(f"{name} must have shape ({n_clips},), one label a clip, got {y_true.shape}.")
    return as_labels(y_true, name=name)


def count(n, thing):
    """The number of things in words: "1 clip", "2 clips"."""
    return f"{n} {thing}{'' if n == 1 else 's'}"


def histogram_edges(scores, bins):
    """As ``numpy.histogram_bin_edges``, but "auto" with 100 bins at most.

    One far outlier would make it millions, as of a variational autoencoder that saw noise.

    Parameters
    ----------
    scores : ndarray of shape (n_clips,)
    bins : int or str or array-like

    Returns
    -------
    ndarray of shape (n_bins + 1,)
    """
    if isinstance(bins, str) and bins == "auto":
        width = (
            2 * np.subtract(*np.quantile(scores, [0.75, 0.25])) / len(scores) ** (1 / 3)
        )  # Freedman, Diaconis
        bins = _MOST_BINS if width > 0 and np.ptp(scores) / width > _MOST_BINS else bins
    return np.histogram_bin_edges(scores, bins=bins)


def choose_scale(values):
    """The scale "log" for positive values, the largest more than three times the smallest, else "linear"."""
    return "log" if values.min() > 0 and values.max() > 3 * values.min() else "linear"


def label_log_axis(axis):
    """Label more than the powers of ten, where an axis is logarithmic and has few decades.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        With its final limits.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    if axis.get_scale() != "log":
        return
    decades = np.ptp(np.log10(axis.get_view_interval()))
    if decades < 2.5:
        axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7) if decades < 1.2 else (1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())


def draw_frames(ax, values, frame_times, band_centers, **settings):
    """Draw a spectrogram, or anything with frames along its last axis.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    values : ndarray of shape (n_bins, n_frames)
        NaN is left blank.
    frame_times : ndarray of shape (n_frames,)
    band_centers : ndarray of shape (n_bins,) or None
        In hertz; None where the bins are no frequencies.
    **settings : dict
        For ``pcolormesh``.

    Returns
    -------
    matplotlib.collections.QuadMesh
    """
    bins = np.arange(len(values))
    image = ax.pcolormesh(frame_times, bins, np.ma.masked_invalid(values), rasterized=True, **settings)
    if band_centers is None:
        ax.set_ylabel("component")
    else:
        ticks = bins[:: max(1, len(bins) // 6)]
        ax.set_yticks(ticks, [f"{band_centers[band]:.0f}" for band in ticks])
        ax.set_ylabel("frequency (Hz)")
    return image


def draw_local_scores(ax, times, local_scores, *, offset=None, worst_window=None, in_seconds=True):
    """Draw a clip's local scores over time, with its threshold and its worst moment.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    times : ndarray of shape (n_windows,)
        In seconds.
    local_scores : ndarray of shape (n_windows,)
    offset : float, default=None
    worst_window : int, default=None
        That of the lowest score by default.
    in_seconds : bool, default=True
        Whether `times` are seconds, or else frames.
    """
    ax.plot(times, local_scores, color=NORMAL, linewidth=1)
    worst = int(np.argmin(local_scores)) if worst_window is None else worst_window
    moment = f"{times[worst]:.2f} s" if in_seconds else f"frame {times[worst]:g}"
    ax.plot(times[worst], local_scores[worst], "v", color=ANOMALOUS, label=f"worst, {moment}")
    if offset is not None:
        ax.axhline(offset, color=THRESHOLD, linestyle="--", label="threshold of the clip")
    ax.set(ylabel="local score")
    ax.margins(y=0.15)  # the mark of the worst moment is not cut off
    # Above the axes: the worst moment is at the bottom, wherever it is.
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize="small")
