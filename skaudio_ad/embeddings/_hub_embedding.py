"""`HubEmbedding`: audio models of the transformers library."""

import os

import numpy as np

from .._checks import check_number, check_option
from ..training import resolve_device
from ._embedding import BaseEmbedding
from ._hub_engine import HubEngine
from ._hub_model import OUTPUTS, hub_model
from .families import Clock


class HubEmbedding(BaseEmbedding):
    """Embed clips with an audio model of the transformers library, frozen.

    An optional package: ``pip install 'skaudio_ad[hub]'``. The model brings its own front end, and says its sample
    rate itself. It may be an audio spectrogram transformer (AST), CLAP, data2vec-audio, HuBERT, UniSpeech, wav2vec 2.0,
    WavLM or Whisper.

    Parameters
    ----------
    model_id : str or path-like
        Folder that ``save_pretrained`` wrote, or name on the hub, such as
        "MIT/ast-finetuned-audioset-10-10-0.4593". What the cache of the hub holds is used as it is; else it is
        downloaded. Code that comes with a model is never run.

    revision : str or None, default=None
        Branch, tag or commit on the hub; None is the main branch.

    output : {"clip", "frames", "grid", "logits"}, default="clip"
        "clip": (n_clips, C); of an AST the mean of its two tokens, as its authors do, of CLAP the projection that it
        compares with texts, of others the mean over time. "frames": (n_clips, C, T), every 0.1 s for the published AST
        (its mean over frequency) and every 0.02 s for the others; CLAP has none. "grid": (n_clips, C, F, T), the
        patches of an AST. "logits": (n_clips, n_classes), of a model that was trained to classify.

    layer : int, default=-1
        Which layer's states "clip", "frames" and "grid" are made of: 0 is what enters the first, -1 the last one's,
        normalised where the model does so, 1 to n and -2 downwards those between. For other sounds than speech the
        middle layers of a speech model may serve better than its last. CLAP takes -1 only.

    window : float, default=10.0
        Longest stretch that is embedded at once, in seconds. AST and CLAP take about 10 at most, Whisper 30: longer
        ones are refused, since their front ends would cut them.

    hop : float or None, default=None
        Step between windows of a longer clip, in seconds, for outputs without time, which are averaged over the
        windows. None is a quarter of `window`. For "frames" and "grid" windows lie end to end.

    batch_size : int, default=4
        Windows of one length that go through the model together.

    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...

    precision : {"float32", "bfloat16"}, default="float32"
        Of the model, by torch's autocast; its front end is always float32.

    memory : str, path-like, joblib.Memory or None, default=None
        Folder in which embeddings are kept, clip by clip: what is there is not computed again, by whichever process.
        None keeps none.

    cache_by : {"file", "content"}, default="file"
        Whether `memory` knows a file by its path, size and time of change, or by its bytes, which takes longer and
        finds it after it was moved. Clips that are no files are known by their samples.

    n_jobs : int or None, default=None
        Processes, as for joblib: None is 1 unless :class:`joblib.parallel_config` says otherwise. Each loads the
        model once.

    Attributes
    ----------
    weights_digest_ : str
        SHA-256 of configuration and weights. `transform` refuses others.

    n_features_in_ : int
        Samples of a clip, for arrays.

    Notes
    -----
    A clip gets the same embedding in any company up to rounding (1e-5 relative): all windows of a batch have one
    length, so that none is padded for another's sake.

    Short clips: AST puts silence (zeros in its spectrogram) after a window up to its own length, CLAP repeats it, and
    Whisper puts silence after it up to 30 s, at the cost of 30 s. What the padding makes of frames is left out, but the
    padding is heard: compare clips of about one length. Others pad nothing but clips shorter than their first frame,
    25 ms. Speech models may bring every window to one level first, as their configuration says.

    Weights are read from ``model.safetensors``, or else from ``pytorch_model.bin`` with ``weights_only=True``.

    Examples
    --------
    >>> from skaudio_ad import HubEmbedding
    >>> embedding = HubEmbedding("MIT/ast-finetuned-audioset-10-10-0.4593", output="frames")
    """

    _outputs = ("clip", "frames", "grid", "logits")
    _vectors = ("clip", "logits")

    def __init__(
        self,
        model_id,
        *,
        revision=None,
        output="clip",
        layer=-1,
        window=10.0,
        hop=None,
        batch_size=4,
        device="auto",
        precision="float32",
        memory=None,
        cache_by="file",
        n_jobs=None,
    ):
        self.model_id = model_id
        self.revision = revision
        self.output = output
        self.layer = layer
        self.window = window
        self.hop = hop
        self.batch_size = batch_size
        self.device = device
        self.precision = precision
        self.memory = memory
        self.cache_by = cache_by
        self.n_jobs = n_jobs

    def _model(self):
        if not isinstance(self.model_id, (str, os.PathLike)) or not os.fspath(self.model_id):
            raise TypeError(f"model_id must be a folder or the name of a model, got {self.model_id!r}.")
        return hub_model(self.model_id, self.revision)

    def _rate(self):
        return self._model().sample_rate

    def _shortest(self) -> int:
        return self._model().min_samples

    def _clock(self, n_samples: int) -> Clock:
        model = self._model()
        self._check_output(model, "frames")
        frames, rate = model.frames, model.sample_rate
        return Clock(frames.centre(0) / rate, frames.step / rate, frames.number(n_samples))

    @property
    def _longest_window(self):  # type: ignore[override]
        model = self._model()
        return np.inf if model.max_samples is None else model.max_samples / model.sample_rate

    def _column_names(self):
        model = self._model()
        if self.output == "logits":
            self._check_output(model, "logits")
            return [f"{model.name}_{label}" for label in model.labels]
        return [f"{model.name}_{self.output}{i}" for i in range(model.n_features)]

    def _check_output(self, model, output):
        check_option(output, f"output of {model.name}", OUTPUTS[model.model_type])
        if output == "logits" and not model.labels:
            raise ValueError(
                f"output='logits' needs a model that was trained to classify, {model.name} was not. Use output='clip'."
            )

    def _check_parameters(self):
        model = self._model()
        self._check_output(model, self.output)
        if model.model_type == "clap":
            check_option(self.layer, f"layer of {model.name}", (-1,))
        check_number(self.layer, "layer", low=-1 - model.n_layers, high=model.n_layers, integer=True)
        check_option(self.precision, "precision", ("float32", "bfloat16"))

    def _engine(self):
        model = self._model()
        return HubEngine(
            model=model,
            layer=self.layer if self.layer >= 0 else 1 + model.n_layers + self.layer,
            classifier=self.output == "logits",
            precision=self.precision,
            device=str(resolve_device(self.device)),
        )
