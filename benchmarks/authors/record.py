"""Record some numbers that the authors' code computes: ``python -m benchmarks.authors.record beats``.

The numbers go to ``tests/networks/authors/NAME.json``, and the tests compare our networks with them on every machine.
"""

import json
import sys
from importlib import import_module
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[2] / "tests" / "networks" / "authors"
# Number of values that are kept of every output.
_N_KEPT = 64


def kept_values(output: np.ndarray) -> list[float]:
    """Values of an output that the file keeps, spread evenly over its elements."""
    flat = np.asarray(output, dtype=np.float64).ravel()
    return [float(f"{value:.9g}") for value in flat[np.linspace(0, flat.size - 1, _N_KEPT).astype(int)]]


def record(name: str) -> None:
    """Run the authors' code and write its numbers.

    Parameters
    ----------
    name : str
        Name of a module of this folder. Its function ``numbers`` returns a dict: "commit", and "outputs", a dict of
        arrays by the name of the output. The module documents the network, its seed and its waveforms.
    """
    made = dict(import_module(f"benchmarks.authors.{name}").numbers())
    outputs = {
        output: {"shape": list(np.shape(values)), "values": kept_values(values)}
        for output, values in made.pop("outputs").items()
    }
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps({**made, "outputs": outputs}, indent=1)
    (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        record(argument)
