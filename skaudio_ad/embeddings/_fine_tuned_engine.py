"""A fine-tuned backbone in memory: the network of the file, with the arrays that a training has changed."""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ._backbone_engine import BackboneEngine, LoadedBackbone, build_network
from ._registry import get_family
from ._runtimes import make_runtime

if TYPE_CHECKING:
    from ..networks import TunedNetwork

#: Name of the output behind the learnt projection.
PROJECTION = "projection"
# Number of networks that stay in memory for the next call.
_KEPT = 2
# Networks in memory by their keys. Several threads that want the same network must build it once.
_LOADED: "OrderedDict[tuple[Any, ...], LoadedTuned]" = OrderedDict()
_LOCK = threading.Lock()


def build_tuned(base: BackboneEngine, recipe: Mapping[str, Any]) -> "TunedNetwork":
    """The module that a training changes, with the weights of the file and a random projection.

    Parameters
    ----------
    base : BackboneEngine
    recipe : mapping
        Parameters of :class:`~skaudio_ad.networks.TunedNetwork`.

    Returns
    -------
    TunedNetwork
        Without a head.
    """
    from ..networks import TunedNetwork

    return TunedNetwork(build_network(base), **recipe)


@dataclass(frozen=True, eq=False)
class TunedEngine:
    """A backbone with tuned weights, as an :class:`Engine`.

    Attributes
    ----------
    base : BackboneEngine
        Network before the tuning, and how it runs.
    recipe : dict
        As for :func:`build_tuned`.
    weights : dict of {str: ndarray}
        Tuned arrays by their names in the state dict of the module. Arrays of the head are not used.
    """

    base: BackboneEngine
    recipe: dict[str, Any]
    weights: dict[str, np.ndarray]

    @property
    def source(self) -> str:
        """File of the weights before the tuning."""
        return self.base.source

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the recipe and the tuned arrays."""
        digest = hashlib.sha256(json.dumps(self.recipe, sort_keys=True, default=str).encode())
        for name, array in sorted(self._used().items()):
            digest.update(f"{name} {array.shape} {array.dtype.str}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @property
    def key(self) -> tuple[Any, ...]:
        """Everything that changes the embeddings by more than rounding, as plain values."""
        return "tuned", *self.base.key, self.digest

    def load(self) -> "LoadedTuned":
        """The network, from the memory of this process if it is there."""
        key = self.base, self.digest
        with _LOCK:
            if key not in _LOADED:
                _LOADED[key] = self._build()
                while len(_LOADED) > _KEPT:
                    _LOADED.popitem(last=False)
            _LOADED.move_to_end(key)
            return _LOADED[key]

    def _used(self):
        return {name: array for name, array in self.weights.items() if not name.startswith("head.")}

    def _build(self):
        import torch

        from ..training import drawing_from

        with drawing_from(0):  # the projection and the adapters draw weights, which are then replaced
            module = build_tuned(self.base, self.recipe)
        arrays = {name: torch.from_numpy(np.array(array)) for name, array in self._used().items()}
        unknown = module.load_state_dict(arrays, strict=False).unexpected_keys
        if unknown:
            raise ValueError(f"the tuned weights do not fit the network: it has no {', '.join(unknown[:3])}.")
        projection = module.projection
        runtime = make_runtime(
            self.base.runtime,
            module.merged(),
            family=get_family(self.base.backbone.family),
            backbone=self.base.backbone,
            precision=self.base.precision,
            device=self.base.device,
        )
        matrix = None if projection is None else projection.weight.detach().numpy()
        offset = None if projection is None else projection.bias.detach().numpy()
        return LoadedTuned(LoadedBackbone(runtime, self.base.device), matrix, offset)


@dataclass(frozen=True)
class LoadedTuned:
    """A tuned network in memory."""

    backbone: LoadedBackbone
    matrix: np.ndarray | None
    offset: np.ndarray | None

    def embed(self, waveforms: np.ndarray, output: str | tuple[str, ...]) -> Any:
        """Outputs of waveforms of one length, as :meth:`LoadedBackbone.embed` makes them, or their projection."""
        if output not in (PROJECTION, (PROJECTION,)):
            return self.backbone.embed(waveforms, output)
        assert self.matrix is not None
        # A row at a time gives the same numbers in any batch.
        made = np.stack([self.matrix @ clip for clip in self.backbone.embed(waveforms, "clip")]) + self.offset
        return made if isinstance(output, str) else (made,)
