"""`BEATsEmbedding`: :class:`BackboneEmbedding` for BEATs and OpenBEATs."""

import os
from collections.abc import Sequence
from typing import Any

from ._backbone_embedding import BackboneEmbedding
from ._registry import Backbone


class BEATsEmbedding(BackboneEmbedding):
    """Embed clips with BEATs [1]_ or OpenBEATs [2]_, self-supervised transformers at 16 kHz, frozen.

    With frozen embeddings and nearest neighbours, BEATs has the highest scores that two teams publish for machine
    sounds (``frozen_scores`` of :class:`Backbone`).

    Parameters
    ----------
    variant : str or Backbone, default="beats_iter3"
        "beats_iter1", "beats_iter2", "beats_iter3", "beats_iter3_plus_as20k" and "beats_iter3_plus_as2m" were trained
        without labels, or with few. A name with "_cpt1" or "_cpt2" behind it is the same network, fine-tuned on the
        labels of AudioSet. "openbeats_base_i1" to "_i3" and "openbeats_large_i1" to "_i3" are the same architecture
        with other training clips. Or a :class:`Backbone` of one's own. "beats_iter3" is the default, because the
        authors of the benchmark RMIS [3]_ found it more robust than the other files of BEATs.

    weights : "pretrained", path-like or None, default="pretrained"
        "pretrained" weights are those of the authors, found or downloaded by :func:`weights_path`. A path names a file
        or its folder. None is random weights, for tests, with a warning.

    output : {"clip", "frames", "grid", "tokens", "bands", "logits"} or list of them, default="clip"
        "clip": (n_clips, C), the mean over all patches, as RMIS takes it. "frames": (n_clips, C, T), the mean of the
        patches over frequency, with a frame every 0.16 s. "grid": (n_clips, C, 8, T), the patches. "tokens": (n_clips,
        C, 8 * T), the patches in order of time. "bands": (n_clips, 8 * C), the mean over time of every band, the
        lowest band first, as GenRep [4]_ takes it. "logits": (n_clips, 527), one for every class of AudioSet, for
        fine-tuned variants with ``layers=None`` only. ``C`` is 768, or 1024 for OpenBEATs large, for every block of
        `layers`. A list names outputs that are vectors, without time. One pass of the network computes all of them,
        and their columns stand one after the other.

    window : float, default=10.0
        Length of the longest stretch that is embedded at once, in seconds. The network was trained on 10 s. It takes
        any length, and its time grows with the square of the length.

    hop : float or None, default=None
        Step between the windows of a longer clip, in seconds, for outputs without time, which are averaged over the
        windows. None is the length of a window, as the benchmark SIREN does [5]_. The last window ends where the clip
        ends, and overlaps the window before. For outputs with time, windows lie end to end.

    batch_size : int, default=4
        Number of windows of one length that go through the network together.

    layers : int, list of int or None, default=None
        Numbers of transformer blocks, 1 to 12 (24 for OpenBEATs large), whose states make the outputs. Blocks behind
        the highest number are left out, which saves their time. A list puts the values of its blocks one after the
        other. None is the last block, as RMIS takes it. GenRep [4]_ takes "bands" of block 5, or of block 4 for
        "beats_iter3_plus_as2m_cpt1".

    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...

    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the blocks; the spectrogram, the patches and their positions are always float32.

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
    Silence is put after a clip shorter than 2800 samples (0.175 s, 16 frames of the spectrogram). OpenBEATs' own code
    repeats clips shorter than 0.2 s instead. A clip gets the same embedding alone and in any batch, up to rounding
    (1e-5 relative).

    The authors of BEATs publish links to a page that shows a file in a browser
    (https://github.com/microsoft/unilm/tree/master/beats), and a program cannot follow these links. Three files are
    downloaded from a copy on the Hugging Face hub: "beats_iter3", "beats_iter3_cpt1" and "beats_iter3_plus_as2m". The
    checksum of every file of BEATs is in the registry, and a file with another checksum is refused. For a machine
    without a network, and for all other variants, put the file under its own name, such as ``BEATs_iter3.pt``, into a
    folder that `SKAUDIO_AD_WEIGHTS` names. The files of OpenBEATs are on https://huggingface.co/shikhar7ssu. Save them
    as ``OpenBEATs-Base-i1.pt`` and so on, because on the hub they share one name. The project of BEATs has the licence
    MIT. No licence of the files of OpenBEATs was found.

    A file with a classifier and a file without one give different embeddings, so a file is refused where the variant
    says otherwise. Files of BEATs, of OpenBEATs and of ESPnet are read, without running code in them. The classifier of
    the authors' files is put into the order of :func:`class_labels`.

    References
    ----------
    .. [1] S. Chen et al., "BEATs: Audio pre-training with acoustic tokenizers", ICML 2023,
       https://arxiv.org/abs/2212.09058.
    .. [2] S. Bharadwaj et al., "OpenBEATs: A fully open-source general-purpose audio encoder", WASPAA 2025,
       https://arxiv.org/abs/2507.14129.
    .. [3] https://github.com/jianganbai/RMIS.
    .. [4] P. Saengthong and T. Shinozaki, "Deep generic representations for domain-generalized anomalous sound
       detection", 2024, https://arxiv.org/abs/2409.05035.
    .. [5] https://github.com/yucongzh/SIREN.

    Examples
    --------
    >>> from skaudio_ad.embeddings import BEATsEmbedding
    >>> BEATsEmbedding(output="bands", layers=5).get_feature_names_out()[-1]
    'beats_iter3_layer5_bands6143'
    """

    _family = "beats"

    def __init__(
        self,
        variant: str | Backbone = "beats_iter3",
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
