"""The command of the benchmark of detection: cells, tables and pictures on generated recordings."""

import csv
import dataclasses
import json
from types import SimpleNamespace

import matplotlib.image
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.detection import __main__ as command
from benchmarks.detection import _cell_files, _cells, _figures, _sets
from benchmarks.detection._configurations import Configuration, choose, configurations
from skaudio_ad import make_detector
from skaudio_ad.datasets import AudioDataset, make_machine_sounds

# In the order of running.
NAMES = ("log-mel/nearest", "mini/nearest", "loudness")


class Levels:
    """A detector of paths whose score is drawn from a seed. It has no threshold."""

    def __init__(self, seed=0, error=None):
        self.seed, self.error = seed, error

    def fit(self, X):
        if self.error:
            raise self.error

    def score_samples(self, X):
        return np.random.default_rng(self.seed).normal(size=len(X))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a folder of data sets that holds two databases in the layout of PhysioNet."""
    home = tmp_path_factory.mktemp("data")
    rows = ["path,database,label,split"]
    for seed, (database, machine) in enumerate((("a", "valve"), ("b", "fan"))):
        folder = home / "physionet2016" / database
        sounds = make_machine_sounds(
            8, 3, machine=machine, severity=1.0, duration=1.0, output_dir=folder, random_state=seed
        )
        for i, (path, label) in enumerate(zip(sounds.paths, sounds.target)):
            path = str(path).partition("physionet2016/")[2]
            rows.append(f"{path},{database},{label},{'train' if i < 5 else 'test'}")
    (home / "physionet2016" / "manifest.csv").write_text("\n".join(rows) + "\n")
    return home


@pytest.fixture(scope="module")
def output(tmp_path_factory, home):
    """Return the folder of a finished run of three configurations."""
    output = tmp_path_factory.mktemp("results")
    assert run(home, output, "--sets", "MIMII", "PhysioNet", "--detectors", *NAMES) == 0
    return output


def run(home, output, *arguments):
    return command.main(
        ["--data", str(home), "--output", str(output), "--draws", "30", "--seeds", "0", "1", *arguments]
    )


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def only(monkeypatch, **detectors):
    """Let the command know only the given detectors of paths."""
    made = {
        name: Configuration(name, "paths", None, detector, is_random=True)
        for name, detector in detectors.items()
    }
    monkeypatch.setattr(command, "configurations", lambda: (made, {}))
    monkeypatch.setattr(_figures, "draw", lambda *_: None)  # takes longer than the rest


def test_every_detector_has_a_cell_for_each_task(output):
    rows = table(output / "cells.csv")
    assert {row["status"] for row in rows} == {"ok"}
    assert [row["configuration"] for row in rows] == [name for name in NAMES for _ in "ab"]
    first = rows[2]
    assert (first["n_train"], first["n_normal"], first["n_anomalous"]) == ("5", "3", "3")
    assert float(first["fit seconds"]) > 0
    assert "scikit-learn 1." in first["versions"]


def test_the_area_of_the_default_is_that_of_make_detector(home, output):
    (task, _) = _sets.physionet(home)
    detector = make_detector(random_state=0).fit([task.paths[i] for i in task.train])
    scores = detector.score_samples([task.paths[i] for i in task.test])
    expected = roc_auc_score(task.y[task.test] == 1, scores)
    row = next(row for row in table(output / "cells.csv") if row["configuration"] == "mini/nearest")
    assert float(row["AUC"]) == pytest.approx(expected)
    assert float(row["false alarms"]) == np.mean(scores[task.y[task.test] == 1] < detector[-1].threshold_)


def test_tables_and_pictures_are_written(output):
    names = [row["configuration"] for row in table(output / "summary.csv") if row["set"] == "PhysioNet"]
    assert sorted(names) == sorted(NAMES)
    pairs = table(output / "pairs.csv")
    assert {row["set"] for row in pairs} == {"PhysioNet"}
    assert "mini/nearest" not in {row["configuration"] for row in pairs}
    ranks = [float(row["average rank"]) for row in table(output / "ranks.csv")]
    assert sum(ranks) == pytest.approx(6)
    page = (output / "detection.md").read_text()
    assert "| MIMII | " in page  # the reason why this set is left out
    assert "## AUC minus mini/nearest" in page
    about = json.loads((output / "detection.json").read_text())
    assert about["command"].startswith("python -m benchmarks.detection --data ")
    assert (about["ranks"]["blocks"], about["ranks"]["configurations"]) == (2, 3)
    assert all((output / own["file"]).exists() for own in about["tables"])
    assert matplotlib.image.imread(output / "AUC-PhysioNet.png").std() > 0.02


def test_a_second_run_uses_the_cells_and_says_which_have_other_versions(home, output, monkeypatch, capsys):
    path = next(path for path in (output / "cells").iterdir() if path.name.startswith("physionet-loudness"))
    cell = json.loads(path.read_text())
    cell["versions"]["scikit-learn"] = "0.1"
    path.write_text(json.dumps(cell))
    monkeypatch.setattr(_cells, "run_cell", None)  # a call would fail
    monkeypatch.setattr(_figures, "draw", lambda *_: None)
    assert run(home, output, "--sets", "PhysioNet", "--detectors", *NAMES) == 0
    rows = table(output / "summary.csv")
    own = {row["configuration"]: row["other versions"] for row in rows if row["set"] == "PhysioNet"}
    assert own["loudness"].startswith("scikit-learn 0.1 (now 1.")
    assert own["mini/nearest"] == ""
    assert "| scikit-learn 0.1 (now 1." in capsys.readouterr().out


def test_a_cell_that_fails_says_why_and_the_others_go_on(home, tmp_path, monkeypatch, capsys):
    only(
        monkeypatch,
        works=lambda seed: Levels(seed),
        fails=lambda seed: Levels(error=OSError("no such thing")),
    )
    assert run(home, tmp_path, "--sets", "PhysioNet") == 0
    status = {(row["configuration"], row["status"], row["error"]) for row in table(tmp_path / "cells.csv")}
    assert status == {("works", "ok", ""), ("fails", "error", "OSError: no such thing")}
    assert "OSError: no such thing" in (tmp_path / "detection.md").read_text()
    # A detector that was mended runs again, and the others do not.
    only(monkeypatch, works=lambda seed: Levels(error=OSError()), fails=lambda seed: Levels(seed))
    run(home, tmp_path, "--sets", "PhysioNet")
    assert {row["status"] for row in table(tmp_path / "cells.csv")} == {"ok"}
    assert table(tmp_path / "summary.csv")[0]["seeds"] == "2"
    assert table(tmp_path / "summary.csv")[0]["false alarms"] == ""  # the detector has no threshold


def test_features_that_fail_are_the_reason_of_their_cells(home, tmp_path, monkeypatch):
    def fail(memory):
        raise ValueError("weights are damaged")

    made = {"x/y": Configuration("x/y", "x", fail, Levels)}
    monkeypatch.setattr(command, "configurations", lambda: (made, {}))
    run(home, tmp_path, "--sets", "PhysioNet")
    assert {row["error"] for row in table(tmp_path / "cells.csv")} == {
        "features: ValueError: weights are damaged"
    }


def test_a_detector_that_takes_too_long_leaves_out_the_rest_of_a_set(home, tmp_path, monkeypatch):
    only(monkeypatch, slow=Levels)
    run(home, tmp_path, "--sets", "PhysioNet", "--limit", "0")
    rows = table(tmp_path / "cells.csv")
    assert [row["status"] for row in rows] == ["ok", "left out", "left out", "left out"]
    assert "1 cells of this set took" in rows[1]["error"]
    assert table(tmp_path / "summary.csv")[0]["tasks"] == "1 of 2"
    run(home, tmp_path, "--sets", "PhysioNet", "--limit", "0")
    assert table(tmp_path / "summary.csv")[0]["tasks"] == "1 of 2"
    run(home, tmp_path, "--sets", "PhysioNet", "--limit", "60")
    assert table(tmp_path / "summary.csv")[0]["tasks"] == "2 of 2"


def test_cells_run_on_a_cluster_of_dask(home, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")

    def detector(seed):
        distributed.get_worker()  # raises an error outside a worker
        return Levels(seed)

    only(monkeypatch, levels=detector)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        run(home, tmp_path, "--sets", "PhysioNet", "--dask", cluster.scheduler_address)
    assert {row["status"] for row in table(tmp_path / "cells.csv")} == {"ok"}


def test_scores_that_are_missing_are_an_error():
    task = _sets.Task("s", "t", ["1", "2"], np.array([1, -1]), np.array([0]), np.array([0, 1]))
    own = Configuration("nan", "paths", None, lambda seed: SimpleNamespace(fit=len, score_samples=_nan))
    cell = _cells.run_cell(task, own, 0, task.paths, {})
    assert cell["error"] == "ValueError: 2 of 2 test clips have the score NaN."


def _nan(X):
    return np.full(len(X), np.nan)


def test_other_clips_make_another_cell():
    task = _sets.Task("s", "t", ["d/1", "d/2"], np.array([1, -1]), np.array([0]), np.array([1]))
    own = Configuration("name", "paths", None, Levels)
    key = _cell_files.asked(task, own, 0)
    moved = dataclasses.replace(task, paths=["e/1", "e/2"])
    assert _cell_files.asked(moved, own, 0) == key
    assert _cell_files.asked(dataclasses.replace(task, y=np.array([-1, 1])), own, 0) != key
    assert _cell_files.asked(task, own, 1) != key


def test_a_damaged_cell_counts_as_absent(tmp_path):
    task = _sets.Task("s", "t", ["d/1", "d/2"], np.array([1, -1]), np.array([0]), np.array([1]))
    key = _cell_files.asked(task, Configuration("name", "paths", None, Levels), 0)
    _cell_files.write_cell(tmp_path, {"asked": key, "status": "ok"})
    assert _cell_files.read_cell(tmp_path, key) == {"asked": key, "status": "ok"}
    path = _cell_files.cell_path(tmp_path, key)
    path.write_bytes(path.read_bytes()[:-3])
    assert _cell_files.read_cell(tmp_path, key) is None


def test_recordings_of_dcase_are_a_task_of_each_machine():
    machine = ["fan"] * 5 + ["pump"] * 3
    split = ["train", "train", "supplemental", "test", "test", "train", "test", "test"]
    metadata = {"machine": machine, "split": split, "section": ["00"] * 8, "domain": ["source"] * 8}
    data = AudioDataset([f"{i}.wav" for i in range(8)], [1, 1, 1, 1, -1, 1, 0, 0], metadata)
    (task,) = _sets.dcase_tasks("DCASE 2023", data)  # the test clips of the pump have no labels
    assert (task.name, task.train.tolist(), task.test.tolist()) == ("fan", [0, 1], [3, 4])
    cell = _cells.run_cell(task, Configuration("x", "paths", None, Levels), 0, task.paths, {})
    assert set(cell["by machine"]["00"]) == {"AUC source", "pAUC"}


def test_an_unknown_detector_is_refused_with_the_reason():
    found, left_out = configurations()
    assert [own.name for own in choose(["mini/near*", "loudness"], found, left_out)] == [
        "mini/nearest",
        "loudness",
    ]
    with pytest.raises(ValueError, match="no configuration is named 'mini/farthest'; known names: log-mel/"):
        choose(["mini/farthest"], found, left_out)
    with pytest.raises(ValueError, match=r"mn40/\*: the weights are not on this machine"):
        choose(["mn40/nearest"], {"a": None}, {"mn40/*": "the weights are not on this machine"})


def test_without_data_nothing_is_written(tmp_path, capsys):
    assert run(tmp_path, tmp_path / "results") == 1
    printed = capsys.readouterr().out
    assert all(f"{name} is left out" in printed for name in _sets.SETS)
    assert not (tmp_path / "results").exists()
