"""Every figure that the official evaluators of DCASE Task 2 write, computed by dcase_scores."""

import csv
import functools
import os

import numpy as np
import pytest

from skaudio_ad.metrics import dcase_scores, harmonic_mean_score
from skaudio_ad.metrics._dcase_means import mean_tables

from .evaluators import RESULTS, YEARS, random_submission, run_evaluator

EVALUATORS = "SKAUDIO_AD_DCASE_EVALUATORS"
COLUMNS = ("auc", "partial_auc", "precision", "recall", "f1")
MEANS = {
    "arithmetic mean": ("arithmetic", "all"),
    "Average": ("arithmetic", "all"),
    "harmonic mean": ("harmonic", "all"),
    "source harmonic mean": ("harmonic", "source"),
    "target harmonic mean": ("harmonic", "target"),
}


def figures(text, year):
    """Return the figures of a result file by what they are: ``(kind, machine, ...)`` to a list of floats."""
    found, machine = {}, None
    for row in csv.reader(text.splitlines()):
        if len(row) == 1:
            machine = row[0]
        elif not row or row[0] in ("id", "section", ""):
            continue
        elif row[0].startswith("official score"):
            found[row[0]] = [float(row[2])]
        elif row[0] in MEANS:
            found["mean", machine, *MEANS[row[0]]] = [float(value) for value in row[1:] if value]
        elif "over all" in row[0]:
            found["overall", *MEANS[row[0].partition(" over")[0]]] = [float(value) for value in row[2:]]
        elif year == 2021:
            found["section", machine, row[0], row[1]] = [float(value) for value in row[2:]]
        else:
            found["section", machine, row[0]] = [float(value) for value in row[1:]]
    return found


@functools.cache
def ours(year):
    """Return the figures of dcase_scores for the random submission, under the keys of `figures`."""
    truth, scores, decisions = random_submission(year)
    result = dcase_scores(
        truth, scores, decisions=None if year == 2020 else decisions, year=year, jackknife=year > 2021
    )
    found = {}
    for row in result.sections:
        key = ("section", row["machine"], row["section"])
        if year == 2021:
            for domain in ("source", "target"):
                found[*key, domain] = [row[f"{name}_{domain}"] for name in COLUMNS]
        else:
            found[key] = [value for name, value in row.items() if name not in ("machine", "section")]
    for row in result.machine_means:
        found["mean", row["machine"], row["mean"], row["domain"]] = list(row.values())[3:]
    for row in result.overall_means:
        found["overall", row["mean"], row["domain"]] = list(row.values())[2:]
    found["official score"] = [result.omega]
    if year > 2021:
        # The evaluators divide by n - 1 once too often.
        found["official score ci95"] = [result.jackknife.ci95 / (len(truth) - 1)]
    return found


def assert_equal(text, year):
    theirs, computed = figures(text, year), ours(year)
    for key, values in theirs.items():
        if year == 2022 and key[0] == "mean" and key[3] in ("source", "target"):
            continue  # the evaluator of 2022 takes the wrong columns, see the next test
        if year > 2021 and key[0] == "section":
            # Their order is all, source, target, then the partial AUC, as ours.
            assert len(values) == 10
        assert computed[key] == pytest.approx(values, rel=1e-12), key
    return theirs


@pytest.mark.parametrize("year", YEARS)
def test_every_figure_of_the_official_evaluators_is_reproduced(year):
    # The files were written by the evaluators for random submissions, see evaluators.py.
    theirs = assert_equal((RESULTS / f"{year}.csv").read_text(), year)
    # 4 machines with 2 sections; 4 means of a machine and over all; official score and interval
    assert len(theirs) == {2020: 12, 2021: 16 + 16 + 4 + 1}.get(year, 8 + 16 + 4 + 2)


def test_the_evaluator_of_2022_takes_half_of_the_sections_for_its_source_mean():
    theirs = figures((RESULTS / "2022.csv").read_text(), 2022)
    by_section = [theirs["section", "fan", section] for section in ("00", "01")]
    aucs = np.array([[row[1] for row in by_section], [row[2] for row in by_section]]).reshape(-1)
    assert theirs["mean", "fan", "harmonic", "source"][0] == pytest.approx(aucs[0])
    assert theirs["mean", "fan", "harmonic", "target"][0] == pytest.approx(3 / np.sum(1 / aucs[1:]))
    assert ours(2022)["mean", "fan", "harmonic", "source"][0] == pytest.approx(2 / np.sum(1 / aucs[:2]))


def test_the_means_of_the_official_baseline_of_2025_are_reproduced():
    # Areas and means as the README of the evaluator of 2025 prints them for the baseline's mean squared error.
    aucs_source = [0.8102, 0.8140, 0.6770, 0.5284, 0.7198, 0.7304, 0.6686, 0.6486]
    aucs_target = [0.3436, 0.4976, 0.3670, 0.6272, 0.3956, 0.4436, 0.4430, 0.6592]
    partial_aucs = [0.5421052631578948, 0.5284210526315789, 0.55, 0.5552631578947368]
    partial_aucs += [0.5205263157894737, 0.5342105263157895, 0.5231578947368422, 0.6210526315789474]
    names = ("machine", "auc_source", "auc_target", "partial_auc")
    rows = [dict(zip(names, row)) for row in zip("abcdefgh", aucs_source, aucs_target, partial_aucs)]
    means = {(row["mean"], row["domain"]): row["auc"] for row in mean_tables(rows, 2025)["overall_means"]}
    assert means == pytest.approx(
        {
            ("arithmetic", "all"): 0.5858625,
            ("arithmetic", "source"): 0.699625,
            ("arithmetic", "target"): 0.4721,
            ("harmonic", "all"): 0.5437772342298658,
            ("harmonic", "source"): 0.6879822239700398,
            ("harmonic", "target"): 0.44954916968961445,
        }
    )
    assert harmonic_mean_score(aucs_source + aucs_target + partial_aucs) == pytest.approx(0.5442827820713174)


@pytest.mark.skipif(not os.environ.get(EVALUATORS), reason=f"{EVALUATORS} names no folder of the evaluators")
@pytest.mark.parametrize("year", YEARS)
def test_the_evaluators_themselves_read_a_written_submission_and_agree(year):
    assert_equal(run_evaluator(year, os.environ[EVALUATORS]), year)
