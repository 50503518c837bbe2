"""`BackboneEmbedding`: clips through any backbone of the registry, or through one that is described as they are."""

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit
from sklearn.exceptions import NotFittedError

from .._checks import check_number, check_option, users_level
from .._checksums import WeightsError
from ..audio import AudioClips
from ._backbone_engine import BackboneEngine, backbone_engine, build_on_meta
from ._embedding import BaseEmbedding
from ._registry import BACKBONES, Backbone, get_backbone, get_family
from ._runtimes import RUNTIMES
from ._store import class_labels
from .families import Clock, Family

if TYPE_CHECKING:
    from ..networks import NetworkDescription


class BackboneEmbedding(BaseEmbedding):
    """Embed clips with any pretrained backbone that the package knows, frozen.

    :class:`MobileNetEmbedding`, :class:`PaSSTEmbedding`, :class:`BEATsEmbedding`, :class:`EATEmbedding`,
    :class:`ECHOEmbedding`, :class:`CEDEmbedding`, :class:`DashengEmbedding` and :class:`FISHEREmbedding` are this class
    for one family. Their pages describe the outputs.

    Parameters
    ----------
    variant : str or Backbone
        A name of :data:`BACKBONES`, which ``skaudio-ad weights list`` prints, or a :class:`Backbone` of one's own.

    weights : "pretrained", path-like or None, default="pretrained"
        "pretrained" weights are those of the authors, found or downloaded by :func:`weights_path`. A path names a file
        or its folder. None is random weights, for tests, with a warning.

    output : str or list of str, default="clip"
        Output of the network. Every family has "clip", (n_clips, C), one vector a clip; an unknown name raises an
        error that lists the outputs of the backbone. A list names outputs that are vectors. One pass of the network
        computes all of them, and their columns stand one after the other.

    window : float, default=10.0
        Length of the longest stretch that is embedded at once, in seconds. The classes of ECHO, CED, Dasheng and FISHER
        have the default of their authors instead, 20, 10.12, 10.08 and 10.24.

    hop : float or None, default=None
        Step between the windows of a longer clip, in seconds, for outputs without time, which are averaged over the
        windows. None is the step of the authors, such as a quarter of `window`. For outputs with time windows lie
        end to end.

    batch_size : int or None, default=None
        Number of windows of one length that go through the network together. None is the number of the family: 8 for
        MobileNet, CED and Dasheng, 4 for the others.

    layers : int, list of int or None, default=None
        Numbers of transformer blocks, counted from 1, whose states make the outputs. Blocks behind the highest number
        are left out, which saves their time. A list puts the values of its blocks one after the other. None is the
        last block, whose states are normalised where the authors do so. MobileNets and PaSST take None only.

    sample_rate : int or None, default=None
        Sample rate of the waveforms, in hertz, for a family of any rate. None is the rate of the clips of `fit`, which
        an :class:`AudioLoader` must have loaded. `transform` refuses another rate, because the embedding of another
        rate has other columns. A family of one rate takes None or that rate.

    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...

    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the network; the spectrogram is always float32.

    runtime : {"torch", "onnxruntime", "openvino", "hear21passt", "auto"}, default="torch"
        Software that runs the network. All but torch are optional packages, and some families do not take all. "auto"
        is ONNX Runtime or OpenVINO, whichever is installed, in float32 on a CPU, and torch otherwise. A detector with
        "auto" is fast where one of these packages is installed, and also runs where both are missing. The embeddings
        differ by rounding only, at most 1e-5 relative. Both packages are faster than torch, most of all for single
        clips, but start a second later. ``python -m benchmarks.speed.latency`` prints the times.

    memory : str, path-like, joblib.Memory or None, default=None
        Folder that keeps embeddings, clip by clip. An embedding in the folder is not computed again, whichever process
        put it there. None keeps none.

    cache_by : {"file", "content"}, default="file"
        "file": `memory` recognises a file by its path, size and time of change. "content": by its bytes, which takes
        longer and recognises a file that was moved. Clips that are no files are recognised by their samples.

    n_jobs : int or None, default=None
        Number of processes, as for joblib: None is 1 unless :class:`joblib.parallel_config` says otherwise. Each
        process loads the network once.

    verbose : bool, default=False
        Whether `transform` shows its progress: a bar on a terminal, one line in a notebook, lines on stderr elsewhere.

    random_state : int, default=0
        Seed of random weights, the same in every process.

    Attributes
    ----------
    weights_digest_ : str or None
        SHA-256 of the file of weights. `transform` refuses other weights.

    sample_rate_ : int
        Sample rate of the training clips, in hertz.

    n_channels_ : int
        Number of channels of the training clips, 1 or 2. `transform` refuses another number.

    n_features_in_ : int
        Number of samples of a clip, for arrays.

    Notes
    -----
    Silence is put after a clip that is shorter than the network takes. A clip gets the same embedding alone and in any
    batch, up to rounding (1e-5 relative).

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad.embeddings import BackboneEmbedding
    >>> noise = np.random.default_rng(0).normal(scale=0.1, size=(2, 32000))  # one second at 32 kHz
    >>> BackboneEmbedding("mn04", weights=None).transform(noise).shape
    (2, 384)
    >>> BackboneEmbedding("mini").transform(noise).shape  # its weights are part of the package
    (2, 384)
    """

    variant: Any
    weights: Any
    device: Any
    precision: Any
    runtime: Any
    random_state: Any
    layers: Any
    sample_rate: Any
    # Name of the only family that a subclass takes. None takes any.
    _family: str | None = None

    def __init__(
        self,
        variant: str | Backbone,
        *,
        weights: str | os.PathLike[str] | None = "pretrained",
        output: str | Sequence[str] = "clip",
        window: float = 10.0,
        hop: float | None = None,
        batch_size: int | None = None,
        layers: int | Sequence[int] | None = None,
        sample_rate: int | None = None,
        device: str = "auto",
        precision: str = "float32",
        runtime: str = "torch",
        memory: Any = None,
        cache_by: str = "file",
        n_jobs: int | None = None,
        verbose: bool = False,
        random_state: int = 0,
    ) -> None:
        self.variant = variant
        self.weights = weights
        self.output = output
        self.window = window
        self.hop = hop
        self.batch_size = batch_size
        self.layers = layers
        self.sample_rate = sample_rate
        self.device = device
        self.precision = precision
        self.runtime = runtime
        self.memory = memory
        self.cache_by = cache_by
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    def predict_tags(self, X: Any, top: int = 5) -> list[list[tuple[str, float]]]:
        """Name the likeliest of AudioSet's 527 classes.

        "mini" has no classes. "mn04" is the smallest variant with good classes.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or list of paths
        top : int, default=5
            Number of classes to name.

        Returns
        -------
        list of list of (str, float)
            Classes of every clip with their probabilities, the likeliest first. The probabilities need not add up to
            one, because a clip may hold several sounds. The list is empty for a clip that could not be read.

        Raises
        ------
        ValueError
            If the backbone has no classifier.
        """
        check_number(top, "top", low=1, integer=True)
        self._check_parameters()
        self._check_output("logits")
        _, embeddings = self._embed(X, "logits")
        labels = class_labels()
        tags = []
        for logits in embeddings:
            was_read = not np.isnan(logits).any()
            best = np.argsort(-logits, kind="stable")[: top if was_read else 0]
            tags.append([(labels[i], float(expit(logits[i]))) for i in best])
        return tags

    def describe(self, *, depth: int | None = 2) -> "NetworkDescription":
        """Count parameters and multiply-accumulates and find the receptive field of the backbone, for one window.

        No weights are loaded.

        Parameters
        ----------
        depth : int or None, default=2
            As for :func:`skaudio_ad.networks.describe`: 2 is a row for every block, None for every layer.

        Returns
        -------
        NetworkDescription
            Print it for a table.
        """
        import torch

        from ..networks import describe

        backbone = self._backbone()
        waveform = torch.zeros(1, self._window_lengths()[0])
        with torch.inference_mode():
            _, n_bins, n_frames = self._its_family().build_front_end(backbone)(waveform).shape
        return describe(build_on_meta(backbone), n_frames, n_bins=n_bins, depth=depth, title=backbone.name)

    def band_edges(self) -> np.ndarray | None:
        """Frequencies of the bands of ``output="grid"``.

        The receptive field of a band is larger than the band, because the network mixes neighbouring bands.

        Returns
        -------
        ndarray of shape (n_bands, 2), float64, or None
            Lowest and highest frequency of every band, in hertz. None if the family does not know the frequencies.
        """
        self._rate()  # raises where the rate is not known yet
        grid_bands = self._its_family().grid_bands
        return None if grid_bands is None else grid_bands(self._backbone())

    def _backbone(self) -> Backbone:
        """The backbone with the layers and the sample rate of this embedding."""
        try:
            backbone = get_backbone(self.variant, family=self._family)
        except (TypeError, ValueError) as error:
            raise type(error)(str(error).replace("backbone must", "variant must", 1)) from None
        # An embedding that an older version of the package has saved lacks these two parameters.
        layers, rate = getattr(self, "layers", None), getattr(self, "sample_rate", None)
        if layers is not None:
            if "layers" not in get_family(backbone.family).settings:
                raise ValueError(f"layers must be None for {backbone.name!r}, got {layers!r}.")
            numbers = tuple(layers) if isinstance(layers, (list, tuple)) else (layers,)
            backbone = replace(backbone, settings={**backbone.settings, "layers": numbers})
        if rate is None and backbone.sample_rate is None:
            rate = getattr(self, "sample_rate_", None)
        return backbone if rate is None else replace(backbone, sample_rate=rate)

    def _its_family(self) -> Family:
        return get_family(self._backbone().family if self._family is None else self._family)

    @property
    def _outputs(self) -> tuple[str, ...]:  # type: ignore[override]
        return self._its_family().output_names()

    @property
    def _vectors(self) -> tuple[str, ...]:  # type: ignore[override]
        try:
            return self._its_family().output_names(vectors=True)
        except (TypeError, ValueError):  # an unknown variant: fit says so, and hasattr must not raise
            return ()

    @property
    def _longest_window(self) -> float:  # type: ignore[override]
        return self._its_family().longest_window

    @property
    def _hop_share(self) -> float:  # type: ignore[override]
        return self._its_family().hop_share

    @property
    def _cut(self) -> Callable[[np.ndarray, int, int], Any]:  # type: ignore[override]
        return self._its_family().cut_windows

    def _windows_at_once(self) -> int:
        return self._its_family().batch_size if self.batch_size is None else self.batch_size

    def _rate(self) -> int:
        backbone = self._backbone()
        if backbone.sample_rate is None:
            raise NotFittedError(
                f"{type(self).__name__}: the variant {backbone.name!r} takes any sample rate and must know which: call "
                "fit with clips of an AudioLoader, or set sample_rate."
            )
        return backbone.sample_rate

    def _learn_rate(self, X: Any) -> None:
        self.__dict__.pop("sample_rate_", None)
        check_number(getattr(self, "sample_rate", None), "sample_rate", low=1, integer=True, none=True)
        rate = self._backbone().sample_rate
        if rate is None:
            rate = X.sample_rate if isinstance(X, AudioClips) else None
            if rate is None:
                raise ValueError(
                    f"{type(self).__name__} takes any sample rate, and X does not say its rate: set sample_rate, or "
                    "put an AudioLoader in front of the embedding."
                )
        self.sample_rate_ = int(rate)

    def _shortest(self) -> int:
        return self._its_family().min_samples(self._backbone())

    def _clock(self, n_samples: int) -> Clock:
        return self._its_family().clock(self._backbone(), n_samples)

    def _window_lengths(self) -> tuple[int, int]:
        self._rate()  # raises where the rate is not known yet
        return self._its_family().window_lengths(self._backbone(), self.window)

    def _prepare(self) -> Callable[[np.ndarray], np.ndarray] | None:
        prepare = self._its_family().prepare_clip
        if prepare is None:
            return None
        # A partial function, and no lambda, because other processes get a pickle of it.
        return partial(prepare, variant=self._backbone())  # type: ignore[call-arg]

    def _column_names(self, output: str) -> list[str]:
        backbone = self._backbone()
        self._check_output(output)
        self._rate()  # raises where the rate, and so the number of columns, is not known yet
        # The name of a block ends in a number, so a line stands before the number of the column.
        blocks = "".join(f"_layer{number}" for number in backbone.settings.get("layers") or ())
        start = f"{backbone.name}{blocks}_{output}{'_' if output[-1].isdigit() else ''}"
        return [f"{start}{i}" for i in range(self._its_family().n_features(backbone, output))]

    def _check_output(self, output: str) -> None:
        """Raise unless the backbone has this output."""
        backbone, family = self._backbone(), self._its_family()
        check_option(output, "output", family.output_names())
        layers = backbone.settings.get("layers")
        if output == "logits" and layers is not None:
            raise ValueError(
                'output="logits" needs layers=None, because the classifier follows the last block, got layers='
                f"{layers!r}."
            )
        known = family.output_names(backbone)
        if output not in known:
            others = [
                name
                for name, other in BACKBONES.items()
                if other.family == family.name and output in family.output_names(other)
            ]
            classes = f"The variant {backbone.name!r} has no classes. " if output == "logits" else ""
            raise ValueError(
                f"{classes}output must be one of {', '.join(map(repr, known))} for the variant {backbone.name!r}, got "
                f"{output!r}. Variants that have it: {', '.join(others) or 'none'}."
            )

    def _check_parameters(self) -> None:
        for output in self._names(self.output):
            self._check_output(output)
        if not (self.weights is None or isinstance(self.weights, (str, os.PathLike))):
            raise TypeError(f'weights must be "pretrained", a path or None, got {self.weights!r}.')
        if self.weights not in (None, "pretrained") and not Path(self.weights).expanduser().exists():
            raise WeightsError(
                f'weights must be "pretrained", a file or folder that exists, or None, got {str(self.weights)!r}.'
            )
        check_option(self.precision, "precision", ("float32", "bfloat16"))
        check_option(self.runtime, "runtime", ("auto", *RUNTIMES))
        check_number(self.random_state, "random_state", low=0, integer=True)
        check_number(getattr(self, "sample_rate", None), "sample_rate", low=1, integer=True, none=True)
        rate, fitted = self._rate(), getattr(self, "sample_rate_", None)
        if fitted not in (None, rate):
            raise ValueError(
                f"{type(self).__name__} was fitted at {fitted} Hz, and variant and sample_rate now ask for {rate} Hz: "
                "set them back, or fit again."
            )

    def _warn(self) -> None:
        if self.weights is None:
            warnings.warn(
                f"{type(self).__name__} with weights=None has random weights: its outputs have the right shapes and "
                'no meaning. Use weights="pretrained" or a path.',
                UserWarning,
                stacklevel=users_level(),
            )

    def _engine(self) -> BackboneEngine:
        return backbone_engine(
            self._backbone(),
            self.weights,
            runtime=self.runtime,
            precision=self.precision,
            device=self.device,
            random_state=self.random_state,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        try:
            tags.requires_fit = self._backbone().sample_rate is None
        except (TypeError, ValueError):  # fit says what is wrong with the variant
            tags.requires_fit = False
        return tags
