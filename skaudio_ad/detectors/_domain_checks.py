"""Checks and warnings of `NearestNeighborsDetector` about domains, mixtures and densities."""

import warnings

import numpy as np

from .._checks import users_level
from ._density import NEIGHBORS


def check_domains(domains, settings):
    """Raise if a parameter needs domains and there are none."""
    for name in ("domain_normalization", "oversample"):
        if settings[name] is not None and domains is None:
            raise ValueError(
                f"{name}={settings[name]!r} needs the domain of every training clip: pass domains to fit, or set "
                f"{name}=None."
            )


def check_densities(members, n_clips, settings):
    """Raise unless every density has neighbours, also while clips (groups) are left out for leave-one-out scores.

    Parameters
    ----------
    members : ndarray of int of shape (n_rows,)
    n_clips : int
    settings : dict
    """
    method, n_neighbors = settings["normalization"], settings["normalization_neighbors"]
    if method is None:
        return
    sizes = np.bincount(members)
    sizes = sizes[sizes > 0]
    member = "clips" if len(sizes) == n_clips else "groups"
    nested = settings["domain_normalization"] is not None or method == "varmin"
    n_needed = 3 + nested + (settings["oversample"] is not None)
    if len(sizes) < n_needed:
        raise ValueError(
            f"normalization={method!r} needs at least {n_needed} {member} with these parameters, because the density "
            f"around a clip comes from other clips and each clip is also scored without itself; got {len(sizes)} from "
            f"n_samples={n_clips}. Pass more {member}, or set normalization=None."
        )
    n_others = len(members) - sizes.max()
    if method != "cluster-exit" and n_neighbors is not None and n_neighbors > n_others:
        raise ValueError(
            f"normalization_neighbors={n_neighbors} needs as many rows beside those of any one of the {member}, got "
            f"{n_others} from n_samples={n_clips}. Pass more {member}, or a smaller normalization_neighbors; None is "
            f"{NEIGHBORS[method]} here."
        )


def warn_of_domains_without_mixtures(method, members, domains, names):
    """Warn of scarce domains that stay as they are.

    Parameters
    ----------
    method : {"mixup", "smote"}
    members, domains : ndarray of int of shape (n_rows,)
    names : ndarray of shape (n_domains,)
    """
    if len(names) == 1:
        _warn(f"oversample={method!r} has no effect, because all training clips are of the domain {_quoted(names)}.")
        return
    scarce = np.delete(np.arange(len(names)), np.argmax(np.bincount(domains)))
    single = [names[d] for d in scarce if len(np.unique(members[domains == d])) == 1]
    if method == "smote" and single:
        _warn(
            f'oversample="smote" mixes clips of one domain, and {_listed(single)} a single clip (group): no synthetic '
            'rows are made there. Pass more clips of the domain, or use oversample="mixup".'
        )


def warn_of_replaced_statistics(names):
    """Warn of domains whose own distances cannot normalise them."""
    _warn(
        f"{_listed(names)} no spread of leave-one-out distances, because there is a single clip (group) or all clips "
        "are at one distance. The mean and deviation over all domains together stand in. Pass more clips of the "
        "domain."
    )


def _listed(names):
    return f"the domain {_quoted(names)} has" if len(names) == 1 else f"the domains {_quoted(names)} have"


def _quoted(names):
    return ", ".join(map(repr, np.asarray(names).tolist()))


def _warn(message):
    warnings.warn(message, UserWarning, stacklevel=users_level())
