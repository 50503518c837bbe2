"""`ModuleEmbedding`: any torch module behind the interface of the pretrained embeddings."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
from joblib.parallel import get_active_backend
from numpy.typing import ArrayLike

from .._checks import check_number, check_option
from ..training import resolve_device
from ._embedding import BaseEmbedding
from ._module_engine import ModuleEngine
from .families import Clock

if TYPE_CHECKING:
    import torch


class ModuleEmbedding(BaseEmbedding):
    """Embed clips with a torch module of one's own, frozen.

    Parameters
    ----------
    module : torch.nn.Module
        Takes the output of `front_end` and returns a float tensor of shape (n_windows, C), (n_windows, C, T) or
        (n_windows, C, F, T), channels before frequency and time; or a dict that has such a tensor under the name of
        `output`, or that has one tensor only. A copy of the module runs in evaluation mode; the module itself is never
        trained, changed or moved.

    sample_rate : int
        Sample rate of the waveforms that the module was trained on, in hertz. There is no default, because a wrong rate
        fails silently.

    front_end : torch.nn.Module, callable or None, default=None
        Takes a float32 tensor of waveforms, (n_windows, n_samples), on `device`, and returns the input of `module`.
        None gives `module` the waveforms.

    output : {"clip", "frames", "grid"}, default="clip"
        "clip": (n_clips, C), the mean over time and frequency, where the module has them. "frames": (n_clips, C, T),
        the mean over frequency. "grid": the output of the module itself, (n_clips, C, F, T) or (n_clips, C, T).

    window : float, default=10.0
        Length of the longest stretch that is embedded at once, in seconds. The default is that of the published
        backbones.

    hop : float or None, default=None
        Step between the windows of a longer clip, in seconds, for "clip", which is averaged over the windows. None is a
        quarter of `window`. For "frames" and "grid" windows lie end to end.

    min_duration : float, default=1.0
        Length of the shortest stretch that the module gets, in seconds. Silence is put after shorter clips, and after
        a shorter last window. Lower the value if the module takes less.

    batch_size : int, default=8
        Number of windows of one length that go through the module together.

    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...

    precision : {"float32", "bfloat16"}, default="float32"
        Precision of `module`, by torch's autocast; `front_end` is always float32.

    memory : str, path-like or None, default=None
        Folder that keeps embeddings, clip by clip. An embedding in the folder is not computed again, whichever process
        put it there. None keeps none.

    cache_by : {"file", "content"}, default="file"
        "file": `memory` recognises a file by its path, size and time of change. "content": by its bytes, which takes
        longer and recognises a file that was moved. Clips that are no files are recognised by their samples.

    n_jobs : int or None, default=None
        Number of processes, as for joblib: None is 1 unless :class:`joblib.parallel_config` says otherwise. The module
        is sent to the processes with every few dozen clips, so it must be possible to pickle it.

    verbose : bool, default=False
        Whether `transform` shows its progress: a bar on a terminal, one line in a notebook, lines on stderr elsewhere.

    Attributes
    ----------
    weights_digest_ : str
        SHA-256 of the parameters, buffers and settings of `module` and `front_end`. `transform` refuses other values:
        if the module is trained further, the steps after it must be fitted again.

    n_channels_ : int
        Number of channels of the training clips, 1 or 2. `transform` refuses another number.

    n_features_in_ : int
        Number of samples of a clip, for arrays.

    Notes
    -----
    `memory` recognises a module by the same checksum, which every call computes again (a second for a gigabyte of
    parameters). It recognises a front end that is no module by :func:`joblib.hash`, which pickles the front end.
    Neither looks at code: empty the folder after a change of ``forward``.

    :func:`copy.deepcopy` must be able to copy the module; scikit-learn's ``clone`` asks for the same.

    A pipeline with a module in it can be pickled, but neither saved by :func:`skaudio_ad.persistence.save_detector`
    nor loaded from a skops file: those hold no code, and a module is code. Describe an EfficientAT or PaSST of one's
    own as a :class:`Backbone`, or save the detector alone and put the module in front of it anew.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from skaudio_ad.embeddings import ModuleEmbedding
    >>> network = torch.nn.Sequential(torch.nn.Unflatten(1, (1, -1)), torch.nn.Conv1d(1, 8, 400, stride=160))
    >>> noise = np.random.default_rng(0).normal(scale=0.1, size=(2, 16000))  # one second at 16 kHz
    >>> ModuleEmbedding(network, sample_rate=16000).transform(noise).shape
    (2, 8)
    >>> ModuleEmbedding(network, sample_rate=16000, output="frames").transform(noise).shape
    (2, 8, 98)
    """

    _outputs = ("clip", "frames", "grid")
    _vectors = ("clip",)

    def __init__(
        self,
        module: "torch.nn.Module",
        *,
        sample_rate: int,
        front_end: Callable[["torch.Tensor"], "torch.Tensor"] | None = None,
        output: str = "clip",
        window: float = 10.0,
        hop: float | None = None,
        min_duration: float = 1.0,
        batch_size: int = 8,
        device: str = "auto",
        precision: str = "float32",
        memory: Any = None,
        cache_by: str = "file",
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.module = module
        self.sample_rate = sample_rate
        self.front_end = front_end
        self.output = output
        self.window = window
        self.hop = hop
        self.min_duration = min_duration
        self.batch_size = batch_size
        self.device = device
        self.precision = precision
        self.memory = memory
        self.cache_by = cache_by
        self.n_jobs = n_jobs
        self.verbose = verbose

    def frames_to_seconds(self, frames: ArrayLike) -> np.ndarray:
        """Time of the middle of a frame of ``output="frames"`` or ``"grid"``.

        Frames are taken to be spread evenly over a window. This holds up to one frame for a network that pads its
        input. Only the module knows its true receptive field.

        Parameters
        ----------
        frames : array-like of float
            Positions on the last axis of the array that `transform` returns; fractions lie between frames.

        Returns
        -------
        ndarray of float64
            Seconds from the start of the clip.
        """
        return super().frames_to_seconds(frames)

    def _clock(self, n_samples: int) -> Clock:
        self._check("frames")
        per_window = self._embed_noise(n_samples, "frames").shape[-1]
        step = n_samples / self.sample_rate / per_window
        return Clock(first=step / 2, step=step, per_window=per_window)

    def _embed_noise(self, n_samples: int, output: str) -> np.ndarray:
        noise = np.random.default_rng(0).normal(scale=0.1, size=(1, n_samples)).astype(np.float32)
        return self._make_engine().load().embed(noise, output)[0]

    def _rate(self) -> int:
        return self.sample_rate

    def _shortest(self) -> int:
        return max(1, round(self.min_duration * self.sample_rate))

    def _column_names(self, output: str) -> list[str]:
        n_samples = self._check(output).min_samples
        name = type(self.module).__name__.lower()
        return [f"{name}_{output}{i}" for i in range(len(self._embed_noise(n_samples, output)))]

    def _check_parameters(self) -> None:
        import torch

        if not isinstance(self.module, torch.nn.Module):
            raise TypeError(f"module must be an instance of torch.nn.Module, got {self.module!r}.")
        if not (self.front_end is None or callable(self.front_end)) or isinstance(self.front_end, type):
            raise TypeError(
                f"front_end must be a torch module, another callable or None, got {self.front_end!r}."
            )
        check_number(self.sample_rate, "sample_rate", low=1, integer=True)
        check_number(self.window, "window", low=1, high=np.inf, closed="left")
        check_number(self.min_duration, "min_duration", low=0, high=self.window, closed="right")
        check_option(self.precision, "precision", ("float32", "bfloat16"))

    def _make_engine(self) -> ModuleEngine:
        return ModuleEngine(self.module, self.front_end, self.device, self.precision)

    def _engine(self) -> ModuleEngine:
        # Whatever may fail happens here, before any clip is read. Whatever takes time happens here too, once and not in
        # every process.
        engine = self._make_engine()
        resolve_device(self.device)
        if self.memory is not None:
            _ = engine.key
        in_threads = getattr(get_active_backend()[0], "supports_sharedmem", False)
        if joblib.effective_n_jobs(self.n_jobs) > 1 and not in_threads:
            _ = engine.packed
        return engine
