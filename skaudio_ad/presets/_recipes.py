"""Recipes of the field without training, on any pretrained backbone."""

from typing import Any

from .._checks import check_option
from ..detectors import BandMemoryDetector, NearestNeighborsDetector
from ..embeddings import Backbone
from ._detector_pipeline import DetectorPipeline
from ._make_detector import make_detector

#: Description of every recipe, by name.
RECIPES: dict[str, str] = {
    "embedding_genrep": "nearest neighbour of embeddings, with banks for domains, calibrated, 32 kHz (GenRep)",
    "embedding_beam": "nearest neighbour in every band of a grid of embeddings, calibrated, 32 kHz (BEAM)",
}


def make_recipe(
    name: str, *, backbone: Any = "mini", domains: bool = False, random_state: Any = None, **settings: Any
) -> DetectorPipeline:
    """Build the unfitted pipeline of a recipe.

    Parameters
    ----------
    name : str
        One of :data:`RECIPES`.
    backbone : str, Backbone or transformer, default="mini"
        As for :func:`make_detector`. "embedding_beam" needs a backbone with grids. A transformer has its own output,
        which must be a grid for "embedding_beam".
    domains : bool, default=False
        Whether `fit` gets domains.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds.
    **settings : dict
        Further parameters of :func:`make_detector`.

    Returns
    -------
    DetectorPipeline

    Raises
    ------
    ValueError, TypeError
        If a parameter is unknown or out of range, or "embedding_beam" gets ``domains=True``.
    """
    check_option(domains, "domains", (False, True))
    if name == "embedding_beam":
        if domains:
            raise ValueError(
                'the preset "embedding_beam" has no banks for domains: leave out domains=True, or take '
                '"embedding_genrep".'
            )
        head: Any = BandMemoryDetector(time_pooling="rdp", normalization="ratio")
        output = "grid"
    else:
        head = NearestNeighborsDetector(metric="cosine", random_state=random_state)
        if domains:
            head.set_params(domain_normalization="zscore", oversample="mixup")
        output = "clip"
    if isinstance(backbone, (str, Backbone)):
        settings = {"output": output, **settings}
    return make_detector(backbone, head=head, random_state=random_state, **settings)
