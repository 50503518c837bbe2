"""Rows of the list of a report, and their order."""

import hashlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._clip_errors import shown, without_advice
from .._csv_text import text_cell, utf8_name
from ..recordings import ScoredRecording
from ..recordings._score import used_duration
from ._keep import ReportedClip


def clip_row(position: int, clip: ReportedClip, label: int | None, mark: str | None) -> dict[str, Any]:
    """Return the row of a recording in the list of the page.

    Parameters
    ----------
    position : int
        Position in the list.
    clip : ReportedClip
    label : int or None
    mark : str or None

    Returns
    -------
    dict
    """
    recording = clip.recording
    return {
        "id": f"clip-{position}",
        "path": shown(recording.path),
        "name": shown(os.path.basename(recording.path)),
        "csv_path": text_cell(utf8_name(recording.path)),
        "label": label,
        "score": recording.score,
        "margin": recording.margin,
        "p_value": recording.p_value,
        "decision": recording.decision,
        "error": shown(without_advice(recording.error)),
        "worst": clip.worst_time,
        "duration": clip.duration,
        "mark": mark,
    }


def rank(recording: ScoredRecording) -> tuple[int, float, str]:
    """Return a key that sorts the least normal recordings first, and errors last.

    Parameters
    ----------
    recording : ScoredRecording

    Returns
    -------
    tuple
    """
    if recording.error:
        return 2, 0.0, recording.path
    # Scores of two machines are on different scales, and margins begin at the threshold of each.
    value = recording.margin if np.isfinite(recording.margin) else recording.score
    return 0, float(value), recording.path


def normal_row(path: str, loader: Any) -> dict[str, Any]:
    """Return the facts of a normal recording for the head of the page.

    Parameters
    ----------
    path : str
    loader : AudioLoader

    Returns
    -------
    dict
    """
    duration = used_duration(path, loader)
    return {"path": shown(path), "name": shown(os.path.basename(path)), "duration": duration}


def page_key(rows: Sequence[dict[str, Any]], summary: dict[str, Any]) -> str:
    """Compute a checksum of the recordings and the detector. Pages with one key share the marks of a listener.

    Parameters
    ----------
    rows : list of dict
        Rows of the list.
    summary : dict

    Returns
    -------
    str
    """
    facts = [sorted(row["csv_path"] for row in rows), summary["detector"], summary["threshold"]]
    return hashlib.sha256(repr(facts).encode("utf-8")).hexdigest()[:16]
