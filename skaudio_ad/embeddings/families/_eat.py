"""EAT, the efficient audio transformer, and SSLAM."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ..._checks import check_number
from .._windows import windows_to_the_end
from ._family import Family, Output, Variant
from ._state_dicts import count_blocks, keep_blocks, tensor_shape
from ._transformers import (
    KALDI_MIN_SAMPLES,
    check_layers,
    depth,
    kaldi_clock,
    kaldi_grid_bands,
    n_built,
    n_features,
    n_logits,
)

if TYPE_CHECKING:
    import torch

_CHEN = (
    'W. Chen, Y. Liang, Z. Ma, Z. Zheng, X. Chen, "EAT: Self-Supervised Pre-Training with Efficient Audio '
    'Transformer", IJCAI 2024, https://github.com/cwx-worst-one/EAT'
)
_ALEX = (
    'T. Alex, S. Atito, A. Mustafa, M. Awais, P. J. B. Jackson, "SSLAM: Enhancing Self-Supervised Models with Audio '
    'Mixtures for Polyphonic Soundscapes", ICLR 2025, https://github.com/ta012/SSLAM'
)
# Number of positions in the checkpoints: 8 bands of 768 columns. FISHER has the same names and another number.
_N_POSITIONS = 6144
# Beginnings of names in files of the hub and in files of the training framework, which our network does not have.
_PREFIXES = ("model.", "modality_encoders.IMAGE.")
# Parts of the pretraining in files of the training framework.
_DROPPED = ("decoder.", "_ema")


def _build_network(variant: Variant) -> "torch.nn.Module":
    from ...networks import EAT as EATNetwork

    return EATNetwork(**{**_DEFAULTS, **variant.settings})


def _build_front_end(variant: Variant) -> "torch.nn.Module":
    from ...networks import EATFrontEnd

    return EATFrontEnd()


def _our_names(content: Any) -> dict[str, Any]:
    """The tensors of a file of the hub or of the training framework, with the names of our network."""
    state = content.get("model", content) if isinstance(content, Mapping) else None
    renamed: dict[str, Any] = {}
    if not isinstance(state, Mapping):
        return renamed
    for name, value in state.items():
        new = str(name)
        for prefix in _PREFIXES:
            new = new.removeprefix(prefix)
        new = new.replace("context_encoder.norm.", "pre_norm.")
        if not new.startswith(_DROPPED):
            renamed[new] = value
    return renamed


def _identify(content: Any) -> dict[str, Any] | None:
    state = _our_names(content)
    positions = tensor_shape(state, "fixed_positional_encoder.positions")
    token = tensor_shape(state, "extra_tokens")
    if positions is None or token is None or (len(positions), len(token)) != (3, 3):
        return None
    if positions[1] != _N_POSITIONS:
        return None
    classes = tensor_shape(state, "head.weight") or (0,)
    return {"size": token[2], "depth": count_blocks(state, "blocks."), "n_classes": classes[0]}


def _read_checkpoint(content: Any, variant: Variant) -> dict[str, Any]:
    state = _our_names(content)
    if "extra_tokens" not in state:
        raise ValueError(
            "is no file of EAT: it has no tensor 'extra_tokens'. The authors publish model.safetensors on the hub."
        )
    if variant.settings.get("layers") is None:
        return state
    first = {name: value for name, value in state.items() if not name.startswith(("fc_norm.", "head."))}
    return keep_blocks(first, "blocks.", n_built(variant))


# Settings that a variant need not give.
_DEFAULTS = {"n_classes": 0, "layers": None}
_BASE = {"size": 768, "depth": 12, "heads": 12}
_LARGE = {"size": 1024, "depth": 24, "heads": 16}
_WITHOUT_CLASSES = ("clip", "frames", "grid", "tokens", "token_mean")


def _variant(
    name: str,
    repository: str,
    sizes: dict[str, int],
    *,
    n_classes: int = 0,
    sha256: str | None = None,
    precision: float | None = None,
    scores: dict[str, float] | None = None,
    source: str = _CHEN,
) -> Variant:
    return Variant(
        name=name,
        # All files of the hub are called model.safetensors.
        filename=f"{repository.partition('/')[2]}.safetensors",
        url=f"https://huggingface.co/{repository}/resolve/main/model.safetensors",
        sha256=sha256,
        megabytes={768: 360, 1024: 1236}[sizes["size"]] + (2 if n_classes else 0),
        licence="MIT",
        source=source,
        embedding_size=sizes["size"],
        settings={**sizes, "n_classes": n_classes},
        outputs=None if n_classes else _WITHOUT_CLASSES,
        author_name=repository,
        mean_average_precision=precision,
        frozen_scores=scores or {},
    )


EAT = Family(
    name="eat",
    title="EAT",
    sample_rate=16_000,
    settings={
        "size": partial(check_number, low=4, integer=True),
        "depth": partial(check_number, low=1, integer=True),
        "heads": partial(check_number, low=1, integer=True),
        "n_classes": partial(check_number, low=0, integer=True, none=True),
        "layers": check_layers,
    },
    build_network=_build_network,
    build_front_end=_build_front_end,
    outputs=(
        Output("clip", n_features=n_features),
        Output("frames", ("C", "T"), n_features=n_features),
        Output("grid", ("C", "F", "T"), n_features=n_features),
        Output("tokens", ("C", "1 + F T"), n_features=n_features),
        Output("token_mean", n_features=n_features),
        Output("logits", n_features=n_logits),
    ),
    clock=kaldi_clock,
    grid_bands=kaldi_grid_bands,
    min_samples=lambda variant: KALDI_MIN_SAMPLES,
    longest_window=122.88,  # the positions in time are as many as this takes
    cut_windows=windows_to_the_end,
    hop_share=1.0,
    batch_size=4,
    read_checkpoint=_read_checkpoint,
    identify=_identify,
    depth=depth,
    variants=(
        _variant(
            "eat_base",
            "worstchan/EAT-base_epoch30_pretrain",
            _BASE,
            sha256="8623072d09aac4f3ad1168b4fed3a24e4f68fe1da25b9fe733375efb237e5f48",
            scores={"RMIS": 60.67, "SIREN": 60.84},
        ),
        _variant(
            "eat_base_as2m",
            "worstchan/EAT-base_epoch30_finetune_AS2M",
            _BASE,
            n_classes=527,
            precision=0.489,
        ),
        _variant(
            "eat_large",
            "worstchan/EAT-large_epoch20_pretrain",
            _LARGE,
            scores={"RMIS": 61.2, "SIREN": 61.58},
        ),
        _variant(
            "eat_large_as2m",
            "worstchan/EAT-large_epoch20_finetune_AS2M",
            _LARGE,
            n_classes=527,
            precision=0.495,
        ),
        _variant(
            "sslam",
            "ta012/SSLAM_pretrain",
            _BASE,
            sha256="8ec670adb241c710422ddd894ff1bade142ef0b25cf1ee68577aa45f89432298",
            source=_ALEX,
        ),
        _variant(
            "sslam_as2m",
            "ta012/SSLAM_AS2M_Finetuned",
            _BASE,
            n_classes=527,
            precision=0.502,
            source=_ALEX,
        ),
    ),
    default_variant="eat_base",
)
