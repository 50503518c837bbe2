"""The benchmark of heads: splits, areas, paired intervals and tables."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.detection import heads


def task(shift, n=40, seed=0):
    """A made-up task in which "nearest" separates by 1 and "other" by `shift` deviations."""
    rng = np.random.default_rng(seed)
    is_normal = np.arange(2 * n) < n
    noise = rng.normal(size=2 * n)
    scores = {"nearest": noise + is_normal, "other": noise + shift * is_normal}
    return {
        "task": "made up",
        "n_train": 24,
        "is_normal": is_normal,
        "scores": scores,
        "alarms": {name: values < -1 for name, values in scores.items()},
        "seconds": {"nearest": 1.0, "other": 2.0},
    }


def test_the_area_counts_pairs_and_half_of_the_ties():
    made = task(0.5)
    scores = made["scores"]["other"].round(1)
    assert heads.auc(made["is_normal"], scores) == pytest.approx(roc_auc_score(made["is_normal"], scores))


def test_a_paired_interval_is_narrow_where_two_heads_rank_alike():
    tasks = [task(1.05, seed=seed) for seed in range(2)]
    difference, low, high = heads.differences(tasks, n_draws=50)["other"]
    assert 0 < difference < 0.03
    assert low <= difference <= high
    assert high - low < 0.02  # the interval of a single area is ten times as wide
    assert heads.differences(tasks, n_draws=5)["nearest"] == (0, 0, 0)


def test_tables_have_means_over_tasks_and_sets():
    areas, gaps, alarms = heads.summarise({"A": [task(2.0), task(2.0, seed=1)], "B": [task(0.0)]})
    assert [row["head"] for row in areas] == ["nearest", "other"]
    assert [row["head"] for row in gaps] == ["other"]
    assert gaps[0]["A"].startswith("+")
    assert gaps[0]["B"].startswith("-")
    assert float(areas[1]["mean"]) == pytest.approx(
        (float(areas[1]["A"]) + float(areas[1]["B"])) / 2, abs=0.001
    )
    assert alarms[1]["seconds, all tasks"] == "6.0"


def test_every_head_runs_on_a_task(rng):
    X = rng.normal(size=(60, 20)).astype(np.float32)
    y = np.repeat([1, -1], [40, 20])
    X[y == -1] += 3
    found = heads.run_task(X, y, np.arange(24), np.arange(24, 60))
    assert list(found["scores"])[:2] == ["nearest", "nearest, 5 folds"]
    assert len(found["scores"]) == 6
    for scores in found["scores"].values():
        assert heads.auc(found["is_normal"], scores) > 0.95


def test_the_split_of_physionet_is_that_of_the_manifest(tmp_path):
    folder = tmp_path / "physionet2016"
    folder.mkdir()
    (folder / "manifest.csv").write_text(
        "path,database,label,split\na/1.flac,a,1,train\na/2.flac,a,-1,test\nb/1.flac,b,1,test\nb/2.flac,b,1,train\n"
    )
    for name in ("a/1.flac", "a/2.flac", "b/1.flac", "b/2.flac"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (_, paths, y, train, test), second = heads.physionet_tasks(tmp_path)
    assert paths == [str(folder / "a/1.flac"), str(folder / "a/2.flac")]
    assert (y.tolist(), train.tolist(), test.tolist()) == ([1, -1], [0], [1])
    assert second[3].tolist() == [1]


def test_without_data_nothing_is_reported(tmp_path, capsys):
    heads.main(["--data-home", str(tmp_path), "--output", str(tmp_path / "results")])
    printed = capsys.readouterr().out
    assert all(f"{name} is left out" in printed for name in heads.SETS)
    assert not (tmp_path / "results").exists()
