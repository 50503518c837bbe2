"""Evaluation of DCASE Challenge Task 2, by the rules of each year."""

from typing import Any, Literal

import numpy as np
from sklearn.utils import Bunch

from .._checks import check_option
from ._dcase_clips import (
    check_decisions_of_files,
    check_scores_of_files,
    check_targets,
    read_clips,
    read_values,
)
from ._dcase_means import DOMAINS, arithmetic_mean, decision_metrics, jackknife_intervals, mean_tables
from ._scores import anomaly_auc_score, harmonic_mean_score, partial_auc_score

#: Years of the rules.
YEARS = tuple(range(2020, 2027))


def dcase_scores(
    truth: Any,
    scores: Any,
    *,
    year: int,
    decisions: Any = None,
    convention: Literal["mcclish", "mean"] = "mcclish",
    jackknife: bool = False,
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
    truth : AudioDataset, table or dict
        Description of the clips, such as the test recordings of ``load_dcase_task2``. A table is a data frame or a dict
        of columns. The columns are `file`, `target` (1 is normal, -1 is anomalous), `section` and, since 2021, `domain`
        ("source" or "target"). A column `machine` tells several machines apart. A table may have the column `path`
        instead of `file`, see Notes. A dict may instead have one entry per file:
        ``{"section_00_0000.wav": {"target": 1, "section": "00", "domain": "source"}}``.

    scores : table or dict
        Scores on the scale of ``score_samples``: higher is more normal. Negate the anomaly scores of a submission.
        `scores` is a table with the columns `file` and `score`, or a dict of file to score.

    year : int
        Year of the rules, 2020 to 2026.

    decisions : table or dict, default=None
        Decisions on the scale of ``predict``: 1 is normal, -1 is anomalous. `decisions` is a table with the columns
        `file` and `decision`, or a dict of file to decision. Decisions add precision, recall and F1 to the tables. The
        rules of 2020 know no decisions.

    convention : {"mcclish", "mean"}, default="mcclish"
        Definition of the partial AUC, see :func:`partial_auc_score`. The official evaluators use "mcclish".

    jackknife : bool, default=False
        Whether to add jackknife estimates. The official evaluators print such estimates since 2022, but with another
        width, see Notes. The computation repeats AUC and partial AUC up to once per clip.

    Returns
    -------
    :class:`~sklearn.utils.Bunch`
        omega : float
            Overall score, the "official score" of the evaluators.
        omega_arithmetic : float
            Arithmetic mean of the values in `omega`.
        machines : dict of str to float
            Mean over the values of each machine, of the same kind as Omega.
        sections : list of dict
            One row per section, with `machine`, `section` and the metrics. 2020: `auc` and `partial_auc`. 2021:
            `auc_source`, `auc_target`, `partial_auc_source` and `partial_auc_target`. 2022 and later: `auc` (of all
            clips, not part of Omega), `auc_source`, `auc_target` and `partial_auc`. Decisions add `precision_source`,
            `precision_target`, `recall_source`, `recall_target`, `f1_source` and `f1_target`.
        machine_means : list of dict
            Rows with `machine`, `mean` ("arithmetic" or "harmonic"), `domain` ("all", "source" or "target") and the
            means over the sections of the machine: `auc`, `partial_auc` and, with decisions, `precision`, `recall` and
            `f1`. The means of "all" are over the values of both domains. 2020 has only arithmetic means of "all".
        overall_means : list of dict
            The same rows without `machine`, over the sections of all machines. In 2020 every machine has the same
            weight.
        jackknife : Bunch
            Only if `jackknife` is True. `auc` and `partial_auc` are estimates for the clips of all machines together,
            `auc_ci95` and `partial_auc_ci95` are half the widths of their intervals of 95 %, and `ci95` is the mean of
            the two half-widths. The partial AUC is that of "mcclish" for both conventions.

        ``pandas.DataFrame`` makes a table of every list.

    Raises
    ------
    ValueError
        If `truth` and `scores` or `decisions` do not hold the same files (the message names files without a partner), a
        file occurs twice, a label is unknown (0), a score is NaN or infinite, a decision is neither 1 nor -1, or a
        section lacks normal or anomalous clips that a metric needs. The jackknife needs two clips of each kind.

    See Also
    --------
    read_submission : Read the files of a submission as `scores` and `decisions`.
    bootstrap_interval : Interval of a metric. The jackknife mixes the scores of all machines, whose scales differ.

    Notes
    -----
    Clips are joined by `file`, never by their order. If machines share a file name, such as section_00_0000.wav, put
    the machine in front in both tables: ``"fan/section_00_0000.wav"``. A data set, or a table with the
    column `path`, gets its files that way from the names of the paths. The keys of `scores` and `decisions` may then
    also be the paths: ``dict(zip(test.paths, detector.score_samples(test.paths)))``.

    Precision, recall and F1 of a domain count the clips of this domain only, whereas the AUC of a domain counts the
    anomalous clips of both domains since 2022. A ratio with the denominator 0 is 0, as in the evaluators.

    All figures equal those of the evaluators of 2020 to 2024 for random submissions. The evaluators of 2025 and 2026
    could not be run. The figures that the evaluator of 2025 documents for the official baseline are reproduced.

    The official evaluators differ in these points. All evaluators sort the rows of submission and truth by name and
    compare row by row, so that a missing or foreign file shifts the rows. The evaluator of 2021 takes the first
    ``n_machines // 2`` rows of a machine for its "source harmonic mean", and the evaluator of 2022 takes the first
    ``n_sections // 2`` values. Here these rows count all sections of the domain, as since 2023. The evaluators stop
    with an error if all clips of a domain are normal and none raises an alarm. Here precision, recall and F1 are 0 in
    this case. The "official score ci95" that the evaluators print since 2022 is ``jackknife.ci95 / (n_clips - 1)``: the
    evaluators take the deviations of the leave-one-out values for those of the pseudo-values, so that their interval is
    too narrow by this factor.

    References
    ----------
    Y. Koizumi et al., "Description and discussion on DCASE2020 Challenge Task 2", 2020.

    Y. Kawaguchi et al., "Description and discussion on DCASE 2021 Challenge Task 2", 2021.

    K. Dohi et al., "Description and discussion on DCASE 2022 Challenge Task 2", 2022.

    A. Mesaros et al., "Sound event detection in the DCASE 2017 Challenge", IEEE/ACM Transactions on Audio, Speech, and
    Language Processing, 2019 (jackknife).

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
    check_option(year, "year", YEARS)
    check_option(convention, "convention", ("mcclish", "mean"))
    if decisions is not None and year == 2020:
        raise ValueError("The rules of 2020 have no decisions: leave decisions out, or give a later year.")
    columns = ["target", "section"] + (["domain"] if year > 2020 else [])
    clips, aliases = read_clips(truth, columns)
    files = list(clips)
    values = check_scores_of_files(read_values(scores, "score", "scores", clips, aliases), files)
    alarms = None
    if decisions is not None:
        alarms = check_decisions_of_files(read_values(decisions, "decision", "decisions", clips, aliases))
    anomalous = check_targets(clips)
    table = {name: np.array([str(clips[file][name]) for file in files]) for name in ("machine", *columns[1:])}
    if year > 2020:
        for file, domain in zip(files, table["domain"].tolist()):
            check_option(domain, f"domain of {file!r}", DOMAINS)
    sections, official = [], []
    for machine, section in sorted(set(zip(table["machine"].tolist(), table["section"].tolist()))):
        members = np.flatnonzero((table["machine"] == machine) & (table["section"] == section))
        domains = table["domain"][members] if year > 2020 else None
        place = f"machine {machine!r}, section {section!r}" if machine else f"section {section!r}"
        y_true = np.where(anomalous[members], -1, 1)
        counted = {
            name: _value(name, place, metric, y_true[chosen], values[members][chosen], convention)
            for name, metric, chosen in _metrics(year, anomalous[members], domains)
        }
        row = {"machine": machine, "section": section}
        if year > 2021:
            row["auc"] = anomaly_auc_score(y_true, values[members])
        row |= counted
        if alarms is not None:
            row |= decision_metrics(anomalous[members], alarms[members], domains)
        sections.append(row)
        official.append((machine, list(counted.values())))
    by_machine = {
        machine: [value for name, of_section in official if name == machine for value in of_section]
        for machine in np.unique(table["machine"]).tolist()
    }
    mean = harmonic_mean_score if year > 2020 else arithmetic_mean
    machines = {machine: mean(of_machine) for machine, of_machine in by_machine.items()}
    overall = list(machines.values()) if year == 2020 else [v for of in by_machine.values() for v in of]
    result = Bunch(
        omega=mean(overall),
        omega_arithmetic=arithmetic_mean(overall),
        machines=machines,
        sections=sections,
        **mean_tables(sections, year),
    )
    if jackknife:
        result.jackknife = jackknife_intervals(anomalous, -values)
    return result


def _value(name, place, metric, y_true, values, convention):
    """Compute one metric of a section. An error names the section."""
    settings = {"convention": convention} if metric is partial_auc_score else {}
    try:
        return metric(y_true, values, **settings)
    except ValueError as error:
        raise ValueError(f"{name} of {place}: {error}") from error


def _metrics(year, anomalous, domains):
    """Return name, function and mask of the clips of every metric of a section that Omega counts."""
    everything = np.ones(len(anomalous), dtype=bool)
    if year == 2020:
        return [("auc", anomaly_auc_score, everything), ("partial_auc", partial_auc_score, everything)]
    if year == 2021:
        return [
            (f"{name}_{domain}", metric, domains == domain)
            for name, metric in (("auc", anomaly_auc_score), ("partial_auc", partial_auc_score))
            for domain in DOMAINS
        ]
    of_domain = [(f"auc_{domain}", anomaly_auc_score, anomalous | (domains == domain)) for domain in DOMAINS]
    return [*of_domain, ("partial_auc", partial_auc_score, everything)]
