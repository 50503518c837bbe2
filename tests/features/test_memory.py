"""Peak memory of feature extraction."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile

_PEAK = """
import re, sys
def peak_megabytes():
    # getrusage would start at the peak of the parent process.
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1024
"""


def grown_megabytes(code, *arguments):
    """Run `code` in a new process. The code prints by how much it raises the peak memory, in megabytes."""
    if sys.platform != "linux":
        pytest.skip("peak memory is read from /proc, which only Linux has")
    done = subprocess.run(
        [sys.executable, "-c", _PEAK + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_pooling_a_lazy_corpus_needs_the_memory_of_a_few_clips(write_wavs):
    # The spectrograms of 400 clips of 1 s need 103 MB: 128 bands x 501 frames x 4 bytes each.
    grown = grown_megabytes(
        """
import numpy as np
from sklearn.pipeline import make_pipeline
from skaudio_ad import AudioLoader, ClipScaler, LevelNormalizer, MelTransformer, TemporalPooling
paths = sys.argv[1:] * 20
steps = make_pipeline(
    AudioLoader(8000), LevelNormalizer(), MelTransformer(8000, n_fft=64, hop_length=16, lazy=True), TemporalPooling()
)
import warnings
warnings.simplefilter("ignore")  # this narrow filter bank has empty bands
steps.fit_transform(paths[:20])
before = peak_megabytes()
assert np.isfinite(steps.fit_transform(paths)).all()
print(peak_megabytes() - before)
""",
        *write_wavs([8000] * 20, sample_rate=8000),
    )
    assert grown < 40


def test_a_clip_of_a_quarter_of_an_hour_needs_little_more_memory_than_its_samples(tmp_path, rng):
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 8000, 1, subtype="PCM_16") as file:
        for _ in range(15):
            file.write(rng.integers(-3000, 3000, 60 * 8000, dtype=np.int16))
    # The samples need 29 MB, their padded copy 29 MB, and the log-mel 7 MB. All frames at once would need 58 MB, and
    # their spectrum another 58 MB.
    grown = grown_megabytes(
        """
from skaudio_ad import MelTransformer
mel = MelTransformer(8000)
mel.fit_transform([__import__("numpy").zeros(80000)])
before = peak_megabytes()
assert mel.fit_transform(sys.argv[1:]).shape == (1, 128, 14063)
print(peak_megabytes() - before)
""",
        path,
    )
    assert grown < 100
