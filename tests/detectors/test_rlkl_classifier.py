"""The classifier of (RL, KL) against formulas, scikit-learn and a forward pass written out in NumPy."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skaudio_ad import RLKLClassifier
from skaudio_ad.persistence import load_detector, save_detector


def losses(n_clips=60, seed=0, apart=1.0):
    """RL and KL of usual magnitude, with overlapping classes. Anomalies are higher in both. The labels are 1 and -1."""
    rng = np.random.default_rng(seed)
    normal = rng.normal([0.02, 3000], [0.004, 300], size=(n_clips // 2, 2))
    anomalous = rng.normal([0.02 + 0.006 * apart, 3000 + 300 * apart], [0.004, 300], size=(n_clips // 2, 2))
    return np.concatenate([normal, anomalous]), np.repeat([1, -1], n_clips // 2)


def classifier(**settings):
    defaults = {"hidden_sizes": (12, 8), "max_epochs": 40, "learning_rate": 1e-2, "device": "cpu"}
    return RLKLClassifier(**{**defaults, "random_state": 0, **settings})


@pytest.fixture(scope="module")
def fitted():
    return classifier().fit(*losses())


def forward(model, X):
    """Compute logits from the weights: standardise, then apply linear and rectified layers."""
    state = {name: value.numpy() for name, value in model.module_.state_dict().items()}
    x = (np.asarray(X, dtype=np.float64) - model.mean_) / model.scale_
    for layer in (0, 2):
        x = x @ state[f"layers.{layer}.weight"].T + state[f"layers.{layer}.bias"]
        x = np.maximum(x, 0) if model.activation == "relu" else x
    return (x @ state["layers.4.weight"].T + state["layers.4.bias"])[:, 0]


@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_the_decision_is_the_networks_logit_and_the_probability_its_sigmoid(activation):
    X, y = losses()
    model = classifier(activation=activation).fit(X, y)
    logits = forward(model, X)
    np.testing.assert_allclose(model.decision_function(X), logits, rtol=1e-10)
    probability = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(
        model.predict_proba(X), np.column_stack([1 - probability, probability]), rtol=1e-9
    )
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)), rtol=1e-9)
    np.testing.assert_array_equal(model.predict(X), np.where(logits > 0, 1, -1))
    assert model.decision_function(X).dtype == model.predict_proba(X).dtype == np.float64


def test_the_defaults_are_those_of_the_published_classifiers():
    X, y = losses()
    model = RLKLClassifier(random_state=0).set_params(max_epochs=1).fit(X, y)
    layers = [m for m in model.module_.modules() if isinstance(m, torch.nn.Linear)]
    assert [(m.in_features, m.out_features) for m in layers] == [(2, 100), (100, 100), (100, 1)]
    assert sum(p.numel() for p in model.module_.parameters()) == 2 * 100 + 100 + 100 * 100 + 100 + 100 + 1
    settings = RLKLClassifier().get_params()
    assert (settings["max_epochs"], settings["learning_rate"], settings["weight_decay"]) == (1000, 1e-3, 1e-5)


def test_a_higher_decision_is_more_normal_for_labels_1_and_minus_1(fitted):
    assert fitted.classes_.tolist() == [-1, 1]
    assert fitted.decision_function([[0.018, 2800]])[0] > 0 > fitted.decision_function([[0.03, 3600]])[0]
    X, y = losses(seed=1)
    assert fitted.score(X, y) > 0.75


@pytest.mark.parametrize("hidden_sizes", [(), (12, 8), (5, 5, 5, 5)])
def test_the_identity_network_is_affine_whatever_its_layers(hidden_sizes):
    model = classifier(activation="identity", hidden_sizes=hidden_sizes).fit(*losses())
    start, end = np.array([0.001, 9000.0]), np.array([0.2, 100.0])
    ends = model.decision_function([start, end])
    between = model.decision_function([start + t * (end - start) for t in (0.25, 0.5, 3.0)])
    np.testing.assert_allclose(
        between, [ends[0] + t * (ends[1] - ends[0]) for t in (0.25, 0.5, 3.0)], rtol=1e-9
    )
    assert ends[0] != ends[1]


def test_the_relu_network_is_not_affine(fitted):
    low, middle, high = fitted.decision_function([[0.001, 1000], [0.021, 3100], [0.041, 5200]])
    assert abs(low + high - 2 * middle) > 0.1 * abs(high - low)


@pytest.mark.parametrize("apart", [1.0, 8.0], ids=["overlapping", "separable"])
def test_the_identity_network_decides_as_logistic_regression_does(apart):
    X, y = losses(200, apart=apart)
    settings = {"hidden_sizes": (100, 100), "max_epochs": 200}
    model = classifier(activation="identity", **settings).fit(X, y)
    reference = make_pipeline(StandardScaler(), LogisticRegression(C=np.inf if apart == 1 else 1.0)).fit(X, y)
    new, _ = losses(2000, seed=1, apart=apart)
    assert np.mean(model.predict(new) == reference.predict(new)) > 0.97
    if apart == 1:  # on separable data the likelihood has no maximum
        np.testing.assert_allclose(model.predict_proba(new), reference.predict_proba(new), atol=0.002)


def test_only_the_relu_network_solves_exclusive_or():
    corners = np.array([[0.01, 1000], [0.05, 5000], [0.01, 5000], [0.05, 1000]])
    rng = np.random.default_rng(0)
    X = np.repeat(corners, 20, axis=0) + rng.normal(0, [0.003, 300], size=(80, 2))
    y = np.repeat([1, 1, -1, -1], 20)
    assert classifier(max_epochs=150).fit(X, y).score(X, y) == 1
    assert classifier(max_epochs=150, activation="identity").fit(X, y).score(X, y) < 0.8


@pytest.mark.parametrize("activation", ["relu", "identity"])
@pytest.mark.parametrize("factors", [(1, 1e4), (1e-6, 1), (1e3, 1e-3)])
def test_the_unit_of_a_feature_does_not_matter(activation, factors):
    X, y = losses()
    model = classifier(activation=activation).fit(X, y)
    other = classifier(activation=activation).fit(X * factors, y)
    np.testing.assert_allclose(other.predict_proba(X * factors), model.predict_proba(X), atol=1e-5)


def test_the_features_are_standardised_by_the_training_rows_and_their_weights():
    X, y = losses()
    model = classifier(max_epochs=1).fit(X, y)
    reference = StandardScaler().fit(X)
    np.testing.assert_allclose(model.mean_, reference.mean_, rtol=1e-12)
    np.testing.assert_allclose(model.scale_, reference.scale_, rtol=1e-12)
    weight = np.random.default_rng(0).uniform(0.1, 5, len(X))
    model = classifier(max_epochs=1).fit(X, y, weight)
    reference = StandardScaler().fit(X, sample_weight=weight)
    np.testing.assert_allclose(model.mean_, reference.mean_, rtol=1e-12)
    np.testing.assert_allclose(model.scale_, reference.scale_, rtol=1e-12)


@pytest.mark.parametrize("constant", [0.0, 0.1, 3e9])
def test_a_feature_that_never_varied_in_training_has_no_influence(constant):
    X, y = losses()
    X[:, 1] = constant
    model = classifier().fit(X, y)
    expected = model.predict_proba(X)
    assert np.isfinite(expected).all()
    assert np.ptp(expected[:, 1]) > 0.5
    X[:, 1] = [-1e6, 1e6] * 30
    np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_features_that_never_vary_leave_the_share_of_the_classes():
    y = np.repeat([1, 1, 1, -1], 10)
    model = classifier(max_epochs=200).fit(np.full((40, 2), 5.0), y)
    np.testing.assert_allclose(model.predict_proba([[5.0, 7.0]]), [[0.25, 0.75]], atol=0.01)


@pytest.mark.parametrize("activation", ["relu", "identity"])
@pytest.mark.parametrize("class_weight", [None, "balanced", {-1: 3.0}])
def test_a_whole_weight_is_the_same_as_repeating_the_row(activation, class_weight):
    X, y = losses()
    weight = np.random.default_rng(0).integers(0, 4, len(X))
    settings = {"activation": activation, "class_weight": class_weight}
    weighted = classifier(**settings).fit(X, y, weight)
    repeated = classifier(**settings).fit(X.repeat(weight, axis=0), y.repeat(weight))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-8)
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-5)


@pytest.mark.parametrize("batch_size", [None, 16])
def test_a_row_of_weight_0_takes_no_part_bit_for_bit(batch_size):
    X, y = losses()
    weight = np.random.default_rng(0).uniform(1, 2, len(X))
    left_out = np.arange(0, len(X), 7)
    weight[left_out] = 0
    X[left_out] = 1e6
    model = classifier(batch_size=batch_size).fit(X, y, weight)
    without = classifier(batch_size=batch_size).fit(
        *(np.delete(array, left_out, axis=0) for array in (X, y, weight))
    )
    np.testing.assert_array_equal(model.predict_proba(X), without.predict_proba(X))
    assert model.loss_curve_ == without.loss_curve_


def test_only_the_ratios_of_the_weights_matter():
    X, y = losses()
    weight = np.random.default_rng(0).uniform(1, 2, len(X))
    small, large = (classifier().fit(X, y, factor * weight) for factor in (1e-6, 1e6))
    np.testing.assert_allclose(small.predict_proba(X), large.predict_proba(X), atol=1e-8)


def test_the_loss_is_the_weighted_cross_entropy():
    X, y = losses()
    weight = np.random.default_rng(0).uniform(0.1, 5, len(X))
    # The steps are too short to change the weights, so the loss of the only epoch is the loss of the final network.
    model = classifier(max_epochs=1, learning_rate=1e-15, class_weight={-1: 3.0, 1: 0.5}, batch_size=7)
    model.fit(X, y, weight)
    expected = log_loss(y, model.predict_proba(X), sample_weight=weight * np.where(y == -1, 3.0, 0.5))
    assert model.loss_curve_ == [pytest.approx(expected, rel=1e-6)]


def test_the_loss_falls_and_every_epoch_is_counted(fitted):
    assert fitted.n_iter_ == len(fitted.loss_curve_) == 40
    assert fitted.loss_curve_[-1] < 0.8 * fitted.loss_curve_[0]
    assert fitted.best_epoch_ == np.argmin(fitted.loss_curve_)
    assert fitted.stopped_by_ == "max_epochs"


def test_balanced_weights_let_a_rare_class_count():
    X, y = losses(400)
    rare = np.concatenate([np.arange(200), np.arange(200, 222)])  # 22 anomalous clips among 222
    new, truth = losses(400, seed=1)

    def found(class_weight):
        model = classifier(activation="identity", class_weight=class_weight, max_epochs=100)
        return np.mean(model.fit(X[rare], y[rare]).predict(new[truth == -1]) == -1)

    assert found("balanced") > found(None) + 0.3


@pytest.mark.parametrize(
    "labels", [("other", "dog"), (0, 1), (5, 3), (True, False), (1.0, -1.0), ("b", "a")], ids=str
)
def test_any_two_labels_will_do_and_their_order_is_that_of_sorting(labels):
    X, y = losses()
    named = np.where(y == 1, *labels)
    model = classifier().fit(X, named)
    assert model.classes_.tolist() == sorted(labels)
    assert set(model.predict(X)) == set(labels)
    expected = classifier().fit(X, y)
    accuracy = np.mean(model.predict(X) == named)
    assert accuracy == pytest.approx(expected.score(X, y), abs=0.1)
    assert accuracy > 0.75
    column = sorted(labels).index(labels[0])
    assert model.predict_proba([[0.01, 2000]])[0, column] > 0.9


def test_labels_of_object_dtype_are_taken_and_saved(tmp_path):
    X, y = losses()
    named = pd.Series(np.where(y == 1, "dog", "other"), dtype=object)
    model = classifier(class_weight={"dog": 2.0}).fit(X, named)
    save_detector(model, tmp_path / "classifier.skops")
    loaded = load_detector(tmp_path / "classifier.skops")
    assert loaded.predict(X).tolist() == model.predict(X).tolist()
    assert set(loaded.predict(X)) == {"dog", "other"}


def test_class_weights_of_string_labels_are_those_of_the_rows():
    X, y = losses()
    named = np.where(y == 1, "dog", "other")
    model = classifier(class_weight={"dog": 4.0}).fit(X, named)
    same = classifier(class_weight={"other": 0.25, "dog": 1.0}).fit(X, named)
    np.testing.assert_allclose(model.predict_proba(X), same.predict_proba(X), atol=1e-8)
    plain = classifier().fit(X, named)
    assert (model.predict(X) == "dog").sum() > (plain.predict(X) == "dog").sum()


@pytest.mark.parametrize("n_clips", [2, 33, 9000])
def test_a_rows_probability_does_not_depend_on_the_rows_beside_it(fitted, n_clips):
    X, _ = losses(n_clips, seed=4)
    logits = fitted.decision_function(X)
    np.testing.assert_allclose(fitted.decision_function(X[::-1])[::-1], logits, rtol=1e-9, atol=1e-12)
    some = range(0, len(X), max(1, len(X) // 40))
    alone = [fitted.decision_function(X[i : i + 1])[0] for i in some]
    np.testing.assert_allclose(alone, logits[list(some)], rtol=1e-9, atol=1e-12)


def test_probabilities_far_from_the_boundary_stay_finite_in_the_logarithm():
    X, y = losses(apart=20)
    model = classifier(activation="identity", max_epochs=150).fit(X, y)
    far = [[-2000.0, -3e8], [2000.0, 3e8]]
    proba, log_proba = model.predict_proba(far), model.predict_log_proba(far)
    np.testing.assert_array_equal(proba, [[0, 1], [1, 0]])
    logits = model.decision_function(far)
    assert (np.abs(logits) > 1000).all()
    np.testing.assert_allclose(log_proba, [[-logits[0], 0], [0, logits[1]]], rtol=1e-12)


def test_the_same_seed_gives_the_same_output_and_another_seed_another():
    X, y = losses()
    for settings in ({}, {"batch_size": 16}, {"deterministic": True}):
        first, again, other = (
            classifier(random_state=seed, **settings).fit(X, y).decision_function(X) for seed in (0, 0, 1)
        )
        np.testing.assert_array_equal(first, again)
        assert (first != other).all()


@pytest.mark.parametrize("deterministic", [True, False])
def test_torch_is_deterministic_during_the_fit_if_asked_for_and_not_after_it(deterministic):
    watcher = Watcher(lambda estimator: torch.are_deterministic_algorithms_enabled())
    classifier(max_epochs=2, deterministic=deterministic).set_callbacks(watcher).fit(*losses())
    assert watcher.seen == [deterministic] * 2
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_batch_size_is_the_number_of_rows_a_step():
    X, y = losses()
    whole, same, other = (
        classifier(batch_size=batch_size, max_epochs=5).fit(X, y) for batch_size in (None, 60, 20)
    )
    assert whole.loss_curve_ == same.loss_curve_
    assert other.loss_curve_[-1] < whole.loss_curve_[-1]  # three steps an epoch reduce the loss more than one


def test_a_strong_weight_decay_pulls_the_decisions_to_the_share_of_the_classes():
    X, y = losses(apart=3)
    free, decayed = (
        classifier(weight_decay=weight_decay, max_epochs=200).fit(X, y) for weight_decay in (0, 1)
    )
    assert np.ptp(free.predict_proba(X)[:, 1]) > 0.9
    np.testing.assert_allclose(decayed.predict_proba(X), 0.5, atol=0.05)


def test_the_global_generators_are_left_as_they_were():
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    model = classifier().fit(*losses())
    pickle.loads(pickle.dumps(model))
    torch.testing.assert_close(torch.get_rng_state(), states[0], rtol=0, atol=0)
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"hidden_sizes": 100}, TypeError, "hidden_sizes must be a sequence of integers, got 100"),
        ({"hidden_sizes": (10, 0)}, ValueError, r"hidden_sizes must lie in \[1, inf\], got 0"),
        ({"hidden_sizes": (2.5,)}, TypeError, "hidden_sizes must be an integer, got 2.5"),
        ({"activation": "tanh"}, ValueError, "activation must be one of 'relu', 'identity', got 'tanh'"),
        ({"class_weight": "auto"}, ValueError, "None, \"balanced\" or a dict of label to weight, got 'auto'"),
        ({"class_weight": 2.0}, ValueError, "class_weight must be None.*got 2.0"),
        ({"class_weight": {1: -1.0}}, ValueError, r"class_weight\[1\] must lie in \(0, inf\), got -1.0"),
        ({"class_weight": {1: "high"}}, TypeError, r"class_weight\[1\] must be a number, got 'high'"),
        ({"class_weight": {"dog": 2.0}}, ValueError, "are not in class_weight"),
        ({"max_epochs": 0}, ValueError, r"max_epochs must lie in \[1, inf\], got 0"),
        ({"max_epochs": 2.5}, TypeError, "max_epochs must be an integer, got 2.5"),
        ({"batch_size": 0}, ValueError, r"batch_size must lie in \[1, inf\], got 0"),
        ({"batch_size": "all"}, TypeError, "batch_size must be an integer or None, got 'all'"),
        ({"learning_rate": 0}, ValueError, r"learning_rate must lie in \(0, inf\), got 0"),
        ({"weight_decay": -1e-5}, ValueError, r"weight_decay must lie in \[0, inf\], got -1e-05"),
        ({"device": "gpu"}, ValueError, 'device must be "auto", "cpu", "cuda"'),
    ],
)
def test_a_bad_parameter_is_named_with_its_rule_and_value(settings, error, message):
    with pytest.raises(error, match=message):
        classifier(**settings).fit(*losses())


def test_a_clip_that_could_not_be_read_is_refused_with_its_row_and_the_way_out(fitted):
    X, y = losses()
    X[[3, 40]] = np.nan
    message = r"NaN in 2 of 60 rows: 3, 40\..*remove such rows first"
    for call in (lambda: classifier().fit(X, y), lambda: fitted.predict(X), lambda: fitted.predict_proba(X)):
        with pytest.raises(ValueError, match=message):
            call()
    present = ~np.isnan(X).any(axis=1)
    assert classifier().fit(X[present], y[present]).predict(X[present]).shape == (58,)


def test_many_such_rows_are_counted_and_the_first_are_named(fitted):
    X, _ = losses()
    X[10:30, 1] = np.nan
    with pytest.raises(ValueError, match=r"NaN in 20 of 60 rows: 10, 11, 12, 13, 14, \.\.\.\."):
        fitted.predict(X)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X, np.ones(len(X))), "two classes of positive weight, got one class"),
        (lambda X, y: (X, np.arange(len(X)) % 3), "multiclass: y has 3 classes"),
        (lambda X, y: (X, np.linspace(0, 1, len(X))), "Unknown label type: continuous"),
        (lambda X, y: (X, np.column_stack([y, y])), "y should be a 1d array"),
        (lambda X, y: (X, None), "requires y to be passed"),
        (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
        (lambda X, y: (X, np.where(y == 1, np.nan, 1.0)), "Input y contains NaN"),
        (lambda X, y: (X[:, 0], y), "Expected 2D array, got 1D array"),
        (lambda X, y: (X[:, :, np.newaxis], y), "Found array with dim 3"),
        (lambda X, y: (X[:0], y[:0]), "0 sample"),
        (lambda X, y: (np.where(X > 3000, np.inf, X), y), "contains infinity"),
    ],
)
def test_bad_data_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        classifier().fit(*change(*losses()))


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(59), r"one number a row, \(60,\), got shape \(59,\)"),
        (np.ones((60, 1)), r"one number a row, \(60,\), got shape \(60, 1\)"),
        (2.0, r"one number a row, \(60,\), got shape \(\)"),
        (np.where(np.arange(60) == 7, -0.5, 1), r"must not be negative, got -0.5 in row 7"),
        (np.zeros(60), "must not be zero throughout"),
        (np.where(np.arange(60) == 7, np.nan, 1), "Input sample_weight contains NaN"),
        (np.repeat([0.0, 1.0], 30), "two classes of positive weight, got one class"),
    ],
)
def test_bad_weights_are_refused(weight, message):
    with pytest.raises(ValueError, match=message):
        classifier().fit(*losses(), sample_weight=weight)


def test_a_label_column_is_taken_with_scikit_learns_warning():
    X, y = losses()
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        model = classifier().fit(X, y[:, np.newaxis])
    np.testing.assert_array_equal(model.predict(X), classifier().fit(X, y).predict(X))


def test_another_number_of_features_and_an_untrained_classifier_are_refused(fitted):
    with pytest.raises(ValueError, match="X has 3 features, but RLKLClassifier is expecting 2"):
        fitted.predict(np.ones((2, 3)))
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(classifier(), method)([[0.02, 3000]])


def test_a_diverging_training_says_so():
    X, y = losses()
    with pytest.raises(ValueError, match=r"training diverged: the loss of epoch .* Lower learning_rate"):
        classifier(activation="identity", learning_rate=1e200).fit(X, y)


def test_a_table_keeps_its_names_and_another_order_is_refused():
    X, y = losses()
    table = pd.DataFrame(X, columns=["RL", "KL"])
    model = classifier().fit(table, y)
    assert model.feature_names_in_.tolist() == ["RL", "KL"]
    np.testing.assert_array_equal(model.predict_proba(table), classifier().fit(X, y).predict_proba(X))
    with pytest.raises(ValueError, match="Feature names must be in the same order"):
        model.predict(table[["KL", "RL"]])


def test_more_than_two_features_and_other_number_types_are_taken():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 7))
    y = X[:, 3] > 0
    model = classifier(max_epochs=100).fit(X, y)
    assert model.n_features_in_ == 7
    assert model.score(X, y) > 0.9
    np.testing.assert_array_equal(
        classifier().fit(X.tolist(), y.tolist()).predict_proba(X), classifier().fit(X, y).predict_proba(X)
    )
    single = X.astype(np.float32)
    np.testing.assert_allclose(
        classifier().fit(single, y).predict_proba(single), classifier().fit(X, y).predict_proba(X), atol=1e-4
    )


def through_pickle(model, folder):
    return pickle.loads(pickle.dumps(model))


def through_skops(model, folder):
    save_detector(model, folder / "classifier.skops")
    return load_detector(folder / "classifier.skops")


@pytest.mark.parametrize("save", [through_pickle, through_skops, lambda model, _: copy.deepcopy(model)])
def test_a_saved_classifier_gives_the_same_probabilities_bit_for_bit(save, tmp_path):
    X, y = losses()
    X[:, 1] = 4.0  # the scale of this feature is infinite
    model = classifier().fit(X, np.where(y == 1, "dog", "other"))
    expected = model.predict_proba(X)
    model.set_params(hidden_sizes=(3,), activation="identity")  # for the next fit only
    loaded = save(model, tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)
    assert loaded.classes_.tolist() == ["dog", "other"]
    assert next(loaded.module_.parameters()).dtype == torch.float64
    refitted = loaded.fit(X, y)
    assert [tuple(p.shape) for p in refitted.module_.parameters()] == [(3, 2), (3,), (1, 3), (1,)]


def test_a_second_fit_forgets_the_first():
    X, y = losses()
    model = classifier().fit(np.random.default_rng(1).normal(size=(30, 5)), np.arange(30) % 2)
    np.testing.assert_array_equal(model.fit(X, y).predict_proba(X), classifier().fit(X, y).predict_proba(X))


def test_every_epoch_is_scored_for_callbacks_with_the_labels_as_given():
    X, y = losses()
    table, named = pd.DataFrame(X, columns=["RL", "KL"]), np.where(y == 1, "dog", "other")
    monitor = ScoringMonitor(scoring="neg_log_loss")
    classifier(max_epochs=4).set_callbacks(monitor).fit(table, named)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    fits = [classifier(max_epochs=n).fit(table, named) for n in (1, 2, 3, 4)]
    expected = [-log_loss(named, fitted.predict_proba(table)) for fitted in fits]
    assert [row["neg_log_loss"] for row in rows] == pytest.approx(expected)
    assert len(set(expected)) == 4


def test_a_progress_bar_shows_the_epochs(capsys):
    classifier(max_epochs=3).set_callbacks(ProgressBar()).fit(*losses())
    assert "RLKLClassifier" in capsys.readouterr().out


class Watcher:
    """Callback that records `look(estimator)` after every epoch, and may stop the training."""

    def __init__(self, look, stop_after=None):
        self.look, self.stop_after, self.seen = look, stop_after, []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch":
            self.seen.append(self.look(estimator))
        return len(self.seen) == self.stop_after


def test_a_callback_can_end_the_training():
    model = classifier().set_callbacks(Watcher(id, stop_after=4)).fit(*losses())
    assert (model.n_iter_, model.stopped_by_) == (4, "callback")


def test_a_copy_made_during_a_second_fit_is_not_taken_for_fitted():
    model = classifier().fit(np.random.default_rng(1).normal(size=(30, 5)), np.arange(30) % 2)
    watcher = Watcher(lambda estimator: hasattr(copy.deepcopy(estimator), "module_"))
    model.set_params(max_epochs=2).set_callbacks(watcher).fit(*losses())
    assert watcher.seen == [False, False]


def test_it_ends_a_pipeline_is_searched_and_gets_its_weights_by_routing():
    X, y = losses()
    pipeline = make_pipeline(FunctionTransformer(np.log), classifier(max_epochs=20))
    search = GridSearchCV(pipeline, {"rlklclassifier__activation": ["relu", "identity"]}, cv=3)
    assert search.fit(X, y).best_score_ > 0.7
    weight = np.random.default_rng(0).integers(0, 3, len(X))
    with config_context(enable_metadata_routing=True):
        routed = clone(pipeline)
        routed[-1].set_fit_request(sample_weight=True)
        routed.fit(X, y, sample_weight=weight)
    expected = classifier(max_epochs=20).fit(np.log(X), y, weight)
    np.testing.assert_array_equal(routed.predict_proba(X), expected.predict_proba(np.log(X)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_a_gpu_trains_and_decides_as_the_cpu_does(activation):
    X, y = losses()
    cpu, gpu = (classifier(activation=activation, device=device).fit(X, y) for device in ("cpu", "cuda"))
    assert next(gpu.module_.parameters()).is_cuda
    np.testing.assert_allclose(gpu.predict_proba(X), cpu.predict_proba(X), atol=1e-4)
    copied = copy.deepcopy(gpu)  # the copied network is on the CPU before its first use
    np.testing.assert_allclose(copied.predict_proba(X), gpu.predict_proba(X), rtol=1e-9)
    assert next(copied.module_.parameters()).is_cuda
    np.testing.assert_allclose(
        gpu.set_params(device="cpu").predict_proba(X), copied.predict_proba(X), rtol=1e-9
    )
