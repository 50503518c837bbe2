"""Files of a model of the transformers library, in a folder, in the cache of the hub or on the hub."""

import hashlib
import json
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from .._checksums import WeightsError

_EXTRACTOR_FILES = ("preprocessor_config.json", "processor_config.json")
_WEIGHTS_FILES = (
    "model.safetensors",
    "model-*-of-*.safetensors",
    "pytorch_model.bin",
    "pytorch_model-*-of-*.bin",
)


def find_folder(model_id: str, revision: str | None, check: Callable[[Path], None]) -> Path:
    """The folder of a model. Files on the disk are not downloaded again.

    Parameters
    ----------
    model_id : str
        Folder, or name on the hub.
    revision : str or None
        Branch, tag or commit on the hub.
    check : callable
        Takes the path of config.json and raises for a model that cannot be used. It is called before anything else is
        looked for or downloaded.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    WeightsError
        If files of the model cannot be found or downloaded.
    ValueError
        If a folder is given with a revision.
    """
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    if os.path.isdir(model_id):
        if revision is not None:
            raise ValueError(f"revision must be None for a folder, got {revision!r}.")
        folder = Path(model_id).absolute()
        problem = _problem(folder, check)
        if problem:
            raise WeightsError(
                f"{folder}: {problem}. Write all of a model with model.save_pretrained(folder) and "
                "feature_extractor.save_pretrained(folder)."
            )
        return folder

    def look(patterns, **options):
        return Path(
            huggingface_hub.snapshot_download(model_id, revision=revision, allow_patterns=patterns, **options)
        )

    reason = ""
    try:
        try:
            problem = _problem(folder := look(None, local_files_only=True), check)
        except LocalEntryNotFoundError:
            problem = "nothing of it is in the cache"
        if problem:
            _problem(look(["config.json"]), check)
            folder = look(["config.json", *_EXTRACTOR_FILES, "*.safetensors", "*.index.json"])
            if not weights_files(folder):
                look(["pytorch_model*.bin"])
            problem = _problem(folder, check)
    except HFValidationError as error:
        raise WeightsError(
            f"{model_id!r}: model_id must name a folder that exists or a model of the hub, such as "
            "'MIT/ast-finetuned-audioset-10-10-0.4593'."
        ) from error
    except (OSError, RuntimeError) as error:
        reason = f" ({_first_line(error)})"
    if problem:
        of_revision = "" if revision is None else f" --revision {revision}"
        raise WeightsError(
            f"{model_id!r}: no folder that exists, and not to be had from the hub: {problem}{reason}. On a machine "
            f"with a network: hf download {model_id}{of_revision}; copy what it prints to a folder, and give its path "
            "as model_id."
        )
    return folder


def _first_line(error):
    return str(error).strip().partition("\n")[0].rstrip(".")


def _problem(folder, check):
    """A sentence that says which file a folder lacks, or None."""
    if not (folder / "config.json").is_file():
        return "there is no config.json"
    check(folder / "config.json")
    if not any((folder / name).is_file() for name in _EXTRACTOR_FILES):
        return f"there is no {_EXTRACTOR_FILES[0]}, of the front end"
    return None if weights_files(folder) else "there are no weights, model.safetensors"


def read_json(path: Path) -> dict[str, Any]:
    """Content of a file of JSON; {} if it is not a dictionary.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    dict

    Raises
    ------
    WeightsError
        If the file holds no JSON.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{path}: no JSON ({error}).") from error
    return content if isinstance(content, dict) else {}


def weights_files(folder: Path) -> list[Path]:
    """Files of weights in a folder: safetensors, or if there are none files of torch. Empty if one part is missing."""
    for pattern in _WEIGHTS_FILES:
        files = sorted(folder.glob(pattern))
        # A name such as model-00001-of-00003 says how many parts there must be.
        if files and len(files) == int(files[0].stem.partition("-of-")[2] or 1):
            return files
    return []


def model_files(folder: Path) -> list[Path]:
    """Configuration of the model and of its front end, and weights."""
    extractor = next(folder / name for name in _EXTRACTOR_FILES if (folder / name).is_file())
    return [folder / "config.json", extractor, *weights_files(folder)]


def stamps_of(files: list[Path]) -> tuple[tuple[str, int, int], ...]:
    """Path, size and time of change of files: these tell, without reading a file, whether it has changed."""
    return tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files)


def digest_of(stamps: tuple[tuple[str, int, int], ...]) -> str:
    """SHA-256 of all files together. A file is read once as long as it keeps its size and time of change."""
    return hashlib.sha256("".join(_file_digest(*stamp) for stamp in stamps).encode()).hexdigest()


@lru_cache(maxsize=32)
def _file_digest(path, _size, _mtime_ns):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
