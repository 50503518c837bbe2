"""Torch modules of users: they are copied, run, and recognised by a checksum."""

import copy
import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import joblib
import numpy as np

from ..training import inference, resolve_device
from ._engine import names_of, one_or_all

_PLAIN = (bool, int, float, str, bytes, type(None))


@dataclass(frozen=True, eq=False)
class ModuleEngine:
    """A module, and how it runs. Pickling the engine includes everything that the module needs."""

    module: Any
    front_end: Any
    device: str
    precision: str

    @property
    def name(self) -> str:
        """Class of the module."""
        return type(self.module).__name__

    @property
    def source(self) -> str:
        """Class of the module."""
        return self.name

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the parts, settings and tensors of the modules."""
        import torch

        digest = hashlib.sha256()
        for module in (self.front_end, self.module):
            if isinstance(module, torch.nn.Module):
                _update(digest, module)
        return digest.hexdigest()

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """Everything that changes the embeddings, as plain values."""
        import torch

        front_end = "module"  # a module is part of the digest
        if not isinstance(self.front_end, torch.nn.Module):
            try:
                front_end = joblib.hash(self.front_end)
            except (pickle.PicklingError, TypeError, AttributeError) as error:
                raise TypeError(
                    "memory must recognise the front end: front_end must be a torch module, or a function or object "
                    f"that pickles, got {self.front_end!r}. Use one, or memory=None."
                ) from error
        return "module", self.name, self.digest, front_end, self.precision

    @cached_property
    def packed(self) -> bytes:
        """The engine as bytes, with the classes and functions that only the script of the user defines."""
        kept = {name: value for name, value in vars(self).items() if name not in ("packed", "loaded")}
        try:
            return pickle.dumps(joblib.wrap_non_picklable_objects(kept, keep_wrapper=False))
        except Exception as error:  # the __reduce__ of a foreign class may raise anything
            raise TypeError(
                f"{self.name}: cannot be sent to other processes, because the module or its front end does not pickle "
                f"({error}). Use n_jobs=1."
            ) from error

    @cached_property
    def loaded(self) -> "LoadedModule":
        """Copies of front end and module, on their device, in evaluation mode."""
        import torch

        device = resolve_device(self.device)

        def ready(module):
            if not isinstance(module, torch.nn.Module):
                return module
            try:
                module = copy.deepcopy(module)
            except Exception as error:
                raise TypeError(
                    f"{type(module).__name__}: cannot be copied ({error}), which embedding without a change to it "
                    "needs, and scikit-learn's clone too. Give it a __deepcopy__, or keep what cannot be copied "
                    "elsewhere."
                ) from error
            return module.eval().requires_grad_(False).to(device)

        return LoadedModule(self.name, ready(self.module), ready(self.front_end), device, self.precision)

    def load(self) -> "LoadedModule":
        """The module ready for use. An engine copies its module once."""
        return self.loaded

    def __reduce__(self):
        return _unpack, (self.packed,)


def _unpack(packed):
    engine = object.__new__(ModuleEngine)
    vars(engine).update(pickle.loads(packed))
    return engine


@dataclass(frozen=True)
class LoadedModule:
    """A module ready for use."""

    name: str
    module: Any
    front_end: Any
    device: Any
    precision: str

    def embed(self, waveforms: np.ndarray, output: str | tuple[str, ...]) -> Any:
        """Outputs of some waveforms of one length, in one pass of the module.

        Parameters
        ----------
        waveforms : ndarray of shape (n_windows, n_samples), float32
        output : {"clip", "frames", "grid"} or tuple of them

        Returns
        -------
        ndarray of shape (n_windows, ...), float32
            For a tuple of names, a tuple of such arrays.
        """
        import torch

        with inference():
            x = torch.from_numpy(waveforms).to(self.device)
            try:
                x = x if self.front_end is None else self.front_end(x)
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
                    made = self.module(x)
            except Exception as error:  # a foreign module may raise anything
                raise RuntimeError(
                    f"{self.name}: failed on waveforms of shape {waveforms.shape}: {error}\nfront_end must "
                    "make what the module takes of them; min_duration and window say how short and long they are."
                ) from error
            reduced = {
                name: self._reduce(made, name, len(waveforms)).cpu().numpy() for name in names_of(output)
            }
            return one_or_all(reduced, output)

    def _reduce(self, made, output, n_windows):
        import torch

        if isinstance(made, Mapping):
            if output not in made and len(made) != 1:
                raise ValueError(
                    f"{self.name}: gave a dict of {', '.join(map(repr, made))}, without output={output!r}. Wrap it in "
                    "a module that picks one."
                )
            made = made[output] if output in made else next(iter(made.values()))
        wanted = (
            "a float tensor of shape (n_windows, C), (n_windows, C, T) or (n_windows, C, F, T) with "
            f"n_windows={n_windows}"
        )
        if not isinstance(made, torch.Tensor):
            raise TypeError(f"{self.name}: must give {wanted}, gave {type(made).__name__}.")
        shape = tuple(made.shape)
        if not (
            made.is_floating_point() and made.ndim in (2, 3, 4) and len(made) == n_windows and made.numel()
        ):
            raise ValueError(f"{self.name}: must give {wanted}, gave {made.dtype} of shape {shape}.")
        if not torch.isfinite(made).all():
            raise ValueError(
                f"{self.name}: gave NaN or infinity. A logarithm of silence may: add a little to it."
            )
        made = made.float()
        if output == "clip":
            return made.flatten(2).mean(dim=2) if made.ndim > 2 else made
        if made.ndim == 2:
            raise ValueError(
                f"{self.name}: output={output!r} needs a module that keeps time, this one gave the shape {shape}. Use "
                'output="clip", or leave out its pooling.'
            )
        return made.mean(dim=2) if made.ndim == 4 and output == "frames" else made


def _update(digest, module):
    """Add the parts of a module, their settings and all tensors to a checksum."""
    import torch

    def add(*values):
        digest.update(repr(values).encode())

    def add_tensor(name, tensor):
        add(name, str(tensor.dtype), tuple(tensor.shape))
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())

    # `training` and hooks are no settings. Parameters and buffers are added with their tensors below.
    of_every_module = vars(torch.nn.Module())
    for name, part in module.named_modules(remove_duplicate=False):
        add(name, type(part).__module__, type(part).__qualname__)
        for setting, value in sorted(vars(part).items()):
            if setting in of_every_module:
                continue
            if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
                value = torch.as_tensor(value)
            if isinstance(value, torch.Tensor):
                add_tensor(setting, value)
            elif _is_plain(value):
                add(setting, value)
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        add_tensor(name, tensor)


def _is_plain(value):
    if isinstance(value, (tuple, list)):
        return all(map(_is_plain, value))
    return isinstance(value, _PLAIN)
