"""Torch modules inside scikit-learn estimators that pickle, copy and go through skops."""

from typing import Any

import numpy as np


class ModuleStateMixin:
    """Keeps ``module_`` as plain NumPy arrays whenever the estimator is pickled, copied or dumped.

    skops cannot dump torch modules, and a module that was trained on a GPU must load on a machine without a GPU.
    Subclasses define ``_make_module()``, which builds the untrained module from fitted attributes. The method must
    not read parameters, because a parameter may change after the fit while the module stays.
    """

    def _make_module(self) -> Any:
        raise NotImplementedError

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def _forget_module(self):
        """Remove the module of an earlier fit, because a copy made during the new fit could not rebuild the module."""
        vars(self).pop("module_", None)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())  # type: ignore[call-overload]
        module = state.pop("module_", None)
        if module is not None:
            state["_module_arrays"] = {
                name: np.ascontiguousarray(value.detach().cpu().numpy())
                for name, value in module.state_dict().items()
            }
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        arrays = state.pop("_module_arrays", None)
        super().__setstate__(state)  # type: ignore[misc]
        if arrays is None:
            return
        import torch

        from ._seed import drawing_from

        # The new module draws initial weights, which must not change the state of the global generator.
        with drawing_from(0):
            module = self._make_module()
        module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
        self.module_ = module.eval()
