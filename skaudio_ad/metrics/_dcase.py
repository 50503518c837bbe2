"""Evaluation of DCASE Challenge Task 2, by the rules of each year."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from sklearn.utils import Bunch

from .._checks import check_option
from .._labels import is_anomalous
from ._scores import anomaly_auc_score, harmonic_mean_score, partial_auc_score

_YEARS = tuple(range(2020, 2027))
_DOMAINS = ("source", "target")


def dcase_scores(
    truth: Any, scores: Any, *, year: int, convention: Literal["mcclish", "mean"] = "mcclish"
) -> Bunch:
    """Compute the metrics of every section of every machine, and the overall score Omega of DCASE Task 2.

    ============  =============================================================  =============================
    Year          Metrics of a section                                           Omega
    ============  =============================================================  =============================
    2020          AUC and partial AUC (a section is a machine's ID)              arithmetic mean of a machine's
                                                                                 values, then over machines
    2021          AUC and partial AUC of the clips of each domain                harmonic mean of all values
    2022 to 2026  AUC of the normal clips of each domain against all             harmonic mean of all values
                  anomalous clips of the section; partial AUC of all clips of
                  the section
    ============  =============================================================  =============================

    The maximum false positive rate of the partial AUC is 0.1.

    Parameters
    ----------
    truth : table or dict
        Description of the clips. A table is a data frame or a dict of columns. The columns are `file`, `target`
        (1 is normal, -1 is anomalous), `section` and, since 2021, `domain` ("source" or "target"). A column `machine`
        tells several machines apart. A dict may instead have one entry per file:
        ``{"section_00_0000.wav": {"target": 1, "section": "00", "domain": "source"}}``.

    scores : table or dict
        Scores on the scale of ``score_samples``: higher is more normal. Negate the anomaly scores of a submission.
        `scores` is a table with the columns `file` and `score`, or a dict of file to score.

    year : int
        Year of the rules, 2020 to 2026.

    convention : {"mcclish", "mean"}, default="mcclish"
        Definition of the partial AUC, see :func:`partial_auc_score`. The official evaluators use "mcclish".

    Returns
    -------
    :class:`~sklearn.utils.Bunch`
        omega : float
            Overall score.
        machines : dict of str to float
            Mean over the values of each machine, of the same kind as Omega.
        sections : list of dict
            One row per section, with `machine`, `section` and the metrics. 2020: `auc` and `partial_auc`. 2021:
            `auc_source`, `auc_target`, `partial_auc_source` and `partial_auc_target`. 2022 and later: `auc_source`,
            `auc_target` and `partial_auc`. ``pandas.DataFrame(sections)`` makes a table.

    Raises
    ------
    ValueError
        If `truth` and `scores` do not hold the same files (the message names files without a partner), a file occurs
        twice, a score is NaN, or a section lacks normal or anomalous clips that a metric needs.

    Notes
    -----
    Clips are joined by `file`, never by their order. If machines share a file name, such as section_00_0000.wav, put
    the machine in front in both tables: ``"fan/section_00_0000.wav"``.

    References
    ----------
    K. Dohi et al., "Description and discussion on DCASE 2022 Challenge Task 2", 2022.

    Examples
    --------
    >>> from skaudio_ad.metrics import dcase_scores
    >>> truth = {
    ...     "file": ["a.wav", "b.wav", "c.wav", "d.wav"],
    ...     "target": [1, 1, -1, -1],
    ...     "section": ["00", "00", "00", "00"],
    ...     "domain": ["source", "target", "source", "target"],
    ... }
    >>> scores = {"a.wav": 0.9, "b.wav": 0.4, "c.wav": 0.2, "d.wav": 0.6}
    >>> result = dcase_scores(truth, scores, year=2022)
    >>> result.sections[0]["auc_source"], result.sections[0]["auc_target"]
    (1.0, 0.5)
    """
    check_option(year, "year", _YEARS)
    check_option(convention, "convention", ("mcclish", "mean"))
    columns = ["target", "section"] + (["domain"] if year > 2020 else [])
    clips = _read(truth, columns, "truth", optional={"machine": ""})
    found = _read(scores, ["score"], "scores")
    _check_same_files(clips, found)
    files = list(clips)
    values = np.array([found[file]["score"] for file in files], dtype=np.float64)
    if np.isnan(values).any():
        unread = [file for file, value in zip(files, values) if np.isnan(value)]
        raise ValueError(
            f"scores holds NaN for {_some(unread)}: the evaluation needs a score for every clip."
        )
    anomalous = is_anomalous([clips[file]["target"] for file in files], name="target")
    table = {name: np.array([str(clips[file][name]) for file in files]) for name in ("machine", *columns[1:])}
    if year > 2020:
        for domain in np.unique(table["domain"]):
            check_option(str(domain), "domain", _DOMAINS)
    sections = []
    for machine, section in sorted(set(zip(table["machine"].tolist(), table["section"].tolist()))):
        members = np.flatnonzero((table["machine"] == machine) & (table["section"] == section))
        domains = table["domain"][members] if year > 2020 else None
        row = {"machine": machine, "section": section}
        for name, metric, chosen in _metrics(year, anomalous[members], domains):
            settings = {"convention": convention} if metric is partial_auc_score else {}
            y_true = np.where(anomalous[members], -1, 1)[chosen]
            try:
                row[name] = metric(y_true, values[members][chosen], **settings)
            except ValueError as error:
                place = f"machine {machine!r}, section {section!r}" if machine else f"section {section!r}"
                raise ValueError(f"{name} of {place}: {error}") from error
        sections.append(row)
    by_machine = {
        machine: [value for row in sections if row["machine"] == machine for value in list(row.values())[2:]]
        for machine in np.unique(table["machine"]).tolist()
    }
    mean = harmonic_mean_score if year > 2020 else lambda values: float(np.mean(values))
    machines = {machine: mean(of_machine) for machine, of_machine in by_machine.items()}
    overall = list(machines.values()) if year == 2020 else [v for of in by_machine.values() for v in of]
    return Bunch(omega=mean(overall), machines=machines, sections=sections)


def _metrics(year, anomalous, domains):
    """Return name, function and mask of the clips of every metric of a section."""
    everything = np.ones(len(anomalous), dtype=bool)
    if year == 2020:
        return [("auc", anomaly_auc_score, everything), ("partial_auc", partial_auc_score, everything)]
    if year == 2021:
        return [
            (f"{name}_{domain}", metric, domains == domain)
            for name, metric in (("auc", anomaly_auc_score), ("partial_auc", partial_auc_score))
            for domain in _DOMAINS
        ]
    of_domain = [(f"auc_{domain}", anomaly_auc_score, anomalous | (domains == domain)) for domain in _DOMAINS]
    return [*of_domain, ("partial_auc", partial_auc_score, everything)]


def _read(table, columns, name, optional=None):
    """Return the rows of a table as a dict of file to dict of column to value."""
    optional = optional or {}
    if hasattr(table, "columns") or (isinstance(table, Mapping) and "file" in table):
        there = set(getattr(table, "columns", table))
        missing = [column for column in ("file", *columns) if column not in there]
        if missing:
            raise ValueError(
                f"{name} must have the columns {', '.join(('file', *columns))}; {missing} missing."
            )
        kept = [*columns, *(column for column in optional if column in there)]
        files = [str(file) for file in table["file"]]
        if len(set(files)) < len(files):
            twice = [file for file in dict.fromkeys(files) if files.count(file) > 1]
            raise ValueError(
                f"{name} holds {_some(twice)} more than once. If machines share a file name, put the machine in front."
            )
        values = {column: np.asarray(table[column]).tolist() for column in kept}
        for column, of_column in values.items():
            if len(of_column) != len(files):
                raise ValueError(f"{name} has {len(files)} files, but {len(of_column)} values of {column!r}.")
        rows = [dict(zip(kept, row)) for row in zip(*values.values())]
    elif isinstance(table, Mapping):
        files = [str(file) for file in table]
        rows = [dict(row) if isinstance(row, Mapping) else {columns[0]: row} for row in table.values()]
        for file, row in zip(files, rows):
            missing = [column for column in columns if column not in row]
            if missing:
                raise ValueError(
                    f"{name} must have {', '.join(columns)} for every file; {file!r} lacks {missing}."
                )
    else:
        raise TypeError(
            f"{name} must be a data frame, a dict of columns, or a dict with an entry for every file, "
            f"got {type(table).__name__}."
        )
    if not files:
        raise ValueError(f"{name} holds no files.")
    return {file: optional | row for file, row in zip(files, rows)}


def _check_same_files(clips, found):
    without_score = [file for file in clips if file not in found]
    unknown = [file for file in found if file not in clips]
    faults = []
    if without_score:
        faults.append(f"{_some(without_score)} of truth without a score")
    if unknown:
        faults.append(f"{_some(unknown)} of scores not in truth")
    if faults:
        raise ValueError(
            f"truth and scores must name the same files: {'; '.join(faults)}. Names must be equal in every letter, "
            "including folders and suffix."
        )


def _some(files):
    """Return the first three names, and the number of names if there are more."""
    return ", ".join(map(repr, files[:3])) + (f", ... ({len(files)} files)" if len(files) > 3 else "")
