"""A user's script for the settings of ``mypy --strict``. The script is never run.

Right lines draw no error. A wrong line carries ``type: ignore[...]`` with its error. mypy reports an ignore that is not
needed, so a wrong line that draws no error fails the check too.
"""

from pathlib import Path

import numpy as np

from skaudio_ad import (
    AudioLoader,
    AutoencoderDetector,
    ConformalThreshold,
    MelTransformer,
    MobileNetEmbedding,
    NearestNeighborsDetector,
    ThresholdedDetector,
)
from skaudio_ad.audio import AudioClips, find_audio_files
from skaudio_ad.metrics import anomaly_auc_score
from skaudio_ad.persistence import load_detector, save_detector
from skaudio_ad.presets import make_preset

# What is right.
paths = find_audio_files(Path("normal"))
clips = AudioLoader(sample_rate=32000, duration=10.0, on_error="skip").fit(paths).transform(paths)
first: AudioClips = clips[:3]
embeddings = MobileNetEmbedding("mn04", output="clip").fit(clips).transform(clips)
detector = NearestNeighborsDetector(n_neighbors=2, metric="cosine").fit(embeddings)
scores: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = detector.score_samples(embeddings)
offset: float = detector.offset_
decided = ThresholdedDetector(detector, ConformalThreshold(0.1), cv="loo").fit(embeddings)
rate: float | None = decided.false_alarm_rate_
auc: float = anomaly_auc_score([1, -1], [0.5, -0.5])
save_detector(make_preset("dcase_baseline"), Path("detector.skops"))
loaded = load_detector("detector.skops")

# What is wrong.
AudioLoader(sample_rate="16000")  # type: ignore[arg-type]
AudioLoader(on_error="ignore")  # type: ignore[arg-type]
NearestNeighborsDetector(metric="manhattan")  # type: ignore[arg-type]
NearestNeighborsDetector(neighbours=2)  # type: ignore[call-arg]
AutoencoderDetector(hidden_sizes="128")  # type: ignore[arg-type]
MelTransformer(n_mels=128.5)  # type: ignore[arg-type]
MobileNetEmbedding(output=1)  # type: ignore[arg-type]
detector.fit(None)  # type: ignore[arg-type]
text: str = detector.score_samples(embeddings)  # type: ignore[assignment]
save_detector(detector, 1)  # type: ignore[arg-type]
