"""Bars for the view in a terminal."""

import itertools
import math
from typing import Any

# Level at the left end of the bar, in dB relative to full scale. The right end is full scale.
_LOWEST_DB = -80.0


class _Bar:
    """Text as wide as its column."""

    def __init__(self, draw):
        self._draw = draw

    def __rich_console__(self, console, options):
        from rich.text import Text

        width = max(4, options.max_width)
        line = Text(no_wrap=True, end="")
        cells = self._draw(width, options.ascii_only)
        for style, run in itertools.groupby(cells, key=lambda cell: cell[1]):
            line.append("".join(text for text, _ in run), style=style)
        yield line

    def __rich_measure__(self, console, options):
        from rich.measure import Measurement

        return Measurement(4, options.max_width)


def level_bar(level_db: float) -> Any:
    """Return a bar for a level, for :mod:`rich`.

    Parameters
    ----------
    level_db : float
        Level in dB relative to full scale.

    Returns
    -------
    object
        Renderable of rich.
    """
    share = 0.0 if math.isnan(level_db) else min(1.0, max(0.0, 1 - level_db / _LOWEST_DB))

    def draw(width, ascii_only):
        n = round(share * width)
        full, rest = (
            ("#", ".")
            if ascii_only
            else ("\N{BOX DRAWINGS HEAVY HORIZONTAL}", "\N{BOX DRAWINGS LIGHT HORIZONTAL}")
        )
        return [(full * n, "green" if level_db < -1 else "red"), (rest * (width - n), "dim")]

    return _Bar(draw)


def score_bar(score: float, raise_level: float, scores: list[float]) -> Any:
    """Return a line with the score and the level that raises an alarm, for :mod:`rich`.

    Parameters
    ----------
    score : float
        Score of the newest window. NaN leaves the score out.
    raise_level : float
        The part of the line below this score is marked.
    scores : list of float
        Last scores. The scale of the line holds these scores.

    Returns
    -------
    object
        Renderable of rich.
    """
    known = [value for value in (*scores, score, raise_level) if math.isfinite(value)]

    def draw(width, ascii_only):
        low, high = (min(known), max(known)) if known else (0.0, 1.0)
        if math.isfinite(raise_level):  # a score far below must not flatten the normal scores
            low = max(low, raise_level - 3 * (high - raise_level or 1.0))
        room = 0.05 * (high - low) or 0.5
        low, high = low - room, high + room

        def place(value):
            return min(width - 1, max(0, round((value - low) / (high - low) * (width - 1))))

        wrong, normal, bar, dot = "=-|o" if ascii_only else "\u2501\u2500\u2502\u25cf"
        at = place(raise_level) if math.isfinite(raise_level) else -1
        cells = [(wrong, "red") if i < at else (normal, "dim") for i in range(width)]
        if at >= 0:
            cells[at] = (bar, "bold")
        if math.isfinite(score):
            cells[place(score)] = (dot, "bold red" if score < raise_level else "bold green")
        return cells

    return _Bar(draw)
