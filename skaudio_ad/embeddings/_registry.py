"""Backbones by name: the published checkpoints of every family, and checkpoints of one's own."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TypeVar

from .._checks import check_number, check_option
from ._weights_file import WeightsFile
from .families import FAMILIES, Family, Variant


@dataclass(frozen=True, kw_only=True)
class Backbone(Variant):
    """A pretrained network: its family, its size, and its file of weights.

    To use a backbone of one's own, such as a fine-tuned one, make an instance and pass it wherever a name is
    taken; nothing needs to be registered.

    Attributes
    ----------
    name, filename, url, sha256, megabytes, licence, source, first_bytes, folder
        As of :class:`WeightsFile`. The file holds a state dict with the authors' names, written by ``torch.save`` or
        as safetensors.
    family : {"mobilenet", "passt", "beats", "echo", "eat", "ced", "dasheng", "fisher"}
        Kind of the network, such as EfficientAT's MobileNet [2]_ or PaSST [1]_. The attribute ``source`` of a published
        backbone names the paper of its family.
    embedding_size : int
        Number of values of the embedding of a clip, of one block at 16 kHz for a family of any rate.
    settings : dict, default={}
        Parameters of the network: ``{"width": 0.4}``, the width factor, for a MobileNet, and ``{"stride": 10, "depth":
        12}``, the step between two patches in mel bands and frames and the number of transformer blocks, for a PaSST.
        The other families are transformers too. "size" is the number of values of a token, "depth" the number of
        blocks, "heads" the number of heads of the attention and "n_classes" the number of classes of the file, 0 for a
        file without a classifier. "layers" are the numbers of the blocks that make the outputs, None for the last one.
        FISHER also has "band_width", the number of frequencies of a band, and "flatten", the order of its patches.
        ``get_backbone("echo_tiny").settings`` shows those of a published backbone.
    sample_rate : int or None, default=None
        Sample rate of the waveforms that the backbone takes, in hertz. None is the rate of the family, and stays None
        for a family of any rate (ECHO, FISHER).
    outputs : tuple of str or None, default=None
        Names of the outputs that this checkpoint has. None means all outputs of the family.
    author_name : str or None, default=None
        Name of the checkpoint in the code of its authors.
    mean_average_precision : float or None, default=None
        Mean average precision on the evaluation set of AudioSet, as the authors publish it, between 0 and 1.
    no_export : str or None, default=None
        Reason why the network of this checkpoint cannot be exported to ONNX. None is what the family says.
    frozen_scores : dict, default={}
        Published scores of the frozen network on DCASE Task 2, means over the years 2020 to 2025, in percent, by the
        name of the publication: "RMIS" or "SIREN".

    Raises
    ------
    TypeError, ValueError
        If an attribute is not as described.

    References
    ----------
    .. [1] K. Koutini, J. Schlüter, H. Eghbal-zadeh, G. Widmer, "Efficient Training of Audio Transformers with
       Patchout", Interspeech 2022.
    .. [2] F. Schmid, K. Koutini, G. Widmer, "Efficient Large-Scale Audio Tagging via Transformer-to-CNN Knowledge
       Distillation", ICASSP 2023.

    Examples
    --------
    >>> from skaudio_ad.embeddings import Backbone, get_backbone
    >>> mine = Backbone(
    ...     name="mn04_pumps",
    ...     filename="mn04_pumps.pt",
    ...     family="mobilenet",
    ...     settings={"width": 0.4},
    ...     embedding_size=384,
    ... )
    >>> get_backbone(mine) is mine
    True
    """

    family: str

    def __post_init__(self) -> None:
        super().__post_init__()
        family = get_family(self.family)
        check_number(self.embedding_size, "embedding_size", low=1, integer=True)
        check_number(self.mean_average_precision, "mean_average_precision", low=0, high=1, none=True)
        family.check(self)
        if self.sample_rate is None:
            object.__setattr__(self, "sample_rate", family.sample_rate)


# Families and backbones by name. BACKBONES shows the second dict and cannot change it.
_FAMILIES: dict[str, Family] = {family.name: family for family in FAMILIES}
_BACKBONES: dict[str, Backbone] = {}


def get_family(name: str) -> Family:
    """The family of that name; raises a ValueError that lists the known ones."""
    check_option(name, "family", tuple(_FAMILIES))
    return _FAMILIES[name]


def known_families() -> tuple[Family, ...]:
    """All families."""
    return tuple(_FAMILIES.values())


def known_backbones() -> tuple[Backbone, ...]:
    """All published backbones."""
    return tuple(_BACKBONES.values())


def backbones_of(family: Family) -> dict[str, Backbone]:
    """The published backbones of a family, by name."""
    return {
        variant.name: Backbone(
            family=family.name, **{field.name: getattr(variant, field.name) for field in fields(variant)}
        )
        for variant in family.variants
    }


for _family in FAMILIES:
    _BACKBONES.update(backbones_of(_family))

#: The published checkpoints by name. Read-only: pass a :class:`Backbone` of your own where a name is taken.
BACKBONES: Mapping[str, Backbone] = MappingProxyType(_BACKBONES)

#: Names of AudioSet's 527 classes, in the order of the logits of every backbone that was trained on AudioSet.
AUDIOSET_LABELS = WeightsFile(
    name="audioset_labels",
    filename="class_labels_indices.csv",
    url="https://storage.googleapis.com/us_audioset/youtube_corpus/v1/csv/class_labels_indices.csv",
    megabytes=0.015,
    licence="CC-BY-4.0",
    source='J. F. Gemmeke et al., "Audio Set: An ontology and human-labeled dataset for audio events", ICASSP 2017',
    first_bytes=(b"index,",),
)


def get_backbone(backbone: str | Backbone, *, family: str | None = None) -> Backbone:
    """Look up a backbone.

    Parameters
    ----------
    backbone : str or Backbone
        A name of :data:`BACKBONES`, or the name that the authors use: in their code ("mn10_as"), for their file
        ("passt-s-kd-ap.486", with or without ".pt"), or on the Hugging Face hub ("yucongzh/echo-tiny-0828"). A
        :class:`Backbone` comes back as it is.

    family : str or None, default=None
        The only family that is allowed, such as "mobilenet" or "passt". None allows any.

    Returns
    -------
    Backbone

    Raises
    ------
    TypeError
        If `backbone` is neither a name nor a Backbone.
    ValueError
        If the name is unknown, or the backbone is of another family.

    Examples
    --------
    >>> from skaudio_ad.embeddings import get_backbone
    >>> get_backbone("mn10").embedding_size
    960
    >>> get_backbone("passt-l-kd-ap.47.pt").settings["depth"]
    7
    """
    if not isinstance(backbone, Backbone):
        known = [entry for entry in _BACKBONES.values() if family in (None, entry.family)]
        backbone = _find(backbone, known, others=list(_BACKBONES.values()))
    if family not in (None, backbone.family):
        raise ValueError(f"backbone must be of the family {family!r}, got {backbone!r}.")
    return backbone


def get_weights_file(weights: str | WeightsFile) -> WeightsFile:
    """A file of the store by the name of a backbone or "audioset_labels"; a WeightsFile comes back as it is."""
    if isinstance(weights, WeightsFile):
        return weights
    return _find(weights, [*_BACKBONES.values(), AUDIOSET_LABELS])


_File = TypeVar("_File", bound=WeightsFile)


def _find(name: object, files: Sequence[_File], others: Sequence[Backbone] = ()) -> _File:
    if not isinstance(name, str):
        raise TypeError(f"backbone must be a name or a Backbone, got {name!r}.")
    for file in files:
        if name in _names(file):
            return file
    known = ", ".join(repr(file.name) for file in files)
    for other in others:
        if name in _names(other):
            raise ValueError(
                f"backbone must be one of {known}, or a Backbone, got {name!r}, a backbone of the family "
                f"{other.family!r}."
            )
    raise ValueError(
        f"backbone must be one of {known}, or a Backbone, got {name!r}.{_nearest_name(name, files)}"
    )


def _names(file: WeightsFile) -> tuple[str | None, ...]:
    """Our name of a file, and the names that its authors use."""
    stem = file.filename.removesuffix(".pt").removesuffix(".safetensors")
    # A repository of the hub holds one network if the file has the name that all repositories give to their network.
    hub = re.fullmatch(r"https://huggingface.co/([^/]+/[^/]+)/.*/model\.safetensors", file.url or "")
    return file.name, file.filename, stem, getattr(file, "author_name", None), hub and hub[1]


def _nearest_name(name: str, files: Sequence[WeightsFile]) -> str:
    """A question that names the most similar name, or an empty text, because the list of names is long."""
    plain = {_plain(file.name): file.name for file in files}
    nearest = difflib.get_close_matches(_plain(name), plain, n=1)
    return f" Did you mean {plain[nearest[0]]!r}?" if nearest else ""


def _plain(name: str) -> str:
    return name.rpartition("/")[2].lower().replace("-", "_")
