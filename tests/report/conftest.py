"""Small recordings and detectors, and reports whose content can be read."""

import json

import numpy as np
import pytest
import soundfile
from sklearn.pipeline import make_pipeline

import skaudio_ad.report._make_report as module
from skaudio_ad import AudioLoader, MelTransformer, NearestNeighborsDetector, TemporalPooling

RATE = 8000


def tone(frequency, start=0.0, end=1.0, *, level=0.5, rate=RATE, duration=1.0, noise=1e-3):
    """A tone between two times of a clip, over faint noise."""
    times = np.arange(round(duration * rate)) / rate
    noise = np.random.default_rng(round(frequency)).normal(0, noise, len(times))
    return noise + level * np.sin(2 * np.pi * frequency * times) * ((times >= start) & (times < end))


def frequency(index):
    """Frequency of the tone of a normal recording, in hertz. The last two are inside the range of the others."""
    return 490 + 3 * index % 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with eight normal tones near 494 Hz, and one recording with a second tone at 3 kHz from 0.4 to 0.6 s."""
    folder = tmp_path_factory.mktemp("sounds")
    for index in range(8):
        soundfile.write(folder / f"normal_{index:02d}.wav", tone(frequency(index)), RATE)
    soundfile.write(folder / "fault.wav", tone(495) + tone(3000, 0.4, 0.6, level=0.2, noise=0), RATE)
    return folder


@pytest.fixture(scope="module")
def normal(folder):
    return [str(folder / f"normal_{index:02d}.wav") for index in range(6)]


@pytest.fixture(scope="module")
def new(folder):
    """Two normal recordings and the fault, the fault in the middle."""
    return [str(folder / name) for name in ("normal_06.wav", "fault.wav", "normal_07.wav")]


def _features():
    return AudioLoader(RATE), MelTransformer(RATE, n_fft=512, hop_length=128, n_mels=32)


@pytest.fixture(scope="module")
def detector(normal):
    """A detector of one vector a recording."""
    return make_pipeline(*_features(), TemporalPooling(), NearestNeighborsDetector()).fit(normal)


@pytest.fixture(scope="module")
def frame_detector(normal):
    """A detector with local scores."""
    return make_pipeline(*_features(), NearestNeighborsDetector(time_pooling="max")).fit(normal)


class Content:
    """What a page holds."""

    def __init__(self, data, assets, folder):
        self.data, self.folder = data, folder
        self.names = [name for name, _, _ in assets]
        self.assets = {name: content for name, _, content in assets}
        self.summary = data["summary"]

    def json(self, name):
        return json.loads(self.assets[f"{name}.json"])

    def rows(self):
        """Rows of the list by name of the file."""
        return {row["name"]: row for row in self.data["clips"]}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Return a function that makes a report and returns its content."""
    output = tmp_path_factory.mktemp("page") / "report.html"

    def make(detector, recordings, **settings):
        found = []

        def write_page(output, data, assets, *, folder):
            json.dumps(data, allow_nan=False)  # numbers are finite
            found.append(Content(data, list(assets), folder))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "write_page", write_page)
            assert module.make_report(detector, recordings, output, **settings) == output
        return found[0]

    return make
