"""The benchmark of the default detector beside its peers."""

import matplotlib.image
import numpy as np

from benchmarks.detection import overview
from skaudio_ad.datasets import make_machine_sounds


def test_every_detector_runs_on_recordings_and_is_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SKAUDIO_AD_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("SKAUDIO_AD_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sounds = make_machine_sounds(
        12, 4, machine="valve", severity=1.0, duration=1.0, output_dir=tmp_path, random_state=0
    )
    y = sounds.target

    def tasks(home):
        yield "valve", sounds.paths, y, np.arange(8), np.arange(8, 16)

    monkeypatch.setattr(overview, "SETS", {"valves": tasks, "absent": absent})
    monkeypatch.setattr(overview, "N_DRAWS", 20)
    arguments = ["--sets", "valves", "absent", "--picture", str(tmp_path / "picture.png")]
    overview.main([*arguments, "--output", str(tmp_path / "results")])
    printed = capsys.readouterr().out
    assert "absent is left out: no such folder" in printed
    rows = [line for line in printed.splitlines() if line.startswith("| mini |")]
    assert len(rows) == 2
    for name in ("log-mel, nearest", "log-mel, SVM", "loudness"):
        assert f"| {name} |" in printed
    assert "| mn04 |" not in printed  # its weights are not on the disk
    assert matplotlib.image.imread(tmp_path / "picture.png").std() > 0.02


def absent(home):
    raise FileNotFoundError("no such folder")
    yield


def test_the_interval_holds_the_mean_of_the_areas():
    rng = np.random.default_rng(0)
    is_normal = np.arange(40) < 20
    tasks = [
        {"is_normal": is_normal, "scores": {"mini": rng.normal(size=40) + 2 * is_normal}} for _ in range(3)
    ]
    mean, low, high = overview.intervals(tasks, n_draws=50)["mini"]
    assert low < mean < high
    assert high - low < 0.2
