"""``skaudio-ad fit --window`` and ``score`` on the windows of long recordings."""

import json

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from skaudio_ad.audio import segment, segment_groups
from skaudio_ad.cli import main
from skaudio_ad.cli._event_rows import clock
from skaudio_ad.cli._fit_windows import cut_recordings
from skaudio_ad.persistence import load_detector, read_metadata
from skaudio_ad.presets import make_detector
from skaudio_ad.recordings import score_recording

RATE = 8000


def hum(seed, duration):
    rng = np.random.default_rng(seed)
    time = np.arange(round(duration * RATE)) / RATE
    return 0.2 * np.sin(2 * np.pi * 300 * time) + 0.02 * rng.normal(size=len(time))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three normal recordings of 6 s, and a new one of 5 s with noise from 2 s to 3 s."""
    folder = tmp_path_factory.mktemp("sounds")
    (folder / "normal").mkdir()
    for seed in range(3):
        soundfile.write(folder / "normal" / f"{seed}.flac", hum(seed, 6), RATE)
    samples = hum(9, 5)
    samples[2 * RATE : 3 * RATE] = 0.2 * np.random.default_rng(9).normal(size=RATE)
    soundfile.write(folder / "new.flac", samples, RATE)
    return folder


def start(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def trained(folder):
    path = folder / "d.skops"
    return path, start("fit", folder / "normal", "-o", path, "--window", 1, "--hop", 0.5)


@pytest.fixture(scope="module")
def expected(folder, trained):
    return score_recording(load_detector(trained[0]), str(folder / "new.flac"))


def test_fit_trains_on_segments_with_the_recordings_as_groups(folder, trained):
    path, result = trained
    assert result.exit_code == 0, result.output
    assert "trained on 3 recording(s) (0.3 minutes), 33 segments of 1 s, backbone mini" in result.stdout
    assert "Note: Every recording is a group of segments: 3 groups." in result.stderr
    training = read_metadata(path)["training"]
    assert (training["window"], training["hop"], training["n_segments"]) == (1, 0.5, 33)
    assert (training["n_recordings"], training["n_groups"], len(training["digests"])) == (3, 3, 3)
    names = segment(sorted(map(str, (folder / "normal").iterdir())), 1, 0.5)
    detector = make_detector(random_state=0).fit(names, groups=segment_groups(names))
    assert load_detector(path)[-1].threshold_ == pytest.approx(detector[-1].threshold_, rel=1e-5)
    assert "33 segments of 1 s, every 0.5 s, 3 groups" in start("info", path).stdout


def test_score_takes_the_windows_of_the_training_and_prints_events(run, folder, trained, expected, rows_of):
    new, windows, events = folder / "new.flac", folder / "windows.csv", folder / "events.csv"
    outputs = (
        "--csv",
        windows,
        "--events-csv",
        events,
        "--plot",
        folder / "pictures",
        "--audacity",
        folder / "labels",
    )
    result = run("score", trained[0], new, *outputs, "--raven", folder / "raven.txt", "--exit-code")
    assert result.exit_code == 3, result.output
    (event,) = expected.events
    header, line = result.stdout.splitlines()
    assert header.split() == ["start", "end", "worst", "score", "p-value", "recording"]
    times = clock(event.start), clock(event.end), clock(event.worst_time)
    assert line.split() == [*times, f"{event.score:.6g}", f"{event.p_value:.2g}", str(new)]
    assert "Summary: 1 event(s) in 1 of 1 recording(s). 9 windows of 1 s, every 0.5 s." in result.stderr
    rows = rows_of(windows)
    np.testing.assert_allclose([float(row["score"]) for row in rows], expected.scores, rtol=1e-6)
    assert [float(row["start_s"]) for row in rows] == expected.times.tolist()
    (row,) = rows_of(events)
    assert (float(row["start_s"]), float(row["end_s"]), row["reason"]) == (
        event.start,
        event.end,
        "normal again",
    )
    assert (folder / "pictures" / "new.png").stat().st_size > 1000
    assert (folder / "labels" / "new.txt").read_text().startswith(f"{event.start:.6f}\t{event.end:.6f}\t")
    assert f"{event.start:.6f}\t{event.end:.6f}" in (folder / "raven.txt").read_text()


def test_json_has_one_object_for_every_recording_and_errors_are_reported(
    run, folder, trained, expected, tmp_path
):
    cut = tmp_path / "cut.flac"
    cut.write_bytes((folder / "new.flac").read_bytes()[:-9000])
    short = tmp_path / "short.flac"
    soundfile.write(short, hum(1, 0.4), RATE)
    result = run("score", trained[0], short, folder / "new.flac", cut, "--json")
    assert result.exit_code == 1
    first, second, third = map(json.loads, result.stdout.splitlines())
    assert "less than one window of 1 s" in first["error"]
    assert second["worst_score"] == pytest.approx(expected.worst.score, rel=1e-5)
    assert second["events"][0]["end_s"] == expected.events[0].end
    assert (second["n_windows"], second["error"]) == (9, "")
    assert "cannot be decoded" in third["error"] or "no audio that can be decoded" in third["error"]
    assert 3 < third["n_windows"] < 9
    assert "Error: 2 recording(s) could not be scored, or not completely" in result.stderr


def test_sort_prints_the_least_normal_event_first(run, folder, trained, tmp_path):
    samples = hum(10, 6)
    for first, level in ((1, 0.05), (4, 0.5)):
        samples[first * RATE : (first + 1) * RATE] += level * np.random.default_rng(9).normal(size=RATE)
    soundfile.write(tmp_path / "two.flac", samples, RATE)
    rows = run("score", trained[0], tmp_path / "two.flac", "--sort").stdout.splitlines()[1:]
    scores = [float(row.split()[3]) for row in rows]
    assert len(scores) == 2
    assert scores == sorted(scores)
    assert run("score", trained[0], tmp_path / "two.flac").stdout.splitlines()[1:] == rows[::-1]


def test_a_detector_of_whole_recordings_scores_windows_when_asked(run, folder, trained, tmp_path):
    path = tmp_path / "whole.skops"
    run("fit", folder / "normal", "-o", path)
    assert run("score", path, folder / "new.flac").stdout.splitlines()[0].split()[0] == "score"
    result = run("score", path, folder / "new.flac", "--hop", 2.5)
    assert result.exit_code == 1
    assert "which is less than one window of 6 s" in result.stderr
    refused = run("score", path, folder / "new.flac", "--window", 1)
    assert refused.exit_code == 1
    assert "trained on clips of 6 s" in refused.stderr
    assert "fit --window 1" in refused.stderr
    assert run("score", path, folder / "new.flac", "--events-csv", tmp_path / "e.csv").exit_code == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hop", 1], "--hop does not apply without --window"),
        (["--window", 1, "--duration", 1], "--duration does not apply with --window"),
    ],
)
def test_options_that_do_not_go_together_are_refused(run, folder, options, message, tmp_path):
    result = run("fit", folder / "normal", "-o", tmp_path / "d.skops", *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_blocks_are_groups_where_there_are_few_recordings(folder, write_wavs):
    paths = sorted(map(str, (folder / "normal").iterdir()))
    cut = cut_recordings(paths[:1], 0.5, None, "raise")
    assert (cut.block, len(set(cut.groups)), len(cut.segments)) == (5, 2, 12)
    assert "every block of 5 s is a group of segments: 2 groups" in cut.describe_groups()
    (long,) = write_wavs([31 * 60 * 100], 100)
    cut = cut_recordings([long], 10, 10, "raise")
    assert (cut.block, len(set(cut.groups)), len(cut.segments)) == (600, 4, 186)
    assert cut_recordings(paths, 2, None, "raise").block is None


def test_a_recording_that_cannot_be_cut_is_left_out_if_asked(folder, tmp_path, capsys):
    paths = sorted(map(str, (folder / "normal").iterdir()))
    soundfile.write(tmp_path / "short.wav", np.ones(100), RATE)
    cut = cut_recordings([str(tmp_path / "short.wav"), *paths], 2, None, "skip")
    assert len(set(cut.groups)) == 3
    assert "left out" in capsys.readouterr().err


def test_times_are_hours_minutes_and_seconds():
    assert [clock(value) for value in (0, 59.96, 3605.25, 90000)] == [
        "0:00:00.0",
        "0:01:00.0",
        "1:00:05.2",
        "25:00:00.0",
    ]
