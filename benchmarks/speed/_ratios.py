"""Ratios of the command ``python -m benchmarks.speed``: one row for every pair of ours and a named peer."""

from importlib.util import find_spec
from pathlib import Path

#: Columns of the table of ratios, in order.
COLUMNS = (
    "part",
    "what",
    "ours",
    "peer",
    "unit",
    "time of ours",
    "time of peer",
    "ratio",
    "target",
    "met",
    "note",
)


def ratio_row(tables, title, *, what, ours, peer, target=None, where=None, needs=(), otherwise=""):
    """Return a row of the table of ratios from a table of times.

    Parameters
    ----------
    tables : dict of {str: list of dict}
        Tables of a report by title. A row has the contender in the first column that is named in `_NAMES`, and its time
        in a column whose name begins with "best" or "median". "best" has precedence.
    title : str
        Title of the table.
    what : str
        Work that both contenders do.
    ours, peer : str
        Names of the contenders.
    target : float or None, default=None
        Minimum ratio.
    where : dict or None, default=None
        Values of other columns, which choose the rows where a table compares the contenders several times.
    needs : tuple of str, default=()
        Packages without which the table lacks one of the contenders.
    otherwise : str, default=""
        Another reason why the table may lack one of the contenders.

    Returns
    -------
    dict
        Keys are `COLUMNS` without the part. The ratio is the time of the peer divided by our time. Where there is no
        time, the note says why.
    """
    rows = [
        row
        for row in tables.get(title, [])
        if all(str(row.get(key)) == str(value) for key, value in (where or {}).items())
    ]
    times = {row[next(name for name in _NAMES if name in row)]: _time(row) for row in rows}
    lacking = [name for name in (ours, peer) if name not in times]
    if lacking:
        note = missing_packages(needs) or otherwise or f"{lacking[0]} was not measured."
        return plain_row(what, ours, peer, target=target, note=note)
    (unit, our_time), (_, peer_time) = times[ours], times[peer]
    return plain_row(what, ours, peer, unit=unit, times=(our_time, peer_time), target=target)


def plain_row(what, ours, peer, *, unit="", times=None, target=None, note=""):
    """Return a row of the table of ratios from two times, (ours, peer), or without times from a note."""
    ratio = None if times is None else times[1] / times[0]
    met = "" if ratio is None or target is None else "yes" if ratio >= target else "no"
    return {
        "what": what,
        "ours": ours,
        "peer": peer,
        "unit": unit,
        "time of ours": "" if times is None else f"{times[0]:.3g}",
        "time of peer": "" if times is None else f"{times[1]:.3g}",
        "ratio": "" if ratio is None else f"{ratio:.2f}",
        "target": "" if target is None else f"{target:.3g}",
        "met": met,
        "note": note,
    }


def missing_packages(packages):
    """Return a sentence that names the packages that are not installed, or ""."""
    missing = [name for name in packages if find_spec(name) is None]
    return f"Not installed: {', '.join(missing)}." if missing else ""


def lacks_bfloat16():
    """Return why bfloat16 is not measured on this processor, or "" if it is."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:  # not Linux, so the instructions are not known
        return ""
    known = {"avx512_bf16", "amx_bf16", "bf16"}
    return "" if known & set(flags) else "The processor has no instructions for bfloat16."


#: Note of a part that needs a GPU, on a machine without one.
NO_GPU = "torch sees no GPU on this machine."
#: Names of the column that names the contender.
_NAMES = ("contender", "step", "runtime")


def _time(row):
    """Return the unit of the time in a row, and the time."""
    for start in ("best ", "median"):
        for name, value in row.items():
            if name.startswith(start):
                return name.removeprefix(start).strip(", "), float(value)
    raise ValueError(f"No column of the row has a time: {', '.join(row)}.")
