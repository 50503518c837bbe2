"""`EATEmbedding`: :class:`BackboneEmbedding` for EAT and SSLAM."""

import os
from collections.abc import Sequence
from typing import Any

from ._backbone_embedding import BackboneEmbedding
from ._registry import Backbone


class EATEmbedding(BackboneEmbedding):
    """Embed clips with EAT or SSLAM, transformers that learnt from AudioSet without labels, frozen [1]_ [2]_.

    EAT works at 16 kHz on 128 mel bands. Its training predicts masked patches of the spectrogram and a summary of the
    clip, so the token CLS is a good embedding of a clip. SSLAM is the network of EAT with a second training on
    mixtures of clips.

    Parameters
    ----------
    variant : str or Backbone, default="eat_base"
        "eat_base" (12 blocks of 768 values, 85 million parameters), "eat_large" (24 blocks of 1024 values, 303
        million parameters) and "sslam" (as "eat_base") are self-supervised. "eat_base_as2m", "eat_large_as2m" and
        "sslam_as2m" are the same networks after fine-tuning on the labels of AudioSet. Or a :class:`Backbone` of
        one's own. "eat_base" is the default, because "eat_large" gains 0.5 points on DCASE Task 2 only (RMIS,
        https://github.com/jianganbai/RMIS).

    weights : "pretrained", path-like or None, default="pretrained"
        "pretrained" weights are those of the authors, found or downloaded by :func:`weights_path`. A path names a
        file or its folder: ``model.safetensors`` of a repository of the hub, such as
        https://huggingface.co/worstchan/EAT-base_epoch30_pretrain or https://huggingface.co/ta012/SSLAM_pretrain. For
        a machine without a network, save this file as ``EAT-base_epoch30_pretrain.safetensors`` (the name of the
        repository) in a folder that `SKAUDIO_AD_WEIGHTS` names. The licence is MIT. The authors also publish files of
        their training framework. Such a file holds objects of the framework and is refused, because no code of a file
        is run. The tensors alone, saved again with ``torch.save({"model": tensors}, file)``, are taken. None is
        random weights, for tests, with a warning.

        A fine-tuned file is refused for a self-supervised variant, and the reverse, because the embeddings differ.
        Files with a classifier are fine-tuned.

    output : {"clip", "frames", "grid", "tokens", "token_mean", "logits"} or list of them, default="clip"
        "clip": (n_clips, C), the token CLS, which the authors recommend for a whole clip. "token_mean": (n_clips, C),
        the mean over the patches. "frames": (n_clips, C, T), the mean of the patches over frequency, with a frame
        every 0.16 s. "grid": (n_clips, C, 8, T), the patches. "tokens": (n_clips, C, 1 + 8 * T), CLS and the patches,
        column by column. "logits": (n_clips, 527), one for every class of AudioSet, for fine-tuned variants and
        ``layers=None`` only. ``C`` is 768 or 1024 for every block of `layers`. A list names outputs that are vectors,
        without time. One pass of the network computes all of them, and their columns stand one after the other.

    window : float, default=10.0
        Length of the longest stretch that is embedded at once, in seconds, at most 122.88. The networks were trained
        on 10 s.

    hop : float or None, default=None
        Step between the windows of a longer clip, in seconds, for outputs without time, which are averaged over the
        windows. None is the length of a window, as in the benchmark SIREN (https://github.com/yucongzh/SIREN). The
        last window ends where the clip ends, and overlaps the window before. For outputs with time, windows lie end
        to end.

    batch_size : int, default=4
        Number of windows of one length that go through the network together.

    layers : int, list of int or None, default=None
        Numbers of transformer blocks, 1 to 12 or 24, whose states make the outputs. Blocks behind the highest number
        are left out, which saves their time. A list puts the values of its blocks one after the other. None is the
        last block, as the authors do. Every block ends with a normalisation.

    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...

    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the blocks; the spectrogram is always float32.

    runtime : {"torch", "onnxruntime", "openvino", "auto"}, default="torch"
        Software that runs the network. The others are optional packages, ``pip install 'skaudio_ad[openvino]'`` or
        ``[onnx]``. "auto" takes one of them where it is installed and suits, and torch elsewhere.

    memory : str, path-like or None, default=None
        Folder that keeps embeddings, clip by clip. An embedding in the folder is not computed again, whichever
        process put it there. None keeps none.

    cache_by : {"file", "content"}, default="file"
        "file": `memory` recognises a file by its path, size and time of change. "content": by its bytes, which takes
        longer and recognises a file that was moved. Clips that are no files are recognised by their samples.

    n_jobs : int or None, default=None
        Number of processes, as for joblib: None is 1 unless :class:`joblib.parallel_config` says otherwise. Each
        process loads the network once.

    verbose : bool, default=False
        Whether `transform` shows its progress: a bar on a terminal, one line in a notebook, lines on stderr
        elsewhere.

    random_state : int, default=0
        Seed of random weights, the same in every process.

    Attributes
    ----------
    weights_digest_ : str or None
        SHA-256 of the file of weights. `transform` refuses other weights.

    sample_rate_ : int
        Sample rate of the training clips, in hertz: 16000.

    n_channels_ : int
        Number of channels of the training clips, 1 or 2. `transform` refuses another number.

    n_features_in_ : int
        Number of samples of a clip, for arrays.

    Notes
    -----
    Silence is put after a clip shorter than 2800 samples (0.175 s, 16 frames of the spectrogram). A clip gets the same
    embedding alone and in any batch, up to rounding (1e-5 relative).

    The spectrogram of a window is padded at the end to a multiple of 32 frames of 10 ms. This gives the lengths that
    the authors use: 128 frames for 1 s, 512 for 5 s and 1024 for 10 s. The value of the padding is the authors'
    value, which is no silence, and the network sees the padding as in its training. Columns of patches with padded
    frames are left out of "frames", "grid", "tokens" and "token_mean": of the 64 columns of 10 s, 62 remain.
    Embeddings equal those of the authors' code for clips of 1, 5 and 10 s. RMIS and SIREN pad shorter clips to 1024
    frames too, so their scores on clips shorter than 9.94 s are not exactly those of this embedding. Compare clips of
    one length, because the padding depends on the length.

    References
    ----------
    .. [1] W. Chen, Y. Liang, Z. Ma, Z. Zheng and X. Chen, "EAT: Self-supervised pre-training with efficient audio
       transformer", IJCAI 2024, https://arxiv.org/abs/2401.03497.
    .. [2] T. Alex, S. Atito, A. Mustafa, M. Awais and P. J. B. Jackson, "SSLAM: Enhancing self-supervised models with
       audio mixtures for polyphonic soundscapes", ICLR 2025, https://arxiv.org/abs/2506.12222.

    Examples
    --------
    >>> from skaudio_ad.embeddings import EATEmbedding
    >>> EATEmbedding(layers=[6, 12]).get_feature_names_out()[-1]
    'eat_base_layer6_layer12_clip1535'
    """

    _family = "eat"

    def __init__(
        self,
        variant: str | Backbone = "eat_base",
        *,
        weights: str | os.PathLike[str] | None = "pretrained",
        output: str | Sequence[str] = "clip",
        window: float = 10.0,
        hop: float | None = None,
        batch_size: int = 4,
        layers: int | Sequence[int] | None = None,
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
            device=device,
            precision=precision,
            runtime=runtime,
            memory=memory,
            cache_by=cache_by,
            n_jobs=n_jobs,
            verbose=verbose,
            random_state=random_state,
        )
