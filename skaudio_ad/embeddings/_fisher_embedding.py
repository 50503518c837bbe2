"""`FISHEREmbedding`: :class:`BackboneEmbedding` for FISHER."""

import os
from collections.abc import Sequence
from typing import Any

from ._backbone_embedding import BackboneEmbedding
from ._registry import Backbone


class FISHEREmbedding(BackboneEmbedding):
    """Embed clips of any sample rate with FISHER, a transformer pretrained without labels, and frozen [1]_.

    FISHER is made for the signals of machines: sound, vibration, voltage and current. A spectrogram with windows of
    25 ms every 10 ms is cut into bands of 2 kHz, and the network embeds every band by itself. A higher sample rate has
    more bands, so clips need no resampling, and a detector of one sample rate takes that rate only.

    Parameters
    ----------
    variant : str or Backbone, default="fisher_small"
        "fisher_tiny", "fisher_mini" or "fisher_small", the best of the three on the benchmark of the authors; or a
        :class:`Backbone` of one's own. All three were pretrained without labels. There are no fine-tuned files.

    weights : "pretrained", path-like or None, default="pretrained"
        "pretrained" weights are those of the authors, found or downloaded by :func:`weights_path`. A path names a file
        or its folder: ``model.safetensors`` of the authors' Hugging Face repository, or a file of ``torch.save`` with
        the entries "cfg" and "model". None is random weights, for tests, with a warning.

    output : {"clip", "token_mean", "frames", "grid"} or list of them, default="clip"
        The sizes are those of the small network, whose tokens have 384 values, at 16 kHz, with 4 bands; T is the number
        of frames, one every 0.16 s. "clip": (n_clips, 4 * 384), the tokens for the class of all bands, from low to
        high, the authors' embedding. "token_mean": (n_clips, 4 * 384), the mean of the patches of every band. "frames":
        (n_clips, 4 * 384, T), the mean of the patches of every band at one time. "grid": (n_clips, 384, 12, T), the
        patches, three to a band. A list names outputs that are vectors, without time. One pass of the network computes
        all of them, and their columns stand one after the other.

    window : float, default=10.24
        Length of the longest stretch that is embedded at once, in seconds, rounded up to 0.16 s. The default is the
        maximum: 1024 frames of the spectrogram, as in the training.

    hop : float or None, default=None
        Step between the windows of a longer clip, in seconds, for outputs without time, which are averaged over the
        windows. None is `window`: windows lie end to end, and the last one ends where the clip ends, as in the
        comparison of encoders [2]_. The authors themselves embed only the first 10.24 s of a longer clip. For "frames"
        and "grid" windows lie end to end.

    batch_size : int, default=4
        Number of windows of one length that go through the network together.

    layers : int, list of int or None, default=None
        Numbers of transformer blocks, 1 to 12, whose states make the outputs. Blocks behind the highest number are
        left out, which saves their time. A list puts the values of its blocks one after the other. None is the last
        block, as for the authors.

    sample_rate : int or None, default=None
        Sample rate of the waveforms, in hertz. None is the rate of the clips of `fit`, which an :class:`AudioLoader`
        must have loaded. `transform` refuses another rate.

    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...

    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the network; the spectrogram is always float32.

    runtime : {"torch", "onnxruntime", "openvino", "auto"}, default="torch"
        Software that runs the network, as for :class:`BackboneEmbedding`.

    memory : str, path-like or None, default=None
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
    Silence is put after a clip shorter than 0.175 s, 16 frames of the spectrogram. The mean of the clip is
    subtracted. Frequencies above the last whole band are dropped, such as the last one of 201 at 16 kHz. Below 3.92
    kHz, half the sample rate is less than one band, and zeros fill the band, as the authors do. A clip gets the same
    embedding alone and in any batch, up to rounding (1e-5 relative).

    The width of a band and the order of the patches do not show in the weights. A file with the entry "cfg" says both,
    and a file that says other values than the variant is refused. A file of safetensors does not say them. Then the
    values of the variant hold: 50 frequencies a band, as the authors' benchmark sets it, and the order "freq", the
    default of the authors' code. For a network with another width, make a :class:`Backbone` with other ``settings``.

    Files are read without running code. A file of the authors' cloud storage (``.pt``) is refused if its "cfg" holds
    Python objects. Convert such a file once, with omegaconf installed. Do so only if you trust the source of the file,
    because ``weights_only=False`` lets the file run code::

        content = torch.load("model.pt", weights_only=False)
        model = content["cfg"]["model"]
        cfg = {"model": {"band_width": int(model["band_width"])}}
        torch.save({"cfg": cfg, "model": dict(content["model"])}, "FISHER-small.pt")

    To work offline, copy ``model.safetensors`` of https://huggingface.co/jiangab/FISHER-small-0723 to the folder of
    weights as ``FISHER-small-0723.safetensors``, or pass its path as `weights`. The code of the authors has the MIT
    licence. The card of the small model states the MIT licence too.

    References
    ----------
    .. [1] P. Fan, A. Jiang et al., "FISHER: A Foundation Model for Multimodal Industrial Signal Comprehensive
       Representation", IEEE Transactions on Industrial Informatics 2026, https://arxiv.org/abs/2507.16696.
    .. [2] SIREN, https://github.com/yucongzh/SIREN.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad.embeddings import FISHEREmbedding
    >>> noise = np.random.default_rng(0).normal(scale=0.1, size=(2, 8000))  # half a second at 16 kHz
    >>> embedding = FISHEREmbedding("fisher_tiny", weights=None, layers=1, sample_rate=16000)
    >>> embedding.transform(noise).shape
    (2, 768)
    """

    _family = "fisher"

    def __init__(
        self,
        variant: str | Backbone = "fisher_small",
        *,
        weights: str | os.PathLike[str] | None = "pretrained",
        output: str | Sequence[str] = "clip",
        window: float = 10.24,
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
