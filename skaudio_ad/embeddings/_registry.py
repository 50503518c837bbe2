"""The published checkpoints, one frozen dataclass each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from .._checks import check_number, check_option

# How a file of torch.save begins: a zip archive, before torch 1.6 a pickle.
_TORCH_FIRST_BYTES = (b"PK\x03\x04", b"\x80\x02")


@dataclass(frozen=True, kw_only=True)
class WeightsFile:
    """A file that the weights store finds or downloads.

    Attributes
    ----------
    name : str
        What a user calls it.
    filename : str
        Its name on the disk, without a folder. One name, one content: files of different content need
        different names.
    url : str or None, default=None
        Where its authors publish it, https or http. None for a file that is on the disk only.
    sha256 : str or None, default=None
        Checksum, 64 hexadecimal digits, where one is published. Where it is None, the first use records it.
    megabytes : float or None, default=None
        About how large the file is, for people.
    licence : str, default="unknown"
        As its authors state it.
    source : str, default=""
        What to cite.
    first_bytes : tuple of bytes, default=()
        What the file may begin with; () is anything. Tells a checkpoint from the web page that a server or a
        hotel's network sends in its place.
    """

    name: str
    filename: str
    url: str | None = None
    sha256: str | None = None
    megabytes: float | None = field(default=None, repr=False)
    licence: str = field(default="unknown", repr=False)
    source: str = field(default="", repr=False)
    first_bytes: tuple[bytes, ...] = field(default=(), repr=False)

    def __post_init__(self):
        if not self.name:
            raise ValueError("name must not be empty.")
        if not re.fullmatch(r"[^/\\]+", self.filename) or self.filename in (".", ".."):
            raise ValueError(f"filename must be the name of a file without a folder, got {self.filename!r}.")
        if self.url is not None and not re.match(r"https?://", self.url):
            raise ValueError(f"url must begin with https:// or http://, got {self.url!r}.")
        if self.sha256 is not None and not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(f"sha256 must be 64 lower-case hexadecimal digits, got {self.sha256!r}.")


@dataclass(frozen=True, kw_only=True)
class Backbone(WeightsFile):
    """A pretrained network: its shape, what it listens to, and where its weights are.

    To use a backbone of one's own, such as a fine-tuned one, make an instance and pass it wherever a name is
    taken; nothing needs to be registered.

    Attributes
    ----------
    name, filename, url, sha256, megabytes, licence, source, first_bytes
        As of :class:`WeightsFile`. The file holds a state dict with the authors' names, written by
        ``torch.save``.
    family : {"mobilenet", "passt"}
        The network: EfficientAT's MobileNet [2]_ or PaSST [1]_.
    embedding_size : int
        Values of a clip's embedding.
    width : float or None, default=None
        Width factor of the MobileNet, which needs one.
    stride : int or None, default=None
        Step between two patches of PaSST, in mel bands and frames; PaSST needs one.
    depth : int or None, default=None
        Transformer blocks of PaSST, which needs a number.
    sample_rate : int, default=32000
        Of the waveforms that the backbone was trained on, in Hz.
    author_name : str or None, default=None
        What the authors' code calls it.

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
    ...     name="mn04_pumps", filename="mn04_pumps.pt", family="mobilenet", width=0.4, embedding_size=384
    ... )
    >>> get_backbone(mine) is mine
    True
    """

    family: str
    embedding_size: int
    width: float | None = None
    stride: int | None = None
    depth: int | None = None
    sample_rate: int = 32000
    author_name: str | None = None
    first_bytes: tuple[bytes, ...] = field(default=_TORCH_FIRST_BYTES, repr=False)

    def __post_init__(self):
        super().__post_init__()
        check_option(self.family, "family", ("mobilenet", "passt"))
        check_number(self.embedding_size, "embedding_size", low=1, integer=True)
        if self.sample_rate != 32_000:
            raise ValueError(
                f"sample_rate must be 32000, the rate of the spectrograms that both families take, got "
                f"{self.sample_rate!r}. For a network at another rate there is ModuleEmbedding."
            )
        if self.family == "mobilenet":
            check_number(self.width, "width", low=0, closed="neither")
        else:
            check_number(self.stride, "stride", low=1, integer=True)
            check_number(self.depth, "depth", low=1, integer=True)


_KOUTINI = (
    'K. Koutini, J. Schlüter, H. Eghbal-zadeh, G. Widmer, "Efficient Training of Audio Transformers with '
    'Patchout", Interspeech 2022, https://github.com/kkoutini/PaSST'
)
_SCHMID = (
    'F. Schmid, K. Koutini, G. Widmer, "Efficient Large-Scale Audio Tagging via Transformer-to-CNN Knowledge '
    'Distillation", ICASSP 2023, https://github.com/fschmid56/EfficientAT'
)


def _mobilenet(name, filename, width, embedding_size, megabytes, sha256=None):
    return Backbone(
        name=name,
        filename=filename,
        url=f"https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/{filename}",
        sha256=sha256,
        megabytes=megabytes,
        licence="MIT",
        source=_SCHMID,
        family="mobilenet",
        embedding_size=embedding_size,
        width=width,
        author_name=filename.split("_mAP")[0],
    )


def _passt(name, tag, filename, author_name, megabytes, *, stride=10, depth=12):
    return Backbone(
        name=name,
        filename=filename,
        url=f"https://github.com/kkoutini/PaSST/releases/download/{tag}/{filename}",
        megabytes=megabytes,
        licence="Apache-2.0",
        source=_KOUTINI,
        family="passt",
        embedding_size=768,
        stride=stride,
        depth=depth,
        author_name=author_name,
    )


# Megabytes are four bytes a parameter, and 0.1 for the names.
_ALL = (
    _mobilenet("mn01", "mn01_as_mAP_298.pt", 0.1, 96, 0.6),
    _mobilenet("mn02", "mn02_as_mAP_378.pt", 0.2, 192, 1.4),
    _mobilenet(
        "mn04",
        "mn04_as_mAP_432.pt",
        0.4,
        384,
        4.1,
        sha256="899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
    ),
    _mobilenet("mn05", "mn05_as_mAP_443.pt", 0.5, 480, 5.8),
    _mobilenet("mn10", "mn10_as_mAP_471.pt", 1.0, 960, 20),
    _mobilenet("mn20", "mn20_as_mAP_478.pt", 2.0, 1920, 72),
    _mobilenet("mn30", "mn30_as_mAP_482.pt", 3.0, 2880, 156),
    _mobilenet("mn40", "mn40_as_mAP_484.pt", 4.0, 3840, 274),
    _mobilenet("mn40_ext", "mn40_as_ext_mAP_487.pt", 4.0, 3840, 274),
    _passt(
        "passt_s_swa",
        "v0.0.1-audioset",
        "passt-s-f128-p16-s10-ap.476-swa.pt",
        "passt_s_swa_p16_128_ap476",
        345,
    ),
    _passt("passt_s_kd", "v.0.0.9", "passt-s-kd-ap.486.pt", "passt_s_kd_p16_128_ap486", 345),
    _passt("passt_l_kd", "v.0.0.10", "passt-l-kd-ap.47.pt", "passt_l_kd_p16_128_ap47", 203, depth=7),
    _passt(
        "passt_s_s16",
        "v0.0.2-audioset",
        "passt-s-f128-p16-s16-ap.468.pt",
        "passt_s_p16_s16_128_ap468",
        345,
        stride=16,
    ),
)

#: The published checkpoints by name. Read-only: pass a :class:`Backbone` of your own where a name is taken.
BACKBONES: Mapping[str, Backbone] = MappingProxyType({backbone.name: backbone for backbone in _ALL})

#: Names of AudioSet's 527 classes, in the order of every backbone's logits.
AUDIOSET_LABELS = WeightsFile(
    name="audioset_labels",
    filename="class_labels_indices.csv",
    url="https://storage.googleapis.com/us_audioset/youtube_corpus/v1/csv/class_labels_indices.csv",
    megabytes=0.015,
    licence="CC-BY-4.0",
    source='J. F. Gemmeke et al., "Audio Set: An ontology and human-labeled dataset for audio events", ICASSP 2017',
    first_bytes=(b"index,",),
)


def get_backbone(backbone, *, family=None):
    """Look up a backbone.

    Parameters
    ----------
    backbone : str or Backbone
        A name of :data:`BACKBONES`, or what the authors call it: their code ("mn10_as") or its file
        ("passt-s-kd-ap.486", with or without ".pt"). A :class:`Backbone` comes back as it is.

    family : {"mobilenet", "passt"} or None, default=None
        The only family that will do. None is any.

    Returns
    -------
    Backbone

    Raises
    ------
    TypeError
        If `backbone` is neither a name nor a Backbone.
    ValueError
        If the name is unknown, or the family another one.

    Examples
    --------
    >>> from skaudio_ad.embeddings import get_backbone
    >>> get_backbone("mn10").embedding_size
    960
    >>> get_backbone("passt-l-kd-ap.47.pt").depth
    7
    """
    known = [entry for entry in _ALL if family in (None, entry.family)]
    if not isinstance(backbone, Backbone):
        backbone = _find(backbone, known)
    if family not in (None, backbone.family):
        raise ValueError(f"backbone must be of the family {family!r}, got {backbone!r}.")
    return backbone


def get_weights_file(weights):
    """A file of the store by the name of a backbone or "audioset_labels"; a WeightsFile comes back as it is."""
    if isinstance(weights, WeightsFile):
        return weights
    return _find(weights, [*_ALL, AUDIOSET_LABELS])


def _find(name, files):
    if not isinstance(name, str):
        raise TypeError(f"backbone must be a name or a Backbone, got {name!r}.")
    for file in files:
        names = (
            file.name,
            file.filename,
            file.filename.removesuffix(".pt"),
            getattr(file, "author_name", None),
        )
        if name in names:
            return file
    known = ", ".join(repr(file.name) for file in files)
    raise ValueError(f"backbone must be one of {known}, or a Backbone, got {name!r}.")
