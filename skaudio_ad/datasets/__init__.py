"""Data sets: a generator of machine sounds that needs no download, and loaders of published recordings."""

from ._hls_cmds import load_hls_cmds
from ._home import get_data_home
from ._machine_sounds import make_machine_sounds

__all__ = ["get_data_home", "load_hls_cmds", "make_machine_sounds"]
