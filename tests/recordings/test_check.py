"""`check_recordings` finds what would spoil a training set."""

import numpy as np
import pytest
import soundfile
import soxr

from skaudio_ad.recordings import check_recordings
from skaudio_ad.recordings._measure import Measure, find_bandwidth

RATE = 16000


def noise(seed, seconds=2.0):
    """Make noise with a slowly changing spectrum, so that two seeds give two different sounds."""
    rng = np.random.default_rng(seed)
    samples = rng.normal(size=int(seconds * RATE))
    steps = np.repeat(rng.uniform(0.3, 1, size=int(8 * seconds) + 1), RATE // 8)
    return 0.05 * samples * steps[: len(samples)]


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file, and another one on its path for the next name."""

    def write(name, samples, rate=RATE, **settings):
        soundfile.write(tmp_path / name, samples, rate, **settings)
        return str(tmp_path / name)

    return write


@pytest.fixture
def good(write):
    return [write(f"good{i}.wav", noise(i)) for i in range(4)]


def kinds(paths):
    return {finding.kind: finding for finding in check_recordings(paths).findings}


def test_good_recordings_have_no_findings(good, tmp_path):
    checked = check_recordings(tmp_path)
    assert [row.path for row in checked.recordings] == good
    assert checked.findings == []


def test_the_measurements_of_a_sine_equal_the_formulas(write):
    t = np.arange(RATE) / RATE
    path = write("sine.wav", 0.5 * np.sin(2 * np.pi * 1000 * t) + 0.1, subtype="FLOAT")
    (row,) = check_recordings(path).recordings
    assert (row.sample_rate, row.n_channels, row.duration, row.error) == (RATE, 1, 1.0, "")
    assert row.level == pytest.approx(10 * np.log10(0.5**2 / 2 + 0.01), abs=0.01)
    assert row.peak == pytest.approx(20 * np.log10(0.6), abs=0.01)
    assert row.offset == pytest.approx(0.01 / (0.125 + 0.01), abs=1e-4)
    assert (row.clipped, row.gap) == (0, 0)


def test_the_same_samples_in_another_file_format_are_copies(good, write):
    copy = write("z.flac", soundfile.read(good[1])[0])
    assert kinds([*good, copy])["copies"].files == {copy: f"same samples as {good[1]}"}


@pytest.mark.parametrize("way", ["gain", "mp3", "ogg", "half the rate", "noise"])
def test_a_changed_copy_is_a_near_copy(way, good, write):
    samples = noise(2)
    if way == "gain":
        copy = write("z.wav", 0.3 * samples)
    elif way in ("mp3", "ogg"):
        copy = write(f"z.{way}", samples)
    elif way == "half the rate":
        copy = write("z.wav", soxr.resample(samples, RATE, RATE // 2), RATE // 2)
    else:
        copy = write("z.wav", samples + 0.003 * np.random.default_rng(9).normal(size=len(samples)))
    assert kinds([*good, copy])["near copies"].files == {copy: f"sounds like {good[2]}"}


def test_sounds_with_the_same_envelope_are_no_near_copies(write):
    envelope = np.exp(-3 * np.arange(2 * RATE) / RATE)
    hits = [np.random.default_rng(i).normal(size=2 * RATE) * envelope * 0.1 for i in range(3)]
    assert "near copies" not in kinds([write(f"{i}.wav", hit) for i, hit in enumerate(hits)])


def test_an_upsampled_file_has_the_bandwidth_of_its_source(good, write):
    narrow = soxr.resample(soxr.resample(noise(8), RATE, 8000), 8000, RATE)
    path = write("z.wav", narrow)
    checked = check_recordings([*good, path])
    bandwidths = [row.bandwidth for row in checked.recordings]
    assert bandwidths[:4] == [8000.0] * 4
    assert bandwidths[4] == pytest.approx(4000, rel=0.08)
    assert [(f.kind, list(f.files)) for f in checked.findings] == [("bandwidth", [path])]


def test_a_sound_that_falls_by_24_decibels_per_octave_has_no_edge():
    frequencies = np.arange(1, 1001) * 8.0
    assert find_bandwidth(np.append(1.0, (frequencies / 8) ** -8.0), 8.0) == 8000.0


def test_files_that_differ_from_the_majority_are_named_with_their_values(good, write):
    slow = write("slow.wav", noise(5), 8000)
    stereo = write("stereo.wav", np.stack([noise(6), noise(7)], axis=1))
    found = kinds([*good, slow, stereo])
    assert found["sample rates"].files == {slow: "8000 Hz"}
    assert found["channels"].files == {stereo: "2 channel(s)"}
    assert "5 with 16000 Hz, 1 with 8000 Hz" in found["sample rates"].message


@pytest.mark.parametrize(
    ("kind", "samples"),
    [
        ("silent", np.zeros(2 * RATE)),
        ("silent", np.full(2 * RATE, 1e-5)),
        ("clipping", np.where(np.arange(2 * RATE) % 400 < 6, 1, noise(9))),
        ("gaps", np.where(np.arange(2 * RATE) < 2000, 0, noise(9))),
        ("offset", noise(9) + 0.05),
        ("level", noise(9) * 0.03),
        ("duration", noise(9, 0.9)),
        ("duration", noise(9, 4.2)),
        ("dead channel", np.stack([noise(9), np.zeros(2 * RATE)], axis=1)),
    ],
)
def test_a_spoilt_file_is_named(kind, samples, good, write):
    path = write("z.wav", samples, subtype="FLOAT")
    found = kinds([*good, path])
    assert list(found[kind].files) == [path]
    assert set(found) <= {kind, "channels"}
    assert found[kind].advice


def test_a_loud_sine_is_not_clipped(write):
    path = write("sine.wav", np.sin(2 * np.pi * 50 * np.arange(RATE) / RATE), subtype="PCM_16")
    assert check_recordings(path).recordings[0].clipped == 0


@pytest.mark.parametrize("n_channels", [1, 2])
def test_the_measurements_do_not_depend_on_the_size_of_blocks(n_channels, write, monkeypatch):
    samples = np.where(np.arange(2 * RATE) // 3000 == 4, 0, np.clip(40 * noise(3), -1, 1))
    path = write("a.wav", np.stack([samples] * n_channels, axis=1))
    whole = Measure()(path)
    monkeypatch.setattr("skaudio_ad.recordings._measure.BLOCK", 999)
    parts = Measure()(path)
    assert parts.digest == whole.digest
    assert parts.gap == whole.gap >= 3000 / RATE
    np.testing.assert_allclose(
        [parts.level, parts.peak, parts.bandwidth, parts.offset],
        [whole.level, whole.peak, whole.bandwidth, whole.offset],
        rtol=1e-5,
        atol=1e-9,
    )
    np.testing.assert_allclose(parts.fingerprint, whole.fingerprint, atol=1e-3)


def test_a_long_recording_is_never_in_memory_as_a_whole(write, monkeypatch):
    path = write("long.wav", np.tile(noise(1), 40))
    sizes = []
    add = Measure.__call__.__globals__["_Sums"].add
    monkeypatch.setattr(
        "skaudio_ad.recordings._measure._Sums.add",
        lambda self, block: (sizes.append(len(block)), add(self, block))[1],
    )
    assert Measure()(path).duration == 80
    assert max(sizes) == 1 << 18 < sum(sizes)


def test_unreadable_and_truncated_files_are_named_with_the_reason(good, tmp_path):
    (tmp_path / "x.wav").write_bytes(b"no audio")
    (tmp_path / "y.wav").write_bytes((tmp_path / "good0.wav").read_bytes()[:9000])
    missing = str(tmp_path / "missing.wav")
    found = kinds([*good, str(tmp_path / "x.wav"), str(tmp_path / "y.wav"), missing])
    assert set(found) == {"unreadable"}
    x, y, z = found["unreadable"].files.values()
    assert x.startswith("is no audio that can be decoded")
    assert y.startswith("is truncated")
    assert z.startswith("no such file")


def test_a_folder_of_unreadable_files_gives_no_other_findings(tmp_path):
    (tmp_path / "x.wav").write_bytes(b"no audio")
    assert set(kinds(tmp_path)) == {"unreadable"}


def test_very_short_files_and_low_rates_are_measured(write):
    rows = check_recordings(
        [write("a.wav", [0.1], RATE), write("b.wav", [0.1, -0.1], 1), write("c.wav", noise(1)[:100], RATE)]
    ).recordings
    assert [row.error for row in rows] == [""] * 3


def test_the_table_holds_the_kinds_of_findings_of_every_file(good, write):
    pandas = pytest.importorskip("pandas")
    path = write("z.wav", noise(9) * 0.03 + 0.05)
    frame = check_recordings([*good, path]).to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["findings"].tolist() == ["", "", "", "", "offset"]
    assert "fingerprint" not in frame


def test_nothing_to_check_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no recordings to check"):
        check_recordings([])
    with pytest.raises(FileNotFoundError, match="holds no recording"):
        check_recordings(tmp_path)
