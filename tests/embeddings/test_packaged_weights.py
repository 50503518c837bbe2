"""`mini`, whose weights are part of the package: found offline, checked, and without classes."""

import dataclasses
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.pretraining.export import write_packaged_weights
from skaudio_ad import BackboneEmbedding, MobileNetEmbedding
from skaudio_ad.embeddings import (
    BACKBONES,
    WeightsError,
    available_backbones,
    find_weights,
    load_state_dict,
    weights_path,
)
from skaudio_ad.networks import AudioSetFrontEnd, MobileNet

from .small_backbones import assert_equal_up_to_rounding, noise

MINI = BACKBONES["mini"]


@pytest.fixture
def fresh_install(monkeypatch, tmp_path):
    """No weights on the machine but those of the package, and no network."""
    monkeypatch.delenv("SKAUDIO_AD_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SKAUDIO_AD_OFFLINE", "1")


@pytest.fixture
def copied(tmp_path):
    """The backbone with its weights in another folder, which a test may spoil."""
    folder = tmp_path / "weights"
    folder.mkdir()
    shutil.copyfile(find_weights("mini"), folder / MINI.filename)
    return dataclasses.replace(MINI, folder=str(folder))


def test_the_checksum_in_the_registry_is_that_of_the_file():
    content = (Path(MINI.folder) / MINI.filename).read_bytes()
    assert hashlib.sha256(content).hexdigest() == MINI.sha256
    assert round(len(content) / 1e6, 1) == MINI.megabytes


def test_the_default_works_offline_on_a_fresh_install(fresh_install):
    clips = noise(1.0, 0.5)
    embedding = MobileNetEmbedding().fit(clips)
    assert embedding.weights_digest_ == MINI.sha256
    network, front_end = MobileNet(0.4, n_classes=0).eval(), AudioSetFrontEnd()
    network.load_state_dict({name: v.float() for name, v in load_state_dict("mini").items()}, strict=True)
    with torch.no_grad():
        expected = [
            network(front_end(torch.from_numpy(clip)[None]), ("clip",))["clip"][0].numpy() for clip in clips
        ]
    assert_equal_up_to_rounding(embedding.transform(clips), expected)
    assert np.abs(expected[0] - expected[1]).max() > 1e-3


def test_the_folder_of_the_package_stays_as_it_is(fresh_install):
    before = sorted(path.name for path in Path(MINI.folder).iterdir())
    assert weights_path("mini") == Path(MINI.folder) / "mini.safetensors"
    assert (
        sorted(path.name for path in Path(MINI.folder).iterdir())
        == before
        == ["README.md", "costs.json", "mini.safetensors"]
    )


def test_a_wrong_environment_variable_does_not_hide_the_weights_of_the_package(monkeypatch):
    monkeypatch.setenv("SKAUDIO_AD_WEIGHTS", "/no/such/folder")
    assert find_weights("mini").is_file()


def test_damaged_weights_of_the_package_say_to_reinstall_it(copied, monkeypatch):
    path = Path(copied.folder) / MINI.filename
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        WeightsError, match=r"mini\.safetensors: damaged, .* Reinstall the package that the file"
    ):
        BackboneEmbedding(copied).fit(noise(0.1))
    monkeypatch.setattr("skaudio_ad._checksums.__file__", str(path.parent.parent / "_checksums.py"))
    with pytest.raises(WeightsError, match=r"Reinstall skaudio_ad: pip install --force-reinstall --no-deps"):
        weights_path(copied)


def test_missing_weights_of_the_package_say_to_reinstall_it(copied):
    (Path(copied.folder) / MINI.filename).unlink()
    with pytest.raises(WeightsError, match=r"weights/mini\.safetensors: is missing\. Reinstall"):
        MobileNetEmbedding(copied).fit(noise(0.1))


@pytest.mark.parametrize(("output", "method"), [("logits", "fit"), ("clip", "predict_tags")])
def test_mini_has_no_classes_and_names_the_variants_that_have(output, method):
    embed = getattr(MobileNetEmbedding("mini", output=output), method)
    with pytest.raises(ValueError, match=r"'mini' has no classes\. .*Variants that have it: mn01, .*mn04"):
        embed(noise(0.1))


def test_a_checkpoint_with_a_classifier_serves_a_backbone_without_classes(tmp_path):
    network = MobileNet(0.1)
    torch.save(network.state_dict(), tmp_path / "own.pt")
    backbone = dataclasses.replace(
        BACKBONES["mn01"], name="own", filename="own.pt", sha256=None, outputs=("clip", "block15")
    )
    clips = noise(0.3)
    own, whole = (
        MobileNetEmbedding(each, weights=tmp_path / "own.pt").fit_transform(clips)
        for each in (backbone, "mn01")
    )
    np.testing.assert_array_equal(own, whole)
    del network.features[3]
    torch.save(network.state_dict(), tmp_path / "own.pt")
    with pytest.raises(WeightsError, match=r"own\.pt: no weights of own\. The file lacks 'features\.3\."):
        MobileNetEmbedding(backbone, weights=tmp_path / "own.pt").fit(clips)


def test_equal_weights_are_written_as_equal_bytes_whatever_their_order_and_names(tmp_path):
    state = load_state_dict("mini")
    features = {name.removeprefix("features."): v for name, v in reversed(list(state.items()))}
    sha256 = write_packaged_weights(features, tmp_path / "own.safetensors")
    assert sha256 == MINI.sha256
    assert hashlib.sha256((tmp_path / "own.safetensors").read_bytes()).hexdigest() == sha256
    classifier = {"classifier.2.weight": torch.zeros(1)}
    assert write_packaged_weights(state | classifier, tmp_path / "own.safetensors") == sha256
    with pytest.raises(ValueError, match=r"features\.3\.1\.weight .*infinity"):
        write_packaged_weights(
            state | {"features.3.1.weight": torch.tensor([1e5])}, tmp_path / "own.safetensors"
        )


# Backbones at hand


def test_the_backbones_at_hand_are_listed_the_best_first(fresh_install, tmp_path, monkeypatch):
    assert available_backbones() == ["mini"]
    for name in ("mn01", "mn10", "passt_s_kd", "mn04", "ced_tiny", "eat_base", "ced_base"):
        (tmp_path / BACKBONES[name].filename).touch()
    assert available_backbones() == ["mini"]
    monkeypatch.setenv("SKAUDIO_AD_WEIGHTS", str(tmp_path))
    scored = ["eat_base", "ced_base", "ced_tiny"]  # 60.8, 59.7 and 59.1 % on DCASE Task 2
    assert available_backbones() == [*scored, "passt_s_kd", "mn10", "mn04", "mn01", "mini"]


def test_the_published_figures_are_those_of_the_papers():
    figures = {name: backbone.mean_average_precision for name, backbone in BACKBONES.items()}
    assert (figures["mn10"], figures["mn40_ext"], figures["passt_s_swa"], figures["passt_l_kd"]) == (
        0.471,
        0.487,
        0.476,
        0.47,
    )
    # A checkpoint without a figure has no classes, or its authors publish none.
    assert [name for name in figures if figures[name] is None and BACKBONES[name].family == "mobilenet"] == [
        "mini"
    ]
    assert all(figures[name] for name, backbone in BACKBONES.items() if backbone.family == "passt")


@pytest.mark.parametrize(
    ("name", "rmis", "siren"),
    [
        # docs/leaderboard.html of jianganbai/RMIS, column "Mean" of "Anomaly Detection"; performance.png of
        # yucongzh/SIREN, column "Mean" of "DCASE Tasks".
        ("beats_iter3", 62.16, 61.86),
        ("eat_base", 60.67, 60.84),
        ("eat_large", 61.20, 61.58),
        ("ced_tiny", 59.15, 58.96),
        ("ced_mini", 59.36, 59.11),
        ("ced_small", 59.63, 59.39),
        ("ced_base", 59.76, 59.68),
        ("dasheng_base", 59.28, 59.95),
        ("dasheng_06b", 58.68, 59.16),
        ("dasheng_12b", 59.31, 59.88),
        ("fisher_tiny", 59.11, 59.62),
        ("fisher_mini", 59.60, 59.91),
        ("fisher_small", 61.15, 61.00),
        ("echo_tiny", None, 61.33),
        ("echo_small", None, 62.11),
    ],
)
def test_the_published_scores_of_frozen_networks_are_those_of_the_two_tables(name, rmis, siren):
    if name not in BACKBONES:
        pytest.skip(f"{name} is not here yet")
    published = {"RMIS": rmis, "SIREN": siren}
    assert BACKBONES[name].frozen_scores == {key: value for key, value in published.items() if value}


def test_a_missing_backbone_says_where_was_looked_what_is_at_hand_and_which_command_fetches_it(
    fresh_install, tmp_path, monkeypatch
):
    (tmp_path / BACKBONES["mn04"].filename).touch()
    monkeypatch.setenv("SKAUDIO_AD_WEIGHTS", str(tmp_path))
    with pytest.raises(
        WeightsError,
        match=rf"mn10: .* not on this machine, looked in {tmp_path}, .*`skaudio-ad weights download mn10`.* "
        r"Backbones with weights on this machine: mn04, mini\.",
    ):
        MobileNetEmbedding("mn10").fit(noise(0.1))
