"""Files of cells of the benchmark of detection, one JSON file a cell.

The name of the file depends on what was asked: set, task, clips, configuration, seed and false-alarm rate. A cell
whose file is there is not run again, even if the file was made with other versions of packages. A cell that failed is
tried again, and so is a cell that was left out because of a lower limit. A cell is written atomically, so an
interruption loses the cell that was running.
"""

import hashlib
import json
import os
import re
from pathlib import Path

import numpy as np

from skaudio_ad._atomic import atomic_path

from ._configurations import FALSE_ALARMS


def asked(task, configuration, seed):
    """Return what identifies a cell.

    Parameters
    ----------
    task : Task
    configuration : Configuration
    seed : int

    Returns
    -------
    dict
        "clips" is a digest of the names, labels and roles of the clips.
    """
    home = os.path.commonpath(task.paths) if len(task.paths) > 1 else os.path.dirname(task.paths[0])
    names = [Path(os.path.relpath(path, home)).as_posix() for path in task.paths]
    parts = [names, *(np.asarray(values).tolist() for values in (task.y, task.train, task.test))]
    return {
        "set": task.set,
        "task": task.name,
        "configuration": configuration.name,
        "seed": seed,
        "false_alarms": FALSE_ALARMS,
        "clips": hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16],
    }


def cell_path(folder, key):
    """Return the path of the file of a cell."""
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:10]
    parts = [re.sub(r"[^a-z0-9]+", "_", str(key[name]).lower()) for name in ("set", "configuration", "task")]
    return Path(folder) / f"{'-'.join(parts)}-{key['seed']}-{digest}.json"


def read_cell(folder, key):
    """Return the cell that was asked for, or None if there is no such file or the file is damaged."""
    try:
        cell = json.loads(cell_path(folder, key).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return cell if cell.get("asked") == key else None


def write_cell(folder, cell):
    """Write a cell atomically."""
    with atomic_path(cell_path(folder, cell["asked"])) as temporary:
        Path(temporary).write_text(json.dumps(cell), encoding="utf-8")
