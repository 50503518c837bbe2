"""Networks in memory: loaded once, with the weights that they should have."""

import hashlib
import os

import numpy as np
import pytest
import torch

import skaudio_ad.embeddings._networks as networks
from skaudio_ad.embeddings import Backbone, WeightsError
from skaudio_ad.embeddings._networks import load_backbone
from skaudio_ad.networks import AudioSetFrontEnd, MobileNet, PaSST

MINE = Backbone(name="mine", filename="mine.pt", family="mobilenet", width=0.1, embedding_size=96)
WAVES = np.random.default_rng(0).normal(scale=0.1, size=(3, 16000)).astype(np.float32)


@pytest.fixture(autouse=True)
def nothing_loaded():
    networks._build.cache_clear()
    yield
    networks._build.cache_clear()


@pytest.fixture
def save(tmp_path):
    """Function that writes a state dict and returns the path."""

    def save(network, name="mine.pt"):
        torch.save(network.state_dict(), tmp_path / name)
        return tmp_path / name

    return save


@pytest.fixture
def n_reads(monkeypatch):
    """List that grows by the path of every file of weights that is read."""
    reads = []
    read = networks.load_state_dict
    monkeypatch.setattr(
        networks, "load_state_dict", lambda backbone, *, path: reads.append(path) or read(backbone, path=path)
    )
    return reads


def test_a_file_gives_the_network_that_was_saved(save):
    network = MobileNet(0.1).eval()
    path = save(network)
    loaded = load_backbone(MINE, path, device="cpu")
    with torch.no_grad():
        expected = network(AudioSetFrontEnd()(torch.from_numpy(WAVES)), ("clip",))["clip"].numpy()
    np.testing.assert_allclose(
        loaded.embed(WAVES, "clip", "float32"), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max()
    )
    assert loaded.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not loaded.network.classifier.training  # it has a dropout
    assert not any(parameter.requires_grad for parameter in loaded.network.parameters())


def test_a_file_is_read_once_a_process_whatever_asks_for_it(save, n_reads):
    path = save(MobileNet(0.1))
    first = load_backbone(MINE, path, device="cpu")
    # A copy of the backbone, a string instead of a path, another seed that says nothing: the same network.
    again = Backbone(name="mine", filename="mine.pt", family="mobilenet", width=0.1, embedding_size=96)
    assert load_backbone(again, str(path), device="cpu", expected_digest=first.digest) is first
    assert (
        load_backbone(MINE, path.parent, device="auto" if not torch.cuda.is_available() else "cpu") is first
    )
    assert n_reads == [str(path)]


def test_a_file_that_changed_is_read_again(save, n_reads):
    path = save(MobileNet(0.1))
    first = load_backbone(MINE, path, device="cpu")
    time = path.stat().st_mtime_ns
    save(MobileNet(0.1))
    os.utime(path, ns=(time, time + 1_000_000_000))
    second = load_backbone(MINE, path, device="cpu")
    assert len(n_reads) == 2
    assert second.digest != first.digest
    assert not np.allclose(second.embed(WAVES, "clip", "float32"), first.embed(WAVES, "clip", "float32"))


def test_only_the_last_few_networks_stay_in_memory():
    first = load_backbone(MINE, None, device="cpu", random_state=0)
    for seed in (1, 2):
        load_backbone(MINE, None, device="cpu", random_state=seed)
    assert load_backbone(MINE, None, device="cpu", random_state=0) is not first


@pytest.mark.parametrize(
    "backbone",
    [MINE, Backbone(name="p", filename="p.pt", family="passt", stride=16, depth=1, embedding_size=768)],
    ids=["mobilenet", "passt"],
)
def test_random_weights_repeat_with_their_seed_and_leave_the_global_generator_alone(backbone):
    before = torch.get_rng_state()

    def embed(seed):
        networks._build.cache_clear()
        loaded = load_backbone(backbone, None, device="cpu", random_state=seed)
        assert loaded.digest is None
        return loaded.embed(WAVES, "clip", "float32")

    np.testing.assert_array_equal(embed(0), embed(0))
    assert np.abs(embed(0) - embed(1)).max() > 1e-2
    assert torch.equal(torch.get_rng_state(), before)


def test_a_file_leaves_the_global_generator_alone(save):
    path = save(MobileNet(0.1))
    before = torch.get_rng_state()
    load_backbone(MINE, path, device="cpu")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "other", [MobileNet(0.4), PaSST(depth=1), torch.nn.Linear(2, 2), torch.nn.Sequential(MobileNet(0.1))]
)
def test_weights_of_another_network_are_refused_by_the_names_of_file_and_backbone(save, other):
    path = save(other)
    with pytest.raises(WeightsError, match=rf"{path}: no weights of mine\. .*state_dict"):
        load_backbone(MINE, path, device="cpu")


def test_weights_that_lack_a_tensor_are_refused_by_its_name(tmp_path):
    state = MobileNet(0.1).state_dict()
    del state["classifier.5.bias"]
    torch.save(state, tmp_path / "mine.pt")
    with pytest.raises(WeightsError, match=r"(?s)mine\.pt: no weights of mine.*classifier\.5\.bias"):
        load_backbone(MINE, tmp_path, device="cpu")


def test_weights_other_than_in_fit_are_refused_with_both_checksums(save):
    path = save(MobileNet(0.1))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(WeightsError, match=rf"{path}: .*{digest}.* in fit \({'0' * 64}\).* or fit again"):
        load_backbone(MINE, path, device="cpu", expected_digest="0" * 64)


@pytest.mark.parametrize("device", ["tpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_before_anything_is_read(device, n_reads, save):
    with pytest.raises(ValueError, match="device"):
        load_backbone(MINE, save(MobileNet(0.1)), device=device)
    assert n_reads == []


@pytest.mark.parametrize(
    ("backbone", "outputs"),
    [
        (MINE, MobileNet.outputs),
        (
            Backbone(name="p", filename="p.pt", family="passt", stride=10, depth=2, embedding_size=768),
            PaSST.outputs,
        ),
    ],
    ids=["mobilenet", "passt"],
)
def test_bfloat16_gives_about_the_numbers_of_float32_and_leaves_the_waveforms_alone(backbone, outputs):
    loaded = load_backbone(backbone, None, device="cpu", random_state=0)
    waves = WAVES.copy()
    for output in outputs:
        exact, rough = (loaded.embed(waves, output, precision) for precision in ("float32", "bfloat16"))
        assert exact.dtype == rough.dtype == np.float32
        error = np.linalg.norm(exact - rough) / np.linalg.norm(exact)
        assert 1e-5 < error < (0.05 if backbone is MINE else 0.01), output
    np.testing.assert_array_equal(waves, WAVES)
