"""CED, transformers that an ensemble of larger transformers taught on AudioSet."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._checks import check_number
from .._windows import windows_to_the_end
from ._family import Clock, Family, Output, Variant
from ._state_dicts import count_blocks, keep_blocks, tensor_shape
from ._transformers import (
    check_layers,
    depth,
    n_built,
    n_features,
    n_logits,
)

if TYPE_CHECKING:
    import torch

_DINKEL = (
    'H. Dinkel, Y. Wang, Z. Yan, J. Zhang, Y. Wang, "CED: Consistent Ensemble Distillation for Audio Tagging", ICASSP '
    "2024, https://github.com/RicherMans/CED"
)
_N_BANDS, _HOP_LENGTH = 64, 160  # number of bands of the spectrogram, and step between two frames in samples
_PATCH = 16  # length of a patch, in frames and in bands of the spectrogram
# Length of the longest window, in seconds: the position embeddings cover 63 patches, and 15 further frames are ignored.
_LONGEST_WINDOW = 10.22


def plain_state_dict(content: Any) -> dict[str, Any]:
    """Tensors of a checkpoint of CED or Dasheng with the names of our network.

    The files of the hub put "encoder." before the names. The files of the authors' own code have the constants of the
    front end, call the batch normalisation "init_bn.1", and may hold the state dict under "model".

    Parameters
    ----------
    content : object
        Content of any file of weights.

    Returns
    -------
    dict of str to object
        Empty if `content` is no dict.
    """
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    if not isinstance(content, Mapping):
        return {}
    plain = {
        str(name).removeprefix("encoder.").replace("init_bn.1.", "init_bn.", 1): value
        for name, value in content.items()
    }
    return {name: value for name, value in plain.items() if not name.startswith("front_end.")}


def mel_transformer_settings(content: Any, patch: tuple[int, int]) -> dict[str, Any] | None:
    """Settings of a CED or Dasheng from its checkpoint, or None for any other file.

    Parameters
    ----------
    content : object
        Content of any file of weights.
    patch : (int, int)
        Size of a patch, which tells the families apart.
    """
    state = plain_state_dict(content)
    kernel = tensor_shape(state, "patch_embed.proj.weight")
    if kernel is None or kernel[1:] != (1, *patch) or tensor_shape(state, "init_bn.weight") != (_N_BANDS,):
        return None
    classes = tensor_shape(state, "outputlayer.1.weight")
    return {
        "size": kernel[0],
        "depth": count_blocks(state, "blocks."),
        "n_classes": 0 if classes is None else classes[0],
    }


def read_mel_transformer(content: Any, variant: Variant) -> dict[str, Any]:
    """State dict of the network of a variant, without the layers behind the last block that the variant needs."""
    state = plain_state_dict(content)
    if variant.settings.get("layers") is None:
        return state
    behind = ("norm.", "outputlayer.")
    kept = {name: value for name, value in state.items() if not name.startswith(behind)}
    return keep_blocks(kept, "blocks.", n_built(variant))


#: Parameters of the networks of CED and Dasheng.
MEL_TRANSFORMER_SETTINGS: dict[str, Callable[[Any, str], None]] = {
    "size": partial(check_number, low=1, integer=True),
    "heads": partial(check_number, low=1, integer=True),
    "depth": partial(check_number, low=1, integer=True),
    "n_classes": partial(check_number, low=0, integer=True),
    "layers": check_layers,
}


def build_ced_front_end(variant: Variant) -> "torch.nn.Module":
    """The front end of CED and Dasheng."""
    from ...networks import CEDFrontEnd

    return CEDFrontEnd()


def _build_network(variant: Variant) -> "torch.nn.Module":
    from ...networks import CED

    return CED(**variant.settings)


def _clock(variant: Variant, n_samples: int) -> Clock:
    # The first patch spans the frames 0 to 15 of the spectrogram, which are 10 ms apart.
    return Clock(first=0.075, step=0.16, per_window=(1 + n_samples // _HOP_LENGTH) // _PATCH)


def _grid_bands(variant: Variant) -> np.ndarray:
    from ...networks._decibel_mel import htk_band_to_hertz

    first = np.arange(0, _N_BANDS, _PATCH)
    return htk_band_to_hertz(np.column_stack([first - 0.5, first + _PATCH - 0.5]))


def _variant(
    name: str, size: int, heads: int, megabytes: float, mean_average_precision: float, **scores: float
) -> Variant:
    return Variant(
        name=f"ced_{name}",
        # The authors publish the same networks on Zenodo. The files on the hub have a model card that states the
        # licence, and hold no pickle.
        filename=f"ced-{name}.safetensors",
        url=f"https://huggingface.co/mispeech/ced-{name}/resolve/main/model.safetensors",
        megabytes=megabytes,
        licence="Apache-2.0",
        source=_DINKEL,
        embedding_size=size,
        settings={"size": size, "heads": heads, "depth": 12, "n_classes": 527},
        author_name=f"mispeech/ced-{name}",
        mean_average_precision=mean_average_precision,
        frozen_scores=scores,
    )


CED = Family(
    name="ced",
    title="CED",
    sample_rate=16_000,
    settings=MEL_TRANSFORMER_SETTINGS,
    build_network=_build_network,
    build_front_end=build_ced_front_end,
    outputs=(
        Output("clip", n_features=n_features),
        Output("frames", ("C", "T"), n_features),
        Output("grid", ("C", "F", "T"), n_features),
        Output("tokens", ("C", "F T"), n_features),
        Output("logits", n_features=n_logits),
    ),
    clock=_clock,
    grid_bands=_grid_bands,
    min_samples=lambda variant: (_PATCH - 1) * _HOP_LENGTH,
    longest_window=_LONGEST_WINDOW,
    cut_windows=windows_to_the_end,
    hop_share=1.0,
    read_checkpoint=read_mel_transformer,
    identify=partial(mel_transformer_settings, patch=(_PATCH, _PATCH)),
    depth=depth,
    # The files are named by their mean average precision on Zenodo: 4814 is 0.4814.
    variants=(
        _variant("tiny", 192, 3, 22, 0.4814, RMIS=59.15, SIREN=58.96),
        _variant("mini", 256, 4, 39, 0.4896, RMIS=59.36, SIREN=59.11),
        _variant("small", 384, 6, 86.5, 0.4958, RMIS=59.63, SIREN=59.39),
        _variant("base", 768, 12, 343, 0.4999, RMIS=59.76, SIREN=59.68),
    ),
    default_variant="ced_base",
)
