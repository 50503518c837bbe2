"""Tests that the memory benchmark measures the peak, and pools librosa's features."""

import contextlib
import csv
import io
import mmap
import subprocess
from pathlib import Path
from types import SimpleNamespace

import librosa
import pytest
import soundfile

from benchmarks._peak_memory import peak, reset_peak
from benchmarks.speed import memory


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux has a peak to reset")
def test_the_peak_includes_freed_memory_until_the_reset():
    before = reset_peak()
    with mmap.mmap(
        -1, 200_000_000
    ) as block:  # memory from the system, because an array may reuse memory of a library
        for _ in range(200):
            block.write(bytes(1_000_000))
    assert peak() - before == pytest.approx(200, abs=20)
    assert peak() - reset_peak() == pytest.approx(200, abs=20)
    assert peak() - reset_peak() == pytest.approx(0, abs=20)


def run_here(command, **settings):
    """Do in this process what a new process would do, because each new process imports torch for seconds."""
    if "lazy=True" in command:  # one real process, so that the command line is run as it is written
        return run_there(command, **settings)
    assert command[1:3] == ["-m", "benchmarks.speed.memory"]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        memory.main(command[3:])
    return SimpleNamespace(stdout=printed.getvalue())


run_there = subprocess.run


@pytest.mark.filterwarnings("ignore:.* has random weights")
def test_lazy_or_not_the_report_sums_librosa_s_features(tmp_path, monkeypatch):
    monkeypatch.setattr(memory.subprocess, "run", run_here)
    memory.main(["--clips", "12", "--embedded", "20", "--output", str(tmp_path)])
    with open(tmp_path / "memory-peak_memory_of_files_to_pooled_log_mel_features.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    folder = tmp_path / "clips"
    folder.mkdir()
    expected = 0.0
    for path in memory.write_noise(folder, 12):
        samples, rate = soundfile.read(path, dtype="float32")
        power = librosa.feature.melspectrogram(y=samples, sr=rate, n_fft=1024, hop_length=512, n_mels=128)
        decibels = librosa.power_to_db(power, top_db=None)
        expected += decibels.mean(axis=1).sum() + decibels.std(axis=1).sum()
    assert [row["MelTransformer"] for row in rows] == ["lazy=True", "lazy=False"]
    for row in rows:
        assert float(row["sum of the output"]) == pytest.approx(expected, rel=1e-4)
    with open(tmp_path / "memory-peak_memory_of_files_to_embeddings.csv", newline="") as file:
        assert [row["clips"] for row in csv.DictReader(file)] == ["2", "20"]
