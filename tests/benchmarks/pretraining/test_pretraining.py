"""The recipe of the packaged weights: sounds from a seed, and a training that goes on after an interruption."""

import csv

import numpy as np
import pytest
import torch

from benchmarks.pretraining import distill, sounds
from benchmarks.pretraining.recording import SHARES, SoundGenerator
from skaudio_ad.datasets._physics import bearing_orders
from skaudio_ad.networks import MobileNet

N_SAMPLES = 16_000


@pytest.fixture
def draw():
    return sounds.Draw(torch.Generator().manual_seed(0), N_SAMPLES)


@pytest.mark.parametrize("name", [name for name in SHARES if name != "textures"])
def test_a_source_is_finite_and_has_a_level_of_one(draw, name):
    made = getattr(sounds, name)(draw, 6)
    assert made.shape == (6, N_SAMPLES)
    assert made.dtype == torch.float32
    levels = made.square().mean(1).sqrt()
    heard = levels > 0  # no slow impact need fall into half a second
    assert heard.sum() >= 3
    np.testing.assert_allclose(levels[heard], 1, atol=0.1)
    assert (made[0] - made[1]).abs().max() > 0.1


def test_the_same_seed_gives_the_same_recordings_within_full_scale():
    first, second, other = (SoundGenerator(0.5, pool_size=64, seed=seed).batch(8) for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert first.shape == (8, N_SAMPLES)
    assert first.abs().max() <= 1
    levels = 20 * first.square().mean(1).sqrt().log10()
    assert ((levels > -51) & (levels < -5)).all()


def test_a_damaged_bearing_rings_at_its_defect_order():
    # 9 elements of a fifth of the pitch diameter: the rule of thumb 0.4 times the number of elements
    outer, inner, element = bearing_orders(9, 0.2)
    assert (outer, inner, element) == pytest.approx((3.6, 5.4, 2.4))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("teacher") / "teacher.pt"
    torch.save(MobileNet(0.4).state_dict(), path)
    return path


def make_training(teacher, monkeypatch):
    made = SoundGenerator(0.5, pool_size=64, seed=0)
    monkeypatch.setattr(distill, "SoundGenerator", lambda **settings: made)
    return distill.Distillation(
        teacher, start=None, n_clips=16, batch_size=4, learning_rate=1e-3, seed=0, device="cpu"
    )


def test_a_training_goes_on_from_its_checkpoint(teacher, monkeypatch, tmp_path):
    monkeypatch.setattr(distill, "_FROZEN_STEPS", 1)
    training = make_training(teacher, monkeypatch)
    training.n_steps = 2
    distill.run(training, tmp_path / "mini.pt", log_steps=1)

    again = make_training(teacher, monkeypatch)
    distill.run(again, tmp_path / "mini.pt", log_steps=1)
    assert again.step == 4
    with (tmp_path / "mini.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4]
    assert all(float(row["grid"]) > 0 for row in rows)

    student = MobileNet(0.4)
    distill.load_features(student, tmp_path / "mini.pt")
    kept = torch.load(tmp_path / "mini.pt", weights_only=True)["student"]
    assert all(torch.equal(value, kept[name]) for name, value in student.features.state_dict().items())


def test_the_first_steps_do_not_change_the_student(teacher, monkeypatch):
    training = make_training(teacher, monkeypatch)
    before = {name: value.clone() for name, value in training.student.features.named_parameters()}
    projection = training.projections[0].weight.clone()
    training.train_step()
    assert all(
        torch.equal(value, before[name]) for name, value in training.student.features.named_parameters()
    )
    assert not torch.equal(projection, training.projections[0].weight)
