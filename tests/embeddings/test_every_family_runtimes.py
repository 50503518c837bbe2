"""Every family on every runtime and in every precision, or a reason why not."""

from importlib.util import find_spec

import numpy as np
import pytest

import skaudio_ad.embeddings._backbone_engine as backbone_engines
import skaudio_ad.embeddings._runtimes as runtimes

from .family_kit import FAMILIES, Kit

# Maximum relative error of bfloat16. The narrowest MobileNet with random weights adds up more rounding than a trained
# network does.
TOLERANCE = {"mobilenet": 0.1}


@pytest.fixture(scope="module", params=FAMILIES)
def kit(request, tmp_path_factory):
    kit = Kit(request.param, tmp_path_factory.mktemp(request.param))
    exports = {}
    export = runtimes.export_onnx

    def export_once(network, outputs, example):
        if outputs not in exports:
            exports[outputs] = export(network, outputs, example)
        return exports[outputs]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtimes, "export_onnx", export_once)
        yield kit
    backbone_engines._build.cache_clear()


def load(kit, **parameters):
    return kit.embedding(**parameters)._engine().load()


def waves(kit, n_windows, n_samples):
    # Every window has its own level.
    clips = kit.noise(*[n_samples / kit.rate] * n_windows, seed=n_samples)
    return np.stack(clips) * np.geomspace(0.1, 3, n_windows, dtype=np.float32)[:, None]


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_an_exported_network_equals_torch_for_any_length_and_number_of_windows(kit, runtime):
    for package in ("onnx", runtime):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    if kit.family.no_export is not None:
        with pytest.raises(ValueError) as error:
            load(kit, runtime=runtime)
        assert kit.family.no_export in str(error.value)
        return
    exported, network = load(kit, runtime=runtime), load(kit)
    outputs = kit.outputs()  # one export of all outputs, because an export takes a second
    for n_windows, seconds in ((3, 0.4), (1, 2.03), (2, 0.0)):
        clips = waves(kit, n_windows, max(kit.shortest(), round(seconds * kit.rate)))
        for output, made, expected in zip(
            outputs, exported.embed(clips, outputs), network.embed(clips, outputs), strict=True
        ):
            assert made.dtype == np.float32
            assert made.shape == expected.shape
            np.testing.assert_allclose(
                made, expected, rtol=0, atol=1e-5 * np.abs(expected).max(), err_msg=output
            )


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_bfloat16_stays_within_a_hundredth_or_is_refused(kit, runtime):
    if runtime == "openvino" and (find_spec("onnx") is None or find_spec("openvino") is None):
        pytest.skip("openvino is not installed")
    if runtime in kit.family.no_bfloat16 or (runtime != "torch" and kit.family.no_export is not None):
        with pytest.raises(ValueError, match="Use "):
            load(kit, runtime=runtime, precision="bfloat16")
        return
    outputs = kit.outputs()
    clips = waves(kit, 2, round(0.7 * kit.rate))
    rough, exact = load(kit, runtime=runtime, precision="bfloat16"), load(kit)
    errors = {}
    for output, made, expected in zip(outputs, rough.embed(clips, outputs), exact.embed(clips, outputs)):
        assert made.dtype == np.float32
        errors[output] = np.linalg.norm(made - expected) / np.linalg.norm(expected)
    assert max(errors.values()) < TOLERANCE.get(kit.name, 0.01), errors
    if runtime == "torch":  # OpenVINO rounds only where the processor has instructions for bfloat16
        assert max(errors.values()) > 1e-5


def test_onnx_runtime_refuses_bfloat16(kit, monkeypatch):
    monkeypatch.setattr(runtimes, "find_spec", lambda name: object())
    with pytest.raises(ValueError, match=r'Use precision="float32"|does not take'):
        load(kit, runtime="onnxruntime", precision="bfloat16")
