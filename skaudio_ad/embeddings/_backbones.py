"""`MobileNetEmbedding` and `PaSSTEmbedding`."""

from ._backbone_embedding import BackboneEmbedding
from ._networks import build_network


class MobileNetEmbedding(BackboneEmbedding):
    """Embed clips with a MobileNet of EfficientAT, pretrained on AudioSet and frozen.

    A convolutional network distilled from transformers: nearly their quality at a fraction of the time [1]_.

    Parameters
    ----------
    variant : str or Backbone, default="mn10"
        "mn01", "mn02", "mn04", "mn05", "mn10", "mn20", "mn30", "mn40" (width factors 0.1 to 4) or "mn40_ext"; or a
        :class:`Backbone` of one's own. The default is the authors'.

    weights : "pretrained", path-like or None, default="pretrained"
        "pretrained" are the authors', found or downloaded by :func:`weights_path`. A path names a file, or the folder
        that it is in. None is random weights, for tests, with a warning.

    output : {"clip", "frames", "grid", "multilevel", "logits"}, default="clip"
        "clip": (n_clips, C), the mean of the last feature map, C is 960 for "mn10". "frames": (n_clips, C, T), its
        mean over frequency, a frame every 0.32 s. "grid": (n_clips, C, 4, T), the map itself. "multilevel": means of
        the spectrogram and of four feature maps, the authors' embedding for the HEAR benchmark. "logits":
        (n_clips, 527), of AudioSet's classes.

    window : float, default=10.0
        Longest stretch that is embedded at once, in seconds; the network was trained on 10.

    hop : float or None, default=None
        Step between windows of a longer clip, in seconds, for outputs without time, which are averaged over the
        windows. None is a quarter of `window`: 2.5 s for 10, the PaSST authors' value. For "frames" and "grid"
        windows lie end to end.

    batch_size : int, default=8
        Windows of one length that go through the network together; larger batches are slower on a CPU.

    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...

    precision : {"float32", "bfloat16"}, default="float32"
        Of the network; the spectrogram is always float32. "bfloat16", for torch only, is hardly faster: all but the
        last blocks have to stay float32 for an embedding within a hundredth.

    runtime : {"torch", "onnxruntime", "openvino"}, default="torch"
        What runs the network. The others are optional packages, ``pip install 'skaudio_ad[openvino]'`` or
        ``[onnx]``; faster on a CPU, after a second or two to export the network, once a process.

    memory : str, path-like or None, default=None
        Folder in which embeddings are kept, clip by clip: what is there is not computed again, by whichever process.
        None keeps none.

    cache_by : {"file", "content"}, default="file"
        Whether `memory` knows a file by its path, size and time of change, or by its bytes, which takes longer and
        finds it after it was moved. Clips that are no files are known by their samples.

    n_jobs : int or None, default=None
        Processes, as for joblib: None is 1 unless :class:`joblib.parallel_config` says otherwise. Each loads the
        network once.

    random_state : int, default=0
        Of random weights: every process must draw the same.

    Attributes
    ----------
    weights_digest_ : str or None
        SHA-256 of the file of weights. `transform` refuses others.

    n_features_in_ : int
        Samples of a clip, for arrays.

    Notes
    -----
    A clip shorter than 514 samples (16 ms) is padded to that with silence. A clip gets the same embedding in any
    company up to rounding (1e-5 relative).

    References
    ----------
    .. [1] F. Schmid, K. Koutini and G. Widmer, "Efficient large-scale audio tagging via transformer-to-CNN knowledge
       distillation", ICASSP 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad.embeddings import MobileNetEmbedding
    >>> noise = np.random.default_rng(0).normal(scale=0.1, size=(2, 32000))  # one second at 32 kHz
    >>> embedding = MobileNetEmbedding("mn04", weights=None, output="frames", random_state=0)
    >>> embedding.transform(noise).shape
    (2, 384, 4)
    """

    _family = "mobilenet"
    _outputs = ("clip", "frames", "grid", "multilevel", "logits")
    _min_samples = 514

    def __init__(
        self,
        variant="mn10",
        *,
        weights="pretrained",
        output="clip",
        window=10.0,
        hop=None,
        batch_size=8,
        device="auto",
        precision="float32",
        runtime="torch",
        memory=None,
        cache_by="file",
        n_jobs=None,
        random_state=0,
    ):
        self.variant = variant
        self.weights = weights
        self.output = output
        self.window = window
        self.hop = hop
        self.batch_size = batch_size
        self.device = device
        self.precision = precision
        self.runtime = runtime
        self.memory = memory
        self.cache_by = cache_by
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _n_features(self, backbone):
        if self.output != "multilevel":
            return 527 if self.output == "logits" else backbone.embedding_size
        import torch

        with torch.device("meta"):  # shapes alone: no memory, and no draws from the global generator
            return build_network(backbone).multilevel_size

    def _clock(self, backbone):
        # Five strides of two: a frame every 32 of the spectrogram, centred on the first of them.
        n_frames = 1 + (round(self.window * backbone.sample_rate) - 1) // 320
        return 0.0, 0.32, -(-n_frames // 32)


class PaSSTEmbedding(BackboneEmbedding):
    """Embed clips with PaSST, a spectrogram transformer pretrained on AudioSet and frozen [1]_.

    Parameters
    ----------
    variant : str or Backbone, default="passt_s_swa"
        "passt_s_swa" (the authors' default), "passt_s_kd", "passt_l_kd" (7 blocks instead of 12) or "passt_s_s16"
        (patches that do not overlap: about twice as fast); or a :class:`Backbone` of one's own.

    weights : "pretrained", path-like or None, default="pretrained"
        "pretrained" are the authors', found or downloaded by :func:`weights_path`. A path names a file, or the folder
        that it is in. None is random weights, for tests, with a warning.

    output : {"clip", "frames", "grid", "tokens", "class_token", "distillation_token", "patch_mean", "logits"}, \
default="clip"
        "clip": (n_clips, 768), the mean of the tokens C and D, the authors' embedding; either alone as "class_token"
        and "distillation_token". "frames": (n_clips, 768, T), the mean of the patches over frequency, a frame every
        0.1 s. "grid": (n_clips, 768, F, T), the patches. "tokens": (n_clips, 768, 2 + F * T), C, D and the patches.
        "patch_mean": (n_clips, 768). "logits": (n_clips, 527), of AudioSet's classes.

    window : float, default=10.0
        Longest stretch that is embedded at once, in seconds. The network takes no more than 10.

    hop : float or None, default=None
        Step between windows of a longer clip, in seconds, for outputs without time, which are averaged over the
        windows. None is a quarter of `window`: 2.5 s for 10, as the authors do for the HEAR benchmark. For "frames"
        and "grid" windows lie end to end.

    batch_size : int, default=4
        Windows of one length that go through the network together.

    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...

    precision : {"float32", "bfloat16"}, default="float32"
        Of the network; the spectrogram is always float32. "bfloat16", for torch and OpenVINO, is twice as fast on
        processors with instructions for it; embeddings stay within a hundredth.

    runtime : {"torch", "onnxruntime", "openvino", "hear21passt"}, default="torch"
        What runs the network. The others are optional packages, ``pip install 'skaudio_ad[openvino]'``, ``[onnx]``
        or ``[passt]``, the authors' own. ONNX Runtime and OpenVINO are faster on a CPU, after some seconds to export
        the network, once a process.

    memory : str, path-like or None, default=None
        Folder in which embeddings are kept, clip by clip: what is there is not computed again, by whichever process.
        None keeps none.

    cache_by : {"file", "content"}, default="file"
        Whether `memory` knows a file by its path, size and time of change, or by its bytes, which takes longer and
        finds it after it was moved. Clips that are no files are known by their samples.

    n_jobs : int or None, default=None
        Processes, as for joblib: None is 1 unless :class:`joblib.parallel_config` says otherwise. Each loads the
        network once.

    random_state : int, default=0
        Of random weights: every process must draw the same.

    Attributes
    ----------
    weights_digest_ : str or None
        SHA-256 of the file of weights. `transform` refuses others.

    n_features_in_ : int
        Samples of a clip, for arrays.

    Notes
    -----
    A clip shorter than 4801 samples (0.15 s, 16 frames of the spectrogram) is padded to that with silence. A clip
    gets the same embedding in any company up to rounding (1e-5 relative).

    References
    ----------
    .. [1] K. Koutini, J. Schlüter, H. Eghbal-zadeh and G. Widmer, "Efficient training of audio transformers with
       patchout", Interspeech 2022.
    """

    _family = "passt"
    _outputs = (
        "clip",
        "frames",
        "grid",
        "tokens",
        "class_token",
        "distillation_token",
        "patch_mean",
        "logits",
    )
    _min_samples = 15 * 320 + 1
    _longest_window = 10.0  # seconds, what its positions in time suffice for

    def __init__(
        self,
        variant="passt_s_swa",
        *,
        weights="pretrained",
        output="clip",
        window=10.0,
        hop=None,
        batch_size=4,
        device="auto",
        precision="float32",
        runtime="torch",
        memory=None,
        cache_by="file",
        n_jobs=None,
        random_state=0,
    ):
        self.variant = variant
        self.weights = weights
        self.output = output
        self.window = window
        self.hop = hop
        self.batch_size = batch_size
        self.device = device
        self.precision = precision
        self.runtime = runtime
        self.memory = memory
        self.cache_by = cache_by
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _n_features(self, backbone):
        return 527 if self.output == "logits" else backbone.embedding_size

    def _clock(self, backbone):
        # A patch is 16 frames of 10 ms.
        n_frames = 1 + (round(self.window * backbone.sample_rate) - 1) // 320
        return 0.075, backbone.stride / 100, (n_frames - 16) // backbone.stride + 1
