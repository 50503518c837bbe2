"""Tests that the contenders of the decoding benchmark read the same samples."""

import csv

import numpy as np
import pytest

from benchmarks.speed import decoding

# librosa.load imports audioread, which imports modules that Python 3.13 removes.
pytestmark = pytest.mark.filterwarnings("ignore:.*slated for removal:DeprecationWarning")


@pytest.mark.parametrize("name", decoding.FORMATS)
def test_contenders_equal_librosa(name, tmp_path):
    path = decoding.write_files(tmp_path, 1, 1.0)[name][0]
    expected = decoding.load_librosa(path)
    assert expected.std() > 1e-3
    np.testing.assert_allclose(decoding.load_skaudio_ad(path), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(decoding.load_bare(path), expected, rtol=0, atol=1e-6)


def test_the_report_covers_every_format(tmp_path):
    decoding.main(["--files", "1", "--seconds", "1", "--repeats", "1", "--output", str(tmp_path)])
    with open(tmp_path / "decoding-decoding_to_16000_hz_mono_in_one_thread.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["format"] for row in rows] == [name for name in decoding.FORMATS for _ in range(3)]
    assert max(float(row["largest difference from librosa"]) for row in rows) < 1e-6
