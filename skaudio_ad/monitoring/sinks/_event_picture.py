"""Draw the spectrogram of an event."""

import io
import math

import numpy as np

from ..._typing import Float32Array
from ...inspection._drawing import ANOMALOUS, draw_frames, format_band
from ...recordings._events import Event
from ...report._excerpt import Excerpt, compute_levels
from ._format import utc

# Size of the picture in inches, and its resolution: 800 x 300 pixels.
_SIZE, _RESOLUTION = (8.0, 3.0), 100


def draw_event(event: Event, samples: Float32Array, sample_rate: int, start: float) -> bytes:
    """Draw the spectrogram of the sound of an event. A bar above the spectrogram marks the event.

    Parameters
    ----------
    event : Event
    samples : ndarray of shape (n_samples, n_channels), float32
        The mean of the channels is drawn.
    sample_rate : int
        In hertz.
    start : float
        Unix time of the first sample.

    Returns
    -------
    bytes
        Picture as PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    mono = samples.mean(axis=1).astype(np.float32)
    duration = len(mono) / sample_rate
    levels = compute_levels(Excerpt(mono, mono, sample_rate, 0.0, duration, ""))
    figure = Figure(
        figsize=_SIZE, dpi=_RESOLUTION, layout="constrained"
    )  # not pyplot, which is for one thread
    FigureCanvasAgg(figure)
    ax = figure.subplots()
    image = draw_frames(
        ax,
        levels.levels_db,
        levels.times,
        levels.centers,
        cmap="magma",
        vmin=levels.low_db,
        vmax=levels.high_db,
        shading="nearest",
    )
    ax.set_xlim(0, duration)
    ax.set_xlabel("time in the file (s). Bar: the event. Triangle: its least normal window.")
    figure.colorbar(image, ax=ax, label="level (dB)", pad=0.01)
    begin, end = max(0.0, event.start - start), min(duration, event.end - start)
    if end > begin:
        across = ax.get_xaxis_transform()
        ax.plot(
            [begin, end],
            [1.03, 1.03],
            transform=across,
            color=ANOMALOUS,
            lw=5,
            clip_on=False,
            solid_capstyle="butt",
        )
        for edge in (begin, end):
            if 0 < edge < duration:
                ax.axvline(edge, color="white", lw=1, ls="--")
    worst = event.worst_time - start
    if 0 <= worst <= duration:
        ax.plot(
            [worst], [1.03], "v", transform=ax.get_xaxis_transform(), color="black", clip_on=False, zorder=5
        )
    ax.set_title(_title(event), fontsize=10, pad=12, loc="left")
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _title(event):
    """Describe the event with numbers only, because no font has every character of every name."""
    parts = [
        f"Event from {(utc(event.start) or '?')[:19].replace('T', ' ')} UTC",
        f"lowest score {event.score:.3g}",
    ]
    if not math.isnan(event.p_value):
        parts.append(f"p = {event.p_value:.2g}")
    if event.low_hz is not None and event.high_hz is not None:
        parts.append(format_band(event.low_hz, event.high_hz))
    return ", ".join(parts)
