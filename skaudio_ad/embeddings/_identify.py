"""What a file of weights is, by the names and shapes of its tensors."""

from collections.abc import Mapping
from typing import Any

from ._registry import Backbone, get_family, known_backbones, known_families
from .families import Family


def read_as(content: Any, backbone: Backbone) -> Any:
    """State dict of the network of a backbone, from the content of a file of weights.

    Parameters
    ----------
    content : object
        What the file holds.
    backbone : Backbone

    Returns
    -------
    dict of str to torch.Tensor

    Raises
    ------
    ValueError
        If the file is of another family, or of a network of other settings. The message says what the file is, and
        names backbones that take such a file.
    """
    family = get_family(backbone.family)
    found = None if family.identify is None else family.identify(content)
    if found is None:
        other = identify(content)
        if other is not None and other[0] is not family:
            raise ValueError(f"is no file of {family.title} but {describe_file(*other)}.")
        return family.read_checkpoint(content, backbone)
    wrong = [
        name for name, value in found.items() if name in family.settings and _differs(backbone, name, value)
    ]
    if wrong:
        wanted = ", ".join(f"{name} {backbone.settings.get(name)}" for name in wrong)
        raise ValueError(f"is {describe_file(family, found)}, and {backbone.name!r} needs {wanted}.")
    return family.read_checkpoint(content, backbone)


def identify(content: Any) -> tuple[Family, Mapping[str, Any]] | None:
    """The family of a file of weights and the settings that its tensors show, or None for an unknown file."""
    for family in known_families():
        found = None if family.identify is None else family.identify(content)
        if found is not None:
            return family, found
    return None


def describe_file(family: Family, found: Mapping[str, Any]) -> str:
    """A file of weights in words: its family, its settings, and the backbones that take such a file."""
    settings = ", ".join(f"{name} {value}" for name, value in found.items())
    takers = [
        backbone.name
        for backbone in known_backbones()
        if backbone.family == family.name
        and not any(
            name in family.settings and _differs(backbone, name, value) for name, value in found.items()
        )
    ]
    fits = f", which fits {', '.join(map(repr, takers))}" if takers else ""
    return f"a file of {family.title} ({settings}){fits}"


def _differs(backbone: Backbone, name: str, value: Any) -> bool:
    return bool(backbone.settings.get(name) != value)
