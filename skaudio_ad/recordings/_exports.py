"""Write moments and events for editors of sounds: Audacity label tracks, and a selection table of Raven."""

import math
import os
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from .._atomic import atomic_path
from .._clip_errors import shown
from .._file_names import file_names
from .._media_fragments import split_fragment
from .._typing import PathLike
from ..audio import read_audio
from ..audio._open import read_duration, read_sample_rate
from ._moments import Moment, find_moments
from ._scored import ScoredRecording
from ._timeline import RecordingTimeline

_RAVEN_COLUMNS = (
    "Selection",
    "View",
    "Channel",
    "Begin Time (s)",
    "End Time (s)",
    "Low Freq (Hz)",
    "High Freq (Hz)",
    "Begin Path",
    "File Offset (s)",
    "Score",
)
# Unicode categories of characters that may end a cell or a line: controls, line separators, paragraph separators.
_LINE_CONTROLS = ("Cc", "Zl", "Zp")


class FoundMoments(NamedTuple):
    """Moments of one recording, with times in seconds from the start of the file."""

    path: str
    moments: list[Moment]


def write_audacity_labels(
    folder: PathLike, recordings: Iterable[ScoredRecording | RecordingTimeline]
) -> list[Path]:
    """Write a label track for Audacity for every anomalous recording.

    To use a label track, open the recording in Audacity, and choose File > Import > Labels.

    Parameters
    ----------
    folder : str or path-like
        Folder for the label tracks. The folder is made if it does not exist.
    recordings : iterable of ScoredRecording or RecordingTimeline
        Result of :func:`score_recordings`, or timelines of :func:`score_recording`, whose moments are their events.
        Only the moments are kept in memory.

    Returns
    -------
    list of pathlib.Path
        Paths of the label tracks, text files with the names of the recordings. Unprintable characters of a name become
        ``_``, and recordings with equal names are numbered. A recording without moments gets no label track.

    Raises
    ------
    OSError
        If a file cannot be written.
    AudioReadError
        If a moment spans a whole recording that cannot be read.

    Notes
    -----
    A line holds the start and the end in seconds and a text, with tabs between them. A second line holds the lowest and
    the highest frequency in hertz, if the detector tells the frequencies [1]_. Times count from the start of the file.

    References
    ----------
    .. [1] Audacity manual, "Importing and exporting labels",
       https://manual.audacityteam.org/man/importing_and_exporting_labels.html
    """
    return write_label_tracks(folder, [moments_in_file(recording) for recording in recordings])


def write_raven_selections(path: PathLike, recordings: Iterable[ScoredRecording | RecordingTimeline]) -> None:
    """Write a selection table for Raven with the moments of all anomalous recordings.

    To see the moments, open the table in Raven with File > Open Selection Table. Raven then opens the recordings too.

    Parameters
    ----------
    path : str or path-like
        Text file to write. An older file is replaced.
    recordings : iterable of ScoredRecording or RecordingTimeline
        Result of :func:`score_recordings`, or timelines of :func:`score_recording`, whose moments are their events.
        Only the moments are kept in memory.

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If the path of an anomalous recording has a tab, a line break or a byte that is not UTF-8.
    AudioReadError
        If an anomalous recording cannot be read.

    Notes
    -----
    Columns are separated by tabs. "Begin Time (s)" and "End Time (s)" count from the start of the first recording of
    the table, as if the recordings of the table followed each other. "File Offset (s)" counts from the start of the
    recording that "Begin Path" names. The packages Rraven [1]_ and BirdNET-Analyzer [2]_ write tables of several
    recordings in the same form. Where the detector does not tell frequencies, a selection spans all frequencies of the
    file.

    References
    ----------
    .. [1] M. Araya-Salas, "Rraven: connecting R and Raven bioacoustic software", function ``exp_raven``,
       https://rdrr.io/cran/Rraven/man/exp_raven.html
    .. [2] S. Kahl et al., BirdNET-Analyzer, combined selection table,
       https://github.com/kahst/BirdNET-Analyzer
    """
    write_selection_table(path, [moments_in_file(recording) for recording in recordings])


def moments_in_file(recording):
    """Find the moments of a recording, with times in seconds from the start of the file.

    Parameters
    ----------
    recording : ScoredRecording or RecordingTimeline
        The moments of a timeline are its events. A recording that is a segment of a file counts as a part of this file.

    Returns
    -------
    FoundMoments
    """
    file, start, end = split_fragment(recording.path)
    if isinstance(recording, RecordingTimeline):  # its times count from the start of the file
        return FoundMoments(
            file, [Moment(e.start, e.end, e.score, e.low_hz, e.high_hz) for e in recording.events]
        )
    first = recording.start + start
    moments = [
        replace(
            moment,
            start=moment.start + first,
            end=end if end is not None and math.isnan(moment.end) else moment.end + first,
        )
        for moment in find_moments(recording)
    ]
    return FoundMoments(file, moments)


def _by_file(found):
    """Gather the moments of the segments of one file."""
    gathered: dict[str, list[Moment]] = {}
    for path, moments in found:
        gathered.setdefault(path, []).extend(moments)
    return list(gathered.items())


def write_label_tracks(folder, found):
    """Write label tracks.

    Parameters
    ----------
    folder : path-like
    found : list of FoundMoments

    Returns
    -------
    list of pathlib.Path
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    found = _by_file(found)
    names = file_names([path for path, _ in found], ".txt")
    written = []
    for path, moments in found:
        if moments:
            lines = [_label(moment, _end(path, moment)) for moment in moments]
            _write(folder / names[path], lines)
            written.append(folder / names[path])
    return written


def _label(moment, end):
    label = f"{moment.start:.6f}\t{end:.6f}\tanomalous, score {moment.score:.4g}"
    if moment.low_hz is None or moment.high_hz is None:
        return label
    return f"{label}\n\\\t{moment.low_hz:.6f}\t{moment.high_hz:.6f}"


def write_selection_table(path, found):
    """Write a selection table.

    Parameters
    ----------
    path : path-like
    found : list of FoundMoments
    """
    found = [(name, moments) for name, moments in _by_file(found) if moments]
    for name, _ in found:
        check_raven_path(name)
    lines, before = ["\t".join(_RAVEN_COLUMNS)], 0.0
    for name, moments in found:
        # Decoding a file without a readable header raises an error that names the file and the reason.
        rate = read_sample_rate(name) or read_audio(name)[1]
        for moment in moments:
            low = 0.0 if moment.low_hz is None else moment.low_hz
            high = rate / 2 if moment.high_hz is None else moment.high_hz
            begin, end = before + moment.start, before + _end(name, moment)
            numbers = f"{begin:.6f}\t{end:.6f}\t{low:.3f}\t{high:.3f}"
            place = f"{os.path.abspath(name)}\t{moment.start:.6f}"
            lines.append(f"{len(lines)}\tSpectrogram 1\t1\t{numbers}\t{place}\t{moment.score:.6g}")
        before += _file_duration(name)
    _write(path, lines)


def check_raven_path(path):
    """Raise unless a selection table can hold the path.

    Parameters
    ----------
    path : str

    Raises
    ------
    ValueError
    """
    absolute = os.path.abspath(path)
    try:
        absolute.encode("utf-8")
        is_text = not any(unicodedata.category(char) in _LINE_CONTROLS for char in absolute)
    except UnicodeEncodeError:
        is_text = False
    if not is_text:
        raise ValueError(
            f"{shown(path)}: its path has a tab, a line break or another character that a selection table of Raven "
            "cannot hold. Rename the file or its folder."
        )


def _end(path, moment):
    """End of a moment in the file. A header that does not tell the duration leaves the end unknown."""
    return _file_duration(path) if math.isnan(moment.end) else moment.end


def _file_duration(path):
    duration = read_duration(path)
    if duration is None:
        samples, rate = read_audio(path)
        duration = len(samples) / rate
    return duration


def _write(path, lines):
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        file.writelines(f"{line}\n" for line in lines)
