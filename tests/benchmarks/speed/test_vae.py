"""Tests that the contenders of the variational autoencoder's benchmark do the same work."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import _autoencoders
from benchmarks.speed import vae
from skaudio_ad.detectors import VAEDetector
from skaudio_ad.training import drawing_from, fit_module

SETTINGS = {"epochs": 1, "batch_size": 128, "seed": 0}
# The import of PyOD warns, and the posterior collapses after a short training.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def detector():
    return VAEDetector(filters=(4, 3), strides=(2, 1), latent_size=5, max_epochs=1, device="cpu")


@pytest.fixture
def X():
    return np.random.default_rng(0).random((12, vae.N_BINS, 20), dtype=np.float32)


def test_the_bare_loop_ends_at_the_weights_of_fit_module(detector, X):
    weights = {"reconstruction_weight": 1e3, "kl_weight": 2.0}
    settings = {"seed": 5, "batch_size": 4, "learning_rate": 1e-3, "weight_decay": 1e-2}
    data = torch.from_numpy(X)
    # Statistics of batch normalisation are computed after every epoch, and that draws noise too.
    detector.set_params(batch_norm=False)
    bare, ours = vae.make_network(detector, 20), vae.make_network(detector, 20)
    with drawing_from(1):
        _autoencoders.bare_loop(
            bare, data, loss=lambda *args: vae.vae_loss(*args, **weights), epochs=2, **settings
        )
    with drawing_from(1):
        history = fit_module(ours, data, detector.set_params(**weights)._loss, max_epochs=2, **settings)
    assert history.best_epoch == 1  # or fit_module would rightly end at other weights
    for name, value in bare.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)


def test_the_network_is_the_network_of_the_detector(detector, X):
    detector.set_params(validation_fraction=0).fit(X)
    shapes = [
        [parameter.shape for parameter in module.parameters()]
        for module in (detector.module_, vae.make_network(detector, 20))
    ]
    assert shapes[0] == shapes[1]


def test_pyod_and_ours_have_the_same_layers():
    pytest.importorskip("pyod")
    X, _ = _autoencoders.make_rows(300, 0, seed=0)
    pyod = _autoencoders.pyod_vae(kl_weight=0.5, **SETTINGS).fit(X)
    ours = _autoencoders.our_vae(kl_weight=0.5, **SETTINGS).fit(X)
    shapes = [[parameter.shape for parameter in module.parameters()] for module in (ours.module_, pyod.model)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("kl_weight", [0.0, 0.5])
def test_pyod_and_ours_minimise_the_same_loss(kl_weight):
    pytest.importorskip("pyod")
    from pyod.models.vae import vae_loss

    pyod = _autoencoders.pyod_vae(kl_weight=kl_weight, **SETTINGS)
    batch, output, mean, log_variance = torch.randn(
        4, 7, 3, generator=torch.Generator().manual_seed(0)
    ).unbind()
    theirs = vae_loss(batch, output, mean, log_variance, beta=pyod.beta, capacity=pyod.capacity)
    ours = vae.vae_loss(
        lambda _: (output, mean, log_variance), batch, reconstruction_weight=1, kl_weight=kl_weight
    )
    torch.testing.assert_close(theirs, ours)


def test_by_default_the_loss_of_pyod_ignores_the_posterior():
    pytest.importorskip("pyod")
    from pyod.models.vae import VAE, vae_loss

    batch, output, mean, log_variance = torch.randn(
        4, 7, 3, generator=torch.Generator().manual_seed(0)
    ).unbind()
    mean.requires_grad_(), log_variance.requires_grad_()
    default = VAE(verbose=0)
    vae_loss(batch, output, mean, log_variance, beta=default.beta, capacity=default.capacity).backward()
    assert not mean.grad.any()
    assert not log_variance.grad.any()


def test_the_setting_torch_gives_the_initial_weights_of_torch_s_layers():
    pytest.importorskip("pyod")
    X, _ = _autoencoders.make_rows(200, 0, seed=0)
    bounds = {}
    for initial_weights in ("pyod", "torch"):
        detector = _autoencoders.pyod_vae(kl_weight=0.5, **SETTINGS, initial_weights=initial_weights)
        detector.feature_size = X.shape[1]
        detector.build_model()
        bounds[initial_weights] = detector.model.encoder[0].linear.weight.abs().max().item()
    # The distributions are uniform within sqrt(6 / n_in) and within sqrt(1 / n_in).
    assert bounds["pyod"] == pytest.approx(np.sqrt(6 / 640), rel=0.01)
    assert bounds["torch"] == pytest.approx(np.sqrt(1 / 640), rel=0.01)


def test_the_report_shows_the_copy_that_fit_makes_of_a_list(tmp_path):
    pytest.importorskip("pyod")
    sizes = {"clips": 3, "system-b-clips": 1, "frames": 64, "memory-clips": 1000, "repeats": 1}
    sizes |= {"pyod-rows": 600, "pyod-epochs": 1, "output": tmp_path}
    vae.main([f"--{name}={value}" for name, value in sizes.items()])
    rows = {}
    for table in ("seconds_per_epoch", "peak_memory_of_fit", "variational_autoencoders_on_600_rows_1_epochs"):
        with open(tmp_path / f"vae-{table}.csv", newline="") as file:
            rows[table] = list(csv.DictReader(file))
    assert [row["clips"] for row in rows["seconds_per_epoch"]] == ["3", "3", "1", "1"]
    kinds = {row["X"]: row for row in rows["peak_memory_of_fit"]}
    assert float(kinds["list"]["spectrograms, MB"]) == pytest.approx(1000 * 128 * 64 * 4 / 1e6, abs=0.1)
    if Path("/proc/self/clear_refs").exists():
        growth = {kind: float(row["growth relative to spectrograms"]) for kind, row in kinds.items()}
        assert growth["list"] - growth["array"] == pytest.approx(1, abs=0.25)
    by_contender = [
        row["contender"]
        for row in rows["variational_autoencoders_on_600_rows_1_epochs"]
        if row["AUC, reconstruction"]
    ]
    assert by_contender == ["PyOD", "skaudio_ad"] * 3
