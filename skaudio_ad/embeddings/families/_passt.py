"""PaSST, the patchout spectrogram transformer."""

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._checks import check_number
from ._family import Clock, Family, Output, OwnRuntime, Variant
from ._state_dicts import count_blocks, tensor_shape

if TYPE_CHECKING:
    import torch

_KOUTINI = (
    'K. Koutini, J. Schlüter, H. Eghbal-zadeh, G. Widmer, "Efficient Training of Audio Transformers with '
    'Patchout", Interspeech 2022, https://github.com/kkoutini/PaSST'
)
_PATCH = 16  # length of a patch, in frames of the spectrogram
_HOP_LENGTH = 320  # step between two frames of the spectrogram, in samples


def _build_network(variant: Variant) -> "torch.nn.Module":
    from ...networks import PaSST

    return PaSST(stride=variant.settings["stride"], depth=variant.settings["depth"])


def _identify(content: Any) -> dict[str, Any] | None:
    bins = tensor_shape(content, "freq_new_pos_embed")
    if bins is None or "dist_token" not in content:
        return None
    # Other numbers of rows would fit several strides.
    stride = {12: {"stride": 10}, 8: {"stride": 16}}.get(bins[2], {})
    return {**stride, "depth": count_blocks(content, "blocks.")}


def _build_front_end(variant: Variant) -> "torch.nn.Module":
    from ...networks import AudioSetFrontEnd

    return AudioSetFrontEnd()


def _hear21passt(network: Any, device: str) -> Any:
    from ._hear21passt import Hear21PaSSTRuntime

    return Hear21PaSSTRuntime(network, device)


def _clock(variant: Variant, n_samples: int) -> Clock:
    stride = variant.settings["stride"]
    n_frames = 1 + (n_samples - 1) // _HOP_LENGTH
    # The first patch spans the frames 0 to 15 of the spectrogram, which are 10 ms apart.
    return Clock(first=0.075, step=stride / 100, per_window=(n_frames - _PATCH) // stride + 1)


def _grid_bands(variant: Variant) -> np.ndarray:
    from ...networks._front_end import AudioSetFrontEnd, band_to_hertz

    first = np.arange(0, AudioSetFrontEnd.n_mels - _PATCH + 1, variant.settings["stride"])
    return band_to_hertz(np.column_stack([first - 0.5, first + _PATCH - 0.5]))


def _variant(
    name: str,
    tag: str,
    filename: str,
    author_name: str,
    megabytes: float,
    *,
    stride: int = 10,
    depth: int = 12,
) -> Variant:
    return Variant(
        name=name,
        filename=filename,
        url=f"https://github.com/kkoutini/PaSST/releases/download/{tag}/{filename}",
        megabytes=megabytes,
        licence="Apache-2.0",
        source=_KOUTINI,
        embedding_size=768,
        settings={"stride": stride, "depth": depth},
        author_name=author_name,
        # The authors write their figure into the name of the file: "ap.476" is 0.476.
        mean_average_precision=float("0." + re.findall(r"ap\.(\d+)", filename)[0]),
    )


PASST = Family(
    name="passt",
    title="PaSST",
    sample_rate=32_000,
    settings={
        "stride": partial(check_number, low=1, integer=True),
        "depth": partial(check_number, low=1, integer=True),
    },
    build_network=_build_network,
    build_front_end=_build_front_end,
    outputs=(
        Output("clip"),
        Output("frames", ("C", "T")),
        Output("grid", ("C", "F", "T")),
        Output("tokens", ("C", "2 + F T")),
        Output("class_token"),
        Output("distillation_token"),
        Output("patch_mean"),
        Output("logits", n_features=lambda variant: 527),
    ),
    clock=_clock,
    grid_bands=_grid_bands,
    min_samples=lambda variant: (_PATCH - 1) * _HOP_LENGTH + 1,
    longest_window=10.0,  # the positions in time are as many as ten seconds need
    batch_size=4,
    identify=_identify,
    own_runtimes={
        "hear21passt": OwnRuntime(
            _hear21passt, ("hear21passt", "timm", "torchaudio", "torchvision"), extra="passt"
        )
    },
    no_bfloat16={"hear21passt": "it runs as its authors published it"},
    variants=(
        _variant(
            "passt_s_swa",
            "v0.0.1-audioset",
            "passt-s-f128-p16-s10-ap.476-swa.pt",
            "passt_s_swa_p16_128_ap476",
            345,
        ),
        _variant("passt_s_kd", "v.0.0.9", "passt-s-kd-ap.486.pt", "passt_s_kd_p16_128_ap486", 345),
        _variant("passt_l_kd", "v.0.0.10", "passt-l-kd-ap.47.pt", "passt_l_kd_p16_128_ap47", 203, depth=7),
        _variant(
            "passt_s_s16",
            "v0.0.2-audioset",
            "passt-s-f128-p16-s16-ap.468.pt",
            "passt_s_p16_s16_128_ap468",
            345,
            stride=16,
        ),
    ),
    default_variant="passt_s_swa",
)
