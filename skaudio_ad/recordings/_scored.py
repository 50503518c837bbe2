"""`ScoredRecording`, the score of one recording, and `ScoredRecordings`, an iterator over many."""

import html
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from .._clip_errors import shown
from .._pandas import import_pandas

Decision: TypeAlias = Literal["normal", "anomalous", "error"]

# Columns of the table of scores.
_COLUMNS = ("path", "score", "p_value", "margin", "decision", "worst_time", "error")
# Maximum number of rows that a notebook shows.
_N_SHOWN = 10


@dataclass
class ScoredRecording:
    """What a detector says about one recording.

    Attributes
    ----------
    path : str
    score : float
        Value of `score_samples`: higher is more normal. NaN if the recording could not be scored.
    decision : {"normal", "anomalous", "error"}
    times : ndarray of shape (n_windows,)
        Middles of the windows, in seconds from the start of the part that was scored. Empty if the features have no
        time axis.
    local_scores : ndarray of shape (n_windows,)
        Score of every window, from `score_frames`.
    n_edge : int
        Number of windows at each end that reach into the padding beyond the clip.
    error : str
        Reason why the recording could not be scored, or "".
    margin : float
        Score minus threshold: negative for an anomalous recording. NaN if the recording could not be scored.
    p_value : float
        Conformal p-value: the probability that a normal recording scores as low. NaN if the recording could not be
        scored, or the detector has no calibration scores.
    window_duration : float
        Duration of a window, in seconds: a window begins half this duration before its middle. NaN if there are no
        windows.
    start : float
        Start of the part of the file that was scored, in seconds: the `offset` of the :class:`AudioLoader`.
    duration : float
        Duration of the part of the file that was scored, in seconds, without padding. The value comes from the header
        of the file. NaN if the duration is unknown.
    low_hz, high_hz : float or None
        Lowest and highest frequency of the frequency band that sounds least normal, in hertz. None if the detector does
        not score bands.
    """

    path: str
    score: float = float("nan")
    decision: Decision = "error"
    times: npt.NDArray[np.floating[Any]] = field(default_factory=lambda: np.empty(0))
    local_scores: npt.NDArray[np.floating[Any]] = field(default_factory=lambda: np.empty(0))
    n_edge: int = 0
    error: str = ""
    margin: float = float("nan")
    p_value: float = float("nan")
    window_duration: float = float("nan")
    start: float = 0.0
    duration: float = float("nan")
    low_hz: float | None = None
    high_hz: float | None = None

    @property
    def inner_windows(self) -> slice:
        """Windows that do not reach beyond the clip, or all windows if every window does.

        The padding is the least normal part of a steady sound. The windows beside the windows left out reach the ends
        of the clip too, so every sound is examined.
        """
        n_edge = self.n_edge if 2 * self.n_edge < len(self.times) else 0
        return slice(n_edge, len(self.times) - n_edge)

    @property
    def worst_window(self) -> int | None:
        """Position of the least normal window of `inner_windows`, or None if there are no windows."""
        if not len(self.times):
            return None
        return self.inner_windows.start + int(np.argmin(self.local_scores[self.inner_windows]))

    @property
    def worst_time(self) -> float | None:
        """Time of the least normal window, in seconds, or None if there are no windows."""
        return None if self.worst_window is None else float(self.times[self.worst_window])

    @property
    def local_threshold(self) -> float | None:
        """Threshold of the detector if local scores have the scale of the threshold, else None.

        A score that is pooled from the local scores of the clip lies between the smallest and the largest local score.
        The score of a variational autoencoder that weighs two losses is not pooled, so its threshold has another scale.
        """
        scores = self.local_scores
        rounding = 1e-5 * abs(self.score)  # local scores may be float32
        is_pooled = len(scores) and scores.min() - rounding <= self.score <= scores.max() + rounding
        return self.score - self.margin if is_pooled and math.isfinite(self.margin) else None


class ScoredRecordings(Iterator[ScoredRecording]):
    """Iterator over the scores of recordings. A recording is scored when it is asked for.

    Iteration gives every recording once, and a second loop gives nothing. The iterator keeps the row of every recording
    for the table, and not the local scores. So :meth:`to_frame` returns all recordings, also those that were iterated
    over before.

    Parameters
    ----------
    scored : iterator of ScoredRecording
    n_recordings : int
        Number of all recordings.
    """

    def __init__(self, scored: Iterator[ScoredRecording], n_recordings: int) -> None:
        self._scored = scored
        self._n_recordings = n_recordings
        self._rows: list[tuple[Any, ...]] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ScoredRecording:
        recording = next(self._scored)
        self._rows.append(tuple(getattr(recording, name) for name in _COLUMNS))
        return recording

    def __length_hint__(self) -> int:
        return self._n_recordings - len(self._rows)

    def close(self) -> None:
        """Stop scoring. Recordings that were not asked for are not scored."""
        getattr(self._scored, "close", lambda: None)()

    def to_frame(self) -> Any:
        """Score the rest of the recordings, and return a table of all recordings.

        Iteration gives no more recordings afterwards. The method may be called again and returns an equal table.

        Returns
        -------
        pandas.DataFrame
            One row per recording in the order of the paths, with the columns `path`, `score` (higher is more normal,
            NaN if there is an error), `p_value`, `margin`, `decision` ("normal", "anomalous" or "error"), `worst_time`
            (in seconds, NaN if the detector has no local scores) and `error`.

        Raises
        ------
        ImportError
            If pandas is not installed. No recording is scored then.
        """
        pd = import_pandas()
        for _ in self:
            pass
        table = pd.DataFrame(self._rows, columns=list(_COLUMNS))
        numbers = dict.fromkeys(("score", "p_value", "margin", "worst_time"), "float64")
        return table.astype(numbers)

    def __repr__(self) -> str:
        return f"<ScoredRecordings: {self._summary()}>"

    def _summary(self):
        decisions = [row[_COLUMNS.index("decision")] for row in self._rows]
        counts = ", ".join(f"{decisions.count(name)} {name}" for name in ("normal", "anomalous", "error"))
        return f"{len(self._rows)} of {self._n_recordings} recordings scored: {counts}"

    def _repr_html_(self) -> str:
        """Return a table of the least normal recordings so far. No recording is scored for the table."""
        rows = sorted(self._rows, key=lambda row: (math.isnan(row[1]), row[1]))[:_N_SHOWN]
        head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
        body = "".join(f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>" for row in rows)
        which = f" The {len(rows)} least normal:" if len(rows) < len(self._rows) else ""
        ask = "" if len(self._rows) == self._n_recordings else " to_frame() scores the others."
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if rows else ""
        return f"<p>{self._summary()}.{ask}{which}</p>{table}"


def _cell(value):
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else html.escape(shown(value))
