"""Dasheng as its authors publish it: https://github.com/RicherMans/Dasheng at db7309358e, in the folder "dasheng".

The code needs torchaudio and einops.
"""

from collections.abc import Mapping
from typing import Any
from unittest import mock

import numpy as np
import torch

from . import import_from
from .ced import seeded_like
from .seeded import seeded_waveforms

COMMIT = "db7309358e"
SMALL = {"size": 12, "heads": 2, "depth": 3, "n_classes": 0}
# Length of the waveforms of `numbers`, in samples: 11 patches in time, and some samples more.
N_SAMPLES = 7300


def network(
    state: Mapping[str, torch.Tensor], *, size: int, heads: int, depth: int, n_classes: int = 0
) -> Any:
    """The authors' network with weights, which have the names of the files on Zenodo.

    The authors' class has no classifier. Their README puts a LayerNorm and a Linear behind the mean over the frames of
    the fine-tuned file, and `run` does the same.
    """
    # The package asks for its own version, which a checkout does not have.
    with mock.patch("importlib.metadata.version", return_value=""):
        module = import_from("dasheng", "dasheng.pretrained.pretrained")
    made = module.Dasheng(embed_dim=size, num_heads=heads, depth=depth)
    constants = {name: value for name, value in made.state_dict().items() if name.startswith("front_end.")}
    classifier = {name: value for name, value in state.items() if name.startswith("outputlayer.")}
    made.load_state_dict(
        {**constants, **{name: state[name] for name in state if name not in classifier}}, strict=True
    )
    made.outputlayer = None
    if n_classes:
        made.outputlayer = torch.nn.Sequential(torch.nn.LayerNorm(size), torch.nn.Linear(size, n_classes))
        made.outputlayer.load_state_dict(
            {name.removeprefix("outputlayer."): value for name, value in classifier.items()}
        )
    return made.eval()


def run(network: Any, waveforms: torch.Tensor) -> dict[str, np.ndarray]:
    """Outputs of waveforms, one waveform at a time, because the authors' front end depends on the whole batch."""
    with torch.no_grad():
        frames = torch.cat([network(waveform[None]) for waveform in waveforms])
        outputs = {"clip": frames.mean(1), "frames": frames.transpose(1, 2)}
        if network.outputlayer is not None:
            outputs["logits"] = network.outputlayer(outputs["clip"])
    return {name: value.numpy() for name, value in outputs.items()}


def seeded_weights(settings: Mapping[str, Any], seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights with the names of the files on Zenodo."""
    from skaudio_ad.networks import Dasheng

    return seeded_like(Dasheng(**settings).state_dict(), seed)


def numbers() -> dict[str, Any]:
    """Outputs of a small network for two waveforms."""
    theirs = network(seeded_weights(SMALL), **SMALL)
    return {"commit": COMMIT, "outputs": run(theirs, seeded_waveforms(N_SAMPLES, 16_000))}
