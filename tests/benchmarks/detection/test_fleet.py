"""The benchmark of fleets: splits, arrangements, paired intervals and tables."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.detection import fleet, heads


@pytest.fixture(scope="module")
def split():
    """Return clips of two machines and one round. An anomaly of "b" sounds like the normal clips of "a"."""
    rng = np.random.default_rng(0)
    machine = np.repeat(["a", "b", "b"], [30, 30, 10])
    X = rng.normal(size=(70, 4)).astype(np.float32)
    X[30:60] += 30
    trains = np.arange(70) % 30 < 20
    trains[60:] = False
    test = np.flatnonzero(~trains)
    return X, {
        "train": np.flatnonzero(trains),
        "test": np.r_[test, test[-5:]],
        "train machines": machine[trains],
        "test machines": np.r_[machine[~trains], ["a"] * 5],
        "is_normal": np.r_[test < 60, [False] * 5],
    }


@pytest.fixture(scope="module")
def results(split):
    return fleet.run_round(*split, "nearest")


def test_a_bank_of_all_machines_takes_the_sound_of_another_machine_for_normal(split, results):
    tasks = fleet.make_tasks([split[1]], [results], "scores", "test machines")
    assert [task["task"] for task in tasks] == ["a", "b"]
    area = {name: roc_auc_score(tasks[1]["is_normal"], scores) for name, scores in tasks[1]["scores"].items()}
    assert area[fleet.REFERENCE] == 1
    assert area["one for all"] < 0.8
    (together,) = fleet.make_tasks([split[1]], [results], "margin")
    assert len(together["clips"]) == 35


def test_a_clip_of_two_tasks_is_resampled_once(split, results):
    tasks = fleet.make_tasks([split[1]], [results], "scores", "test machines")
    seen = []

    def note(tasks, chosen=None):
        if chosen is not None:
            seen.append([tasks[i]["clips"][rows] for i, rows in enumerate(chosen)])
        return dict.fromkeys(results, 0.5)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heads, "mean_aucs", note)
        fleet.differences(tasks, n_draws=3)
    for first, second in seen:
        np.testing.assert_array_equal(np.sort(first[first >= 65]), np.sort(second[second >= 65]))
    assert not np.array_equal(seen[0][0], seen[1][0])


def test_the_table_has_a_row_for_each_arrangement(split, results):
    first, last = fleet.summarise("nearest", [split[1]], [results], n_draws=20)
    assert first["minus one for each machine"] == ""
    assert last["minus one for each machine"].startswith("-")
    assert "mean AUC, types, by margin" not in first
    assert first["detected"] > last["detected"]
    rows = fleet.machine_rows([split[1]], [results])
    assert [(row["normal"], row["anomalous"]) for row in rows] == [(10, 5), (10, 10)]


def test_two_classes_are_held_out_in_each_round_and_train_nothing():
    category, fold = np.repeat(list("abcd"), 5), np.tile(np.arange(1, 6), 4)
    first, second = fleet.esc10_splits(category, fold)
    assert set(first["train machines"]) == {"c", "d"}
    assert set(second["train machines"]) == {"a", "b"}
    assert first["test"].tolist() == [14, *range(10), 19, *range(10)]
    assert first["is_normal"].sum() == 2
    assert not set(first["train"]) & set(first["test"])


def test_without_data_nothing_is_reported(tmp_path, capsys):
    fleet.main(["--data-home", str(tmp_path), "--output", str(tmp_path / "results")])
    assert "MIMII is left out" in capsys.readouterr().out
    assert not (tmp_path / "results").exists()
