"""ECHO of its authors: https://github.com/yucongzh/ECHO, commit f55b5a3a0c.

`numbers` runs a network of two blocks with two heads and 32 values a token, with weights of `seeded_state_dict`, on two
clips of 0.5 s at 16 kHz, two of 0.2 s at 44.1 kHz, and two of 45 s at 1 kHz, which the authors cut into three windows.
"""

import sys
import types
import warnings
from collections.abc import Mapping
from typing import Any

import torch

from . import import_from
from .seeded import seeded_state_dict, seeded_waveforms

COMMIT = "f55b5a3a0c"
SMALL = {"size": 32, "heads": 2, "depth": 2}
#: Sample rate in hertz and duration in seconds of the clips of every output.
CLIPS = {"clip": (16_000, 0.5), "clip_of_44100_hz": (44_100, 0.2), "clip_of_45_s": (1000, 45)}


def network(
    state: Mapping[str, torch.Tensor] | None = None, *, size: int = 192, heads: int = 3, depth: int = 12
) -> Any:
    """The authors' network.

    Parameters
    ----------
    state : mapping of str to tensor or None
        Weights. None keeps random ones.
    size, heads, depth : int
        As of :class:`skaudio_ad.networks.ECHO`.

    Returns
    -------
    torch.nn.Module
        In evaluation mode.
    """
    added = _without_einops()
    try:
        module = import_from("echo/models/ECHO", "audioMAE_band_upgrade")
    finally:
        for name in added:
            del sys.modules[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that an odd number of heads has no fast path
        made = module.AudioMAEWithBand(
            spec_len=2000,
            band_width=32,
            shift_size=16,
            embed_dim=size,
            encoder_depth=depth,
            num_heads=heads,
            freq_pos_emb_dim=size,
            # As in the README and in SIREN. The default eps of the code is 1e-5.
            norm_layer=lambda n_values: torch.nn.LayerNorm(n_values, eps=1e-6),
        ).eval()
    if state is not None:
        made.load_state_dict(state, strict=True)
    return made


def run(made: Any, waveform: torch.Tensor, sample_rate: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Embed one waveform as the authors do.

    Parameters
    ----------
    made : torch.nn.Module
    waveform : torch.Tensor of shape (n_samples,)
    sample_rate : int

    Returns
    -------
    clip : torch.Tensor of shape (n_bands * size,)
    frames : torch.Tensor of shape (n_frames, n_bands * size)
    """
    with torch.no_grad():
        return made.extract_features_from_audio(waveform[None], sample_rate)


def numbers() -> dict[str, Any]:
    """Outputs of the small network, for :mod:`benchmarks.authors.record`."""
    shapes = network(**SMALL).state_dict()
    made = network(seeded_state_dict(shapes), **SMALL)
    outputs = {}
    for name, (rate, _) in CLIPS.items():
        clips, frames = zip(*(run(made, waveform, rate) for waveform in waveforms(name)))
        outputs[name] = torch.stack(clips).numpy()
        if name == "clip":
            outputs["frames"] = torch.stack(frames).transpose(1, 2).numpy()
    return {"commit": COMMIT, "outputs": outputs}


def waveforms(output: str) -> torch.Tensor:
    """Waveforms of a recorded output, (2, n_samples). Their level changes, so that windows of a long clip differ."""
    rate, seconds = CLIPS[output]
    clips = seeded_waveforms(int(seconds * rate), rate)
    return clips * torch.linspace(0.1, 1, clips.shape[1])


def _without_einops():
    """Stand in for einops, if the package is not there. The authors call it once, with one pattern."""
    try:
        import einops  # noqa: F401
    except ImportError:
        module = types.ModuleType("einops")

        def rearrange(values, pattern):
            assert pattern == "b t d -> t (b d)"
            return values.transpose(0, 1).flatten(1)

        module.rearrange = rearrange  # type: ignore[attr-defined]
        sys.modules["einops"] = module
        return ["einops"]
    return []
