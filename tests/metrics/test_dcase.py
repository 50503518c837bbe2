"""The evaluation of DCASE Task 2 against results computed by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from skaudio_ad.metrics import dcase_scores

# One section. Scores are higher for more normal clips.
TRUTH = {
    "file": ["n1", "n2", "n3", "n4", "a1", "a2"],
    "target": [1, 1, 1, 1, -1, -1],
    "section": ["00"] * 6,
    "domain": ["source", "source", "target", "target", "source", "target"],
}
SCORES = {"n1": 9.0, "n2": 8.0, "n3": 7.0, "n4": 2.0, "a1": 1.0, "a2": 5.0}


def mcclish(area, p=0.1):
    """Standardise the area below the curve up to the false positive rate p."""
    return 0.5 * (1 + (area - p**2 / 2) / (p - p**2 / 2))


# The curve of all six clips starts at a detection rate of 1/2, because a1 lies below every normal clip. The curve is
# constant up to the false positive rate 1/4 (n4), so the area up to 0.1 is 0.05.
PARTIAL = mcclish(0.05)


def test_since_2022_the_normal_clips_of_a_domain_meet_all_anomalies_of_the_section():
    result = dcase_scores(TRUTH, SCORES, year=2023)
    (row,) = result.sections
    # source: n1 and n2 beat a1 and a2; target: n3 beats both, n4 only a1, so 3 of 4 pairs
    assert row == {
        "machine": "",
        "section": "00",
        "auc": 0.875,
        "auc_source": 1.0,
        "auc_target": 0.75,
        "partial_auc": pytest.approx(PARTIAL),
    }
    assert result.omega == pytest.approx(3 / (1 / 1 + 1 / 0.75 + 1 / PARTIAL))
    assert result.machines == {"": result.omega}


def test_in_2021_a_domain_is_judged_by_its_own_clips():
    (row,) = dcase_scores(TRUTH, SCORES, year=2021).sections
    # target: a2 at 5 lies below n3 and above n4. n4 looks more anomalous than a2, so the curve starts at 0
    expected = {
        "auc_source": 1.0,
        "auc_target": 0.5,
        "partial_auc_source": 1.0,
        "partial_auc_target": mcclish(0.0),
    }
    assert {name: row[name] for name in expected} == pytest.approx(expected)
    omega = 4 / sum(1 / value for value in expected.values())
    assert dcase_scores(TRUTH, SCORES, year=2021).omega == pytest.approx(omega)


def test_in_2020_there_are_no_domains_and_means_are_arithmetic():
    truth = {name: TRUTH[name] for name in ("file", "target", "section")}
    result = dcase_scores(truth, SCORES, year=2020)
    # 7 of the 8 pairs: a2 beats n4
    assert result.sections == [
        {"machine": "", "section": "00", "auc": 0.875, "partial_auc": pytest.approx(PARTIAL)}
    ]
    assert result.omega == pytest.approx((0.875 + PARTIAL) / 2)


def submission(machines, seed=0):
    """Make truth and scores of several machines. A section has 6 normal and 4 anomalous clips of each domain."""
    rng = np.random.default_rng(seed)
    truth, scores = {}, {}
    for machine, n_sections in machines.items():
        for section in range(n_sections):
            for index in range(20):
                file = f"{machine}/section_{section:02d}_{index:04d}.wav"
                target = 1 if index % 10 < 6 else -1
                domain = "source" if index < 10 else "target"
                truth[file] = {
                    "machine": machine,
                    "section": f"{section:02d}",
                    "domain": domain,
                    "target": target,
                }
                scores[file] = float(rng.normal() + 0.7 * target)
    return truth, scores


def test_omega_is_the_harmonic_mean_over_machines_sections_and_metrics():
    truth, scores = submission({"fan": 2, "valve": 1})
    values = {"fan": [], "valve": []}
    for machine, section in (("fan", "00"), ("fan", "01"), ("valve", "00")):
        files = [f for f in truth if truth[f]["machine"] == machine and truth[f]["section"] == section]
        y = np.array([truth[f]["target"] for f in files])
        domain = np.array([truth[f]["domain"] for f in files])
        anomaly = -np.array([scores[f] for f in files])
        for name in ("source", "target"):
            kept = (y == -1) | (domain == name)
            values[machine].append(roc_auc_score(y[kept] == -1, anomaly[kept]))
        values[machine].append(roc_auc_score(y == -1, anomaly, max_fpr=0.1))
    result = dcase_scores(truth, scores, year=2024)
    every = np.concatenate(list(values.values()))
    assert result.omega == pytest.approx(len(every) / np.sum(1 / every))
    for machine, of_machine in values.items():
        assert result.machines[machine] == pytest.approx(len(of_machine) / np.sum(1 / np.array(of_machine)))
    assert [(row["machine"], row["section"]) for row in result.sections] == [
        ("fan", "00"),
        ("fan", "01"),
        ("valve", "00"),
    ]


def test_in_2020_every_machine_has_the_same_weight_for_any_number_of_ids():
    truth, scores = submission({"fan": 3, "valve": 1})
    result = dcase_scores(truth, scores, year=2020)
    fan, valve = result.machines["fan"], result.machines["valve"]
    assert result.omega == pytest.approx((fan + valve) / 2)
    of_fan = [row[name] for row in result.sections[:3] for name in ("auc", "partial_auc")]
    assert fan == pytest.approx(np.mean(of_fan))


def test_the_rules_are_the_same_since_2022():
    truth, scores = submission({"fan": 1})
    omegas = {dcase_scores(truth, scores, year=year).omega for year in range(2022, 2027)}
    assert len(omegas) == 1
    assert dcase_scores(truth, scores, year=2021).omega not in omegas


def test_an_area_of_zero_makes_omega_nearly_zero_and_raises_no_error():
    scores = {file: -value for file, value in SCORES.items()}
    assert 0 < dcase_scores(TRUTH, scores, year=2022).omega < 1e-14


def test_clips_are_joined_by_file_and_not_by_order():
    expected = dcase_scores(TRUTH, SCORES, year=2022)
    backwards = dict(reversed(SCORES.items()))
    assert dcase_scores(TRUTH, backwards, year=2022) == expected
    table = pd.DataFrame({"file": list(backwards), "score": list(backwards.values())})
    assert dcase_scores(pd.DataFrame(TRUTH).sample(frac=1, random_state=0), table, year=2022) == expected
    by_file = {
        file: {name: TRUTH[name][i] for name in ("target", "section", "domain")}
        for i, file in enumerate(TRUTH["file"])
    }
    assert dcase_scores(by_file, table, year=2022) == expected


def test_the_convention_of_the_papers_is_available():
    truth, scores = submission({"fan": 1})
    result = dcase_scores(truth, scores, year=2022, convention="mean")
    files = list(truth)
    y, values = np.array([truth[f]["target"] for f in files]), np.array([scores[f] for f in files])
    # floor(0.1 * 12) = 1, so only the most anomalous normal clip counts
    expected = (values[y == -1] < values[y == 1].min()).mean()
    assert result.sections[0]["partial_auc"] == pytest.approx(expected)


def test_the_error_names_files_without_a_partner():
    scores = SCORES | {"n9": 1.0}
    del scores["n2"]
    with pytest.raises(
        ValueError, match=r"'n2' of truth without a score; 'n9' of scores not in truth.*equal in every letter"
    ):
        dcase_scores(TRUTH, scores, year=2022)


def test_the_error_names_a_few_of_many_files_without_a_partner_and_counts_all():
    with pytest.raises(ValueError, match=r"'n1', 'n2', 'n3', \.\.\. \(5 files\) of truth without a score"):
        dcase_scores(TRUTH, {"a2": 1.0}, year=2022)


@pytest.mark.parametrize("which", ["truth", "scores"])
def test_the_error_names_a_file_that_occurs_twice(which):
    tables = {"truth": TRUTH, "scores": {"file": list(SCORES), "score": list(SCORES.values())}}
    tables[which] = {name: [*column, column[0]] for name, column in tables[which].items()}
    with pytest.raises(ValueError, match=f"^{which} holds 'n1' more than once"):
        dcase_scores(**tables, year=2022)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": [0, 0, 0, 0, 1, 1]}, r"^target must hold 1 for normal.*got the labels \[0, 1\]"),
        (
            {"domain": ["source"] * 5 + ["Target"]},
            "^domain of 'a2' must be one of 'source', 'target', got 'Target'",
        ),
        ({"domain": ["source"] * 6}, r"^auc_target of section '00': y_true holds no normal \(1\) clip"),
        ({"target": [1] * 6}, r"^auc_source of section '00': y_true holds no anomalous \(-1\) clip"),
        ({"section": ["00"] * 5}, "^truth has 6 files, but 5 values of 'section'"),
        ({"machine": ["fan"] * 6, "target": [1] * 6}, "^auc_source of machine 'fan', section '00'"),
    ],
)
def test_truth_that_lacks_a_class_or_a_value_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dcase_scores(TRUTH | changes, SCORES, year=2022)


def test_the_error_names_missing_columns():
    with pytest.raises(
        ValueError, match=r"truth must have the columns file, target, section, domain; \['domain'\]"
    ):
        dcase_scores({k: v for k, v in TRUTH.items() if k != "domain"}, SCORES, year=2022)
    with pytest.raises(ValueError, match=r"'a' lacks \['section', 'domain'\]"):
        dcase_scores({"a": {"target": 1}}, SCORES, year=2022)


def test_the_error_names_a_clip_without_a_score():
    with pytest.raises(ValueError, match="scores holds NaN for 'n3'"):
        dcase_scores(TRUTH, SCORES | {"n3": np.nan}, year=2022)


def test_wrong_types_empty_tables_and_unknown_years_are_refused():
    with pytest.raises(TypeError, match=r"^scores must be a data frame.*got list"):
        dcase_scores(TRUTH, list(SCORES.values()), year=2022)
    with pytest.raises(ValueError, match=r"^truth holds no files"):
        dcase_scores({}, SCORES, year=2022)
    with pytest.raises(ValueError, match=r"^year must be one of 2020, .*, 2026, got 2019"):
        dcase_scores(TRUTH, SCORES, year=2019)
