"""Import librosa, without a warning in notebooks."""

import warnings
from functools import cache
from types import ModuleType


@cache
def import_librosa() -> ModuleType:
    """Return librosa. The import takes a second, so functions call this when they need librosa.

    librosa imports pooch, and pooch imports tqdm. In a notebook without ipywidgets, the import of tqdm warns about bars
    that this package never shows.

    Returns
    -------
    module
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        import librosa
        import librosa.filters  # loads the modules that librosa itself loads on first use
    return librosa
