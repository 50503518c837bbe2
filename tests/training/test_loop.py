"""The training loop against a bare one of torch, written out here."""

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn

from skaudio_ad import AutoencoderDetector
from skaudio_ad.networks import DenseAutoencoder
from skaudio_ad.training import _loop, fit_module

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def mean_squared_error(module, batch):
    return nn.functional.mse_loss(module(batch), batch)


def autoencoder(n_features=6, *, batch_norm=False):
    torch_state = torch.get_rng_state()
    torch.manual_seed(3)
    module = DenseAutoencoder(
        n_features, (5,), 2, activation="relu", batch_norm=batch_norm, bottleneck_activation=False
    )
    torch.set_rng_state(torch_state)
    return module


def noise(n_rows, n_features=6, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n_rows, n_features)).astype(np.float32))


def bare_loop(module, X, *, seed, batch_size, n_epochs, learning_rate, weight_decay=0.0):
    """Adam on shuffled batches: the loss of every epoch, and the weights after it."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(module.parameters(), lr=learning_rate, weight_decay=weight_decay)
    losses, weights = [], []
    for _ in range(n_epochs):
        module.train()
        squares = 0.0
        for batch in X[torch.randperm(len(X), generator=generator)].split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(module(batch), batch)
            loss.backward()
            optimizer.step()
            squares += loss.item() * len(batch)
        losses.append(squares / len(X))
        weights.append(copy.deepcopy(module.state_dict()))
    return losses, weights


def assert_same_weights(module, expected, **tolerance):
    state = module.state_dict()
    assert {name for name, _ in module.named_parameters()} <= expected.keys() <= state.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(state[name].numpy(), value.numpy(), err_msg=name, **tolerance)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_losses_and_weights_are_those_of_a_bare_torch_loop(weight_decay, batch_norm):
    X = noise(42)
    settings = {"seed": 7, "batch_size": 16, "learning_rate": 3e-3, "weight_decay": weight_decay}
    losses, weights = bare_loop(autoencoder(batch_norm=batch_norm), X, n_epochs=4, **settings)
    module = autoencoder(batch_norm=batch_norm)
    history = fit_module(module, X, mean_squared_error, max_epochs=4, **settings)
    assert losses[-1] == min(losses)
    np.testing.assert_allclose(history.loss_curve, losses, rtol=1e-5)
    # The statistics of batch normalisation differ from those of a bare loop. Tests below check these statistics.
    learnt = {name: value for name, value in weights[-1].items() if not name.endswith(STATISTICS)}
    assert_same_weights(module, learnt, rtol=1e-4, atol=1e-6)
    assert (history.best_epoch, history.stopped_by) == (3, "max_epochs")
    assert history.validation_loss_curve == []


def test_weight_decay_makes_the_weights_smaller():
    norms = []
    for weight_decay in (0.0, 1.0):
        module = autoencoder()
        fit_module(
            module,
            noise(64),
            mean_squared_error,
            seed=0,
            max_epochs=30,
            learning_rate=1e-2,
            weight_decay=weight_decay,
        )
        norms.append(sum(p.square().sum().item() for p in module.parameters()))
    assert norms[1] < 0.5 * norms[0]


class Slope(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(()))


def distance_from_line(module, batch):
    return ((module.w * batch[:, 0] - batch[:, 1]) ** 2).mean()


def test_the_weights_of_the_best_epoch_come_back_when_later_ones_are_worse():
    # The training data have a slope of 2 and the validation data a slope of 1, so the held-out loss falls and then
    # rises.
    x = torch.linspace(0.5, 1.5, 8)
    data = torch.cat([torch.stack([x, 2 * x], dim=1), torch.stack([x, x], dim=1)])
    w, optimizer_path = torch.zeros((), requires_grad=True), []
    optimizer = torch.optim.Adam([w], lr=0.3)
    for _ in range(8):
        optimizer.zero_grad()
        ((w * x - 2 * x) ** 2).mean().backward()
        optimizer.step()
        optimizer_path.append(w.item())
    held_out = [(w - 1) ** 2 * (x**2).mean().item() for w in optimizer_path]
    best = int(np.argmin(held_out))
    assert 0 < best < 7
    module = Slope()
    history = fit_module(
        module,
        data,
        distance_from_line,
        seed=0,
        rows=np.arange(8),
        validation_rows=np.arange(8, 16),
        max_epochs=8,
        learning_rate=0.3,
    )
    np.testing.assert_allclose(history.validation_loss_curve, held_out, rtol=1e-4)
    assert history.best_epoch == best
    assert module.w.item() == pytest.approx(optimizer_path[best], rel=1e-5)
    assert module.w.item() != pytest.approx(optimizer_path[-1], rel=0.1)


def test_overlapping_windows_train_the_same_as_their_copies():
    frames = noise(60, 3)
    windows = frames.as_strided((58, 9), (3, 1))
    copies = torch.from_numpy(np.stack([frames[i : i + 3].numpy().ravel() for i in range(58)]))
    histories, modules = [], []
    for data in (windows, copies):
        module = autoencoder(9, batch_norm=True)
        histories.append(fit_module(module, data, mean_squared_error, seed=1, max_epochs=3, batch_size=8))
        modules.append(module)
    assert histories[0].loss_curve == histories[1].loss_curve
    assert_same_weights(modules[0], modules[1].state_dict(), rtol=0)


@pytest.mark.parametrize(
    ("n_rows", "sizes"), [(9, [4, 5]), (10, [4, 4, 2]), (8, [4, 4]), (3, [3]), (5, [5]), (4, [4])]
)
def test_a_last_batch_of_one_row_joins_the_one_before(n_rows, sizes):
    seen = []

    def spy(module, batch):
        if torch.is_grad_enabled():
            seen.append(len(batch))
        return mean_squared_error(module, batch)

    history = fit_module(autoencoder(batch_norm=True), noise(n_rows), spy, seed=0, max_epochs=1, batch_size=4)
    assert seen == sizes
    assert np.isfinite(history.loss_curve).all()


def test_every_training_row_is_trained_on_once_an_epoch_and_no_validation_row_ever():
    X = torch.arange(20.0).reshape(20, 1).repeat(1, 6)
    held_out = np.array([1, 5, 6, 19])
    trained, evaluated = [], []

    def spy(module, batch):
        assert module.training == torch.is_grad_enabled()
        (trained if torch.is_grad_enabled() else evaluated).extend(batch[:, 0].tolist())
        return mean_squared_error(module, batch)

    rows = np.setdiff1d(np.arange(20), held_out)
    fit_module(autoencoder(), X, spy, seed=0, rows=rows, validation_rows=held_out, max_epochs=2, batch_size=5)
    for epoch in (trained[:16], trained[16:]):
        assert sorted(epoch) == rows.tolist()
    assert trained[:16] != trained[16:]
    assert evaluated == held_out.tolist() * 2


def test_what_the_validation_rows_hold_does_not_change_the_weights():
    weights = []
    for poison in (1.0, 1e4):
        X = noise(30)
        X[20:] *= poison
        module = autoencoder(batch_norm=True)
        history = fit_module(
            module,
            X,
            mean_squared_error,
            seed=0,
            rows=np.arange(20),
            validation_rows=np.arange(20, 30),
            max_epochs=1,
            batch_size=8,
        )
        weights.append((module.state_dict(), history))
    assert_same_weights(module, weights[0][0], rtol=0)
    assert weights[1][1].validation_loss_curve[0] > 1e6 * weights[0][1].validation_loss_curve[0]


def test_the_validation_loss_is_the_mean_over_all_rows_however_many():
    X = noise(5008, 2)
    module = autoencoder(2)
    history = fit_module(
        module,
        X,
        mean_squared_error,
        seed=0,
        rows=np.arange(8),
        validation_rows=np.arange(8, 5008),
        max_epochs=1,
    )
    with torch.no_grad():
        squares = (module(X[8:]) - X[8:]).numpy() ** 2
    assert history.validation_loss_curve == [pytest.approx(squares.mean(dtype=np.float64), rel=1e-5)]


def test_one_batch_can_be_learnt_by_heart():
    # Three points lie in a plane, so a bottleneck of two values holds the points exactly.
    X = noise(3, 3)
    module = autoencoder(3)
    history = fit_module(module, X, mean_squared_error, seed=0, max_epochs=600, learning_rate=1e-2)
    assert history.loss_curve[-1] < 1e-2 * history.loss_curve[0]
    assert not module.training


@pytest.mark.parametrize("cause", ["learning_rate", "data"])
def test_a_training_that_diverges_says_when_and_what_to_do(cause):
    X = noise(16)
    if cause == "data":
        X[3, 2] = torch.inf
    rate = 1e30 if cause == "learning_rate" else 1e-3
    with pytest.raises(
        ValueError, match=r"loss of epoch \d+ is (nan|inf)\. Lower learning_rate, or scale the feat"
    ):
        fit_module(autoencoder(), X, mean_squared_error, seed=0, max_epochs=20, learning_rate=rate)


class StopAt:
    """A stopping criterion, and a callback, that has enough after some epochs."""

    def __init__(self, n_epochs):
        self.n_epochs, self.monitored, self.begun, self.ended = n_epochs, [], 0, 0

    def update(self, loss, monitored):
        self.monitored.append((loss, monitored))
        return len(self.monitored) == self.n_epochs

    def begin(self):
        self.begun += 1

    def end(self, module, history):
        assert not module.training
        self.ended += 1
        return self.ended == self.n_epochs


def test_a_criterion_hears_the_held_out_loss_and_ends_the_training():
    stopping = StopAt(3)
    history = fit_module(
        autoencoder(),
        noise(12),
        mean_squared_error,
        seed=0,
        rows=np.arange(8),
        validation_rows=np.arange(8, 12),
        stopping=stopping,
    )
    assert stopping.monitored == list(zip(history.loss_curve, history.validation_loss_curve))
    assert (len(history.loss_curve), history.stopped_by) == (3, "early_stopping")


class Watch:
    """A callback that notes, after every epoch, the loss of some rows in evaluation mode and in training mode."""

    def __init__(self, rows):
        self.rows, self.evaluated, self.trained = rows, [], []

    def begin(self):
        pass

    def end(self, module, history):
        with torch.no_grad():
            self.evaluated.append(mean_squared_error(module, self.rows).item())
            self.trained.append(mean_squared_error(copy.deepcopy(module).train(), self.rows).item())


def test_a_criterion_hears_the_training_rows_loss_after_the_epoch_where_nothing_is_held_out():
    stopping, X = StopAt(2), noise(12)
    watch = Watch(X)
    history = fit_module(
        autoencoder(),
        X,
        mean_squared_error,
        seed=0,
        validation_rows=np.arange(0),
        stopping=stopping,
        epochs=watch,
    )
    np.testing.assert_allclose(stopping.monitored, list(zip(history.loss_curve, watch.evaluated)), rtol=1e-6)


def test_without_held_out_rows_the_kept_weights_are_those_with_the_lowest_loss():
    # Such long steps overshoot. The loss of an epoch belongs to the weights before the only step of the epoch.
    X = noise(12)
    module, watch = autoencoder(), Watch(X)
    history = fit_module(module, X, mean_squared_error, seed=0, max_epochs=6, learning_rate=0.5, epochs=watch)
    best = int(np.argmin(watch.evaluated))
    assert best != int(np.argmin(history.loss_curve))
    assert history.best_epoch == best
    assert mean_squared_error(module, X).item() == pytest.approx(watch.evaluated[best], rel=1e-6)


@pytest.mark.parametrize("batch_size", [8, 256])
@pytest.mark.parametrize("held_out", [0, 10])
def test_the_statistics_of_batch_normalisation_are_those_of_the_training_rows(batch_size, held_out):
    X = noise(50 + held_out)
    module, watch = autoencoder(batch_norm=True), Watch(X[:50])
    fit_module(
        module,
        X,
        mean_squared_error,
        seed=0,
        rows=np.arange(50),
        validation_rows=np.arange(50, 50 + held_out),
        max_epochs=5,
        batch_size=batch_size,
        learning_rate=0.1,
        epochs=watch,
    )
    np.testing.assert_allclose(watch.evaluated, watch.trained, rtol=1e-5)
    linear, norm = module.encoder[:2]
    entering = linear(X[:50]).detach()
    np.testing.assert_allclose(norm.running_mean, entering.mean(0), atol=1e-6)
    np.testing.assert_allclose(norm.running_var, entering.var(0, correction=0), rtol=1e-5)
    assert norm.momentum == 0.01


def test_an_epoch_takes_statistics_from_a_bounded_sample_and_the_end_from_all_rows(monkeypatch):
    monkeypatch.setattr(_loop, "_SAMPLE_ROWS", 40)
    monkeypatch.setattr(_loop, "_EVALUATION_VALUES", 6 * 15)
    X, passes = noise(400), []

    def spy(module, batch):
        if not torch.is_grad_enabled():
            passes.append((module.training, len(batch)))
        return mean_squared_error(module, batch)

    module = autoencoder(batch_norm=True)
    fit_module(module, X, spy, seed=0, max_epochs=1, batch_size=50)
    # The statistics use parts of nearly one size. The loss uses parts of the maximum size. At the end all rows pass.
    sample, last = passes[:6], passes[6:]
    assert sample == [(True, 14), (True, 13), (True, 13), (False, 15), (False, 15), (False, 10)]
    assert len(last) == 27
    assert set(last) == {(True, 14), (True, 15)}
    assert sum(n_rows for _, n_rows in last) == 400
    entering = module.encoder[0](X).detach()
    np.testing.assert_allclose(module.encoder[1].running_mean, entering.mean(0), atol=0.02)
    np.testing.assert_allclose(module.encoder[1].running_var, entering.var(0), rtol=0.05)
    assert not module.training


def test_a_callback_hears_of_every_epoch_and_may_end_the_training():
    epochs = StopAt(4)
    history = fit_module(autoencoder(), noise(12), mean_squared_error, seed=0, epochs=epochs)
    assert (epochs.begun, epochs.ended, len(history.loss_curve)) == (4, 4, 4)
    assert history.stopped_by == "callback"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("weight_decay", -0.1),
        ("max_epochs", 1.5),
    ],
)
def test_a_parameter_out_of_range_is_named(name, value):
    with pytest.raises((ValueError, TypeError), match=f"^{name} must"):
        fit_module(autoencoder(), noise(8), mean_squared_error, seed=0, **{name: value})


def test_training_leaves_the_global_generators_as_they_were():
    def states():
        numpy_state = np.random.get_state()  # noqa: NPY002
        return (
            torch.get_rng_state().numpy().tolist(),
            numpy_state[1].tolist(),
            numpy_state[2],
            random.getstate(),
        )

    before = states()
    fit_module(autoencoder(), noise(8), mean_squared_error, seed=0, max_epochs=2)
    detector = AutoencoderDetector(hidden_sizes=(4,), bottleneck_size=2, max_epochs=2, random_state=0)
    detector.fit(noise(30).numpy()).score_samples(noise(5).numpy())
    assert states() == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("shape", [(60, 12), (20, 12, 30)], ids=["features", "spectrograms"])
def test_a_gpu_trains_and_scores_as_the_cpu_does(shape):
    X = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    settings = {"hidden_sizes": (32,), "bottleneck_size": 4, "max_epochs": 20, "random_state": 0}
    cpu = AutoencoderDetector(**settings, device="cpu").fit(X)
    gpu = AutoencoderDetector(**settings, device="cuda").fit(X)
    assert next(gpu.module_.parameters()).is_cuda
    np.testing.assert_allclose(gpu.loss_curve_, cpu.loss_curve_, rtol=1e-4)
    np.testing.assert_allclose(gpu.validation_loss_curve_, cpu.validation_loss_curve_, rtol=1e-4)
    np.testing.assert_allclose(gpu.score_samples(X), cpu.score_samples(X), rtol=1e-4)
    moved = copy.deepcopy(gpu).set_params(device="cpu")
    assert not next(moved.module_.parameters()).is_cuda
    np.testing.assert_allclose(moved.score_samples(X), gpu.score_samples(X), rtol=1e-4)


class TwoLayers(nn.Module):
    """A frozen layer, a batch normalisation that stays in evaluation mode, and two layers to train."""

    def __init__(self):
        super().__init__()
        self.frozen, self.norm = nn.Linear(6, 6), nn.BatchNorm1d(6)
        self.slow, self.fast = nn.Linear(6, 6), nn.Linear(6, 6)
        self.frozen.requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.norm.eval()
        return self

    def forward(self, x):
        return self.fast(self.slow(self.norm(self.frozen(x))))


def two_layers():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TwoLayers()


def test_frozen_parameters_and_statistics_stay_and_every_layer_has_its_learning_rate():
    module, expected, X = two_layers(), two_layers().train(), noise(8)
    expected.norm.running_mean.fill_(0.3)
    module.norm.running_mean.fill_(0.3)
    before = copy.deepcopy(module.state_dict())
    rates = {"fast": 1e-2, "slow": 1e-3, "norm": 1e-4}
    optimizer = torch.optim.Adam(
        [{"params": getattr(expected, name).parameters(), "lr": rate} for name, rate in rates.items()]
    )
    mean_squared_error(expected, X).backward()
    optimizer.step()
    fit_module(
        module,
        X,
        mean_squared_error,
        seed=0,
        max_epochs=1,
        learning_rates=lambda name: rates[name.partition(".")[0]],
        evaluation_batch_size=3,
    )
    assert_same_weights(module, expected.state_dict(), rtol=1e-5, atol=1e-7)
    for name, value in module.state_dict().items():
        if name.startswith("frozen") or name.endswith(STATISTICS):
            assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("keep_best", [True, False])
@pytest.mark.parametrize("end", ["diverged", "interrupted"])
def test_a_training_that_fails_after_an_epoch_keeps_its_best_weights_if_asked_to(end, keep_best):
    n_calls = []

    def loss(module, batch):
        n_calls.append(len(batch))
        if len(n_calls) > 4:  # two epochs of one batch, each with an evaluation
            if end == "interrupted":
                raise KeyboardInterrupt
            return mean_squared_error(module, batch) * np.nan
        return mean_squared_error(module, batch)

    module, whole, best = autoencoder(), autoencoder(), []
    settings = {"seed": 0, "learning_rate": 1e-3}
    history = fit_module(whole, noise(8), mean_squared_error, max_epochs=2, **settings)
    if not keep_best:
        with pytest.raises(KeyboardInterrupt if end == "interrupted" else ValueError):
            fit_module(module, noise(8), loss, max_epochs=9, **settings)
        return
    broken = fit_module(
        module,
        noise(8),
        loss,
        max_epochs=9,
        keep_best=True,
        on_best=lambda module, history: best.append(history.best_epoch),
        **settings,
    )
    assert broken.stopped_by == end
    assert (broken.loss_curve, broken.best_epoch) == (history.loss_curve, history.best_epoch)
    assert best == [0, 1]
    assert_same_weights(module, whole.state_dict(), rtol=0, atol=0)
