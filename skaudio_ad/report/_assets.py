"""The sound, the pictures and the facts of every recording, as the assets of the page."""

import contextlib
import json
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .._clip_errors import explain, without_advice
from .._json import without_nan
from .._typing import FloatArray
from ..audio._browser import encode_sound, overlay_png, spectrogram_png
from ..features import SoundQualities
from ..recordings._score import used_duration
from ._excerpt import ExcerptReader, Levels, compute_levels
from ._keep import ReportedClip
from ._map import MapMaker
from ._tags import Tagger
from ._words import describe

#: Name, media type and content of a file of the page.
Asset: TypeAlias = tuple[str, str, bytes]

# Maximum opacity of a layer that shows nothing.
_FAINT = 0.1
NO_LOCAL_SCORES = "The detector scores a recording as a whole, so it has no scores over time."
NO_NORMAL = (
    "The normal recordings are not known. Pass the recordings that the detector was trained on: normal=, or --normal "
    "in the shell."
)


@dataclass
class _NormalFacts:
    """What the page compares recordings with: a normal recording."""

    summary: FloatArray
    qualities: FloatArray | None
    tags: list[tuple[str, float]]


class AssetMaker:
    """Make the assets of recordings. An instance is a function of the position of a recording, for several threads.

    Parameters
    ----------
    clips : list of ReportedClip
        In the order of the page.
    normal : list of str
        Paths of the normal recordings.
    reader : ExcerptReader
    maps : MapMaker
    tagger : Tagger
    audio_format : str
    """

    def __init__(
        self,
        clips: Sequence[ReportedClip],
        normal: Sequence[str],
        reader: ExcerptReader,
        maps: MapMaker,
        tagger: Tagger,
        audio_format: str,
    ) -> None:
        self.clips, self.normal, self.reader = clips, normal, reader
        self.maps, self.tagger, self.audio_format = maps, tagger, audio_format
        self.qualities = SoundQualities(reader.loader.sample_rate)
        self._facts: dict[int, _NormalFacts | None] = {}
        self._made: dict[int, list[Asset]] = {}
        self._locks: dict[int, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()
        # The assets of a normal recording follow those of the first recording that shows the normal one.
        self.first_shown: dict[int, list[int]] = defaultdict(list)
        seen: set[int] = set()
        for position, clip in enumerate(clips):
            for index, _ in clip.nearest:
                if index not in seen:
                    seen.add(index)
                    self.first_shown[position].append(index)

    @property
    def shown_normal(self) -> list[int]:
        """Positions of the normal recordings that the page shows."""
        return sorted(index for indices in self.first_shown.values() for index in indices)

    def __call__(self, position: int) -> list[Asset]:
        """Make the assets of one recording, and of the normal recordings that the page shows for the first time.

        Parameters
        ----------
        position : int

        Returns
        -------
        list of (str, str, bytes)
        """
        made = self._make_clip(f"clip-{position}", self.clips[position])
        for index in self.first_shown.get(position, ()):
            self._compare_with(index)
            made += self._made.pop(index)
        return made

    def _make_clip(self, name, clip):
        facts: dict[str, Any] = {
            "local": _local(clip),
            "moments": [_moment(moment) for moment in clip.moments],
            "bands": None,
            "words": {"sentence": "", "qualities": [], "note": NO_NORMAL},
            "tags": {"clip": [], "normal": [], "note": self.tagger.note},
            "nearest": {
                "clips": [{"id": f"normal-{i}", "distance": distance} for i, distance in clip.nearest],
                "note": self._nearest_note(clip),
            },
        }
        recording = clip.recording
        excerpt, levels, assets = self._make_sound(
            name, facts, recording.path, recording.duration, clip.worst_time
        )
        if excerpt is None:
            facts["words"]["note"] = facts["nearest"]["note"] or facts["audio"]["note"]
            return [_as_json(name, facts), *assets]
        known = [self._compare_with(index) for index, _ in clip.nearest]
        normal = [facts for facts in known if facts is not None]
        if levels is not None:
            assets += self._add_map(name, facts["spectrogram"], clip, levels, normal)
            if normal:
                facts["bands"] = _bands(levels, normal)
        with _noted(facts["words"]):
            self._add_words(facts, excerpt, normal)
        with _noted(facts["tags"]):
            facts["tags"]["clip"] = self.tagger(excerpt)
            facts["tags"]["normal"] = normal[0].tags if normal else []
        return [_as_json(name, facts), *assets]

    def _nearest_note(self, clip):
        if clip.recording.error:
            return "The recording could not be scored, so it is not compared with normal recordings."
        if not self.normal:
            return NO_NORMAL
        if not clip.nearest:
            return "There is no other normal recording to compare with."
        return "The distance is the Euclidean one between the features that the detector compares."

    def _make_sound(self, name, facts, path, duration, worst_time):
        """Fill in the sound and the spectrogram. Return the excerpt, its levels and the assets, or None for both."""
        facts["audio"] = {"asset": None, "peak_db": None, "start": 0.0, "duration": None, "note": ""}
        facts["spectrogram"] = None
        try:
            excerpt = self.reader.read(path, duration, worst_time)
        except Exception as error:  # any error: the row of the recording stays
            reason = without_advice(explain(error).removeprefix(f"{path}: "))
            facts["audio"]["note"] = f"The recording cannot be played: {reason}"
            return None, None, []
        facts["audio"] |= {"start": excerpt.start, "duration": excerpt.duration, "note": excerpt.note}
        assets: list[Asset] = []
        with _noted(facts["audio"]):
            content, media_type, peak_db = encode_sound(
                excerpt.samples, excerpt.sample_rate, self.audio_format
            )
            sound = f"{name}.{self.audio_format}"
            assets.append((sound, media_type, content))
            facts["audio"] |= {"asset": sound, "peak_db": _rounded(peak_db, 2)}
        levels = None
        with _noted(facts["audio"]):
            levels = compute_levels(excerpt)
            height, width = levels.levels_db.shape
            picture = spectrogram_png(levels.levels_db, levels.low_db, levels.high_db)
            assets.append((f"{name}.png", "image/png", picture))
            facts["spectrogram"] = {
                "asset": f"{name}.png",
                "map": None,
                "map_note": "",
                "width": width,
                "height": height,
                "start": excerpt.start,
                "duration": excerpt.duration,
                "ticks": [[round(place, 4), text] for place, text in levels.ticks()],
                "low_db": _rounded(levels.low_db, 2),
                "high_db": _rounded(levels.high_db, 2),
            }
        return excerpt, levels, assets

    def _add_map(self, name, spectrogram, clip, levels, normal):
        """Fill in the layer over the spectrogram. Return its assets."""
        try:
            summaries = [facts.summary for facts in normal]
            opacity, spectrogram["map_note"] = self.maps(clip.recording, clip.detector, levels, summaries)
        except Exception as error:  # any error: the page shows the rest
            spectrogram["map_note"] = f"No colour marks what sounds wrong: {explain(error)}"
            return []
        if opacity is None:
            return []
        if opacity.max() < _FAINT:
            spectrogram["map_note"] = f"{spectrogram['map_note']} There is no such place in this part."
        spectrogram["map"] = f"{name}-map.png"
        return [(spectrogram["map"], "image/png", overlay_png(opacity))]

    def _add_words(self, facts, excerpt, normal):
        known = [each.qualities for each in normal if each.qualities is not None]
        if not known:
            facts["words"]["note"] = (
                facts["nearest"]["note"]
                if not normal
                else "The nearest normal recordings are too short for words."
            )
            return
        values = self._describe(excerpt)
        names, units = self.qualities.names, self.qualities.units
        facts["words"] = describe(names, units, values, np.array(known))

    def _describe(self, excerpt):
        return np.asarray(self.qualities.transform([excerpt.samples])[0], dtype=np.float64)

    def _compare_with(self, index):
        """Return the facts of a normal recording, or None if it cannot be read. The assets are made with the facts."""
        with self._lock:
            lock = self._locks[index]
        with lock:
            if index not in self._facts:
                self._facts[index], self._made[index] = self._make_normal(index)
            return self._facts[index]

    def _make_normal(self, index):
        facts: dict[str, Any] = {}
        path = self.normal[index]
        excerpt, levels, assets = self._make_sound(
            f"normal-{index}", facts, path, used_duration(path, self.reader.loader), None
        )
        assets = [_as_json(f"normal-{index}", facts), *assets]
        if excerpt is None or levels is None:
            return None, assets
        qualities: Any = None
        tags: list[tuple[str, float]] = []
        with contextlib.suppress(Exception):  # a clip without words or classes is compared in other ways
            qualities = self._describe(excerpt)
        with contextlib.suppress(Exception):
            tags = self.tagger(excerpt)
        return _NormalFacts(levels.summary(), qualities, tags), assets


@contextlib.contextmanager
def _noted(part):
    """Turn an error into a note of the part of the page that the error spoils."""
    try:
        yield
    except Exception as error:  # any error: the page shows the rest
        part["note"] = f"{part['note']} {explain(error).removeprefix('clip 0: ')}".strip()


def _as_json(name, facts) -> Asset:
    text = json.dumps(without_nan(facts), allow_nan=False, separators=(",", ":"))
    return f"{name}.json", "application/json", text.encode("ascii")


def _local(clip):
    recording = clip.recording
    no_scores = "" if recording.error or len(recording.times) else NO_LOCAL_SCORES
    return {
        "times": [round(float(time), 3) for time in recording.times],
        "scores": [_significant(score) for score in recording.local_scores],
        "threshold": clip.threshold,
        "note": no_scores or clip.local_note,
    }


def _moment(moment):
    return {
        "start": round(moment.start, 3),
        "end": None if not np.isfinite(moment.end) else round(moment.end, 3),
        "score": moment.score,
        "low_hz": moment.low_hz,
        "high_hz": moment.high_hz,
    }


def _bands(levels: Levels, normal: Sequence[_NormalFacts]):
    means = np.array([facts.summary[0] for facts in normal])
    rows = {
        "centers_hz": levels.centers,
        "clip_db": levels.summary()[0],
        "low_db": means.min(axis=0),
        "median_db": np.median(means, axis=0),
        "high_db": means.max(axis=0),
    }
    return {name: [round(float(value), 2) for value in row] for name, row in rows.items()}


def _significant(value):
    return float(f"{float(value):.6g}")


def _rounded(value, digits):
    return None if value is None else round(float(value), digits)
