"""Stopping criteria on curves that are worked out by hand."""

import numpy as np
import pytest
from sklearn.base import clone

from skaudio_ad import AutoencoderDetector
from skaudio_ad.training import Patience, Prechelt, generalisation_loss, make_stopping, training_progress


def decisions(criterion, losses, monitored=None):
    monitored = losses if monitored is None else monitored
    criterion.start()
    return [criterion.update(*pair) for pair in zip(losses, monitored)]


def test_generalisation_loss_is_the_excess_over_the_best_in_per_cent():
    assert generalisation_loss(1.0, 0.8) == pytest.approx(25)
    assert generalisation_loss(0.8, 0.8) == 0
    assert generalisation_loss(3.0, 1.0) == pytest.approx(200)


def test_generalisation_loss_of_a_perfect_best_is_infinite_once_it_is_exceeded():
    assert generalisation_loss(0.0, 0.0) == 0
    assert generalisation_loss(1e-9, 0.0) == np.inf


def test_training_progress_is_the_mean_of_the_strip_over_its_minimum_in_per_mille():
    # mean 1.1, lowest 1.0
    assert training_progress([1.2, 1.0, 1.1]) == pytest.approx(100)
    assert training_progress([0.5, 0.5, 0.5, 0.5]) == 0
    # (5 + 4 + 3 + 2 + 1) / 5 = 3 times the lowest
    assert training_progress([5, 4, 3, 2, 1]) == pytest.approx(2000)
    assert training_progress([1.0, 0.0]) == 0


def test_prechelt_stops_once_generalisation_is_lost_while_training_stands_still():
    training = [1.0, 0.5, 0.5, 0.5, 0.5]
    # best 0.8: GL = 25, 28.75, then 31.25 > 30; P_3 is 0 from the fourth epoch on
    held_out = [1.0, 0.8, 1.0, 1.03, 1.05]
    assert decisions(Prechelt(alpha=30, k=3, progress=5), training, held_out) == [False] * 4 + [True]


def test_prechelt_goes_on_while_training_progresses():
    # GL is 100 from the second epoch on; the means of the strips are 0.51, 0.503, 0.503 and 0.5003
    training = [0.52, 0.50, 0.51, 0.50, 0.50, 0.501]
    held_out = [1.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    progress = [training_progress(training[i - 2 : i + 1]) for i in range(2, 6)]
    np.testing.assert_allclose(progress, [20, 6.667, 6.667, 0.667], atol=0.001)
    assert decisions(Prechelt(alpha=30, k=3, progress=5), training, held_out) == [False] * 5 + [True]


def test_prechelt_waits_for_a_whole_strip():
    assert (
        decisions(Prechelt(alpha=30, k=4), [1.0] * 5, [1.0, 9.0, 9.0, 9.0, 9.0]) == [False] * 3 + [True] * 2
    )


def test_patience_stops_after_epochs_without_a_better_loss():
    # the second epoch has the best loss, 0.9; then three epochs are not better
    assert decisions(Patience(3, tol=0), [1.0, 0.9, 0.95, 0.9, 0.91]) == [False] * 4 + [True]


def test_patience_begins_anew_after_an_improvement():
    losses = [1.0, 1.0, 0.8, 0.8, 0.7, 0.7, 0.7]
    assert decisions(Patience(2, tol=0), losses) == [False] * 6 + [True]


def test_an_improvement_smaller_than_tol_does_not_count_until_it_adds_up():
    # less than 10 % below 1.0 twice, then 11 % below: counted; then 0.85 > 0.89 * 0.9 and 0.81 > 0.801
    losses = [1.0, 0.95, 0.91, 0.89, 0.85, 0.81, 0.805]
    assert decisions(Patience(3, tol=0.1), losses) == [False] * 6 + [True]


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e6])
def test_tol_is_relative_so_the_unit_of_the_loss_does_not_matter(scale):
    losses = scale * np.array([1.0, 0.9, 0.89995, 0.8999, 0.89985, 0.8])
    assert decisions(Patience(3, tol=1e-3), losses) == [False] * 4 + [True] * 1 + [False]


def test_patience_sees_that_a_negative_loss_no_longer_improves():
    assert decisions(Patience(2, tol=0.01), [-1.0, -1.2, -1.205, -1.209]) == [False] * 3 + [True]
    assert decisions(Patience(2, tol=0.01), [-1.0, -1.2, -1.4, -1.6]) == [False] * 4
    assert decisions(Patience(1, tol=0), [0.1, -0.1, -0.1]) == [False, False, True]


def test_patience_follows_the_monitored_loss_and_not_the_training_loss():
    assert decisions(Patience(1, tol=0), [3.0, 2.0, 1.0], [1.0, 0.5, 0.5]) == [False, False, True]


def test_the_criterion_is_chosen_by_name():
    patience = make_stopping("patience", n_iter_no_change=4, tol=0.5)
    assert (type(patience), patience.n_iter_no_change, patience.tol) == (Patience, 4, 0.5)
    prechelt = make_stopping("prechelt", n_iter_no_change=4, tol=0.5)
    assert (type(prechelt), prechelt.alpha, prechelt.k, prechelt.progress) == (Prechelt, 30, 5, 100)
    assert make_stopping(None, n_iter_no_change=4, tol=0.5) is None


def test_an_instance_of_a_criterion_is_started_as_a_copy():
    given = Prechelt(alpha=7, progress=50)
    made = make_stopping(given, n_iter_no_change=4, tol=0.5)
    assert made is not given
    assert made.get_params() == {"alpha": 7, "k": 5, "progress": 50}
    assert not made.update(1.0, 1.0)
    assert vars(given) == {"alpha": 7, "k": 5, "progress": 50}


@pytest.mark.parametrize("early_stopping", [Prechelt, 3, {"alpha": 3}])
def test_what_is_no_criterion_is_refused(early_stopping):
    with pytest.raises(TypeError, match=r"early_stopping must be .* an instance of Patience or Prechelt"):
        make_stopping(early_stopping, n_iter_no_change=1, tol=0)


def test_a_detector_with_a_criterion_can_be_fitted_cloned_and_searched(rng):
    X = rng.normal(size=(30, 6))
    detector = AutoencoderDetector(hidden_sizes=(4,), early_stopping=Patience(2, tol=0.9), random_state=0)
    same = AutoencoderDetector(
        hidden_sizes=(4,), early_stopping="patience", n_iter_no_change=2, tol=0.9, random_state=0
    )
    copy = clone(detector).set_params(early_stopping__n_iter_no_change=5)
    assert detector.fit(X).loss_curve_ == same.fit(X).loss_curve_
    assert detector.stopped_by_ == "early_stopping"
    assert detector.early_stopping.n_iter_no_change == 2
    assert len(copy.fit(X).loss_curve_) == 3 + len(detector.loss_curve_)


@pytest.mark.parametrize("early_stopping", ["patience", "prechelt", None])
def test_patience_is_checked_even_where_it_is_not_used(early_stopping):
    with pytest.raises(ValueError, match="n_iter_no_change must lie in"):
        make_stopping(early_stopping, n_iter_no_change=0, tol=0)
    with pytest.raises(ValueError, match="tol must lie in"):
        make_stopping(early_stopping, n_iter_no_change=1, tol=-1)


def test_an_unknown_criterion_lists_the_known_ones():
    with pytest.raises(
        ValueError, match="early_stopping must be one of 'patience', 'prechelt', None, got 'never'"
    ):
        make_stopping("never", n_iter_no_change=1, tol=0)


@pytest.mark.parametrize(
    ("criterion", "settings", "name"),
    [
        (Patience, {"n_iter_no_change": 2.5}, "n_iter_no_change"),
        (Patience, {"tol": "small"}, "tol"),
        (Prechelt, {"alpha": -1}, "alpha"),
        (Prechelt, {"k": 0}, "k"),
        (Prechelt, {"progress": -1}, "progress"),
    ],
)
def test_a_setting_out_of_range_is_named(criterion, settings, name):
    with pytest.raises((ValueError, TypeError), match=f"^{name} must"):
        criterion(**settings).start()
