"""``skaudio-ad watch``: listen to a source all day, and report what sounds wrong."""

import contextlib
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import click

from ._common import describe_error, friendly_errors
from ._options import FILE, FOLDER
from ._terminal import say
from ._watch_config import read_config
from ._watch_sinks import build_sinks

# Settings of the source, which `open_source` takes.
_OF_SOURCE = (
    "sample_rate",
    "n_channels",
    "format",
    "speed",
    "pattern",
    "settle",
    "gaps",
    "time_zone",
    "process_existing",
    "reconnect",
    "patience",
)

# Settings of the monitor itself.
_OF_MONITOR = ("window", "hop", "state", "drift", "allow_lower_rate")


@click.command()
@click.argument("detector", type=FILE, required=False)
@click.argument("source", required=False)
@click.option(
    "--config",
    type=FILE,
    metavar="FILE.toml",
    help="Settings of all kinds. Options of the command line come first.",
)
@click.option(
    "--alarm",
    type=FILE,
    metavar="ALARM.json",
    help="Levels and stated rate of false events, from `calibrate`.  [default: the threshold of the detector]",
)
@click.option(
    "--state",
    type=FOLDER,
    metavar="FOLDER",
    help="Folder of the log and of all that must outlive a restart.  [default: nothing is kept]",
)
@click.option(
    "--window",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Duration of a window.  [default: as in the calibration or the training]",
)
@click.option(
    "--hop",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Time between the starts of two windows.  [default: as in the calibration, or half a window]",
)
@click.option(
    "--jsonl", type=FILE, metavar="FILE.jsonl", help="File for windows, events and notices as JSON lines."
)
@click.option(
    "--csv", "csv_path", type=FILE, metavar="FILE.csv", help="File for windows, events and notices as CSV."
)
@click.option(
    "--audio", type=FOLDER, metavar="FOLDER", help="Folder for the sound and the spectrogram of every event."
)
@click.option(
    "--on-event",
    metavar="COMMAND",
    help="Program to start at every event, with its arguments. The program gets the event as JSON on standard input. "
    "No shell is used.",
)
@click.option("--webhook", metavar="URL", help="Address that gets events and notices by POST.")
@click.option("--mqtt", metavar="HOST", help="MQTT broker. Home Assistant discovers the alarm there.")
@click.option("--metrics", type=FILE, metavar="FILE.prom", help="File of metrics for Prometheus.")
@click.option(
    "--page",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Port of a live page on this machine, as 8000.",
)
@click.option(
    "--sample-rate",
    type=click.IntRange(min=1),
    metavar="HERTZ",
    help="Samples per second of a source that does not tell the rate.",
)
@click.option(
    "--channels", "n_channels", type=click.IntRange(min=1), help="Number of channels of such a source."
)
@click.option("--format", "format_", metavar="FORMAT", help="Format of raw samples, such as s16le.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="FACTOR",
    help="Speed at which a file is played. 1 is real time.  [default: as fast as possible]",
)
@click.option(
    "--quiet-hours/--no-quiet-hours",
    default=None,
    help="Let a few windows of quiet normal hours join the memory of what is normal.  [default: --no-quiet-hours]",
)
@click.option("--drift/--no-drift", default=None, help="Test for drift.  [default: --drift]")
@click.option("--view/--no-view", default=True, show_default=True, help="Show the state on the terminal.")
@friendly_errors
def watch(detector, source, config, csv_path, format_, view, **options):
    """Listen to a source all day, and report what sounds wrong.

    DETECTOR is a file that `fit` wrote. SOURCE is a growing folder of recordings, a file, "-" for standard input,
    "mic:" or "mic:NAME" for a microphone, or an address (rtsp://, http://). Both may come from --config.

    An event is raised and cleared at the levels of ALARM.json, which `calibrate` finds from held-out normal recordings.
    With --state, the command goes on after a restart where it has stopped.
    """
    given = options | {"detector": detector, "source": source, "csv": csv_path, "format": format_}
    settings = merge_settings({} if config is None else _read_config(config), given)
    from ..monitoring import StateError

    try:
        sys.exit(run_watch(settings, view=view))
    except StateError as error:
        raise click.ClickException(str(error)) from error


def _read_config(path):
    """Read the configuration file. Errors keep the names of the keys, which are no options."""
    try:
        return read_config(path)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def merge_settings(settings, given):
    """Put options of the command line in the place of settings of the configuration file.

    Parameters
    ----------
    settings : dict
        As :func:`read_config` returns them.
    given : dict
        Options by name. None means that an option was not given.

    Returns
    -------
    dict
        Of the same form as `settings`.
    """
    settings = dict(settings)
    tables = {
        "jsonl": lambda value: {"path": str(value)},
        "csv": lambda value: {"path": str(value)},
        "audio": lambda value: {"folder": str(value)},
        "webhook": lambda value: {"url": value},
        "metrics": lambda value: {"path": str(value)},
        "page": lambda value: {"port": value},
    }
    for name, value in given.items():
        if value is None:
            continue
        if name == "on_event":
            settings["command"] = [{"argv": shlex.split(value)}]
        elif name == "mqtt":
            host, _, port = value.partition(":")
            settings["mqtt"] = [{"host": host, **({"port": int(port)} if port.isdecimal() else {})}]
        elif name in tables:
            settings[name] = [tables[name](value)]
        else:
            settings[name] = str(value) if isinstance(value, Path) else value
    return settings


def run_watch(settings, *, view=True):
    """Listen until the source ends or a signal stops the program.

    Parameters
    ----------
    settings : dict
        As :func:`merge_settings` returns them.
    view : bool, default=True

    Returns
    -------
    int
        Exit code: 0 if the source has ended or a signal has stopped the program.
    """
    from ..monitoring import Monitor
    from ..monitoring.sources import open_source
    from ..persistence import load_detector

    for name, form in (("detector", "DETECTOR"), ("source", "SOURCE")):
        if name not in settings:
            raise click.UsageError(f"{form} is missing: name it, or set {name} in the file of --config.")
    sinks = build_sinks(settings, view=view)
    of_source = {name: settings[name] for name in _OF_SOURCE if name in settings}
    source = open_source(settings["source"], **of_source)
    optional = {name: settings[name] for name in _OF_MONITOR if name in settings}
    try:
        detector = load_detector(settings["detector"])
        optional["memory"] = _memory(detector, settings)
        monitor = Monitor(detector, source, sinks, calibration=settings.get("alarm"), **optional)
    except BaseException:
        source.close()
        raise
    if "alarm" not in settings:
        say(
            "Note: without --alarm the threshold of the detector raises alarms, and no rate of false events is stated. "
            "`skaudio-ad calibrate` states a rate from held-out normal recordings.",
            err=True,
        )
    with monitor, _stopped_by_signals(monitor):
        monitor.run()
    return 0


def _memory(detector, settings):
    """Return the memory of what is normal, for `confirm`. None without a state folder, or if no bank can grow."""
    from ..monitoring import NormalMemory, QuietHours

    quiet_hours = settings.get("quiet_hours", False)
    if "state" not in settings:
        if quiet_hours:
            raise click.UsageError("quiet hours need the folder of --state for the memory of what is normal.")
        return None
    memory = NormalMemory(settings["state"], quiet_hours=QuietHours() if quiet_hours else None)
    try:
        memory.extend(detector)
    except ValueError as error:
        if quiet_hours or memory.active:
            raise
        say(f"Note: `confirm` cannot add windows to this detector: {describe_error(error)}", err=True)
        return None
    return memory


@contextlib.contextmanager
def _stopped_by_signals(monitor):
    """Stop the monitor at Ctrl-C and at the signal for termination. A second signal ends the program at once."""
    before: dict[signal.Signals, Any] = {}

    def stop(number, frame):
        for one, handler in before.items():
            signal.signal(one, handler)
        monitor.stop()

    for one in (signal.SIGINT, signal.SIGTERM):
        before[one] = signal.signal(one, stop)
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
