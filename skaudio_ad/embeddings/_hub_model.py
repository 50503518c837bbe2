"""Audio models of the transformers library, as their configuration describes them."""

import os
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any

from ._hub_files import digest_of, find_folder, model_files, read_json, stamps_of
from ._hub_frames import Geometry
from ._hub_refusals import check_name, check_type
from ._hub_types import TYPES, HubType


@dataclass(frozen=True)
class HubModel:
    """Inputs and outputs of a model, read from the configuration files beside its weights.

    Attributes
    ----------
    folder : str
    name : str
        Name of the model, in messages and columns.
    digest : str
        SHA-256 of configuration and weights.
    model_type : str
        Type of the model, as transformers calls it.
    sample_rate : int
        Sample rate of the waveforms, in hertz.
    n_features, n_last_features : int
        Number of values of an embedding: of the states before the last layer, and behind it.
    n_layers : int
        Number of layers; 0 for a model that takes ``layer=-1`` only.
    labels : tuple of str
        Classes of the logits; () without a classifier.
    geometry : Geometry
        Windows that the model takes, and its frames.
    """

    folder: str
    name: str
    digest: str
    model_type: str
    sample_rate: int
    n_features: int
    n_last_features: int
    n_layers: int
    labels: tuple[str, ...]
    geometry: Geometry

    @property
    def kind(self) -> HubType:
        """The entry of the model's type."""
        return TYPES[self.model_type]

    def layer(self, layer: int) -> int:
        """Number of a layer from 0 on, for a number that may count from the end."""
        return layer if layer >= 0 else 1 + self.n_layers + layer


def hub_model(model_id: str | os.PathLike[str], revision: str | None) -> HubModel:
    """Find a model on the disk, or if it is not there on the hub, and read its configuration.

    Parameters
    ----------
    model_id : str or path-like
        Folder, or name on the hub.
    revision : str or None
        Branch, tag or commit on the hub.

    Returns
    -------
    HubModel

    Raises
    ------
    ImportError
        If transformers is missing.
    WeightsError
        If files of the model cannot be found or downloaded.
    ValueError
        If the type of the model is not known here, or its configuration has no sample rate.
    """
    import_transformers()
    model_id = os.fspath(model_id)
    name = os.path.basename(os.path.normpath(model_id))
    if not os.path.isfile(os.path.join(model_id, "config.json")):
        check_name(model_id)
    folder = find_folder(model_id, revision, lambda config: check_type(config, name))
    return _describe(str(folder), name, stamps_of(model_files(folder)))


def import_transformers():
    """The transformers library, or an ImportError that says how to install it."""
    try:
        with quiet_warnings():
            import transformers
    except ImportError as error:
        raise ImportError(
            "HubEmbedding needs the transformers library: pip install 'skaudio_ad[hub]'."
        ) from error
    return transformers


@contextmanager
def quiet_warnings():
    """Run a block without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def quiet():
    """Run a block without the bars, reports and warnings of transformers."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with quiet_warnings():
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


@lru_cache(maxsize=16)
def _describe(folder, name, stamps):
    config_path, extractor_path = (Path(stamp[0]) for stamp in stamps[:2])
    model_type = read_json(config_path)["model_type"]
    front_end = read_json(extractor_path)
    front_end = front_end.get("feature_extractor", front_end)
    if not isinstance(front_end.get("sampling_rate"), int):
        raise ValueError(
            f"{name}: {extractor_path} must give the sampling_rate that the model was trained at, in hertz, and gives "
            f"{front_end.get('sampling_rate')!r}. Write it there."
        )
    transformers = import_transformers()
    with quiet():
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
        extractor = transformers.AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=False)
    kind = TYPES[model_type]
    try:
        encoder = encoder_config(config, kind)
    except AttributeError as error:
        raise ValueError(
            f"{name}: transformers {transformers.__version__} cannot load the encoder of {model_type!r} alone. "
            "pip install -U transformers."
        ) from error
    # Only a classifier of the checkpoint itself counts: any other would have random weights.
    classifies = "logits" in kind.outputs and any(
        name.endswith(("ForAudioClassification", "ForSequenceClassification"))
        for name in config.architectures or ()
    )
    try:
        geometry = kind.geometry(encoder, extractor)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    n_features = getattr(encoder, kind.n_features)
    adapted = kind.last_features and getattr(encoder, "add_adapter", False)
    return HubModel(
        folder=folder,
        name=name,
        digest=digest_of(stamps),
        model_type=model_type,
        sample_rate=extractor.sampling_rate,
        n_features=n_features,
        n_last_features=getattr(encoder, kind.last_features) if adapted else n_features,
        n_layers=getattr(encoder, kind.n_layers) if kind.n_layers else 0,
        labels=tuple(config.id2label[i] for i in range(config.num_labels)) if classifies else (),
        geometry=geometry,
    )


def encoder_config(config: Any, kind: HubType) -> Any:
    """The part of a configuration that describes the encoder of audio."""
    return attrgetter(kind.part)(config) if kind.part else config
