"""Options ``--groups-from`` and ``--machines``: groups and machines of recordings by their paths."""

import click

from .._path_groups import groups_from_paths, labels_from_paths


def read_groups(groups_from, paths):
    """Find the group of every recording, as :func:`groups_from_paths` does.

    Parameters
    ----------
    groups_from : str
        "folder" or a regular expression.
    paths : list of str

    Returns
    -------
    list of str

    Raises
    ------
    click.BadParameter
        If recordings cannot be grouped in this way.
    """
    try:
        return groups_from_paths(groups_from, paths)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--groups-from") from error


def read_machines(machines_from, paths):
    """Find the machine of every recording, as :func:`labels_from_paths` does.

    Parameters
    ----------
    machines_from : str
        "folder" or a regular expression.
    paths : list of str

    Returns
    -------
    list of str

    Raises
    ------
    click.BadParameter
        If the machines cannot be read in this way.
    """
    try:
        return labels_from_paths(machines_from, paths)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--machines") from error
