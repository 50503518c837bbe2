"""Read tables of embeddings that `embed` wrote, or that another program wrote as CSV."""

import csv
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np

from .._clip_errors import explain

#: Endings of files that hold a table of embeddings.
ENDINGS = (".npz", ".parquet", ".csv")


@dataclass
class EmbeddingTable:
    """Embeddings of recordings.

    Attributes
    ----------
    path : pathlib.Path
        File of the table.
    embeddings : ndarray of shape (n_recordings, n_features), float32
    paths : list of str
        Names of the recordings.
    names : list of str
        Names of the columns.
    weights_sha256 : str
        Checksum of the weights of the backbone. "" if the table does not tell.
    settings : dict
        Settings of the embedding, such as the level. Empty if the table does not tell.
    """

    path: Path
    embeddings: Any
    paths: list[str]
    names: list[str]
    weights_sha256: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    def facts(self):
        """Return what a table must share with the table that a detector was trained on."""
        return {"names": self.names, "weights_sha256": self.weights_sha256, "settings": self.settings}


def find_table(recordings):
    """Return the path of the table among the arguments, or None if there is none.

    Parameters
    ----------
    recordings : sequence of pathlib.Path

    Raises
    ------
    click.BadParameter
        If there are other arguments beside a table.
    """
    tables = [path for path in recordings if path.suffix.lower() in ENDINGS and not path.is_dir()]
    if not tables:
        return None
    if len(recordings) > 1:
        raise click.BadParameter(
            f"{tables[0]} is a table of embeddings and must be the only argument: name one table, or recordings.",
            param_hint="RECORDINGS",
        )
    return tables[0]


def read_table(path):
    """Read a table of embeddings.

    Parameters
    ----------
    path : pathlib.Path
        File that ends in ``.npz`` or ``.parquet``, as `embed` writes it, or in ``.csv``: one row for each recording, a
        column "path", and numbers in the other columns.

    Returns
    -------
    EmbeddingTable

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is no such table.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file.")
    readers = {".npz": _read_npz, ".parquet": _read_parquet, ".csv": _read_csv}
    try:
        table = readers[path.suffix.lower()](path)
    except ImportError:
        raise
    except Exception as error:  # a damaged file makes the readers raise many types of errors
        raise ValueError(
            f"{path}: is no table of embeddings ({explain(error)}). A table is a file that "
            "`skaudio-ad embed` wrote, or a CSV file with a column 'path' and columns of numbers."
        ) from error
    if table.embeddings.ndim != 2 or not table.embeddings.size:
        raise ValueError(f"{path}: holds no embeddings: its values have the shape {table.embeddings.shape}.")
    return table


def _read_npz(path):
    if not zipfile.is_zipfile(path):
        raise ValueError("the file is no .npz file, or is cut short")
    with np.load(path, allow_pickle=False) as file:
        settings = json.loads(str(file["settings"])) if "settings" in file else {}
        return EmbeddingTable(
            path,
            np.asarray(file["embeddings"], dtype=np.float32),
            file["paths"].tolist(),
            file["names"].tolist(),
            str(file["weights_sha256"]),
            settings,
        )


def _read_parquet(path):
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            f"{path}: reading a .parquet file needs pyarrow: pip install 'skaudio_ad[parquet]'; or use an .npz."
        ) from error
    table = parquet.read_table(path)
    known = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    names = [name for name in table.column_names if name != "path"]
    values = [table[name].to_numpy(zero_copy_only=False) for name in names]
    return EmbeddingTable(
        path,
        np.stack(values, axis=1).astype(np.float32),
        table["path"].to_pylist(),
        names,
        known.get("weights_sha256", ""),
        json.loads(known.get("settings", "{}")),
    )


def _read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        header = next(rows)
        place = header.index("path")
        paths, values = [], []
        for row in rows:
            paths.append(row.pop(place))
            values.append([float(cell) if cell else np.nan for cell in row])
    return EmbeddingTable(
        path, np.array(values, dtype=np.float32), paths, header[:place] + header[place + 1 :]
    )


def check_same_kind(table, trained_on, trained_path):
    """Raise if a table differs in kind from the embeddings that a detector was trained on.

    Parameters
    ----------
    table : EmbeddingTable
    trained_on : dict
        Result of :meth:`EmbeddingTable.facts`. Facts that are missing or empty are not compared.
    trained_path : path-like
        File of the detector, for the message.

    Raises
    ------
    ValueError
    """
    expected = trained_on.get("names") or table.names
    way = (
        "Embed the recordings again with the same options; the name of a column begins with --backbone and --kind."
        if table.names != expected
        else "Embed the recordings again with the same options."
    )
    if len(table.names) != len(expected):
        raise ValueError(
            f"{table.path}: has {len(table.names)} values for each recording ({table.names[0]}, ...), but "
            f"{trained_path} was trained on {len(expected)} ({expected[0]}, ...). {way}"
        )
    if table.names != expected:
        index = next(i for i, (own, other) in enumerate(zip(table.names, expected)) if own != other)
        raise ValueError(
            f"{table.path}: column {index} is {table.names[index]!r}, but {trained_path} was trained on "
            f"{expected[index]!r}: the backbone or the kind of vector differs. {way}"
        )
    digest = trained_on.get("weights_sha256")
    if digest and table.weights_sha256 and digest != table.weights_sha256:
        raise ValueError(
            f"{table.path}: was made with other weights (sha256 {table.weights_sha256[:12]}...) than the embeddings "
            f"that {trained_path} was trained on ({digest[:12]}...). {way}"
        )
    for name, value in (trained_on.get("settings") or {}).items():
        if name in table.settings and table.settings[name] != value:
            raise ValueError(
                f"{table.path}: was embedded with {name} {table.settings[name]!r}, but {trained_path} was trained on "
                f"embeddings with {name} {value!r}. {way}"
            )
