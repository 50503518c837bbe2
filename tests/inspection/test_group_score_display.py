"""Every row shows the scores of its group, with the threshold of the detector."""

import numpy as np
import pytest

from skaudio_ad import (
    FleetDetector,
    MahalanobisDetector,
    NearestNeighborsDetector,
    ScoreEnsemble,
    ThresholdedDetector,
)
from skaudio_ad.inspection import GroupScoreDisplay

from .artists import axes, legend_texts, scatters

MEMBERS = [("nearest", NearestNeighborsDetector()), ("distance", MahalanobisDetector())]


def clips(n_clips, seed=0):
    return np.random.default_rng(seed).normal(size=(n_clips, 3))


def rows(ax, label, n_rows):
    """Scores of every row among the marks of a kind of clips."""
    points = np.asarray(scatters(ax)[label].get_offsets())
    return [sorted(points[np.rint(points[:, 1]) == row, 0]) for row in range(n_rows)]


def thresholds(ax):
    """Threshold and row of every black line."""
    (lines,) = [c for c in ax.collections if c.get_label() == "threshold"]
    return [(segment[0, 0], float(segment[:, 1].mean())) for segment in lines.get_segments()]


def test_every_group_has_a_row_of_marks_and_the_middle_of_its_normal_clips():
    scores = np.concatenate([np.arange(21), [100, -5, -6, np.nan]])
    groups, y = ["b"] * 21 + ["a"] * 4, [1] * 22 + [-1, -1, 1]
    ax = axes()
    GroupScoreDisplay.from_predictions(y, scores, groups=groups, thresholds={"b": 2.5}, ax=ax)
    assert rows(ax, "normal", 2) == [[100], list(range(21))]
    assert rows(ax, "anomalous", 2) == [[-6, -5], []]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a (3)", "b (21)"]
    boxes = [(bars[0].get_x(), bars[0].get_width()) for bars in ax.containers]
    assert boxes == [(100, 0), (1, 18)]  # the middle 90 % of 0, 1, ..., 20 is 1 to 19
    assert thresholds(ax) == [(2.5, 1)]
    assert ax.get_title() == "1 clip without a score left out"
    assert ax.get_ylim() == (1.5, -0.5)  # the first group is on top
    assert legend_texts(ax) == ["normal", "anomalous", "threshold", "middle 90 % of normal"]


def test_a_fleet_shows_scores_relative_to_the_threshold_of_the_machine():
    X, machines = clips(60), np.repeat(["fan", "pump"], 30)
    fleet = FleetDetector(MahalanobisDetector()).fit(X, machines=machines)
    ax = axes()
    GroupScoreDisplay.from_estimator(fleet, X, groups=machines, ax=ax)
    for row, (detector, mask) in enumerate(zip(fleet.detectors_, (machines == "fan", machines == "pump"))):
        expected = np.sort(detector.score_samples(X[mask]) - detector.offset_)
        np.testing.assert_allclose(rows(ax, "clips", 2)[row], expected)
    assert thresholds(ax) == [(0, 0), (0, 1)]
    assert ax.get_xlabel().startswith("score minus threshold of the machine")


@pytest.mark.parametrize(("combine", "rows_with_threshold"), [("min", [0, 1, 2]), ("mean", [2])])
def test_an_ensemble_has_a_row_for_every_member_and_one_for_the_combined_score(combine, rows_with_threshold):
    new = clips(10, seed=1)
    ensemble = ScoreEnsemble(MEMBERS, combine=combine, cv=3, random_state=0).fit(clips(40))
    ax = axes()
    display = GroupScoreDisplay.from_estimator(ensemble, new, [1] * 9 + [-1], ax=ax)
    assert display.groups_ == ["nearest", "distance", "ensemble"]
    drawn = np.column_stack([ensemble.score_detectors(new), ensemble.score_samples(new)])
    for row in range(3):
        np.testing.assert_allclose(rows(ax, "normal", 3)[row], np.sort(drawn[:9, row]))
        np.testing.assert_allclose(rows(ax, "anomalous", 3)[row], drawn[9:, row])
    assert thresholds(ax) == [(ensemble.offset_, row) for row in rows_with_threshold]


def test_one_detector_shows_groups_with_its_threshold():
    detector = ThresholdedDetector(MahalanobisDetector(), cv=0.5, random_state=0).fit(clips(60))
    ax = axes()
    GroupScoreDisplay.from_estimator(detector, clips(4), groups=[2, 10, 2, 10], ax=ax)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["2 (2)", "10 (2)"]
    assert thresholds(ax) == [(detector.offset_, 0), (detector.offset_, 1)]
    np.testing.assert_allclose(rows(ax, "clips", 2)[1], np.sort(detector.score_samples(clips(4))[[1, 3]]))


def test_what_cannot_be_drawn_raises_an_error_that_says_how_to_fix_it():
    detector = MahalanobisDetector().fit(clips(30))
    with pytest.raises(ValueError, match="MahalanobisDetector needs groups="):
        GroupScoreDisplay.from_estimator(detector, clips(3))
    for arguments, settings, message in [
        (([1, 2], ["a"]), {}, "one entry a clip: got 1 for 2"),
        (([1, np.inf], ["a", "a"]), {}, "infinity for clip 1"),
        (
            ([1], ["a"]),
            {"order": ["a", "z"]},
            r"order names 'z', a group without clips. Known groups: \['a'\]",
        ),
        (([1], ["a"]), {"thresholds": {"z": 0}}, "thresholds names 'z'"),
        (([np.nan], ["a"]), {}, "all scores are NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            GroupScoreDisplay(*arguments, **settings).plot(ax=axes())
