"""Checks of the parameters of a `FineTunedEmbedding`, before a clip is read."""

from functools import lru_cache
from typing import Any

import numpy as np
from sklearn.base import clone

from .._checks import check_number, check_option
from ._backbone_embedding import BackboneEmbedding
from ._backbone_engine import build_on_meta
from ._fine_tuned_checkpoint import check_checkpoint
from ._fine_tuned_windows import split_augmenter
from ._registry import Backbone

_OBJECTIVES = ("softmax", "arcface", "adacos", "self")
_POSITIVE = ("alpha", "scale", "temperature", "learning_rate", "backbone_learning_rate", "window")
# Number of outputs of a projection whose size is None: the size of the space of SimCLR's loss.
_PROJECTION_SIZE = 128


def check_parameters(tuned: Any, X: Any = None) -> tuple[BackboneEmbedding, dict[str, Any]]:
    """Raise for parameters out of range.

    Parameters
    ----------
    tuned : FineTunedEmbedding
    X : AudioClips, array-like of shape (n_clips, n_samples), list of 1-D ndarray, list of paths, or None
        Training clips. A network of any rate learns its sample rate from them.

    Returns
    -------
    embedding : BackboneEmbedding
        Copy of the parameter, on the device of the tuning, at the sample rate of the training clips.
    recipe : dict
        Parameters of :class:`~skaudio_ad.networks.TunedNetwork`, as plain values.

    Raises
    ------
    TypeError, ValueError
    """
    if not isinstance(tuned.embedding, BackboneEmbedding):
        raise TypeError(
            "embedding must be a MobileNetEmbedding, PaSSTEmbedding or BackboneEmbedding, got "
            f"{tuned.embedding!r}."
        )
    check_option(tuned.objective, "objective", _OBJECTIVES)
    check_option(tuned.output, "output", ("auto", "embedding", "projection"))
    check_number(tuned.projection_size, "projection_size", low=1, integer=True, none=True)
    check_number(tuned.rank, "rank", low=1, integer=True)
    for name in _POSITIVE:
        check_number(getattr(tuned, name), name, low=0, closed="neither")
    check_number(tuned.margin, "margin", low=0, high=np.pi / 2)
    check_number(tuned.mixup_alpha, "mixup_alpha", low=0)
    if isinstance(tuned.windows_per_clip, str):
        check_option(tuned.windows_per_clip, "windows_per_clip", ("auto",))
    else:
        check_number(tuned.windows_per_clip, "windows_per_clip", low=1, integer=True)
    check_number(tuned.max_epochs, "max_epochs", low=1, integer=True)
    check_number(tuned.batch_size, "batch_size", low=2, integer=True)
    check_number(tuned.weight_decay, "weight_decay", low=0)
    check_number(tuned.validation_fraction, "validation_fraction", low=0, high=1, closed="left")
    check_option(tuned.deterministic, "deterministic", (True, False))
    check_checkpoint(tuned.checkpoint)
    embedding = clone(tuned.embedding)
    if tuned.device is not None:
        embedding.set_params(device=tuned.device)
    if X is not None:
        embedding._learn_rate(X)
    embedding._check(embedding.output)
    check_number(tuned.window, "window", low=0, high=embedding._longest_window, closed="right")
    split_augmenter(tuned.augmenter, embedding._rate())
    return embedding, _recipe(tuned, embedding)


def _recipe(tuned, embedding):
    if not isinstance(tuned.patchout, (tuple, list)) or len(tuned.patchout) != 2:
        raise ValueError(f"patchout must be a pair of numbers (rows, columns), got {tuned.patchout!r}.")
    for number in tuned.patchout:
        check_number(number, "patchout", low=0, integer=True)
    if any(tuned.patchout) and embedding._backbone().family != "passt":
        raise ValueError(
            f"patchout leaves out patches of a PaSST, got {tuned.patchout!r} for a {embedding._its_family().title}. "
            "Use patchout=(0, 0)."
        )
    if tuned.objective == "self" and tuned.mixup_alpha > 0:
        raise ValueError(
            f'mixup_alpha mixes labels, and objective="self" has none, got mixup_alpha={tuned.mixup_alpha!r}. Use '
            "mixup_alpha=0, or an Augmenter with mixup."
        )
    if isinstance(tuned.trainable, str):
        check_option(tuned.trainable, "trainable", ("all", "head", "lora"))
    else:
        n_stages = _n_stages(embedding._backbone())
        check_number(tuned.trainable, "trainable", low=1, high=n_stages, integer=True)
    size = tuned.projection_size
    if size is None and (tuned.trainable == "head" or tuned.objective == "self"):
        size = _PROJECTION_SIZE
    if tuned.trainable == "head" and tuned.output == "embedding":
        raise ValueError(
            'output="embedding" is the frozen embedding itself with trainable="head": use output="projection", or the '
            "embedding without tuning."
        )
    if tuned.output == "projection" and size is None:
        raise ValueError('output="projection" needs a projection: set projection_size, such as 128.')
    return {
        "trainable": tuned.trainable if isinstance(tuned.trainable, str) else int(tuned.trainable),
        "projection_size": None if size is None else int(size),
        "rank": int(tuned.rank),
        "alpha": float(tuned.alpha),
        "patchout": tuple(int(number) for number in tuned.patchout),
    }


@lru_cache(maxsize=8)
def _n_stages(backbone: Backbone) -> int:
    """Number of layers that can be opened one by one."""
    stages: Any = build_on_meta(backbone).stages
    return len(stages)
