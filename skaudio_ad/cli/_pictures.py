"""Pictures of recordings: the local scores of a short one, and the timeline of a long one."""

from .._atomic import atomic_path
from ..inspection import LocalScoreDisplay, TimelineDisplay
from ._common import describe_error
from ._terminal import say


def try_to_draw(pipeline, recording, path):
    """Draw one recording. An error is printed and not raised, so that the other recordings are drawn.

    Returns
    -------
    bool
        Whether the picture was drawn.
    """
    try:
        draw_recording(pipeline, recording, path)
    except Exception as error:  # any error: a changed file, a full disk, a fault of the drawing
        say(f"Error: {recording.path}: could not be drawn: {describe_error(error)}", err=True)
        return False
    return True


def draw_recording(pipeline, recording, path):
    """Draw the spectrogram and the local scores of one recording into a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    LocalScoreDisplay.from_estimator(pipeline, recording.path, recording=recording, figure=figure)
    save_figure(figure, path)


def save_figure(figure, path):
    """Write a picture atomically: a failed write leaves the old file."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


def draw_timeline(timeline, path):
    """Draw the scores and the events of one long recording into a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    TimelineDisplay.from_timeline(timeline, ax=figure.subplots())
    save_figure(figure, path)
