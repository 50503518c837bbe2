"""Data sets: a generator of machine sounds that needs no download, and loaders of published recordings."""

from ._archives import FetchError
from ._dataset import AudioDataset
from ._esc10 import load_esc10
from ._fetch import fetch_dcase_task2, fetch_mimii, fetch_mimii_dg, fetch_mimii_due
from ._fetch_others import fetch_esc50, fetch_physionet2016, fetch_sprsound, fetch_toyadmos2
from ._hls_cmds import load_hls_cmds
from ._home import get_data_home
from ._machine_sounds import make_machine_sounds
from ._mimii import load_mimii

__all__ = [
    "AudioDataset",
    "FetchError",
    "fetch_dcase_task2",
    "fetch_esc50",
    "fetch_mimii",
    "fetch_mimii_dg",
    "fetch_mimii_due",
    "fetch_physionet2016",
    "fetch_sprsound",
    "fetch_toyadmos2",
    "get_data_home",
    "load_esc10",
    "load_hls_cmds",
    "load_mimii",
    "make_machine_sounds",
]
