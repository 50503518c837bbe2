"""Compare the measurements of recordings and find what would spoil a training set."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from .._clip_errors import shown
from ._measure import SILENCE, CheckedRecording

# Minimum correlation of the fingerprints of near copies. Among 1874 different recordings of MIMII, HLS-CMDS, PhysioNet
# 2016 and ESC-10, compared within their set, one pair of ESC-10 correlated by more than 0.9. Most copies as MP3 or Ogg
# correlated by 0.96 or more. A few Ogg copies, most of them at 4 kHz, correlated by 0.83 to 0.9 and are not found.
_NEAR = 0.9
# Number of files that the description of a problem names.
_SHOWN = 3
# Number of fingerprints that are compared at once with all others.
_ROWS = 512
# Minimum share of clipped samples that is a problem.
_CLIPPED = 1e-4
# Minimum share of the power that is a constant and a problem: 0.1 of the power is 0.5 dB.
_OFFSET = 0.1
# Maximum difference from the median level in dB, maximum ratio to the median duration, and minimum ratio to the median
# bandwidth.
_LEVEL, _DURATION, _BANDWIDTH = 20.0, 2.0, 0.7
# Maximum share of half the sample rate at which a bandwidth counts as limited by more than the sample rate.
_LIMITED = 0.9


@dataclass
class Finding:
    """A problem and the recordings that have it.

    Attributes
    ----------
    kind : str
        Name of the problem, such as "copies".
    message : str
        What was found, in a sentence.
    advice : str
        How to fix the problem, in a sentence.
    files : dict of str to str
        Details for every recording, by path.
    """

    kind: str
    message: str
    advice: str
    files: dict[str, str]

    def describe(self) -> str:
        """Describe the problem in one line, with the first files that have it.

        Returns
        -------
        str
        """
        names = [f"{shown(path)} ({shown(detail)})" for path, detail in list(self.files.items())[:_SHOWN]]
        more = f" and {len(self.files) - _SHOWN} more" if len(self.files) > _SHOWN else ""
        return f"{self.kind}: {self.message} {', '.join(names)}{more}. {self.advice}"


def find_problems(recordings: list[CheckedRecording]) -> list[Finding]:
    """Find all kinds of problems in measured recordings.

    Parameters
    ----------
    recordings : list of CheckedRecording

    Returns
    -------
    list of Finding
        Kinds of problems that at least one recording has, the most serious ones first.
    """
    readable = [row for row in recordings if not row.error]
    unreadable = _finding(
        "unreadable",
        {row.path: row.error for row in recordings if row.error},
        "the file cannot be decoded to its end",
        "Restore, convert or remove the file.",
        len(recordings),
    )
    found = [unreadable, *find_cheap_problems(readable)]
    loud = [row for row in readable if not row.is_silent]
    if loud:
        found += [_near_copies(loud), _narrow(loud), *_single_problems(loud), *_outliers(loud)]
    return [finding for finding in found if finding is not None]


def find_cheap_problems(recordings: list[CheckedRecording]) -> list[Finding]:
    """Find silence, copies and mixed sample rates, which need no spectra.

    Parameters
    ----------
    recordings : list of CheckedRecording
        Recordings that could be read.

    Returns
    -------
    list of Finding
    """
    silent = _finding(
        "silent",
        {row.path: _decibels(row.level) for row in recordings if row.is_silent},
        f"the level is at most {SILENCE:.0f} dB",
        "Remove the file.",
        len(recordings),
    )
    rates = _minority(
        "sample rates",
        recordings,
        lambda row: row.sample_rate,
        "sample rate",
        "Hz",
        "A lower rate lacks the upper part of the sound. Record all files at one rate, or train one detector for each "
        "rate.",
    )
    found = [silent, _copies([row for row in recordings if not row.is_silent]), rates]
    return [finding for finding in found if finding is not None]


def _finding(kind, files, clause, advice, total):
    if not files:
        return None
    return Finding(kind, f"{len(files)} of {total} recordings: {clause}.", advice, files)


def _copies(rows):
    groups = defaultdict(list)
    for row in rows:
        groups[row.digest, row.sample_rate].append(row.path)
    return _finding(
        "copies",
        {
            path: "listed more than once" if path == group[0] else f"same samples as {group[0]}"
            for group in groups.values()
            for path in group[1:]
        },
        "the samples equal those of another recording",
        "Remove the copies, because a clip is too normal for a detector that knows the copy, and the threshold becomes "
        "wrong.",
        len(rows),
    )


def _near_copies(rows):
    compared = [row for row in rows if row.fingerprint is not None]
    first: dict[str, str] = {}
    for i, j in _similar_pairs([row.fingerprint for row in compared]):
        if compared[i].digest != compared[j].digest:
            first.setdefault(compared[j].path, compared[i].path)
    return _finding(
        "near copies",
        {path: f"sounds like {other}" for path, other in first.items()},
        "the sound is nearly that of another recording",
        "Listen to the pairs, and keep one recording of each pair, or put both into one group (fit --groups-from).",
        len(rows),
    )


def _similar_pairs(fingerprints) -> Iterator[tuple[int, int]]:
    """Yield pairs (i, j) with i < j of fingerprints that are similar in their common bands."""
    widths = np.array([made.shape[1] for made in fingerprints])
    kinds = np.unique(widths)
    for position, narrow in enumerate(kinds):
        for wide in kinds[position:]:
            rows, others = np.flatnonzero(widths == narrow), np.flatnonzero(widths == wide)
            left, right = (_normalized(fingerprints, members, narrow) for members in (rows, others))
            for start in range(0, len(rows), _ROWS):
                near = left[start : start + _ROWS] @ right.T >= _NEAR
                for i, j in zip(*np.nonzero(near)):
                    a, b = rows[start + i], others[j]
                    if a < b or (narrow < wide and a != b):
                        yield min(a, b), max(a, b)


def _normalized(fingerprints, members, n_bands):
    values = np.stack([fingerprints[i][:, :n_bands].ravel() for i in members])
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(norms > 0, norms, 1)


def _minority(kind, rows, value: Callable[[CheckedRecording], int], name, unit, advice):
    """Find recordings whose value differs from the value of most recordings."""
    counts = Counter(value(row) for row in rows)
    if len(counts) < 2:
        return None
    ranked = sorted(counts, key=lambda key: (-counts[key], -key))
    text = ", ".join(f"{counts[key]} with {key} {unit}" for key in ranked)
    files = {row.path: f"{value(row)} {unit}" for row in rows if value(row) != ranked[0]}
    return _finding(
        kind, files, f"the {name} differs from that of most recordings ({text})", advice, len(rows)
    )


def _narrow(rows):
    median = float(np.median([row.bandwidth for row in rows]))
    files = {
        row.path: f"{row.bandwidth:.0f} Hz at a sample rate of {row.sample_rate} Hz"
        for row in rows
        if row.bandwidth < min(_BANDWIDTH * median, _LIMITED * row.sample_rate / 2)
    }
    return _finding(
        "bandwidth",
        files,
        f"the bandwidth is less than {_BANDWIDTH} of the median ({median:.0f} Hz), and the sample rate allows more",
        "The file comes from another recorder, codec or sample rate. Replace the file, or train another detector on "
        "such files.",
        len(rows),
    )


def _single_problems(rows):
    yield _minority(
        "channels",
        rows,
        lambda row: row.n_channels,
        "number of channels",
        "channel(s)",
        "The mean of several channels sounds different from one channel. Convert all files to the same channel.",
    )
    for kind, value, text, clause, advice in _SINGLE:
        files = {row.path: text(row) for row in rows if value(row)}
        yield _finding(kind, files, clause, advice, len(rows))


_SINGLE: tuple[
    tuple[str, Callable[[CheckedRecording], bool], Callable[[CheckedRecording], str], str, str], ...
] = (
    (
        "dead channel",
        lambda row: row.dead_channels > 0,
        lambda row: f"{row.dead_channels} of {row.n_channels} channels",
        "one channel is silent and another one is not",
        "Convert the file to the channel with sound, or take this channel (AudioLoader(channel=...)).",
    ),
    (
        "clipping",
        lambda row: row.clipped >= _CLIPPED,
        lambda row: f"{row.clipped:.2%} of the samples",
        "samples are clipped at full scale",
        "Record again with less gain, because clipping adds harmonics that the sound does not have.",
    ),
    (
        "gaps",
        lambda row: row.gap > 0,
        lambda row: f"{row.gap:.2f} s of {row.duration:.2f} s",
        "a stretch of 0.1 s or more has equal samples",
        "The recorder has lost samples, or the file is padded. Cut the stretch off, or remove the file.",
    ),
    (
        "offset",
        lambda row: row.offset >= _OFFSET,
        lambda row: f"{row.offset:.0%} of the power",
        "a constant offset (direct current) is a large part of the power",
        "Remove the offset with a high-pass filter, because a normalised level counts the offset as sound.",
    ),
)


def _outliers(rows):
    level = float(np.median([row.level for row in rows]))
    duration = float(np.median([row.duration for row in rows]))
    yield _finding(
        "level",
        {row.path: _decibels(row.level) for row in rows if abs(row.level - level) > _LEVEL},
        f"the level differs from the median ({_decibels(level)}) by more than {_LEVEL:.0f} dB",
        "Look for another gain or distance. `fit` normalises the level by default, but quiet files keep their noise.",
        len(rows),
    )
    yield _finding(
        "duration",
        {
            row.path: f"{row.duration:.2f} s"
            for row in rows
            if not duration / _DURATION <= row.duration <= duration * _DURATION
        },
        f"the file is shorter than half or longer than twice the median ({duration:.2f} s)",
        "Cut the recordings to one length (fit --duration, or AudioLoader(duration=...)).",
        len(rows),
    )


def _decibels(level):
    return "digital silence" if level == -np.inf else f"{level:.1f} dB"
