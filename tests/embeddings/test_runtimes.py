"""Runtimes of networks: threads, generators, refusals, and the runtime of PaSST's authors.

``test_every_family_runtimes.py`` compares the numbers of every family.
"""

import subprocess
import sys
import threading
from functools import lru_cache
from importlib.util import find_spec

import numpy as np
import pytest
import torch

import skaudio_ad.embeddings._backbone_engine as backbone_engines
import skaudio_ad.embeddings._runtimes as runtimes
from skaudio_ad.embeddings import Backbone, MobileNetEmbedding, PaSSTEmbedding
from skaudio_ad.embeddings._backbone_engine import backbone_engine
from skaudio_ad.networks import PaSST

BACKBONES = {
    "mobilenet": Backbone(
        name="tiny", filename="t.pt", family="mobilenet", settings={"width": 0.1}, embedding_size=96
    ),
    "passt": Backbone(
        name="small", filename="s.pt", family="passt", settings={"stride": 16, "depth": 1}, embedding_size=768
    ),
}
PACKAGES = {
    "onnxruntime": ("onnx", "onnxruntime"),
    "openvino": ("onnx", "openvino"),
    "hear21passt": ("hear21passt",),
}
RUNS = [
    ("mobilenet", "onnxruntime"),
    ("mobilenet", "openvino"),
    ("passt", "onnxruntime"),
    ("passt", "openvino"),
    ("passt", "hear21passt"),
]  # fmt: skip


def waves(n_windows, n_samples, seed=0):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n_windows, n_samples)) * np.geomspace(0.001, 0.3, n_windows)[:, None]
    return noise.astype(np.float32)


def skip_without(*packages):
    """Skip a test unless packages are installed. Not importorskip: to import openvino so reports its use."""
    for package in packages:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


@lru_cache  # more than a process keeps by itself: an export for every output takes its time
def loaded(family, runtime, precision="float32"):
    return load(family, runtime, precision)


def load(family, runtime, precision="float32", weights=None):
    skip_without(*PACKAGES.get(runtime, ()))
    return backbone_engine(
        BACKBONES[family], weights, runtime=runtime, precision=precision, device="cpu", random_state=3
    ).load()


def assert_relatively_close(made, expected, tolerance=1e-5):
    assert made.dtype == np.float32
    assert made.shape == expected.shape
    np.testing.assert_allclose(made, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.fixture(scope="module", autouse=True)
def nothing_loaded():
    yield
    loaded.cache_clear()
    backbone_engines._build.cache_clear()


def test_the_authors_runtime_gives_all_outputs_of_torch_for_any_length_and_number_of_windows():
    reference, made = loaded("passt", "torch"), loaded("passt", "hear21passt")
    for n_windows, n_samples in ((2, 16_000), (1, 4801), (5, 9_999), (1, 64_000), (2, 16_000)):
        clips = waves(n_windows, n_samples, seed=n_samples)
        found, expected = made.embed(clips, PaSST.outputs), reference.embed(clips, PaSST.outputs)
        for output, one in zip(found, expected, strict=True):
            assert_relatively_close(output, one)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_passt_takes_ten_seconds(runtime):
    clips = waves(1, 320_000)
    expected = loaded("passt", "torch").embed(clips, "clip")
    assert_relatively_close(loaded("passt", runtime).embed(clips, "clip"), expected)


@pytest.mark.parametrize(("family", "runtime"), RUNS)
def test_what_was_returned_stays_as_it_was(family, runtime):
    made = loaded(family, runtime)
    first = made.embed(waves(2, 8000), "clip")
    before = first.copy()
    made.embed(waves(2, 8000, seed=1), "clip")
    np.testing.assert_array_equal(first, before)


@pytest.mark.parametrize(("family", "runtime"), RUNS)
def test_threads_share_a_network(family, runtime):
    made = loaded(family, runtime)
    clips = [waves(1, 8000, seed=seed) for seed in range(4)]
    expected = [made.embed(clip, "clip") for clip in clips]
    found, together = [None] * 4, threading.Barrier(4)

    def embed(index):
        together.wait()
        found[index] = [made.embed(clips[index], "clip") for _ in range(3)]

    threads = [threading.Thread(target=embed, args=[index]) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for repeats, reference in zip(found, expected):
        for repeat in repeats:
            assert_relatively_close(repeat, reference)


@pytest.mark.parametrize(("family", "runtime"), RUNS)
def test_nothing_is_printed_and_no_generator_moves(family, runtime, capfd):
    skip_without(*PACKAGES[runtime])
    backbone_engines._build.cache_clear()
    before = torch.get_rng_state(), np.random.get_state()[2]  # noqa: NPY002
    load(family, runtime).embed(waves(1, 8000), "logits")
    assert capfd.readouterr() == ("", "")
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[2] == before[1]  # noqa: NPY002


def test_openvino_keeps_float32_where_the_processor_has_bfloat16():
    compiled = loaded("passt", "openvino")
    compiled.embed(waves(1, 8000), "clip")
    made = compiled.runtime._made[("clip",)]
    assert made.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"
    assert made.get_property("INFERENCE_NUM_THREADS") == torch.get_num_threads()


def test_weights_of_a_file_reach_every_runtime(tmp_path):
    network = PaSST(stride=16, depth=1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.02 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    torch.save(network.state_dict(), tmp_path / "s.pt")
    clips = waves(1, 8000)
    expected = load("passt", "torch", weights=tmp_path).embed(clips, "clip")
    for runtime in ("onnxruntime", "openvino", "hear21passt"):
        assert_relatively_close(load("passt", runtime, weights=tmp_path).embed(clips, "clip"), expected)


def test_a_long_clip_is_averaged_over_windows_as_hear21passt_does():
    wrapper = pytest.importorskip("hear21passt.wrapper")
    theirs = loaded("passt", "hear21passt").runtime
    clip = waves(1, 50_000)[0]
    # Their wrapper around the network and front end that this runtime runs; times in milliseconds.
    model = wrapper.PasstBasicWrapper(
        mel=theirs.log_mel, net=theirs.network, max_model_window=1000, scene_hop=250, mode="embed_only"
    )
    with torch.no_grad(), pytest.warns(), torch.random.fork_rng():
        expected = model.get_scene_embeddings(torch.from_numpy(clip[None])).numpy()
    for runtime in ("hear21passt", "torch"):
        embedding = PaSSTEmbedding(
            BACKBONES["passt"],
            weights=None,
            random_state=3,
            runtime=runtime,
            device="cpu",
            window=1.0,
            hop=0.25,
        )
        assert_relatively_close(embedding.transform([clip]), expected)


# What cannot be used


@pytest.mark.parametrize(
    ("runtime", "missing", "command"),
    [
        ("onnxruntime", "onnxruntime", r"pip install 'skaudio_ad\[onnx\]'"),
        ("onnxruntime", "onnx", r"pip install 'skaudio_ad\[onnx\]'"),
        ("openvino", "openvino", r"pip install 'skaudio_ad\[openvino\]'"),
        ("hear21passt", "torchaudio", r"pip install 'skaudio_ad\[passt\]'"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(runtime, missing, command, monkeypatch):
    find_spec = runtimes.find_spec
    monkeypatch.setattr(
        runtimes, "find_spec", lambda name: None if name == missing else find_spec(name) or object()
    )
    with pytest.raises(
        ImportError, match=rf'runtime="?.{runtime}.* needs {missing}, not installed here: {command}'
    ):
        loaded_without_looking("passt", runtime=runtime)


def loaded_without_looking(family, **changes):
    settings = {"runtime": "torch", "precision": "float32", "device": "cpu", "random_state": 0}
    return backbone_engine(BACKBONES[family], None, **settings | changes)


@pytest.mark.parametrize(
    ("family", "settings", "message"),
    [
        ("passt", {"runtime": "tensorrt"}, "runtime must be one of 'torch', 'onnxruntime', 'openvino', "),
        ("passt", {"precision": "float16"}, "precision must be one of 'float32', 'bfloat16', got 'float16'"),
        ("mobilenet", {"runtime": "hear21passt"}, "hear21passt.* runs PaSST only, got a mobilenet; use runtime="),
        ("passt", {"runtime": "hear21passt", "precision": "bfloat16"}, "takes precision=.*as its authors"),
        ("passt", {"runtime": "onnxruntime", "precision": "bfloat16"}, "takes precision=.*Use precision="),
        ("mobilenet", {"runtime": "openvino", "precision": "bfloat16"}, "a tenth off.* or runtime="),
        ("passt", {"runtime": "openvino", "device": "cuda"}, "device must be .* got 'cuda'; on a GPU use runtime="),
        ("passt", {"runtime": "onnxruntime", "device": "tpu"}, "device must be .* got 'tpu'"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused_before_anything_is_built(
    family, settings, message, monkeypatch
):
    monkeypatch.setattr(runtimes, "find_spec", lambda name: object())
    monkeypatch.setattr(backbone_engines, "_build", None)
    with pytest.raises(ValueError, match=message):
        loaded_without_looking(family, **settings)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_auto_means_the_cpu_where_a_runtime_has_nothing_else(runtime, monkeypatch):
    monkeypatch.setattr(runtimes, "find_spec", lambda name: object())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert loaded_without_looking("passt", runtime=runtime, device="auto").device == "cpu"


@pytest.mark.parametrize(
    ("installed", "settings", "expected"),
    [
        ((), {}, "torch"),
        (("onnxruntime",), {}, "torch"),
        (("onnx", "onnxruntime"), {}, "onnxruntime"),
        (("onnx", "openvino"), {}, "openvino"),
        (("onnx", "onnxruntime", "openvino"), {}, "onnxruntime"),
        (("onnx", "onnxruntime"), {"precision": "bfloat16"}, "torch"),
        (("onnx", "onnxruntime"), {"device": "cuda"}, "torch"),
    ],
)
def test_runtime_auto_is_the_fastest_that_is_installed_and_fits(installed, settings, expected, monkeypatch):
    monkeypatch.setattr(runtimes, "find_spec", lambda name: object() if name in installed else None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    auto = loaded_without_looking("mobilenet", runtime="auto", **settings)
    assert auto == loaded_without_looking("mobilenet", runtime=expected, **settings)


def test_an_embedding_with_runtime_auto_gives_the_numbers_of_torch():
    clips = waves(2, 20_000)
    made, expected = (
        MobileNetEmbedding("mn01", weights=None, runtime=runtime, device="cpu").transform(clips)
        for runtime in ("auto", "torch")
    )
    assert_relatively_close(made, expected)


def test_openvino_neither_reports_its_use_nor_leaves_files_at_home(tmp_path):
    skip_without("openvino")
    code = (
        "import sys; from skaudio_ad.embeddings._runtimes import import_openvino; openvino = import_openvino(); "
        "assert openvino.Core() and import_openvino() is openvino; assert 'openvino_telemetry' not in sys.modules"
    )
    # Nothing else in the environment: on a build server, which it knows by that, it keeps quiet by itself.
    subprocess.run([sys.executable, "-c", code], check=True, env={"HOME": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []
