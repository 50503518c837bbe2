"""The sinks that the options and the configuration file of ``skaudio-ad watch`` ask for."""

import os
from typing import Any

import click

# Environment variables that hold secrets, because other users of a machine can read the options of a program.
_MQTT_PASSWORD = "SKAUDIO_AD_MQTT_PASSWORD"
_WEBHOOK_SECRET = "SKAUDIO_AD_WEBHOOK_SECRET"


def build_sinks(settings: dict[str, Any], *, view: bool) -> list[Any]:
    """Build the sinks.

    Parameters
    ----------
    settings : dict
        Settings as :func:`read_config` returns them.
    view : bool
        Whether to show the state on the terminal.

    Returns
    -------
    list of Sink
        Sinks that have not been opened.

    Raises
    ------
    click.UsageError
        If a sink lacks a setting that it needs.
    ValueError, ImportError
        If a setting is wrong, or the package of a sink is not installed.
    """
    from ..monitoring import sinks

    made: list[Any] = []
    for number, table in enumerate(settings.get("jsonl", ())):
        made.append(sinks.JsonLinesSink(_needed("jsonl", table, "path"), **_numbered("jsonl", number, table)))
    for number, table in enumerate(settings.get("csv", ())):
        made.append(sinks.CsvSink(_needed("csv", table, "path"), **_numbered("csv", number, table)))
    audio_folder = None
    for table in settings.get("audio", ()):
        audio_folder = _needed("audio", table, "folder")
        made.append(sinks.AudioSink(audio_folder, **table))
    for number, table in enumerate(settings.get("command", ())):
        argv = _needed("command", table, "argv")
        made.append(sinks.CommandSink(argv, **_numbered("command", number, table)))
    for number, table in enumerate(settings.get("webhook", ())):
        table = {"secret": os.environ.get(_WEBHOOK_SECRET), **table}
        url = _needed("webhook", table, "url")
        made.append(sinks.WebhookSink(url, **_numbered("webhook", number, table)))
    for table in settings.get("mqtt", ()):
        table = {"password": os.environ.get(_MQTT_PASSWORD), **table}
        made.append(sinks.MqttSink(_needed("mqtt", table, "host"), **table))
    for table in settings.get("metrics", ()):
        path = table.pop("path", None)
        if path is not None:
            made.append(sinks.PrometheusFileSink(path))
        if table or path is None:
            made.append(sinks.MetricsSink(**table))
    for table in settings.get("page", ()):
        made.append(sinks.PageSink(audio_folder=audio_folder, **table))
    if view:
        made.append(sinks.TerminalSink())
    return made


def _needed(name, table, key):
    """Take a setting out of a table, or raise an error of the command line."""
    if key not in table:
        raise click.UsageError(f"the table [{name}] of the configuration file needs the key {key}.")
    return table.pop(key)


def _numbered(name, number, table):
    """Give the second and later sinks of a kind names of their own."""
    return table if number == 0 else {"name": f"{name}-{number + 1}", **table}
