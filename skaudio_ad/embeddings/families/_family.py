"""`Family`: everything that the package needs to know of one kind of backbone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..._checks import check_number, check_option
from .._weights_file import WeightsFile
from .._windows import averaged_windows

if TYPE_CHECKING:
    import torch

# A file of torch.save is a zip archive; before torch 1.6 such a file was a pickle.
_TORCH_FIRST_BYTES = (b"PK\x03\x04", b"\x80\x02")


@dataclass(frozen=True, kw_only=True)
class Variant(WeightsFile):
    """One checkpoint of a family: the size of its network, and its file of weights.

    Attributes
    ----------
    name, filename, url, sha256, megabytes, licence, source, first_bytes, folder
        As of :class:`WeightsFile`. By default the file must begin as ``torch.save`` begins a file, unless its name ends
        in ".safetensors".
    embedding_size : int
        Number of values of the embedding of a clip, at 16 kHz for a family of any rate.
    settings : mapping of str to a plain value, default={}
        Parameters of the network. The family says which there are.
    sample_rate : int or None, default=None
        Sample rate of the waveforms, in hertz. None is the rate of the family.
    outputs : tuple of str or None, default=None
        Names of the outputs that this checkpoint has. None means all outputs of the family. A checkpoint without a
        classifier has no "logits", for example.
    author_name : str or None, default=None
        Name of the checkpoint in the code of its authors.
    mean_average_precision : float or None, default=None
        Mean average precision on the evaluation set of AudioSet, as the authors publish it, between 0 and 1. None is
        for a checkpoint without a published figure.
    no_export : str or None, default=None
        Reason why the network of this checkpoint cannot be exported to ONNX. None is what the family says.
    frozen_scores : mapping of str to float, default={}
        Published scores of the frozen network on DCASE Task 2, means over the years 2020 to 2025, in percent, by the
        name of the publication: "RMIS" or "SIREN".
    """

    embedding_size: int
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    sample_rate: int | None = None
    outputs: tuple[str, ...] | None = field(default=None, repr=False)
    author_name: str | None = None
    mean_average_precision: float | None = field(default=None, repr=False)
    no_export: str | None = field(default=None, repr=False)
    frozen_scores: Mapping[str, float] = field(default_factory=dict, hash=False, repr=False)
    first_bytes: tuple[bytes, ...] = field(default=_TORCH_FIRST_BYTES, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "settings", dict(self.settings))
        object.__setattr__(self, "frozen_scores", dict(self.frozen_scores))
        if self.filename.endswith(".safetensors") and self.first_bytes == _TORCH_FIRST_BYTES:
            object.__setattr__(self, "first_bytes", ())


class Clock(NamedTuple):
    """Times of the frames of one window.

    Attributes
    ----------
    first : float
        Middle of the first frame, in seconds from the start of the window.
    step : float
        Step between two frames, in seconds.
    per_window : int
        Number of frames in the window.
    """

    first: float
    step: float
    per_window: int


def embedding_size(variant: Variant) -> int:
    """Size of the clip embedding, which most outputs share."""
    return variant.embedding_size


@dataclass(frozen=True)
class Output:
    """One output of the networks of a family.

    Attributes
    ----------
    name : str
    axes : tuple of str
        Names of the axes of the output for one clip, the features first and time last: ("C",) is a vector, ("C", "T")
        a sequence and ("C", "F", "T") a feature map. An output with one axis is averaged over the windows of a long
        clip. For any other output windows lie end to end.
    n_features : callable, default=embedding_size
        Takes a variant and returns the length of the first axis.
    """

    name: str
    axes: tuple[str, ...] = ("C",)
    n_features: Callable[[Variant], int] = embedding_size

    @property
    def is_vector(self) -> bool:
        """Whether the output is one vector a clip, without time."""
        return len(self.axes) == 1


@dataclass(frozen=True)
class OwnRuntime:
    """Code of the authors that runs the networks of their family, as one more value of ``runtime=``.

    Attributes
    ----------
    make : callable
        Takes the network with its weights, and the device. Returns a runtime, as
        :func:`skaudio_ad.embeddings._runtimes.make_runtime` does.
    packages : tuple of str
        Packages that the code needs.
    extra : str
        Name of the extra of skaudio_ad that installs these packages.
    """

    make: Callable[[Any, str], Any]
    packages: tuple[str, ...]
    extra: str


def _as_it_is(checkpoint: Any, variant: Variant) -> Any:
    return checkpoint


def _any_length(variant: Variant) -> int:
    return 1


def _end_to_end(variant: Variant, window: float) -> tuple[int, int]:
    length = round(window * (variant.sample_rate or 0))
    return length, length


@dataclass(frozen=True, kw_only=True, eq=False)
class Family:
    """A kind of pretrained backbone: its network, its front end, its outputs and its published checkpoints.

    Every callable takes the variant, because shapes may depend on the variant. Callables import torch only when they
    are called, so that to list the backbones costs no second.

    Attributes
    ----------
    name : str
        Name of the family, in lower case; ``Backbone.family`` has this name.
    title : str
        Name of the family in messages.
    sample_rate : int or None
        Sample rate of the waveforms, in hertz. None is for a family of any rate; then the variant says the rate.
    settings : mapping of str to callable
        Parameters of the network. Each callable takes a value and the name of the parameter, and raises for a value
        that cannot be. A parameter that a variant does not give is checked as None. A family with the parameter
        "layers", a tuple of numbers of blocks counted from 1, or None for the last block, also has `depth`.
    build_network : callable
        Takes a variant and returns a torch module with random weights. The module maps the tensor of the front end
        and a tuple of names of outputs to a dict of tensors, (n_windows, ...), time last. An attribute
        ``bfloat16_layers`` names the part that may round to bfloat16.
    build_front_end : callable
        Takes a variant and returns a torch module that maps waveforms, (n_windows, n_samples), to the input of the
        network, (n_windows, n_bins, n_frames). The front end computes in float32 whatever the precision.
    outputs : tuple of Output
        The first one is the default.
    clock : callable
        Takes a variant and the number of samples of a window, and returns a :class:`Clock`.
    grid_bands : callable or None, default=None
        Takes a variant and returns the lowest and the highest frequency of every band of the output "grid", in hertz,
        as an array of shape (n_bands, 2). None is for a family that has no grid, or does not know the frequencies.
    variants : tuple of Variant
        Published checkpoints.
    default_variant : str
    min_samples : callable, default: 1 for every variant
        Takes a variant and returns the number of samples of the shortest waveform that the front end and the network
        take. Silence is put after a shorter one.
    longest_window : float, default=inf
        Length of the longest window that the network takes, in seconds.
    cut_windows : callable, default=averaged_windows
        Takes a clip, the length of a window and the step between windows in samples, and returns the windows whose
        embeddings are averaged.
    window_lengths : callable, default: the rounded number of samples, twice
        Takes a variant and the length of a window in seconds. Returns the number of samples of a window, and the step
        between two windows that lie end to end, in samples. The step is smaller where windows of a spectrogram overlap,
        so that windows that lie end to end have all frames of the clip.
    prepare_clip : callable or None, default=None
        Takes a whole clip, (n_samples,), and the variant, and returns the clip that windows are cut from. None changes
        nothing. The function must be one of a module, because other processes call it too.
    lowest_rate : int, default=1
        Lowest sample rate that a family of any rate takes, in hertz.
    hop_share : float, default=0.25
        Default step between these windows, as a share of their length.
    batch_size : int, default=8
        Default number of windows that go through the network together.
    read_checkpoint : callable
        Takes the content of a file of weights (as ``torch.load(weights_only=True)`` or safetensors gives it) and the
        variant, and returns the state dict of the network. It raises a ValueError that says what is wrong. The
        default returns the content.
    identify : callable or None, default=None
        Takes the content of a file of weights, of this family or any other, and returns the settings that the names
        and shapes of its tensors show, as a dict; or None if the file is not of this family. The file's settings must
        equal those of the variant. Errors name what a file is by this function. None is for a family that cannot say.
    depth : callable or None, default=None
        Takes a variant and returns the number of its blocks. None is for a family without the setting "layers".
    own_runtimes : mapping of str to OwnRuntime, default={}
        Code of the authors, by the value of ``runtime=``.
    no_export : str or None, default=None
        Reason why the network cannot be exported to ONNX. None means that it can.
    no_bfloat16 : mapping of str to str, default={}
        Reasons why some runtimes do not run this family in bfloat16, by the name of the runtime.
    """

    name: str
    title: str
    sample_rate: int | None
    settings: Mapping[str, Callable[[Any, str], None]]
    build_network: Callable[[Variant], "torch.nn.Module"]
    build_front_end: Callable[[Variant], "torch.nn.Module"]
    outputs: tuple[Output, ...]
    clock: Callable[[Variant, int], Clock]
    variants: tuple[Variant, ...]
    default_variant: str
    grid_bands: Callable[[Variant], np.ndarray] | None = None
    min_samples: Callable[[Variant], int] = _any_length
    longest_window: float = np.inf
    cut_windows: Callable[[np.ndarray, int, int], Any] = averaged_windows
    window_lengths: Callable[[Variant, float], tuple[int, int]] = _end_to_end
    prepare_clip: Callable[[np.ndarray, Variant], np.ndarray] | None = None
    lowest_rate: int = 1
    hop_share: float = 0.25
    batch_size: int = 8
    read_checkpoint: Callable[[Any, Variant], Any] = _as_it_is
    identify: Callable[[Any], Mapping[str, Any] | None] | None = None
    depth: Callable[[Variant], int] | None = None
    own_runtimes: Mapping[str, OwnRuntime] = field(default_factory=dict)
    no_export: str | None = None
    no_bfloat16: Mapping[str, str] = field(default_factory=dict)

    def check(self, variant: Variant) -> None:
        """Raise unless a variant has the settings, outputs and sample rate that the family has.

        Parameters
        ----------
        variant : Variant

        Raises
        ------
        TypeError, ValueError
            If a setting or an output is unknown, or a value is out of range.
        """
        for name in variant.settings:
            check_option(name, f"a name in settings of the family {self.name!r}", tuple(self.settings))
        for name, check in self.settings.items():
            check(variant.settings.get(name), name)
        layers = variant.settings.get("layers")
        if layers is not None and self.depth is not None and max(layers) > self.depth(variant):
            raise ValueError(
                f"layers must be numbers from 1 to {self.depth(variant)}, the number of blocks of {variant.name!r}, "
                f"got {layers!r}."
            )
        for name in variant.outputs or ():
            check_option(name, "every output", self.output_names())
        if self.sample_rate is not None and variant.sample_rate not in (None, self.sample_rate):
            raise ValueError(
                f"sample_rate must be {self.sample_rate}, the rate of the front end of {self.title}, got "
                f"{variant.sample_rate!r}. A ModuleEmbedding takes a network at any other rate."
            )
        if self.sample_rate is None and variant.sample_rate is not None:
            check_number(
                variant.sample_rate, f"sample_rate of {self.title}", low=self.lowest_rate, integer=True
            )

    def output_names(self, variant: Variant | None = None, *, vectors: bool | None = None) -> tuple[str, ...]:
        """Names of outputs.

        Parameters
        ----------
        variant : Variant or None, default=None
            None asks for the outputs of all variants.
        vectors : bool or None, default=None
            Whether to name outputs that are one vector a clip, or the others. None names both.

        Returns
        -------
        tuple of str
        """
        known = None if variant is None else variant.outputs
        return tuple(
            output.name
            for output in self.outputs
            if vectors in (None, output.is_vector) and (known is None or output.name in known)
        )

    def n_features(self, variant: Variant, output: str) -> int:
        """Length of the first axis of an output."""
        return next(each for each in self.outputs if each.name == output).n_features(variant)
