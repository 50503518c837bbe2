"""One run of a monitor: blocks and notices of a source go in, and records come out."""

import math
import time as _time
from collections.abc import Callable, Sequence
from typing import Any

from .._clip_errors import explain
from .._typing import PathLike
from ..recordings import EventFinder
from ..recordings._alarm_policy import policy_of
from ._decision import Decision
from ._intake import Intake
from ._log import EventLog
from ._memory_follower import MemoryFollower
from ._recorder import Recorder
from ._records import Block, Notice
from ._ring import SoundRing
from ._setup import Setup, SoundCheck, scores_key
from ._sink_group import SinkGroup
from ._state import StateFolder
from ._times import duration_text, utc_text
from .sinks._sink import Record, Sink

# Maximum number of windows that are scored together. More windows do not make the networks of the package faster.
_BATCH = 16
# Maximum time that windows wait for others, in seconds, where a source gives sound faster than in real time.
_WAIT = 0.25
# Number of seconds of sound that are kept for the sound of an event, besides the sound before the event.
_EVENT_SOUND = 120.0


class Session:
    """Listen to a source. The parameters are those of :class:`Monitor`.

    Every method returns the records that are ready. A record is in the log and has gone to the sinks before the method
    returns.

    Attributes
    ----------
    position : object
        Where the source goes on.
    """

    def __init__(
        self,
        setup: Setup,
        sinks: Sequence[Sink],
        *,
        state: PathLike | None,
        drift: bool,
        memory: Any,
        pre_roll: float,
        allow_lower_rate: bool,
        clock: Callable[[], float],
    ) -> None:
        scorer, policy, source = setup.scorer, setup.policy, setup.source
        self._setup, self._scorer, self._source = setup, scorer, source
        self._memory = None if memory is None else MemoryFollower(memory, setup.detector, scorer)
        self._clock = clock
        check = SoundCheck(setup.detector, allow_lower_rate)
        described = source.describe()
        problem = check.problem(described.sample_rate, described.n_channels)
        if problem is not None:
            raise ValueError(problem[1])
        self._is_live = described.live
        self._scores = setup.calibration_scores
        self._is_too_short = drift and self._scores is not None and setup.drift_interval is None
        self._decision = Decision(policy, source.name, self._scores, setup.drift_interval if drift else None)
        longest = min(policy.max_duration, _EVENT_SOUND)
        ring = SoundRing(pre_roll + longest + scorer.window + _BATCH * scorer.hop)
        self._last_end, self._is_busy = -math.inf, False
        self._identity = {
            "detector_key": setup.detector_key,
            "window": scorer.window,
            "hop": scorer.hop,
            "source": source.name,
        }
        self._sinks = SinkGroup(sinks, clock)
        self._log: EventLog | None = None
        self._folder = None if state is None else StateFolder(state)
        try:
            self._loaded = None if self._folder is None else self._folder.read(self._identity)
            self._intake = Intake(scorer, check, ring, self._loaded)
            size = None if self._loaded is None else self._loaded["log_size"]
            self._log = EventLog(None if self._folder is None else self._folder.log_path, size)
            self._recorder = Recorder(self._folder, self._log, self._sinks, ring.sound, clock)
            self._sinks.open(setup.info)
        except BaseException:
            self.close(timeout=1.0)
            raise

    @property
    def position(self) -> Any:
        """Where the source goes on."""
        return self._intake.position

    def begin(self) -> list[Record]:
        """Report the start, or take up the state and report the restart."""
        assert self._log is not None
        now, info = self._clock(), self._setup.info
        n_bytes = self._log.repaired
        repaired = (
            f" The last line of the log was torn; {n_bytes} bytes of it were removed." if n_bytes else ""
        )
        if self._loaded is not None:
            self._take_up(self._loaded, now, repaired)
        else:
            # Saved before the first record, so that a restart knows which records of the log are new.
            self._recorder.save(self._state, force=True)
            self._recorder.close_events(self._log.unclosed.values())
            facts = f"{info.statement}{self._drift_text()}{repaired}"
            text = f"The monitor listens to {info.source} with {info.detector}. {facts}"
            self._recorder.add([Notice(f"start-{now:.3f}", now, "start", text)])
        self._recorder.save(self._state, force=True)
        return self._recorder.drain()

    def _drift_text(self):
        if not self._is_too_short:
            return ""
        return (
            " There is no test for drift, because the normal sound of the calibration varies too slowly for its "
            "length: calibrate with more hours."
        )

    def _take_up(self, state, now, repaired):
        self._recorder.counts.update(state["counts"])
        finder = state["decision"]["finder"]
        policy = policy_of(finder["policy"])
        has_policy = policy == self._setup.policy
        if has_policy:
            same_scores = state["scores_key"] == scores_key(self._scores)
            self._decision.set_state(state["decision"], same_scores=same_scores)
        goes_on = self._intake.can_go_back
        away = max(0.0, now - state["time"])
        heard = "The source goes on where it was." if goes_on else "Sound of this time was not heard."
        text = f"The monitor was away for {duration_text(away)}, since {utc_text(state['time'])}. {heard}{repaired}"
        self._recorder.add([Notice(f"restart-{now:.3f}", now, "restart", text, details={"away": away})])
        if not has_policy:  # an event of other levels cannot go on
            old = EventFinder(policy, self._source.name)
            old.set_state(finder)
            self._recorder.add(old.interrupt(now, "the levels of the alarm have changed"))
        elif not goes_on:
            self._recorder.add(self._decision.interrupt(now, "the monitor stopped"))
        self._recorder.settle(-math.inf if goes_on else math.inf)

    def take(self, item: Block | Notice | None) -> list[Record]:
        """Take what a source yields, and return the records that are ready."""
        assert self._log is not None
        intake = self._intake
        if isinstance(item, Block):
            intake.take_block(item)
        elif item is not None:
            intake.take_notice(item, self._log.status(item) == "done")
        if (
            self._is_live
            or not isinstance(item, Block)
            or len(intake.queue) >= _BATCH
            or _time.monotonic() - intake.queued_since > _WAIT
        ):
            self._work()
        return self._recorder.drain()

    def _work(self):
        """Score and decide all that waits, in order, and save the state."""
        self._is_busy = True
        queue, cuts = self._intake.pop_queue()
        self._follow_memory()
        scores = iter(self._scorer.score([cut.waveform for cut in cuts]) if cuts else ())
        for kind, value in queue:
            if kind == "cut":
                self._report(self._decision.decide(value, next(scores)))
                self._last_end = value.end
            elif kind == "gap":
                self._report(self._decision.interrupt(*value))
            else:
                self._report([value])
        if cuts:
            self._recorder.settle(self._last_end - 2 * self._scorer.window)
        self._recorder.add(self._sinks.take_notices())
        self._is_busy = False
        if (self._intake.has_moved and not self._intake.queue) or self._recorder.is_urgent:
            self._intake.has_moved = not self._recorder.save(self._state)

    def _report(self, records):
        self._recorder.add(records)
        if self._memory is not None:
            self._memory.take(records)

    def _follow_memory(self):
        """Take up windows that a person has confirmed as normal. The test for drift begins anew."""
        notice = None if self._memory is None else self._memory.follow(self._clock)
        if notice is not None:
            self._decision.forget_drift()
            self._recorder.add([notice])

    def finish(self, ended: bool, error: BaseException | None = None) -> list[Record]:
        """Score what waits, and report the stop.

        Parameters
        ----------
        ended : bool
            Whether the source has ended, so that an event cannot go on after a restart.
        error : BaseException or None, default=None
            Error that has stopped the monitor.
        """
        if self._is_busy:  # an error came in the middle of a batch, so the state before the batch holds
            return []
        if ended:
            self._intake.end_stretch(max(self._last_end, 0.0), "the source has ended")
        self._work()
        if ended:
            self._recorder.settle(math.inf)
        now, counts = self._clock(), self._recorder.counts
        how = "has reached the end of the source" if ended else "was stopped"
        goes_on = " An event goes on." if self._decision.is_open else ""
        if error is not None:
            reason = explain(error) if isinstance(error, Exception) else type(error).__name__
            goes_on += f" The reason is an error: {reason}"
        errors = {f"{name}: {cause}": n for (name, cause), n in self._sinks.n_errors.items()}
        text = f"The monitor {how} after {counts['windows']} windows and {counts['events']} events.{goes_on}"
        details = {**counts, "sink_errors": errors}
        self._recorder.add([Notice(f"stop-{now:.3f}", now, "stop", text, details=details)])
        self._recorder.save(self._state, force=True)
        return self._recorder.drain()

    def close(self, timeout: float = 10.0) -> None:
        """Close the source, the sinks, the log and the folder."""
        try:
            self._source.close()
        finally:
            try:
                self._sinks.close(timeout)
            finally:
                if self._log is not None:
                    self._log.close()
                if self._folder is not None:
                    self._folder.close()

    def _state(self):
        return {
            "identity": self._identity,
            "time": self._clock(),
            **self._intake.get_state(),
            "decision": self._decision.get_state(),
            "scores_key": scores_key(self._scores),
        }
