"""`NormalMemory`: normal windows that a detector has learnt after its training, beside the unchanged detector."""

import contextlib
import logging
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .._checks import check_number
from .._typing import PathLike
from ..recordings._events import Event
from ._detector_key import detector_key
from ._event_features import EventFeatures
from ._extended_detector import extend_detector, split_last_step
from ._memory_log import MemoryChange, MemoryLog, who_writes
from ._quiet_hours import QuietHours, QuietPicker
from ._records import Notice, Window

_LOGGER = logging.getLogger("skaudio_ad")
_DAY = 86400.0


class NormalMemory:
    """Normal windows that extend the bank of a detector, with a log of every change.

    The detector and its file stay as they are. The memory holds the features of confirmed false alarms and, if wanted,
    of windows of quiet normal hours. :meth:`extend` returns a copy of the detector whose banks also hold these windows:
    the banks of :class:`NearestNeighborsDetector` and :class:`BandMemoryDetector`, in an ensemble the bank of every
    model, behind the steps of the model.

    Parameters
    ----------
    folder : str or path-like
        Folder of a monitor. The memory is in ``memory/``, and the windows of the newest events that a person can
        confirm are in ``event_features/``.

    max_windows : int, default=2000
        Maximum number of windows in the memory. A full memory takes no more windows, and says so: it deletes nothing by
        itself, because a level that was calibrated with the memory would then raise more alarms. Windows of quiet hours
        take half of the memory at most. The default is a choice of this package.

    quiet_hours : QuietHours or None, default=None
        Rule by which windows of quiet normal hours join without a person. None: only a person adds windows.

    Notes
    -----
    **The stated rate of false events** of a calibration holds without a new calibration. No window gets a lower score
    than before, because further rows in a bank make a distance to the nearest rows no larger, and a cross-conformal
    score counts more held-out clips or as many. Each window that would have been above the raise level is still above
    the level, so there are no more windows below the level. A longer stretch below the level may be parted in two
    events, if its middle sounds like the memory; the refractory time of the policy joins or suppresses such events.

    **What is lost is sensitivity.** An anomaly that sounds like an added window is missed. So confirm only what is
    normal. A new calibration with the extended detector finds a higher level at the same stated rate, so that other
    anomalies are found earlier. Such a level rests on the memory: calibrate again after an undo.

    **p-values** become too large, not too small, because the calibration scores are those without the memory. A test
    for drift must begin anew after a change, because its scores come from another detector.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from skaudio_ad import NearestNeighborsDetector
    >>> from skaudio_ad.monitoring import NormalMemory
    >>> rng = np.random.default_rng(0)
    >>> detector = NearestNeighborsDetector().fit(rng.normal(size=(100, 4)))
    >>> false_alarm = np.full((1, 4), 5.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     memory = NormalMemory(folder)
    ...     before = memory.extend(detector).predict(false_alarm).tolist()
    ...     change = memory.add(false_alarm, reason="confirmed")
    ...     after = memory.extend(detector).predict(false_alarm).tolist()
    ...     memory.undo(change.id).undoes, before, after
    ('m1', [-1], [1])
    """

    def __init__(
        self, folder: PathLike, *, max_windows: int = 2000, quiet_hours: QuietHours | None = None
    ) -> None:
        check_number(max_windows, "max_windows", low=1, integer=True)
        self.folder, self.max_windows, self.quiet_hours = Path(folder), max_windows, quiet_hours
        #: Windows of the newest events.
        self.events = EventFeatures(self.folder / "event_features")
        self._log = MemoryLog(self.folder / "memory")
        self._key, self._n_features = "", None
        self._extended: tuple[Any, list[MemoryChange], Any] | None = (
            None  # detector, its changes, and the result
        )
        self._picker: QuietPicker | None = None
        self._has_told_full = False
        self._read()

    @property
    def changes(self) -> list[MemoryChange]:
        """All changes, the oldest first, with those that have been undone."""
        return list(self._changes)

    @property
    def active(self) -> list[MemoryChange]:
        """Additions that have not been undone, the oldest first."""
        undone = {change.undoes for change in self._changes}
        return [change for change in self._changes if change.reason != "undo" and change.id not in undone]

    def extend(self, detector: Any) -> Any:
        """Return a copy of a detector that also knows the windows of the memory.

        Parameters
        ----------
        detector : estimator
            Fitted detector or pipeline. It is not changed.

        Returns
        -------
        estimator
            As `detector`, without a wrapper such as a search. Its thresholds and calibration scores are the old ones.

        Raises
        ------
        ValueError
            If the detector has no bank that can grow, or the memory belongs to another detector or is damaged.
        """
        if self._extended is None or self._extended[0] is not detector:
            extended, key = extend_detector(detector, None), detector_key(detector)
            self._check_key(key)
            self._key, self._n_features = key, getattr(split_last_step(detector)[1], "n_features_in_", None)
            self._picker = None if self.quiet_hours is None else QuietPicker(self.quiet_hours, detector)
            self._extended = detector, [], extended
        self._check_key(self._key)
        active = self.active
        _, known, extended = self._extended
        if active[: len(known)] != known:  # a change was undone
            known, extended = [], extend_detector(detector, None)
        if added := active[len(known) :]:
            # Only what is new is added, because a bank of thousands of windows takes seconds to whiten.
            extended = extend_detector(
                extended, np.concatenate([self._log.features(change) for change in added])
            )
        self._extended = detector, active, extended
        return extended

    def add(
        self,
        features: npt.ArrayLike,
        *,
        reason: Literal["confirmed", "quiet hours"],
        event: str = "",
        source: str = "",
        key: str | None = None,
    ) -> MemoryChange:
        """Add normal windows.

        Parameters
        ----------
        features : array-like of shape (n_windows, n_features) or (n_windows, n_features, n_frames)
            Input of the last step of the detector, as ``Window.features`` holds it. Grids of a
            :class:`BandMemoryDetector` have one axis more.
        reason : {"confirmed", "quiet hours"}
        event, source : str, default=""
            Id and source of the event that was confirmed.
        key : str or None, default=None
            Key of the detector that the features belong to. None is the detector of the last :meth:`extend`.

        Returns
        -------
        MemoryChange

        Raises
        ------
        ValueError
            If the features are not finite, belong to another detector than the memory, or the memory is full.
        OSError
            If the memory cannot be written. The memory is then unchanged.
        """
        rows = _check_window_features(features)
        key = self._key if key is None else key
        if not key:
            raise ValueError("the memory does not know its detector yet: call extend(detector) first.")
        if key == self._key and self._n_features not in (None, rows.shape[1]):
            raise ValueError(
                f"the last step of the detector takes {self._n_features} features, got windows of {rows.shape[1]}."
            )
        with self._log.writing():
            self._read()
            self._check_key(key)
            active = self.active
            self._check_room(active, len(rows))
            if active and (shape := self._log.features(active[-1]).shape[1:]) != rows.shape[1:]:
                raise ValueError(
                    f"the memory holds windows of shape {shape}, got windows of shape {rows.shape[1:]}: all must "
                    "be the input of the last step of one detector, from windows of one duration."
                )
            facts = {"event": event, "source": source, "n_windows": len(rows), "detector_key": key}
            if reason == "quiet hours":
                facts["who"] = "monitor"
            change = MemoryChange(id=self._next_id(), reason=reason, **(who_writes() | facts))
            change = self._log.append(change, rows)
            self._changes.append(change)
        return change

    def undo(self, change_id: str) -> MemoryChange:
        """Take back an addition. The detector then scores as if the addition had never been made.

        Parameters
        ----------
        change_id : str
            Id of the addition, such as "m1".

        Returns
        -------
        MemoryChange
            The undo, which is a change too.

        Raises
        ------
        ValueError
            If there is no such addition, or it has been undone.
        """
        with self._log.writing():
            self._read()
            found = {change.id: change for change in self.active}.get(change_id)
            if found is None:
                names = ", ".join(change.id for change in self.active[-10:]) or "none"
                raise ValueError(
                    f"{self._log.path}: no addition {change_id!r} counts now. The newest that count: {names}."
                )
            facts = who_writes() | {
                "event": found.event,
                "source": found.source,
                "n_windows": found.n_windows,
            }
            undo = MemoryChange(
                id=self._next_id(),
                reason="undo",
                undoes=change_id,
                detector_key=found.detector_key,
                **facts,
            )
            undo = self._log.append(undo)
            self._changes.append(undo)
            with contextlib.suppress(OSError):  # the log says that the file counts no more
                self._log.remove(found)
        return undo

    def keep(self, event: Event, windows: Sequence[Window]) -> None:
        """Keep the least normal windows of an event, so that a person can confirm the event later.

        The 50 least normal windows of the newest 200 events are kept.

        Parameters
        ----------
        event : Event
        windows : sequence of Window
            With features.

        Notes
        -----
        An error of the disk is logged and not raised, because a monitor must go on.
        """
        try:
            self.events.keep(event, windows, self._key)
        except OSError as error:
            _LOGGER.error(
                "the windows of the event %s are not kept, so the event cannot be confirmed: %s",
                event.id,
                error,
            )

    def consider(
        self, window: Window, records: Iterable[Event | Notice] | None = None
    ) -> MemoryChange | None:
        """Show the memory a window. By the rule of `quiet_hours`, a normal window joins now and then.

        Parameters
        ----------
        window : Window
            After the decision, with features.
        records : iterable of Event and Notice, default=None
            What has been reported since the last window.

        Returns
        -------
        MemoryChange or None
            The change if a window has joined. :meth:`reload_if_changed` is True then.

        Notes
        -----
        An error of the disk is logged and not raised, because a monitor must go on.
        """
        if self.quiet_hours is None or self._picker is None:
            return None
        picked = self._picker.push(window, records or ())
        if picked is None or picked.features is None or not self._has_quiet_room(self.quiet_hours.per_day):
            return None
        try:
            return self.add(picked.features[np.newaxis], reason="quiet hours")
        except (OSError, ValueError) as error:
            _LOGGER.error("a window of quiet hours does not join the memory: %s", error)
            return None

    def reload_if_changed(self) -> bool:
        """Read the memory again if a person or another process has changed it.

        Returns
        -------
        bool
            Whether to call :meth:`extend` again.

        Raises
        ------
        ValueError
            If the memory is damaged.
        """
        if self._log.stamp() == self._stamp:
            return False
        self._read()
        return True

    def _read(self):
        self._stamp = self._log.stamp()  # before the content, so that a later change is seen
        self._changes = self._log.read()

    def _next_id(self):
        return f"m{len(self._changes) + 1}"

    def _check_key(self, key):
        others = [change.id for change in self.active if change.detector_key != key]
        if others:
            raise ValueError(
                f"{self._log.folder}: the memory belongs to another detector (changes {', '.join(others[:5])}). Use "
                "the detector that the memory was made with, or another folder for this detector. The features of two "
                "detectors cannot be compared."
            )

    def _check_room(self, active, n_windows):
        n_now = sum(change.n_windows for change in active)
        if n_now + n_windows > self.max_windows:
            raise ValueError(
                f"{self._log.folder}: the memory holds {n_now} of at most {self.max_windows} windows, so {n_windows} "
                "more cannot be added. Train the detector again with recordings of the sounds that were confirmed, "
                "undo a change, or raise max_windows."
            )

    def _has_quiet_room(self, per_day):
        active = self.active
        quiet = [change for change in active if change.reason == "quiet hours"]
        n_all = sum(change.n_windows for change in active)
        if len(quiet) >= self.max_windows // 2 or n_all >= self.max_windows:
            if not self._has_told_full:
                _LOGGER.warning("%s: the memory has no room for windows of quiet hours.", self._log.folder)
            self._has_told_full = True
            return False
        return sum(change.time > time.time() - _DAY for change in quiet) < per_day


def _check_window_features(features: npt.ArrayLike) -> npt.NDArray[np.float32]:
    rows = np.asarray(features, dtype=np.float32)
    if rows.ndim not in (2, 3, 4) or not rows.size or not np.isfinite(rows).all():
        raise ValueError(
            "features must be finite and of shape (n_windows, n_features) or (n_windows, n_features, n_frames), got "
            f"an array of shape {rows.shape}{'' if np.isfinite(rows).all() else ' with NaN or infinity'}."
        )
    return rows
