"""A small network of every family, for the tests that all families must pass.

Everything else (outputs, shortest clip, estimator) follows from the family of the network.
"""

from skaudio_ad import (
    BEATsEmbedding,
    CEDEmbedding,
    DashengEmbedding,
    EATEmbedding,
    ECHOEmbedding,
    FISHEREmbedding,
    MobileNetEmbedding,
    PaSSTEmbedding,
)
from skaudio_ad.embeddings import Backbone

#: Estimator of every family.
ESTIMATORS = {
    "mobilenet": MobileNetEmbedding,
    "passt": PaSSTEmbedding,
    "beats": BEATsEmbedding,
    "eat": EATEmbedding,
    "echo": ECHOEmbedding,
    "ced": CEDEmbedding,
    "dasheng": DashengEmbedding,
    "fisher": FISHEREmbedding,
}

#: Backbones with two blocks or few channels. A family of any rate says a rate here.
SMALL = {
    "mobilenet": Backbone(
        name="tiny_mobilenet",
        filename="tiny_mobilenet.pt",
        family="mobilenet",
        settings={"width": 0.1},
        embedding_size=96,
    ),
    "passt": Backbone(
        name="tiny_passt",
        filename="tiny_passt.pt",
        family="passt",
        settings={"stride": 16, "depth": 2},
        embedding_size=768,
    ),
    "beats": Backbone(
        name="small_beats",
        filename="small_beats.pt",
        family="beats",
        settings={"size": 32, "heads": 2, "depth": 2, "n_classes": 5},
        embedding_size=32,
    ),
    "eat": Backbone(
        name="small_eat",
        filename="small_eat.pt",
        family="eat",
        settings={"size": 24, "heads": 2, "depth": 2, "n_classes": 5},
        embedding_size=24,
    ),
    "echo": Backbone(
        name="smallest_echo",
        filename="smallest_echo.pt",
        family="echo",
        settings={"size": 32, "heads": 2, "depth": 2},
        sample_rate=16_000,
        embedding_size=224,
    ),
    "ced": Backbone(
        name="small_ced",
        filename="small_ced.pt",
        family="ced",
        settings={"size": 12, "heads": 2, "depth": 2, "n_classes": 5},
        embedding_size=12,
    ),
    "dasheng": Backbone(
        name="small_dasheng",
        filename="small_dasheng.pt",
        family="dasheng",
        settings={"size": 12, "heads": 2, "depth": 2, "n_classes": 0},
        embedding_size=12,
        outputs=("clip", "frames"),
    ),
    "fisher": Backbone(
        name="small_fisher",
        filename="small_fisher.pt",
        family="fisher",
        settings={"size": 64, "depth": 2, "band_width": 50, "flatten": "freq"},
        embedding_size=256,
        sample_rate=16_000,
    ),
}
