"""Check recordings for what would spoil a training set: `check_recordings`."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from .._pandas import import_pandas
from .._stream import stream
from .._typing import PathLike
from ..audio import find_audio_files
from ._findings import Finding, find_problems
from ._measure import CheckedRecording, Measure


@dataclass
class RecordingsCheck:
    """Result of :func:`check_recordings`.

    Attributes
    ----------
    recordings : list of CheckedRecording
        Measurements of every recording.
    findings : list of Finding
        Problems, with the files that have them. Empty if no problem was found.
    """

    recordings: list[CheckedRecording]
    findings: list[Finding]

    def rows(self) -> list[dict[str, Any]]:
        """Return the measurements of every recording, and the kinds of its problems, as a list of dicts.

        Returns
        -------
        list of dict
            Attributes of :class:`CheckedRecording`, and ``findings``: kinds of problems, separated by spaces.
        """
        kinds: dict[str, list[str]] = {}
        for finding in self.findings:
            for path in finding.files:
                kinds.setdefault(path, []).append(finding.kind)
        names = [field.name for field in fields(CheckedRecording) if field.name != "fingerprint"]
        return [
            {**{name: getattr(row, name) for name in names}, "findings": " ".join(kinds.get(row.path, []))}
            for row in self.recordings
        ]

    def to_frame(self) -> Any:
        """Return :meth:`rows` as a data frame.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pd = import_pandas("rows()")
        return pd.DataFrame(self.rows())

    def to_dict(self) -> dict[str, Any]:
        """Return the rows and the findings as a dict of numbers, texts and lists.

        Returns
        -------
        dict
            ``{"recordings": [...], "findings": [...]}``.
        """
        return {"recordings": self.rows(), "findings": [asdict(finding) for finding in self.findings]}


def check_recordings(paths: PathLike | Sequence[PathLike]) -> RecordingsCheck:
    """Check recordings for what would spoil a training set.

    Every recording is decoded once, block by block, in up to four threads.

    Parameters
    ----------
    paths : str, path-like, or list of str or path-like
        Recordings. A folder stands for all recordings in the folder.

    Returns
    -------
    RecordingsCheck
        ``findings`` has the following kinds of problems.

        - "unreadable": the file cannot be decoded to its end.
        - "silent": the level is at most -80 dB relative to full scale.
        - "copies": other files hold the same samples.
        - "near copies": the first 10 s of another file are the same sound with another gain, equaliser, format,
          sample rate, or little noise. The fingerprints of the files correlate by 0.9 or more. Excerpts are not found.
        - "sample rates", "channels": the file differs from the majority.
        - "bandwidth": the file has less than 0.7 of the median bandwidth, although its sample rate allows more.
        - "dead channel": one channel is silent and another channel is not. The mean of the channels is then 6 dB
          lower.
        - "clipping": at least one sample in 10 000 lies in a flat top at full scale.
        - "gaps": a stretch of at least 0.1 s has equal samples, such as zeros.
        - "offset": at least 0.1 of the power is a constant. A normalised level is then wrong by 0.5 dB or more.
        - "level": the level differs from the median by more than 20 dB, a factor of ten in amplitude.
        - "duration": the file is shorter than half or longer than twice the median.

    Raises
    ------
    ValueError
        If there are no recordings.
    FileNotFoundError
        If a folder holds no recording.

    Examples
    --------
    >>> from skaudio_ad.datasets import make_machine_sounds
    >>> from skaudio_ad.recordings import check_recordings
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> sounds = make_machine_sounds(3, 0, duration=1.0, output_dir=folder, random_state=0)
    >>> check_recordings(folder).findings
    []
    """
    recordings = list(measure_recordings(expand_folders(paths)))
    return RecordingsCheck(recordings, find_problems(recordings))


def measure_recordings(paths: Sequence[str], *, spectra: bool = True) -> Iterable[CheckedRecording]:
    """Measure recordings one by one, a few at a time in threads.

    Parameters
    ----------
    paths : list of str
    spectra : bool, default=True
        Whether to compute bandwidths and fingerprints, which takes most of the time.

    Yields
    ------
    CheckedRecording
        In the order of `paths`. A recording that cannot be read has an `error`.
    """
    return stream(Measure(spectra), paths)


def expand_folders(paths: PathLike | Iterable[PathLike]) -> list[str]:
    """Replace every folder by its recordings.

    Parameters
    ----------
    paths : str, path-like, or iterable of str or path-like

    Returns
    -------
    list of str
        Every path once, in the given order.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    found: list[str] = []
    for path in given:
        found += find_audio_files(path) if Path(path).is_dir() else [os.fsdecode(path)]
    if not found:
        raise ValueError("there are no recordings to check; name files or folders.")
    return list(dict.fromkeys(found))
