"""Backbones in memory: built, loaded and made ready once a process."""

import os
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..training import draw_seed, drawing_from, inference
from ._checksums import WeightsError, weights_digest
from ._registry import Backbone
from ._runtimes import RUNTIMES, check_runtime, make_runtime
from ._store import load_state_dict, weights_path

__all__ = ["RUNTIMES", "BackboneEngine", "LoadedBackbone", "backbone_engine"]

# Networks kept for the next call; the largest are a third of a gigabyte.
_KEPT = 2
# Threads that want the same network must not each build it.
_LOCK = threading.Lock()


def backbone_engine(backbone, weights, *, runtime, precision, device, random_state):
    """Which network runs how, checked; the network itself is built by :meth:`BackboneEngine.load`.

    Parameters
    ----------
    backbone : Backbone
    weights : "pretrained", path-like or None
        "pretrained" may be downloaded. None is random, by `random_state`.
    runtime : {"torch", "onnxruntime", "openvino", "hear21passt"}
    precision : {"float32", "bfloat16"}
    device : str
        "auto", "cpu", "cuda", ...; ONNX Runtime and OpenVINO run on the CPU.
    random_state : int
        Of random weights, the same in every process.

    Returns
    -------
    BackboneEngine

    Raises
    ------
    ImportError, ValueError
        As for :func:`check_runtime`.
    WeightsError
        If the weights are not to be had.
    """
    device = check_runtime(runtime, family=backbone.family, precision=precision, device=device)
    if weights is None:
        return BackboneEngine(backbone, None, None, runtime, precision, device, random_state)
    path = weights_path(backbone, path=None if weights == "pretrained" else weights)
    # Absolute: a worker process may have another working directory.
    return BackboneEngine(
        backbone, os.path.abspath(path), weights_digest(path), runtime, precision, device, random_state=None
    )


@dataclass(frozen=True)
class BackboneEngine:
    """Which network runs how: small, hashable, and made to travel to other processes.

    Attributes
    ----------
    backbone : Backbone
    path : str or None
        File of the weights; None are random ones.
    digest : str or None
        SHA-256 of that file.
    runtime, precision, device : str
    random_state : int or None
        Of random weights; None if they are from a file.
    """

    backbone: Backbone
    path: str | None
    digest: str | None
    runtime: str
    precision: str
    device: str
    random_state: int | None

    @property
    def name(self):
        """What the backbone is called."""
        return self.backbone.name

    @property
    def key(self):
        """All that changes the numbers by more than rounding, and the runtime; a tuple of plain values."""
        backbone = self.backbone
        network = (backbone.family, backbone.width, backbone.stride, backbone.depth)
        device_type = self.device.partition(":")[0]
        return (*network, self.digest, self.random_state, self.runtime, self.precision, device_type)

    def load(self):
        """The network, from the memory of this process if it is there.

        Returns
        -------
        LoadedBackbone

        Raises
        ------
        WeightsError
            If the weights do not fit the network, are gone, or have changed since the engine was made.
        """
        with _LOCK:
            return _build(self)


@dataclass(frozen=True)
class LoadedBackbone:
    """A network ready for use, and its front end, on their device.

    Attributes
    ----------
    runtime : callable
        Of :func:`make_runtime`.
    device : str
    """

    runtime: Any
    device: str

    def embed(self, waveforms, output):
        """One output of some waveforms of one length.

        Parameters
        ----------
        waveforms : ndarray of shape (n_windows, n_samples), float32
        output : str

        Returns
        -------
        ndarray of shape (n_windows, ...), float32
        """
        import torch

        with inference():
            spectrograms = self.runtime.front_end(torch.from_numpy(waveforms).to(self.device))
            return self.runtime(spectrograms, output)


def build_network(backbone):
    """The network that a backbone describes, a torch module with random weights."""
    from ..networks import MobileNet, PaSST

    if backbone.family == "mobilenet":
        return MobileNet(backbone.width)
    return PaSST(stride=backbone.stride, depth=backbone.depth)


@lru_cache(maxsize=_KEPT)
def _build(engine):
    backbone = engine.backbone
    # Building draws weights, also where a file replaces them; the global generator must not notice.
    with drawing_from(draw_seed(engine.random_state or 0)):
        network = build_network(backbone)
    if engine.path is not None:
        try:
            network.load_state_dict(load_state_dict(backbone, path=engine.path), strict=True)
        except RuntimeError as error:
            raise WeightsError(f"{engine.path}: no weights of {backbone.name}. {error}") from error
        digest = weights_digest(engine.path)
        if digest != engine.digest:
            raise WeightsError(
                f"{engine.path}: has changed while it was in use, from sha256 {engine.digest} to {digest}. Put "
                "the old file back, or start again."
            )
    runtime = make_runtime(engine.runtime, network, precision=engine.precision, device=engine.device)
    return LoadedBackbone(runtime, engine.device)
