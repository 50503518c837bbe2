"""Distance of windows whose scores are nearly independent."""

import numpy as np
import pytest
from scipy.signal import lfilter

from skaudio_ad.monitoring._independence import find_independent_step


def correlated(n_scores, correlation, seed=0):
    """Scores of a first-order autoregressive process."""
    noise = np.random.default_rng(seed).normal(size=n_scores + 500)
    return lfilter([1], [1, -correlation], noise)[500:]


@pytest.mark.parametrize("smallest", [1, 2])
def test_independent_scores_are_taken_as_soon_as_windows_do_not_overlap(smallest):
    assert find_independent_step([correlated(2000, 0.0)], smallest) == smallest


def test_the_distance_is_the_one_at_which_the_theoretical_correlation_is_a_tenth():
    # 0.9 ** 22 is 0.098. The correlation of the ranks is a little smaller.
    steps = [find_independent_step(np.split(correlated(20_000, 0.9, seed), 4), 1) for seed in range(5)]
    assert 17 <= np.median(steps) <= 25


def test_scores_that_vary_more_slowly_than_the_recordings_are_long_have_no_distance():
    assert find_independent_step([np.linspace(0, 1, 400)], 1) is None
    rises = [np.linspace(0, 1, 30) for _ in range(20)]
    assert find_independent_step(rises, 1) not in (1, 2, 3)


def test_clips_of_one_window_are_independent():
    assert find_independent_step(list(correlated(50, 0.0).reshape(-1, 1)), 2) == 2


def test_windows_without_a_score_do_not_count():
    scores = correlated(2000, 0.0)
    scores[::7] = np.nan
    assert find_independent_step([scores], 1) == 1
