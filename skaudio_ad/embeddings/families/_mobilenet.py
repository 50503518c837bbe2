"""The MobileNets of EfficientAT."""

from functools import partial
from typing import TYPE_CHECKING

from ..._checks import check_number
from ._family import Clock, Family, Output, Variant

if TYPE_CHECKING:
    import torch

    from ...networks import MobileNet

_SCHMID = (
    'F. Schmid, K. Koutini, G. Widmer, "Efficient Large-Scale Audio Tagging via Transformer-to-CNN Knowledge '
    'Distillation", ICASSP 2023, https://github.com/fschmid56/EfficientAT'
)


def _build_network(variant: Variant) -> "MobileNet":
    from ...networks import MobileNet

    return MobileNet(variant.settings["width"])


def _build_front_end(variant: Variant) -> "torch.nn.Module":
    from ...networks import AudioSetFrontEnd

    return AudioSetFrontEnd()


def _multilevel_size(variant: Variant) -> int:
    import torch

    with torch.device("meta"):  # no memory is used, and no numbers are drawn from the global generator
        return _build_network(variant).multilevel_size


def _clock(variant: Variant, n_samples: int) -> Clock:
    # Five strides of two make a frame of every 32 frames of the spectrogram, centred on the first of them.
    n_frames = 1 + (n_samples - 1) // 320
    return Clock(first=0.0, step=0.32, per_window=-(-n_frames // 32))


def _variant(
    name: str, filename: str, width: float, embedding_size: int, megabytes: float, sha256: str | None = None
) -> Variant:
    return Variant(
        name=name,
        filename=filename,
        url=f"https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/{filename}",
        sha256=sha256,
        megabytes=megabytes,
        licence="MIT",
        source=_SCHMID,
        embedding_size=embedding_size,
        settings={"width": width},
        author_name=filename.split("_mAP")[0],
    )


MOBILENET = Family(
    name="mobilenet",
    title="MobileNet",
    sample_rate=32_000,
    settings={"width": partial(check_number, low=0, closed="neither")},
    build_network=_build_network,
    build_front_end=_build_front_end,
    outputs=(
        Output("clip"),
        Output("frames", ("C", "T")),
        Output("grid", ("C", "F", "T")),
        Output("multilevel", n_features=_multilevel_size),
        Output("logits", n_features=lambda variant: 527),
    ),
    clock=_clock,
    min_samples=lambda variant: 514,  # half a window of the front end is reflected at both ends
    # Measured with the published mn04 on ESC-10 and MIMII: clip embeddings differ by 8 to 10 %.
    no_bfloat16={"openvino": "it rounds all layers of a MobileNet, and embeddings would be a tenth off"},
    # Megabytes are four bytes a parameter, and 0.1 for the names.
    variants=(
        _variant("mn01", "mn01_as_mAP_298.pt", 0.1, 96, 0.6),
        _variant("mn02", "mn02_as_mAP_378.pt", 0.2, 192, 1.4),
        _variant(
            "mn04",
            "mn04_as_mAP_432.pt",
            0.4,
            384,
            4.1,
            sha256="899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
        ),
        _variant("mn05", "mn05_as_mAP_443.pt", 0.5, 480, 5.8),
        _variant("mn10", "mn10_as_mAP_471.pt", 1.0, 960, 20),
        _variant("mn20", "mn20_as_mAP_478.pt", 2.0, 1920, 72),
        _variant("mn30", "mn30_as_mAP_482.pt", 3.0, 2880, 156),
        _variant("mn40", "mn40_as_mAP_484.pt", 4.0, 3840, 274),
        _variant("mn40_ext", "mn40_as_ext_mAP_487.pt", 4.0, 3840, 274),
    ),
    default_variant="mn10",
)
