"""The MobileNets of EfficientAT."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._checks import check_number
from ._family import Clock, Family, Output, Variant
from ._state_dicts import tensor_shape

if TYPE_CHECKING:
    import torch

    from ...networks import MobileNet

_SCHMID = (
    'F. Schmid, K. Koutini, G. Widmer, "Efficient Large-Scale Audio Tagging via Transformer-to-CNN Knowledge '
    'Distillation", ICASSP 2023, https://github.com/fschmid56/EfficientAT'
)


# Folder of the weights that are part of this package, and the sha256 of the file in it. The command
# ``python -m benchmarks.pretraining.export`` writes the file and the next line.
_PACKAGED = Path(__file__).parents[1] / "weights"
_MINI_SHA256 = "07c94abe45d07371af30a79fbcb4fbeb7073e145b65c466baeae23099b42d7ec"
_N_CLASSES = 527


def _has_classes(variant: Variant) -> bool:
    return variant.outputs is None or "logits" in variant.outputs


def _build_network(variant: Variant) -> "MobileNet":
    from ...networks import MobileNet

    return MobileNet(variant.settings["width"], _N_CLASSES if _has_classes(variant) else 0)


def _read_checkpoint(content: Any, variant: Variant) -> Any:
    """Leave out the classifier of a checkpoint whose variant has no classes."""
    if _has_classes(variant) or not isinstance(content, dict):
        return content
    return {name: value for name, value in content.items() if not str(name).startswith("classifier.")}


def _identify(content: Any) -> dict[str, Any] | None:
    last = tensor_shape(content, "features.16.0.weight")
    if last is None or "features.0.0.weight" not in content:
        return None
    # The number of channels is a multiple of eight near 960 times the width, so only known widths are certain.
    known = {variant.embedding_size: variant.settings["width"] for variant in MOBILENET.variants}
    return {"width": known[last[0]]} if last[0] in known else {}


def _build_front_end(variant: Variant) -> "torch.nn.Module":
    from ...networks import AudioSetFrontEnd

    return AudioSetFrontEnd()


def _size(name: str, variant: Variant) -> int:
    from ...networks._mobilenet import mobilenet_sizes

    return mobilenet_sizes(variant.settings["width"], _N_CLASSES)[name]


def _vector(name: str) -> Output:
    return Output(name, n_features=partial(_size, name))


def _clock(variant: Variant, n_samples: int) -> Clock:
    # Five strides of two make a frame of every 32 frames of the spectrogram, centred on the first of them.
    n_frames = 1 + (n_samples - 1) // 320
    return Clock(first=0.0, step=0.32, per_window=-(-n_frames // 32))


def _grid_bands(variant: Variant) -> np.ndarray:
    from ...networks._front_end import band_to_hertz

    # Five strides of two make a band of every 32 bands of the spectrogram, centred on the first of them.
    edges = np.array([-0.5, 16, 48, 80, 127.5])
    return band_to_hertz(np.column_stack([edges[:-1], edges[1:]]))


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
        # The authors write their figure into the name of the file: 432 is 0.432.
        mean_average_precision=int(filename.removesuffix(".pt").split("_mAP_")[1]) / 1000,
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
        _vector("clip_stats"),
        Output("frames", ("C", "T")),
        Output("grid", ("C", "F", "T")),
        *map(_vector, ("multilevel", "block5", "block11", "block13", "block15", "logits")),
    ),
    clock=_clock,
    grid_bands=_grid_bands,
    min_samples=lambda variant: 514,  # half a window of the front end is reflected at both ends
    # Measured with the published mn04 on ESC-10 and MIMII: clip embeddings differ by 8 to 10 %.
    no_bfloat16={"openvino": "it rounds all layers of a MobileNet, and embeddings would be a tenth off"},
    read_checkpoint=_read_checkpoint,
    identify=_identify,
    # Megabytes are four bytes a parameter, and 0.1 for the names.
    variants=(
        Variant(
            name="mini",
            filename="mini.safetensors",
            sha256=_MINI_SHA256,
            megabytes=1.1,
            licence="BSD-3-Clause",
            source=(
                'The skaudio_ad developers, "Model card of mini", 2026, skaudio_ad/embeddings/weights/README.md: mn04 '
                "(MIT) taught the network on synthesised sound"
            ),
            folder=str(_PACKAGED),
            embedding_size=384,
            settings={"width": 0.4},
            outputs=(
                *("clip", "clip_stats", "frames", "grid", "multilevel"),
                *("block5", "block11", "block13", "block15"),
            ),
        ),
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
    default_variant="mini",
)
