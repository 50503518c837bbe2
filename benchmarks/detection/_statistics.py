"""Statistics of the benchmark of detection: intervals, paired differences, and average ranks.

Intervals are those of the Bayesian bootstrap [1]_: in every draw each group of clips gets a weight from the standard
exponential distribution, and all metrics are computed with these weights. All configurations and all tasks of a set
get the same weights, so differences are paired, and a clip that several tasks test counts once.

Average ranks compare all configurations over blocks, with the test of Friedman and the critical difference of Nemenyi
[2]_. A block is a task. Random splits of the same clips are one block, with the mean over the splits.

References
----------
.. [1] D. B. Rubin, "The Bayesian bootstrap", The Annals of Statistics, 1981.
.. [2] J. Demsar, "Statistical comparisons of classifiers over multiple data sets", Journal of Machine Learning
   Research, 2006.
"""

import numpy as np
from scipy.stats import friedmanchisquare, rankdata, studentized_range

# Maximum false-alarm rate of the partial AUC, as in every DCASE Task 2.
MAX_FPR = 0.1
# Number of draws of an interval.
N_DRAWS = 1000
CONFIDENCE = 0.95
METRICS = ("AUC", "pAUC", "Omega", "false alarms", "detected")


def area(is_normal, scores, weights, max_fpr=1.0):
    """Area under the ROC curve of weighted clips, standardised after McClish if `max_fpr` is below 1.

    Parameters
    ----------
    is_normal : ndarray of bool of shape (n_clips,)
    scores : ndarray of shape (n_clips,)
        Higher is more normal.
    weights : ndarray of shape (n_draws, n_clips)
    max_fpr : float, default=1.0

    Returns
    -------
    ndarray of shape (n_draws,)
    """
    # The curve rises at the score of a normal clip and is a straight line there. Other scores only add height.
    steps = np.unique(scores[is_normal])[:, np.newaxis]  # the most anomalous score first
    normal, anomalous = weights[:, is_normal], weights[:, ~is_normal]
    own = scores[~is_normal]
    width = normal @ (scores[is_normal] == steps).T.astype(float) / normal.sum(axis=1, keepdims=True)
    total = anomalous.sum(axis=1, keepdims=True)
    start, height = (anomalous @ part.T.astype(float) / total for part in (own < steps, own == steps))
    kept = np.clip(max_fpr - (np.cumsum(width, axis=1) - width), 0, width)
    found = (kept * (start + kept / width * height / 2)).sum(axis=1)
    if max_fpr == 1:
        return found
    chance = max_fpr**2 / 2
    return 0.5 * (1 + (found - chance) / (max_fpr - chance))


def draw_weights(groups, n_draws=N_DRAWS, seed=0):
    """Return the weights of every group. The first row has the weight 1 for all groups.

    Parameters
    ----------
    groups : iterable of str
    n_draws : int, default=1000
    seed : int, default=0

    Returns
    -------
    dict of {str: ndarray of shape (1 + n_draws,)}
    """
    names = sorted(set(groups))
    drawn = np.random.default_rng(seed).exponential(size=(len(names), n_draws))
    return {name: np.append(1.0, own) for name, own in zip(names, drawn)}


def part_values(cell, weights):
    """Return the areas of every machine of a cell in every draw.

    Parameters
    ----------
    cell : dict
        "scores", "normal", "machines" and "domains" have a value for every clip. The last two may be None.
    weights : ndarray of shape (n_draws, n_clips)

    Returns
    -------
    dict of {str: dict of {str: ndarray of shape (n_draws,)}}
        "AUC" and "pAUC" of every machine. A cell without machines has the machine "". A cell with domains has an AUC of
        every domain, such as "AUC source": normal clips of the domain against all anomalous clips of the machine, as
        in DCASE Task 2 since 2022.
    """
    is_normal, scores = np.array(cell["normal"]), np.array(cell["scores"])
    machines = np.array(cell.get("machines") or [""] * len(scores))
    domains = np.array(cell.get("domains") or [""] * len(scores))
    parts = {}
    for machine in dict.fromkeys(machines.tolist()):
        own, parts[machine] = machines == machine, {}
        for domain in sorted(set(domains[own & is_normal])):
            rows = own & (~is_normal | (domains == domain))
            parts[machine][f"AUC {domain}".strip()] = area(is_normal[rows], scores[rows], weights[:, rows])
        parts[machine]["pAUC"] = area(is_normal[own], scores[own], weights[:, own], MAX_FPR)
    return parts


def cell_values(cell, weights):
    """Return the metrics of one cell in every draw.

    Parameters
    ----------
    cell : dict
        As for :func:`part_values`, with "alarms", a value for every clip or None.
    weights : ndarray of shape (n_draws, n_clips)

    Returns
    -------
    dict of {str: ndarray of shape (n_draws,)}
        Values of `METRICS`. AUC and pAUC are means over machines and domains. Omega is the harmonic mean of all of
        them. Rates are NaN if the detector has no threshold.
    """
    areas = [(name, value) for part in part_values(cell, weights).values() for name, value in part.items()]
    is_normal = np.array(cell["normal"])
    found = {
        "AUC": np.mean([value for name, value in areas if name != "pAUC"], axis=0),
        "pAUC": np.mean([value for name, value in areas if name == "pAUC"], axis=0),
        "Omega": _harmonic_mean(np.array([value for _, value in areas])),
    }
    alarms = np.array(
        np.full(len(is_normal), np.nan) if cell["alarms"] is None else cell["alarms"], dtype=float
    )
    for name, rows in (("false alarms", is_normal), ("detected", ~is_normal)):
        found[name] = (weights[:, rows] * alarms[rows]).sum(axis=1) / weights[:, rows].sum(axis=1)
    return found


def _harmonic_mean(values):
    return 1 / np.mean(1 / np.maximum(values, np.finfo(float).eps), axis=0)


def task_values(cells, n_draws=N_DRAWS):
    """Return the metrics of every configuration on every task, as means over the seeds.

    Parameters
    ----------
    cells : list of dict
        Cells of one set. Cells that are not "ok" are left out.
    n_draws : int, default=1000

    Returns
    -------
    dict of {str: dict of {str: dict of {str: ndarray of shape (1 + n_draws,)}}}
        By configuration, task and metric. The first value is the one without weights.
    """
    done = [cell for cell in cells if cell["status"] == "ok"]
    weights = draw_weights((group for cell in done for group in cell["groups"]), n_draws)
    by_seed = {}
    for cell in done:
        key = cell["asked"]
        own = by_seed.setdefault(key["configuration"], {}).setdefault(key["task"], [])
        own.append(cell_values(cell, np.array([weights[group] for group in cell["groups"]]).T))
    return {
        name: {
            task: {metric: np.mean([each[metric] for each in values], axis=0) for metric in METRICS}
            for task, values in own.items()
        }
        for name, own in by_seed.items()
    }


def set_values(own, tasks=None):
    """Return the metrics of one configuration on a set.

    Parameters
    ----------
    own : dict
        Entry of one configuration from :func:`task_values`.
    tasks : list of str or None, default=None
        Names of the tasks. None takes all.

    Returns
    -------
    dict of {str: ndarray of shape (1 + n_draws,)}
        Means over the tasks. "Omega" is the harmonic mean over the tasks.
    """
    chosen = [own[task] for task in (own if tasks is None else tasks)]
    found = {metric: np.mean([values[metric] for values in chosen], axis=0) for metric in METRICS}
    return found | {"Omega": _harmonic_mean(np.array([values["Omega"] for values in chosen]))}


def interval(values):
    """Return the value without weights, and the ends of the interval of the draws.

    Parameters
    ----------
    values : ndarray of shape (1 + n_draws,)

    Returns
    -------
    tuple of three floats
        NaN if a value is NaN.
    """
    low, high = np.quantile(values[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(values[0]), float(low), float(high)


def blocks_of(values):
    """Return the AUC of every configuration on every block of a set.

    Parameters
    ----------
    values : dict
        Result of :func:`task_values`.

    Returns
    -------
    dict of {str: dict of {str: float}}
        By configuration and block. Splits of the same clips are one block.
    """
    blocks = {}
    for name, own in values.items():
        parts = {}
        for task, metrics in own.items():
            parts.setdefault(task.partition(", split ")[0], []).append(float(metrics["AUC"][0]))
        blocks[name] = {block: float(np.mean(aucs)) for block, aucs in parts.items()}
    return blocks


def average_ranks(aucs):
    """Return the average ranks, the p-value of the test of Friedman, and the critical difference of Nemenyi.

    Parameters
    ----------
    aucs : ndarray of shape (n_configurations, n_blocks)

    Returns
    -------
    ranks : ndarray of shape (n_configurations,)
        1 is the best. Ties share their mean rank.
    p_value : float
        NaN with fewer than 3 configurations or fewer than 2 blocks.
    difference : float
        Two configurations differ at the level 0.05 if their average ranks differ by more than this value.
    """
    n_configurations, n_blocks = aucs.shape
    ranks = rankdata(-aucs, axis=0).mean(axis=1)
    if n_configurations < 3 or n_blocks < 2:
        return ranks, float("nan"), float("nan")
    p_value = float(friedmanchisquare(*aucs).pvalue)
    quantile = studentized_range.ppf(1 - 0.05, n_configurations, np.inf) / np.sqrt(2)
    return (
        ranks,
        p_value,
        float(quantile * np.sqrt(n_configurations * (n_configurations + 1) / (6 * n_blocks))),
    )
