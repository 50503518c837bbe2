"""Tests that the contenders of the log-mel benchmark compute the same values."""

import csv

import numpy as np
import pytest

from benchmarks.speed import mel
from skaudio_ad.features import MelTransformer, MFCCTransformer


@pytest.fixture
def clip():
    return np.random.default_rng(0).normal(scale=0.1, size=8000).astype(np.float32)


@pytest.mark.parametrize(
    "function",
    [
        mel.librosa_log_mel_with_kept_filters,
        mel.torchaudio_log_mel,
        mel.stft_log_mel,
        lambda: MelTransformer()._function(),
    ],
)
def test_log_mel_contenders_equal_librosa(function, clip):
    np.testing.assert_allclose(function()(clip), mel.librosa_log_mel(clip), rtol=0, atol=5e-3)


def test_cepstral_contenders_equal_librosa(clip):
    np.testing.assert_allclose(MFCCTransformer()._function()(clip), mel.librosa_mfcc(clip), rtol=0, atol=5e-3)


def test_the_report_says_how_far_contenders_are_from_librosa(tmp_path):
    mel.main(["--clips", "2", "--seconds", "1", "--repeats", "1", "--output", str(tmp_path)])
    with open(tmp_path / "mel-log_mel_on_one_thread.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    difference = {row["contender"]: float(row["largest difference from librosa, dB"]) for row in rows}
    assert set(difference) == {
        "librosa",
        "librosa, filter bank kept",
        "skaudio_ad",
        "torchaudio",
        "torch.stft",
    }
    assert difference.pop("librosa") == 0
    assert max(difference.values()) < 5e-3
