"""`HubEmbedding`: audio models of the transformers library."""

import os
from typing import Any

import numpy as np

from .._checks import check_number, check_option
from ..training import resolve_device
from ._embedding import BaseEmbedding
from ._hub_engine import HubEngine
from ._hub_model import HubModel, hub_model
from .families import Clock


class HubEmbedding(BaseEmbedding):
    """Embed clips with an audio model of the transformers library, frozen.

    The library is an optional package: ``pip install 'skaudio_ad[hub]'``. The model brings its own front end, and its
    configuration says its sample rate. The model may be

    - a model of all sounds: audio spectrogram transformer (AST), CLAP, PE Audio;
    - a model of speech on the waveform: data2vec-audio, HuBERT, Moonshine, OmniASR, SEW, SEW-D, SpeechT5, UniSpeech,
      UniSpeech-SAT, wav2vec 2.0, wav2vec 2.0 Conformer, WavLM;
    - a model of speech on a spectrogram: Canary, Granite Speech, Lasr, Parakeet, SeamlessM4T, Speech2Text, wav2vec 2.0
      BERT, Whisper;
    - the encoder of audio of a language model: Audio Flamingo 3, GLM-ASR, Music Flamingo, Qwen2-Audio, Voxtral;
    - the encoder of a codec, without its quantiser: DAC, EnCodec of one channel, Mimi.

    Models that transformers has no code for are refused, and the error names the estimator that takes them if there is
    one, such as :class:`PaSSTEmbedding`.

    Parameters
    ----------
    model_id : str or path-like
        Folder that ``save_pretrained`` wrote, or name on the hub, such as
        "MIT/ast-finetuned-audioset-10-10-0.4593". A model in the cache of the hub is used as it is; any other model is
        downloaded. Code that comes with a model is never run.

    revision : str or None, default=None
        Branch, tag or commit on the hub; None is the main branch.

    output : {"clip", "frames", "grid", "logits"}, default="clip"
        "clip": (n_clips, C); for an AST the mean of its two tokens, as its authors do, for PE Audio its class token,
        for CLAP the projection that CLAP compares with texts, for other models the mean over time. "frames": (n_clips,
        C, T), every 0.1 s for the published AST (its mean over frequency) and every 0.02 s for most other models;
        :meth:`frames_to_seconds` gives the times; CLAP has no frames. "grid": (n_clips, C, F, T), the patches of an
        AST. "logits": (n_clips, n_classes), for a model that was trained to classify.

    layer : int, default=-1
        Layer whose states make "clip", "frames" and "grid": 0 is the input of the first layer, -1 the last layer,
        normalised where the model does so, and 1 to n and -2 downwards are the layers between. For other sounds than
        speech the middle layers of a speech model may serve better than its last. CLAP and codecs take -1 only. Behind
        the last layer, SEW has more frames than between its layers, and models with an adapter have fewer.

    window : float, default=10.0
        Length of the longest stretch that is embedded at once, in seconds. AST and CLAP take about 10 at most, Whisper
        and the encoders of language models 30. Longer windows are refused, because the front end of the model would
        cut them.

    hop : float or None, default=None
        Step between the windows of a longer clip, in seconds, for outputs without time, which are averaged over the
        windows. None is a quarter of `window`. For "frames" and "grid" windows lie end to end.

    batch_size : int, default=4
        Number of windows of one length that go through the model together.

    device : str, default="auto"
        "auto" (a GPU where there is one), "cpu", "cuda", ...

    precision : {"float32", "bfloat16"}, default="float32"
        Precision of the model, by torch's autocast; its front end is always float32.

    memory : str, path-like or None, default=None
        Folder that keeps embeddings, clip by clip. An embedding in the folder is not computed again, whichever process
        put it there. None keeps none.

    cache_by : {"file", "content"}, default="file"
        "file": `memory` recognises a file by its path, size and time of change. "content": by its bytes, which takes
        longer and recognises a file that was moved. Clips that are no files are recognised by their samples.

    n_jobs : int or None, default=None
        Number of processes, as for joblib: None is 1 unless :class:`joblib.parallel_config` says otherwise. Each
        process loads the model once.

    verbose : bool, default=False
        Whether `transform` shows its progress: a bar on a terminal, one line in a notebook, lines on stderr elsewhere.

    Attributes
    ----------
    weights_digest_ : str
        SHA-256 of configuration and weights. `transform` refuses other weights.

    n_channels_ : int
        Number of channels of the training clips, 1 or 2. `transform` refuses another number.

    n_features_in_ : int
        Number of samples of a clip, for arrays.

    Notes
    -----
    A clip gets the same embedding alone and in any batch, up to rounding (1e-5 relative), because all windows of a
    batch have one length and none is padded for another window.

    Short clips: AST puts silence (zeros in its spectrogram) after a window up to the length that AST takes, CLAP
    repeats the window, and Whisper and the encoders of language models put silence after it up to 30 s, at the cost of
    30 s. Frames of the padding are left out, but the padding still changes the other frames: compare clips of about
    one length. Other models pad only clips shorter than their first frame, 25 ms for most. Speech models may bring
    every window to one level first, as their configuration says.

    The time of a frame is the centre of its receptive field. A frame of DAC, EnCodec, Mimi and PE Audio stands for its
    own samples, from which its time is taken; EnCodec and Mimi hear nothing after a frame.

    Of a model with other parts, such as a language model, only the encoder of audio is loaded, but all files of weights
    are downloaded.

    Weights are read from ``model.safetensors``. If there is no such file, they are read from ``pytorch_model.bin`` with
    ``weights_only=True``.

    Examples
    --------
    >>> from skaudio_ad import HubEmbedding
    >>> embedding = HubEmbedding("MIT/ast-finetuned-audioset-10-10-0.4593", output="frames")
    """

    _outputs = ("clip", "frames", "grid", "logits")
    _vectors = ("clip", "logits")

    def __init__(
        self,
        model_id: str | os.PathLike[str],
        *,
        revision: str | None = None,
        output: str = "clip",
        layer: int = -1,
        window: float = 10.0,
        hop: float | None = None,
        batch_size: int = 4,
        device: str = "auto",
        precision: str = "float32",
        memory: Any = None,
        cache_by: str = "file",
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
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
        self.verbose = verbose

    def _model(self) -> HubModel:
        if not isinstance(self.model_id, (str, os.PathLike)) or not os.fspath(self.model_id):
            raise TypeError(f"model_id must be a folder or the name of a model, got {self.model_id!r}.")
        return hub_model(self.model_id, self.revision)

    def _rate(self) -> int:
        return self._model().sample_rate

    def _shortest(self) -> int:
        return self._model().geometry.min_samples

    def _clock(self, n_samples: int) -> Clock:
        model = self._model()
        self._check_output(model, "frames")
        frames, rate = model.geometry.of_layer(model.layer(self.layer)), model.sample_rate
        return Clock(frames.centre(0) / rate, frames.step / rate, frames.number(n_samples))

    @property
    def _longest_window(self) -> float:  # type: ignore[override]
        model = self._model()
        longest = model.geometry.max_samples
        return np.inf if longest is None else longest / model.sample_rate

    def _column_names(self, output: str) -> list[str]:
        model = self._model()
        if output == "logits":
            self._check_output(model, "logits")
            return [f"{model.name}_{label}" for label in model.labels]
        last = model.layer(self.layer) == model.n_layers
        return [
            f"{model.name}_{output}{i}" for i in range(model.n_last_features if last else model.n_features)
        ]

    def _check_output(self, model: HubModel, output: str) -> None:
        check_option(output, f"output of {model.name}", model.kind.outputs)
        if output == "logits" and not model.labels:
            raise ValueError(
                f"output='logits' needs a model that was trained to classify, {model.name} was not. Use output='clip'."
            )

    def _check_parameters(self) -> None:
        model = self._model()
        outputs = self._names(self.output)
        if len(outputs) > 1:
            raise ValueError(
                f"output must be one name for a HubEmbedding, got {self.output!r}: transformers computes the outputs "
                "with different models. Put one HubEmbedding for each into a FeatureUnion."
            )
        self._check_output(model, outputs[0])
        if not model.kind.n_layers:
            check_option(self.layer, f"layer of {model.name}", (-1,))
        check_number(self.layer, "layer", low=-1 - model.n_layers, high=model.n_layers, integer=True)
        check_option(self.precision, "precision", ("float32", "bfloat16"))

    def _engine(self) -> HubEngine:
        model = self._model()
        return HubEngine(
            model=model,
            layer=model.layer(self.layer),
            classifier=self._names(self.output) == ("logits",),
            precision=self.precision,
            device=str(resolve_device(self.device)),
        )
