"""Networks in memory: loaded once, with the weights that they should have."""

import hashlib
import os
import pickle
import threading

import numpy as np
import pytest
import torch

import skaudio_ad.embeddings._backbone_engine as backbone_engines
from skaudio_ad.embeddings import Backbone, WeightsError
from skaudio_ad.embeddings._backbone_engine import backbone_engine
from skaudio_ad.networks import AudioSetFrontEnd, MobileNet, PaSST

MINE = Backbone(
    name="mine", filename="mine.pt", family="mobilenet", settings={"width": 0.1}, embedding_size=96
)
WAVES = np.random.default_rng(0).normal(scale=0.1, size=(3, 16000)).astype(np.float32)


@pytest.fixture(autouse=True)
def nothing_loaded():
    backbone_engines._build.cache_clear()
    yield
    backbone_engines._build.cache_clear()


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
    read = backbone_engines.load_state_dict
    monkeypatch.setattr(
        backbone_engines,
        "load_state_dict",
        lambda backbone, *, path: reads.append(path) or read(backbone, path=path),
    )
    return reads


def engine(weights=None, backbone=MINE, **changes):
    settings = {"runtime": "torch", "precision": "float32", "device": "cpu", "random_state": 0}
    return backbone_engine(backbone, weights, **settings | changes)


def global_generators():
    _, key, position, *_ = np.random.get_state()  # noqa: NPY002
    return torch.get_rng_state().tolist(), key.tolist(), position


def test_a_file_gives_the_network_that_was_saved(save):
    network = MobileNet(0.1).eval()
    path = save(network)
    made = engine(path)
    with torch.no_grad():
        expected = network(AudioSetFrontEnd()(torch.from_numpy(WAVES)), ("clip",))["clip"].numpy()
    embeddings = made.load().embed(WAVES, "clip")
    np.testing.assert_allclose(embeddings, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert embeddings.dtype == np.float32
    assert made.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert made.name == "mine"


def test_a_file_is_read_once_a_process_whatever_asks_for_it(save, n_reads, monkeypatch):
    path = save(MobileNet(0.1))
    first = engine(path)
    loaded = first.load()
    # A copy of the backbone, a string, a folder, a relative path, another seed that says nothing, a pickle.
    again = Backbone(
        name="mine", filename="mine.pt", family="mobilenet", settings={"width": 0.1}, embedding_size=96
    )
    monkeypatch.chdir(path.parent)
    for same in (
        engine(str(path), again),
        engine(path.parent),
        engine("mine.pt"),
        engine(path, random_state=7),
        engine(path, device="cpu" if torch.cuda.is_available() else "auto"),
        pickle.loads(pickle.dumps(first)),
    ):
        assert same == first
        assert hash(same) == hash(first)
        assert same.load() is loaded
    assert n_reads == [str(path)]


def test_threads_that_want_the_same_network_build_it_once(save, n_reads):
    wanted = engine(save(MobileNet(0.1)))
    together, loaded = threading.Barrier(4), []

    def load():
        together.wait()
        loaded.append(wanted.load())

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(n_reads) == 1
    assert len(loaded) == 4
    assert len(set(map(id, loaded))) == 1


def test_a_file_is_summed_once_for_every_content(save, monkeypatch):
    sums, file_digest = [], hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *given: sums.append(1) or file_digest(*given))
    path = save(MobileNet(0.1))
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert engine(path).digest == engine(path).digest == expected
    assert len(sums) == 1
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000_000))
    assert engine(path).digest == expected
    assert len(sums) == 2


def test_a_file_that_changed_is_read_again(save, n_reads):
    path = save(MobileNet(0.1))
    first = engine(path)
    before = first.load().embed(WAVES, "clip")
    time = path.stat().st_mtime_ns
    save(MobileNet(0.1))
    os.utime(path, ns=(time, time + 1_000_000_000))
    second = engine(path)
    assert second.digest != first.digest
    assert second.key != first.key
    assert np.abs(second.load().embed(WAVES, "clip") - before).max() > 0.01 * np.abs(before).max()
    assert len(n_reads) == 2


def test_a_file_that_changed_on_the_way_to_another_process_is_refused_with_both_checksums(save):
    path = save(MobileNet(0.1))
    sent = pickle.dumps(engine(path))
    save(MobileNet(0.1))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    received = pickle.loads(sent)
    with pytest.raises(
        WeightsError, match=rf"{path}: has changed .* from sha256 {received.digest} to {digest}"
    ):
        received.load()


def test_a_file_that_is_gone_is_named(save):
    path = save(MobileNet(0.1))
    wanted = engine(path)
    path.unlink()
    with pytest.raises(WeightsError, match=str(path)):
        wanted.load()


def test_only_the_last_few_networks_stay_in_memory():
    first = engine(random_state=0).load()
    for seed in (1, 2):
        engine(random_state=seed).load()
    assert engine(random_state=0).load() is not first


@pytest.mark.parametrize(
    "backbone",
    [
        MINE,
        Backbone(
            name="p", filename="p.pt", family="passt", settings={"stride": 16, "depth": 1}, embedding_size=768
        ),
    ],
    ids=["mobilenet", "passt"],
)
def test_random_weights_repeat_with_their_seed_and_leave_the_global_generators_alone(backbone):
    before = global_generators()

    def embed(seed):
        backbone_engines._build.cache_clear()
        made = engine(backbone=backbone, random_state=seed)
        assert made.digest is None
        return made.load().embed(WAVES, "clip")

    first = embed(0)
    np.testing.assert_array_equal(first, embed(0))
    assert np.abs(first - embed(1)).max() > 0.01 * np.abs(first).max()
    assert global_generators() == before


def test_a_file_leaves_the_global_generators_alone(save):
    path = save(MobileNet(0.1))
    before = global_generators()
    engine(path).load()
    assert global_generators() == before


def test_the_key_tells_apart_all_that_changes_the_numbers_and_nothing_else(save):
    path = save(MobileNet(0.1))
    wide = Backbone(
        name="mine", filename="mine.pt", family="mobilenet", settings={"width": 0.2}, embedding_size=192
    )
    different = [
        engine(random_state=0),
        engine(random_state=1),
        engine(backbone=wide),
        engine(path),
        engine(path, precision="bfloat16"),
    ]
    assert len({made.key for made in different}) == len(different)
    elsewhere = save(MobileNet(0.1), "copy.pt")
    elsewhere.write_bytes(path.read_bytes())
    assert engine(elsewhere).key == engine(path).key
    assert all(isinstance(value, (str, int, float, type(None))) for made in different for value in made.key)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (MobileNet(0.4), r"is a file of MobileNet \(width 0\.4\), .* and 'mine' needs width 0\.1"),
        (PaSST(depth=1), r"is no file of MobileNet but a file of PaSST \(stride 10, depth 1\)\."),
        (
            torch.nn.Linear(2, 2),
            r"no weights of mine\. The file lacks 'features\.0\.0\.weight', .* The network has no 'weight', 'bias'\.",
        ),
        (
            torch.nn.Sequential(MobileNet(0.1)),
            r"holds, with '0\.' before every name, a file of MobileNet \(width 0\.1\)",
        ),
    ],
    ids=["wider", "passt", "linear", "nested"],
)
def test_weights_of_another_network_are_refused_by_the_names_of_file_and_backbone(save, other, message):
    path = save(other)
    with pytest.raises(WeightsError, match=f"{path}: {message}"):
        engine(path).load()


def test_weights_that_lack_a_tensor_are_refused_by_its_name(tmp_path):
    state = MobileNet(0.1).state_dict()
    del state["classifier.5.bias"]
    torch.save(state, tmp_path / "mine.pt")
    with pytest.raises(WeightsError, match=r"(?s)mine\.pt: no weights of mine.*classifier\.5\.bias"):
        engine(tmp_path).load()


@pytest.mark.parametrize("device", ["tpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_before_anything_is_looked_for(device, tmp_path):
    with pytest.raises(ValueError, match="device"):
        engine(tmp_path / "missing.pt", device=device)


def test_weights_that_are_not_there_are_refused_before_anything_is_built(tmp_path, monkeypatch):
    monkeypatch.setattr(backbone_engines, "_build", None)
    with pytest.raises(WeightsError, match=r"missing\.pt"):
        engine(tmp_path / "missing.pt")
