"""Backbones in memory: built, loaded and made ready once a process."""

import os
import threading
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .._checksums import WeightsError, weights_digest
from ..training import draw_seed, drawing_from, inference
from ._checkpoint import describe_difference
from ._registry import Backbone, get_family
from ._runtimes import check_runtime, fastest_runtime, make_runtime
from ._store import load_state_dict, weights_path

if TYPE_CHECKING:
    import torch

__all__ = ["BackboneEngine", "LoadedBackbone", "backbone_engine", "build_on_meta"]

# Number of networks that stay in memory for the next call. The largest takes a third of a gigabyte.
_KEPT = 2
# Lock of the memory: several threads that want the same network must build it once.
_LOCK = threading.Lock()


def backbone_engine(
    backbone: Backbone,
    weights: str | os.PathLike[str] | None,
    *,
    runtime: str,
    precision: str,
    device: str,
    random_state: int,
) -> "BackboneEngine":
    """Check which network shall run, and how; :meth:`BackboneEngine.load` builds the network.

    Parameters
    ----------
    backbone : Backbone
    weights : "pretrained", path-like or None
        "pretrained" weights may be downloaded. None stands for random weights.
    runtime : str
        "torch", "onnxruntime", "openvino", a runtime of the family, or "auto" for :func:`fastest_runtime`.
    precision : {"float32", "bfloat16"}
    device : str
        "auto", "cpu", "cuda", ...; ONNX Runtime and OpenVINO run on the CPU.
    random_state : int
        Seed of random weights, which are the same in every process.

    Returns
    -------
    BackboneEngine

    Raises
    ------
    ImportError, ValueError
        As for :func:`check_runtime`.
    WeightsError
        If the weights cannot be found or downloaded.
    """
    family = get_family(backbone.family)
    if backbone.no_export is not None:
        family = replace(family, no_export=backbone.no_export)
    if runtime == "auto":
        runtime = fastest_runtime(family=family, precision=precision, device=device)
    device = check_runtime(runtime, family=family, precision=precision, device=device)
    if weights is None:
        return BackboneEngine(backbone, None, None, runtime, precision, device, random_state)
    path = weights_path(backbone, path=None if weights == "pretrained" else weights)
    # The path is absolute, because a worker process may have another working directory.
    return BackboneEngine(
        backbone, os.path.abspath(path), weights_digest(path), runtime, precision, device, random_state=None
    )


@dataclass(frozen=True)
class BackboneEngine:
    """Which backbone runs, and how: small, hashable, and easy to send to other processes.

    Attributes
    ----------
    backbone : Backbone
    path : str or None
        File of the weights. None stands for random weights.
    digest : str or None
        SHA-256 of that file.
    runtime, precision, device : str
    random_state : int or None
        Seed of random weights; None if the weights are from a file.
    """

    backbone: Backbone
    path: str | None
    digest: str | None
    runtime: str
    precision: str
    device: str
    random_state: int | None

    @property
    def name(self) -> str:
        """Name of the backbone."""
        return self.backbone.name

    @property
    def source(self) -> str:
        """File of the weights, or the name of the backbone if its weights are random."""
        return self.path or self.name

    @property
    def key(self) -> tuple[Any, ...]:
        """Everything that changes the embeddings by more than rounding, and the runtime; a tuple of plain values."""
        backbone = self.backbone
        settings = [value for setting in sorted(backbone.settings.items()) for value in setting]
        device_type = self.device.partition(":")[0]
        return (
            *(backbone.family, backbone.sample_rate, *settings),
            *(self.digest, self.random_state, self.runtime, self.precision, device_type),
        )

    def load(self) -> "LoadedBackbone":
        """The network, from the memory of this process if it is there.

        Returns
        -------
        LoadedBackbone

        Raises
        ------
        WeightsError
            If the weights do not fit the network, the file is gone, or the file has changed since the engine was made.
        """
        with _LOCK:
            return _build(self)


@dataclass(frozen=True)
class LoadedBackbone:
    """A network with its front end, ready for use on their device.

    Attributes
    ----------
    runtime : callable
        As :func:`make_runtime` returns it.
    device : str
    """

    runtime: Any
    device: str

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
        import torch

        with inference():
            spectrograms = self.runtime.front_end(torch.from_numpy(waveforms).to(self.device))
            return self.runtime(spectrograms, output)


def build_on_meta(backbone: Backbone) -> "torch.nn.Module":
    """The network of a backbone with shapes and without values: no memory is used, and no numbers are drawn."""
    import torch

    with torch.device("meta"):
        return get_family(backbone.family).build_network(backbone)


def build_network(engine: BackboneEngine) -> "torch.nn.Module":
    """A new network with the weights of an engine, on the CPU.

    Parameters
    ----------
    engine : BackboneEngine

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    WeightsError
        As for :meth:`BackboneEngine.load`.
    """
    backbone = engine.backbone
    family = get_family(backbone.family)
    # The file is read first, because a network of hundreds of megabytes is not worth building for a wrong file.
    state = {} if engine.path is None else load_state_dict(backbone, path=engine.path)
    # A network draws random weights when it is built, even if a file replaces them. The block keeps the global
    # generators as they were.
    with drawing_from(draw_seed(engine.random_state or 0)):
        network = family.build_network(backbone)
    if engine.path is not None:
        try:
            network.load_state_dict(state, strict=True)
        except RuntimeError as error:
            difference = describe_difference(state, network.state_dict()) or str(error)
            raise WeightsError(f"{engine.path}: no weights of {backbone.name}. {difference}") from error
        digest = weights_digest(engine.path)
        if digest != engine.digest:
            raise WeightsError(
                f"{engine.path}: has changed while it was in use, from sha256 {engine.digest} to {digest}. Put "
                "the old file back, or start again."
            )
    return network


@lru_cache(maxsize=_KEPT)
def _build(engine: BackboneEngine) -> LoadedBackbone:
    runtime = make_runtime(
        engine.runtime,
        build_network(engine),
        family=get_family(engine.backbone.family),
        backbone=engine.backbone,
        precision=engine.precision,
        device=engine.device,
    )
    return LoadedBackbone(runtime, engine.device)
