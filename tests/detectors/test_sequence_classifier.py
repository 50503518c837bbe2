"""The classifier of embeddings against forward passes in NumPy, scikit-learn's class weights, and bad input."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.callback import ScoringMonitor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight

from skaudio_ad import SequenceClassifier
from skaudio_ad._lazy import LazySequence
from skaudio_ad.detectors._labelled_clips import loss_weights, split_labelled
from skaudio_ad.detectors._padded_clips import batches_of_like_lengths
from skaudio_ad.networks import PooledClassifier
from skaudio_ad.training import EpochLogger

N_FEATURES = 5
NAMES = np.array(["dog", "rain", "sea"])
POOLINGS = [
    (head, pooling)
    for head in ("linear", "gru", "lstm")
    for pooling in ("mean", "max", "attention", "last")
    if (head, pooling) != ("linear", "last")
]


def clips(n_clips=24, seed=0):
    """Clips of 3 to 8 frames, of three classes in turn. A class shifts one of the features."""
    rng = np.random.default_rng(seed)
    made = [rng.normal(size=(N_FEATURES, rng.integers(3, 9))) * 3 + 100 for _ in range(n_clips)]
    for index, clip in enumerate(made):
        clip[index % 3] += 6
    return made, NAMES[np.arange(n_clips) % 3]


def several_labels(n_clips=24):
    """0 and 1 for three classes: independent of each other, and without a class for some clips."""
    return np.column_stack(
        [np.arange(n_clips) % 3 == 0, np.arange(n_clips) % 2, np.arange(n_clips) % 5 < 2]
    ).astype(int)


def classifier(head="linear", **settings):
    defaults = {"hidden_size": 4, "max_epochs": 3, "learning_rate": 0.02, "device": "cpu", "random_state": 0}
    return SequenceClassifier(head, **{**defaults, **settings})


@pytest.fixture(scope="module")
def fitted():
    X, y = clips()
    return classifier(max_epochs=40).fit(X, y)


# The network against NumPy


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis):
    exponentials = np.exp(x - x.max(axis=axis, keepdims=True))
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


def recurrent_states(state, frames, head):
    """States of one layer, step by step, by the equations in the documentation of torch."""
    w_in, w_state = state["recurrent.weight_ih_l0"], state["recurrent.weight_hh_l0"]
    b_in, b_state = state["recurrent.bias_ih_l0"], state["recurrent.bias_hh_l0"]
    h = c = np.zeros(w_state.shape[1])
    states = []
    for frame in frames:
        if head == "gru":
            (r_in, z_in, n_in), (r, z, n) = (
                np.split(w_in @ frame + b_in, 3),
                np.split(w_state @ h + b_state, 3),
            )
            z = sigmoid(z_in + z)
            h = (1 - z) * np.tanh(n_in + sigmoid(r_in + r) * n) + z * h
        else:
            i, f, g, o = np.split(w_in @ frame + b_in + w_state @ h + b_state, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


def reference(model, clip, multi_label):
    """Probabilities of the classes of a clip, and of its frames (n_classes, n_frames)."""
    state = {name: value.numpy() for name, value in model.module_.state_dict().items()}
    frames = ((clip - model.mean_[:, None]) / model.scale_[:, None]).T
    if model.head != "linear":
        frames = recurrent_states(state, frames, model.head)
    logits = frames @ state["output.weight"].T + state["output.bias"]
    proba = sigmoid(logits) if multi_label else softmax(logits, axis=1)
    if model.pooling == "max":
        largest = logits.max(axis=0)
        return sigmoid(largest) if multi_label else softmax(largest, axis=0), proba.T
    weights = np.full(logits.shape, 1 / len(logits))
    if model.pooling == "attention":
        weights = softmax(frames @ state["attention.weight"].T + state["attention.bias"], axis=0)
    pooled = proba[-1] if model.pooling == "last" else (weights * proba).sum(axis=0)
    return pooled if multi_label else pooled / pooled.sum(), proba.T


@pytest.mark.parametrize("multi_label", [False, True], ids=["one label", "several labels"])
@pytest.mark.parametrize(("head", "pooling"), POOLINGS)
def test_probabilities_are_those_of_a_forward_pass_in_numpy(head, pooling, multi_label):
    X, y = clips()
    model = classifier(head, pooling=pooling).fit(X, several_labels() if multi_label else y)
    expected, of_frames = zip(*[reference(model, clip, multi_label) for clip in X])
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-12)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(expected), atol=1e-10)
    for made, value in zip(model.predict_proba_frames(X), of_frames, strict=True):
        np.testing.assert_allclose(made, value, atol=1e-12)
    for made, value in zip(model.predict_frames(X), of_frames, strict=True):
        expected_frames = (value > 0.5).astype(int) if multi_label else NAMES[value.argmax(axis=0)]
        np.testing.assert_array_equal(made, expected_frames)


def test_the_standardisation_is_that_of_all_frames_of_the_training_clips():
    X, y = clips()
    for clip in X:
        clip[4] = 7.0
    weight = np.arange(24) % 3 + 0.5
    model = classifier(max_epochs=1).fit(X, y, sample_weight=weight)
    train = np.setdiff1d(np.arange(24), model.held_out_indices_)
    frames = np.concatenate([X[i] for i in train], axis=1)
    of_frames = np.concatenate([np.full(X[i].shape[1], weight[i]) for i in train])
    mean = np.average(frames, axis=1, weights=of_frames)
    np.testing.assert_allclose(model.mean_, mean, rtol=1e-12)
    deviation = np.sqrt(np.average((frames - mean[:, None]) ** 2, axis=1, weights=of_frames))
    np.testing.assert_allclose(model.scale_[:4], deviation[:4], rtol=1e-12)
    assert model.scale_[4] == np.inf


@pytest.mark.parametrize("multi_label", [False, True], ids=["one label", "several labels"])
def test_the_losses_are_weighted_cross_entropies(multi_label):
    X, y = clips(20)
    if multi_label:
        y = several_labels(20)
    model = classifier(class_weight="balanced", max_epochs=1, validation_fraction=0.25).fit(X, y)
    held_out = model.held_out_indices_
    train = np.setdiff1d(np.arange(20), held_out)
    proba = model.predict_proba(X)
    if multi_label:
        losses = -np.where(y == 1, np.log(proba), np.log(1 - proba))
        weights = np.empty(y.shape)
        for column in range(3):
            n_with = y[train, column].sum()
            weights[:, column] = np.where(
                y[:, column] == 1, len(train) / (2 * n_with), len(train) / (2 * (len(train) - n_with))
            )
    else:
        losses = -np.log(proba[np.arange(20), np.searchsorted(NAMES, y)])
        of_class = compute_class_weight("balanced", classes=NAMES, y=y[train])
        weights = of_class[np.searchsorted(NAMES, y)]
    weights /= weights[train].mean()
    expected = (losses * weights)[held_out].mean()
    assert model.validation_loss_curve_ == [pytest.approx(expected, rel=1e-9)]


def test_a_dict_of_weights_is_by_label_or_by_number_of_class():
    targets, ones, everything = np.array([0, 1, 1, 2]), np.ones(4), np.arange(4)
    weight = loss_weights({"dog": 3.0}, targets, ones, everything, NAMES)
    np.testing.assert_allclose(weight, np.array([3, 1, 1, 1]) / 1.5)
    weight = loss_weights({2: 4.0}, np.eye(4, 3, dtype=int), ones, everything, np.arange(3))
    np.testing.assert_allclose(weight, np.tile([0.5, 0.5, 2.0], (4, 1)))


# Contract


def test_a_clip_gets_the_same_probability_alone_in_any_batch_and_in_any_order():
    X, y = clips(40)
    X[3] = np.repeat(X[3], 40, axis=1)  # a clip that is far longer than the others
    for head, pooling in (("linear", "attention"), ("gru", "last"), ("lstm", "mean")):
        model = classifier(head, pooling=pooling, max_epochs=1).fit(X, y)
        proba = model.predict_proba(X)
        alone = [model.predict_proba([clip])[0] for clip in X]
        np.testing.assert_allclose(alone, proba, atol=1e-12)
        np.testing.assert_allclose(model.predict_proba(X[::-1])[::-1], proba, atol=1e-12)


def test_arrays_lists_lazy_sequences_and_number_types_give_the_same_predictions():
    X, y = clips()
    X = np.stack([np.round(clip[:, :3]) for clip in X]).astype(np.float32)
    expected = classifier("gru").fit(X, y).predict_proba(X)
    for same in (list(X), LazySequence(list(X)), X.astype(int), X.astype(np.float64)):
        model = classifier("gru").fit(same, list(y))
        np.testing.assert_allclose(model.predict_proba(same), expected, atol=1e-9)
    assert model.predict_proba_frames(X).shape == (24, 3, 3)
    assert model.predict_frames(X).shape == (24, 3)


def test_one_embedding_a_clip_has_the_predictions_of_a_sequence_of_one_frame():
    X, y = clips()
    X = np.stack([clip[:, 0] for clip in X])
    model, same = classifier().fit(X, y), classifier().fit(X[:, :, None], y)
    np.testing.assert_allclose(model.predict_proba(X), same.predict_proba(X[:, :, None]), atol=1e-12)
    with pytest.raises(ValueError, match=r"fitted on one embedding a clip.*no frames"):
        model.predict_frames(X)
    with pytest.raises(ValueError, match=r"fitted on one embedding a clip.*but X has shape \(24, 5, 1\)"):
        model.predict(X[:, :, None])


def test_two_classes_have_one_decision_a_clip_and_more_classes_one_a_class(fitted):
    X, y = clips()
    two = classifier().fit(X, y == "dog")
    proba = two.predict_proba(X)
    np.testing.assert_allclose(two.decision_function(X), np.log(proba[:, 1] / proba[:, 0]), atol=1e-9)
    np.testing.assert_array_equal(two.predict(X), two.decision_function(X) > 0)
    assert two.classes_.tolist() == [False, True]
    np.testing.assert_allclose(fitted.decision_function(X), np.log(fitted.predict_proba(X)), atol=1e-9)
    np.testing.assert_array_equal(fitted.predict(X), NAMES[fitted.decision_function(X).argmax(axis=1)])


def test_a_class_that_fit_has_not_seen_counts_as_an_error(fitted):
    X, y = clips(9, seed=1)
    assert fitted.score(X, y) == 1
    y[:3] = "rooster"
    assert fitted.score(X, y) == pytest.approx(2 / 3)
    assert fitted.predict_proba(X).shape == (9, 3)


def test_several_labels_are_0_and_1_with_logits_as_decisions():
    X, _ = clips()
    y = several_labels()
    model = classifier().fit(X, y)
    proba = model.predict_proba(X)
    np.testing.assert_allclose(model.decision_function(X), np.log(proba / (1 - proba)), atol=1e-9)
    np.testing.assert_array_equal(model.predict(X), proba > 0.5)
    assert model.classes_.tolist() == [0, 1, 2]
    assert 0 <= model.score(X, y) <= 1


def test_a_class_of_one_clip_and_the_only_group_of_a_class_are_trained_on():
    targets = np.array([0] * 10 + [1] * 9 + [2])
    train, held_out = split_labelled(targets, 0.3, seed=0)
    assert np.bincount(targets[held_out], minlength=3).tolist() == [3, 3, 0]
    assert sorted([*train, *held_out]) == list(range(20))
    groups = np.repeat(np.arange(5), 4)  # class 0 in groups 0 to 2, class 2 in group 4 alone
    for seed in range(5):
        train, held_out = split_labelled(targets, 0.4, seed, groups)
        assert not set(groups[train]) & set(groups[held_out])
        assert set(targets[train]) == {0, 1, 2}
        assert len(set(groups[held_out])) == 2


def test_clips_of_weight_0_are_left_out_and_positions_are_those_of_x():
    X, y = clips()
    weight = np.repeat([0.0, 1.0], 12)
    y[0] = "nothing"
    model = classifier(validation_fraction=0.25).fit(X, y, weight)
    assert model.classes_.tolist() == NAMES.tolist()
    assert (model.held_out_indices_ >= 12).all()
    assert len(model.held_out_indices_) == 3


def test_a_fit_stops_early_and_keeps_the_weights_of_the_best_epoch():
    X, y = clips()
    model = classifier(max_epochs=60, learning_rate=0.5, n_iter_no_change=2).fit(X, np.roll(y, 1)[::-1])
    assert model.stopped_by_ == "early_stopping"
    assert model.n_iter_ == len(model.loss_curve_) < 60
    assert model.best_epoch_ == np.argmin(model.validation_loss_curve_)


def test_epochs_are_logged_and_scored():
    X, y = clips()
    records, runs, monitor = [], [], ScoringMonitor(scoring="accuracy")
    model = (
        classifier("gru").set_callbacks(EpochLogger(records.append, log_run=runs.append), monitor).fit(X, y)
    )
    assert [record["loss"] for record in records] == model.loss_curve_
    assert [record["validation_loss"] for record in records] == model.validation_loss_curve_
    assert (runs[0]["head"], runs[0]["seed"]) == ("gru", 0)
    assert len([row for row in monitor.get_logs().data if row["task_name"] == "epoch"]) == 3


def test_describe_counts_the_parameters_of_the_fitted_network():
    X, y = clips()
    model = classifier("lstm", n_layers=2, pooling="attention", max_epochs=1).fit(X, y)
    table = model.describe(n_frames=10)
    assert table.parameters == sum(p.numel() for p in model.module_.parameters())
    recurrent = 4 * 4 * (N_FEATURES + 4) + 4 * 4 * (4 + 4)
    assert table.multiply_accumulates == 10 * (recurrent + 2 * 3 * 4)


def test_it_ends_a_pipeline_is_searched_and_gets_groups_by_routing():
    X, y = clips()
    X = np.stack([clip[:, 0] for clip in X])
    pipeline = make_pipeline(StandardScaler(), classifier(max_epochs=1))
    GridSearchCV(pipeline, {"sequenceclassifier__class_weight": [None, "balanced"]}, cv=2).fit(X, y)
    with config_context(enable_metadata_routing=True):
        pipeline[-1].set_fit_request(groups=True)
        pipeline.fit(X, y, groups=np.arange(24) // 6)
    assert len(set(pipeline[-1].held_out_indices_ // 6)) == 1
    assert len(pipeline[-1].held_out_indices_) == 6


def test_a_fitted_network_does_not_depend_on_later_parameters(fitted):
    X, _ = clips()
    changed = copy.deepcopy(fitted).set_params(head="gru", pooling="max", hidden_size=2)
    np.testing.assert_array_equal(copy.deepcopy(changed).predict_proba(X), fitted.predict_proba(X))


def test_batches_hold_every_clip_once_and_at_most_half_of_a_batch_is_padding():
    lengths = np.random.default_rng(0).integers(1, 200, size=300)
    lengths[7] = 10_000
    found = list(batches_of_like_lengths(lengths, 1000))
    assert sorted(np.concatenate(found)) == list(range(300))
    for part in found:
        n_padded = len(part) * lengths[part].max()
        assert len(part) == 1 or n_padded <= min(1000, 2 * lengths[part].sum())


def test_gradients_are_finite_where_clips_are_padded():
    network = PooledClassifier(
        2, 3, head="gru", pooling="attention", hidden_size=2, n_layers=1, multi_label=False
    )
    network(torch.ones(2, 2, 6), torch.tensor([1, 6])).sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())


# Bad input


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"head": "cnn"}, ValueError, "head must be one of 'linear', 'gru', 'lstm', got 'cnn'"),
        ({"pooling": "sum"}, ValueError, "pooling must be one of 'mean', 'max', 'attention', 'last'"),
        ({"pooling": "last"}, ValueError, 'pooling="last" needs a recurrent head'),
        ({"hidden_size": 0}, ValueError, r"hidden_size must lie in \[1, inf\], got 0"),
        ({"n_layers": 1.5}, TypeError, "n_layers must be an integer, got 1.5"),
        ({"class_weight": "auto"}, ValueError, 'class_weight must be None, "balanced" or a dict'),
        ({"class_weight": {"cat": 2.0}}, ValueError, "are not in class_weight"),
        ({"max_epochs": 0}, ValueError, r"max_epochs must lie in \[1, inf\], got 0"),
        ({"batch_size": 0}, ValueError, r"batch_size must lie in \[1, inf\], got 0"),
        ({"learning_rate": 0}, ValueError, r"learning_rate must lie in \(0, inf\), got 0"),
        ({"weight_decay": -1}, ValueError, r"weight_decay must lie in \[0, inf\], got -1"),
        ({"early_stopping": True}, TypeError, 'early_stopping must be "patience", "prechelt", None'),
        ({"validation_fraction": 1}, ValueError, r"validation_fraction must lie in \[0, 1\), got 1"),
        ({"device": "gpu"}, ValueError, 'device must be "auto", "cpu", "cuda"'),
        ({"learning_rate": 1e300}, ValueError, "training diverged"),
    ],
)
def test_a_bad_parameter_is_named_with_its_rule_and_value(settings, error, message):
    with pytest.raises(error, match=message):
        classifier(**settings).fit(*clips())


def changed(y, value, *positions):
    y = y.astype(object)
    y[list(positions)] = value
    return y


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X, None), "requires y to be passed, but the target y is None"),
        (lambda X, y: (X, np.full(24, "dog")), "two classes.*got one class.*score them with a detector"),
        (lambda X, y: (X, changed(y, None, 2, 9)), "2 of 24 clips have no label: 2, 9. Remove these clips"),
        (lambda X, y: (X, changed(y, np.nan, 2)), "1 of 24 clips have no label: 2. Remove these clips"),
        (lambda X, y: (X, pd.Series(changed(y, pd.NA, 2))), "1 of 24 clips have no label: 2"),
        (lambda X, y: (X, list(changed(y, -1, 2))), "y mixes strings with other labels: -1 for clip 2"),
        (lambda X, y: (X, np.where(y == "dog", np.nan, 1.0)), "8 of 24 clips have no label: 0, 3, 6, 9, 12"),
        (lambda X, y: (X, np.linspace(0, 1, 24)), "Unknown label type: continuous"),
        (lambda X, y: (X, np.column_stack([np.arange(24) % 3] * 2)), r"got shape \(24, 2\) with the values"),
        (lambda X, y: (X, several_labels() + 1), r"0 and 1 for every clip and class"),
        (lambda X, y: (X, np.ones((24, 2), int)), "in every column of y all clips have the same value"),
        (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples: y has 23 labels for 24 clips"),
        (
            lambda X, y: ([*X[:3], np.full((5, 4), np.nan), *X[4:]], y),
            "NaN in 1 of 24 rows: 3.*remove such rows",
        ),
        (
            lambda X, y: (LazySequence([*X[:3], np.full((5, 4), np.nan), *X[4:]]), y),
            'NaN in 1 of 24 rows: 3.*on_error="raise"',
        ),
        (lambda X, y: ([*X[:3], X[3][:4], *X[4:]], y), "clip 3 has 4 bins, but SequenceClassifier expects 5"),
        (lambda X, y: (X[:3], y[:3]), "no clip can be held out, because a class would have no clip left"),
        (lambda X, y: ([], []), "0 samples"),
    ],
)
def test_bad_data_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        classifier().fit(*change(*clips()))


def test_groups_that_hold_everything_are_refused_with_the_way_out():
    X, y = clips()
    with pytest.raises(ValueError, match=r"no group can be held out.*1 groups.*validation_fraction=0"):
        classifier().fit(X, y, groups=np.zeros(24))
    assert classifier(validation_fraction=0, max_epochs=1).fit(X, y, groups=np.zeros(24)).n_iter_ == 1


def test_a_label_that_no_clip_has_is_reported():
    X, _ = clips()
    y = several_labels()
    y[:, 1] = 0
    with pytest.warns(UserWarning, match=r"cannot learn the classes \[1\]"):
        classifier(class_weight="balanced").fit(X, y)
    with pytest.raises(ValueError, match=r"class_weight must map numbers of classes, 0 to 2.*\['dog'\]"):
        classifier(class_weight={"dog": 2.0}).fit(X, several_labels())


def test_unreadable_clips_and_other_features_are_refused_in_predictions_too(fitted):
    X, _ = clips()
    X[5] = np.full((5, 4), np.nan)
    for given in (X, LazySequence(X)):
        with pytest.raises(ValueError, match="NaN in 1 of 24 rows: 5"):
            fitted.predict(given)
    with pytest.raises(ValueError, match="has 4 bins, but SequenceClassifier expects 5"):
        fitted.predict([X[0][:4]])
    with pytest.raises(NotFittedError):
        classifier().predict_proba_frames(X)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_trains_and_decides_as_the_cpu_does():
    X, y = clips()
    for head in ("linear", "gru", "lstm"):
        cpu, gpu = (classifier(head, device=device).fit(X, y) for device in ("cpu", "cuda"))
        np.testing.assert_allclose(gpu.predict_proba(X), cpu.predict_proba(X), atol=1e-4)
