"""`make_report`: score recordings, and write a page to look at them and to listen to them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._checks import check_number
from .._json import without_nan
from .._stream import stream
from .._typing import Labels, PathLike
from ..audio._browser import check_format
from ..recordings import find_clock
from ..recordings._check import expand_folders
from ..recordings._score import make_scorer
from ..recordings._unwrap import split_pipeline
from ._assets import NO_LOCAL_SCORES, AssetMaker
from ._bands import band_distances
from ._checks import check_labels, check_marks, check_output, distinct_paths
from ._compare import compare_with_normal
from ._excerpt import ExcerptReader
from ._keep import ReportedClip, Track, keep
from ._map import MapMaker
from ._nearest import Space
from ._place import place_assets
from ._rows import clip_row, normal_row, page_key, rank
from ._summary import make_summary
from ._tags import Tagger
from ._write_page import write_page


def make_report(
    detector: BaseEstimator,
    recordings: PathLike | Sequence[PathLike],
    output: PathLike,
    *,
    y: Labels | None = None,
    normal: PathLike | Sequence[PathLike] | None = None,
    machines: Labels | None = None,
    marks: PathLike | Sequence[str | None] | None = None,
    title: str | None = None,
    assets: bool | Literal["auto"] = "auto",
    audio_format: Literal["mp3", "wav", "flac"] = "mp3",
    max_duration: float = 60.0,
    n_nearest: int = 5,
) -> Path:
    """Score recordings, and write a page that shows them, plays them and says where they sound wrong.

    The page needs no network and no program but a browser. The least normal recordings come first.

    Parameters
    ----------
    detector : sklearn.pipeline.Pipeline
        Fitted pipeline, as :func:`~skaudio_ad.recordings.score_recordings` takes it: the pipeline begins with an
        :class:`AudioLoader` and ends in a detector, and may be inside a :class:`ThresholdedDetector`, a
        :class:`NormalOnly` or a search.

    recordings : str, path-like, or list of str or path-like
        Recordings to score. A folder stands for all recordings in the folder.

    output : str or path-like
        Page to write, such as ``report.html``.

    y : array-like of shape (n_recordings,), default=None
        Labels: 1 for normal, -1 for anomalous, 0 for unknown. The page then has an ROC curve.

    normal : str, path-like, or list of str or path-like, default=None
        Normal recordings, best those that the detector was trained on. Every recording is compared with the nearest of
        them: by ear, by the level of its frequency bands, and in words.

    machines : array-like of shape (n_recordings,), default=None
        Machine of every recording, for a :class:`FleetDetector`. None reads the machines from the paths if the
        :class:`DetectorPipeline` says how.

    marks : str, path-like or sequence of {"confirmed", "false alarm", "unsure", None}, default=None
        Marks that the page shows at first: the table that an earlier page has exported, or one mark a recording.
        Without `y` the marks are also the labels.

    title : str, default=None
        Title of the page. None makes one from the number of recordings.

    assets : bool or "auto", default="auto"
        Whether sounds and pictures are put into a folder beside the page, ``NAME_assets``, so that the page stays
        small. False puts everything into the page. "auto" makes a folder if the sounds and pictures are larger than
        100 MB. The page and the folder must be moved together.

    audio_format : {"mp3", "wav", "flac"}, default="mp3"
        Format of the sounds. All browsers play mp3, the smallest one. Sounds have the sample rate of the loader and a
        peak of -1 dBFS.

    max_duration : float, default=60.0
        Maximum duration of a sound and its picture, in seconds. Of a longer recording the page has the part around the
        worst moment. A minute keeps the picture readable: a column of the picture is then 67 ms.

    n_nearest : int, default=5
        Number of nearest normal recordings that a recording is compared with.

    Returns
    -------
    pathlib.Path
        `output`.

    Raises
    ------
    ValueError
        If there are no recordings, a recording is named twice, the detector is no pipeline with an AudioLoader, labels
        or marks do not fit the recordings, or the sounds are too large for one page and `assets` is False.
    TypeError
        If a number has another type.
    OSError
        If the page cannot be written. The error names the file.
    WeightsError
        If the weights of the embedding network are missing or damaged.

    Warns
    -----
    UserWarning
        If a step of the detector warns.

    Notes
    -----
    A recording that cannot be scored is at the end of the page, with the reason. The nearest normal recordings are
    those at the smallest Euclidean distance where the detector compares recordings: after the steps before the last
    detector, averaged over time. Memory stays bounded, because sounds and pictures are written one after the other.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaudio_ad import AudioLoader, MelTransformer, NearestNeighborsDetector, TemporalPooling
    >>> from skaudio_ad.datasets import make_machine_sounds
    >>> from skaudio_ad.report import make_report
    >>> folder = Path(tempfile.mkdtemp())
    >>> sounds = make_machine_sounds(3, 1, duration=1.0, output_dir=folder / "sounds", random_state=0)
    >>> normal = [path for path, label in zip(sounds.paths, sounds.target) if label == 1]
    >>> steps = AudioLoader(), MelTransformer(), TemporalPooling(), NearestNeighborsDetector()
    >>> detector = make_pipeline(*steps).fit(normal)
    >>> page = make_report(detector, sounds.paths, folder / "report.html", normal=normal, y=sounds.target)
    >>> page.name
    'report.html'
    """
    return build_report(
        detector,
        recordings,
        output,
        y=y,
        normal=normal,
        machines=machines,
        marks=marks,
        title=title,
        assets=assets,
        audio_format=audio_format,
        max_duration=max_duration,
        n_nearest=n_nearest,
    ).output


@dataclass
class Report:
    """What a report holds.

    Attributes
    ----------
    output : pathlib.Path
        The page.
    folder : pathlib.Path or None
        Folder of the sounds and pictures. None if they are in the page.
    clips : list of ReportedClip
        In the order of the page.
    """

    output: Path
    folder: Path | None
    clips: list[ReportedClip]


def build_report(
    detector: Any,
    recordings: PathLike | Sequence[PathLike],
    output: PathLike,
    *,
    y: Labels | None = None,
    normal: PathLike | Sequence[PathLike] | None = None,
    machines: Labels | None = None,
    marks: PathLike | Sequence[str | None] | None = None,
    title: str | None = None,
    assets: bool | Literal["auto"] = "auto",
    audio_format: str = "mp3",
    max_duration: float = 60.0,
    n_nearest: int = 5,
    track: Track = lambda items, description, total: items,
    notes: Sequence[str] = (),
) -> Report:
    """Make a report, and tell what it holds.

    Parameters
    ----------
    detector, recordings, output, y, normal, machines, marks, title, assets, audio_format, max_duration, n_nearest
        As for :func:`make_report`.
    track : callable
        ``track(iterable, description, total)`` iterates with a progress bar.
    notes : sequence of str, default=()
        More notes for the summary of the page.

    Returns
    -------
    Report
    """
    if not (isinstance(assets, bool) or (isinstance(assets, str) and assets == "auto")):
        raise ValueError(f'assets must be True, False or "auto", got {assets!r}.')
    check_format(audio_format)
    check_number(max_duration, "max_duration", low=0, closed="neither")
    check_number(n_nearest, "n_nearest", low=1, integer=True)
    check_is_fitted(detector)
    page = Path(os.fsdecode(output))
    check_output(page)
    paths = distinct_paths(recordings)
    known_marks = check_marks(marks, paths)
    labels = check_labels(y, known_marks, len(paths))
    normal_paths = [] if normal is None else expand_folders(normal)
    loader, middle, _ = split_pipeline(detector)
    reader = ExcerptReader(loader, middle, max_duration)
    clips = _score(detector, paths, machines, reader, track)
    all_notes = [*notes, *compare_with_normal(detector, clips, normal_paths, n_nearest, track)]
    order = sorted(range(len(clips)), key=lambda i: rank(clips[i].recording))
    clips = [clips[i] for i in order]
    tagger = Tagger(middle)
    maps = MapMaker(loader, middle, find_clock(detector))
    maker = AssetMaker(clips, normal_paths, reader, maps, tagger, audio_format)
    scored = [clip for clip in clips if not clip.recording.error]
    if scored and not any(len(clip.recording.times) for clip in scored):
        all_notes.append(NO_LOCAL_SCORES)
    if tagger.note:
        all_notes.append(tagger.note)
    labels = None if labels is None else labels[order]
    summary = make_summary(detector, [clip.recording for clip in clips], labels, all_notes)
    rows = [
        clip_row(
            position, clip, None if labels is None else int(labels[position]), known_marks[order[position]]
        )
        for position, clip in enumerate(clips)
    ]
    data = {
        "version": 1,
        "title": title or f"{len(clips)} recording{'' if len(clips) == 1 else 's'}",
        "created": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "key": page_key(rows, summary),
        "summary": summary,
        "clips": rows,
        "normals": {
            f"normal-{index}": normal_row(normal_paths[index], loader) for index in maker.shown_normal
        },
    }
    bundles = iter(track(stream(maker, range(len(clips))), "drawing", len(clips)))
    folder, made = place_assets(bundles, maker, page, assets)
    write_page(page, without_nan(data), made, folder=folder)
    return Report(page, folder, clips)


def _score(pipeline, paths, machines, reader, track):
    """Score all recordings, and keep of each what the page shows."""
    found: dict[str, tuple[Any, Any, Any]] = {}
    spaces: dict[int, Space] = {}

    def look(path, detector, features):
        space = spaces.setdefault(id(detector), Space(detector))
        found[path] = detector, space(features), band_distances(space, features)

    score, items = make_scorer(pipeline, paths, machines, look)
    clips = []
    for recording in track(stream(score, items), "scoring", len(items)):
        facts = found.pop(recording.path, ())
        clips.append(keep(recording, reader, *(() if recording.error else facts)))
    return clips
