"""Every message on the page of troubleshooting is the message that the package raises."""

import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import skops.io
import soundfile
from sklearn.base import BaseEstimator
from sklearn.svm import OneClassSVM

from skaudio_ad import AudioLoader, ConformalThreshold, MelTransformer, MobileNetEmbedding, make_detector
from skaudio_ad.audio import find_audio_files
from skaudio_ad.datasets import make_machine_sounds
from skaudio_ad.metrics import anomaly_auc_score
from skaudio_ad.persistence import load_detector

PAGE = Path(__file__).parent.parent / "docs" / "troubleshooting.md"
_SECTION = re.compile(r"^### ([^\n]+)\n\n```text\n(.*?)^```", re.MULTILINE | re.DOTALL)
MESSAGES = dict(_SECTION.findall(PAGE.read_text(encoding="utf-8")))


class UnknownStep(BaseEstimator):
    """An estimator from outside scikit-learn and the package."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Make the files that cause the errors."""
    folder = tmp_path_factory.mktemp("troubleshooting")
    make_machine_sounds(12, 2, machine="valve", duration=1.0, output_dir=folder, random_state=0)
    (folder / "anomalous").rename(folder / "new")
    (folder / "empty").mkdir()
    (folder / "note.wav").write_text("this is not a recording")
    content = next(folder.glob("normal/*")).read_bytes()
    (folder / "cut.wav").write_bytes(content[: len(content) // 2])
    for path in (folder / "new").iterdir():
        samples, rate = soundfile.read(path)
        soundfile.write(folder / f"low_{path.name}", samples[::2], rate // 2)
    skops.io.dump(UnknownStep(), folder / "other.skops")
    (folder / "detector.skops").write_bytes(pickle.dumps(OneClassSVM()))
    return folder


@pytest.fixture(scope="module")
def fitted(folder):
    return make_detector(random_state=0).fit(find_audio_files(folder / "normal"))


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SKAUDIO_AD_OFFLINE", "1")
    monkeypatch.setenv("SKAUDIO_AD_WEIGHTS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def normal():
    return find_audio_files("normal")


def clips(sample_rate=16000):
    return AudioLoader(sample_rate).fit_transform(normal())


def fit(paths, **settings):
    return make_detector(random_state=0, **settings).fit(paths)


# What raises the message of each section, by the heading. A function takes the detector that was trained.
CAUSES = {
    "The folder does not exist": lambda fitted: find_audio_files("nromal"),
    "The folder holds no recording": lambda fitted: find_audio_files("empty"),
    "A file is not a recording": lambda fitted: fitted.predict(["note.wav"]),
    "A file is truncated": lambda fitted: fitted.predict(["cut.wav"]),
    "A path is given where a list is needed": lambda fitted: make_detector().fit("normal"),
    "Samples are integers": lambda fitted: make_detector().fit(np.ones((3, 32000), dtype=np.int16)),
    "A channel does not exist": lambda fitted: AudioLoader(channel=1).fit_transform(normal())[0],
    "Clips have another rate than a step needs": lambda fitted: MobileNetEmbedding().fit_transform(clips()),
    "New files have a lower rate than the training files": lambda fitted: fitted.predict(
        sorted(str(path) for path in Path().glob("low_*"))
    ),
    "The training set has problems": lambda fitted: fit(normal()[:4] + normal()[:2]),
    "Too few recordings for a threshold": lambda fitted: fit(normal()[:2]),
    "Labels are 0 and 1": lambda fitted: make_detector().fit(normal(), [0, 1] * 6),
    "All recordings are in one group": lambda fitted: fit(normal(), groups="folder"),
    "A machine is new": lambda fitted: fit(normal()[:4], machines="folder").predict(find_audio_files("new")),
    "A detector of scikit-learn gets three dimensions": lambda fitted: OneClassSVM().fit(
        MelTransformer().fit_transform(clips())
    ),
    "The detector is not trained": lambda fitted: make_detector().predict(normal()),
    "The weights are not on this machine": lambda fitted: fit(normal(), backbone="mn10"),
    "The name of a backbone is unknown": lambda fitted: fit(normal(), backbone="mn11"),
    '"mini" names no sounds': lambda fitted: (
        MobileNetEmbedding().fit(clips(32000)).predict_tags(clips(32000))
    ),
    "There is no GPU": lambda fitted: fit(normal(), device="cuda:99"),
    "The rate is too low for the number of clips": lambda fitted: fitted[-1].set_threshold(
        ConformalThreshold(0.01)
    ),
    "A metric gets clips of one kind": lambda fitted: anomaly_auc_score([1, 1], [0.5, 0.7]),
    "A file holds unknown types": lambda fitted: load_detector("other.skops"),
    "A file is no saved detector": lambda fitted: load_detector("detector.skops"),
}


def said_by(cause, fitted):
    """Return the errors and warnings of a call as Python prints them."""
    said = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            cause(fitted)
        except Exception as error:
            said.append(f"{type(error).__name__}: {error}")
    return said + [f"{warning.category.__name__}: {warning.message}" for warning in caught]


def matches(message, said):
    """Whether a text is the message of the page, where "..." stands for any text and white space does not count."""
    parts = [r"\s+".join(map(re.escape, part.split())) for part in message.split("...")]
    return re.fullmatch(r"\s*.*\s*".join(parts), said.strip(), re.DOTALL) is not None


def test_the_page_and_the_tests_have_the_same_sections():
    assert list(MESSAGES) == list(CAUSES)
    assert len(MESSAGES) >= 20


@pytest.mark.parametrize("heading", MESSAGES)
def test_the_message_of_a_section_is_raised(heading, fitted, here):
    said = said_by(CAUSES[heading], fitted)
    message = MESSAGES[heading].replace("device='cuda'", "device='cuda:99'")
    message = message.replace("trusted=[...]", "trusted=[\0]")  # these dots belong to the message
    assert any(matches(message, text.replace("trusted=[...]", "trusted=[\0]")) for text in said), said


def test_a_message_with_other_words_does_not_match():
    assert matches("ValueError: a ... c.\n", "ValueError: a b\nc.")
    assert not matches("ValueError: a ... c.", "ValueError: a b d.")
