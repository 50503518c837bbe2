"""The sinks that the options and the configuration file of ``skaudio-ad watch`` ask for."""

import os
from typing import Any

import click

from ._watch_config import TABLES

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

    # Tables are copied, because a setting that is taken out of a table would be missing at the next call.
    tables = {name: [dict(table) for table in settings.get(name, ())] for name in TABLES}
    for name, variable, key in (("webhook", _WEBHOOK_SECRET, "secret"), ("mqtt", _MQTT_PASSWORD, "password")):
        for table in tables[name]:
            table.setdefault(key, os.environ.get(variable))
    audio_folder = next((table.get("folder") for table in tables["audio"]), None)
    made: list[Any] = []
    for name, sink, key in (
        ("jsonl", sinks.JsonLinesSink, "path"),
        ("csv", sinks.CsvSink, "path"),
        ("audio", sinks.AudioSink, "folder"),
        ("command", sinks.CommandSink, "argv"),
        ("webhook", sinks.WebhookSink, "url"),
        ("mqtt", sinks.MqttSink, "host"),
    ):
        for number, table in enumerate(tables[name]):
            made.append(sink(_needed(name, table, key), **_numbered(name, number, table)))
    for table in tables["metrics"]:
        path = table.pop("path", None)
        if path is not None:
            made.append(sinks.PrometheusFileSink(path))
        if table or path is None:
            made.append(sinks.MetricsSink(**table))
    for table in tables["page"]:
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
