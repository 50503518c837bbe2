import json
import math
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from scipy.stats import poisson

from skaudio_ad.monitoring import AlarmCalibration, calibrate_alarms, hours_for
from skaudio_ad.monitoring._calibration import calibrate_scores
from skaudio_ad.monitoring._event_rate import find_dispersion, largest_accepted, upper_bound
from skaudio_ad.monitoring._replay import Replay
from skaudio_ad.recordings import AlarmPolicy, check_recordings, find_events

from .stand_ins import RATE, loud_detector

NAN = float("nan")


def hours_of_sound(hours, depths, hop=10.0, seed=0):
    """Scores around 0, and single windows at the given depths, spread evenly over the recording."""
    n_windows = round(hours * 3600 / hop)
    scores = np.random.default_rng(seed).uniform(-1, 1, n_windows)
    if len(depths):
        scores[((np.arange(len(depths)) + 0.5) * n_windows / len(depths)).astype(int)] = depths
    return np.arange(n_windows) * hop, scores


@pytest.mark.parametrize("n_events", [0, 1, 5, 40])
def test_the_upper_bound_is_that_of_garwood(n_events):
    # At the bound, so few events have the probability 1 - confidence.
    assert poisson.cdf(n_events, upper_bound(n_events, 0.95)) == pytest.approx(0.05)
    assert poisson.cdf(n_events, upper_bound(3 * n_events, 0.9, dispersion=3.0) / 3) == pytest.approx(0.1)


def test_the_hours_for_no_event_are_minus_the_logarithm_of_the_risk():
    assert hours_for(2.0, 0.95) == pytest.approx(-math.log(0.05) * 24 / 2)
    assert hours_for(1.0, 0.95, n_events=1) == pytest.approx(4.7439 * 24, rel=1e-4)
    with pytest.raises(ValueError, match="events_per_day must"):
        hours_for(0.0)


def test_levels_are_accepted_up_to_the_first_one_that_fails():
    bound = upper_bound(2, 0.95)
    assert largest_accepted([0, 1, 2, 3, 0], bound, 0.95, 1.0) == 2
    assert largest_accepted([3, 0], bound, 0.95, 1.0) == -1


def test_clusters_are_told_from_independent_events():
    rng = np.random.default_rng(0)
    hours = np.ones(200)
    found = [find_dispersion(rng.poisson(0.15, 200), hours) for _ in range(40)]
    assert np.mean(np.array(found) > 1) <= 0.15
    assert find_dispersion(3 * rng.poisson(0.1, 200), hours) == pytest.approx(3, abs=1)
    assert find_dispersion([5], [1.0]) == find_dispersion([0, 0], [1.0, 1.0]) == 1.0


@pytest.mark.parametrize("shape", [{}, {"n_raise": 2}, {"min_duration": 25.0, "refractory": 0.0}])
def test_a_replay_counts_the_events_of_every_recording_at_every_level(shape):
    rng = np.random.default_rng(1)
    recordings = []
    for n_windows in (400, 1, 150):
        scores = np.round(rng.normal(size=n_windows), 1)
        scores[rng.random(n_windows) < 0.05] = NAN
        recordings.append((np.arange(n_windows) * 10.0, scores))
    replay = Replay(recordings, 20.0, 10.0, 0.2, shape)
    for level in replay.levels[::5]:
        policy = AlarmPolicy(level, 0.2, **shape)
        expected = [find_events(times, times + 20, scores, policy) for times, scores in recordings]
        assert replay.find(level) == [[event.start for event in events] for events in expected]
    n_windows = sum(np.count_nonzero(~np.isnan(scores)) for _, scores in recordings)
    lost = {0: 0, 1: 3}[int("n_raise" in shape or "min_duration" in shape)]
    assert replay.hours == pytest.approx((n_windows - lost) * 10 / 3600)


def test_the_level_is_the_highest_one_that_keeps_the_promise():
    # Ten days allow ten events a day of the wish 1, and Garwood's bound of 4 events is 9.15, that of 5 is 10.5.
    depths = np.linspace(-12, -3, 10)
    found = calibrate_scores([hours_of_sound(240, depths)], 10.0, 10.0)
    assert upper_bound(4, 0.95) < 10 < upper_bound(5, 0.95)
    assert (found.n_events, found.policy.raise_level) == (4, pytest.approx(depths[4]))
    assert (found.events_per_day, found.hours) == (1.0, pytest.approx(240))
    assert found.is_enough
    assert found.policy.clear_level == pytest.approx(-0.6, abs=0.02)
    assert "At most 1 false event(s) per day with 95 % confidence, from 240 hours" in found.statement
    stricter = calibrate_scores([hours_of_sound(240, depths)], 10.0, 10.0, events_per_day=0.5)
    assert stricter.n_events == 1
    laxer = calibrate_scores([hours_of_sound(1, depths)], 10.0, 10.0, events_per_day=1e5)
    assert laxer.policy.raise_level == laxer.policy.clear_level


def test_too_few_hours_promise_no_more_than_they_support():
    found = calibrate_scores([hours_of_sound(6, [-5.0])], 10.0, 10.0)
    assert (found.n_events, found.policy.raise_level, found.is_enough) == (0, -5.0, False)
    assert found.events_per_day == pytest.approx(-math.log(0.05) * 24 / 6)
    assert found.hours_needed == pytest.approx(-math.log(0.05) * 24)
    assert "At most 12 false event(s) per day" in found.statement
    assert "1 per day takes 71.9 hours without an event" in found.statement
    seconds = [(np.arange(4) * 10.0, np.zeros(4))]
    often = calibrate_scores(
        seconds, 10.0, 10.0, shape={"refractory": 0.0}
    ).statement  # -ln(0.05) x 86400 / 40
    assert often.startswith(
        "At most 6471 false event(s) per day with 95 % confidence, because 40 seconds of normal"
    )
    # An event and its refractory time take 70 s, so a day has room for 1234.3 events.
    assert calibrate_scores(seconds, 10.0, 10.0).statement.startswith("At most 1235 false event(s) per day")


def test_an_extrapolated_level_is_stricter_and_says_that_nothing_is_promised():
    rng = np.random.default_rng(0)
    recording = np.arange(4320) * 10.0, -rng.exponential(size=4320)
    plain = calibrate_scores([recording], 10.0, 10.0, shape={"refractory": 0.0})
    found = calibrate_scores([recording], 10.0, 10.0, extrapolate=True, shape={"refractory": 0.0})
    assert (found.extrapolated, plain.extrapolated) == (True, False)
    assert "extrapolated and not promised" in found.statement
    # One of 8640 windows of a day is lower than -log(8640).
    assert found.policy.raise_level == pytest.approx(-math.log(8640), abs=1.5)
    assert found.policy.raise_level <= plain.policy.raise_level
    enough = calibrate_scores([recording], 10.0, 10.0, extrapolate=True, events_per_day=20)
    assert not enough.extrapolated
    with pytest.raises(ValueError, match="are needed to extrapolate"):
        calibrate_scores([hours_of_sound(0.1, [])], 10.0, 10.0, extrapolate=True)


def test_events_in_clusters_need_more_hours():
    quiet = [hours_of_sound(24, [], seed=seed) for seed in range(10)]
    for day in (2, 7):  # two days with twelve events within an hour
        quiet[day][1][::30][:12] = -5.0 - np.arange(12) / 10
    found = calibrate_scores(quiet, 10.0, 10.0)
    assert found.dispersion > 5
    assert found.hours_needed > 5 * 72
    assert "clusters" in found.statement


def test_no_event_spans_two_recordings_and_short_recordings_count_by_windows():
    recordings = [(np.array([0.0]), np.array([score])) for score in [*np.linspace(0, 1, 719), -9.0]]
    found = calibrate_scores(recordings, 10.0, 5.0)
    assert found.hours == pytest.approx(1.0)
    with pytest.raises(ValueError, match="no window could raise an alarm"):
        calibrate_scores(recordings, 10.0, 5.0, shape={"n_raise": 2})


def test_windows_without_a_score_are_no_hours():
    times, scores = hours_of_sound(2, [])
    scores[::2] = NAN
    with pytest.warns(UserWarning, match="360 of 720 windows have no score"):
        found = calibrate_scores([(times, scores)], 10.0, 10.0)
    assert found.hours == pytest.approx(1.0)
    assert np.isfinite(found.scores).all()
    silent = [(times, np.full(720, NAN))]
    with (
        pytest.warns(UserWarning, match="have no score"),
        pytest.raises(ValueError, match="no window of the recordings"),
    ):
        calibrate_scores(silent, 10.0, 10.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("hours")
    rng = np.random.default_rng(0)
    for number in range(3):
        samples = rng.uniform(-0.2, 0.2, 60 * RATE).astype(np.float32)
        samples[20_000 + 100 * number] = 0.3 + number / 10
        soundfile.write(made / f"{number}.wav", samples, RATE, subtype="FLOAT")
    return made


@pytest.fixture(scope="module")
def made(folder):
    return calibrate_alarms(loud_detector(), sorted(folder.glob("*.wav")), events_per_day=2000)


def test_recordings_are_scored_window_by_window(made, folder):
    assert (made.window, made.hop) == (1.0, 0.5)
    assert made.hours == pytest.approx(3 * 119 * 0.5 / 3600)
    assert len(made.scores) == 3 * 60
    assert made.scores.min() == pytest.approx(-0.5)
    assert made.recordings == tuple(str(folder / f"{number}.wav") for number in range(3))
    # The bound of one event in 178.5 s is 2296 a day, so the level is that of the loudest sound.
    assert (made.n_events, made.is_enough) == (0, True)
    assert made.policy.raise_level == pytest.approx(-0.5)


@pytest.mark.parametrize("max_duration", [600.0, np.inf])
def test_a_saved_calibration_is_the_same_after_loading(made, tmp_path, max_duration):
    made = replace(made, policy=replace(made.policy, max_duration=max_duration))
    made.save(tmp_path / "alarm.json")
    loaded = AlarmCalibration.load(tmp_path / "alarm.json")
    assert loaded.statement == made.statement
    assert (loaded.policy, loaded.detector_key) == (made.policy, made.detector_key)
    np.testing.assert_array_equal(loaded.scores, made.scores)


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts.update(format="other"),
        lambda facts: facts.pop("hours"),
        lambda facts: facts["policy"].update(raise_level=None),
        lambda facts: facts.update(scores=[[1.0]]),
        lambda facts: facts.update(hop=-1),
    ],
)
def test_a_file_that_is_no_calibration_is_refused_by_name(made, tmp_path, change):
    path = tmp_path / "alarm.json"
    made.save(path)
    facts = json.loads(path.read_text())
    change(facts)
    path.write_text(json.dumps(facts))
    with pytest.raises(ValueError, match=r"alarm\.json: .* calibrate again"):
        AlarmCalibration.load(path)
    path.write_bytes(b"\xff\x00")
    with pytest.raises(ValueError, match="is no calibration"):
        AlarmCalibration.load(path)


def test_recordings_of_the_training_copies_and_unreadable_files_are_refused(folder, tmp_path):
    detector, paths = loud_detector(), sorted(folder.glob("*.wav"))
    digests = [row.digest[:16] for row in check_recordings(paths[:1]).recordings]
    with pytest.raises(ValueError, match=r"1 of 3 recordings are in the training set.*0\.wav"):
        calibrate_alarms(detector, paths, training_digests=digests)
    copy = tmp_path / "copy.wav"
    copy.write_bytes(paths[1].read_bytes())
    with pytest.raises(ValueError, match=r"copy\.wav: has the same samples as .*1\.wav"):
        calibrate_alarms(detector, [*paths, copy])
    copy.write_bytes(b"no sound")
    with pytest.raises(ValueError, match=r"copy\.wav: .*Leave the recording out"):
        calibrate_alarms(detector, [*paths, copy])
    with pytest.raises(ValueError, match="got none"):
        calibrate_alarms(detector, [])
