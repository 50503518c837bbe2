"""Check and route the parameters of `ThresholdedDetector`."""

from sklearn import get_config
from sklearn.model_selection import GroupKFold
from sklearn.utils import Bunch, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from .._checks import check_option
from .._splits import is_number_or_name, make_splitter
from ._conformal import ConformalThreshold


def check_parameters(estimator):
    """Raise unless the parameters of a ThresholdedDetector fit together. Return its selector or the default one."""
    selector = ConformalThreshold() if estimator.selector is None else estimator.selector
    check_has(estimator.detector, "detector", ("fit", "score_samples"))
    check_option(estimator.ensemble, "ensemble", ("auto", True, False))
    check_has(selector, "selector", ("fit", "predict"))
    make_splitter(estimator.cv, estimator.random_state)
    return selector


def check_has(estimator, name, methods, or_else=None):
    """Raise unless `estimator` is an instance with these methods. `or_else` names the other values that are allowed."""
    lacking = [method for method in methods if not hasattr(estimator, method)]
    if lacking or isinstance(estimator, type):
        wanted = or_else or f"an estimator with {' and '.join(methods)}"
        raise TypeError(
            f"{name} must be {wanted}, got {estimator!r}"
            + (f", which has no {lacking[0]}" if lacking else ", a class: make an instance")
            + (". LocalOutlierFactor has it with novelty=True." if "score_samples" in lacking else ".")
        )


def check_has_anomalies(selector, anomalous):
    """Raise before any training if the selector needs anomalous clips and there is none."""
    if get_tags(selector).target_tags.required and not anomalous.any():
        raise ValueError(
            f"{type(selector).__name__} needs anomalous clips: pass y with -1 for them. Without any, "
            "ConformalThreshold selects on normal clips alone."
        )


def make_router(estimator):
    """Metadata router: parameters of `fit` go to the detector's `fit` and to the splitter's `split`."""
    router = MetadataRouter(owner=estimator)
    router.add(detector=estimator.detector, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
    # For every `cv`, groups go where a splitter for groups would get them.
    cv = estimator.cv
    splitter = GroupKFold() if is_number_or_name(cv) else make_splitter(cv, estimator.random_state)
    return router.add(splitter=splitter, method_mapping=MethodMapping().add(caller="fit", callee="split"))


def route_fit_parameters(estimator, params):
    """Parameters for the detector's `fit` and for the splitter's `split`, two dictionaries."""
    if get_config()["enable_metadata_routing"]:
        routed = process_routing(estimator, "fit", **params)
        return routed["detector"].fit, dict(routed.get("splitter", Bunch(split={})).split)
    params = dict(params)
    return params, {"groups": params.pop("groups", None)}
