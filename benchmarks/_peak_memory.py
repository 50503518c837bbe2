"""Peak memory of this process."""

import sys
from pathlib import Path


def reset_peak():
    """Set the peak to the current resident memory, and return it.

    Returns
    -------
    float
        Resident memory in MB. Where the system cannot reset the peak (not Linux), the peak since the start.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return peak()
    return _status("VmRSS")


def peak():
    """Return the peak of the resident memory since the last reset.

    Returns
    -------
    float
        Peak in MB.
    """
    if Path("/proc/self/status").exists():
        return _status("VmHWM")
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, other systems count KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _status(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"/proc/self/status has no {field}.")
