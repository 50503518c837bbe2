"""The way of the domains of clips from a pipeline to its detector."""

from typing import Any

from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from .._typing import Labels
from ..thresholds import ThresholdedDetector


def with_domains(pipeline: Pipeline, domains: Labels | None, params: dict[str, Any]) -> dict[str, Any]:
    """Add the domains to the parameters of `fit`, under the name that reaches the detector of a pipeline.

    Parameters
    ----------
    pipeline : Pipeline
        Its last step is a detector, a :class:`ThresholdedDetector` or a Pipeline, which may hold each other.
    domains : array-like of shape (n_clips,) or None
    params : dict
        Other parameters of `fit`.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If the detector takes no domains, or metadata routing is enabled and the detector does not ask for domains.
    """
    if domains is None:
        return params
    detector: Any = pipeline
    path: list[str] = []
    while isinstance(detector, (Pipeline, ThresholdedDetector)):
        if isinstance(detector, Pipeline):
            path.append(detector.steps[-1][0])
        # A ThresholdedDetector passes parameters on as they are.
        detector = detector.detector if isinstance(detector, ThresholdedDetector) else detector.steps[-1][1]
    name = type(detector).__name__
    if not has_fit_parameter(detector, "domains"):
        raise ValueError(
            f"domains cannot be used, because {name} takes no domains in fit: leave them out, or use a detector that "
            "takes them, such as NearestNeighborsDetector or AutoencoderDetector."
        )
    if not get_config()["enable_metadata_routing"]:
        return params | {"__".join([*path, "domains"]): domains}
    if detector.get_metadata_routing().fit.requests.get("domains") is not True:
        raise ValueError(
            f"metadata routing is enabled, and {name} does not ask for domains: call set_fit_request(domains=True) on "
            "the detector before the pipeline is fitted."
        )
    return params | {"domains": domains}
