"""`DashengEmbedding`: :class:`BackboneEmbedding` for Dasheng."""

import os
from collections.abc import Sequence
from typing import Any

from ._backbone_embedding import BackboneEmbedding
from ._registry import Backbone


class DashengEmbedding(BackboneEmbedding):
    """Embed clips with Dasheng, a transformer pretrained on 272 000 hours of sound without labels, frozen [1]_.

    A token of Dasheng spans all frequencies and 40 ms, so "frames" resolves short sounds. The largest networks need
    gigabytes of memory and a GPU.

    Parameters
    ----------
    variant : str or Backbone, default="dasheng_base"
        "dasheng_base", "dasheng_06b" or "dasheng_12b", self-supervised, with embeddings of 768, 1280 and 1536 values;
        "dasheng_base_audioset", "dasheng_base" after fine-tuning on the labels of AudioSet; or a :class:`Backbone` of
        one's own. "dasheng_base" is the default, because the published scores of the larger networks on machine sounds
        are not higher by more than 0.1 %.

    weights : "pretrained", path-like or None, default="pretrained"
        "pretrained" weights are those of the authors, found or downloaded by :func:`weights_path`. A path names a file
        or its folder: ``model.safetensors`` of https://huggingface.co/mispeech/dasheng-base and its siblings, or a file
        of https://zenodo.org/records/11511780 (self-supervised) or https://zenodo.org/records/13315686 (fine-tuned). A
        fine-tuned file is refused where the variant is self-supervised, and the reverse, because their embeddings
        differ. The code has the licence Apache-2.0. The file of "dasheng_06b" has the same licence, and none was seen
        for the others. For a machine without a network, save the hub's file as ``dasheng-base.safetensors`` in a folder
        that `SKAUDIO_AD_WEIGHTS` names. None is random weights, for tests, with a warning.

    output : {"clip", "frames", "logits"} or list of them, default="clip"
        "clip": (n_clips, C), the mean over the frames, the authors' embedding. "frames": (n_clips, C, T), a frame every
        40 ms. "logits": (n_clips, 527), one for every class of AudioSet, for "dasheng_base_audioset" and with
        ``layers=None`` only. ``C`` is the size of the variant for every block of `layers`. A list names outputs that
        are vectors, without time. One pass of the network computes all of them, and their columns stand one after the
        other.

    window : float, default=10.08
        Length of the longest stretch that is embedded at once, in seconds, at most 10.1. The authors cut the patches
        of a clip into pieces of 252, which are 10.08 s.

    hop : float or None, default=None
        Step between the windows of a longer clip, in seconds, for outputs without time, which are averaged over the
        windows. None is the length of a window, as the authors do. The last window ends where the clip ends, and
        overlaps the window before. For outputs with time, windows lie end to end.

    batch_size : int, default=8
        Number of windows of one length that go through the network together.

    layers : int, list of int or None, default=None
        Numbers of transformer blocks, whose states make the outputs. The states are not normalised. Blocks
        behind the highest number are left out, which saves their time. A list puts the values of its blocks one after
        the other. None is the last block, normalised, as the authors do.

    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...

    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the blocks; the spectrogram and the normalisation of its bands are always float32.

    runtime : {"torch", "onnxruntime", "openvino", "auto"}, default="torch"
        Software that runs the network. The others are optional packages, ``pip install 'skaudio_ad[openvino]'`` or
        ``[onnx]``. "auto" takes one of them where it is installed and suits, and torch elsewhere. "dasheng_06b" and
        "dasheng_12b" run with torch only, because a file of ONNX holds at most two gigabytes.

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
        Sample rate of the training clips, in hertz: 16000.

    n_channels_ : int
        Number of channels of the training clips, 1 or 2. `transform` refuses another number.

    n_features_in_ : int
        Number of samples of a clip, for arrays.

    Notes
    -----
    Silence is put after a clip shorter than 480 samples (30 ms, 4 frames of the spectrogram). A clip gets the same
    embedding alone and in any batch, up to rounding (1e-5 relative).

    Embeddings equal those of the authors' code for one clip of up to 10.08 s at a time. In the authors' code, the floor
    of the spectrogram is 120 dB below the loudest value of the whole batch, so the embedding of a quiet clip changes
    with its neighbours. Here, the floor is that of the window. Long clips are cut before the spectrogram and not after,
    so a window does not reach into the next window. The authors average a long clip over all frames, so a last piece
    that is short counts less; here, the last window is whole and ends where the clip ends.

    References
    ----------
    .. [1] H. Dinkel, Z. Yan, Y. Wang, J. Zhang, Y. Wang and B. Wang, "Scaling up masked audio encoder learning for
       general audio classification", Interspeech 2024, https://arxiv.org/abs/2406.06992.

    Examples
    --------
    >>> from skaudio_ad.embeddings import DashengEmbedding
    >>> DashengEmbedding(layers=[4, 8]).get_feature_names_out()[-1]
    'dasheng_base_layer4_layer8_clip1535'
    """

    _family = "dasheng"

    def __init__(
        self,
        variant: str | Backbone = "dasheng_base",
        *,
        weights: str | os.PathLike[str] | None = "pretrained",
        output: str | Sequence[str] = "clip",
        window: float = 10.08,
        hop: float | None = None,
        batch_size: int = 8,
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
