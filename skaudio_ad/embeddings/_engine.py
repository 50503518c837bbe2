"""`Engine`: the one interface between clips and a frozen network, whatever the network is."""

from typing import Any, Protocol

import numpy as np


class LoadedNetwork(Protocol):
    """A network in memory, ready for use. Threads may share it."""

    def embed(self, waveforms: np.ndarray, output: str) -> np.ndarray:
        """One output of waveforms of one length.

        Parameters
        ----------
        waveforms : ndarray of shape (n_windows, n_samples), float32
        output : str

        Returns
        -------
        ndarray of shape (n_windows, ...), float32
        """


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
