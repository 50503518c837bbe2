"""One split of labelled clips into training, validation and test."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from skaudio_ad import AudioClips
from skaudio_ad.model_selection import normal_only_train_test_split

Y = np.array([1, 1, -1, 1, 1, 1, -1, -1, 1, 1, 1, 1, -1, 1, 1, -1, 1])
X = np.zeros((len(Y), 1))


def parts(y, **settings):
    """Return the positions in training, validation and test."""
    settings = {"random_state": 0, **settings}
    return normal_only_train_test_split(np.arange(len(y)), y=y, **settings)[:3]


MANY = np.repeat([1, -1], [200, 31])


def test_by_default_seventy_percent_are_for_training_and_all_anomalies_for_the_test():
    train, validation, test = parts(MANY)
    assert (len(train), len(validation), len(test)) == (140, 30, 30 + 31)
    assert (MANY[train] == 1).all()
    assert (MANY[validation] == 1).all()
    np.testing.assert_array_equal(np.sort(np.concatenate([train, validation, test])), np.arange(231))


def test_half_of_the_shared_anomalies_go_to_the_validation():
    train, validation, test = parts(MANY, anomalies="shared")
    assert (MANY[train] == 1).all()
    assert [np.count_nonzero(MANY[part] == -1) for part in (validation, test)] == [15, 16]


def test_sizes_are_fractions_or_numbers_of_normal_clips():
    assert [len(part) for part in parts(MANY, validation_size=0.1, test_size=50)] == [130, 20, 81]
    assert [len(part) for part in parts(MANY, validation_size=0, test_size=1)] == [199, 0, 32]
    assert [len(part) for part in parts(np.ones(4))] == [2, 1, 1]


def test_a_seed_gives_the_same_split_and_another_seed_another():
    a, b, c = (parts(MANY, random_state=seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)
    generators = [np.random.RandomState(3), np.random.RandomState(3)]
    np.testing.assert_array_equal(*(parts(MANY, random_state=generator)[0] for generator in generators))


def test_the_part_of_a_clip_is_random():
    counts = np.zeros(10)
    for seed in range(300):
        counts[parts(np.ones(10), validation_size=0.2, test_size=0.2, random_state=seed)[2]] += 1
    # A binomial distribution with 300 draws at 0.2 has a standard deviation of 6.9.
    np.testing.assert_allclose(counts, 60, atol=28)


def test_groups_stay_together_and_sizes_are_as_close_as_groups_allow(rng):
    groups = rng.integers(60, size=300)
    y = np.where(np.isin(groups, [3, 30]), -1, 1)
    found = parts(y, groups=groups)
    for i, a in enumerate(found):
        for b in found[i + 1 :]:
            assert not set(groups[a]) & set(groups[b])
    n_normal = (y == 1).sum()
    np.testing.assert_allclose(
        [(y[part] == 1).sum() / n_normal for part in found], [0.7, 0.15, 0.15], atol=0.03
    )


def test_a_group_with_an_anomaly_is_not_trained_on():
    groups = np.r_[np.repeat(np.arange(10), 4), 3]  # the last clip, an anomaly, is of group 3
    y = np.r_[np.ones(40), -1]
    train, validation, test = parts(y, groups=groups)
    assert set(np.flatnonzero(groups == 3)) <= set(test)
    assert [len(part) for part in (train, validation, test)] == [32, 4, 5]


def test_four_machines_give_every_part_at_least_one():
    groups = np.repeat(np.arange(4), 25)
    for seed in range(5):
        assert [len(part) for part in parts(np.ones(100), groups=groups, random_state=seed)] == [50, 25, 25]


def test_groups_that_leave_no_training_clip_are_an_error_with_a_remedy():
    groups = np.r_[np.arange(20) % 4, np.arange(4)]
    with pytest.raises(
        ValueError,
        match=r"no normal clip is left for the training part: .* 4 groups.* 4 of these groups hold anomalies",
    ):
        parts(np.repeat([1, -1], [20, 4]), groups=groups)


def test_the_parts_have_the_type_of_the_input():
    y = np.repeat([1, -1], [10, 2])
    waves = np.arange(12 * 5, dtype=np.float32).reshape(12, 5) / 100
    clips = AudioClips(waves, sample_rate=8000)
    frame = pd.DataFrame(waves, index=[f"clip {i}" for i in range(12)])
    paths = [f"{i}.wav" for i in range(12)]
    arrays = (paths, tuple(paths), waves, clips, frame, frame[0], scipy.sparse.csr_matrix(waves))
    made = normal_only_train_test_split(*arrays, np.arange(12), y=y, random_state=0)
    assert len(made) == 3 * (len(arrays) + 2)
    parts_of = [made[i : i + 3] for i in range(0, len(made), 3)]
    for array, three in zip(arrays, parts_of):
        for part, positions in zip(three, parts_of[-2]):
            assert type(part) is (list if isinstance(array, tuple) else type(array))
            if isinstance(array, (list, tuple)):
                assert part == [array[i] for i in positions]
            elif scipy.sparse.issparse(array):
                np.testing.assert_array_equal(part.toarray(), waves[positions])
            elif isinstance(array, (pd.DataFrame, pd.Series)):
                assert part.equals(array.iloc[positions])
            else:
                np.testing.assert_array_equal(np.asarray(part), waves[positions])
    for labels, positions in zip(parts_of[-1], parts_of[-2]):
        np.testing.assert_array_equal(labels, y[positions])


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"test_size": 1.0}, ValueError, r"test_size must lie in \[0, 1\), got 1.0"),
        ({"test_size": True}, TypeError, "test_size must be an integer"),
        ({"test_size": -1}, ValueError, r"test_size must lie in \[0, inf"),
        (
            {"test_size": 0.5, "validation_size": 0.5},
            ValueError,
            "100 and 100 clips, which leaves no clip for training",
        ),
        ({"anomalies": "every"}, ValueError, "anomalies must be one of 'test', 'shared'"),
        ({"groups": [1, 2]}, ValueError, "inconsistent numbers of samples"),
    ],
    ids=["fraction", "bool", "negative", "nothing to train on", "anomalies", "groups"],
)
def test_bad_input_to_the_train_test_split_is_named(settings, error, message):
    with pytest.raises(error, match=message):
        parts(MANY, **settings)


def test_labels_are_checked_and_at_least_one_array_is_needed():
    with pytest.raises(ValueError, match="y must hold 1 for normal"):
        normal_only_train_test_split(X, y=np.arange(17) % 2)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        normal_only_train_test_split(X, np.zeros(3), y=Y)
    with pytest.raises(ValueError, match=r"pass at least one array to split\. np\.arange"):
        normal_only_train_test_split(y=Y)
    with pytest.raises(ValueError, match="0 normal clips"):
        normal_only_train_test_split(X, y=-np.ones(17))


def test_labels_may_be_none_if_all_clips_are_normal():
    made = normal_only_train_test_split(np.arange(20), y=None, random_state=0)
    assert [len(part) for part in made] == [14, 3, 3] * 2


def test_splitting_leaves_numpys_global_generator_as_it_was():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    normal_only_train_test_split(X, y=Y)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
