"""Group recordings of one machine, patient or session by their paths."""

import re
from collections.abc import Sequence
from pathlib import Path

from ._media_fragments import without_fragment

#: Value that groups recordings by folder.
FOLDER = "folder"


def groups_from_paths(groups_from: str, paths: Sequence[str]) -> list[str]:
    """Find the group of every recording.

    Parameters
    ----------
    groups_from : str
        "folder" groups recordings by the name of their folder. Any other value is a regular expression with one group
        in parentheses. The expression is searched in the name of the file, without a media fragment. The text in the
        parentheses is the group.
    paths : sequence of str

    Returns
    -------
    list of str
        Name of the group of every recording.

    Raises
    ------
    ValueError
        If the expression is not valid, has not exactly one group in parentheses, does not match the name of a file, or
        puts all files in one group.
    """
    groups = labels_from_paths(groups_from, paths)
    if len(set(groups)) < 2:
        raise ValueError(
            f"all {len(paths)} recordings are in one group, {groups[0]!r}; at least two are needed, because whole "
            "groups are held out to set the threshold."
        )
    return groups


def labels_from_paths(labels_from: str, paths: Sequence[str]) -> list[str]:
    """Find the label of every recording, such as its machine, as :func:`groups_from_paths` finds its group.

    Parameters
    ----------
    labels_from : str
        "folder" or a regular expression, as for :func:`groups_from_paths`.
    paths : sequence of str

    Returns
    -------
    list of str
        One label may be that of all recordings.

    Raises
    ------
    ValueError
        If the expression is not valid, has not exactly one group in parentheses, or does not match the name of a file.
    """
    if labels_from == FOLDER:
        # The path is made absolute, because a path without a folder has no name of a folder.
        return [Path(without_fragment(path)).absolute().parent.name for path in paths]
    return _match_names(_compile(labels_from), paths)


def _compile(text):
    try:
        expression = re.compile(text)
    except re.error as error:
        raise ValueError(f"must be 'folder' or a regular expression, got {text!r}: {error}.") from error
    if expression.groups != 1:
        raise ValueError(
            f"needs one group in parentheses, such as '^(id_[0-9]+)_', got {text!r} with {expression.groups}."
        )
    return expression


def _match_names(expression, paths):
    matches = [expression.search(Path(without_fragment(path)).name) for path in paths]
    groups = [match[1] if match else None for match in matches]
    unmatched = [path for path, group in zip(paths, groups) if not group]
    if unmatched:
        found = sorted({group for group in groups if group})
        examples = f", such as {', '.join(map(repr, found[:3]))}" if found else ""
        raise ValueError(
            f"{expression.pattern!r} finds no group in the name of {len(unmatched)} of {len(paths)} recordings, the "
            f"first being {unmatched[0]}; it finds {len(found)} groups in the others{examples}. Correct the "
            "expression, or leave these recordings out."
        )
    return groups
