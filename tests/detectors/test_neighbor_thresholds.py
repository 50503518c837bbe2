"""Leave-one-out scores and thresholds of nearest neighbours, by clip and by group."""

import numpy as np
import pytest
from scipy.stats import t as student_t
from sklearn import config_context
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad import NearestNeighborsDetector
from skaudio_ad.detectors import _clip_rows, _neighbor_rows, _neighbor_search

from .neighbors import METRICS, WITH_COPIES, distances, embeddings, fit, sequences


@pytest.fixture(params=METRICS)
def metric(request):
    return request.param


@pytest.fixture
def small_blocks(monkeypatch):
    for module in (_clip_rows, _neighbor_rows, _neighbor_search):
        monkeypatch.setattr(module, "BLOCK", 32)


@pytest.mark.parametrize("n_neighbors", [1, 4])
def test_held_out_scores_leave_every_clip_out_of_its_own_neighbours(metric, n_neighbors, small_blocks):
    X = embeddings(100).astype(np.float64)
    scores = fit(X, n_neighbors=n_neighbors, metric=metric).held_out_scores_
    search = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute", metric=metric).fit(X)
    expected, _ = search.kneighbors()  # without themselves
    np.testing.assert_allclose(scores, -expected.mean(axis=1) / (2 if metric == "cosine" else 1), rtol=1e-9)


def test_a_clip_held_out_scores_as_if_it_had_not_been_trained_on(metric):
    X = embeddings(30)
    scores = fit(X, metric=metric).held_out_scores_
    for i in (0, 13, 29):
        assert fit(np.delete(X, i, axis=0), metric=metric).score_samples(X[i : i + 1])[0] == scores[i]
    # Of a sequence no frame is compared with another of its own.
    clips = sequences()
    scores = fit(clips, metric=metric).held_out_scores_
    for i in range(5):
        others = fit(clips[:i] + clips[i + 1 :], metric=metric)
        assert others.score_samples(clips[i : i + 1])[0] == scores[i]


def test_from_19_clips_on_the_threshold_is_the_conformal_quantile_of_the_held_out_scores():
    for n, k in ((19, 1), (39, 2), (60, 3)):
        detector = fit(embeddings(n))
        assert detector.offset_ == np.sort(detector.held_out_scores_)[k - 1]


def test_with_fewer_clips_the_threshold_is_students():
    scores = fit(embeddings(10))
    held_out = np.log(-scores.held_out_scores_)
    expected = held_out.mean() + student_t(9).ppf(0.95) * held_out.std(ddof=1) * np.sqrt(1 + 1 / 10)
    assert scores.offset_ == pytest.approx(-np.exp(expected))


@pytest.mark.parametrize("n_neighbors", [1, 3])
def test_held_out_scores_by_group_leave_the_whole_group_out(metric, n_neighbors, small_blocks):
    X, groups = embeddings(90), np.random.default_rng(1).integers(0, 6, size=90)
    scores = fit(X, n_neighbors=n_neighbors, metric=metric, groups=groups).held_out_scores_
    among = distances(X, X, metric)
    among[groups[:, np.newaxis] == groups] = np.inf
    expected = -np.sort(among, axis=1)[:, :n_neighbors].mean(axis=1)
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    # The names of the groups do not matter, nor does the order of the clips.
    order = np.random.default_rng(2).permutation(90)
    named = fit(
        X[order], n_neighbors=n_neighbors, metric=metric, groups=np.array(list("qwerty"))[groups][order]
    )
    np.testing.assert_allclose(named.held_out_scores_, scores[order], rtol=1e-6)
    # What the detector has learnt is the same as without groups.
    again = fit(X, n_neighbors=n_neighbors, metric=metric)
    np.testing.assert_array_equal(named.score_samples(X), again.score_samples(X))


def test_frames_by_group_leave_all_frames_of_the_group_out(metric):
    clips = sequences((7, 3, 12, 5, 9))
    groups = ["a", "b", "a", "c", "b"]
    scores = fit(clips, metric=metric, groups=groups).held_out_scores_
    for i, group in enumerate(groups):
        others = np.hstack([clip for clip, other in zip(clips, groups) if other != group])
        expected = -distances(clips[i].T, others.T, metric).min(axis=1).mean()
        assert scores[i] == pytest.approx(expected, rel=1e-6)


def test_groups_of_clips_that_could_not_be_read_are_left_out_with_them():
    X, groups = embeddings(12), np.repeat(np.arange(4), 3)
    expected = fit(np.delete(X, 4, axis=0), groups=np.delete(groups, 4)).held_out_scores_
    X[4] = np.nan
    with pytest.warns(UserWarning, match="without 1 of 12 clips"):
        np.testing.assert_array_equal(fit(X, groups=groups).held_out_scores_, expected)


@pytest.mark.parametrize(
    ("groups", "match"),
    [
        (np.zeros(9), "beside those of any one group.*got 0 from n_samples=9. Pass more groups"),
        (np.arange(8), "one entry a clip: got 8 for 9 clips"),
        ([None, *range(8)], "got None for clip 0"),
        ([*range(8), np.nan], "got nan for clip 8"),
    ],
)
def test_groups_that_cannot_be_are_refused(groups, match):
    with pytest.raises(ValueError, match=match):
        fit(embeddings(9), groups=groups)


def test_unseen_patients_raise_no_more_false_alarms_than_promised_by_groups_and_four_times_as_many_without():
    # 40 patients with 4 clips each: a patient's clips differ less than patients do.
    alarms = {True: [], False: []}
    for seed in range(100):
        rng = np.random.default_rng(seed)
        patient = np.repeat(np.arange(140), 4)
        clips = rng.normal(size=(140, 6))[patient] + 0.55 * rng.normal(size=(560, 6))
        for by_group, rates in alarms.items():
            detector = fit(clips[:160], groups=patient[:160] if by_group else None)
            rates.append(np.mean(detector.predict(clips[160:]) == -1))
    margin = 4 * np.std(alarms[True]) / np.sqrt(100)
    # At most one in twenty; the weight of the new patient makes it rather fewer.
    assert 0.02 < np.mean(alarms[True]) < 0.05 + margin
    assert np.mean(alarms[False]) > 0.2


def test_groups_reach_the_detector_through_a_pipeline_with_and_without_metadata_routing():
    X, groups = embeddings(60), np.repeat(np.arange(20), 3)
    expected = fit(X, groups=groups).offset_
    plain = make_pipeline(StandardScaler(with_mean=False, with_std=False), NearestNeighborsDetector())
    plain.fit(X, nearestneighborsdetector__groups=groups)
    assert plain[-1].offset_ == expected
    assert plain.fit(X)[-1].offset_ != expected
    with config_context(enable_metadata_routing=True):
        routed = make_pipeline(
            StandardScaler(with_mean=False, with_std=False),
            NearestNeighborsDetector().set_fit_request(groups=True),
        )
        assert routed.fit(X, groups=groups)[-1].offset_ == expected


def test_fit_predict_decides_by_group():
    X, groups = embeddings(120), np.repeat(np.arange(40), 3)
    X[117:] = X[117] + 9 + 0.01 * embeddings(3)  # a patient unlike all others, and alike in itself
    assert (NearestNeighborsDetector().fit_predict(X)[117:] == 1).all()
    assert (NearestNeighborsDetector().fit_predict(X, groups=groups)[117:] == -1).all()


@pytest.mark.parametrize("contamination", [0.1, 0.5])
def test_a_contamination_is_the_fraction_of_held_out_scores_below_the_threshold(contamination):
    detector = fit(embeddings(100), contamination=contamination)
    assert detector.offset_ == np.percentile(detector.held_out_scores_, 100 * contamination)
    # Two clips that are nearest to each other score the same: one of them may be on the threshold.
    assert (detector.held_out_scores_ < detector.offset_).sum() in (
        100 * contamination,
        100 * contamination - 1,
    )


def test_about_one_normal_clip_in_twenty_raises_a_false_alarm(metric):
    # 39 exchangeable clips make thresholds that fail 2 times in 40 at most.
    rng = np.random.default_rng(0)
    rates = [
        (fit(rng.normal(size=(39, 5)), metric=metric).predict(rng.normal(size=(200, 5))) == -1).mean()
        for _ in range(60)
    ]
    assert 0.03 < np.mean(rates) < 0.06


@WITH_COPIES
def test_a_copy_among_the_training_clips_scores_zero_even_when_held_out(metric):
    X = embeddings(20)
    scores = fit(np.concatenate([X, X[3:4]]), metric=metric).held_out_scores_
    assert np.flatnonzero(scores == 0).tolist() == [3, 20]


def test_more_copies_than_a_threshold_can_bear_are_counted_with_the_way_out(metric):
    X = embeddings(40)
    fit(np.concatenate([X, X[3:4]]), metric=metric)  # 2 of 41: no warning
    louder = np.concatenate([X, X * np.float32(1.1 if metric == "cosine" else 1)])
    with pytest.warns(
        UserWarning, match=r"^80 of 80 training clips have a copy among .* Remove the copies first"
    ):
        fit(louder, metric=metric)
    twice = [*sequences(), *sequences(), *sequences(seed=1)]
    with pytest.warns(UserWarning, match="^10 of 15 training clips have a copy"):
        fit(twice, metric=metric)


def test_clips_that_nearly_agree_are_no_copies():
    X = embeddings(40)
    detector = fit(np.concatenate([X, X + np.float32(1e-3)]))
    assert detector.held_out_scores_.max() < -1e-3


def test_fit_predict_finds_the_training_clip_that_is_unlike_the_others_and_predict_does_not(metric):
    rng = np.random.default_rng(0)
    X = 5 + rng.normal(size=(60, 6))
    X[17] *= [-1, 1, -1, 1, -1, 1]
    detector = NearestNeighborsDetector(metric=metric)
    decisions = detector.fit_predict(X)
    assert decisions[17] == -1
    assert (decisions == -1).sum() == (detector.held_out_scores_ < detector.offset_).sum() < 4
    assert (detector.predict(X) == 1).all()
    assert detector.predict(X[17:18] + 0.1 * rng.normal(size=(1, 6))) == 1


@pytest.mark.parametrize("X", [embeddings(1), sequences((9,))], ids=["embedding", "sequence"])
def test_one_training_clip_gives_scores_and_no_alarm_with_a_warning(X):
    with pytest.warns(UserWarning, match="one training clip has no other to be compared with: no threshold"):
        detector = fit(X)
    far = [1e9 + X[0]]
    assert detector.score_samples(X).tolist() == [0]
    assert detector.score_samples(far)[0] < -1e8
    assert detector.predict(far).tolist() == [1]
    with pytest.raises(ValueError, match=r"^n_neighbors=2 needs as many training clips .* got 0 from n_sam"):
        fit(embeddings(1), n_neighbors=2)


def test_a_clip_needs_n_neighbors_others():
    X = embeddings(5)
    assert fit(X, n_neighbors=4).held_out_scores_.shape == (5,)
    for n_neighbors in (5, 100):
        with pytest.raises(
            ValueError,
            match=rf"^n_neighbors={n_neighbors} .* got 4 from n_samples=5\. Pass .* a smaller n_neighbors\.$",
        ):
            fit(X, n_neighbors=n_neighbors)
    # Beside the longest clip, of 12 frames, there are 24.
    assert fit(sequences(), n_neighbors=24).n_samples_fit_ == 5
    with pytest.raises(
        ValueError, match=r"^n_neighbors=25 needs as many training frames .* got 24 from n_samples=5\."
    ):
        fit(sequences(), n_neighbors=25)
