"""Data sets: a generator of machine sounds that needs no download, and loaders of published recordings."""

from ._archives import FetchError
from ._dataset import AudioDataset
from ._dcase_names import expand_attributes
from ._dcase_task2 import load_dcase_task2
from ._esc10 import load_esc10
from ._esc50 import load_esc50
from ._fetch import fetch_dcase_task2, fetch_mimii, fetch_mimii_dg, fetch_mimii_due
from ._fetch_others import fetch_esc50, fetch_physionet2016, fetch_sprsound, fetch_toyadmos2
from ._folder import load_folder
from ._hls_cmds import load_hls_cmds
from ._home import get_data_home
from ._machine_sounds import make_machine_sounds
from ._mimii import load_mimii
from ._mimii_domains import load_mimii_dg, load_mimii_due
from ._physionet2016 import load_physionet2016
from ._sprsound import load_sprsound
from ._toyadmos2 import load_toyadmos2

__all__ = [
    "AudioDataset",
    "FetchError",
    "expand_attributes",
    "fetch_dcase_task2",
    "fetch_esc50",
    "fetch_mimii",
    "fetch_mimii_dg",
    "fetch_mimii_due",
    "fetch_physionet2016",
    "fetch_sprsound",
    "fetch_toyadmos2",
    "get_data_home",
    "load_dcase_task2",
    "load_esc10",
    "load_esc50",
    "load_folder",
    "load_hls_cmds",
    "load_mimii",
    "load_mimii_dg",
    "load_mimii_due",
    "load_physionet2016",
    "load_sprsound",
    "load_toyadmos2",
    "make_machine_sounds",
]
