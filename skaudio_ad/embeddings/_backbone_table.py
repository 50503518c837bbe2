"""`list_backbones`: everything that one wants to know before choosing a backbone, as a table."""

import html
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from .._clip_errors import shown
from .._pandas import import_pandas
from .._typing import PathLike
from ._registry import BACKBONES, Backbone, get_family
from ._store import find_weights

#: File of what `python -m benchmarks.guide_tables --measure` counted and timed, in the folder of packaged data.
COSTS_FILE = Path(__file__).parent / "weights" / "costs.json"
#: Backbone whose time is 1 in the tables.
TIME_REFERENCE = "mn10"


@dataclass(frozen=True)
class ListedBackbone:
    """A row of :class:`BackboneTable`.

    Attributes
    ----------
    name : str
        Name in :data:`BACKBONES`.
    family : str
        Name of the family, for :func:`get_family`.
    parameters : int or None
        Number of weights of the network. None, here and below, is for a figure that was not measured or published.
    multiply_accumulates : int or None
        Number of multiply-accumulates for 10 s of sound.
    sample_rate : int or None
        Sample rate of the waveforms, in hertz. None is for a backbone of any rate. Counts and times of such a backbone
        are those at 16 kHz.
    embedding_size : int
        Number of values of the output "clip".
    n_classes : int
        Number of AudioSet's classes that the checkpoint recognises: 527, or 0 for a checkpoint without a classifier.
    mean_average_precision : float or None
        Published mean average precision on the evaluation set of AudioSet, between 0 and 1.
    rmis, siren : float or None
        Published scores of the frozen network on DCASE Task 2, means over the years 2020 to 2025, in percent. The
        protocols of the two publications differ.
    relative_time : float or None
        Measured time of a processor for 10 s of sound, where "mn10" is 1.
    megabytes : float or None
        Size of the file.
    licence : str
        Licence of the weights, as their authors state it.
    path : str or None
        File of the weights on this machine. None means that there is no such file.
    filename : str
        Name under which the file must be saved.
    url : str or None
        Address of the file. None is for a file without an address that a program can use.
    """

    name: str
    family: str
    parameters: int | None
    multiply_accumulates: int | None
    sample_rate: int | None
    embedding_size: int
    n_classes: int
    mean_average_precision: float | None
    rmis: float | None
    siren: float | None
    relative_time: float | None
    megabytes: float | None
    licence: str
    path: str | None
    filename: str
    url: str | None


class BackboneTable:
    """Table of backbones, which :func:`list_backbones` returns.

    Print the table to read it; a notebook shows it by itself.

    Parameters
    ----------
    backbones : list of ListedBackbone

    Attributes
    ----------
    backbones : list of ListedBackbone
        Rows of the table, in the order of :data:`BACKBONES`.
    """

    def __init__(self, backbones: list[ListedBackbone]) -> None:
        self.backbones = backbones

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as dicts, whose keys are the attributes of :class:`ListedBackbone`.

        Returns
        -------
        list of dict
        """
        return [asdict(backbone) for backbone in self.backbones]

    def to_frame(self) -> Any:
        """Return :meth:`rows` as a data frame.

        Returns
        -------
        pandas.DataFrame
            Missing numbers are NaN.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pd = import_pandas("rows()")
        numbers = (
            *("parameters", "multiply_accumulates", "sample_rate", "mean_average_precision"),
            *("rmis", "siren", "relative_time", "megabytes"),
        )
        table = pd.DataFrame(self.rows(), columns=list(ListedBackbone.__dataclass_fields__))
        return table.astype(dict.fromkeys(numbers, "float64"))

    def __len__(self) -> int:
        return len(self.backbones)

    def __repr__(self) -> str:
        return f"<BackboneTable: {len(self)} backbones>"

    def __str__(self) -> str:
        """Return the table as text, one line for every backbone below a line of names."""
        cells = [[column.head for column in _COLUMNS], *map(_cells, self.backbones)]
        widths = [max(map(len, column)) for column in zip(*cells)]
        lines = []
        for row in cells:
            padded = [
                cell.rjust(width) if column.is_number else cell.ljust(width)
                for cell, width, column in zip(row, widths, _COLUMNS)
            ]
            lines.append("  ".join(padded).rstrip())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{column.head}</th>" for column in _COLUMNS)
        body = "".join(
            f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in _cells(backbone))}</tr>"
            for backbone in self.backbones
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def list_backbones(
    *, family: str | None = None, here: bool = False, path: PathLike | None = None
) -> BackboneTable:
    """List the published backbones with sizes, times, published scores, licences and files. Nothing is downloaded.

    Parameters
    ----------
    family : str or None, default=None
        Name of the only family to list, such as "mobilenet". None lists all.

    here : bool, default=False
        Whether to list only backbones whose weights are on this machine.

    path : str, path-like or None, default=None
        A folder to look for weights in first, as for :func:`weights_path`.

    Returns
    -------
    BackboneTable
        Print it, or take ``to_frame()`` for a data frame and ``rows()`` for dicts. In the printed table "weights, M" is
        the number of parameters in millions, "GMAC" the number of multiply-accumulates in thousands of millions,
        "values" the length of the output "clip", and "time" the time relative to "mn10".

    Raises
    ------
    ValueError
        If the family is unknown.
    WeightsError
        If `path`, or what the environment variable `SKAUDIO_AD_WEIGHTS` names, does not exist.

    See Also
    --------
    available_backbones : Names of the backbones whose weights are on this machine, in order of their published figures.

    Examples
    --------
    >>> from skaudio_ad.embeddings import list_backbones
    >>> table = list_backbones(family="mobilenet")
    >>> table
    <BackboneTable: 10 backbones>
    >>> row = table.rows()[0]
    >>> row["name"], row["parameters"], row["embedding_size"], row["licence"]
    ('mini', 516128, 384, 'BSD-3-Clause')
    """
    if family is not None:
        get_family(family)
    listed = [_listed(backbone, path) for backbone in BACKBONES.values() if family in (None, backbone.family)]
    return BackboneTable([row for row in listed if row.path is not None or not here])


@lru_cache(maxsize=1)
def measured_costs() -> dict[str, Any]:
    """What `python -m benchmarks.guide_tables --measure` counted and timed.

    Returns
    -------
    dict
        "command", "date" and "environment" say how. "backbones" is a dict by the name of the backbone of dicts of
        "parameters", "multiply_accumulates", "seconds" (time of a processor for 10 s of sound) and "reference_seconds",
        the time of `TIME_REFERENCE` in the same minutes.
    """
    return json.loads(COSTS_FILE.read_text(encoding="utf-8"))


def relative_time(name: str) -> float | None:
    """Measured time of a published backbone, where that of `TIME_REFERENCE` is 1, or None where it was not measured."""
    cost = measured_costs()["backbones"].get(name)
    return None if cost is None or "seconds" not in cost else cost["seconds"] / cost["reference_seconds"]


def _listed(backbone: Backbone, path: PathLike | None) -> ListedBackbone:
    cost = measured_costs()["backbones"].get(backbone.name, {})
    found = find_weights(backbone, path=path)
    family = get_family(backbone.family)
    has_classes = "logits" in family.output_names(backbone)
    return ListedBackbone(
        name=backbone.name,
        family=backbone.family,
        parameters=cost.get("parameters"),
        multiply_accumulates=cost.get("multiply_accumulates"),
        sample_rate=backbone.sample_rate,
        embedding_size=backbone.embedding_size,
        n_classes=family.n_features(backbone, "logits") if has_classes else 0,
        mean_average_precision=backbone.mean_average_precision,
        rmis=backbone.frozen_scores.get("RMIS"),
        siren=backbone.frozen_scores.get("SIREN"),
        relative_time=relative_time(backbone.name),
        megabytes=backbone.megabytes,
        licence=backbone.licence,
        path=None if found is None else str(found),
        filename=backbone.filename,
        url=backbone.url,
    )


@dataclass(frozen=True)
class _Column:
    head: str
    cell: Callable[[ListedBackbone], Any]
    is_number: bool = True


def significant(value: float | None) -> str:
    """Write a number with two significant digits, and numbers from 10 on without decimals; None is an empty text."""
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.2g}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _millions(value: int | None) -> str:
    return significant(None if value is None else value / 1e6)


_COLUMNS = (
    _Column("name", lambda row: row.name, is_number=False),
    _Column("weights, M", lambda row: _millions(row.parameters)),
    _Column(
        "GMAC",
        lambda row: significant(None if row.multiply_accumulates is None else row.multiply_accumulates / 1e9),
    ),
    _Column("time", lambda row: significant(row.relative_time)),
    _Column("kHz", lambda row: "any" if row.sample_rate is None else f"{row.sample_rate / 1000:g}"),
    _Column("values", lambda row: str(row.embedding_size)),
    _Column(
        "mAP", lambda row: "" if row.mean_average_precision is None else f"{row.mean_average_precision:.3f}"
    ),
    _Column("RMIS", lambda row: _percent(row.rmis)),
    _Column("SIREN", lambda row: _percent(row.siren)),
    _Column("MB", lambda row: significant(row.megabytes)),
    _Column("licence", lambda row: row.licence, is_number=False),
    _Column("where", lambda row: "not here" if row.path is None else shown(row.path), is_number=False),
)


def _cells(backbone: ListedBackbone) -> list[str]:
    return [column.cell(backbone) for column in _COLUMNS]
