"""CED as its authors publish it: https://github.com/RicherMans/CED at 60a0f54214 (GPL-3.0), in the folder "ced".

The code needs torchaudio and einops. Nothing of the code is part of this package.
"""

import contextlib
import sys
import types
import warnings
from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock

import numpy as np
import torch

from . import import_from
from .seeded import seeded_state_dict, seeded_waveforms

COMMIT = "60a0f54214"
SMALL = {"size": 12, "heads": 2, "depth": 3, "n_classes": 5}
# Length of the waveforms of `numbers`, in samples: three patches in time, and some samples more.
N_SAMPLES = 9000


def network(state: Mapping[str, torch.Tensor], *, size: int, heads: int, depth: int, n_classes: int) -> Any:
    """The authors' network with weights, which have the names of the files on Zenodo."""
    with _unused_packages():
        module = import_from("ced", "models.audiotransformer")
    made = module.AudioTransformer(outputdim=n_classes, embed_dim=size, num_heads=heads, depth=depth)
    constants = {name: value for name, value in made.state_dict().items() if name.startswith("front_end.")}
    made.load_state_dict({**constants, **state}, strict=True)
    return made.eval()


def run(network: Any, waveforms: torch.Tensor) -> dict[str, np.ndarray]:
    """Outputs of waveforms, one waveform at a time, because the authors' front end depends on the whole batch."""
    tokens: list[torch.Tensor] = []
    logits: list[torch.Tensor] = []
    hooks = [
        layer.register_forward_hook(lambda module, inputs, output, kept=kept: kept.append(output))
        for layer, kept in ((network.norm, tokens), (network.outputlayer, logits))
    ]
    with torch.no_grad():
        for waveform in waveforms:
            network(waveform[None])
    for hook in hooks:
        hook.remove()
    values = torch.cat(tokens).transpose(1, 2)
    grid = values.unflatten(2, (4, -1))
    outputs = {
        "clip": values.mean(2),
        "frames": grid.mean(2),
        "grid": grid,
        "tokens": values,
        "logits": torch.cat(logits),
    }
    return {name: value.numpy() for name, value in outputs.items()}


def seeded_weights(settings: Mapping[str, Any], seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights with the names of the files on Zenodo."""
    from skaudio_ad.networks import CED

    return seeded_like(CED(**settings).state_dict(), seed)


def seeded_like(shapes: Mapping[str, torch.Tensor], seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights of the shapes of our network, with the names of the files on Zenodo.

    The statistics of the batch normalisation are those of decibels, and position embeddings are as large as patches, so
    that an error in one of them shows.
    """
    names = {name.replace("init_bn.", "init_bn.1."): value for name, value in shapes.items()}
    state = seeded_state_dict(names, seed)
    state["init_bn.1.running_mean"] = 40 * state["init_bn.1.running_mean"] - 20
    state["init_bn.1.running_var"] *= 300
    for name in ("time_pos_embed", "freq_pos_embed"):
        state[name] *= 0.5 * state[name][0].numel() ** 0.5
    return state


def numbers() -> dict[str, Any]:
    """Outputs of a small network for two waveforms."""
    theirs = network(seeded_weights(SMALL), **SMALL)
    return {"commit": COMMIT, "outputs": run(theirs, seeded_waveforms(N_SAMPLES, 16_000))}


@contextlib.contextmanager
def _unused_packages() -> Iterator[None]:
    """Stand-in for a package that the code imports and that no computation needs."""
    loguru = types.ModuleType("loguru")
    loguru.logger = mock.MagicMock()  # type: ignore[attr-defined]
    with mock.patch.dict(sys.modules, {"loguru": loguru}), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the code uses an old name of torch's autocast
        yield
