"""Waveforms to embeddings with pretrained backbones, whose weights come from the disk or the network."""

from .._checksums import WeightsError, weights_digest
from ._backbone_embedding import BackboneEmbedding
from ._backbone_table import BackboneTable, ListedBackbone, list_backbones
from ._backbones import MobileNetEmbedding, PaSSTEmbedding
from ._beats_embedding import BEATsEmbedding
from ._ced_embedding import CEDEmbedding
from ._dasheng_embedding import DashengEmbedding
from ._eat_embedding import EATEmbedding
from ._echo_embedding import ECHOEmbedding
from ._fine_tuned import FineTunedEmbedding
from ._fisher_embedding import FISHEREmbedding
from ._hub_embedding import HubEmbedding
from ._module_embedding import ModuleEmbedding
from ._registry import AUDIOSET_LABELS, BACKBONES, Backbone, get_backbone, get_family
from ._store import (
    available_backbones,
    class_labels,
    find_weights,
    load_state_dict,
    weights_path,
    weights_places,
)
from ._weights_file import WeightsFile
from .families import Clock, Family, Output, Variant

__all__ = [
    "AUDIOSET_LABELS",
    "BACKBONES",
    "BEATsEmbedding",
    "Backbone",
    "BackboneEmbedding",
    "BackboneTable",
    "CEDEmbedding",
    "Clock",
    "DashengEmbedding",
    "EATEmbedding",
    "ECHOEmbedding",
    "FISHEREmbedding",
    "Family",
    "FineTunedEmbedding",
    "HubEmbedding",
    "ListedBackbone",
    "MobileNetEmbedding",
    "ModuleEmbedding",
    "Output",
    "PaSSTEmbedding",
    "Variant",
    "WeightsError",
    "WeightsFile",
    "available_backbones",
    "class_labels",
    "find_weights",
    "get_backbone",
    "get_family",
    "list_backbones",
    "load_state_dict",
    "weights_digest",
    "weights_path",
    "weights_places",
]
