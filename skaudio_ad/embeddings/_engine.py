"""`Engine`: the one interface between clips and a frozen network, whatever the network is."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np


class LoadedNetwork(Protocol):
    """A network in memory, ready for use. Threads may share it."""

    def embed(self, waveforms: np.ndarray, output: str | tuple[str, ...]) -> Any:
        """Outputs of waveforms of one length, in one pass of the network.

        Parameters
        ----------
        waveforms : ndarray of shape (n_windows, n_samples), float32
        output : str or tuple of str

        Returns
        -------
        ndarray of shape (n_windows, ...), float32
            For a tuple of names, a tuple of such arrays.
        """


def one_or_all(made: Mapping[str, Any], output: str | tuple[str, ...]) -> Any:
    """What :meth:`LoadedNetwork.embed` returns, of a dict of all outputs."""
    return made[output] if isinstance(output, str) else tuple(made[name] for name in output)


def names_of(output: str | tuple[str, ...]) -> tuple[str, ...]:
    """Names of outputs as a tuple."""
    return (output,) if isinstance(output, str) else output


class Engine(Protocol):
    """Which network runs, and how. An engine is small and can be pickled, so that other processes can load it."""

    @property
    def source(self) -> str:
        """File or name that the network comes from: error messages begin with it."""

    @property
    def digest(self) -> str | None:
        """SHA-256 of the weights. None stands for random weights."""

    @property
    def key(self) -> tuple[Any, ...]:
        """Everything that changes the embeddings by more than rounding, as plain values: the key of the cache."""

    def load(self) -> LoadedNetwork:
        """The network, from the memory of this process if it is there."""
