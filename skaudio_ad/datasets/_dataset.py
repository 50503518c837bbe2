"""The return type of every loader: paths, labels and a table of what is known about each recording."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.utils import Bunch

from .._pandas import import_pandas
from ._files import content_groups, numbered
from ._summary import few, summary_table

#: Columns of `metadata` that every data set has. A column that a set does not know holds "".
COLUMNS = ("machine", "section", "domain", "attributes", "split")


class AudioDataset(Bunch):
    """Recordings of a data set: paths, labels and metadata. Loaders return objects of this type.

    An `AudioDataset` is a :class:`~sklearn.utils.Bunch`: every entry is also an attribute. No recording is opened
    before `groups` is read or a detector loads the paths.

    Parameters
    ----------
    paths : list of str of length n_clips
        Paths of the recordings.

    target : array-like of int of shape (n_clips,)
        1 is normal, -1 is anomalous, 0 is unknown.

    metadata : dict of {str: array-like of shape (n_clips,)}, default=None
        What is known about each recording, one column each. The columns of `COLUMNS` that are missing are added with
        "" in every row. Other columns depend on the data set.

    DESCR : str, default=""
        Description, licence and citation.

    units : array-like of shape (n_clips,), default=None
        What belongs together besides equal contents, such as the patient of every recording. None means that
        only recordings with equal contents belong together.

    Attributes
    ----------
    paths : list of str of length n_clips
        Paths of the recordings.

    target : ndarray of shape (n_clips,), int64
        1 is normal, -1 is anomalous, 0 is unknown.

    metadata : dict of {str: ndarray of shape (n_clips,)}
        `machine`, `section`, `domain`, `attributes` and `split` of every recording, and the columns of the data set.
        A column that the data set does not know holds "". `split` is that of the publisher, such as "train" or "test".

    groups : ndarray of shape (n_clips,), int64
        Number of the group of every recording. Keep a group on one side of a split. Recordings of one unit, such as a
        patient, and files with equal bytes have the same number. Numbers begin at 0, in the order of first
        appearance. The files are opened when `groups` is read for the first time.

    units : ndarray of shape (n_clips,) or None
        The parameter `units`.

    DESCR : str
        Description, licence and citation.

    Raises
    ------
    ValueError
        If a column has another length than `paths`, or a label is none of 1, -1 and 0.

    Examples
    --------
    >>> from skaudio_ad.datasets import AudioDataset
    >>> sounds = AudioDataset(["a.wav", "b.wav"], [1, -1], {"machine": ["fan", "fan"]})
    >>> sounds
    AudioDataset(2 recordings: 1 normal, 1 anomalous, 0 unknown; machine: fan)
    >>> sounds.subset(sounds.target == 1).paths
    ['a.wav']
    """

    def __init__(
        self,
        paths: Sequence[str],
        target: Any,
        metadata: Mapping[str, Any] | None = None,
        DESCR: str = "",
        *,
        units: Any = None,
    ) -> None:
        paths = [str(path) for path in paths]
        columns = {"target": np.asarray(target, dtype=np.int64).reshape(-1)}
        columns |= {name: np.asarray(values) for name, values in (metadata or {}).items()}
        columns |= {name: np.full(len(paths), "") for name in COLUMNS if name not in columns}
        if units is not None:
            units = np.asarray(units)
        for name, values in [*columns.items(), ("units", paths if units is None else units)]:
            if len(values) != len(paths):
                raise ValueError(
                    f"{name} must have one value for each of {len(paths)} paths, got {len(values)}."
                )
        target = columns.pop("target")
        if not np.isin(target, (1, -1, 0)).all():
            wrong = np.unique(target[~np.isin(target, (1, -1, 0))]).tolist()
            raise ValueError(f"target must be 1 (normal), -1 (anomalous) or 0 (unknown), got {wrong}.")
        others = [name for name in columns if name not in COLUMNS]
        super().__init__(
            paths=paths,
            target=target,
            metadata={name: columns[name] for name in (*COLUMNS, *others)},
            DESCR=DESCR,
            units=units,
        )

    def __missing__(self, key):
        """Compute `groups` when it is read for the first time."""
        if key != "groups":
            raise KeyError(key)
        contents = content_groups(self.paths)
        self["groups"] = contents if self.units is None else _united(contents, self.units)
        return self["groups"]

    def __dir__(self):
        return [*super().__dir__(), "groups", "subset", "to_frame"]

    def __repr__(self):
        counts = [int(np.sum(self.target == label)) for label in (1, -1, 0)]
        parts = "; ".join(
            f"{name}: {few(values)}"
            for name, values in self.metadata.items()
            if name in COLUMNS and any(values)
        )
        summary = "{} recordings: {} normal, {} anomalous, {} unknown".format(len(self.paths), *counts)
        return f"AudioDataset({summary}{'; ' if parts else ''}{parts})"

    def _repr_html_(self) -> str:
        labels = ((1, "normal"), (-1, "anomalous"), (0, "unknown"))
        rows = [(name, int(np.sum(self.target == label))) for label, name in labels]
        rows += [
            (name, few(values))
            for name, values in self.metadata.items()
            if len(set(values)) > 1 or any(values)
        ]
        first = [("first recording", self.paths[0])] if self.paths else []
        return summary_table(f"AudioDataset of {len(self.paths)} recordings", [*rows, *first])

    def subset(self, chosen: Any) -> "AudioDataset":
        """Return some of the recordings as a data set of their own.

        Parameters
        ----------
        chosen : array-like of bool of shape (n_clips,), or array-like of int
            Mask or positions of the recordings.

        Returns
        -------
        AudioDataset
            Groups keep together what they kept together in this set. Their numbers begin at 0 again.
        """
        positions = np.arange(len(self.paths))[np.asarray(chosen)]
        units = self.get("groups", self.units)
        return AudioDataset(
            [self.paths[position] for position in positions],
            self.target[positions],
            {name: values[positions] for name, values in self.metadata.items()},
            self.DESCR,
            units=None if units is None else units[positions],
        )

    def to_frame(self) -> Any:
        """Return the recordings as a table of pandas, without opening a file.

        Returns
        -------
        pandas.DataFrame
            One row per recording: `path`, `target` and the columns of `metadata`.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pd = import_pandas()
        return pd.DataFrame({"path": self.paths, "target": self.target, **self.metadata})


def _united(contents, units):
    """Number the groups of recordings that are linked by an equal content or an equal unit."""
    # A graph links contents and units: each recording is an edge from its content to its unit.
    n_contents, units = contents.max(initial=-1) + 1, np.unique(units, return_inverse=True)[1]
    n_nodes = n_contents + units.max(initial=-1) + 1
    links = coo_array(
        (np.ones(len(units), dtype=bool), (contents, n_contents + units)), shape=(n_nodes, n_nodes)
    )
    return numbered(connected_components(links, directed=False)[1][contents].tolist())
