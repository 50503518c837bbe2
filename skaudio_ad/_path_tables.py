"""Functions from a table of paths to the same table with more columns, for frameworks that spread tables."""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


class PathTableFunction(ABC):
    """Function that adds columns to a table of paths, and says in one column what is wrong with a row.

    A table is a pandas DataFrame, a dict of arrays or lists, or a Table or RecordBatch of pyarrow. The result is of the
    same kind and has the same rows in the same order, also the same index. A subclass defines `_compute` and
    `_n_columns`.

    Parameters
    ----------
    path_column : str
        Name of the column of paths.
    columns : sequence of str
        Names of the new columns, in the order in which `_compute` returns their values.
    error_column : str
        Name of the new column of errors. An entry is "" if all is well.

    Raises
    ------
    ValueError, TypeError
        If a name is no text, or names two columns.
    """

    def __init__(self, path_column: str, columns: Sequence[str], error_column: str) -> None:
        names = (path_column, *columns, error_column)
        for name in names:
            if not isinstance(name, str):
                raise TypeError(f"names of columns must be str, got {name!r}.")
        if len(set(names)) < len(names):
            raise ValueError(f"names of columns must differ, got {', '.join(map(repr, names))}.")
        self.path_column, self.columns, self.error_column = path_column, tuple(columns), error_column

    def __repr__(self) -> str:
        new = ", ".join(map(repr, (*self.columns, self.error_column)))
        return f"<{type(self).__name__} from {self.path_column!r} to {new}>"

    def __call__(self, table: Any) -> Any:
        """Return a table of the same kind with the new columns.

        Parameters
        ----------
        table : DataFrame, dict of array-like, pyarrow.Table or pyarrow.RecordBatch

        Returns
        -------
        table of the same kind

        Raises
        ------
        TypeError
            If the table is of another kind.
        ValueError
            If the column of paths is missing or there twice, or the table has a column of a new name.
        """
        kind = _kind_of(table)
        self._check_names(kind.names(table))
        values = kind.column(table, self.path_column)
        errors = [_problem(value) for value in values]
        usable = [row for row, error in enumerate(errors) if not error]
        paths = [str(os.fsdecode(values[row])) for row in usable]
        computed, found = self._compute(paths)
        for row, error in zip(usable, found):
            errors[row] = error
        if len(usable) < len(values):
            computed = [_spread(column, usable, len(values)) for column in computed]
        return kind.add(table, dict(zip(self.columns, computed)), self.error_column, errors)

    @abstractmethod
    def _compute(self, paths: list[str]) -> tuple[list[np.ndarray], list[str]]:
        """New columns, arrays of length n_paths, and the errors. `paths` may be empty."""

    def _check_names(self, names):
        n_found = names.count(self.path_column)
        if n_found != 1:
            raise ValueError(
                f"The table must have one column {self.path_column!r} of paths, and has {n_found}. Its columns: "
                f"{', '.join(map(repr, names)) or 'none'}. Name the column of paths with path_column=."
            )
        taken = [name for name in (*self.columns, self.error_column) if name in names]
        if taken:
            raise ValueError(
                f"The table already has a column {taken[0]!r}, which would be lost. Drop it, or give the new column "
                "another name in batch_function()."
            )


def _problem(value):
    """Return what is wrong with an entry of the column of paths, or ""."""
    if not isinstance(value, (str, bytes, os.PathLike)):
        # pandas writes a missing entry as NaN, NA or NaT.
        is_missing = value is None or type(value).__name__ in ("NAType", "NaTType")
        is_missing = is_missing or (isinstance(value, float) and value != value)
        return "the path is missing." if is_missing else f"a path must be text, got {type(value).__name__}."
    path = os.fsdecode(value)
    if not path:
        return "the path is empty."
    return "the path has a null character." if "\0" in path else ""


def _spread(values, rows, n_rows):
    """Put values into rows of a longer array. The other rows are NaN, or 0 for integers."""
    fill = np.nan if values.dtype.kind == "f" else 0
    spread = np.full((n_rows, *values.shape[1:]), fill, dtype=values.dtype)
    spread[rows] = values
    return spread


class _Dict:
    @staticmethod
    def names(table):
        return list(table)

    @staticmethod
    def column(table, name):
        return list(table[name])

    @staticmethod
    def add(table, columns, error_column, errors):
        return {**table, **columns, error_column: np.array(errors, dtype=str)}


class _Pandas:
    @staticmethod
    def names(table):
        return list(table.columns)

    @staticmethod
    def column(table, name):
        return table[name].tolist()

    @staticmethod
    def add(table, columns, error_column, errors):
        import pandas as pd

        table = table.copy(deep=False)
        for name, values in columns.items():
            # A cell holds one vector.
            if values.ndim > 1:
                values = pd.Series(list(values), index=table.index, dtype=object)
            table[name] = values
        table[error_column] = pd.Series(errors, index=table.index, dtype="str")
        return table


class _Arrow:
    @staticmethod
    def names(table):
        return list(table.schema.names)

    @staticmethod
    def column(table, name):
        return table.column(table.schema.get_field_index(name)).to_pylist()

    @staticmethod
    def add(table, columns, error_column, errors):
        import pyarrow as pa

        for name, values in columns.items():
            made = pa.array(values.ravel())
            if values.ndim > 1:
                made = pa.FixedSizeListArray.from_arrays(made, values.shape[1])
            table = table.append_column(name, made)
        return table.append_column(error_column, pa.array(errors, pa.string()))


def _kind_of(table):
    """Return what reads and extends a table of this kind. No package is imported for the check."""
    package, name = type(table).__module__.partition(".")[0], type(table).__name__
    if isinstance(table, Mapping):
        return _Dict
    if package == "pandas" and name == "DataFrame":
        return _Pandas
    if package == "pyarrow" and name in ("Table", "RecordBatch"):
        return _Arrow
    raise TypeError(
        "a table must be a pandas DataFrame, a dict of arrays, or a Table or RecordBatch of pyarrow, got "
        f"{type(table).__module__}.{type(table).__name__}. Convert it first, for example with to_pandas()."
    )
