"""Local densities, domains and oversampling of nearest neighbours against a slow reference and against refits."""

import pickle
import re

import numpy as np
import pytest
from sklearn import config_context
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad import NearestNeighborsDetector, ThresholdedDetector
from skaudio_ad.detectors import _bank_scan, _clip_rows, _neighbor_search

from .slow_neighbors import SlowNeighbors, slow_held_out

DENSITIES = ("ratio", "difference", "varmin", "cluster-exit")
QUIET = pytest.mark.filterwarnings("ignore:.*(spread of leave-one-out|synthetic rows are made|have a copy)")


def shifted(n_source=9, n_target=4, n_features=3, seed=0):
    """Clips of a wide source domain and of a narrow, scarce target domain, with their domains."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_source + n_target, n_features))
    X[n_source:] = 0.3 * X[n_source:] + 2
    return X, np.repeat(["source", "target"], [n_source, n_target])


def fit(X, domains=None, groups=None, **settings):
    return NearestNeighborsDetector(**{"random_state": 0, **settings}).fit(X, groups=groups, domains=domains)


@pytest.fixture
def small_blocks(monkeypatch):
    for module in (_clip_rows, _neighbor_search, _bank_scan):
        monkeypatch.setattr(module, "BLOCK", 4)
    monkeypatch.setattr(_bank_scan, "_HELD", 32)


# Against the slow reference


@QUIET
@pytest.mark.parametrize("normalization", [None, *DENSITIES])
@pytest.mark.parametrize(
    ("zscore", "mixup", "metric"),
    [(False, False, "cosine"), (True, False, "euclidean"), (True, True, "cosine")],
)
def test_scores_are_those_of_the_definitions(normalization, zscore, mixup, metric, small_blocks):
    X, domains = shifted()
    new = shifted(4, 3, seed=1)[0]
    members = np.arange(13)
    slow = {
        "metric": metric,
        "normalization": normalization,
        "n_density": 3,
        "zscore": zscore,
        "mixup": mixup,
        "n_neighbors": 2,
    }
    detector = fit(
        X,
        domains,
        n_neighbors=2,
        metric=metric,
        normalization=normalization,
        normalization_neighbors=3,
        domain_normalization="zscore" if zscore else None,
        oversample="mixup" if mixup else None,
    )
    expected = SlowNeighbors(X, members, domains, **slow).score(new)
    np.testing.assert_allclose(detector.score_samples(new), expected, rtol=1e-8, atol=1e-9)
    if metric == "euclidean":
        held_out = slow_held_out(X, members, domains, **slow)
        np.testing.assert_allclose(detector.held_out_scores_, held_out, rtol=1e-8, atol=1e-9)
    alone = [detector.score_samples(row[np.newaxis])[0] for row in new]
    np.testing.assert_array_equal(alone, detector.score_samples(new))
    np.testing.assert_array_equal(detector.score_samples(new[::-1])[::-1], alone)


@pytest.mark.parametrize(("method", "n"), [("ratio", 1), ("difference", 1), ("varmin", 4), ("cluster-exit", 16)])
def test_without_normalization_neighbors_the_published_number_is_taken(method, n):
    X = np.random.default_rng(0).normal(size=(40, 3))
    new = X[:5] + 1
    expected = SlowNeighbors(
        X, np.arange(40), np.zeros(40), metric="euclidean", normalization=method, n_density=n
    ).score(new)
    np.testing.assert_allclose(fit(X, normalization=method).score_samples(new), expected, rtol=1e-8)


# Leave one out


@QUIET
@pytest.mark.parametrize("oversample", [None, "mixup", "smote"])
@pytest.mark.parametrize("domain_normalization", [None, "zscore"])
@pytest.mark.parametrize("normalization", [None, *DENSITIES])
def test_a_held_out_group_scores_as_by_a_detector_that_never_saw_it(
    normalization, domain_normalization, oversample
):
    X, domains = shifted(12, 4)
    groups = np.array([0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3, 4, 5, 5, 6, 4])
    settings = {
        "normalization": normalization,
        "domain_normalization": domain_normalization,
        "oversample": oversample,
        "metric": "cosine" if oversample == "smote" else "euclidean",
    }
    if oversample == "smote":  # enough clips of the source that some clips of the target are made up
        X = np.concatenate([X[:12] + shift for shift in (0, 0.1, 0.2)] + [X[12:]])
        domains, groups = np.repeat(["source", "target"], [36, 4]), np.append(np.tile(groups[:12], 3), groups[12:])
    held_out = fit(X, domains, groups, **settings).held_out_scores_
    for group in (0, 4, 5):
        rest = groups != group
        refitted = fit(X[rest], domains[rest], groups[rest], **settings)
        np.testing.assert_allclose(held_out[~rest], refitted.score_samples(X[~rest]), rtol=1e-8, atol=1e-9)


@QUIET
@pytest.mark.parametrize(
    "settings",
    [
        {"normalization": "cluster-exit", "n_neighbors": 2},
        {"normalization": "varmin", "domain_normalization": "zscore", "oversample": "mixup"},
        {"normalization": "ratio", "time_pooling": "max", "oversample": "smote", "metric": "cosine"},
    ],
)
def test_the_frames_of_a_held_out_clip_are_left_out_together(settings, small_blocks):
    rng = np.random.default_rng(2)
    clips = [rng.normal(loc=rng.normal(), size=(3, n)) for n in (4, 9, 2, 6, 20, 3, 5)]
    domains = np.array(["a", "a", "a", "b", "a", "b", "a"])
    detector = fit(clips, domains, **settings)
    for i in (1, 3, 4):
        rest = np.delete(np.arange(7), i)
        refitted = fit([clips[j] for j in rest], domains[rest], **settings)
        assert detector.held_out_scores_[i] == pytest.approx(refitted.score_samples([clips[i]])[0], rel=1e-8)
    frames = detector.score_frames(clips[:2])
    assert [len(part) for part in frames] == [4, 9]
    # A list of fitted clips and one clip alone agree frame by frame.
    np.testing.assert_array_equal(detector.score_frames(clips[1:2])[0], frames[1])


# Exactness and speed of the search


@pytest.mark.parametrize("method", DENSITIES)
def test_near_clips_far_from_the_others_keep_their_normalised_distance(method):
    rng = np.random.default_rng(0)
    X = np.concatenate([1e4 + 1e-4 * rng.normal(size=(10, 3)), rng.normal(size=(10, 3))])
    new = X[[1, 12]] + 1e-5
    slow = SlowNeighbors(
        X, np.arange(20), np.zeros(20), metric="euclidean", normalization=method, n_density=2
    ).score(new)
    np.testing.assert_allclose(
        fit(X, normalization=method, normalization_neighbors=2).score_samples(new), slow, rtol=1e-6
    )


def test_a_row_too_far_to_be_squared_is_still_divided_by_the_density():
    X = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    detector = fit(X, normalization="ratio")
    near, far, farther = detector.score_samples(np.array([[1e15] * 3, [1e25] * 3, [1e200] * 3]))
    assert near / far == pytest.approx(1e-10)
    assert near / farther == pytest.approx(1e-185)
    assert np.isfinite(detector.score_samples(np.full((1, 3), 1.7e308))).all()


def test_copies_have_a_finite_score_and_are_still_warned_of():
    X = np.random.default_rng(0).normal(size=(12, 3))
    X[1] = X[0]
    for method in DENSITIES:
        with pytest.warns(UserWarning, match="2 of 12 training clips have a copy"):
            detector = fit(X, normalization=method)
        assert np.isfinite(detector.held_out_scores_).all()
        assert np.isfinite(detector.score_samples(X + 1)).all()
        with pytest.warns(UserWarning, match="12 of 12 training clips have a copy"):
            detector = fit(np.ones((12, 3)), normalization=method)
        assert np.isfinite(detector.score_samples(X)).all()


def test_a_threshold_of_scores_with_both_signs_keeps_nearly_all_normal_clips():
    X, domains = shifted(150, 50)
    new = shifted(150, 50, seed=1)[0]
    for settings in ({"normalization": "difference"}, {"domain_normalization": "zscore"}):
        detector = fit(X, domains, **settings)
        assert detector.held_out_scores_.max() > 0 > detector.held_out_scores_.min()
        assert 0.85 < (detector.predict(new) == 1).mean() < 1
        assert (detector.predict(new + 9) == -1).all()


# Domains


@QUIET
def test_with_zscore_a_shifted_domain_is_no_more_anomalous_than_the_source():
    X, domains = shifted(60, 12)
    X[60:] = 2 + 8 * (X[60:] - 2)  # the target spreads more than the source
    plain, scaled = fit(X, domains), fit(X, domains, domain_normalization="zscore")
    target = domains == "target"
    for detector, low, high in ((plain, 1.5, np.inf), (scaled, -0.6, 0.6)):
        scores = detector.held_out_scores_
        gap = (scores[~target].mean() - scores[target].mean()) / scores[~target].std()
        assert low < gap < high


def test_scores_of_domains_are_scores_by_one_bank_each():
    X, domains = shifted()
    new = shifted(3, 2, seed=1)[0]
    detector = fit(X, domains)
    assert detector.domains_.tolist() == ["source", "target"]
    scores = detector.score_domains(new)
    for column, name in enumerate(detector.domains_):
        np.testing.assert_allclose(scores[:, column], fit(X[domains == name]).score_samples(new), rtol=1e-12)
    np.testing.assert_array_equal(scores.max(axis=1), detector.score_samples(new))
    assert np.isnan(detector.score_domains(np.full((1, 3), np.nan))).all()
    # One neighbour and nothing else: banks change nothing.
    np.testing.assert_allclose(detector.score_samples(new), fit(X).score_samples(new), rtol=1e-12)
    with pytest.raises(ValueError, match="fit got none: pass domains to fit"):
        fit(X).score_domains(new)


def test_several_neighbours_are_taken_from_one_bank_and_a_small_bank_gives_what_it_has():
    X = np.array([[0.0], [1.0], [2.0], [10.0]])
    detector = fit(X, [0, 0, 0, 1], n_neighbors=2)
    assert detector.score_samples([[9.0], [0.0]]).tolist() == [-1.0, -0.5]


def test_a_domain_with_one_clip_has_the_statistics_of_all_and_says_so():
    X, domains = shifted(8, 1)
    with pytest.warns(UserWarning, match="the domain 'target' has no spread .* all domains together stand in"):
        detector = fit(X, domains, domain_normalization="zscore")
    expected = SlowNeighbors(X, np.arange(9), domains, metric="euclidean", zscore=True).score(X + 1)
    np.testing.assert_allclose(detector.score_samples(X + 1), expected, rtol=1e-8)


@pytest.mark.parametrize("parameter", [{"oversample": "mixup"}, {"domain_normalization": "zscore"}])
def test_parameters_for_domains_need_domains(parameter):
    with pytest.raises(ValueError, match="needs the domain of every training clip: pass domains to fit"):
        fit(shifted()[0], **parameter)


@pytest.mark.parametrize(
    ("domains", "message"),
    [
        (["source"] * 12, "domains must have one entry a clip: got 12 for 13 clips"),
        (["source"] * 12 + [None], "domains must name a domain for every clip, got None for clip 12"),
        ([1.0] * 12 + [np.nan], "domains must name a domain for every clip, got nan for clip 12"),
    ],
)
def test_missing_domains_are_errors(domains, message):
    with pytest.raises(ValueError, match=message):
        fit(shifted()[0], domains)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("normalization", "log"),
        ("normalization_neighbors", 0),
        ("normalization_neighbors", 1.5),
        ("domain_normalization", "minmax"),
        ("oversample", "adasyn"),
    ],
)
def test_a_value_out_of_range_is_named(name, value):
    with pytest.raises((ValueError, TypeError), match=rf"^{name} must .*got {re.escape(repr(value))}\.$"):
        fit(*shifted(), **{name: value})


def test_too_few_clips_for_a_density_are_an_error_with_the_way_out():
    X = np.arange(12.0).reshape(6, 2)
    with pytest.raises(ValueError, match=r"needs at least 3 clips .* got 2 from n_samples=2\. Pass more clips"):
        fit(X[:2], normalization="ratio")
    with pytest.raises(ValueError, match="needs at least 4 groups"):
        fit(X, groups=[0, 0, 1, 1, 2, 2], normalization="varmin")
    with pytest.raises(ValueError, match=r"normalization_neighbors=6 needs .* got 5 from n_samples=6"):
        fit(X, normalization="ratio", normalization_neighbors=6)


def test_clips_that_could_not_be_read_lose_their_domain_too():
    X, domains = shifted()
    expected = fit(np.delete(X, 10, axis=0), np.delete(domains, 10), domain_normalization="zscore")
    X[10] = np.nan
    with pytest.warns(UserWarning, match="without 1 of 13 clips"):
        detector = fit(X, domains, domain_normalization="zscore")
    np.testing.assert_array_equal(detector.held_out_scores_, expected.held_out_scores_)
    assert np.isnan(detector.score_samples(X)).sum() == 1


# Oversampling


def test_smote_fills_the_scarce_domain_with_rows_between_its_clips():
    X, domains = shifted(60, 4)
    detector = fit(X, domains, oversample="smote")
    made = detector._bank[64:, :-1]
    assert len(made) == round(0.2 * 60) - 4
    target = X[60:]
    for row in made:
        gaps = [
            np.linalg.norm(a - row) + np.linalg.norm(b - row) - np.linalg.norm(a - b) for a in target for b in target
        ]
        assert min(gaps) < 1e-9
    assert detector.n_samples_fit_ == len(detector.held_out_scores_) == 64
    assert detector.kneighbors(X, n_neighbors=64)[1].max() == 63
    again, other = fit(X, domains, oversample="smote"), fit(X, domains, oversample="smote", random_state=1)
    np.testing.assert_array_equal(again._bank, detector._bank)
    assert (other._bank[64:] != detector._bank[64:]).any()


def test_smote_leaves_a_domain_with_one_clip_alone_and_one_domain_is_nothing_to_oversample():
    X, domains = shifted(30, 1)
    with pytest.warns(UserWarning, match="the domain 'target' has a single clip .* no synthetic rows"):
        detector = fit(X, domains, oversample="smote")
    np.testing.assert_array_equal(detector.score_samples(X + 1), fit(X, domains).score_samples(X + 1))
    with pytest.warns(UserWarning, match="no effect, because all training clips are of the domain 'source'"):
        fit(X[:30], domains[:30], oversample="mixup")


# Through other estimators


def test_domains_go_through_thresholds_pipelines_and_metadata_routing():
    X, domains = shifted(30, 10)
    head = NearestNeighborsDetector(domain_normalization="zscore")
    plain = ThresholdedDetector(head, cv=3, random_state=0).fit(X, domains=domains)
    assert all(part.domains_.tolist() == ["source", "target"] for part in plain.detectors_)
    inner = make_pipeline(StandardScaler(), head)
    piped = ThresholdedDetector(inner, cv=3, random_state=0).fit(X, nearestneighborsdetector__domains=domains)
    assert piped.detectors_[0][-1].domains_.tolist() == ["source", "target"]
    with config_context(enable_metadata_routing=True):
        with pytest.raises(TypeError, match="domains"):
            ThresholdedDetector(head, cv=3).fit(X, domains=domains)
        head.set_fit_request(domains=True)
        routed = ThresholdedDetector(head, cv=3, random_state=0).fit(X, domains=domains)
        np.testing.assert_array_equal(routed.calibration_scores_, plain.calibration_scores_)
        routed = ThresholdedDetector(make_pipeline(StandardScaler(), head), cv=3, random_state=0)
        routed.fit(X, domains=domains)
        np.testing.assert_array_equal(routed.calibration_scores_, piped.calibration_scores_)


@QUIET
def test_a_fold_that_lacks_a_domain_has_fewer_banks():
    X, domains = shifted(20, 2)
    folds = [(np.arange(20), np.arange(20, 22)), (np.arange(2, 22), np.arange(2))]
    detector = ThresholdedDetector(NearestNeighborsDetector(domain_normalization="zscore"), cv=folds)
    detector.fit(X, domains=domains)
    assert [part.domains_.tolist() for part in detector.detectors_] == [["source"], ["source", "target"]]


def test_fit_predict_takes_domains_and_a_copy_scores_alike():
    X, domains = shifted(20, 5)
    detector = NearestNeighborsDetector(normalization="ratio", domain_normalization="zscore", oversample="mixup")
    decisions = detector.fit_predict(X, domains=domains)
    np.testing.assert_array_equal(decisions, np.where(detector.held_out_scores_ >= detector.offset_, 1, -1))
    again = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(again.score_samples(X + 0.1), detector.score_samples(X + 0.1))
