"""Files of a submission to DCASE Challenge Task 2: one CSV per machine and section, named by the rules of the year."""

import csv
import os
import re
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from .._atomic import atomic_path
from .._checks import check_option
from .._typing import PathLike
from ._dcase import YEARS
from ._dcase_clips import (
    check_decisions_of_files,
    check_scores_of_files,
    read_clips,
    read_values,
    some,
)
from ._dcase_means import DOMAINS

_MACHINE = r"(?P<machine>[A-Za-z0-9]+)"
_KIND = r"(?P<kind>anomaly_score|decision_result)"
#: Names of the files of a submission, by the first year of the rule.
_NAMES = {
    2020: re.compile(rf"(?P<kind>anomaly_score)_{_MACHINE}_id_(?P<section>\d\d)\.csv"),
    2021: re.compile(rf"{_KIND}_{_MACHINE}_section_(?P<section>\d\d)_(?P<domain>source|target)_test\.csv"),
    2022: re.compile(rf"{_KIND}_{_MACHINE}_section_(?P<section>\d\d)_test\.csv"),
}
# The official baseline since 2023 adds the year, its seed and its settings. Its evaluators read these names, too.
_BASELINE = re.compile(
    rf"{_KIND}_DCASE(?P<year>20\d\d)T2{_MACHINE}_section_(?P<section>\d\d)_test_seed\d+.*\.csv"
)
_COLUMNS = {"anomaly_score": "score", "decision_result": "decision"}


def write_submission(
    folder: PathLike, clips: Any, scores: Any, *, year: int, decisions: Any = None
) -> list[str]:
    """Write the files of a submission to DCASE Task 2.

    ============  ==============================================================================
    Year          Files, without a header: name of the clip, value
    ============  ==============================================================================
    2020          ``anomaly_score_<machine>_id_<section>.csv``
    2021          ``anomaly_score_<machine>_section_<section>_<domain>_test.csv`` and
                  ``decision_result_<machine>_section_<section>_<domain>_test.csv``
    2022 to 2026  ``anomaly_score_<machine>_section_<section>_test.csv`` and
                  ``decision_result_<machine>_section_<section>_test.csv``
    ============  ==============================================================================

    Parameters
    ----------
    folder : str or path-like
        Folder of the submission. The folder is made if it does not exist. Files of an earlier submission of the same
        machines and sections are replaced.

    clips : AudioDataset, table or dict
        Description of the clips, as `truth` in :func:`dcase_scores`. The columns are `file` or `path`, `machine`,
        `section` (two digits) and, in 2021, `domain`. No label is needed.

    scores : table or dict
        Scores on the scale of ``score_samples``, higher is more normal, as in :func:`dcase_scores`. The anomaly score
        in the file is the negative score.

    year : int
        Year of the rules, 2020 to 2026.

    decisions : table or dict, default=None
        Decisions on the scale of ``predict``, as in :func:`dcase_scores`. The file has 0 for normal (1) and 1 for
        anomalous (-1). The rules since 2021 demand decisions, and the rules of 2020 know none.

    Returns
    -------
    list of str
        Paths of the files that were written.

    Raises
    ------
    ValueError
        If the tables do not hold the same files, a file occurs twice, a score is NaN, infinite or no number, a machine
        or a section cannot stand in the name of a file, decisions are missing, or `folder` holds files of a submission
        that this call would not replace.

    See Also
    --------
    read_submission : Read the files again.

    Examples
    --------
    >>> import tempfile
    >>> from skaudio_ad.metrics import read_submission, write_submission
    >>> names = ["section_00_0000.wav", "section_00_0001.wav"]
    >>> clips = {"file": names, "machine": ["fan", "fan"], "section": ["00", "00"]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_submission(
    ...         folder, clips, dict(zip(names, [-0.5, -2.0])), decisions=dict(zip(names, [1, -1])), year=2026
    ...     )
    ...     read_submission(folder, year=2026).scores["score"]
    [-0.5, -2.0]
    """
    check_option(year, "year", YEARS)
    if (decisions is None) != (year == 2020):
        raise ValueError(
            "The rules of 2020 have no decisions: leave decisions out."
            if year == 2020
            else f"The rules of {year} demand decisions: pass decisions of predict, 1 (normal) and -1 (anomalous)."
        )
    columns = ["machine", "section"] + (["domain"] if year == 2021 else [])
    described, aliases = read_clips(clips, columns, name="clips")
    files = list(described)
    values = check_scores_of_files(
        read_values(scores, "score", "scores", described, aliases, reference="clips"), files
    )
    tables = {"anomaly_score": [repr(0.0 - float(value)) for value in values]}
    if decisions is not None:
        alarms = check_decisions_of_files(
            read_values(decisions, "decision", "decisions", described, aliases, reference="clips")
        )
        tables["decision_result"] = [str(int(alarm)) for alarm in alarms]
    contents: dict[str, dict[str, str]] = {}
    for kind, of_kind in tables.items():
        for (file, row), value in zip(described.items(), of_kind):
            clip_of = contents.setdefault(_name(kind, file, row, year), {})
            clip = file.replace(os.sep, "/").rpartition("/")[2]
            if clip in clip_of:
                raise ValueError(
                    f"clips holds {clip!r} twice in machine {row['machine']!r}, section {row['section']!r}: the rules "
                    "tell clips apart by the name of the file."
                )
            clip_of[clip] = value
    os.makedirs(folder, exist_ok=True)
    patterns = (*_NAMES.values(), _BASELINE)
    others = [
        name
        for name in sorted(os.listdir(folder))
        if name not in contents and any(pattern.fullmatch(name) for pattern in patterns)
    ]
    if others:
        raise ValueError(
            f"{os.fspath(folder)} holds other files of a submission, {some(others)}, which would be submitted, too. "
            "Remove these files, or name an empty folder."
        )
    written = []
    for name, clip_of in contents.items():
        written.append(os.path.join(folder, name))
        with (
            atomic_path(written[-1]) as temporary,
            open(temporary, "w", encoding="utf-8", newline="") as file,
        ):
            csv.writer(file, lineterminator="\n").writerows(sorted(clip_of.items()))
    return written


def read_submission(folder: PathLike, *, year: int) -> Bunch:
    """Read the files of a submission to DCASE Task 2.

    The names that the official baseline of 2023 and later gives to its files are read as well, such as
    ``anomaly_score_DCASE2023T2fan_section_00_test_seed13711_id(0_)_Eval.csv``.

    Parameters
    ----------
    folder : str or path-like
        Folder with the CSV files, see :func:`write_submission`. Other kinds of files, such as the report, are ignored.

    year : int
        Year of the rules, 2020 to 2026.

    Returns
    -------
    :class:`~sklearn.utils.Bunch`
        scores : dict of {str: list}
            Table with the columns `file`, `machine`, `section`, `domain` (only 2021) and `score`. `score` is the
            negative anomaly score, so that higher is more normal. `file` is the name of the clip, with the machine in
            front if there are several machines: ``"fan/section_00_0000.wav"``.
        decisions : dict of {str: list} or None
            The same table with `decision`, 1 (normal) or -1 (anomalous), instead of `score`. None in 2020.

        ``dcase_scores(truth, scores, decisions=decisions, year=year)`` evaluates the submission.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or holds no CSV file.
    ValueError
        If the name of a CSV file belongs to the rules of another year or to none, a file has a header or another number
        of columns, a value is no number, NaN or no decision, a clip occurs twice, or scores and decisions do not hold
        the same clips. The message names file and row.

    See Also
    --------
    dcase_scores : Evaluate the submission.

    Examples
    --------
    See :func:`write_submission`.
    """
    check_option(year, "year", YEARS)
    folder = os.fspath(folder)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"The folder {folder} does not exist.")
    names = sorted(name for name in os.listdir(folder) if name.endswith(".csv") and name[0] != ".")
    if not names:
        raise FileNotFoundError(
            f"{folder} holds no CSV file. Name the folder with the files anomaly_score_....csv of one system."
        )
    matched = {name: _matched(name, year) for name in names}
    wrong = [name for name, parts in matched.items() if parts is None]
    if wrong:
        raise ValueError(_foreign_names(folder, wrong, year))
    several = len({parts["machine"] for parts in matched.values()}) > 1
    tables: dict[str, dict[str, list]] = {}
    origins: dict[tuple[str, str], str] = {}
    for name, parts in matched.items():
        column = _COLUMNS[parts["kind"]]
        keys = ["machine", "section"] + (["domain"] if year == 2021 else [])
        table = tables.setdefault(parts["kind"], {key: [] for key in ("file", *keys, column)})
        for clip, value in _rows(os.path.join(folder, name), column):
            file = f"{parts['machine']}/{clip}" if several else clip
            if (column, file) in origins:
                raise ValueError(f"{folder}: {origins[column, file]} and {name} both hold {clip!r}.")
            origins[column, file] = name
            for key, entry in {"file": file, **{key: parts[key] for key in keys}, column: value}.items():
                table[key].append(entry)
    scores, decisions = tables.get("anomaly_score"), tables.get("decision_result")
    _check_same_clips(folder, scores, decisions, year)
    return Bunch(scores=scores, decisions=decisions)


def _name(kind, file, row, year):
    """Return the name of the CSV file of a clip."""
    machine, section = str(row["machine"]), row["section"]
    section = f"{section:02d}" if isinstance(section, (int, np.integer)) else str(section)
    if not re.fullmatch("[A-Za-z0-9]+", machine):
        raise ValueError(
            f"the machine of {file!r} must consist of letters and digits, because the evaluators find the machine "
            f"between underscores, got {machine!r}."
        )
    if not re.fullmatch(r"\d\d", section):
        raise ValueError(f"the section of {file!r} must be two digits such as '00', got {section!r}.")
    if year == 2020:
        return f"{kind}_{machine}_id_{section}.csv"
    if year > 2021:
        return f"{kind}_{machine}_section_{section}_test.csv"
    check_option(row["domain"], f"domain of {file!r}", DOMAINS)
    return f"{kind}_{machine}_section_{section}_{row['domain']}_test.csv"


def _matched(name, year):
    """Return the parts of the name of a file by the rules of `year`, or None."""
    match = _NAMES[min(year, 2022)].fullmatch(name)
    if match is None and (match := _BASELINE.fullmatch(name)) and int(match["year"]) != year:
        match = None
    return None if match is None else match.groupdict()


def _foreign_names(folder, names, year):
    """Say which rules the names follow, and how to read them."""
    for other in YEARS:
        if other != year and _matched(names[0], other) is not None:
            last = " to 2026" if other == 2022 and _NAMES[2022].fullmatch(names[0]) else ""
            return (
                f"{folder} holds {some(names)}. The name follows the rules of {other}{last}, not of {year}: use "
                f"read_submission(..., year={other}), or write the files again with write_submission."
            )
    example = "anomaly_score_fan_id_01.csv" if year == 2020 else "anomaly_score_fan_section_00_test.csv"
    example = "anomaly_score_fan_section_00_source_test.csv" if year == 2021 else example
    return (
        f"{folder} holds {some(names)}, which no rule of DCASE Task 2 names. A CSV file of {year} is named like "
        f"{example}: rename the file, or move it out of the folder."
    )


def _rows(path, column):
    """Yield name and value of every row: a score, or 1 (normal) and -1 (anomalous)."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8: write the file again as CSV.") from error
    if not rows:
        raise ValueError(f"{path} is empty.")
    seen = set()
    for number, row in enumerate(rows, start=1):
        place = f"{path}, row {number}"
        if len(row) != 2:
            raise ValueError(f"{place}: a row must be the name of a clip, a comma and a value, got {row!r}.")
        clip, text = row
        if clip in seen:
            raise ValueError(f"{place}: {clip!r} occurs twice in the file.")
        seen.add(clip)
        try:
            value = float(text)
        except ValueError:
            if number == 1:
                raise ValueError(
                    f"{place} looks like a header, {row!r}. The files of a submission have none: remove the row."
                ) from None
            raise ValueError(f"{place}: the value of {clip!r} is no number, got {text!r}.") from None
        if not np.isfinite(value):
            raise ValueError(f"{place}: the value of {clip!r} must be finite, got {text!r}.")
        if column == "decision" and value not in (0, 1):
            raise ValueError(
                f"{place}: the decision of {clip!r} must be 0 (normal) or 1 (anomalous), got {text!r}."
            )
        yield clip, 0.0 - value if column == "score" else 1 - 2 * int(value)


def _check_same_clips(folder, scores, decisions, year):
    """Raise unless scores and decisions are there, as the year demands, for the same clips."""
    if scores is None:
        raise ValueError(f"{folder} holds decisions but no file anomaly_score_....csv.")
    if year == 2020:
        return
    decided = set(decisions["file"]) if decisions is not None else set()
    faults = []
    for present, absent, kind in (
        (scores["file"], decided, "decision"),
        (sorted(decided), set(scores["file"]), "anomaly score"),
    ):
        lacking = [file for file in present if file not in absent]
        if lacking:
            faults.append(f"{some(lacking)} without {'an' if kind[0] == 'a' else 'a'} {kind}")
    if faults:
        raise ValueError(
            f"{folder}: {'; '.join(faults)}. The rules of {year} demand anomaly_score_....csv and "
            "decision_result_....csv with the same clips."
        )
