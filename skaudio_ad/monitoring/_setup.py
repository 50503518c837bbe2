"""What a monitor checks and chooses before the first window."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from .._clip_errors import shown
from .._typing import FloatArray, PathLike
from .._versions import package_versions
from ..audio._channels import pair_of
from ..persistence import load_detector, read_metadata
from ..recordings import AlarmPolicy
from ..recordings._unwrap import find_loader, inner_pipeline
from ..recordings._window_scorer import WindowScorer
from ._alarm_calibration import AlarmCalibration
from ._detector_key import detector_key
from .sinks._sink import MonitorInfo
from .sources import Source, open_source

_NO_STATEMENT = (
    "No rate of false events is stated, because the monitor has no calibration (skaudio-ad calibrate)."
)


@dataclass(frozen=True)
class Setup:
    """Detector, source and policy that fit together.

    Attributes
    ----------
    detector : fitted pipeline
    source : Source
    scorer : WindowScorer
    policy : AlarmPolicy
    calibration_scores : ndarray of shape (n_windows,) or None
        Scores of normal windows, for p-values and for the test for drift. None without a calibration.
    drift_interval : float or None
        Seconds from one window of the test for drift to the next one. None if the calibration is too short for it.
    detector_key : str
    info : MonitorInfo
    """

    detector: Any
    source: Source
    scorer: WindowScorer
    policy: AlarmPolicy
    calibration_scores: FloatArray | None
    drift_interval: float | None
    detector_key: str
    info: MonitorInfo


def prepare(
    detector: Any,
    source: Source | str,
    policy: AlarmPolicy | None,
    calibration: Any,
    *,
    window: float | None,
    hop: float | None,
    state: PathLike | None,
) -> Setup:
    """Check that detector, calibration and source fit together. Parameters are those of :class:`Monitor`.

    Raises
    ------
    ValueError
        If the detector cannot score windows of this duration, or the calibration belongs to another detector or to
        other windows.
    """
    text = ""
    if isinstance(detector, (str, os.PathLike)):
        text = _describe_file(detector)
        detector = load_detector(detector)
    if isinstance(calibration, (str, os.PathLike)):
        calibration = AlarmCalibration.load(calibration)
    key = detector_key(detector)
    if calibration is not None:
        if calibration.detector_key != key:
            raise ValueError(
                "the calibration belongs to another detector, so its levels mean nothing for this one. Calibrate this "
                "detector: skaudio-ad calibrate detector.skops RECORDINGS -o alarm.json."
            )
        window = calibration.window if window is None else window
        hop = calibration.hop if hop is None else hop
    scorer = WindowScorer(detector, window=window, hop=hop)
    if calibration is not None and not np.allclose(
        [scorer.window, scorer.hop], [calibration.window, calibration.hop], rtol=1e-9
    ):
        raise ValueError(
            f"the calibration holds for windows of {calibration.window:g} s every {calibration.hop:g} s, and not for "
            f"windows of {scorer.window:g} s every {scorer.hop:g} s: leave window and hop out, or calibrate again."
        )
    if isinstance(source, str):
        source = open_source(source)
    if policy is None:
        policy = AlarmPolicy.from_detector(detector) if calibration is None else calibration.policy
    known = np.empty(0) if calibration is None else np.asarray(calibration.scores, dtype=np.float64)
    known = known[np.isfinite(known)]
    interval = None if calibration is None or not len(known) else calibration.drift_interval
    info = MonitorInfo(
        source=source.name,
        detector=text or describe_detector(detector),
        state=None if state is None else Path(state).absolute(),
        window=scorer.window,
        hop=scorer.hop,
        raise_level=policy.raise_level,
        clear_level=policy.clear_level,
        statement=_NO_STATEMENT if calibration is None else calibration.statement,
        sample_rate=scorer.sample_rate,
        versions=package_versions(),
        details={"drift_interval": interval},
    )
    return Setup(
        detector,
        source,
        scorer,
        policy,
        calibration_scores=known if len(known) else None,
        drift_interval=interval,
        detector_key=key,
        info=info,
    )


def describe_detector(detector: Any) -> str:
    """Return the steps of a pipeline in one line."""
    pipeline = inner_pipeline(detector)
    steps = [step for _, step in pipeline.steps] if isinstance(pipeline, Pipeline) else [pipeline]
    return " > ".join(type(step).__name__ for step in steps)


def _describe_file(path):
    """Return the name of a file, and when and on how many recordings the detector was trained."""
    metadata = read_metadata(path)
    training = metadata.get("training") or {}
    parts = [shown(os.path.basename(os.fspath(path)))]
    if training.get("system"):
        parts.append(str(training["system"]))
    if training.get("n_recordings"):
        parts.append(f"{training['n_recordings']} recordings")
    if metadata.get("date"):
        parts.append(f"saved {metadata['date']}")
    return ", ".join(parts)


class SoundCheck:
    """Check that sound of a rate and a number of channels fits a detector.

    Parameters
    ----------
    detector : fitted pipeline
    allow_lower_rate : bool
        Whether sound may lack the upper part that the training files have.
    """

    def __init__(self, detector: Any, allow_lower_rate: bool) -> None:
        loader: Any = find_loader(detector)
        known: Any = getattr(loader, "sample_rates_", ())
        self._needed = min(int(known[0]), loader.sample_rate) if len(known) else int(loader.sample_rate)
        self._channel = loader.channel
        self._allow_lower_rate = allow_lower_rate

    def problem(self, sample_rate: int | None, n_channels: int | None) -> tuple[str, str] | None:
        """Return the kind of a notice and a text if the sound does not fit.

        Parameters
        ----------
        sample_rate : int or None
            In hertz. None if unknown.
        n_channels : int or None

        Returns
        -------
        tuple of (str, str) or None
        """
        if sample_rate is not None and sample_rate < self._needed and not self._allow_lower_rate:
            return (
                "rate",
                f"The source has a sample rate of {sample_rate} Hz, and the detector was trained on sound of "
                f"{self._needed} Hz. The sound lacks everything above {sample_rate / 2:g} Hz, so its scores are no "
                f"sign of a fault. Record at {self._needed} Hz, train a detector on sound of {sample_rate} Hz, or "
                "pass allow_lower_rate=True.",
            )
        if n_channels is None or self._channel == "mix":
            return None
        pair = pair_of(self._channel)
        highest = max(pair) if pair is not None else int(self._channel)
        if highest < n_channels:
            return None
        return (
            "channels",
            f"The source has {n_channels} channel(s), and the detector takes channel={self._channel!r}. Record with at "
            f"least {highest + 1} channels, or train a detector on another channel.",
        )


def scores_key(scores: FloatArray | None) -> str:
    """Return a checksum of calibration scores."""
    return "" if scores is None else hashlib.sha256(np.ascontiguousarray(scores).tobytes()).hexdigest()[:16]
