"""The registry of families of backbones.

To add a family, describe it in a file of this folder and add it to the tuple below.
"""

from ._beats import BEATS
from ._ced import CED
from ._dasheng import DASHENG
from ._eat import EAT
from ._echo import ECHO
from ._family import Clock, Family, Output, OwnRuntime, Variant
from ._fisher import FISHER
from ._mobilenet import MOBILENET
from ._passt import PASST

#: Every family that the package knows.
FAMILIES: tuple[Family, ...] = (
    MOBILENET,
    PASST,
    BEATS,
    ECHO,
    EAT,
    CED,
    DASHENG,
    FISHER,
)  # fmt: skip

__all__ = ["FAMILIES", "MOBILENET", "PASST", "Clock", "Family", "Output", "OwnRuntime", "Variant"]
