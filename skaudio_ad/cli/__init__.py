"""The command line program ``skaudio-ad``."""

from ._main import main

__all__ = ["main"]
