"""BEATs and OpenBEATs."""

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
    'S. Chen, Y. Wu, C. Wang, S. Liu, D. Tompkins, Z. Chen, F. Wei, "BEATs: Audio Pre-Training with Acoustic '
    'Tokenizers", ICML 2023, https://github.com/microsoft/unilm/tree/master/beats'
)
_BHARADWAJ = (
    'S. Bharadwaj, S. Cornell, K. Choi, S. Fukayama, H.-J. Shim, S. Deshmukh, S. Watanabe, "OpenBEATs: A Fully '
    'Open-Source General-Purpose Audio Encoder", WASPAA 2025, https://huggingface.co/shikhar7ssu'
)
# The links of the authors open a page in a browser, and a program cannot follow them. This copy has some of the files.
_MIRROR = (
    "https://huggingface.co/lpepino/beats_ckpts/resolve/5b53b0404df452a3a607d7e67687227730e5bad1/{filename}"
)
# Configuration that the network has, and the value that the authors' code takes for an entry that a file lacks.
_CONFIGURATION = {
    "input_patch_size": (16, -1),
    "embed_dim": (512, 512),
    "conv_bias": (False, False),
    "activation_fn": ("gelu", "gelu"),
    "layer_norm_first": (False, False),
    "deep_norm": (True, False),
    "conv_pos": (128, 128),
    "conv_pos_groups": (16, 16),
    "relative_position_embedding": (True, False),
    "num_buckets": (320, 320),
    "max_distance": (800, 1280),
    "gru_rel_pos": (True, False),
    "fbank_mean": (15.41663, 15.41663),
    "fbank_std": (6.55582, 6.55582),
}
# Names that files of ESPnet, which OpenBEATs was trained with, give the classifier.
_CLASSIFIERS = ("classifier", "head", "output_layer", "decoder.linear_out")
_N_AUDIOSET_CLASSES = 527
# Tensor of our network that no file of the authors has. They keep the length and the direction of the weights apart.
_OWN_NAME = "encoder.pos_conv.0.weight"
_TABLE = "self_attn.relative_attention_bias.weight"


def _build_network(variant: Variant) -> "torch.nn.Module":
    from ...networks import BEATs

    return BEATs(**{**variant.settings, "n_classes": _n_classes(variant)})


def _n_classes(variant: Variant) -> int:
    """Number of classes of the network: 0 for a variant that leaves out the classifier of its file."""
    wants_classes = variant.outputs is None or "logits" in variant.outputs
    return (variant.settings.get("n_classes") or 0) if wants_classes else 0


def _build_front_end(variant: Variant) -> "torch.nn.Module":
    from ...networks import BEATsFrontEnd

    return BEATsFrontEnd()


def _tensors(content: Any) -> dict[str, Any]:
    """The tensors of a file of BEATs, OpenBEATs or ESPnet, with the names of BEATs."""
    model = content.get("model") if isinstance(content, Mapping) else None
    state = model if isinstance(model, Mapping) else content
    if not isinstance(state, Mapping):
        return {}
    if "encoder.patch_embedding.weight" not in state:
        return dict(state)
    # A file of ESPnet. The names of BEATs begin with "encoder." too, so only the first one is dropped.
    renamed = {}
    for name, value in state.items():
        layer, _, values = str(name).rpartition(".")
        renamed[f"predictor.{values}" if layer in _CLASSIFIERS else str(name).removeprefix("encoder.")] = (
            value
        )
    return renamed


def _identify(content: Any) -> dict[str, Any] | None:
    state = _tensors(content)
    projection = tensor_shape(state, "post_extract_proj.weight")
    gate = tensor_shape(state, "encoder.layers.0.self_attn.grep_a")
    if projection is None or gate is None or "patch_embedding.weight" not in state:
        return None
    classes = tensor_shape(state, "predictor.weight") or (0,)
    n_blocks = count_blocks(state, "encoder.layers.")
    return {"size": projection[0], "depth": n_blocks, "heads": gate[1], "n_classes": classes[0]}


def _read_checkpoint(content: Any, variant: Variant) -> dict[str, Any]:
    from ...networks._beats import beats_state_dict

    state = _tensors(content)
    if "patch_embedding.weight" not in state:
        raise ValueError(
            "is no file of BEATs: it has no tensor 'patch_embedding.weight'. The authors' files hold a dict with the "
            "keys 'cfg' and 'model'."
        )
    if any(str(name).startswith("quantize") for name in state):
        raise ValueError(
            "is a file of a tokenizer of BEATs, which made the labels of the pretraining. The backbone is in another "
            "file, such as BEATs_iter3.pt."
        )
    _check_configuration(content.get("cfg"))
    _check_tables(state)
    if variant.settings.get("layers") is not None or not _n_classes(variant):
        state = {name: value for name, value in state.items() if not name.startswith("predictor.")}
    elif _OWN_NAME not in state and len(state["predictor.weight"]) == _N_AUDIOSET_CLASSES:
        state = _in_audiosets_order(state, content.get("label_dict"))
    return keep_blocks(beats_state_dict(state), "encoder.layers.", n_built(variant))


def _check_configuration(configuration: Any) -> None:
    """Raise unless a file's configuration is that of the network. A file without one has the network's names."""
    if configuration is None:
        return
    if not isinstance(configuration, Mapping):
        raise ValueError(f"must hold a dict under the key 'cfg', got a {type(configuration).__name__}.")
    for name, (needed, default) in _CONFIGURATION.items():
        value = configuration.get(name, default)
        if value != needed:
            raise ValueError(
                f"is a file of a network like BEATs, with {name} {value!r} in its 'cfg'. All published files of BEATs "
                f"and OpenBEATs have {needed!r}, and the network of this package takes no other value."
            )


def _check_tables(state: Mapping[str, Any]) -> None:
    """Raise unless all blocks of a file have one table of relative positions, because the network has one."""
    first: Any = state.get(f"encoder.layers.0.{_TABLE}")
    others = {name: table for name, table in state.items() if name.endswith(_TABLE) and table is not first}
    for name, table in others.items():
        if table.shape != first.shape or bool((table != first).any()):
            raise ValueError(
                f"has another table of relative positions in {name!r} than in the first block. The network has one "
                "table for all blocks, as all published files have."
            )


def _in_audiosets_order(state: dict[str, Any], labels: Any) -> dict[str, Any]:
    """The tensors with the classifier in the order of AudioSet's table. The authors' files have an order of their own.

    `labels` is their "label_dict": the identifier of the class by the number of the logit.
    """
    from ._audioset_ids import AUDIOSET_IDS

    numbers = {identifier: number for number, identifier in dict(labels or {}).items()}
    if set(numbers) != set(AUDIOSET_IDS):
        raise ValueError(
            "holds a classifier of 527 classes, and under the key 'label_dict' no list of AudioSet's 527 classes, so "
            "the order of the classes is unknown. Use the authors' file, or a Backbone whose outputs lack 'logits'."
        )
    order = [int(numbers[identifier]) for identifier in AUDIOSET_IDS]
    return {name: value[order] if name.startswith("predictor.") else value for name, value in state.items()}


_BASE = {"size": 768, "depth": 12, "heads": 12}
_LARGE = {"size": 1024, "depth": 24, "heads": 16}
_EMBEDDINGS = ("clip", "frames", "grid", "tokens", "bands")


def _beats(
    name: str, stem: str, sha256: str, *, mirrored: bool = False, scores: dict[str, float] | None = None
) -> Variant:
    tuned = "finetuned" in stem
    return Variant(
        name=name,
        filename=f"{stem}.pt",
        url=_MIRROR.format(filename=f"{stem}.pt") if mirrored else None,
        sha256=sha256,
        megabytes=363.1 if tuned else 361.5,
        licence="MIT",
        source=_CHEN,
        embedding_size=768,
        settings={**_BASE, "n_classes": _N_AUDIOSET_CLASSES if tuned else 0},
        outputs=None if tuned else _EMBEDDINGS,
        author_name=stem,
        frozen_scores=scores or {},
    )


def _openbeats(size: str, iteration: int) -> Variant:
    settings = {"base": _BASE, "large": _LARGE}[size]
    name = f"OpenBEATs-{size.capitalize()}-i{iteration}"
    return Variant(
        name=f"openbeats_{size}_i{iteration}",
        # The files of the hub have other names, which are the same for all sizes and iterations.
        filename=f"{name}.pt",
        megabytes={"base": 361, "large": 1246}[size],  # parameters of four bytes each
        licence="not stated",
        source=_BHARADWAJ,
        embedding_size=settings["size"],
        settings={**settings, "n_classes": 0},
        outputs=_EMBEDDINGS,
        author_name=f"shikhar7ssu/{name}",
    )


BEATS = Family(
    name="beats",
    title="BEATs",
    sample_rate=16_000,
    settings={
        "size": partial(check_number, low=16, integer=True),
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
        Output("tokens", ("C", "F T"), n_features=n_features),
        Output("bands", n_features=lambda variant: 8 * n_features(variant)),
        Output("logits", n_features=n_logits),
    ),
    clock=kaldi_clock,
    grid_bands=kaldi_grid_bands,
    min_samples=lambda variant: KALDI_MIN_SAMPLES,
    cut_windows=windows_to_the_end,
    hop_share=1.0,
    batch_size=4,
    read_checkpoint=_read_checkpoint,
    identify=_identify,
    depth=depth,
    variants=(
        _beats(
            "beats_iter3",
            "BEATs_iter3",
            "8d1b234032a9ccff353612dc6c20982346dc2968b205b79d97303eb5e77bfb34",
            mirrored=True,
            scores={"RMIS": 62.16, "SIREN": 61.86},
        ),
        _beats(
            "beats_iter3_cpt1",
            "BEATs_iter3_finetuned_on_AS2M_cpt1",
            "379369a41d0b3749f746cdcea8036de506cb3aedecce84de7db0a75fda2a4fe7",
            mirrored=True,
        ),
        _beats(
            "beats_iter3_cpt2",
            "BEATs_iter3_finetuned_on_AS2M_cpt2",
            "08374f1cbd49143900b351bc81cd307de386a11f8e609eb3862634e992068b55",
        ),
        _beats(
            "beats_iter3_plus_as2m",
            "BEATs_iter3_plus_AS2M",
            "d43cbfad4d7b56381c061d7a24774f908d4d94c72961f6eb1d9090ff18cd8d34",
            mirrored=True,
        ),
        _beats(
            "beats_iter3_plus_as2m_cpt1",
            "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt1",
            "7f9362028ac6e5c049e8dc314d87e90e4f82a15a8e472deb56af55d7f9b34d6a",
        ),
        _beats(
            "beats_iter3_plus_as2m_cpt2",
            "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2",
            "e5815275a04b6885e7b8af63d120b29bffae2cd2225cf4915e1ec6d819d3022c",
        ),
        _beats(
            "beats_iter3_plus_as20k",
            "BEATs_iter3_plus_AS20K",
            "8008b126bb5e8ab08912c60c58847ed676d32e64a5864c922356b7c2522fb2f8",
        ),
        _beats(
            "beats_iter3_plus_as20k_cpt1",
            "BEATs_iter3_plus_AS20K_finetuned_on_AS2M_cpt1",
            "2c366278dcf835e9bdefad4f7147b0edba4b940c59146fd05dc49a401fa82ff8",
        ),
        _beats(
            "beats_iter3_plus_as20k_cpt2",
            "BEATs_iter3_plus_AS20K_finetuned_on_AS2M_cpt2",
            "6d28b32bfa7bcaaf84ab834186581c2a360c6669e372e808d054cf0ef4d5c2d2",
        ),
        _beats(
            "beats_iter2",
            "BEATs_iter2",
            "81a23e00aa4878d7e8627ded87ea697fb347c8ceffed21223e0398ed0fa34ad8",
        ),
        _beats(
            "beats_iter2_cpt1",
            "BEATs_iter2_finetuned_on_AS2M_cpt1",
            "3a120810c0f6dbfd50a7f48dc03ed077971a50cb2dbb7999695d5c700d03da45",
        ),
        _beats(
            "beats_iter2_cpt2",
            "BEATs_iter2_finetuned_on_AS2M_cpt2",
            "08363b9b5eabeb47b0879c84145b27c603e7e50c116a633fa5b98ade119fc354",
        ),
        _beats(
            "beats_iter1",
            "BEATs_iter1",
            "b5f4cc10bcbff63a437c695f33389e6411513b3f7d5cdae8fb62b5005f4a1fcd",
        ),
        _beats(
            "beats_iter1_cpt1",
            "BEATs_iter1_finetuned_on_AS2M_cpt1",
            "e0e739e3670bfbb93c51adefb1d02981621397addc979d392aefd3dc53c22cab",
        ),
        _beats(
            "beats_iter1_cpt2",
            "BEATs_iter1_finetuned_on_AS2M_cpt2",
            "2f3a7b65ab232c4f75570d4d17e21e5ebc34b3c40fe1a074f27d199e81354960",
        ),
        *(_openbeats(size, iteration) for size in ("base", "large") for iteration in (1, 2, 3)),
    ),
    default_variant="beats_iter3",
)
