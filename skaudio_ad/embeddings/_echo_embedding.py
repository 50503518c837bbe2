"""`ECHOEmbedding`: :class:`BackboneEmbedding` for ECHO."""

import os
from collections.abc import Sequence
from typing import Any

from ._backbone_embedding import BackboneEmbedding
from ._registry import Backbone


class ECHOEmbedding(BackboneEmbedding):
    """Embed clips of any sample rate with ECHO, a spectrogram transformer pretrained on sounds and frozen [1]_.

    ECHO cuts the spectrogram into bands of 32 frequencies, 1280 Hz each, and embeds every band by itself. Clips need
    not be resampled: a higher sample rate has more bands, and so more columns. One fitted embedding takes one rate.

    Parameters
    ----------
    variant : str or Backbone, default="echo_tiny"
        "echo_tiny" (tokens of 192 values) or "echo_small" (384); or a :class:`Backbone` of one's own. "echo_tiny" is
        the default, because its published scores [2]_ are within a point of those of "echo_small" at a quarter of the
        operations.

    weights : "pretrained", path-like or None, default="pretrained"
        "pretrained" weights are those of the authors, found or downloaded by :func:`weights_path`. A path names a file
        or its folder. None is random weights, for tests, with a warning.

    output : str or list of str, default="clip"
        F is the number of bands: 4 at 8 kHz, 7 at 16 kHz, 9 at 22.05 kHz, 13 at 32 kHz and 19 at 48 kHz.
        C is 192 or 384, for each of `layers`.

        - "clip": (n_clips, F * C), the class tokens of the bands, from low to high, the authors' embedding.
        - "token_mean": (n_clips, F * C), the means over time of the other tokens of the bands.
        - "frames": (n_clips, F * C, T), the tokens of all bands at one time, with a frame every 0.16 s.
        - "grid": (n_clips, C, F, T), the tokens.

        A list names outputs that are vectors, such as ["clip", "token_mean"]. One pass of the network computes all of
        them, and their columns stand one after the other. ECHO has no classes.

    window : float, default=20.0
        Length of the longest stretch that is embedded at once, in seconds, rounded up to whole patches of 0.16 s. The
        network takes no more than 20 s.

    hop : float or None, default=None
        Step between the windows of a longer clip, in seconds, for outputs without time, which are averaged over the
        windows. The last window ends where the clip ends. None is `window`, so that only the last window overlaps
        another one, as the authors do. For "frames" and "grid" windows lie end to end, and the last one is shorter,
        whereas the authors repeat frames so that the last window has 20 s.

    batch_size : int, default=4
        Number of windows of one length that go through the network together.

    layers : int, list of int or None, default=None
        Numbers of transformer blocks, from 1 to 12, whose states make the outputs. Blocks behind the highest number are
        left out, which saves their time. A list puts the values of its blocks one after the other. None is the last
        block with the final normalisation, as the authors do. Other states are not normalised further.

    sample_rate : int or None, default=None
        Sample rate of the clips, in hertz, 100 or more. None is the rate of the clips of `fit`, which an
        :class:`AudioLoader` must have loaded. Arrays and paths need a number here. Paths are resampled to it.

    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...

    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the network; the spectrogram is always float32. "bfloat16", for torch and OpenVINO, keeps
        embeddings within a hundredth. This precision is for processors with instructions for it (AVX-512 BF16, AMX)
        and for GPUs. On other processors torch is several times slower with it.

    runtime : {"torch", "onnxruntime", "openvino", "auto"}, default="torch"
        Software that runs the network. The others are optional packages, ``pip install 'skaudio_ad[openvino]'`` or
        ``[onnx]``. "auto" takes one of them where it is installed and suits, and torch elsewhere.

    memory : str, path-like or None, default=None
        Folder that keeps embeddings, clip by clip. An embedding in the folder is not computed again, whichever process
        put it there. Embeddings of another sample rate have entries of their own. None keeps none.

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
    sample_rate_ : int
        Sample rate of the training clips, in hertz. `transform` refuses clips of another rate.

    weights_digest_ : str or None
        SHA-256 of the file of weights. `transform` refuses other weights.

    n_channels_ : int
        Number of channels of the training clips, 1 or 2. `transform` refuses another number.

    n_features_in_ : int
        Number of samples of a clip, for arrays.

    Notes
    -----
    The mean of a clip is subtracted, also where the clip is cut into windows. Silence is put after a clip shorter than
    25 ms. A clip gets the same embedding alone and in any batch, up to rounding (1e-5 relative).

    The authors publish the weights as ``model.safetensors`` in the repositories yucongzh/echo-tiny-0828 and
    yucongzh/echo-small-0824 of the Hugging Face hub, and as a .pth file of ``torch.save`` on Zenodo (record 16935787).
    Without a network connection, download the file elsewhere and pass its path as `weights`. There are no fine-tuned
    files. The code and the weights of "echo_small" have the MIT licence. The licence of the weights of "echo_tiny" was
    not found: ask the authors before you pass these weights on.

    References
    ----------
    .. [1] Y. Zhang, J. Liu and M. Li, "ECHO: Frequency-aware hierarchical encoding for variable-length signals", 2025,
       https://arxiv.org/abs/2508.14689.
    .. [2] SIREN, https://github.com/yucongzh/SIREN: DCASE scores of frozen embeddings.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad.embeddings import ECHOEmbedding
    >>> noise = np.random.default_rng(0).normal(scale=0.1, size=(2, 8000))  # half a second at 16 kHz
    >>> embedding = ECHOEmbedding(weights=None, sample_rate=16000)  # random weights
    >>> embedding.transform(noise).shape
    (2, 1344)
    >>> embedding.set_params(output="grid", layers=6).transform(noise).shape
    (2, 192, 7, 3)
    """

    _family = "echo"

    def __init__(
        self,
        variant: str | Backbone = "echo_tiny",
        *,
        weights: str | os.PathLike[str] | None = "pretrained",
        output: str | Sequence[str] = "clip",
        window: float = 20.0,
        hop: float | None = None,
        batch_size: int = 4,
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
        super().__init__(
            variant,
            weights=weights,
            output=output,
            window=window,
            hop=hop,
            batch_size=batch_size,
            layers=layers,
            sample_rate=sample_rate,
            device=device,
            precision=precision,
            runtime=runtime,
            memory=memory,
            cache_by=cache_by,
            n_jobs=n_jobs,
            verbose=verbose,
            random_state=random_state,
        )
