"""``--sample-rate`` of ``fit`` and ``embed``: backbones of any sample rate."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import skaudio_ad.embeddings._registry as registry
from benchmarks.authors.seeded import seeded_state_dict
from skaudio_ad import ECHOEmbedding, make_detector
from skaudio_ad.embeddings import Backbone
from skaudio_ad.networks import ECHO
from skaudio_ad.persistence import load_detector

SETTINGS = {"size": 16, "heads": 2, "depth": 1}


@pytest.fixture(autouse=True)
def little(tmp_path, monkeypatch):
    """A little ECHO of any rate by the name "little", and its weights where the program looks for them."""
    backbone = Backbone(
        name="little", filename="little.pt", family="echo", settings=SETTINGS, embedding_size=112
    )
    monkeypatch.setitem(registry._BACKBONES, "little", backbone)
    folder = tmp_path / "weights"
    folder.mkdir()
    torch.save(seeded_state_dict(ECHO(16_000, **SETTINGS).state_dict()), folder / "little.pt")
    monkeypatch.setenv("SKAUDIO_AD_WEIGHTS", str(folder))
    return backbone


@pytest.fixture
def at_8_khz(write_wavs, tmp_path):
    write_wavs([3000, 3200, 3100, 2900], sample_rate=8000)
    return tmp_path


def test_a_backbone_of_any_rate_embeds_and_trains_at_the_rate_of_the_recordings(run, at_8_khz, tmp_path):
    paths = sorted(map(str, at_8_khz.glob("*.wav")))
    result = run("embed", *paths, "-o", tmp_path / "t.npz", "--backbone", "little", "--level", "none")
    assert result.exit_code == 0, result.output
    with np.load(tmp_path / "t.npz") as table:
        made, settings = table["embeddings"], json.loads(str(table["settings"]))
    assert settings["sample_rate"] == 8000
    expected = ECHOEmbedding("little", sample_rate=8000).transform(paths)
    assert expected.shape == (4, 4 * 16)
    np.testing.assert_allclose(made, expected, atol=1e-5)
    result = run("fit", *paths, "-o", tmp_path / "d.skops", "--backbone", "little")
    assert result.exit_code == 0, result.output
    detector = load_detector(tmp_path / "d.skops")
    assert detector["load"].sample_rate == detector["embed"].sample_rate == 8000
    assert np.isfinite(detector.score_samples(paths)).all()


def test_the_option_sets_another_rate(run, at_8_khz, tmp_path):
    paths = sorted(at_8_khz.glob("*.wav"))
    common = ("--backbone", "little", "--sample-rate", 4000)
    assert run("embed", *paths, "-o", tmp_path / "t.npz", *common).exit_code == 0
    with np.load(tmp_path / "t.npz") as table:
        assert table["embeddings"].shape == (4, 2 * 16)
    assert run("fit", *paths, "-o", tmp_path / "d.skops", *common).exit_code == 0
    assert load_detector(tmp_path / "d.skops")["load"].sample_rate == 4000


def test_recordings_of_several_rates_need_the_option(run, write_wavs, tmp_path):
    (low,) = write_wavs([3000], sample_rate=8000)
    paths = [Path(low).rename(tmp_path / "low.wav"), *write_wavs([3000], sample_rate=16_000)]
    for command, file in (("embed", "t.npz"), ("fit", "d.skops")):
        result = run(command, *paths, "-o", tmp_path / file, "--backbone", "little")
        assert result.exit_code == 2
        message = " ".join(result.stderr.split())
        assert "the recordings do not share one (1 with 8000 Hz, 1 with 16000 Hz): give the rate" in message


def test_a_backbone_of_one_rate_refuses_another(run, at_8_khz, tmp_path):
    for command, file in (("embed", "t.npz"), ("fit", "d.skops")):
        result = run(command, at_8_khz, "-o", tmp_path / file, "--sample-rate", 8000)
        assert result.exit_code == 2
        assert "mini takes recordings at 32000 Hz only, got 8000" in " ".join(result.stderr.split())


def test_make_detector_needs_a_rate_for_a_backbone_of_any_rate_and_takes_no_other_for_the_rest(little):
    detector = make_detector("little", sample_rate=8000)
    assert isinstance(detector["embed"], ECHOEmbedding)
    assert detector["load"].sample_rate == detector["embed"].sample_rate == 8000
    with pytest.raises(ValueError, match="takes any sample rate: set sample_rate, in hertz"):
        make_detector("little")
    with pytest.raises(ValueError, match="sample_rate must be 32000 for the backbone 'mini', got 8000"):
        make_detector("mini", sample_rate=8000)
    assert make_detector("mini", sample_rate=32_000)["load"].sample_rate == 32_000
