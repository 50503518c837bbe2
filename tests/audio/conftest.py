"""Fixtures shared by the tests of audio."""

import pytest
import soundfile

from skaudio_ad.audio import _clips, read_audio


@pytest.fixture
def decoded(monkeypatch):
    """List of the paths that have been decoded so far."""
    paths = []

    def read(path, *args, **kwargs):
        paths.append(path)
        return read_audio(path, *args, **kwargs)

    monkeypatch.setattr(_clips, "read_audio", read)
    return paths


@pytest.fixture
def write(tmp_path):
    """Function that writes samples to a file of the given name and returns its path."""

    def write_samples(name, samples, sample_rate=44100, **options):
        path = tmp_path / name
        soundfile.write(path, samples, sample_rate, **options)
        return str(path)

    return write_samples
