"""The configuration file of ``skaudio-ad watch``: TOML, with one table for every sink."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from .._clip_errors import shown


class Key(NamedTuple):
    """Kind of a value in the configuration file.

    Attributes
    ----------
    kinds : tuple of type
        Types that the value may have.
    is_path : bool
        Whether the value is a path. A relative path counts from the folder of the configuration file.
    """

    kinds: tuple[type, ...]
    is_path: bool = False


_TEXT, _PATH = Key((str,)), Key((str,), is_path=True)
_NUMBER, _COUNT, _SWITCH = Key((int, float)), Key((int,)), Key((bool,))
_TEXTS, _TABLE = Key((list,)), Key((dict,))

# Sources that are no paths: standard input, a microphone and an address.
_NO_PATH = re.compile(r"-$|mic:|[a-z]+://", re.IGNORECASE)

#: Keys at the top of the file.
TOP = {
    "detector": _PATH,
    "source": _TEXT,
    "alarm": _PATH,
    "state": _PATH,
    "window": _NUMBER,
    "hop": _NUMBER,
    "drift": _SWITCH,
    "quiet_hours": _SWITCH,
    "sample_rate": _COUNT,
    "n_channels": _COUNT,
    "format": _TEXT,
    "speed": _NUMBER,
    "pattern": _TEXT,
    "settle": _NUMBER,
    "gaps": _TEXT,
    "time_zone": _TEXT,
    "process_existing": _SWITCH,
    "reconnect": _SWITCH,
    "patience": _NUMBER,
    "allow_lower_rate": _SWITCH,
}
#: Keys of the tables of sinks, by the name of the table.
TABLES = {
    "jsonl": {"path": _PATH, "windows": _SWITCH, "max_bytes": _NUMBER, "n_files": _COUNT, "name": _TEXT},
    "csv": {"path": _PATH, "windows": _SWITCH, "max_bytes": _NUMBER, "n_files": _COUNT, "name": _TEXT},
    "audio": {
        "folder": _PATH,
        "pre_roll": _NUMBER,
        "post_roll": _NUMBER,
        "max_duration": _NUMBER,
        "max_bytes": _NUMBER,
        "min_free": _NUMBER,
        "picture": _SWITCH,
    },
    "command": {"argv": _TEXTS, "on": _TEXTS, "timeout": _NUMBER, "name": _TEXT},
    "webhook": {
        "url": _TEXT,
        "headers": _TABLE,
        "on": _TEXTS,
        "timeout": _NUMBER,
        "secret": _TEXT,
        "name": _TEXT,
    },
    "mqtt": {
        "host": _TEXT,
        "port": _COUNT,
        "username": _TEXT,
        "password": _TEXT,
        "tls": _SWITCH,
        "topic": _TEXT,
        "discovery": _TEXT,
        "device_name": _TEXT,
        "on": _TEXTS,
    },
    "metrics": {"path": _PATH, "host": _TEXT, "port": _COUNT, "allow_network": _SWITCH},
    "page": {"host": _TEXT, "port": _COUNT, "allow_network": _SWITCH, "history": _NUMBER},
}
#: Tables that may be repeated, as in ``[[webhook]]``.
REPEATED = ("jsonl", "csv", "command", "webhook")


def read_config(path: Path) -> dict[str, Any]:
    """Read a configuration file.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    dict
        Keys of `TOP` with their values, and for every table in `TABLES` a list of dicts. Relative paths are joined to
        the folder of the file.

    Raises
    ------
    ValueError
        If the file is no TOML, or has an unknown key or a value of another type. The message names the file and the
        key.
    OSError
        If the file cannot be read.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: is no TOML file: {error}.") from error
    settings: dict[str, Any] = {}
    for name, value in found.items():
        if name in TABLES:
            settings[name] = [_checked_table(path, name, table) for table in _tables(path, name, value)]
        else:
            settings[name] = _checked(path, name, value, TOP, [*TOP, *TABLES])
    if "source" in settings and not _NO_PATH.match(settings["source"]):
        settings["source"] = _joined(path, settings["source"])
    return settings


def _tables(path, name, value):
    if name in REPEATED and isinstance(value, list):
        return value
    if not isinstance(value, dict):
        brackets = f"[[{name}]]" if name in REPEATED else f"[{name}]"
        raise ValueError(
            f"{path}: {name} must be a table: write {brackets} and its keys on lines of their own."
        )
    return [value]


def _checked_table(path, name, table):
    if not isinstance(table, dict):
        raise ValueError(f"{path}: every {name} must be a table: write [[{name}]].")
    keys = TABLES[name]
    return {key: _checked(path, f"{name}.{key}", value, keys, list(keys)) for key, value in table.items()}


def _checked(path, name, value, keys, known):
    key = name.rpartition(".")[2]
    if key not in keys:
        close = difflib.get_close_matches(key, known, n=1)
        advice = f"Did you mean {close[0]}?" if close else f"Known keys: {', '.join(sorted(known))}."
        raise ValueError(f"{path}: the key {shown(name)} is unknown. {advice}")
    kind = keys[key]
    if not isinstance(value, kind.kinds) or (isinstance(value, bool) and bool not in kind.kinds):
        wanted = " or ".join(one.__name__ for one in kind.kinds)
        raise ValueError(f"{path}: {name} must be of type {wanted}, got {value!r}.")
    if kind.is_path:
        return _joined(path, value)
    return value


def _joined(path, value):
    return str(path.parent / Path(value).expanduser())
