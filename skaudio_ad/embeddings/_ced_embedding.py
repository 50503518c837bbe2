"""`CEDEmbedding`: :class:`BackboneEmbedding` for CED."""

import os
from collections.abc import Sequence
from typing import Any

from ._backbone_embedding import BackboneEmbedding
from ._registry import Backbone


class CEDEmbedding(BackboneEmbedding):
    """Embed clips with CED, a transformer that an ensemble taught on AudioSet, frozen [1]_.

    CED works at 16 kHz on 64 mel bands, so its smallest networks are among the fastest transformers. All published
    checkpoints were trained on the labels of AudioSet and have a classifier. There is no self-supervised CED, so a file
    without the classifier is refused.

    Parameters
    ----------
    variant : str or Backbone, default="ced_base"
        "ced_tiny", "ced_mini", "ced_small" or "ced_base", with embeddings of 192, 256, 384 and 768 values; or a
        :class:`Backbone` of one's own. "ced_base" has the highest published scores of the four.

    weights : "pretrained", path-like or None, default="pretrained"
        "pretrained" weights are those of the authors, found or downloaded by :func:`weights_path`. A path names a file
        or its folder: ``model.safetensors`` of https://huggingface.co/mispeech/ced-base and its siblings, or a ``.pt``
        file of https://zenodo.org/record/8275347, where the authors publish the same networks. "pretrained" is the file
        of the hub, because its model card states the licence Apache-2.0 and the file holds no pickle. For a machine
        without a network, save the hub's file as ``ced-base.safetensors`` in a folder that `SKAUDIO_AD_WEIGHTS` names.
        None is random weights, for tests, with a warning.

    output : {"clip", "frames", "grid", "tokens", "logits"} or list of them, default="clip"
        "clip": (n_clips, C), the mean over all patches, the authors' embedding. "frames": (n_clips, C, T), the mean of
        the patches over frequency, with a frame every 0.16 s. "grid": (n_clips, C, 4, T), the patches. "tokens":
        (n_clips, C, 4 * T), the patches, row by row. "logits": (n_clips, 527), one for every class of AudioSet, with
        ``layers=None`` only. ``C`` is the size of the variant for every block of `layers`. A list names outputs that
        are vectors, without time. One pass of the network computes all of them, and their columns stand one after the
        other.

    window : float, default=10.12
        Length of the longest stretch that is embedded at once, in seconds, at most 10.22. The authors cut spectrograms
        into pieces of 1012 frames, which are 10.12 s.

    hop : float or None, default=None
        Step between the windows of a longer clip, in seconds, for outputs without time, which are averaged over the
        windows. None is the length of a window, as the authors do. The last window ends where the clip ends, and
        overlaps the window before. For outputs with time, windows lie end to end.

    batch_size : int, default=8
        Number of windows of one length that go through the network together.

    layers : int, list of int or None, default=None
        Numbers of transformer blocks, 1 to 12, whose states make the outputs. The states are not normalised. Blocks
        behind the highest number are left out, which saves their time. A list puts the values of its blocks one after
        the other. None is the last block, normalised, as the authors do.

    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...

    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the blocks; the spectrogram and the normalisation of its bands are always float32.

    runtime : {"torch", "onnxruntime", "openvino", "auto"}, default="torch"
        Software that runs the network. The others are optional packages, ``pip install 'skaudio_ad[openvino]'`` or
        ``[onnx]``. "auto" takes one of them where it is installed and suits, and torch elsewhere.

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
    Silence is put after a clip shorter than 2400 samples (0.15 s, 16 frames of the spectrogram). A clip gets the same
    embedding alone and in any batch, up to rounding (1e-5 relative).

    Embeddings equal those of the authors' code for one clip of up to 10.12 s at a time. The package differs from that
    code in three places, because the code lets a clip depend on more than itself:

    - The floor of the spectrogram is 120 dB below the loudest value of the window. In the authors' code, it is 120 dB
      below the loudest value of the whole batch, so the embedding of a quiet clip changes with its neighbours.
    - Long clips are cut before the spectrogram and not after, so a window does not reach into the next window.
    - The last window of a long clip ends where the clip ends. The authors' code fills the last piece with zeros, and
      drops the piece if it happens to be full.

    References
    ----------
    .. [1] H. Dinkel, Y. Wang, Z. Yan, J. Zhang and Y. Wang, "CED: Consistent ensemble distillation for audio tagging",
       ICASSP 2024, https://arxiv.org/abs/2308.11957.

    Examples
    --------
    >>> from skaudio_ad.embeddings import CEDEmbedding
    >>> CEDEmbedding("ced_tiny", layers=[4, 8]).get_feature_names_out()[-1]
    'ced_tiny_layer4_layer8_clip383'
    """

    _family = "ced"

    def __init__(
        self,
        variant: str | Backbone = "ced_base",
        *,
        weights: str | os.PathLike[str] | None = "pretrained",
        output: str | Sequence[str] = "clip",
        window: float = 10.12,
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
