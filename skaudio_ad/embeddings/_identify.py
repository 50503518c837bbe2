"""What a file of weights is, by the names and shapes of its tensors."""

import os
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
        names backbones that take such a file. No other error is raised, whatever the file holds.
    """
    family = get_family(backbone.family)
    found = _ask(family, content)
    if found is None:
        other = identify(content)
        if other is not None and other[0] is not family:
            raise ValueError(f"is no file of {family.title} but {describe_file(*other)}.")
        _check_wrapping(content)
        return _read(family, content, backbone)
    wrong = [
        name for name, value in found.items() if name in family.settings and _differs(backbone, name, value)
    ]
    if wrong:
        wanted = ", ".join(f"{name} {backbone.settings.get(name)}" for name in wrong)
        raise ValueError(f"is {describe_file(family, found)}, and {backbone.name!r} needs {wanted}.")
    return _read(family, content, backbone)


def identify(content: Any) -> tuple[Family, Mapping[str, Any]] | None:
    """The family of a file of weights and the settings that its tensors show, or None for an unknown file."""
    for family in known_families():
        found = _ask(family, content)
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
        and found
        and not any(
            name in family.settings and _differs(backbone, name, value) for name, value in found.items()
        )
    ]
    fits = f", which fits {', '.join(map(repr, takers))}" if takers else ""
    return f"a file of {family.title}{f' ({settings})' if settings else ''}{fits}"


def _ask(family: Family, content: Any) -> Mapping[str, Any] | None:
    """What a family finds in a file, or None for a file that is not of the family."""
    if family.identify is None:
        return None
    try:
        return family.identify(content)
    except Exception:  # a damaged or hostile file may hold any value under any name
        return None


def _read(family: Family, content: Any, backbone: Backbone) -> Any:
    try:
        return family.read_checkpoint(content, backbone)
    except ValueError:
        raise
    except Exception as error:  # a damaged or hostile file may hold any value under any name
        raise ValueError(
            f"is no file of {family.title}, or is damaged ({type(error).__name__}: {error})."
        ) from error


def _check_wrapping(content: Any) -> None:
    """Raise for a known file inside another dict or with a prefix before its names, as training programs write it."""
    if not isinstance(content, Mapping):
        return
    inner, where, code = content, "", "content"
    for key, value in content.items():
        if isinstance(value, Mapping) and (identify(value) or identify(_without_prefix(value)[0])):
            inner, where, code = value, f"under the key {key!r}", f"content[{key!r}]"
            break
    plain, prefix = _without_prefix(inner)
    known = identify(inner) or identify(plain)
    if known is None:
        return
    names = f"{{name.removeprefix({prefix!r}): value for name, value in {code}.items()}}" if prefix else code
    places = [*([where] if where else []), *([f"with {prefix!r} before every name"] if prefix else [])]
    raise ValueError(
        f"holds, {' and '.join(places)}, {describe_file(*known)}. Write the state dict alone, with the names of its "
        f"authors: torch.save({names}, file)."
    )


def _without_prefix(state: Mapping[Any, Any]) -> tuple[Mapping[Any, Any], str]:
    """A state dict without the part that all its names begin with up to a dot, and that part."""
    prefix = os.path.commonprefix([str(name) for name in state]).rpartition(".")[0]  # noqa: RUF071, names are no paths
    prefix = f"{prefix}." if prefix else ""
    return {str(name).removeprefix(prefix): value for name, value in state.items()}, prefix


def _differs(backbone: Backbone, name: str, value: Any) -> bool:
    wanted = backbone.settings.get(name)
    # A setting that a backbone does not give counts as zero. A backbone without "n_classes" has no classes.
    return bool(wanted != value and (wanted or value))
