"""Bootstrap intervals: their coverage and their draws."""

from functools import partial

import numpy as np
import pytest

from skaudio_ad.metrics import anomaly_auc_score, bootstrap_interval


def some_scores(n_normal=60, n_anomalous=40, seed=0):
    rng = np.random.default_rng(seed)
    y = np.repeat([1, -1], [n_normal, n_anomalous])
    order = rng.permutation(len(y))
    return y[order], (rng.normal(size=len(y)) + (y == 1))[order]


def mean_gap(y, scores):
    return scores[y == 1].mean() - scores[y == -1].mean()


def test_a_bootstrap_interval_contains_the_value_and_is_the_same_each_time():
    y, scores = some_scores()
    low, high = bootstrap_interval(anomaly_auc_score, y, scores, n_resamples=300)
    assert low < anomaly_auc_score(y, scores) < high
    assert (low, high) == bootstrap_interval(anomaly_auc_score, y, scores, n_resamples=300)
    assert (low, high) != bootstrap_interval(anomaly_auc_score, y, scores, n_resamples=300, random_state=1)


def test_a_bootstrap_of_the_auc_skips_no_draw_and_changes_no_value():
    rng = np.random.default_rng(0)
    y, scores, groups = np.repeat([1, -1], 16), rng.normal(size=32).round(1), np.arange(32) // 2
    checked = partial(anomaly_auc_score)  # not the function itself: every draw is checked
    for group in (None, groups):
        found = [
            bootstrap_interval(metric, y, scores, n_resamples=200, groups=group, random_state=0)
            for metric in (anomaly_auc_score, checked)
        ]
        assert found[0] == found[1]


def test_more_confidence_makes_a_bootstrap_interval_wider():
    y, scores = some_scores()
    intervals = [bootstrap_interval(mean_gap, y, scores, confidence=c) for c in (0.5, 0.8, 0.99)]
    widths = [high - low for low, high in intervals]
    assert widths == sorted(widths)
    # Half of a normal distribution lies within 0.674 standard errors, 99 % within 2.576.
    assert widths[2] / widths[0] == pytest.approx(2.576 / 0.674, rel=0.2)


def test_a_bootstrap_interval_of_a_mean_has_the_textbook_width():
    y, scores = some_scores(400, 400)
    low, high = bootstrap_interval(mean_gap, y, scores, n_resamples=2000)
    error = np.sqrt(scores[y == 1].var() / 400 + scores[y == -1].var() / 400)
    assert low == pytest.approx(mean_gap(y, scores) - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(mean_gap(y, scores) + 1.96 * error, abs=0.2 * error)


def test_a_bootstrap_keeps_the_numbers_of_normal_and_anomalous_clips():
    counts, seen = set(), []

    def spy(y, scores):
        counts.add((np.count_nonzero(y == 1), np.count_nonzero(y == -1)))
        seen.append(sorted(scores[y == -1].tolist()))
        return 0.0

    bootstrap_interval(spy, [1, 1, 1, -1, -1], [1.0, 2.0, 3.0, -1.0, -2.0], n_resamples=200)
    assert counts == {(3, 2)}
    # Draws with replacement hold the first anomaly twice, the second twice, or each once, and no normal clip.
    assert {tuple(drawn) for drawn in seen} == {(-2, -2), (-2, -1), (-1, -1)}


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_a_bootstrap_interval_covers_the_truth_about_as_often_as_it_says(confidence):
    hits = 0
    for seed in range(200):
        y, scores = some_scores(60, 60, seed)  # a true gap of 1
        low, high = bootstrap_interval(mean_gap, y, scores, confidence=confidence, n_resamples=100)
        hits += low <= 1 <= high
    # The tolerance is two standard errors of 200 draws, and percentile intervals cover slightly less than nominal.
    assert confidence - 0.08 <= hits / 200 <= confidence + 0.05


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"confidence": 1.0}, "confidence"),
        ({"confidence": 0}, "confidence"),
        ({"n_resamples": 0}, "n_resamples"),
    ],
)
def test_a_parameter_of_the_bootstrap_out_of_range_is_named(settings, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        bootstrap_interval(mean_gap, *some_scores(), **settings)


def drawn_groups(y, groups, n_resamples=100):
    """Return the groups of the clips of every draw. The score of a clip is its position."""
    draws = []

    def spy(y_true, scores):
        positions = scores.astype(int)
        np.testing.assert_array_equal(y_true, np.asarray(y)[positions])
        draws.append(positions)
        return 0.0

    bootstrap_interval(spy, y, np.arange(len(y), dtype=float), groups=groups, n_resamples=n_resamples)
    return draws


def test_groups_are_drawn_whole_and_keep_their_numbers_by_kind():
    y = [1, 1, 1, 1, 1, 1, -1, -1, -1]
    groups = np.array(["a", "a", "a", "b", "b", "c", "d", "d", "e"])
    sizes = {"a": 3, "b": 2, "c": 1, "d": 2, "e": 1}
    seen = set()
    for positions in drawn_groups(y, groups):
        names, counts = np.unique(groups[positions], return_counts=True)
        times = {name: count / sizes[name] for name, count in zip(names.tolist(), counts)}
        assert all(number == int(number) for number in times.values())
        assert sum(number for name, number in times.items() if name in "abc") == 3
        assert sum(number for name, number in times.items() if name in "de") == 2
        seen.add(tuple(sorted(times.items())))
    assert len(seen) > 10


def test_groups_with_clips_of_both_kinds_are_drawn_as_one_kind():
    y = [1, 1, -1] * 3
    groups = np.repeat([0, 1, 2], 3)
    draws = drawn_groups(y, groups)
    for positions in draws:
        assert len(positions) == 9
        assert (np.bincount(positions // 3, minlength=3) % 3 == 0).all()
    assert {tuple(np.bincount(positions // 3, minlength=3) // 3) for positions in draws} >= {
        (1, 1, 1),
        (3, 0, 0),
        (0, 2, 1),
    }


def test_groups_of_one_clip_are_drawn_like_clips():
    y, scores = some_scores()
    expected = bootstrap_interval(anomaly_auc_score, y, scores, n_resamples=100)
    single = bootstrap_interval(anomaly_auc_score, y, scores, n_resamples=100, groups=np.arange(len(y)))
    assert single == pytest.approx(expected)


def test_copies_make_the_interval_too_narrow_unless_copies_form_groups():
    y, scores = some_scores(20, 20)
    y4, scores4, recording = np.repeat(y, 4), np.repeat(scores, 4), np.repeat(np.arange(40), 4)

    def width(*args, **kwargs):
        low, high = bootstrap_interval(mean_gap, *args, n_resamples=500, **kwargs)
        return high - low

    honest = width(y, scores)
    assert width(y4, scores4, groups=recording) == pytest.approx(honest, rel=0.1)
    # Four times as many independent clips would halve the width.
    assert width(y4, scores4) == pytest.approx(honest / 2, rel=0.15)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([0, 0, 0, 1, 2], "one group of normal clips only, 0: at least 2 of a kind are needed"),
        (["a", "b", "c", "d", "d"], "one group of anomalous clips only, 'd'"),
        ([0] * 5, "one group of normal and anomalous clips, 0.*pass groups=None"),
        ([0, 1], "inconsistent numbers of samples"),
    ],
)
def test_a_single_group_of_a_kind_is_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(mean_gap, [1, 1, 1, -1, -1], np.arange(5.0), groups=groups)
