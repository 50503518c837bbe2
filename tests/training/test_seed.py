"""Seeds, devices and the split."""

import contextlib
import threading

import numpy as np
import pytest
import torch

from skaudio_ad.networks import DenseAutoencoder, MobileNet, SequenceAutoencoder, dense_vae
from skaudio_ad.training import algorithms, draw_seed, drawing_from, inference, resolve_device, split_normal


def test_the_seed_is_the_first_draw_of_the_random_state():
    expected = np.random.RandomState(5).randint(2**31 - 1)
    assert draw_seed(5) == expected
    state = np.random.RandomState(5)
    assert draw_seed(state) == expected != draw_seed(state)


MODULES = {
    "dense": lambda: DenseAutoencoder(
        6, (5,), 2, activation="selu", batch_norm=True, bottleneck_activation=True
    ),
    "variational": lambda: dense_vae(
        n_features=6, hidden_sizes=(5,), latent_size=2, batch_norm=True, output_activation="identity"
    ),
    "recurrent": lambda: SequenceAutoencoder(3, cell="gru", n_layers=2, hidden_size=4),
    "MobileNet": lambda: MobileNet(0.1),
}


@pytest.mark.parametrize("make", MODULES.values(), ids=list(MODULES))
def test_initial_weights_are_those_of_the_seed_and_the_global_generator_does_not_notice(make):
    before = torch.get_rng_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        expected = make().state_dict()
    with drawing_from(5):
        made = make().state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    for name, value in expected.items():
        assert torch.equal(made[name], value), name


DRAWS = {
    "rand": lambda: torch.rand(4),
    "randint": lambda: torch.randint(100, (4,)),
    "randperm": lambda: torch.randperm(9),
    "bernoulli_": lambda: torch.empty(9).bernoulli_(0.5),
    "multinomial": lambda: torch.ones(9).multinomial(4),
    "trunc_normal_": lambda: torch.nn.init.trunc_normal_(torch.empty(4)),
    "orthogonal_": lambda: torch.nn.init.orthogonal_(torch.empty(3, 3)),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=list(DRAWS))
def test_every_function_of_torch_that_takes_a_generator_draws_from_the_one_that_is_given(draw):
    before = torch.get_rng_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        expected = [draw(), draw()]
    generator = torch.Generator().manual_seed(3)
    with drawing_from(generator):
        first = draw()
    with drawing_from(generator):
        second = draw()
    assert torch.equal(first, expected[0])
    assert torch.equal(second, expected[1])
    assert torch.equal(torch.get_rng_state(), before)


def test_a_generator_that_a_call_names_itself_is_used():
    with drawing_from(0):
        drawn = torch.rand(4, generator=torch.Generator().manual_seed(7))
    assert torch.equal(drawn, torch.rand(4, generator=torch.Generator().manual_seed(7)))


def test_another_thread_goes_on_drawing_from_the_global_generator():
    drawn = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(8)
        expected = torch.rand(4)
        torch.manual_seed(8)
        with drawing_from(5):
            thread = threading.Thread(target=lambda: drawn.append(torch.rand(4)))
            thread.start()
            thread.join()
    assert torch.equal(drawn[0], expected)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("before", [(False, False), (True, False), (True, True)])
def test_deterministic_algorithms_are_used_inside_and_torchs_own_choice_comes_back(before, fails):
    def state():
        warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
        return torch.are_deterministic_algorithms_enabled(), warn_only

    try:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        with contextlib.suppress(RuntimeError), algorithms(deterministic=True):
            assert state() == (True, False)
            if fails:
                raise RuntimeError
        assert state() == before
        with algorithms(deterministic=False):
            assert state() == before
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("block", [inference, lambda: algorithms(False), lambda: algorithms(True)])
@pytest.mark.parametrize("before", [True, False])
def test_networks_run_in_full_precision_inside_and_torchs_own_choice_comes_back(block, before, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", before)
    with contextlib.suppress(RuntimeError), block():
        assert not torch.backends.cudnn.allow_tf32
        with inference():
            pass
        assert not torch.backends.cudnn.allow_tf32
        raise RuntimeError
    assert torch.backends.cudnn.allow_tf32 == before


def test_full_precision_lasts_until_the_last_thread_is_done(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    entered, leave, seen = threading.Event(), threading.Event(), []

    def work():
        with inference():
            entered.set()
            leave.wait(10)
            seen.append(torch.backends.cudnn.allow_tf32)

    with inference():
        thread = threading.Thread(target=work)
        thread.start()
        assert entered.wait(10)
    leave.set()
    thread.join()
    assert seen == [False]
    assert torch.backends.cudnn.allow_tf32


def test_algorithms_stay_deterministic_until_the_last_thread_that_asked_is_done():
    entered, leave, seen = threading.Event(), threading.Event(), []

    def work():
        with algorithms(deterministic=True):
            entered.set()
            leave.wait(10)
            seen.append(torch.are_deterministic_algorithms_enabled())

    with algorithms(deterministic=True):
        thread = threading.Thread(target=work)
        thread.start()
        assert entered.wait(10)
    leave.set()
    thread.join()
    assert seen == [True]
    assert not torch.are_deterministic_algorithms_enabled()


def test_no_random_state_draws_from_numpys_global_generator_as_in_scikit_learn():
    state = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(11)  # noqa: NPY002
        expected = np.random.randint(2**31 - 1)  # noqa: NPY002
        np.random.seed(11)  # noqa: NPY002
        assert draw_seed(None) == expected
    finally:
        np.random.set_state(state)  # noqa: NPY002


def test_auto_is_a_gpu_where_there_is_one():
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("device", ["gpu", "cpu:first", 1.5, None])
def test_an_unknown_device_says_which_there_are(device):
    with pytest.raises(ValueError, match='device must be "auto", "cpu", "cuda" or "cuda:<index>", got'):
        resolve_device(device)


def test_a_gpu_that_is_not_there_says_how_many_are_and_what_to_use():
    count = torch.cuda.device_count()
    with pytest.raises(ValueError, match=rf"torch sees {count} GPUs here; use device=\"auto\""):
        resolve_device(f"cuda:{count}")


@pytest.mark.parametrize(
    ("n_clips", "fraction", "n_held_out"),
    [
        (100, 0.15, 15),
        (10, 0.1, 1),
        (10, 0.01, 1),
        (3, 0.99, 2),
        (2, 0.15, 1),
        (7, 0.5, 4),
        (5, 0.0, 0),
        (1, 0.0, 0),
    ],
)
def test_the_split_holds_out_the_fraction_but_leaves_one_clip_on_either_side(n_clips, fraction, n_held_out):
    train, held_out = split_normal(n_clips, fraction, seed=0)
    assert len(held_out) == n_held_out
    assert sorted([*train, *held_out]) == list(range(n_clips))
    assert (np.diff(train) > 0).all()
    assert (np.diff(held_out) > 0).all()


@pytest.mark.parametrize(("fraction", "n_held_out"), [(0.15, 2), (0.5, 6), (0.01, 1), (0.99, 11), (0.0, 0)])
def test_the_split_by_groups_holds_out_whole_groups(fraction, n_held_out):
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(12), np.arange(1, 13)))
    train, held_out = split_normal(len(groups), fraction, 0, groups)
    assert len(np.unique(groups[held_out])) == n_held_out
    assert not set(groups[train]) & set(groups[held_out])
    np.testing.assert_array_equal(np.sort(np.append(train, held_out)), np.arange(len(groups)))
    assert (np.diff(train) > 0).all()
    assert (np.diff(held_out) > 0).all()


def test_a_single_group_cannot_be_split():
    with pytest.raises(ValueError, match=r"at least 2 groups are needed.*all 5 clips belong to one group"):
        split_normal(5, 0.2, 0, np.zeros(5))


def test_the_split_follows_its_seed_and_not_the_order_of_the_clips():
    splits = [tuple(split_normal(50, 0.2, seed)[1]) for seed in (0, 0, 1, 2)]
    assert splits[0] == splits[1]
    assert len(set(splits)) == 3
    # Every clip has the same probability: 400 splits hold out each of 20 clips about 80 times (sigma 8).
    counts = np.bincount(
        np.concatenate([split_normal(20, 0.2, seed)[1] for seed in range(400)]), minlength=20
    )
    assert abs(counts - 80).max() < 40


def test_a_single_clip_cannot_be_split_and_the_error_says_what_to_do():
    with pytest.raises(ValueError, match=r"at least 2 clips.*got n_samples=1.*validation_fraction=0"):
        split_normal(1, 0.15, seed=0)


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 2, "half"])
def test_a_fraction_out_of_range_is_named(fraction):
    with pytest.raises((ValueError, TypeError), match=r"^validation_fraction must"):
        split_normal(10, fraction, seed=0)
