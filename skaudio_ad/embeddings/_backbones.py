"""`MobileNetEmbedding` and `PaSSTEmbedding`: :class:`BackboneEmbedding` for one family each."""

import os
from collections.abc import Sequence
from typing import Any

from ._backbone_embedding import BackboneEmbedding
from ._registry import Backbone


class MobileNetEmbedding(BackboneEmbedding):
    """Embed clips with a pretrained and frozen MobileNet.

    A MobileNet is a convolutional network. Transformers taught the MobileNets of EfficientAT on AudioSet. These
    networks nearly reach the quality of transformers in a fraction of the time [1]_. "mini" is a network of this
    package. "mn04" taught "mini" its feature maps on synthesised sound, so "mini" has never heard a recording.

    Parameters
    ----------
    variant : str or Backbone, default="mini"
        "mini"; "mn01", "mn02", "mn04", "mn05", "mn10", "mn20", "mn30", "mn40" (width factors 0.1 to 4) or "mn40_ext" of
        EfficientAT; or a :class:`Backbone` of one's own. "mini" is the default, because the weights of "mini" are part
        of the package and nothing is downloaded. "mini" has the width of "mn04", and no classes.

    weights : "pretrained", path-like or None, default="pretrained"
        "pretrained" weights are those of the authors, found or downloaded by :func:`weights_path`. A path names a file
        or its folder. None is random weights, for tests, with a warning.

    output : str or list of str, default="clip"
        - "clip": (n_clips, C), the mean of the last feature map; C is 384 for "mini" and 960 for "mn10".
        - "clip_stats": (n_clips, 2 * C), means and standard deviations of "frames" over time.
        - "frames": (n_clips, C, T), the mean of the last feature map over frequency, with a frame every 0.32 s.
        - "grid": (n_clips, C, 4, T), the last feature map itself.
        - "multilevel": means of the spectrogram and of four feature maps, the embedding of EfficientAT for the HEAR
          benchmark.
        - "block5", "block11", "block13", "block15": (n_clips, 2 * C * F), means and then standard deviations over time
          of the map of C channels and F bins of frequency behind this block. F is 16, 8, 4 and 4.
        - "logits": (n_clips, 527), one for every class of AudioSet, for all variants but "mini".

        A list names outputs that are vectors, such as ["clip", "block15"]. One pass of the network computes all of
        them, and their columns stand one after the other.

        Standard deviations have no correction, and are 0 for a window of one frame. Like means, they are averaged over
        the windows of a long clip.

    window : float, default=10.0
        Length of the longest stretch that is embedded at once, in seconds. The network was trained on 10 s.

    hop : float or None, default=None
        Step between the windows of a longer clip, in seconds, for outputs without time, which are averaged over the
        windows. None is a quarter of `window`: 2.5 s for 10, the value of PaSST's authors. For "frames" and "grid"
        windows lie end to end.

    batch_size : int, default=8
        Number of windows of one length that go through the network together. Larger batches are slower on a CPU.

    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...

    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the network; the spectrogram is always float32. "bfloat16", for torch only, is hardly faster: all
        but the last blocks must stay float32 to keep embeddings within a hundredth.

    runtime : {"torch", "onnxruntime", "openvino", "auto"}, default="torch"
        Software that runs the network. The others are optional packages, ``pip install 'skaudio_ad[openvino]'`` or
        ``[onnx]``. They are faster on a CPU, after a second or two for the export of the network, once a process.
        "auto" takes one of them where it is installed and suits, and torch elsewhere.

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

    n_channels_ : int
        Number of channels of the training clips, 1 or 2. `transform` refuses another number.

    n_features_in_ : int
        Number of samples of a clip, for arrays.

    Notes
    -----
    Silence is put after a clip shorter than 514 samples (16 ms). A clip gets the same embedding alone and in any batch,
    up to rounding (1e-5 relative).

    References
    ----------
    .. [1] F. Schmid, K. Koutini and G. Widmer, "Efficient large-scale audio tagging via transformer-to-CNN knowledge
       distillation", ICASSP 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad.embeddings import MobileNetEmbedding
    >>> noise = np.random.default_rng(0).normal(scale=0.1, size=(2, 32000))  # one second at 32 kHz
    >>> MobileNetEmbedding().fit(noise).transform(noise).shape
    (2, 384)
    >>> MobileNetEmbedding(output="frames").transform(noise).shape
    (2, 384, 4)
    """

    _family = "mobilenet"

    def __init__(
        self,
        variant: str | Backbone = "mini",
        *,
        weights: str | os.PathLike[str] | None = "pretrained",
        output: str | Sequence[str] = "clip",
        window: float = 10.0,
        hop: float | None = None,
        batch_size: int = 8,
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
            device=device,
            precision=precision,
            runtime=runtime,
            memory=memory,
            cache_by=cache_by,
            n_jobs=n_jobs,
            verbose=verbose,
            random_state=random_state,
        )


class PaSSTEmbedding(BackboneEmbedding):
    """Embed clips with PaSST, a spectrogram transformer pretrained on AudioSet and frozen [1]_.

    Parameters
    ----------
    variant : str or Backbone, default="passt_s_swa"
        "passt_s_swa" (the authors' default), "passt_s_kd", "passt_l_kd" (7 blocks instead of 12) or "passt_s_s16"
        (patches that do not overlap: about twice as fast); or a :class:`Backbone` of one's own.

    weights : "pretrained", path-like or None, default="pretrained"
        "pretrained" weights are those of the authors, found or downloaded by :func:`weights_path`. A path names a file
        or its folder. None is random weights, for tests, with a warning.

    output : {"clip", "frames", "grid", "tokens", "class_token", "distillation_token", "patch_mean", "logits"} or list \
of them, default="clip"
        "clip": (n_clips, 768), the mean of the tokens C and D, the authors' embedding; "class_token" is C alone and
        "distillation_token" is D alone. "frames": (n_clips, 768, T), the mean of the patches over frequency, with a
        frame every 0.1 s. "grid": (n_clips, 768, F, T), the patches. "tokens": (n_clips, 768, 2 + F * T), C, D and the
        patches. "patch_mean": (n_clips, 768), the mean of the patches. "logits": (n_clips, 527), one for every class
        of AudioSet. A list names outputs that are vectors, without time. One pass of the network computes all of them,
        and their columns stand one after the other.

    window : float, default=10.0
        Length of the longest stretch that is embedded at once, in seconds. The network takes no more than 10 s.

    hop : float or None, default=None
        Step between the windows of a longer clip, in seconds, for outputs without time, which are averaged over the
        windows. None is a quarter of `window`: 2.5 s for 10, as the authors do for the HEAR benchmark. For "frames"
        and "grid" windows lie end to end.

    batch_size : int, default=4
        Number of windows of one length that go through the network together.

    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...

    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the network; the spectrogram is always float32. "bfloat16", for torch and OpenVINO, is twice as
        fast on processors with instructions for it, and keeps embeddings within a hundredth.

    runtime : {"torch", "onnxruntime", "openvino", "hear21passt", "auto"}, default="torch"
        Software that runs the network. The others are optional packages, ``pip install 'skaudio_ad[openvino]'``,
        ``[onnx]`` or ``[passt]``, the authors' own. ONNX Runtime and OpenVINO are faster on a CPU, after some seconds
        for the export of the network, once a process. "auto" takes one of them where it is installed and suits, and
        torch elsewhere.

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

    n_channels_ : int
        Number of channels of the training clips, 1 or 2. `transform` refuses another number.

    n_features_in_ : int
        Number of samples of a clip, for arrays.

    Notes
    -----
    Silence is put after a clip shorter than 4801 samples (0.15 s, 16 frames of the spectrogram). A clip gets the same
    embedding alone and in any batch, up to rounding (1e-5 relative).

    References
    ----------
    .. [1] K. Koutini, J. Schlüter, H. Eghbal-zadeh and G. Widmer, "Efficient training of audio transformers with
       patchout", Interspeech 2022.
    """

    _family = "passt"

    def __init__(
        self,
        variant: str | Backbone = "passt_s_swa",
        *,
        weights: str | os.PathLike[str] | None = "pretrained",
        output: str | Sequence[str] = "clip",
        window: float = 10.0,
        hop: float | None = None,
        batch_size: int = 4,
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
            device=device,
            precision=precision,
            runtime=runtime,
            memory=memory,
            cache_by=cache_by,
            n_jobs=n_jobs,
            verbose=verbose,
            random_state=random_state,
        )
