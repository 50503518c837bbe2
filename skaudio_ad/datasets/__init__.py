"""Data sets: a generator of machine sounds that needs no download, and loaders of published recordings."""

from ._dataset import AudioDataset
from ._esc10 import load_esc10
from ._esc50 import load_esc50
from ._folder import load_folder
from ._hls_cmds import load_hls_cmds
from ._home import get_data_home
from ._machine_sounds import make_machine_sounds
from ._mimii import load_mimii
from ._physionet2016 import load_physionet2016
from ._sprsound import load_sprsound

__all__ = [
    "AudioDataset",
    "get_data_home",
    "load_esc10",
    "load_esc50",
    "load_folder",
    "load_hls_cmds",
    "load_mimii",
    "load_physionet2016",
    "load_sprsound",
    "make_machine_sounds",
]
