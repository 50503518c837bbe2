"""Find out when a file of sound was recorded, and by which recorder, from its name."""

import datetime as dt
import re
import zoneinfo

# A time in a name: 20261127_095411, 2026-11-27T09-54-11Z, 2026-11-27 09.54.11.250, 20261127095411+0100.
_TIME = re.compile(
    r"(?<!\d)((?:19|20)\d\d)([-_.]?)(\d\d)\2(\d\d)[T _-]{0,2}(\d\d)([-:_.]?)(\d\d)\6(\d\d)(?:[.,](\d{1,9}))?"
    # Time zones lie between -12:00 and +14:00 in steps of 15 minutes. Other digits are a number of the file.
    r"(Z|[+-](?:0\d|1[0-4]):?(?:00|15|30|45))?(?!\d)",
    re.IGNORECASE,
)
_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")


def check_time_zone(name: str | None) -> None:
    """Raise a ValueError unless `name` is a time zone that this computer knows, or None."""
    if name is not None:
        try:
            zoneinfo.ZoneInfo(name)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            raise ValueError(
                f"time_zone={name!r} is unknown; give a name such as 'UTC' or 'Europe/Berlin', or None for the time "
                "zone of this computer."
            ) from None


def time_in_name(name: str, time_zone: str | None = None) -> tuple[float, float] | None:
    """Read the time in the name of a file.

    Parameters
    ----------
    name : str
        Name without folder.
    time_zone : str or None, default=None
        Time zone of times that do not name one. None is the time zone of this computer.

    Returns
    -------
    tuple of float, or None
        Unix time and its resolution, in seconds. None if the name holds no time.
    """
    match = _TIME.search(name)
    if match is None:
        return None
    year, _, month, day, hour, _, minute, second, fraction, zone = match.groups()
    try:
        time = dt.datetime(int(year), int(month), int(day), int(hour), int(minute), int(second))
    except ValueError:  # such as month 13: the digits are no time
        return None
    if zone:
        text = zone.upper().replace("Z", "+00:00")
        sign, digits = -1 if text[0] == "-" else 1, text[1:].replace(":", "")
        offset = sign * dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        time = time.replace(tzinfo=dt.timezone(offset))
    elif time_zone is not None:
        time = time.replace(tzinfo=zoneinfo.ZoneInfo(time_zone))
    return time.timestamp() + float(f"0.{fraction or 0}"), 10.0 ** -len(fraction or "")


def recorder_of(name: str) -> str:
    """Return the part of a name that files of one recorder share: the name without its time or its last number."""
    stem = name.rpartition(".")[0] or name
    match = _TIME.search(stem)
    if match is not None:
        return f"{stem[: match.start()]}*{stem[match.end() :]}"
    return _LAST_NUMBER.sub("*", stem)
