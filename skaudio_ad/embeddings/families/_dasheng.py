"""Dasheng, transformers that learnt to fill in masked spectrograms of 272 000 hours of sound."""

from functools import partial
from typing import TYPE_CHECKING, Any

from .._windows import windows_to_the_end
from ._ced import (
    MEL_TRANSFORMER_SETTINGS,
    build_ced_front_end,
    mel_transformer_settings,
    read_mel_transformer,
)
from ._family import Clock, Family, Output, Variant
from ._transformers import depth as depth_of
from ._transformers import n_features, n_logits

if TYPE_CHECKING:
    import torch

_DINKEL = (
    'H. Dinkel, Z. Yan, Y. Wang, J. Zhang, Y. Wang, B. Wang, "Scaling up masked audio encoder learning for general '
    'audio classification", Interspeech 2024, https://github.com/RicherMans/Dasheng'
)
_N_BANDS, _HOP_LENGTH = 64, 160  # number of bands of the spectrogram, and step between two frames in samples
_PATCH = 4  # length of a patch, in frames of the spectrogram
# Length of the longest window, in seconds: the position embeddings cover 252 patches, and 3 further frames are ignored.
_LONGEST_WINDOW = 10.1
_TOO_LARGE = "a file of ONNX holds at most two gigabytes"
_OUTPUTS = (
    Output("clip", n_features=n_features),
    Output("frames", ("C", "T"), n_features),
    Output("logits", n_features=n_logits),
)


def _build_network(variant: Variant) -> "torch.nn.Module":
    from ...networks import Dasheng

    return Dasheng(**variant.settings)


def _clock(variant: Variant, n_samples: int) -> Clock:
    # The first patch spans the frames 0 to 3 of the spectrogram, which are 10 ms apart.
    return Clock(first=0.015, step=0.04, per_window=(1 + n_samples // _HOP_LENGTH) // _PATCH)


def _variant(
    name: str,
    filename: str,
    url: str,
    *,
    size: int = 768,
    heads: int = 12,
    depth: int = 12,
    n_classes: int = 0,
    **others: Any,
) -> Variant:
    return Variant(
        name=name,
        filename=filename,
        url=url,
        source=_DINKEL,
        embedding_size=size,
        settings={"size": size, "heads": heads, "depth": depth, "n_classes": n_classes},
        outputs=None if n_classes else ("clip", "frames"),
        **others,
    )


def _on_the_hub(name: str) -> tuple[str, str]:
    """Name and address of a file of the hub, where every file of weights has the same name."""
    return f"{name}.safetensors", f"https://huggingface.co/mispeech/{name}/resolve/main/model.safetensors"


DASHENG = Family(
    name="dasheng",
    title="Dasheng",
    sample_rate=16_000,
    settings=MEL_TRANSFORMER_SETTINGS,
    build_network=_build_network,
    build_front_end=build_ced_front_end,
    outputs=_OUTPUTS,
    clock=_clock,
    min_samples=lambda variant: (_PATCH - 1) * _HOP_LENGTH,
    longest_window=_LONGEST_WINDOW,
    cut_windows=windows_to_the_end,
    hop_share=1.0,
    read_checkpoint=read_mel_transformer,
    identify=partial(mel_transformer_settings, patch=(_N_BANDS, _PATCH)),
    depth=depth_of,
    variants=(
        _variant(
            "dasheng_base",
            *_on_the_hub("dasheng-base"),
            megabytes=342,
            licence="not stated",
            author_name="mispeech/dasheng-base",
            frozen_scores={"RMIS": 59.28, "SIREN": 59.95},
        ),
        _variant(
            "dasheng_06b",
            *_on_the_hub("dasheng-0.6B"),
            size=1280,
            heads=16,
            depth=32,
            megabytes=2520,
            no_export=_TOO_LARGE,
            licence="Apache-2.0",
            author_name="mispeech/dasheng-0.6B",
            frozen_scores={"RMIS": 58.68, "SIREN": 59.16},
        ),
        _variant(
            "dasheng_12b",
            *_on_the_hub("dasheng-1.2B"),
            size=1536,
            heads=24,
            depth=40,
            # Four bytes a parameter. The size on the hub was not seen.
            megabytes=4540,
            no_export=_TOO_LARGE,
            licence="not stated",
            author_name="mispeech/dasheng-1.2B",
            frozen_scores={"RMIS": 59.31, "SIREN": 59.88},
        ),
        _variant(
            "dasheng_base_audioset",
            "dasheng_audioset_mAP497.pt",
            "https://zenodo.org/records/13315686/files/dasheng_audioset_mAP497.pt?download=1",
            n_classes=527,
            megabytes=343,
            licence="not stated",
            author_name="dasheng_audioset_mAP497",
            mean_average_precision=0.497,
        ),
    ),
    default_variant="dasheng_base",
)
