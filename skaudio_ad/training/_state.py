"""Torch modules inside scikit-learn estimators that pickle, copy and go through skops."""

from typing import Any

import numpy as np


class ModuleStateMixin:
    """Keeps ``module_`` as plain NumPy arrays whenever the estimator is pickled, copied or dumped.

    skops cannot dump torch modules, and a module trained on a GPU must load where there is none.
    Subclasses define ``_make_module()``, which builds the untrained module from fitted attributes; not from
    parameters, which may be set anew while the module stays.
    """

    def _make_module(self) -> Any:
        raise NotImplementedError

    def __sklearn_is_fitted__(self):
        return hasattr(self, "module_")

    def _forget_module(self):
        """Forget the module of an earlier fit: a copy made during this one could not rebuild it."""
        vars(self).pop("module_", None)

    def __getstate__(self):
        state = dict(super().__getstate__())  # type: ignore[call-overload]
        module = state.pop("module_", None)
        if module is not None:
            state["_module_arrays"] = {
                name: np.ascontiguousarray(value.detach().cpu().numpy())
                for name, value in module.state_dict().items()
            }
        return state

    def __setstate__(self, state):
        state = dict(state)
        arrays = state.pop("_module_arrays", None)
        super().__setstate__(state)  # type: ignore[misc]
        if arrays is None:
            return
        import torch

        from ._seed import drawing_from

        # Building draws initial weights, and the global generator must not notice.
        with drawing_from(0):
            module = self._make_module()
        module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})
        self.module_ = module.eval()
