"""Files of weights to tensors. No code in a file is run."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._checksums import WeightsError

if TYPE_CHECKING:
    import torch


def read_state_dict(
    path: str | Path, convert: Callable[[Any], Any] | None = None
) -> "dict[str, torch.Tensor]":
    """State dict in a file of ``torch.save`` or of safetensors, on the CPU.

    Parameters
    ----------
    path : str or path-like
        A name that ends in ".safetensors" is a file of safetensors. Any other file is read by
        ``torch.load(weights_only=True)``.
    convert : callable or None, default=None
        Takes what the file holds and returns the state dict, or raises a ValueError that says what is wrong. None
        takes the content as it is.

    Returns
    -------
    dict of str to torch.Tensor

    Raises
    ------
    WeightsError
        If the file cannot be read, or holds no state dict.
    """
    content = _read_safetensors(path) if str(path).endswith(".safetensors") else _read_torch(path)
    if convert is not None:
        try:
            content = convert(content)
        except ValueError as error:
            raise WeightsError(f"{path}: {error}") from error
    if not _is_state_dict(content):
        raise WeightsError(
            f"{path}: must hold a state dict, names and tensors, and holds {_describe(content)}. Write the state "
            "dict alone: torch.save(module.state_dict(), file)."
        )
    return content


def _read_torch(path: str | Path) -> Any:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the kind of exception depends on the bytes of the file
        raise WeightsError(
            f"{path}: not a file that torch.load(weights_only=True) reads ({type(error).__name__}): damaged, or "
            "no weights, or weights with Python objects among them. Write a state dict: "
            "torch.save(module.state_dict(), file)."
        ) from error


def _read_safetensors(path: str | Path) -> Any:
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception as error:  # safetensors has an exception of its own, and raises others too
        raise WeightsError(
            f"{path}: not a file of safetensors ({error}). The file is damaged, or it is a file of torch.save; then "
            "its name must not end in .safetensors."
        ) from error


def _is_state_dict(state: Any) -> bool:
    import torch

    return (
        isinstance(state, Mapping)
        and len(state) > 0
        and all(isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in state.items())
    )


def _describe(state: Any) -> str:
    if not isinstance(state, Mapping):
        return f"a {type(state).__name__}"
    return f"a {type(state).__name__} with the keys {', '.join(map(repr, list(state)[:5])) or 'none'}"
