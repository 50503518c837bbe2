"""Pretrained backbones: which there are, and their weights from the disk or the network."""

from ._backbones import MobileNetEmbedding, PaSSTEmbedding
from ._checksums import WeightsError, weights_digest
from ._hub_embedding import HubEmbedding
from ._module_embedding import ModuleEmbedding
from ._registry import AUDIOSET_LABELS, BACKBONES, Backbone, WeightsFile, get_backbone
from ._store import class_labels, find_weights, load_state_dict, weights_path, weights_places

__all__ = [
    "AUDIOSET_LABELS",
    "BACKBONES",
    "Backbone",
    "HubEmbedding",
    "MobileNetEmbedding",
    "ModuleEmbedding",
    "PaSSTEmbedding",
    "WeightsError",
    "WeightsFile",
    "class_labels",
    "find_weights",
    "get_backbone",
    "load_state_dict",
    "weights_digest",
    "weights_path",
    "weights_places",
]
