"""Random weights and waveforms that are the same on every machine.

The numbers come from numpy, because numpy keeps the streams of ``default_rng`` and torch may change its own. Every
tensor has a stream of its own, so the order of the tensors does not matter. Biases, norms and tables are large, because
an error hides behind biases of zero and norms of one.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


def seeded_state_dict(shapes: Mapping[str, Any], seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights for tensors of some shapes.

    Parameters
    ----------
    shapes : mapping of str to tensor, or to tuple of int
        Tensors, such as a state dict, or their shapes.
    seed : int, default=0

    Returns
    -------
    dict of str to torch.Tensor
        float32. A matrix or kernel is normal with a standard deviation of one by the square root of its number of
        inputs. A vector whose name ends in "weight" is the scale of a norm, 1 + 0.2 normal; any other vector is 0.2
        normal. A variance ("running_var") is between 0.5 and 1.5. Integers are 0.
    """
    state = {}
    for name, value in shapes.items():
        shape = tuple(value.shape) if hasattr(value, "shape") else tuple(value)
        if hasattr(value, "dtype") and not value.dtype.is_floating_point:
            state[name] = torch.zeros(shape, dtype=value.dtype)
            continue
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        numbers = rng.normal(size=shape)
        if name.endswith("running_var"):
            numbers = 0.5 + rng.uniform(size=shape)
        elif len(shape) > 1 and max(shape) != np.prod(shape):
            numbers /= np.sqrt(np.prod(shape[1:]))
        elif name.endswith("weight"):
            numbers = 1 + 0.2 * numbers
        else:
            numbers *= 0.2
        state[name] = torch.from_numpy(np.asarray(numbers, dtype=np.float32))
    return state


def seeded_waveforms(n_samples: int, sample_rate: int, n_clips: int = 2, seed: int = 0) -> torch.Tensor:
    """Noise with a tone that differs from clip to clip, and an offset.

    Returns
    -------
    torch.Tensor of shape (n_clips, n_samples), float32
        Values in [-1, 1].
    """
    rng = np.random.default_rng(seed)
    seconds = np.arange(n_samples) / sample_rate
    clips = [
        0.02 + 0.1 * rng.normal(size=n_samples) + 0.3 * np.sin(2 * np.pi * 440 * (1 + number) * seconds)
        for number in range(n_clips)
    ]
    return torch.from_numpy(np.clip(clips, -1, 1).astype(np.float32))
