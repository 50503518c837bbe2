"""Times of live sound: samples are counted from an anchor, and the anchor is corrected with a notice."""

from .._records import Notice
from ._notices import make_notice, seconds_text
from ._timing import Timer

# Maximum number of seconds by which the count of samples may differ from the clock of the computer.
TOLERANCE = 2.0
# Number of seconds for which all sound must be late before sound counts as missing. Late sound may only be delayed.
_WATCHED = 10.0
# Maximum relative error of the sample rate of a device. Sound that arrives faster comes from a file or a buffer.
_MAX_ERROR = 0.05
# Number of seconds after which the speed of fast sound is judged again.
_JUDGED = 60.0


class SoundClock:
    """Times of the blocks of a live source.

    Parameters
    ----------
    source : str
        Name of the source.
    timer : Timer

    Notes
    -----
    The first block ends now. All further times count samples. The anchor moves where the clock of the computer was set,
    where sound is missing, or where the sample rate of the device is not exact, as soon as the difference is more than
    2 s. Sound that arrives much faster than real time comes from a file; its times count samples only.
    """

    def __init__(self, source: str, timer: Timer) -> None:
        self._source, self._timer = source, timer
        self._wall: float | None = None
        self._mono = self._heard = self._waited = 0.0
        self._best_lead, self._watched_since = -float("inf"), 0.0
        self._fast_since: tuple[float, float] | None = None
        self._told_fast = False

    @property
    def is_fast(self) -> bool:
        """Whether the sound arrives faster than real time, so that its writer can wait."""
        return self._fast_since is not None

    def restart(self) -> None:
        """Forget the anchor: the next block ends at the time of its arrival."""
        self._wall, self._fast_since = None, None

    def add_wait(self, seconds: float) -> None:
        """Take out time for which the source did not listen on purpose."""
        self._waited += seconds

    def skip(self, seconds: float) -> None:
        """Count sound that is known to be lost."""
        self._heard += seconds

    def stamp(self, duration: float) -> tuple[float, list[Notice]]:
        """Say when a block that has just arrived begins.

        Parameters
        ----------
        duration : float
            Duration of the block, in seconds.

        Returns
        -------
        float, list of Notice
            Unix time, and the corrections of the anchor.
        """
        wall, mono = self._timer.now(), self._timer.monotonic()
        if self._wall is None:
            self._wall, self._mono = wall - duration, mono - duration
            self._heard = self._waited = 0.0
            self._watch(mono)
        notices = []
        if self._fast_since is None:
            jump = (wall - mono) - (self._wall - self._mono)
            if abs(jump) > TOLERANCE:
                self._wall += jump
                notices.append(self._jumped(jump))
        self._heard += duration
        elapsed = mono - self._mono - self._waited
        lead = self._heard - elapsed
        self._best_lead = max(self._best_lead, lead)
        if self._fast_since is not None:
            notices += self._judge_fast(*self._fast_since, elapsed, lead)
        elif lead > TOLERANCE:
            if lead > _MAX_ERROR * elapsed:
                self._fast_since = (elapsed, self._heard)
            else:
                self._move(-lead)
                notices.append(self._early(lead))
        elif mono - self._watched_since >= _WATCHED:
            late = -self._best_lead
            if late > TOLERANCE:
                self._move(late)
                notices.append(self._late(late))
            self._watch(mono)
        return self._wall + self._heard - duration, notices

    def _watch(self, mono):
        self._best_lead, self._watched_since = -float("inf"), mono

    def _move(self, seconds):
        """Move the anchor, so that all further times are later by `seconds`."""
        self._wall += seconds
        self._mono += seconds
        self._watch(self._timer.monotonic())

    def _judge_fast(self, since, heard, elapsed, lead):
        """Find out whether sound that began fast has become live."""
        if elapsed - since >= _JUDGED:
            if self._heard - heard <= (1 + _MAX_ERROR) * (elapsed - since):
                self._fast_since = None
                self._move(-lead)
                return [self._early(lead)]
            self._fast_since = (elapsed, self._heard)
        if lead > _JUDGED and not self._told_fast:
            self._told_fast = True
            text = (
                "The sound arrives faster than real time, as from a file. Its times count samples from the first "
                "sample, and do not follow the clock."
            )
            return [self._notice(text)]
        return []

    def _jumped(self, jump):
        way = "forwards" if jump > 0 else "back"
        return self._notice(
            f"The clock of the computer was set {way} by {seconds_text(abs(jump))}, or the computer has slept. All "
            "further times follow the new clock.",
            shift=jump,
        )

    def _late(self, late):
        return self._notice(
            f"The sound is {seconds_text(late)} behind the clock of the computer. Sound is missing, or the sample rate "
            "of the device is a little low. All further times follow the clock. Check the messages of the program or "
            "the device that records.",
            duration=late,
            shift=late,
        )

    def _early(self, lead):
        return self._notice(
            f"The sound is {seconds_text(lead)} ahead of the clock of the computer, because the stream began with "
            "older sound, or the sample rate of the device is a little high. All further times follow the clock, "
            "and step back once.",
            shift=-lead,
        )

    def _notice(self, text, duration=float("nan"), **details):
        return make_notice("clock", self._source, self._timer.now(), text, duration=duration, **details)
