"""Recordings and checks that several tests of audio use."""

import numpy as np
import pytest

from skaudio_ad.audio import AudioReadError, read_audio

FORMATS = ("wav", "flac", "ogg", "mp3")


def stereo_tones(n_seconds, sample_rate=44100):
    t = np.arange(round(n_seconds * sample_rate)) / sample_rate
    return np.stack([0.4 * np.sin(2 * np.pi * 440 * t), 0.3 * np.sin(2 * np.pi * 1000 * t)], axis=1)


def refuses(path, *parts, **options):
    """Check that the error of `read_audio` names the path, says what is wrong and how to fix it."""
    with pytest.raises(AudioReadError) as caught:
        read_audio(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    for part in parts:
        assert part in message
    assert caught.value.path == str(path)
    assert message == f"{path}: {caught.value.reason}"
