"""Make the notices of a source."""

import hashlib
from typing import Any

from .._records import Notice


def make_notice(
    kind: str,
    source: str,
    time: float,
    text: str,
    *,
    key: str | None = None,
    duration: float = float("nan"),
    position: Any = None,
    **details: Any,
) -> Notice:
    """Make a notice whose name depends on its cause only.

    Parameters
    ----------
    kind : str
        Kind of :class:`~skaudio_ad.monitoring.Notice`.
    source : str
        Name of the source.
    time : float
        Unix time.
    text : str
    key : str or None, default=None
        What the cause is apart from the source and the kind. None takes the time, to the millisecond.
    duration : float, default=nan
        Seconds of sound that were lost.
    position : object, default=None
    **details
        Values that JSON can hold.

    Returns
    -------
    Notice
    """
    cause = "\0".join([source, kind, f"{time:.3f}" if key is None else key])
    digest = hashlib.blake2b(cause.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
    return Notice(
        id=f"{kind}-{digest}",
        time=time,
        kind=kind,
        text=text,
        duration=duration,
        details=details,
        position=position,
    )


def as_text(path: str) -> str:
    """Return a path as text that UTF-8 can hold. Bytes that are not UTF-8 become escapes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def seconds_text(seconds: float) -> str:
    """Return a duration for a message."""
    if seconds < 90:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} minutes" if seconds < 5400 else f"{seconds / 3600:.3g} hours"
