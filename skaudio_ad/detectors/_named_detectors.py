"""`NamedDetectors`: a list of named detectors as parameters of an ensemble."""

import copy
from typing import Any, Self

from sklearn.base import BaseEstimator
from sklearn.utils import Bunch, get_tags
from sklearn.utils.validation import check_is_fitted


class NamedDetectors(BaseEstimator):
    """Base class of an ensemble with the parameter ``detectors``, pairs of a name and a detector.

    Every detector is a parameter under its name, and its own parameters are ``name__parameter``, as in a Pipeline.
    """

    detectors: list[tuple[str, Any]]
    detectors_: list[Any]
    _names: list[str]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, with those of the detectors.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add every detector under its name, and its parameters as ``name__parameter``.

        Returns
        -------
        dict of {str: object}
        """
        params: dict[str, Any] = super().get_params(deep=False)
        for name, detector in pairs_of(params["detectors"]) if deep else ():
            params[name] = detector
            if hasattr(detector, "get_params") and not isinstance(detector, type):
                params |= {f"{name}__{key}": value for key, value in detector.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, replace detectors by name, or set parameters of detectors.

        Parameters
        ----------
        **params : dict
            ``detectors``, ``name=estimator``, ``name="drop"`` or ``name__parameter=value``.

        Returns
        -------
        self : object
        """
        if "detectors" in params:
            self.detectors = params.pop("detectors")
        pairs = pairs_of(self.detectors)
        if replaced := {name: params.pop(name) for name, _ in pairs if name in params}:
            self.detectors = [(name, replaced.get(name, detector)) for name, detector in pairs]
        return super().set_params(**params)

    @property
    def named_detectors_(self) -> Bunch:
        """The fitted detectors by name."""
        check_is_fitted(self, "detectors_")
        return Bunch(**dict(zip(self._names, self.detectors_)))

    @property
    def n_features_in_(self) -> int:
        """Number of features that the detectors were trained on."""
        return self._learnt("n_features_in_")

    @property
    def feature_names_in_(self) -> Any:
        """Names of the features that the detectors were trained on."""
        return self._learnt("feature_names_in_")

    def _learnt(self, name):
        for detector in vars(self).get("detectors_", ()):
            if hasattr(detector, name):
                return getattr(detector, name)
        raise AttributeError(f"{type(self).__name__} has no {name}: no fitted detector has this attribute.")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = [get_tags(d) for _, d in pairs_of(self.detectors) if hasattr(d, "__sklearn_tags__")]
        if inner:
            tags.input_tags = copy.deepcopy(inner[0].input_tags)
            tags.input_tags.sparse = all(own.input_tags.sparse for own in inner)
            tags.non_deterministic = any(own.non_deterministic for own in inner)
        return tags


def pairs_of(detectors):
    """The pairs of a name and a detector, as far as `detectors` holds such pairs."""
    is_pairs = isinstance(detectors, (list, tuple)) and all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], str) for pair in detectors
    )
    return list(detectors) if is_pairs else []
