from functools import cache

import numpy as np
import pytest
import soundfile as sf
from scipy.io import wavfile
from scipy.signal import butter, hilbert, sosfiltfilt, stft
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from skaudio_ad.datasets import make_machine_sounds

MACHINES = ("fan", "pump", "slider", "valve")
FAULTS = {
    "fan": ("imbalance", "bearing", "obstruction", "loose_mount"),
    "pump": ("cavitation", "leak", "bearing", "clogging"),
    "slider": ("rail_damage", "dry_rail", "loose_belt"),
    "valve": ("leak", "sticking", "bounce", "contamination"),
}


def power_spectrum(waveform, sample_rate):
    power = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform)))) ** 2
    return np.fft.rfftfreq(len(waveform), 1 / sample_rate), power


def prominence(waveform, sample_rate, frequency):
    """Return the peak within 1 % of a frequency, divided by the median of the spectrum within 25 % of the frequency."""
    frequencies, power = power_spectrum(waveform, sample_rate)
    near = np.abs(frequencies / frequency - 1) < 0.01
    around = np.abs(frequencies / frequency - 1) < 0.25
    return power[near].max() / np.median(power[around])


def log_spectrum_statistics(waveforms, sample_rate):
    """Return mean and standard deviation over time of the log power in 40 bands of level-normalised clips."""
    waveforms = waveforms / np.sqrt(np.mean(waveforms**2, axis=1, keepdims=True))
    frequencies, _, spectrum = stft(waveforms, sample_rate, nperseg=1024, noverlap=512)
    edges = np.searchsorted(frequencies, np.geomspace(40, sample_rate / 2, 41))
    edges = np.maximum.accumulate(np.maximum(edges, np.arange(41) + 1))
    bands = np.log(np.add.reduceat(np.abs(spectrum) ** 2, edges[:-1], axis=1) + 1e-9)
    return np.hstack([bands.mean(axis=-1), bands.std(axis=-1)])


class Measured:
    """Keep what the tests ask of clips of one kind, because their waveforms would take much memory."""

    def __init__(self, sounds):
        self.features = log_spectrum_statistics(sounds.waveforms, sounds.sample_rate)
        self.level = np.sqrt(np.mean(sounds.waveforms**2, axis=1))
        self.peak = np.abs(sounds.waveforms).max()
        self.stated = sounds.metadata["level"]


@cache
def normal_clips(machine):
    return Measured(make_machine_sounds(104, 0, machine=machine, random_state=7))


@cache
def anomalous_clips(machine, severity):
    return Measured(make_machine_sounds(0, 60, machine=machine, severity=severity, random_state=7))


def detection_auc(machine, severity):
    normal, anomalous = normal_clips(machine).features, anomalous_clips(machine, severity).features
    scaler = StandardScaler().fit(normal[:64])
    neighbors = NearestNeighbors(n_neighbors=1).fit(scaler.transform(normal[:64]))
    distances = neighbors.kneighbors(scaler.transform(np.concatenate([normal[64:], anomalous])))[0][:, 0]
    return roc_auc_score(np.repeat([0, 1], [40, 60]), distances)


@pytest.mark.parametrize("machine", MACHINES)
def test_clips_are_as_documented_and_normal_clips_come_first(machine):
    sounds = make_machine_sounds(3, 5, machine=machine, duration=1.5, sample_rate=16000, random_state=0)
    assert sounds.waveforms.shape == (8, 24000)
    assert sounds.waveforms.dtype == np.float32
    assert np.abs(sounds.waveforms).max() <= 1
    assert np.isfinite(sounds.waveforms).all()
    assert sounds.target.tolist() == [1] * 3 + [-1] * 5
    assert sounds.paths is None
    assert (sounds.sample_rate, sounds.machine) == (16000, machine)
    assert machine in sounds.DESCR
    assert sounds.metadata["fault"].tolist() == ["none"] * 3 + [
        FAULTS[machine][i % len(FAULTS[machine])] for i in range(5)
    ]
    assert (sounds.metadata["severity"][:3] == 0).all()
    assert all(len(values) == 8 for values in sounds.metadata.values())


@pytest.mark.parametrize(("machine", "fault"), [(m, f) for m in MACHINES for f in FAULTS[m]])
def test_every_fault_can_be_made_at_the_lowest_sample_rate(machine, fault):
    sounds = make_machine_sounds(
        0, 2, machine=machine, fault=fault, severity=0.5, duration=1, sample_rate=8000, random_state=0
    )
    assert sounds.waveforms.shape == (2, 8000)
    assert np.isfinite(sounds.waveforms).all()
    assert sounds.metadata["fault"].tolist() == [fault, fault]
    assert sounds.metadata["severity"].tolist() == [0.5, 0.5]


def test_the_same_seed_makes_the_same_clips_and_another_seed_makes_others():
    first, again, other = (make_machine_sounds(2, 2, duration=1, random_state=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.waveforms, again.waveforms)
    assert (np.abs(first.waveforms - other.waveforms).max(axis=1) > 1e-3).all()
    state = make_machine_sounds(2, 2, duration=1, random_state=np.random.RandomState(3))
    np.testing.assert_array_equal(first.waveforms, state.waveforms)


def test_a_clip_does_not_depend_on_the_number_of_clips():
    many = make_machine_sounds(6, 7, machine="pump", duration=1, random_state=5)
    few = make_machine_sounds(2, 3, machine="pump", duration=1, random_state=5)
    np.testing.assert_array_equal(many.waveforms[:2], few.waveforms[:2])
    np.testing.assert_array_equal(many.waveforms[6:9], few.waveforms[2:])
    np.testing.assert_array_equal(many.metadata["severity"][6:9], few.metadata["severity"][2:])


def test_clips_of_one_set_all_differ():
    sounds = make_machine_sounds(4, 4, duration=1, random_state=0)
    correlation = np.corrcoef(sounds.waveforms) - np.eye(8)
    assert np.abs(correlation).max() < 0.9
    assert len(np.unique(sounds.metadata["speed"])) == 8


def test_a_seeded_call_leaves_the_global_generator_as_it_was():
    before = np.random.get_state()[1:3]  # noqa: NPY002
    make_machine_sounds(1, 1, duration=1, random_state=0)
    after = np.random.get_state()[1:3]  # noqa: NPY002
    np.testing.assert_array_equal(before[0], after[0])
    assert before[1] == after[1]


def test_mixed_severity_is_spread_evenly_from_obvious_to_subtle_for_every_fault():
    metadata = make_machine_sounds(0, 80, machine="fan", duration=1, random_state=0).metadata
    assert metadata["severity"][0] == 1.0
    assert metadata["severity"].min() > 0.1
    for fault in FAULTS["fan"]:
        ordered = np.sort(metadata["severity"][metadata["fault"] == fault])
        assert len(ordered) == 20
        assert ordered[0] < 0.2
        assert ordered[-1] > 0.9
        assert np.diff(ordered).max() < 0.09  # twice the gap of an even spacing of 0.9 over 20


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_fan_has_lines_at_the_harmonics_of_its_blade_pass_frequency(order):
    sounds = make_machine_sounds(3, 0, machine="fan", duration=4, snr=np.inf, random_state=0)
    for waveform, speed in zip(sounds.waveforms, sounds.metadata["speed"]):
        # A Gaussian band of 100 bins has a peak of about 10 times its median, so a line must be well above.
        assert prominence(waveform, sounds.sample_rate, 7 * order * speed) > 50


def test_a_pump_has_a_line_at_its_vane_pass_frequency_but_not_next_to_it():
    sounds = make_machine_sounds(3, 0, machine="pump", duration=4, snr=np.inf, random_state=0)
    for waveform, speed in zip(sounds.waveforms, sounds.metadata["speed"]):
        assert prominence(waveform, sounds.sample_rate, 6 * speed) > 50
        beside = prominence(waveform, sounds.sample_rate, 6.5 * speed)
        assert prominence(waveform, sounds.sample_rate, 6 * speed) > 10 * beside


@pytest.mark.parametrize(("machine", "order"), [("fan", 3.6), ("pump", 3.2)])
def test_a_bearing_fault_shows_at_its_defect_frequency_in_the_envelope_spectrum(machine, order):
    sounds = make_machine_sounds(
        4, 4, machine=machine, fault="bearing", severity=1.0, duration=4, random_state=0
    )
    band = butter(4, [2000, 4000], "bandpass", fs=sounds.sample_rate, output="sos")
    for waveform, speed, target in zip(sounds.waveforms, sounds.metadata["speed"], sounds.target):
        envelope = np.abs(hilbert(sosfiltfilt(band, waveform)))
        peak = prominence(envelope - envelope.mean(), sounds.sample_rate, order * speed)
        assert peak > 60 if target == -1 else peak < 30


def test_a_valve_clicks_twice_per_actuation():
    sounds = make_machine_sounds(3, 0, machine="valve", duration=4, snr=np.inf, random_state=1)
    for waveform, speed in zip(sounds.waveforms, sounds.metadata["speed"]):
        blocks = np.abs(waveform[: len(waveform) // 160 * 160]).reshape(-1, 160).max(axis=1)  # 10 ms each
        loud = blocks > 0.25 * blocks.max()
        # The valve stays open for 130 ms, so loud blocks within 50 ms are one click.
        onsets = np.sum(np.diff(np.flatnonzero(loud), prepend=-100) > 5)
        assert 2 * 4 * speed - 3 <= onsets <= 2 * 4 * speed + 3


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("snr", [6.0, -6.0])
def test_the_measured_signal_to_noise_ratio_is_the_requested_ratio(machine, snr):
    settings = {"machine": machine, "duration": 2, "random_state": 2}
    noisy = make_machine_sounds(2, 2, snr=snr, **settings)
    clean = make_machine_sounds(2, 2, snr=np.inf, **settings)
    assert (noisy.metadata["snr"] == snr).all()
    for mixture, machine_part in zip(noisy.waveforms.astype(float), clean.waveforms.astype(float)):
        # The same seed gives the same machine with another gain. A projection removes the machine from the mixture.
        gain = mixture @ machine_part / (machine_part @ machine_part)
        noise = mixture - gain * machine_part
        power_ratio = gain**2 * np.sum(machine_part**2) / np.sum(noise**2)
        assert 10 * np.log10(power_ratio) == pytest.approx(snr, abs=0.7)


def test_signal_to_noise_ratios_are_drawn_evenly_from_a_range():
    snr = make_machine_sounds(60, 0, duration=1, snr=(-6, 6), random_state=0).metadata["snr"]
    assert -6 <= snr.min() < -4
    assert 4 < snr.max() <= 6
    assert abs(snr.mean()) < 1.5


@pytest.mark.parametrize("machine", MACHINES)
def test_loudness_and_peaks_alone_do_not_reveal_an_anomaly(machine):
    normal, anomalous = normal_clips(machine), anomalous_clips(machine, 1.0)
    levels = np.concatenate([normal.level, anomalous.level])
    assert 0.35 < roc_auc_score(np.repeat([0, 1], [104, 60]), levels) < 0.65
    for clips in (normal, anomalous):
        np.testing.assert_allclose(20 * np.log10(clips.level), clips.stated, atol=0.01)
        assert clips.peak < 1.0  # nothing is clipped


@pytest.mark.parametrize("machine", MACHINES)
def test_a_classical_detector_finds_obvious_faults_but_few_subtle_faults(machine):
    obvious, subtle = detection_auc(machine, 1.0), detection_auc(machine, 0.1)
    assert obvious > 0.9
    assert 0.35 < subtle < 0.8
    assert obvious - subtle > 0.2


@pytest.mark.parametrize("machine", MACHINES)
def test_mixed_faults_are_neither_trivial_nor_impossible_to_find(machine):
    assert 0.75 < detection_auc(machine, "mixed") < 0.98


def test_written_clips_equal_the_returned_clips_up_to_sixteen_bits(tmp_path):
    settings = {"machine": "valve", "duration": 1, "random_state": 0}
    held = make_machine_sounds(3, 2, **settings)
    written = make_machine_sounds(3, 2, output_dir=tmp_path / "set", **settings)
    assert written.waveforms is None
    np.testing.assert_array_equal(written.target, held.target)
    assert written.paths == [
        *(str(tmp_path / "set" / "normal" / f"valve_00000{i}.wav") for i in range(3)),
        str(tmp_path / "set" / "anomalous" / "valve_000000_leak.wav"),
        str(tmp_path / "set" / "anomalous" / "valve_000001_sticking.wav"),
    ]
    for path, waveform in zip(written.paths, held.waveforms):
        assert sf.info(path).subtype == "PCM_16"
        read, sample_rate = sf.read(path)
        assert sample_rate == 16000
        np.testing.assert_allclose(read, waveform, atol=0.5001 / 32768)


def test_a_set_overwrites_its_own_files_and_refuses_other_files(tmp_path):
    settings = {"machine": "fan", "duration": 1, "output_dir": tmp_path}
    make_machine_sounds(2, 1, random_state=0, **settings)
    again = make_machine_sounds(2, 1, random_state=1, **settings)
    fresh = make_machine_sounds(1, 0, machine="fan", duration=1, random_state=1)
    np.testing.assert_allclose(sf.read(again.paths[0])[0], fresh.waveforms[0], atol=1e-4)
    with pytest.raises(FileExistsError, match=r"fan_000001\.wav'\. Empty the folder or name a new one"):
        make_machine_sounds(1, 1, random_state=0, **settings)


def test_an_interrupted_set_has_no_half_written_file_and_can_be_made_again(tmp_path, monkeypatch):
    settings = {"machine": "fan", "duration": 1, "output_dir": tmp_path, "random_state": 0}
    write = wavfile.write

    def interrupted(path, rate, data):
        write(path, rate, data[:100])
        if "_000001" in str(path):
            raise KeyboardInterrupt

    monkeypatch.setattr(wavfile, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_machine_sounds(3, 0, **settings)
    assert [path.name for path in (tmp_path / "normal").iterdir()] == ["fan_000000.wav"]
    (tmp_path / "normal" / ".fan_000001.wav.0.part").touch()  # a killed run leaves such a file
    monkeypatch.undo()
    assert len(sf.read(make_machine_sounds(3, 0, **settings).paths[1])[0]) == 16000


def test_either_kind_alone_can_be_made():
    assert make_machine_sounds(0, 2, duration=1).target.tolist() == [-1, -1]
    assert make_machine_sounds(2, 0, duration=1).target.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"machine": "lathe"}, ValueError, r"Unknown machine 'lathe'; known ones: fan, pump, slider, valve"),
        (
            {"fault": "rust"},
            ValueError,
            r"Unknown fault 'rust' of a fan; known ones: imbalance, bearing, obs",
        ),
        ({"machine": "slider", "fault": "bearing"}, ValueError, r"Unknown fault 'bearing' of a slider"),
        ({"n_normal": -1}, ValueError, r"n_normal must not be negative, got -1"),
        ({"n_anomalous": 2.5}, TypeError, r"n_anomalous must be an integer, got 2\.5"),
        ({"n_normal": 0, "n_anomalous": 0}, ValueError, r"must not both be 0"),
        ({"severity": 0}, ValueError, r"severity must lie in the range \(0, 1\], got 0"),
        ({"severity": 1.5}, ValueError, r"severity must lie in the range \(0, 1\], got 1\.5"),
        ({"severity": "high"}, TypeError, r"severity must be a number or 'mixed', got 'high'"),
        ({"snr": "low"}, TypeError, r"snr must be a number of dB or a pair"),
        ({"snr": (6, 0)}, ValueError, r"low <= high, got \(6, 0\)"),
        ({"snr": np.nan}, ValueError, r"got nan"),
        ({"duration": 0}, ValueError, r"duration must be finite and at least 1\.0 s.*got 0"),
        ({"duration": "2"}, TypeError, r"duration must be a number of seconds, got '2'"),
        ({"sample_rate": 4000}, ValueError, r"sample_rate must be at least 8000 Hz.*got 4000"),
        ({"sample_rate": 16000.0}, TypeError, r"sample_rate must be an integer number of Hz"),
    ],
)
def test_a_wrong_argument_is_named_with_the_rule(arguments, error, message):
    with pytest.raises(error, match=message):
        make_machine_sounds(**({"n_normal": 1, "n_anomalous": 1, "duration": 1} | arguments))


def test_the_summary_names_what_there_is_and_prints_no_array(tmp_path):
    sounds = make_machine_sounds(3, 2, machine="pump", duration=1.0, random_state=0)
    assert repr(sounds) == (
        "<pump sounds: 5 clips of 1 s at 16000 Hz, 3 normal, 2 anomalous (cavitation, leak); entries: waveforms, "
        "target, sample_rate, machine, metadata, paths, DESCR>"
    )
    assert "5 clips of 1 s" in sounds._repr_html_()
    written = make_machine_sounds(1, 0, machine="fan", duration=1.0, output_dir=tmp_path, random_state=0)
    assert repr(written).startswith("<fan sounds: 1 clips at 16000 Hz, 1 normal, 0 anomalous; entries")
