"""Splits whose training parts hold no anomaly."""

import numpy as np
import pytest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    HalvingGridSearchCV,
    KFold,
    LeaveOneGroupOut,
    LeaveOneOut,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
)
from sklearn.svm import OneClassSVM

from skaudio_ad.model_selection import NormalOnlySplit

# Normal and anomalous clips alternate.
Y = np.array([1, 1, -1, 1, 1, 1, -1, -1, 1, 1, 1, 1, -1, 1, 1, -1, 1])
X = np.zeros((len(Y), 1))
NORMAL, ANOMALOUS = np.flatnonzero(Y == 1), np.flatnonzero(Y == -1)


def folds(cv, y=Y, groups=None, **settings):
    return list(NormalOnlySplit(cv, **settings).split(np.zeros((len(y), 1)), y, groups))


@pytest.mark.parametrize("anomalies", ["every", "spread"])
@pytest.mark.parametrize(
    "cv",
    [
        3,
        KFold(3, shuffle=True, random_state=1),
        StratifiedKFold(3),
        ShuffleSplit(3, random_state=0),
        LeaveOneOut(),
    ],
    ids=["int", "KFold", "StratifiedKFold", "ShuffleSplit", "LeaveOneOut"],
)
@pytest.mark.filterwarnings("ignore:the folds .* have no anomaly to test")  # more folds than anomalies
def test_the_normal_clips_are_split_as_if_there_were_no_anomalies(cv, anomalies):
    inner = KFold(3) if cv == 3 else cv
    expected = list(inner.split(NORMAL, np.ones(len(NORMAL))))
    found = folds(cv, anomalies=anomalies)
    assert len(found) == len(expected) == NormalOnlySplit(cv).get_n_splits(X, Y)
    for (train, test), (train_of_normal, test_of_normal) in zip(found, expected):
        np.testing.assert_array_equal(train, NORMAL[train_of_normal])
        np.testing.assert_array_equal(np.setdiff1d(test, ANOMALOUS), np.sort(NORMAL[test_of_normal]))


def test_every_anomaly_is_tested_in_every_fold_by_default():
    for _, test in folds(4):
        assert set(ANOMALOUS) <= set(test)
        assert (np.diff(test) > 0).all()


def test_spread_makes_test_folds_a_partition_with_similar_numbers_of_anomalies():
    tests = [test for _, test in folds(4, anomalies="spread")]
    np.testing.assert_array_equal(np.sort(np.concatenate(tests)), np.arange(len(Y)))
    assert sorted(np.isin(test, ANOMALOUS).sum() for test in tests) == [1, 1, 1, 2]


def test_spread_distributes_kinds_of_anomalies_for_any_order():
    kinds = (
        np.arange(40) % 4
    )  # kinds alternate and equal the folds in number: distribution in order would give each fold only one kind
    y = np.r_[np.ones(20, dtype=int), np.full(40, -1)]
    for kind in (kinds, np.sort(kinds)):
        for _, test in folds(4, y, anomalies="spread"):
            assert len(set(kind[test[test >= 20] - 20])) > 1


def test_the_seed_of_the_splitter_decides_how_anomalies_are_spread():
    y = np.r_[np.ones(20, dtype=int), np.full(20, -1)]
    a, b, c = (folds(KFold(4, shuffle=True, random_state=seed), y, anomalies="spread") for seed in (0, 0, 1))
    assert all(np.array_equal(x[1], z[1]) for x, z in zip(a, b))
    assert any(not np.array_equal(x[1][x[1] >= 20], z[1][z[1] >= 20]) for x, z in zip(a, c))


def test_splitting_leaves_numpys_global_generator_as_it_was():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    folds(3, anomalies="spread")
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("anomalies", ["every", "spread"])
def test_groups_are_kept_apart_for_anomalies_too(anomalies, rng):
    machine = rng.integers(4, size=60)
    y = np.where(rng.uniform(size=60) < 0.3, -1, 1)
    tested = np.zeros(60, dtype=int)
    for train, test in folds(GroupKFold(4), y, machine, anomalies=anomalies):
        assert not set(machine[train]) & set(machine[test])
        assert (y[train] == 1).all()
        tested[test] += 1
    np.testing.assert_array_equal(tested, 1)


def test_an_anomaly_of_a_machine_without_normal_clips_is_tested_in_every_fold_or_in_one():
    machine = np.where(Y == 1, np.cumsum(Y == 1) % 3, 7)
    machine[ANOMALOUS[:4]] = [0, 1, 2, 0]
    stranger = ANOMALOUS[4]
    assert all(stranger in test for _, test in folds(GroupKFold(3), Y, machine))
    assert sum(stranger in test for _, test in folds(GroupKFold(3), Y, machine, anomalies="spread")) == 1


def test_an_anomaly_whose_group_is_always_trained_on_gives_a_warning():
    machine = np.arange(len(Y)) % 4
    cv = GroupShuffleSplit(1, test_size=1, random_state=0)
    message = r"3 of 5 anomalies are never tested, .* The first is of the group 3\. .*GroupKFold"
    with pytest.warns(UserWarning, match=message):
        (train, test), *_ = folds(cv, Y, machine)
    assert not set(machine[train]) & set(machine[test])


def test_a_fold_without_anomalies_gives_a_warning_with_a_remedy():
    with pytest.warns(
        UserWarning, match=r'folds \[5\] of 6 have no anomaly to test \(5 .* anomalies="every"'
    ):
        assert len(folds(6, anomalies="spread")) == 6
    machine = np.where(Y == -1, 0, np.arange(len(Y)) % 3)
    with pytest.warns(
        UserWarning, match=r"folds \[\d, \d\] of 3 have no anomaly to test \(.* or other groups"
    ):
        folds(GroupKFold(3), Y, machine)


def test_a_splitter_that_ignores_groups_says_so_and_tests_every_anomaly():
    with pytest.warns(UserWarning, match="groups parameter is ignored by KFold"):
        found = folds(KFold(3), Y, np.zeros(len(Y)))
    assert all(set(ANOMALOUS) <= set(test) for _, test in found)


def test_strata_give_every_fold_the_same_mixture_of_machines():
    machine = np.repeat(["a", "b", "c"], [20, 10, 20])
    y = np.where(np.arange(50) % 5 == 0, -1, 1)
    for train, test in folds(StratifiedKFold(4), y, machine, group_role="strata"):
        assert (y[train] == 1).all()
        normal = machine[test][y[test] == 1]
        assert [np.count_nonzero(normal == name) for name in "abc"] == [4, 2, 4]
        assert np.count_nonzero(y[test] == -1) == 10
    assert NormalOnlySplit(StratifiedKFold(4), group_role="strata").get_n_splits(y, y, machine) == 4


def test_strata_without_groups_are_an_error():
    with pytest.raises(ValueError, match='group_role="strata" needs groups'):
        folds(StratifiedKFold(2), group_role="strata")


def test_a_list_of_splits_keeps_its_meaning_and_loses_the_anomalies_it_trains_on():
    everything = np.arange(len(Y))
    splits = [(everything[5:], everything[:5]), (everything[:5], everything[5:])]
    (train, test), (train_2, test_2) = folds(splits)
    np.testing.assert_array_equal(train, [5, 8, 9, 10, 11, 13, 14, 16])
    np.testing.assert_array_equal(test, [0, 1, 2, 3, 4, 6, 7, 12, 15])
    np.testing.assert_array_equal(train_2, [0, 1, 3, 4])
    np.testing.assert_array_equal(test_2, [2, *range(5, 17)])
    masks = [(np.arange(len(Y)) >= 5, np.arange(len(Y)) < 5)]
    np.testing.assert_array_equal(folds(masks)[0][0], train)
    assert NormalOnlySplit(splits).get_n_splits(X, Y) == 2


def test_a_predefined_split_keeps_its_meaning():
    fold = np.arange(len(Y)) % 2
    for (train, test), k in zip(folds(PredefinedSplit(fold)), (0, 1)):
        np.testing.assert_array_equal(train, np.flatnonzero((fold != k) & (Y == 1)))
        np.testing.assert_array_equal(test, np.flatnonzero(((fold == k) & (Y == 1)) | (Y == -1)))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        folds(PredefinedSplit(fold[:-1]))


def test_an_iterator_is_refused_because_it_would_be_empty_the_second_time():
    with pytest.raises(ValueError, match=r"gives its splits only once\. Pass list\(cv\)"):
        folds(KFold(2).split(X))


@pytest.mark.parametrize("y", [None, np.ones(9)], ids=["no labels", "all normal"])
def test_without_anomalies_the_splits_equal_the_splits_of_the_splitter(y):
    found = list(NormalOnlySplit(3).split(np.zeros(9), y))
    for (train, test), (train_2, test_2) in zip(found, KFold(3).split(np.zeros(9))):
        np.testing.assert_array_equal(train, train_2)
        np.testing.assert_array_equal(test, test_2)


def test_a_splitter_by_time_trains_only_on_earlier_normal_clips():
    for train, test in folds(TimeSeriesSplit(3)):
        assert train.max() < min(np.setdiff1d(test, ANOMALOUS))


def test_the_number_of_splits_comes_from_the_splitter_of_the_normal_clips():
    groups = np.arange(len(Y)) // 6
    assert NormalOnlySplit().get_n_splits() == NormalOnlySplit(None).get_n_splits() == 5
    assert NormalOnlySplit(LeaveOneGroupOut()).get_n_splits(X, Y, groups) == 3
    assert NormalOnlySplit(LeaveOneOut()).get_n_splits(X) == len(Y)


@pytest.mark.parametrize(
    ("cv", "constant"),
    [
        (3, True),
        (KFold(3), True),
        (KFold(3, shuffle=True), False),
        (KFold(3, shuffle=True, random_state=0), True),
        (ShuffleSplit(3), False),
        (ShuffleSplit(3, random_state=0), True),
    ],
    ids=["int", "KFold", "shuffled", "seeded", "ShuffleSplit", "seeded ShuffleSplit"],
)
def test_halving_searches_can_tell_whether_two_calls_give_the_same_splits(cv, constant):
    search = HalvingGridSearchCV(
        OneClassSVM(), {"nu": [0.1, 0.2]}, cv=NormalOnlySplit(cv), scoring=lambda *_: 0.0, min_resources=17
    )
    if constant:
        assert search.fit(X, Y).n_splits_ == 3
    else:
        with pytest.raises(ValueError, match="must yield consistent folds"):
            search.fit(X, Y)


def test_the_repr_shows_the_splitter_inside():
    assert repr(NormalOnlySplit(KFold(3), anomalies="spread")) == (
        "NormalOnlySplit(anomalies='spread',\n        cv=KFold(n_splits=3, random_state=None, shuffle=False),\n"
        "        group_role='apart')"
    )


@pytest.mark.parametrize(
    ("settings", "y", "message"),
    [
        ({"anomalies": "all"}, Y, "anomalies must be one of 'every', 'spread', got 'all'"),
        ({"group_role": "labels"}, Y, "group_role must be one of 'apart', 'strata'"),
        ({}, np.where(Y == 1, 0, 1), "y must hold 1 for normal and -1 for anomalous clips"),
        ({}, -np.ones(17), r"none of the 17 clips is normal \(1\)"),
        ({}, Y[:-1], "inconsistent numbers of samples"),
        ({"cv": 20}, Y, "n_splits=20 greater than the number of samples"),
        ({"cv": [([2, 6], [0, 1])]}, Y, "leaves no normal clip to train on in fold 0"),
    ],
    ids=["anomalies", "group_role", "0 and 1", "no normal clip", "length", "folds", "nothing to train on"],
)
def test_bad_input_to_the_splitter_is_named(settings, y, message):
    with pytest.raises(ValueError, match=message):
        list(NormalOnlySplit(**settings).split(X, y))
