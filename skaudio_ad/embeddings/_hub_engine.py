"""Audio models of the transformers library in memory: loaded once a process, and run."""

import threading
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from .._checksums import WeightsError
from ..training import drawing_from, inference, resolve_device
from ._hub_files import digest_of, model_files, stamps_of, weights_files
from ._hub_model import HubModel, encoder_config, import_transformers, quiet, quiet_warnings

# Parts of names of tensors that a checkpoint may lack, because they serve training only.
_NOT_NEEDED = ("masked_spec_embed",)
# Number of models that stay in memory for the next call. The largest take a gigabyte.
_KEPT = 2
_LOCK = threading.Lock()


@dataclass(frozen=True)
class HubEngine:
    """A model, and how it runs: small, hashable, and easy to send to other processes."""

    model: HubModel
    layer: int  # 0 is the input of the first layer
    classifier: bool
    precision: str
    device: str

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.model.name

    @property
    def source(self) -> str:
        """Name of the model."""
        return self.name

    @property
    def digest(self) -> str:
        """SHA-256 of configuration and weights."""
        return self.model.digest

    @property
    def key(self) -> tuple[Any, ...]:
        """Everything that changes the embeddings by more than rounding, as plain values."""
        return "hub", self.digest, self.layer, self.precision

    def load(self) -> "LoadedHubModel":
        """The model, from the memory of this process if it is there.

        Returns
        -------
        LoadedHubModel

        Raises
        ------
        WeightsError
            If the files do not make the model, or have changed since the engine was made.
        """
        with _LOCK:  # several threads that want the same model must load it once
            return LoadedHubModel(self, *_load(self.model, self.classifier, self.device))


@lru_cache(maxsize=_KEPT)
def _load(model, classifier, device):
    """Front end and network, and the device that it is on."""
    import torch

    transformers = import_transformers()
    folder = model.folder
    if digest_of(stamps_of(model_files(Path(folder)))) != model.digest:
        raise WeightsError(f"{folder}: has changed since the embedding began; begin again.")
    kind = model.kind
    if classifier:
        network_class, options = transformers.AutoModelForAudioClassification, {}
    else:
        network_class, options = _encoder(transformers, folder, kind)
    # What the checkpoint lacks is drawn: refused below, and the global generator must not notice.
    # transformers draws them in threads of its own too, so the state of the global generator is also kept and put back.
    with quiet(), drawing_from(0), torch.random.fork_rng(devices=[]):
        try:
            network, report = network_class.from_pretrained(
                folder,
                dtype=torch.float32,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=weights_files(Path(folder))[0].suffix == ".safetensors",
                weights_only=True,
                output_loading_info=True,
                **options,
            )
        except Exception as error:  # damaged files raise errors of four libraries
            raise WeightsError(f"{folder}: no weights of a {model.model_type}. {error}") from error
        extractor = transformers.AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=False)
    missing = [name for name in report["missing_keys"] if not any(part in name for part in _NOT_NEEDED)]
    if missing:
        raise WeightsError(
            f"{folder}: the weights lack {len(missing)} tensors of {type(network).__name__}, such as {min(missing)}."
        )
    device = resolve_device(device)
    return extractor, network.eval().requires_grad_(False).to(device), device


def _encoder(transformers, folder, kind):
    """Class of the network that encodes audio, and options of its loading."""
    options = {}
    if kind.part:
        with quiet():
            config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
        options["config"] = encoder_config(config, kind)
    if kind.weights:
        options["key_mapping"] = {kind.weights: ""}
    package, _, name = kind.network.rpartition(".")
    if not package:
        return getattr(transformers, name), options
    with quiet():
        module = import_module(f"transformers.models.{package}.modeling_{package}")
    return getattr(module, name), options


@dataclass(frozen=True)
class LoadedHubModel:
    """A model and its own front end, ready for use."""

    engine: HubEngine
    extractor: Any
    network: Any
    device: Any

    def embed(self, waveforms: np.ndarray, output: str | tuple[str, ...]) -> Any:
        """One output of some waveforms of one length.

        Parameters
        ----------
        waveforms : ndarray of shape (n_windows, n_samples), float32
        output : {"clip", "frames", "grid", "logits"}, or a tuple of one of them

        Returns
        -------
        ndarray of shape (n_windows, ...), float32
            For a tuple, a tuple of one such array.
        """
        import torch

        if isinstance(output, tuple):
            return tuple(self.embed(waveforms, name) for name in output)
        with inference(), quiet_warnings():
            inputs = self._inputs(waveforms)
            with torch.autocast(
                self.device.type, torch.bfloat16, enabled=self.engine.precision == "bfloat16"
            ):
                made = self._output(inputs, output, waveforms.shape[1])
        if not torch.isfinite(made).all():
            raise ValueError(f"{self.engine.name}: gave NaN or infinity. Its weights are damaged.")
        return made.float().cpu().numpy()

    def _inputs(self, waveforms):
        kind = self.engine.model.kind
        # The front end of CLAP draws from NumPy's global generator, whose state is put back.
        state = np.random.get_state()  # noqa: NPY002
        try:
            inputs = self.extractor(list(waveforms), **kind.options(self.network.config, self.extractor))
        finally:
            np.random.set_state(state)  # noqa: NPY002
        if "is_longer" in inputs:
            # The front end of CLAP calls one window of a batch longer than it is, by chance. No window is longer than
            # the model takes.
            inputs["is_longer"] = inputs["is_longer"].new_zeros(inputs["is_longer"].shape)
        names = kind.arguments or {name: name for name in inputs}
        inputs = {argument: inputs[name] for name, argument in names.items() if name in inputs}
        return {
            name: (value.float() if value.is_floating_point() else value).to(self.device)
            for name, value in inputs.items()
        }

    def _output(self, inputs, output, n_samples):
        if output == "logits":
            return self.network(**inputs).logits
        engine = self.engine
        kind, geometry = engine.model.kind, engine.model.geometry
        last = engine.layer == engine.model.n_layers
        states = kind.states(self.network, inputs, None if last else engine.layer).float().transpose(1, 2)
        if kind.n_tokens and output == "clip":
            return states[..., : kind.n_tokens].mean(dim=2)
        frames = states[..., kind.n_tokens :]  # time last
        if geometry.grid is not None:
            frames = frames.unflatten(2, geometry.grid)
        frames = frames[..., : geometry.of_layer(engine.layer).number(n_samples)]
        if output == "grid":
            return frames
        frames = frames if geometry.grid is None else frames.mean(dim=2)
        return frames if output == "frames" else frames.mean(dim=2)
