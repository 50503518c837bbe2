"""Tables of the benchmark of fine-tuning, from made-up cells."""

import json

import pytest

from benchmarks.detection.fine_tuning import (
    CONTENDERS,
    REFERENCE,
    SETS,
    cell_file,
    collect,
    differences,
    summarise,
)

NORMAL = [True, True, False, False]


def write(cell, folder, scores):
    test = {"task": "fan", "scores": scores, "is_normal": NORMAL}
    made = {"group": "fan", "n_train": 3, "seconds": 2.0, "epochs": 5, "tests": [test, test]}
    cell_file(cell, folder).write_text(json.dumps(made), encoding="utf-8")


@pytest.fixture
def cells(tmp_path):
    made = [(SETS[0], number, "mini", c, 0) for number in (0, 1) for c in (REFERENCE, "softmax, all")]
    write(made[0], tmp_path, [4.0, 1.0, 3.0, 2.0])  # one normal clip lies above, one below both others: 0.5
    write(made[1], tmp_path, [4.0, 3.0, 2.0, 1.0])
    write(made[2], tmp_path, [1.0, 2.0, 3.0, 4.0])  # the other contender of this task is missing
    return made


def test_a_task_counts_only_if_all_contenders_have_it(cells, tmp_path):
    results, costs = collect(cells, tmp_path)
    assert list(results) == [("mini", SETS[0])]
    assert len(results["mini", SETS[0]]) == 2
    assert len(costs["mini", SETS[0], "softmax, all"]) == 1


def test_the_tables_have_the_auc_and_its_difference_from_the_frozen_backbone(cells, tmp_path):
    results, costs = collect(cells, tmp_path)
    areas, gaps, times = summarise(results, costs)
    assert [row[SETS[0]] for row in areas] == ["0.500", "1.000"]
    assert gaps[0][SETS[0]].startswith("+0.500 [")
    assert times[0][SETS[0]] == "2 s, 5 epochs"
    gap, low, high = differences(results["mini", SETS[0]])["softmax, all"]
    assert low <= gap <= high


def test_every_contender_has_parameters_of_the_estimator():
    from skaudio_ad import FineTunedEmbedding, MobileNetEmbedding

    for name, settings in CONTENDERS.items():
        assert (settings is None) == (name == REFERENCE)
        FineTunedEmbedding(MobileNetEmbedding()).set_params(**(settings or {}))
