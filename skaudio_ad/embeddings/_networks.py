"""Backbones in memory: built, loaded and made ready once a process."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..training import inference, resolve_device, seeded
from ._checksums import WeightsError, weights_digest
from ._store import load_state_dict, weights_path

# Networks kept for the next call; the largest are a third of a gigabyte.
_KEPT = 2


@dataclass(frozen=True)
class LoadedBackbone:
    """A network ready for use, and its front end, on their device."""

    front_end: Any
    network: Any
    device: Any
    digest: str | None

    def embed(self, waveforms, output, precision):
        """One output of some waveforms of one length.

        Parameters
        ----------
        waveforms : ndarray of shape (n_windows, n_samples), float32
        output : str
        precision : {"float32", "bfloat16"}

        Returns
        -------
        ndarray of shape (n_windows, ...), float32
        """
        import torch

        with inference():
            spectrograms = self.front_end(torch.from_numpy(waveforms).to(self.device))
            with torch.autocast(self.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                made = self.network(spectrograms, (output,))[output]
        return made.float().cpu().numpy()


def load_backbone(backbone, weights, *, device, random_state=None, expected_digest=None):
    """A backbone with its weights, from memory where the last call left it there.

    Parameters
    ----------
    backbone : Backbone
    weights : "pretrained", path-like or None
        None is random, by `random_state`.
    device : str
    random_state : int or None, default=None
    expected_digest : str or None, default=None
        SHA-256 that the file of weights had in `fit`.

    Returns
    -------
    LoadedBackbone

    Raises
    ------
    WeightsError
        If the weights are not to be had, do not fit the network, or are others than in `fit`.
    """
    device = resolve_device(device)
    if weights is None:
        return _build(backbone, None, None, random_state, device)
    path = weights_path(backbone, path=None if weights == "pretrained" else weights)
    loaded = _build(backbone, str(path), path.stat().st_mtime_ns, None, device)
    if expected_digest not in (None, loaded.digest):
        raise WeightsError(
            f"{path}: has other weights (sha256 {loaded.digest}) than {backbone.name} had in fit "
            f"({expected_digest}); what follows it was trained on those. Put the old file back, or fit again."
        )
    return loaded


@lru_cache(maxsize=_KEPT)
def _build(backbone, path, _changed, random_state, device):
    from ..networks import AudioSetFrontEnd, MobileNet, PaSST, for_inference

    with seeded(random_state):  # building draws weights; the global generator must not notice
        network = (
            MobileNet(backbone.width)
            if backbone.family == "mobilenet"
            else PaSST(stride=backbone.stride, depth=backbone.depth)
        )
    digest = None
    if path is not None:
        try:
            network.load_state_dict(load_state_dict(backbone, path=path), strict=True)
        except RuntimeError as error:
            raise WeightsError(f"{path}: no weights of {backbone.name}. {error}") from error
        digest = weights_digest(path)
    return LoadedBackbone(AudioSetFrontEnd().to(device), for_inference(network).to(device), device, digest)
