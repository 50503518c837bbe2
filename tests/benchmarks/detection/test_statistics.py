"""Statistics of the benchmark of detection, beside scikit-learn, published tables and another bootstrap."""

import numpy as np
import pytest
from scipy.stats import friedmanchisquare
from sklearn.metrics import roc_auc_score

from benchmarks.detection import _page, _statistics, _tables
from skaudio_ad.metrics import anomaly_auc_score, bootstrap_interval, dcase_scores


def cell(scores, is_normal, *, set_name="S", name="mini/nearest", task="t", seed=0, groups=None, **parts):
    """Return a cell as the benchmark keeps it. A score below -1 is an alarm."""
    return {
        "asked": {"set": set_name, "task": task, "configuration": name, "seed": seed},
        "status": "ok",
        "scores": scores.tolist(),
        "normal": is_normal.tolist(),
        "alarms": (scores < -1).tolist(),
        "groups": [str(i) for i in range(len(scores))] if groups is None else groups,
        "machines": parts.get("machines"),
        "domains": parts.get("domains"),
        "warnings": {},
        **dict.fromkeys(("fit seconds", "fit CPU seconds", "score seconds", "score CPU seconds"), 1.0),
        **dict.fromkeys(("feature seconds", "feature CPU seconds", "memory"), 2.0),
    }


@pytest.fixture
def is_normal():
    return np.arange(200) < 80


@pytest.mark.parametrize("max_fpr", [1.0, 0.1, 0.01])
def test_weighted_areas_are_those_of_scikit_learn(rng, is_normal, max_fpr):
    scores = (rng.normal(size=200) + is_normal).round(1)  # many ties
    weights = rng.exponential(size=(4, 200))
    weights[0] = 1
    expected = [
        roc_auc_score(~is_normal, -scores, sample_weight=own, max_fpr=None if max_fpr == 1 else max_fpr)
        for own in weights
    ]
    np.testing.assert_allclose(_statistics.area(is_normal, scores, weights, max_fpr), expected)


def test_an_interval_is_that_of_the_bootstrap_of_the_metrics(rng, is_normal):
    scores = rng.normal(size=200) + 0.8 * is_normal
    values = _statistics.task_values([cell(scores, is_normal)], 1000)["mini/nearest"]["t"]
    value, low, high = _statistics.interval(values["AUC"])
    y = np.where(is_normal, 1, -1)
    assert value == pytest.approx(anomaly_auc_score(y, scores))
    np.testing.assert_allclose((low, high), bootstrap_interval(anomaly_auc_score, y, scores), atol=0.01)
    again = _statistics.task_values([cell(scores, is_normal)], 1000)["mini/nearest"]["t"]
    np.testing.assert_array_equal(again["AUC"], values["AUC"])


def test_clips_of_one_group_widen_the_interval(rng, is_normal):
    scores = np.repeat(rng.normal(size=20), 10) + 0.8 * is_normal
    groups = np.repeat(np.arange(20), 10).astype(str).tolist()
    widths = []
    for own in (None, groups):
        values = _statistics.task_values([cell(scores, is_normal, groups=own)], 300)["mini/nearest"]["t"]
        _, low, high = _statistics.interval(values["AUC"])
        widths.append(high - low)
    assert widths[1] > 2 * widths[0]


def test_differences_are_paired_and_means_are_over_seeds_tasks_and_sets(rng, is_normal):
    noise, cells = rng.normal(size=200), []
    for set_name, task in (("S", "t"), ("S", "u"), ("T", "v")):
        for name, shifts in (("mini/nearest", [0.8]), ("other", [0.8, 0.9] if set_name == "S" else [0.7])):
            for seed, shift in enumerate(shifts):
                own = {"set_name": set_name, "task": task, "name": name, "seed": seed}
                cells.append(cell(noise + shift * is_normal, is_normal, **own))
    auc = {shift: roc_auc_score(is_normal, noise + shift * is_normal) for shift in (0.7, 0.8, 0.9)}
    results = _tables.Results(cells, "mini/nearest", 200)
    first, second, mean = _tables.pair_rows(results)
    assert [row["set"] for row in (first, second, mean)] == ["S", "T", "mean over sets"]
    assert first["AUC difference"] == pytest.approx((auc[0.9] - auc[0.8]) / 2)
    assert mean["AUC difference"] == pytest.approx(((auc[0.9] - auc[0.8]) / 2 + auc[0.7] - auc[0.8]) / 2)
    assert first["AUC high"] - first["AUC low"] < 0.02  # the interval of one area is ten times as wide
    assert (first["AUC is"], second["AUC is"]) == ("better", "worse")
    said = _page.verdict([first, second, mean], "S", "mini/nearest")
    assert "beside mini/nearest: 1 better, 0 level, 0 worse." in said
    assert said.endswith("Better: other.")
    summary = {(row["set"], row["configuration"]): row for row in _tables.summary_rows(results, {})}
    assert summary["S", "other"]["seeds"] == 2
    assert summary["S", "other"]["fit seconds"] == 2.0  # two tasks of 1 s, as the mean over the seeds
    assert summary["mean over sets", "mini/nearest"]["AUC"] == pytest.approx(auc[0.8])


def test_one_detector_for_all_machines_is_judged_machine_by_machine(rng):
    is_normal, machines = np.tile([True, False], 50), ["a"] * 50 + ["b"] * 50
    scores = rng.normal(size=100) + is_normal + np.repeat([0, 9], 50)  # another scale for each machine
    one = cell(scores, is_normal, machines=machines, set_name="S merged")
    values = _statistics.task_values([one], 5)["mini/nearest"]["t"]
    parts = [roc_auc_score(is_normal[rows], scores[rows]) for rows in (slice(50), slice(50, None))]
    paucs = [
        roc_auc_score(~is_normal[rows], -scores[rows], max_fpr=0.1) for rows in (slice(50), slice(50, None))
    ]
    assert values["AUC"][0] == pytest.approx(np.mean(parts))
    assert values["Omega"][0] == pytest.approx(4 / np.sum(1 / np.array(parts + paucs)))
    # The clips are those of another set, so neither means over sets nor ranks count them.
    assert _tables.Results([one], "mini/nearest", 5).sets == []


def test_sections_and_domains_are_judged_as_in_dcase(rng):
    names = [f"{i}.wav" for i in range(80)]
    section, domain = rng.choice(["00", "01"], 80).tolist(), rng.choice(["source", "target"], 80).tolist()
    is_normal, scores = rng.random(80) < 0.5, rng.normal(size=80)
    truth = {"file": names, "target": np.where(is_normal, 1, -1), "section": section, "domain": domain}
    official = dcase_scores(truth, dict(zip(names, scores)), year=2023)
    values = _statistics.task_values([cell(scores, is_normal, machines=section, domains=domain)], 2)
    assert values["mini/nearest"]["t"]["Omega"][0] == pytest.approx(official.omega)
    paucs = [row["partial_auc"] for row in official.sections]
    assert values["mini/nearest"]["t"]["pAUC"][0] == pytest.approx(np.mean(paucs))


@pytest.mark.parametrize(("n", "expected"), [(3, 2.343), (5, 2.728), (10, 3.164)])
def test_critical_differences_are_those_of_the_published_table(rng, n, expected):
    aucs = rng.random((n, 12))
    ranks, p_value, difference = _statistics.average_ranks(aucs)
    assert difference == pytest.approx(
        expected * np.sqrt(n * (n + 1) / (6 * 12)), rel=1e-3
    )  # Demsar 2006, table 5a
    assert ranks.mean() == pytest.approx((n + 1) / 2)
    assert p_value == pytest.approx(friedmanchisquare(*aucs)[1])


def test_the_best_area_has_rank_one():
    ranks, p_value, _ = _statistics.average_ranks(np.array([[0.9, 0.8], [0.5, 0.8]]))
    assert ranks.tolist() == [1.25, 1.75]
    assert np.isnan(p_value)


def test_random_splits_are_one_block(is_normal, rng):
    cells = [cell(rng.normal(size=200), is_normal, task=task) for task in ("h, split 0", "h, split 1", "l")]
    blocks = _statistics.blocks_of(_statistics.task_values(cells, 2))["mini/nearest"]
    assert set(blocks) == {"h", "l"}
    areas = [roc_auc_score(is_normal, own["scores"]) for own in cells[:2]]
    assert blocks["h"] == pytest.approx(np.mean(areas))


def test_a_detector_without_some_tasks_has_no_rank_and_no_mean(is_normal, rng):
    scores = rng.normal(size=200)
    cells = [cell(scores, is_normal, task=task) for task in ("t", "u")]
    cells.append(cell(scores, is_normal, set_name="T"))
    cells.append(cell(scores, is_normal, set_name="T", name="other"))
    failed = {"asked": {**cells[0]["asked"], "configuration": "other", "task": "u"}}
    cells += [
        cell(scores, is_normal, name="other"),
        failed | {"status": "error", "error": "why", "warnings": {}},
    ]
    results = _tables.Results(cells, "mini/nearest", 2)
    rows, facts = _tables.rank_rows(results)
    assert [row["configuration"] for row in rows] == ["mini/nearest"]
    assert facts["blocks"] == 3
    summary = _tables.summary_rows(results, {})
    assert [(row["tasks"], row["reason"]) for row in summary[:2]] == [("2 of 2", ""), ("1 of 2", "why")]
    assert [row["configuration"] for row in summary if row["set"] == "mean over sets"] == ["mini/nearest"]
    assert _tables.pair_rows(results)[0]["tasks"] == 1
