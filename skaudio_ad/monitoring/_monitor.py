"""`Monitor`: listen to a source with a detector, all day."""

import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from .._checks import check_number
from .._typing import PathLike
from ..recordings import AlarmPolicy
from ._records import Window
from ._session import Session
from ._setup import prepare
from .sinks._sink import MonitorInfo, Record, Sink
from .sources._source import Source


class Monitor:
    """Listen to a source with a detector, and report windows, events and notices.

    A monitor is an iterator and a context manager. A step of the iterator waits for the next record. The monitor ends
    when its source ends, or after :meth:`stop`. Memory is constant.

    Every record is in the log of the state folder and has gone to the sinks before the iterator returns the record.
    Sinks get every event at least once, and the log has every event exactly once, also if the process is killed at any
    moment.

    Parameters
    ----------
    detector : sklearn.pipeline.Pipeline or path
        Fitted pipeline that begins with an :class:`~skaudio_ad.audio.AudioLoader`, or a file of
        :func:`~skaudio_ad.persistence.save_detector`.
    source : Source or str
        A source, or a text for :func:`~skaudio_ad.monitoring.sources.open_source`, such as the path of a folder.
    sinks : sequence of Sink, default=()
        Where records go. An error of a sink becomes a notice, and the monitor and the other sinks go on.
    policy : AlarmPolicy or None, default=None
        When an alarm is raised and cleared. None is the policy of the calibration, or, without a calibration,
        ``AlarmPolicy.from_detector(detector)``.

    window, hop : float or None, default=None
        Duration of a window and time from the start of a window to the next start, in seconds. None is that of the
        calibration, or, without a calibration, the duration of the training clips and half of it.

    state : str, path-like or None, default=None
        Folder for a restart and for the log of events and notices (``log.jsonl``). One monitor uses a folder at a time.
        A monitor with a folder goes on where the last one ended or was killed. None keeps nothing.
    calibration : AlarmCalibration, path or None, default=None
        Result of :func:`calibrate_alarms`, or its file. The calibration states the rate of false events, and its scores
        tell drift from an anomaly.
    drift : bool, default=True
        Whether to test for drift. The test needs a calibration.
    memory : NormalMemory or None, default=None
        Memory of windows that people have confirmed as normal.
    pre_roll : float, default=10.0
        Duration of the sound before an event that is kept for the sinks, in seconds. Ten seconds are one window of the
        usual length.
    allow_lower_rate : bool, default=False
        Whether the source may have a lower sample rate than the training files. Such sound lacks the upper part of the
        spectrum, so its scores are low without a fault.
    clock : callable, default=time.time
        Returns the Unix time, for the notices of the monitor. The times of windows come from the source.

    Attributes
    ----------
    info : MonitorInfo
        What the monitor uses: names, windows, levels and the statement about false events.

    Raises
    ------
    ValueError
        If the detector does not begin with an AudioLoader, was trained on clips of another duration, or needs a higher
        sample rate or more channels than the source has; or if the calibration belongs to another detector or to other
        windows. A source that tells its rate with the first block raises the error then, before the first window.
    StateError
        If another monitor uses the folder, or the folder holds the state of another monitor.
    SourceError
        If the source cannot be opened.

    Examples
    --------
    >>> from skaudio_ad.monitoring import Monitor
    >>> from skaudio_ad.recordings import Event
    >>> for record in Monitor("pump.skops", "recordings/"):  # doctest: +SKIP
    ...     if isinstance(record, Event):
    ...         print(record.state, record.start, record.p_value)
    """

    def __init__(
        self,
        detector: Any,
        source: Source | str,
        sinks: Sequence[Sink] = (),
        policy: AlarmPolicy | None = None,
        *,
        window: float | None = None,
        hop: float | None = None,
        state: PathLike | None = None,
        calibration: Any = None,
        drift: bool = True,
        memory: Any = None,
        pre_roll: float = 10.0,
        allow_lower_rate: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        check_number(pre_roll, "pre_roll", low=0, high=3600)
        setup = prepare(detector, source, policy, calibration, window=window, hop=hop, state=state)
        self._is_stopped = False
        self._session: Session | None = None
        self._source = setup.source
        try:
            self._session = Session(
                setup,
                sinks,
                state=state,
                drift=drift,
                memory=memory,
                pre_roll=pre_roll,
                allow_lower_rate=allow_lower_rate,
                clock=clock,
            )
        except BaseException:
            self._source.close()
            raise
        self._info = setup.info
        self._records = self._listen(self._session)

    @property
    def info(self) -> MonitorInfo:
        """What the monitor uses: names, windows, levels and the statement about false events."""
        return self._info

    def __iter__(self) -> Iterator[Record]:
        """Return the monitor itself."""
        return self

    def __next__(self) -> Record:
        """Wait for the next window, event or notice."""
        return next(self._records)

    def _listen(self, session):
        """Yield the records of a session. The session ends in order when the caller goes away or an error comes."""
        has_ended = False
        try:
            yield from session.begin()
            for item in self._source.stream(session.position):
                yield from session.take(item)
                if self._is_stopped:
                    break
            else:
                has_ended = True
            yield from session.finish(has_ended)
        except GeneratorExit:
            session.finish(ended=False)
            raise
        except (Exception, KeyboardInterrupt) as error:
            session.finish(ended=False, error=error)
            raise
        finally:
            self._session = None
            session.close()

    def run(self, max_windows: int | None = None, stop: Callable[[], bool] | None = None) -> int:
        """Listen without a loop, until the source ends.

        Parameters
        ----------
        max_windows : int or None, default=None
            Number of windows after which the monitor stops. None stops at the end of the source only.
        stop : callable or None, default=None
            Asked after every record. The monitor stops when the answer is true.

        Returns
        -------
        int
            Number of windows.
        """
        check_number(max_windows, "max_windows", low=1, integer=True, none=True)
        n_windows = 0
        with self:
            for record in self:
                n_windows += isinstance(record, Window)
                if n_windows == max_windows or (stop is not None and stop()):
                    break
        return n_windows

    def stop(self) -> None:
        """Ask the monitor to stop after the sound that the source gives next, within about a second.

        The method only sets a mark, so a signal handler may call the method.
        """
        self._is_stopped = True

    def close(self) -> None:
        """Stop, save the state, and close the source, the sinks and the folder. May be called more than once.

        While another thread waits for a record, the method only asks the monitor to stop. That thread does the rest.
        """
        self._is_stopped = True
        if self._records.gi_running:
            return
        self._records.close()  # an iterator that has begun ends its session
        if self._session is not None:  # an iterator that has not begun has nothing to end
            session, self._session = self._session, None
            session.close()

    def __enter__(self) -> Self:
        """Return the monitor, which is closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the monitor."""
        self.close()
