"""Files of weights to tensors. No code in a file is run."""

import pickletools
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._checksums import WeightsError

if TYPE_CHECKING:
    import torch

# First bytes of a file of torch.save: a zip archive, or a pickle before torch 1.6.
_TORCH = (b"PK\x03\x04", b"\x80")
_STATE_DICT = "Write a state dict: torch.save(module.state_dict(), file)."
_AGAIN = "Download or copy the file again."
# Maximum number of names of tensors in a message.
_N_NAMES = 3


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

    _check_archive(path)
    try:
        with warnings.catch_warnings():
            # torch warns about files of pickle before it refuses them.
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the kind of exception depends on the bytes of the file
        raise WeightsError(
            f"{path}: not a file that torch.load(weights_only=True) reads. {_problem_of_torch(path, error)}"
        ) from error


def _read_safetensors(path: str | Path) -> Any:
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception as error:  # safetensors has an exception of its own, and raises others too
        problem = _problem_of_any(path) or (
            "The file is one of torch.save, so its name must not end in .safetensors."
            if _first_bytes(path).startswith(_TORCH)
            else f"The file is damaged or cut short ({error}). {_AGAIN}"
        )
        raise WeightsError(f"{path}: not a file of safetensors. {problem}") from error


def _check_archive(path: str | Path) -> None:
    """Raise for a compressed archive, because a small one may unpack to more than the memory of the machine."""
    try:
        with zipfile.ZipFile(path) as archive:
            compressed = any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist())
    except Exception:  # no archive, or a damaged one: torch says so
        return
    if compressed:
        raise WeightsError(
            f"{path}: not a file that torch.load(weights_only=True) reads. The file is a compressed archive, and "
            f"torch.save compresses nothing. {_STATE_DICT}"
        )


def _problem_of_torch(path: str | Path, error: Exception) -> str:
    """What is wrong with a file that torch cannot read, and the remedy."""
    start = _first_bytes(path)
    if problem := _problem_of_any(path):
        return problem
    if start[8:9] == b"{":  # after the length of the header
        return "The file is one of safetensors, so its name must end in .safetensors."
    if found := re.search(r"GLOBAL ([\w.]*\w)", str(error)):
        return (
            f"The file holds the Python object {found[1]} and not only tensors. Such an object could run any code, so "
            "no such file is read. If you trust the source of the file, write its tensors alone, with "
            "torch.save(module.state_dict(), file) or as safetensors."
        )
    if not start.startswith(_TORCH):
        return f"The file holds no weights ({type(error).__name__}). {_STATE_DICT}"
    if start.startswith(b"\x80") and _is_pickle_of_objects(path):
        return (
            "The file was written by pickle and not by torch.save. A pickle could run any code, so no such file is "
            "read. If you trust the source of the file, write its tensors with torch.save(state_dict, file) or as "
            "safetensors."
        )
    return f"The file is damaged or cut short ({type(error).__name__}). {_AGAIN}"


def _is_pickle_of_objects(path: str | Path) -> bool:
    """Whether a file is one whole pickle, which torch.save never wrote: its old files begin with several pickles."""
    try:
        with open(path, "rb") as file:
            for _ in pickletools.genops(file):  # reads the instructions and runs none
                pass
            return not file.read(1)
    except Exception:  # the kind of exception depends on the bytes of the file
        return False


def _problem_of_any(path: str | Path) -> str | None:
    """What is wrong with a file that is no file of weights at all, or None."""
    start = _first_bytes(path).lstrip()
    if not start:
        return f"The file is empty. {_AGAIN}"
    if start.startswith(b"<"):
        return f"The file is a web page. {_AGAIN}"
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        return "The file is a pointer of Git LFS. Fetch the file itself: git lfs pull."
    return None


def _first_bytes(path: str | Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(64)
    except OSError:  # the error of the reader says why
        return b"?"


def describe_difference(state: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """How the names and shapes of a state dict differ from those of a network, in a few sentences.

    Parameters
    ----------
    state, wanted : mapping of str to torch.Tensor
        State dicts of the file and of the network.

    Returns
    -------
    str
        An empty text if names and shapes are equal.
    """
    lacking = [repr(name) for name in wanted if name not in state]
    unknown = [repr(name) for name in state if name not in wanted]
    shapes = [
        f"{name!r} of shape {tuple(state[name].shape)} and not {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in state and state[name].shape != value.shape
    ]
    starts = {"The file lacks": lacking, "The network has no": unknown, "The file has": shapes}
    return " ".join(f"{start} {_few(names)}." for start, names in starts.items() if names)


def _few(names: list[str]) -> str:
    more = len(names) - _N_NAMES
    return ", ".join(names[:_N_NAMES]) + (f" and {more} more" if more > 0 else "")


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
