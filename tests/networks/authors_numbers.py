"""Numbers that the authors' code computed, in the files of the folder ``authors``.

``python -m benchmarks.authors.record`` wrote the files. `benchmarks/authors` documents the weights and waveforms.
"""

import json

import numpy as np

from benchmarks.authors.record import FOLDER, kept_values


def recorded(name):
    """The content of the file of an encoder."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def assert_equals_the_authors(name, output, values, tolerance=1e-5):
    """Raise unless an output equals the recorded one, relative to the largest value."""
    expected = recorded(name)["outputs"][output]
    assert list(np.shape(values)) == expected["shape"]
    numbers = np.array(expected["values"])
    difference = np.abs(np.array(kept_values(values)) - numbers).max()
    assert difference <= tolerance * np.abs(numbers).max(), (difference, np.abs(numbers).max())
