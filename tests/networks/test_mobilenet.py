"""MobileNet against torchvision's, published tables, and sounds that the authors' weights must recognise."""

import csv
import os
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from skaudio_ad.audio import AudioLoader
from skaudio_ad.embeddings import BACKBONES
from skaudio_ad.networks import AudioSetFrontEnd, MobileNet, for_inference
from skaudio_ad.networks._inference import PointwiseConvolution

# Variant: million parameters, values of the clip embedding and of the multi-level one.
PUBLISHED = {
    "mn01": (0.124, 96, 184),
    "mn02": (0.325, 192, 224),
    "mn04": (0.984, 384, 320),
    "mn05": (1.43, 480, 368),
    "mn10": (4.88, 960, 600),
    "mn20": (17.9, 1920, 1072),
    "mn30": (39.1, 2880, 1544),
    "mn40": (68.4, 3840, 2016),
    "mn40_ext": (68.4, 3840, 2016),
}
# Folder of ESC-10 and the class of AudioSet.
TAGS = {
    "Dog bark": "Dog",
    "Rooster": "Chicken, rooster",
    "Rain": "Rain",
    "Chainsaw": "Chainsaw",
    "Helicopter": "Helicopter",
    "Baby cry": "Baby cry, infant cry",
}


def noise(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def network(width=0.1, n_classes=5):
    """A network in evaluation mode whose batch normalisation does something."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = MobileNet(width, n_classes).eval()
        for module in made.modules():
            if isinstance(module, nn.BatchNorm2d):
                for values in (module.weight.data, module.running_var):
                    values.uniform_(0.5, 1.5)
                for values in (module.bias.data, module.running_mean):
                    values.normal_(0, 0.2)
    return made


@pytest.fixture(scope="module")
def weights_home():
    """The folder of checkpoints, and of AudioSet's class names, that tests with real weights read."""
    home = os.environ.get("SKAUDIO_AD_WEIGHTS")
    if not home:
        pytest.skip("SKAUDIO_AD_WEIGHTS names no folder of weights")
    if not (Path(home) / "mn04_as_mAP_432.pt").is_file():
        pytest.skip(f"SKAUDIO_AD_WEIGHTS names a folder without mn04_as_mAP_432.pt: {home}")
    return Path(home)


def assert_relatively_close(made, expected, tolerance=1e-5):
    assert made.shape == expected.shape
    assert (made - expected).abs().max() <= tolerance * expected.abs().max()


def torchvision_network(width, n_classes):
    """torchvision's MobileNetV3-Large, made into EfficientAT's: one channel, gates by a sigmoid."""
    mobilenetv3 = pytest.importorskip("torchvision.models.mobilenetv3")
    settings, hidden = mobilenetv3._mobilenet_v3_conf("mobilenet_v3_large", width_mult=width)
    made = mobilenetv3.MobileNetV3(
        settings, hidden, n_classes, norm_layer=partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
    )
    made.features[0][0] = nn.Conv2d(1, made.features[0][0].out_channels, 3, 2, 1, bias=False)
    # Ours has layers to pool and to flatten in front of the classifier.
    made.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), *made.classifier)
    for module in made.modules():
        if hasattr(module, "scale_activation"):
            module.scale_activation = nn.Sigmoid()
    return made.eval()


@pytest.mark.parametrize("width", [0.1, 0.4, 1.0])
def test_it_computes_what_torchvision_computes(width):
    ours, theirs = network(width), torchvision_network(width, 5)
    weights = {}
    for name, value in ours.state_dict().items():
        name, n_gates = re.subn(r"conc_se_layers\.0\.", "", name)
        # torchvision's gates are convolutions of one by one.
        weights[name] = value[:, :, None, None] if n_gates and name.endswith("weight") else value
    theirs.load_state_dict(weights, strict=True)
    spectrograms = noise(2, 128, 100)
    with torch.no_grad():
        made = ours(spectrograms, ("grid", "multilevel", "logits"))
        x, means = spectrograms[:, None], [spectrograms.mean(2)]
        for index, layer in enumerate(theirs.features):
            x = layer(x)
            if index in (5, 11, 13, 15):
                means.append(x.flatten(2).mean(2))
        assert_relatively_close(made["grid"], x)
        assert_relatively_close(made["multilevel"], torch.cat(means, dim=1))
        assert_relatively_close(made["logits"], theirs.classifier(x))


@pytest.mark.parametrize("variant", PUBLISHED)
def test_sizes_are_the_published_ones(variant):
    millions, embedding_size, multilevel_size = PUBLISHED[variant]
    with torch.device("meta"):
        made = MobileNet(**BACKBONES[variant].settings).eval()
    n_parameters = sum(parameter.numel() for parameter in made.parameters())
    assert float(f"{n_parameters / 1e6:.3g}") == millions
    outputs = made(torch.empty(2, 128, 1000, device="meta"), made.outputs)
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "clip": (2, embedding_size),
        "clip_stats": (2, 2 * embedding_size),
        "frames": (2, embedding_size, 32),
        "grid": (2, embedding_size, 4, 32),
        "multilevel": (2, multilevel_size),
        **{name: (2, made.sizes[name]) for name in ("block5", "block11", "block13", "block15")},
        "logits": (2, 527),
    }
    assert made.sizes == {name: values.shape[1] for name, values in outputs.items() if values.ndim == 2}
    assert (made.embedding_size, made.multilevel_size) == (embedding_size, multilevel_size)


def test_the_size_of_every_published_variant_is_compared():
    ours = {name for name, backbone in BACKBONES.items() if backbone.family == "mobilenet"}
    assert ours == {*PUBLISHED, "mini"}


def test_embeddings_are_means_of_the_last_feature_map():
    with torch.no_grad():
        made = network()(noise(2, 128, 70), ("grid", "frames", "clip"))
    grid = made["grid"].double().numpy()
    np.testing.assert_allclose(made["frames"], grid.mean(axis=2), atol=1e-6)
    np.testing.assert_allclose(made["clip"], grid.mean(axis=(2, 3)), atol=1e-6)


@pytest.mark.parametrize(
    ("output", "layer", "n_bins"),
    [("block5", 5, 16), ("block11", 11, 8), ("block13", 13, 4), ("block15", 15, 4)],
)
def test_a_block_gives_mean_and_deviation_over_time_of_every_channel_and_bin(output, layer, n_bins):
    made, maps = network(0.4), []
    made.features[layer].register_forward_hook(lambda module, inputs, output: maps.append(output.clone()))
    with torch.no_grad():
        found = made(noise(2, 128, 200), output)[output].numpy()
    values = maps[0].double().numpy()
    assert values.shape[2] == n_bins
    expected = np.stack([values.mean(axis=3), values.std(axis=3)], axis=1).reshape(2, -1)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_clip_stats_are_mean_and_deviation_of_the_frames():
    with torch.no_grad():
        made = network()(noise(2, 128, 200), ("frames", "clip_stats"))
    frames = made["frames"].double().numpy()
    expected = np.concatenate([frames.mean(axis=2), frames.std(axis=2)], axis=1)
    np.testing.assert_allclose(made["clip_stats"], expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("output", ["block5", "block15", "clip_stats"])
def test_the_deviation_of_one_frame_is_zero(output):
    with torch.no_grad():
        means, deviations = network()(noise(1, 128, 1), output)[output].chunk(2, dim=1)
    assert means.abs().max() > 0
    assert deviations.abs().max() == 0


@pytest.mark.parametrize(
    ("outputs", "last"),
    [("block5", 5), (("block11", "block5"), 11), ("multilevel", 15), (("block11", "clip"), 16)],
)
def test_the_pass_ends_at_the_last_layer_that_an_output_needs(outputs, last):
    made, run = network(), []
    for index, layer in enumerate(made.features):
        layer.register_forward_hook(lambda module, inputs, output, index=index: run.append(index))
    with torch.no_grad():
        made(noise(1, 128, 40), outputs)
    assert run == list(range(last + 1))


def test_a_network_without_classes_has_the_features_alone():
    with_classes, without = network(0.1, 5), MobileNet(0.1, n_classes=0).eval()
    features = {k: v for k, v in with_classes.state_dict().items() if k.startswith("features.")}
    without.load_state_dict(features, strict=True)
    assert without.outputs == MobileNet.outputs[:-1]
    spectrograms = noise(1, 128, 40)
    with torch.no_grad():
        assert torch.equal(without(spectrograms, "clip")["clip"], with_classes(spectrograms, "clip")["clip"])
    with pytest.raises(ValueError, match=r"outputs must be of 'clip', .*, got 'logits'"):
        without(spectrograms)


@pytest.mark.parametrize(("n_frames", "n_steps"), [(1, 1), (32, 1), (33, 2), (1000, 32), (1500, 47)])
def test_it_takes_spectrograms_of_any_length(n_frames, n_steps):
    with torch.no_grad():
        frames = network()(noise(1, 128, n_frames), "frames")["frames"]
    assert frames.shape == (1, 96, n_steps)
    assert torch.isfinite(frames).all()


def test_a_network_with_random_weights_tells_clips_apart():
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        clips = MobileNet().eval()(noise(4, 128, 100), "clip")["clip"]
    assert clips.std(dim=0).mean() > 0.1 * clips.abs().mean() > 1e-4


@pytest.mark.parametrize("width", [0.1, 1.0])
@pytest.mark.parametrize("n_frames", [8, 100])
def test_the_network_for_inference_gives_the_same_outputs(width, n_frames):
    plain = network(width)
    fast = for_inference(plain)
    spectrograms = noise(3, 128, n_frames)
    with torch.no_grad():
        expected, made = plain(spectrograms, plain.outputs), fast(spectrograms, fast.outputs)
    for name in plain.outputs:
        assert_relatively_close(made[name], expected[name])


def test_a_clip_has_the_same_outputs_alone_and_in_a_batch_for_inference():
    # The products of one clip are small enough for MKL, and those of eight clips are not.
    fast, spectrograms = for_inference(network(0.4)), noise(8, 128, 1000)
    with torch.no_grad():
        together, alone = fast(spectrograms, fast.outputs), fast(spectrograms[:1], fast.outputs)
    for name in fast.outputs:
        assert_relatively_close(alone[name], together[name][:1])


def test_the_network_for_inference_is_folded_and_has_its_channels_last():
    plain = network(0.4).train()
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    fast = for_inference(plain)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules())
    assert not any(module.training for module in fast.modules())
    assert not any(parameter.requires_grad for parameter in fast.parameters())
    layouts = []
    for module in fast.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda module, inputs, output: layouts.append(output.stride(1)))
    fast(noise(2, 128, 100))
    assert len(layouts) == 46
    assert set(layouts) == {1}
    # The original is as it was: to be trained, and with its own weights.
    assert plain.training
    assert all(torch.equal(value, before[name]) for name, value in plain.state_dict().items())
    assert before.keys() == plain.state_dict().keys()


def test_the_network_for_inference_computes_with_bfloat16_in_an_autocast():
    plain, spectrograms = network(0.4), noise(2, 128, 100)
    fast, dtypes = for_inference(plain), set()
    for module in fast.modules():
        if isinstance(module, PointwiseConvolution):
            module.register_forward_hook(lambda module, inputs, output: dtypes.add(output.dtype))
    with torch.no_grad():
        expected = plain(spectrograms, "clip")["clip"]
        with torch.autocast("cpu", torch.bfloat16):
            made = fast(spectrograms, "clip")["clip"]
    assert dtypes == {torch.bfloat16}
    assert_relatively_close(made.float(), expected, 2e-2)


def test_bfloat16_for_inference_rounds_the_pointwise_convolutions_of_the_last_layers_alone():
    plain, spectrograms = network(0.4), noise(2, 128, 100)
    exact, rough = for_inference(plain), for_inference(plain, "bfloat16")
    assert {name: values.dtype for name, values in exact.named_parameters()} == {
        name: torch.float32 for name, _ in rough.named_parameters()
    }
    rounded = {name for name, values in rough.named_parameters() if values.dtype == torch.bfloat16}
    # Two in each of four blocks, and the last; every other weight, and all biases, are as they were.
    assert len(rounded) == 9
    assert {int(name.split(".")[1]) for name in rounded} == {12, 13, 14, 15, 16}
    for name, values in rough.named_parameters():
        assert torch.equal(values, exact.get_parameter(name).to(values.dtype))
    with torch.no_grad():
        expected, made = exact(spectrograms, exact.outputs), rough(spectrograms, rough.outputs)
    for name, value in made.items():
        assert value.dtype == torch.float32
        error = (value - expected[name]).norm() / expected[name].norm()
        assert error == 0 if name in ("block5", "block11") else 1e-5 < error < 2e-2, name


def test_bfloat16_for_inference_is_only_of_the_copy():
    plain = network()
    for_inference(plain, "bfloat16")
    assert {values.dtype for values in plain.parameters()} == {torch.float32}


def test_it_can_be_trained():
    made = network().train()
    made(noise(2, 128, 64))["logits"].square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in made.parameters())


@pytest.mark.parametrize("shape", [(2, 64, 100), (128, 100), (2, 1, 128, 100)])
def test_spectrograms_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"\(n_clips, 128, n_frames\), as AudioSetFrontEnd makes them, got"):
        network()(torch.zeros(shape))


def test_a_spectrogram_without_frames_is_refused():
    with pytest.raises(ValueError, match="at least 1 frames, got 0"):
        network()(torch.zeros(1, 128, 0))


@pytest.mark.parametrize("outputs", ["tokens", ("clip", "tokens")])
def test_an_unknown_output_lists_the_known_ones(outputs):
    with pytest.raises(ValueError, match=r"outputs must be of 'clip', 'clip_stats', .*, got 'tokens'"):
        network()(torch.zeros(1, 128, 10), outputs)


@pytest.mark.real_data
@pytest.mark.filterwarnings("ignore:the training files have different sample rates")
def test_bfloat16_for_inference_stays_within_a_hundredth_with_the_authors_weights(weights_home, data_home):
    pretrained, front_end = MobileNet(0.4).eval(), AudioSetFrontEnd()
    pretrained.load_state_dict(torch.load(weights_home / "mn04_as_mAP_432.pt", weights_only=True))
    rough = for_inference(pretrained, "bfloat16")
    paths = [*sorted(data_home.glob("esc10/*/*.ogg"))[::80], *sorted(data_home.glob("mimii/**/*.wav"))[::48]]
    assert len(paths) == 10
    for clip in AudioLoader(front_end.sample_rate).fit_transform([str(path) for path in paths]):
        with torch.inference_mode():
            spectrogram = front_end(torch.from_numpy(clip)[None])
            expected, made = (one(spectrogram, ("clip", "logits")) for one in (pretrained, rough))
        for name, value in made.items():
            assert (value - expected[name]).norm() < 1e-2 * expected[name].norm()


@pytest.mark.real_data
def test_the_authors_weights_recognise_sounds(weights_home, data_home):
    pretrained = MobileNet(0.4)
    checkpoint = torch.load(weights_home / "mn04_as_mAP_432.pt", weights_only=True)
    pretrained.load_state_dict(checkpoint, strict=True)
    pretrained, front_end = for_inference(pretrained), AudioSetFrontEnd()
    with open(weights_home / "class_labels_indices.csv", encoding="utf-8") as file:
        classes = [row["display_name"] for row in csv.DictReader(file)]
    found = []
    for folder, tag in TAGS.items():
        paths = sorted(data_home.glob(f"esc10/* - {folder}/*.ogg"))[::10]
        assert len(paths) == 4
        recognised = 0
        for clip in AudioLoader(front_end.sample_rate).fit_transform([str(path) for path in paths]):
            with torch.inference_mode():
                logits = pretrained(front_end(torch.from_numpy(clip)[None]))["logits"][0]
            recognised += classes.index(tag) in logits.topk(5).indices
        assert recognised >= 2, f"{tag}: in the top 5 of {recognised} of 4 clips"
        found.append(recognised)
    assert sum(found) >= 0.75 * 4 * len(TAGS)  # 84 % of all 240 clips
