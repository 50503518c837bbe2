"""``skaudio-ad confirm``: tell a monitor which events were normal, and take it back."""

import sys
from datetime import datetime

import click

from ..monitoring._confirm import EventMarks, recalibrate
from ..persistence import load_detector, read_metadata
from ._common import friendly_errors
from ._options import FILE, FOLDER
from ._terminal import say

_UNDO_HELP = "Change of the memory to take back, such as m1. May be given more than once."


@click.command()
@click.argument("state", type=FOLDER)
@click.argument("events", nargs=-1, metavar="[EVENT]...")
@click.option("--normal", is_flag=True, help="The events were false alarms: learn their windows.")
@click.option("--fault", is_flag=True, help="The events were faults: only note this.")
@click.option("--list", "show_list", is_flag=True, help="List the events, their marks and all changes.")
@click.option("--undo", "undone", multiple=True, metavar="CHANGE", help=_UNDO_HELP)
@click.option(
    "--yes", is_flag=True, help="Learn an event although the event lies far from all that is normal."
)
@click.option(
    "--calibration",
    type=FILE,
    metavar="ALARM.json",
    help="Calibration to make again with the changed memory. The old file gets a number.",
)
@click.option(
    "--detector", type=FILE, metavar="FILE.skops", help="Detector of the monitor, for --calibration."
)
@friendly_errors
def confirm(state, events, normal, fault, show_list, undone, yes, calibration, detector):
    """Confirm events of a monitor as normal or as faults.

    STATE is the folder of `watch --state`. EVENT is the id of an event, or the first characters of the id. An event
    that is confirmed as normal was a false alarm: its windows join the memory of what is normal, and a monitor that
    runs uses them from its next windows on. Similar sounds then raise no alarm, so confirm only what is normal. Nothing
    is learnt from a fault. Every change is logged and can be taken back with --undo. Without an option, the command
    lists the events.
    """
    if (calibration is None) != (detector is None):
        raise click.UsageError("--calibration and --detector belong together: name both files.")
    if normal and fault:
        raise click.UsageError("--normal and --fault contradict each other: give one of them.")
    mark = "normal" if normal else "fault" if fault else None
    if (mark is None) != (not events):
        raise click.UsageError("name the events and say what they were: --normal or --fault.")
    sys.exit(run_confirm(state, events, mark, undone, show_list, yes, calibration, detector))


def run_confirm(
    state, events, mark, undone=(), show_list=False, force=False, calibration=None, detector=None
):
    """Mark events, take changes back, calibrate again and list, in this order.

    Parameters
    ----------
    state : pathlib.Path
    events : sequence of str
    mark : {"normal", "fault", None}
    undone : sequence of str, default=()
    show_list, force : bool, default=False
    calibration, detector : pathlib.Path or None, default=None

    Returns
    -------
    int
        Exit code 0.
    """
    marks = EventMarks(state)
    if detector is not None:
        fitted = load_detector(detector)
        marks.memory.extend(fitted)  # raises before a change if the detector does not fit the memory
    for change_id in undone:
        _undo(marks, change_id)
    for name in events:
        (_confirm_normal if mark == "normal" else _confirm_fault)(marks, name, force)
    if calibration is not None:
        digests = (read_metadata(detector).get("training") or {}).get("digests", ())
        found, old = recalibrate(fitted, marks.memory, calibration, training_digests=digests)
        marks.note_calibration(calibration)
        say(f"{calibration}: {found.statement}")
        say(f"The level is {found.policy.raise_level:.4g}. The old file is {old}. Start the monitor again.")
    if show_list or not (events or undone or calibration):
        _print_list(marks)
    return 0


def _undo(marks, change_id):
    undo = marks.undo(change_id)
    say(f"{change_id} is undone: {undo.n_windows} windows do not count as normal any more ({undo.id}).")
    _warn_of_calibrations(marks, change_id)


def _confirm_normal(marks, name, force):
    change = marks.mark_normal(name, force=force)
    say(f"{change.event}: normal. {change.n_windows} windows join the memory ({change.id}).")


def _confirm_fault(marks, name, force):
    undo = marks.mark_fault(name)
    event = marks.find(name).event.id
    say(
        f"{event}: fault. {'Nothing is learnt.' if undo is None else f'{undo.undoes} is undone ({undo.id}).'}"
    )
    if undo is not None:
        _warn_of_calibrations(marks, undo.undoes)


def _warn_of_calibrations(marks, change_id):
    for path in marks.calibrations_on(change_id):
        say(
            f"Warning: the level of {path} was calibrated with {change_id}, so this level raises more false alarms "
            "than stated. Calibrate again with --calibration, or put the older file back.",
            err=True,
        )


def _print_list(marks):
    listed = marks.listed()
    say(f"{'event':<16}  {'start':<19}  {'seconds':>7}  {'score':>9}  {'p-value':>7}  {'windows':>7}  mark")
    for marked in listed:
        event = marked.event
        values = f"{event.end - event.start:>7.1f}  {event.score:>9.4g}  {event.p_value:>7.2g}  {marked.n_windows:>7}"
        mark = f"{marked.mark or '-'}{f' ({marked.change})' if marked.change else ''}"
        say(f"{event.id:<16}  {_format_start(event.start):<19}  {values}  {mark}")
    n_normal = sum(marked.mark == "normal" for marked in listed)
    n_fault = sum(marked.mark == "fault" for marked in listed)
    n_marked = n_normal + n_fault
    say(
        f"{len(listed)} events: {n_normal} normal, {n_fault} faults, {len(listed) - n_marked} without a mark."
    )
    if n_marked:
        say(f"{100 * n_normal / n_marked:.0f} % of the marked events were false alarms.")
    for change in marks.memory.changes:
        what = f"undoes {change.undoes}" if change.reason == "undo" else change.reason
        said = f"{change.id:<6}  {_format_start(change.time)}  {what}, {change.n_windows} windows, by {change.who}"
        say(f"{said}, event {change.event}" if change.event else said)


def _format_start(seconds):
    """Local time of a Unix time; seconds for the time in a recording."""
    if seconds < 1e8:  # before 1973
        return f"{seconds:.1f} s"
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
