"""A notebook shows clips with players and spectrograms. A parser of HTML reads what is shown."""

import base64
import io
import re
import warnings
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from matplotlib.image import imread

import skaudio_ad.audio._player
from skaudio_ad.audio import AudioClips
from skaudio_ad.audio._player import mel_levels

RATE = 8000


class Shown(HTMLParser):
    """Elements and texts of HTML, and the contents of sounds and pictures."""

    def __init__(self, clips):
        super().__init__()
        self.tags, self.sounds, self.pictures, self.text, self.html = [], [], [], "", clips._repr_html_()
        self.feed(self.html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        kept = {"audio": self.sounds, "img": self.pictures}.get(tag)
        if kept is not None:
            found = re.fullmatch(r"data:(\w+/\w+);base64,(.*)", dict(attrs)["src"])
            kept.append((found[1], base64.b64decode(found[2])))

    def handle_data(self, data):
        self.text += data


def tone(frequency, seconds=1.0):
    return 0.1 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)


def write(path, samples):
    soundfile.write(path, samples, RATE)
    return str(path)


def test_a_clip_has_its_name_a_player_and_a_spectrogram(tmp_path):
    path = write(tmp_path / "a.wav", tone(1000))
    shown = Shown(AudioClips([path], RATE))
    assert path in shown.text
    assert "<AudioClips of 1 clips at 8000 Hz>" in shown.text
    assert "1 s" in shown.text
    ((kind, sound),) = shown.sounds
    samples, rate = soundfile.read(io.BytesIO(sound))
    assert (kind, rate, len(samples)) == ("audio/mpeg", RATE, RATE)
    assert np.argmax(np.abs(np.fft.rfft(samples))) == 1000  # one bin is 1 Hz
    ((kind, picture),) = shown.pictures
    image = imread(io.BytesIO(picture), format="png")
    assert kind == "image/png"
    # The highest frequency is on top. 1 kHz lies at 1000 mel of 2146 mel, so 53 % of the height from the top.
    brightest = image[:, image.shape[1] // 2, :3].sum(axis=1).argmax() / len(image)
    assert brightest == pytest.approx(1 - 1000 / 2146, abs=0.02)


def test_bands_hold_the_mean_power_and_lie_on_the_mel_scale():
    levels, centers = mel_levels(tone(1000), RATE)
    assert levels.shape[0] == len(centers) == 96
    loudest = levels[:, levels.shape[1] // 2].argmax()
    assert centers[loudest] == pytest.approx(1000, abs=20)
    # White noise of variance 1 has the same level in every band: minus the noise gain of the window.
    noise, _ = mel_levels(np.random.default_rng(0).normal(size=20 * RATE), RATE)
    window = np.hanning(512)
    expected = np.sum(window**2) / np.sum(window) ** 2
    np.testing.assert_allclose((10 ** (noise / 10)).mean(axis=1)[8:-1], expected, rtol=0.2)


def test_names_are_text_and_never_markup(tmp_path):
    path = write(tmp_path / 'q"><script>alert(1)<b>\x1b.wav', tone(500, 0.1))
    shown = Shown(AudioClips([path], RATE))
    assert "script" not in shown.tags
    assert 'q"><script>alert(1)<b>\\x1b.wav' in shown.text
    assert len(shown.sounds) == len(shown.pictures) == 1


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_a_clip_that_cannot_be_read_shows_its_error_and_the_others_are_shown(tmp_path, on_error):
    good, bad = write(tmp_path / "a.wav", tone(500, 0.1)), tmp_path / "<i>.wav"
    bad.write_bytes(b"no audio")
    clips = AudioClips([str(bad), good], RATE, on_error=on_error)
    for shown_clips in (clips, clips.map(np.negative)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            shown = Shown(shown_clips)
        assert "is no audio that can be decoded" in shown.text
        assert "i" not in shown.tags
        assert len(shown.sounds) == 1
    assert clips.failures == {}  # the warning about the file comes when a step uses the clips


def test_a_few_clips_and_seconds_are_shown_and_a_long_file_is_not_decoded_to_its_end(tmp_path, monkeypatch):
    path = write(tmp_path / "long.wav", np.tile(tone(500), 50))
    seconds = []
    read = skaudio_ad.audio._clips.read_audio

    def note(*args, **kwargs):
        samples, rate = read(*args, **kwargs)
        seconds.append(len(samples) / rate)
        return samples, rate

    monkeypatch.setattr("skaudio_ad.audio._clips.read_audio", note)
    shown = Shown(AudioClips([path] * 20, RATE))
    assert seconds == [20] * 4
    assert "first 20 s of 50 s" in shown.text
    assert "clips[4:8]" in shown.text
    assert len(shown.sounds) == 4
    assert len(shown.html) < 1e6


def test_the_part_of_a_file_that_the_clip_is_made_of_is_shown(tmp_path):
    path = write(tmp_path / "a.wav", np.concatenate([tone(500), tone(2000)]))
    ((_, sound),) = Shown(AudioClips([path], RATE, offset=1.0, duration=0.5)).sounds
    samples, _ = soundfile.read(io.BytesIO(sound))
    assert len(samples) == RATE // 2
    assert np.argmax(np.abs(np.fft.rfft(samples))) == 1000  # one bin is 2 Hz
    padded = Shown(AudioClips([path], RATE, offset=1.5, duration=2.0, pad="zeros"))
    assert "2 s" in padded.text
    assert len(soundfile.read(io.BytesIO(padded.sounds[0][1]))[0]) == 2 * RATE


def test_functions_of_the_clips_are_applied_to_the_whole_clip():
    clips = AudioClips([np.tile(tone(500), 21)], RATE).map(lambda clip: clip[-RATE:])
    assert len(soundfile.read(io.BytesIO(Shown(clips).sounds[0][1]))[0]) == RATE


def test_both_channels_of_a_pair_have_a_player():
    shown = Shown(AudioClips([np.stack([tone(500), tone(2000)])] * 3, RATE, channel=(0, 1)))
    found = [np.argmax(np.abs(np.fft.rfft(soundfile.read(io.BytesIO(s))[0]))) for _, s in shown.sounds]
    assert found == [500, 2000, 500, 2000]
    assert "channel 1" in shown.text


@pytest.mark.parametrize(
    "samples", [np.zeros(100), np.ones(1), np.full(40, 1e-9)], ids=["silence", "one", "tiny"]
)
def test_silence_and_short_clips_are_shown(samples):
    shown = Shown(AudioClips([samples], 2000))
    assert len(shown.sounds) == len(shown.pictures) == 1
    if not samples.any():
        image = imread(io.BytesIO(shown.pictures[0][1]), format="png")
        assert image[..., :3].max() < 0.02  # silence is dark


def test_clips_of_an_unknown_rate_have_no_player():
    shown = Shown(AudioClips([np.zeros(100)], None))
    assert "100 samples" in shown.text
    assert shown.sounds == []


def test_no_clips_and_missing_clips_are_shown():
    assert "AudioClips of 0 clips" in Shown(AudioClips([], RATE)).text
    assert "NaN throughout" in Shown(AudioClips([np.full(10, np.nan)], RATE)).text


def test_an_old_libsndfile_gets_flac(monkeypatch):
    def refuse(format):
        raise ValueError

    monkeypatch.setattr("skaudio_ad.audio._player.check_format", refuse)
    assert Shown(AudioClips([tone(500, 0.1)], RATE)).sounds[0][0] == "audio/flac"
