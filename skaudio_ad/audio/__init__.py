"""Turn files into samples: decoding, lazy clips, loading and level normalisation. Nothing here needs torch."""

from ._as_clips import as_clips
from ._clips import AudioClips, AudioReadWarning
from ._decode import read_audio
from ._files import find_audio_files
from ._fragments import segment, segment_groups
from ._open import AudioReadError
from ._transformers import AudioLoader, LevelNormalizer

__all__ = [
    "AudioClips",
    "AudioLoader",
    "AudioReadError",
    "AudioReadWarning",
    "LevelNormalizer",
    "as_clips",
    "find_audio_files",
    "read_audio",
    "segment",
    "segment_groups",
]
